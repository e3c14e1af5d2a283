"""Sizes of pictures and maps, and the check of words that every step shares."""

from collections.abc import Sequence
from dataclasses import dataclass

from imgconv.errors import DoesNotFit, UsageError

Size = int | Sequence[int]


@dataclass(frozen=True)
class Shape:
    """Size of a picture or map in pixels, its channels (alpha included), and whether the last one is alpha."""

    height: int
    width: int
    channels: int
    alpha: bool = False

    @property
    def colours(self) -> int:
        """Channels without alpha."""
        return self.channels - self.alpha

    def check_luma(self) -> None:
        """Raise DoesNotFit for a picture whose channels are neither grey nor red, green and blue."""
        if self.colours not in (1, 3):
            raise DoesNotFit(f"a picture of {self.colours} channels has no luma; use --color")

    def __str__(self) -> str:
        return f"{self.channels}x{self.height}x{self.width}"


def one_of(value: object, allowed: Sequence[object], name: str) -> None:
    """Raise UsageError, which lists what is allowed, unless `value` is one of `allowed`."""
    if value not in allowed:
        raise UsageError(f"{name} {value!r} is unknown; use one of {', '.join(str(a) for a in allowed if a is not None)}")
