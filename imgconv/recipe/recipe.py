"""A whole recipe: a step, the postprocessing of its maps, and what outputs can hold them."""

import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import reduce
from math import isfinite
from typing import TYPE_CHECKING, Any, Literal, Protocol

from imgconv.errors import DoesNotFit, UsageError
from imgconv.modes import AlphaRule
from imgconv.recipe.references import plan_maps
from imgconv.recipe.shape import Shape, once_per_shape
from imgconv.recipe.steps import ARRAY_FORMATS, Canny, Filter, Pool, changed
from imgconv.registry import Bank, Kernel, Registry

if TYPE_CHECKING:
    from imgconv.arrays import Array
    from imgconv.recipe.network import Network  # imported when it is needed: filters start without it

ROWS = 256  # of a mask that are read at a time


@dataclass(frozen=True)
class Postprocess:
    """Changes to finished maps: inverted, cut at a threshold (in levels of the output), drawn over the photograph."""

    invert: bool = False
    threshold: float | None = None
    overlay: bool = False

    def __post_init__(self) -> None:
        if self.threshold is not None and not isfinite(self.threshold):
            raise UsageError(f"threshold must be a finite number, in levels of the output, not {self.threshold}")


class Mask(Protocol):
    """An array (H, W) or (H, W, C) that is 0 where a cell is missing, or a file of one: its shape and some of its rows."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    def __getitem__(self, rows: slice, /) -> "Array": ...


@dataclass(frozen=True, eq=False)
class MissingData:
    """Which cells of images are missing: those of the value `nodata`, by default of the one that a file declares, and those where
    `mask`, (H, W) or (H, W, C), is 0.
    """

    nodata: float | Literal["auto", "none"] = "auto"
    mask: Mask | None = None

    @classmethod
    def of(cls, nodata: object, mask: Mask | None = None) -> "MissingData":
        """The missing data of the arguments `nodata`, a number or one of the words auto, nan and none, and `mask`.

        >>> MissingData.of("-9999").nodata
        -9999.0
        """
        text = "none" if nodata is None else str(nodata)
        if text == "none":
            return cls("none", mask)
        if text == "auto":
            return cls("auto", mask)
        try:
            return cls(float(text), mask)
        except ValueError:
            raise UsageError(f"nodata must be a number, auto, nan or none, not {nodata!r}") from None

    @property
    def is_default(self) -> bool:
        """Whether missing cells are those that a file declares."""
        return self.nodata == "auto" and self.mask is None

    @property
    def is_given(self) -> bool:
        """Whether a value or a mask is given, whatever a file declares."""
        return self.mask is not None or not isinstance(self.nodata, str)

    def value(self, declared: float | None) -> float | None:
        """The value of missing cells in a file that declares one, or None."""
        return declared if self.nodata == "auto" else None if self.nodata == "none" else self.nodata

    def describe(self) -> list[str]:
        """`name=value` of what differs from the defaults; a mask is identified by a checksum."""
        words = [] if self.nodata == "auto" else [f"nodata={self.nodata if self.nodata == 'none' else format(self.nodata, '.17g')}"]
        return words if self.mask is None else [*words, f"mask=[{_checksum(self.mask):08x}]"]


DECLARED = MissingData()


def _checksum(mask: Mask) -> int:
    starts = range(0, mask.shape[0], ROWS)
    return reduce(lambda checksum, first: zlib.crc32(mask[first : first + ROWS].tobytes(), checksum), starts, 0)


@dataclass(frozen=True)
class Recipe:
    """A step on images, the postprocessing of its maps, and the command's name, which goes into output names."""

    command: str
    step: "Filter | Pool | Canny | Network"
    postprocess: Postprocess = field(default_factory=Postprocess)
    missing_data: MissingData = DECLARED

    def __post_init__(self) -> None:
        if self.step.range == "raw" and self.postprocess != Postprocess():
            raise UsageError("--invert, --threshold and --overlay need pixels, which --range raw does not give; use another range")

    def trace(self, shape: Shape) -> list[tuple[str, Shape]]:
        """Names and shapes of all maps that an image of `shape` gives, computed once per shape.

        Raises DoesNotFit where a step cannot fit, or where a map is to be drawn over a photograph of another size.
        """
        return self._trace(self._shape_read(shape))

    def _shape_read(self, shape: Shape) -> Shape:
        """One channel for the three of colour where only luma is read: the header of a JPEG file has colours, its decoded Y has not."""
        return shape._replace(channels=1) if self.luma == "only" and shape.channels == 3 and not shape.alpha else shape

    @once_per_shape
    def _trace(self, shape: Shape) -> list[tuple[str, Shape]]:
        maps = self.step.trace(shape)
        if not self.postprocess.overlay:
            return maps
        if shape.colours not in (1, 3):
            raise DoesNotFit(f"edges cannot be drawn over an image of {shape.colours} channels; use one of 1 or 3, or leave out --overlay")
        for name, traced in maps:
            if (traced.height, traced.width) != (shape.height, shape.width):
                raise DoesNotFit(f"map {name} of {traced} cannot be drawn over an image of {shape}; use stride 1 and padding same")
        alpha = shape.alpha and AlphaRule(self.step.alpha).in_colour
        return [(name, Shape(shape.height, shape.width, 3 + alpha, alpha)) for name, _ in maps]

    def values_between(self, shape: Shape) -> int:
        """The most float32 values that are in memory at a time between the steps on an image of `shape`."""
        return self.step.values_between(self._shape_read(shape))

    def describe(self) -> str:
        """The recipe in one line, as it is written into outputs: the command, its step, and what differs from the defaults."""
        words = (self.command, self.step.describe(), *changed(self.postprocess), *self.missing_data.describe())
        return " ".join(word for word in words if word)

    @property
    def names(self) -> tuple[str, ...]:
        """The part of output names that identifies each map, in order: `edge`, a kernel's slug, `pool`."""
        return self.step.names(self.command)

    @property
    def luma(self) -> Literal["no", "only", "also"]:
        """Which luma is read: `only` it, so that a JPEG file's own Y is enough, or `also` the colours, for an overlay."""
        if not self.step.grey:
            return "no"
        return "also" if self.postprocess.overlay else "only"

    def gives_floats(self, format: str) -> bool:
        """Whether an output in `format` holds unrounded float maps rather than pixels, as arrays always do."""
        return format in ARRAY_FORMATS or self.step.gives_floats(format)

    def check_format(self, format: str, *, holds_floats: bool) -> None:
        """Raise UsageError where the step, its range or the postprocessing contradicts an output in `format`."""
        self.step.check_format(format, holds_floats=holds_floats)
        if self.postprocess != Postprocess() and self.step.range is None and self.gives_floats(format):
            raise UsageError(f"--invert, --threshold and --overlay need pixels, and {format} holds raw maps; add --range abs or clip")


def filter_recipe(
    kernels: Iterable[str | Kernel | Bank],
    *,
    command: str = "filter",
    registry: Registry | None = None,
    postprocess: Postprocess | None = None,
    missing_data: MissingData = DECLARED,
    **options: Any,
) -> Recipe:
    """A recipe of one Filter; `options` are its fields. The command `edge` makes grey maps of absolute values by default."""
    maps = plan_maps(kernels, registry)
    if command == "edge":
        maps = tuple(plan._replace(range="abs") for plan in maps)
        options = {**options, "grey": options.get("grey") is not False}
    step = Filter(maps, **{k: v for k, v in options.items() if v is not None})
    return Recipe(command, step, postprocess or Postprocess(), missing_data)
