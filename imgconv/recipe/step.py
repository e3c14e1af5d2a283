"""What the steps of recipes share.

Filter, Pool and Network are plain data with the same questions to answer: `trace` and `names` of maps, `singles` (a step for each
map), `grey`, `alpha`, `range`, `gives_vectors`, `keeps_several`, what an output holds (`gives_floats`, `check_format`), `describe`, and
what lies in memory between steps (`values_between`).
"""

from dataclasses import fields
from typing import Any, Self

from imgconv.errors import UsageError
from imgconv.recipe.shape import Shape

ARRAY_FORMATS = ("npy", "npz")


def ranged_floats(range: str | None, format: str, *, asked_for: bool) -> bool:
    """Whether maps of a signed step are floats: with range `raw`, and in a TIFF that was `asked_for` by name without a range."""
    return range == "raw" or (range is None and asked_for and format == "tiff")


def check_raw(range: str | None, *, holds_floats: bool) -> None:
    """Raise UsageError for range `raw` where the output holds no floats."""
    if range == "raw" and not holds_floats:
        raise UsageError("--range raw needs an output that holds floats; use -o NAME.npy, .npz or .tiff, or --format with one of them")


def changed(part: Any) -> list[str]:
    """`name=value` of every field of a dataclass that differs from its default."""
    values = [(f, getattr(part, f.name)) for f in fields(part)]
    return [f"{f.name}={'x'.join(map(str, v)) if isinstance(v, tuple) else v}" for f, v in values if f.name != "maps" and v != f.default]


class SingleStep:
    """The answers of what is one step, and no network of several."""

    @property
    def gives_vectors(self) -> bool:
        """Never: every result is a map."""
        return False

    @property
    def keeps_several(self) -> bool:
        """Never: there is one step."""
        return False

    def values_between(self, shape: Shape) -> int:
        """None: there is one step."""
        return 0


class PixelStep(SingleStep):
    """The answers of a step whose one map is pixels already, such as Pool and Canny."""

    @property
    def range(self) -> str | None:
        """None: nothing signed is left to be shown."""
        return None

    def names(self, command: str) -> tuple[str, ...]:
        """The command's name for its one map."""
        return (command,)

    def singles(self) -> tuple[Self, ...]:
        """Itself: there is one map."""
        return (self,)

    def gives_floats(self, format: str, *, asked_for: bool) -> bool:
        """Never: pixels stay pixels, in a TIFF too."""
        return False

    def check_format(self, format: str, *, holds_floats: bool) -> None:
        """Any format will do."""

    def describe(self) -> str:
        """Every option that is not the default."""
        return " ".join(changed(self))
