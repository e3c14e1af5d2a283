"""A whole recipe: a step, what is done to its maps, and what that means for outputs."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from imgconv.errors import DoesNotFit, UsageError
from imgconv.recipe.files import read_recipe
from imgconv.recipe.filtering import Filter
from imgconv.recipe.maps import plan_maps
from imgconv.recipe.network import ARRAY_FORMATS, Network, positions
from imgconv.recipe.parsing import step_of_text
from imgconv.recipe.pooling import Pool
from imgconv.recipe.shape import Shape
from imgconv.recipe.weights import Surroundings
from imgconv.registry import Bank, Kernel, Registry


@dataclass(frozen=True)
class Look:
    """What is done to finished maps: inverted, cut at a threshold (in levels of the output), drawn over the photograph."""

    invert: bool = False
    threshold: float | None = None
    overlay: bool = False


@dataclass(frozen=True)
class Recipe:
    """A step on pictures, what is done to its maps, and the command's name, which goes into output names."""

    command: str
    step: Filter | Pool | Network
    look: Look = field(default_factory=Look)

    def __post_init__(self) -> None:
        if isinstance(self.step, Filter) and self.step.range == "raw" and self.look != Look():
            raise UsageError("--invert, --threshold and --overlay need pixels, which --range raw does not give; use another range")

    def trace(self, shape: Shape) -> list[tuple[str, Shape]]:
        """Names and shapes of all maps that a picture of `shape` gives.

        Raises DoesNotFit where a step cannot fit, or where a map is to be drawn over a photograph of another size.
        """
        maps = self.step.trace(shape)
        if not self.look.overlay:
            return maps
        for name, made in maps:
            if (made.height, made.width) != (shape.height, shape.width):
                raise DoesNotFit(f"map {name} of {made} cannot be drawn over a picture of {shape}; use stride 1 and padding same")
        alpha = shape.alpha and self.step.alpha != "drop"
        return [(name, Shape(made.height, made.width, 3 + alpha, alpha)) for name, made in maps]

    def describe(self) -> str:
        """The recipe in one line, as it is written into outputs: the command and everything that differs from the step's defaults."""
        words = [self.command]
        if isinstance(self.step, Network):
            return f"{self.command}: {self.step.describe()}"
        for part in (self.step, self.look):
            for f in fields(part):
                value = getattr(part, f.name)
                if f.name == "maps":
                    words += [plan.describe() for plan in value]
                elif value != f.default:
                    words.append(f"{f.name}={'x'.join(map(str, value)) if isinstance(value, tuple) else value}")
        return " ".join(words)

    @property
    def needs_luma_only(self) -> bool:
        """Whether the grey of a picture is all that is read, so that a JPEG file's own Y will do."""
        return self.step.grey and not self.look.overlay

    @property
    def gives_vectors(self) -> bool:
        """Whether a result is a vector of numbers, which no picture holds."""
        return isinstance(self.step, Network) and self.step.gives_vectors

    @property
    def keeps_several(self) -> bool:
        """Whether the results of several steps are wanted, whose maps may differ in size."""
        return isinstance(self.step, Network) and len(self.step.kept) > 1

    def gives_floats(self, format: str, *, asked_for: bool) -> bool:
        """Whether an output in `format` holds unrounded float32 maps rather than pixels.

        Arrays always do, and so does the TIFF of a filter or network that was `asked_for` by name: raw unless a range was given for pixels.
        """
        if format in ARRAY_FORMATS:
            return True
        if isinstance(self.step, Pool) or (isinstance(self.step, Network) and self.step.sheet):
            return False
        return self.step.range == "raw" or (self.step.range is None and asked_for and format == "tiff")

    def check_format(self, format: str, *, asked_for: bool, holds_floats: bool) -> None:
        """Raise UsageError where the range or the look contradicts an output in `format`."""
        step = self.step
        if isinstance(step, Pool):
            return
        if isinstance(step, Network):
            step.check_format(format)
        if step.range == "raw" and not holds_floats:
            raise UsageError("--range raw needs an output that holds floats; use -o NAME.npy, .npz or .tiff, or --format with one of them")
        if self.look != Look() and step.range is None and self.gives_floats(format, asked_for=asked_for):
            raise UsageError(f"--invert, --threshold and --overlay need pixels, and {format} holds raw maps; add --range abs or clip")

    @property
    def names(self) -> tuple[str, ...]:
        """The part of output names that tells the maps apart, in order: `edge`, a kernel's slug, `pool`."""
        if isinstance(self.step, Network):
            return self.step.names
        if isinstance(self.step, Pool):
            return (self.command,)
        slugs = tuple(plan.name for plan in self.step.maps)
        if self.command != "edge":
            return slugs
        return ("edge",) if len(slugs) == 1 else tuple(f"edge.{s}" for s in slugs)


def filter_recipe(
    kernels: Iterable[str | Kernel | Bank],
    *,
    command: str = "filter",
    registry: Registry | None = None,
    look: Look | None = None,
    **options: Any,
) -> Recipe:
    """A recipe of one Filter; `options` are its fields. The command `edge` makes grey maps of absolute values unless told otherwise."""
    maps = plan_maps(kernels, registry)
    if command == "edge":
        maps = tuple(replace(plan, range="abs") for plan in maps)
        options = {**options, "grey": options.get("grey") is not False}
    return Recipe(command, Filter(maps, **{k: v for k, v in options.items() if v is not None}), look or Look())


def network_recipe(
    steps: Sequence[str] = (),
    *,
    file: str | Path | None = None,
    keep: Iterable[str] = (),
    range: str | None = None,
    sheet: bool = False,
    kernels_file: Path | None = None,
) -> Recipe:
    """A recipe of one Network: of steps as typed on a command line, or of a recipe file (`FILE` or `FILE:NAME`).

    Raises UsageError for a step, a file or an option that is wrong, MissingExtra for weights that need another library.

    >>> network_recipe(["conv laplacian8 padding=1", "max_pool 2"]).trace(Shape(48, 64, 3))
    [('run', Shape(height=24, width=32, channels=3, alpha=False))]
    """
    if bool(steps) == (file is not None):
        given = "both steps and a recipe file are given" if steps else "no steps are given"
        raise UsageError(f"{given}; use -s STEP, as often as there are steps, or --recipe FILE")
    if file is None:
        around = Surroundings(kernels_file=kernels_file)
        known, name, own_range = tuple(step_of_text(step, n, around) for n, step in enumerate(steps, 1)), "run", None
    else:
        written = read_recipe(file, kernels_file)
        known, name, own_range = written.steps, written.name, written.range
    network = Network(known, name, positions(known, keep), range or own_range, sheet)
    return Recipe(name, network)
