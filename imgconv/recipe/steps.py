"""The steps of `edge` and `filter`, `pool` and `canny`.

Filter, Pool, Canny and Network have the same interface: `trace` and `names` of maps, `singles` (a step for each map), `grey`, `alpha`,
`range`, `gives_vectors`, `keeps_several`, the formats that can hold the maps (`gives_floats`, `check_format`), `describe`, and the size
of what is in memory between steps (`values_between`).
"""

from dataclasses import dataclass, fields, replace
from math import isfinite
from typing import Any, ClassVar, Literal, Self

from imgconv.errors import DoesNotFit, UsageError
from imgconv.modes import AlphaRule, CombineMode, MissingRule, PaddingMode, PoolMode, Range
from imgconv.platforms import cached_property
from imgconv.recipe.references import MapPlan
from imgconv.recipe.shape import Shape, Size
from imgconv.window import Footprint, Window, sizes

ARRAY_FORMATS = ("npy", "npz")
LARGEST_SIGMA = 256.0  # pixels; a Gaussian of 2049 taps


class SingleStep:
    """What is common to recipes of one step: maps only, and nothing in memory between steps."""

    gives_vectors: ClassVar[bool] = False
    keeps_several: ClassVar[bool] = False

    missing: str = "keep"
    min_valid: float = 0.0

    def values_between(self, shape: Shape) -> int:
        """0: there is one step."""
        return 0

    @property
    def rule(self) -> MissingRule:
        """How missing cells are treated."""
        return MissingRule.of(self.missing, self.min_valid)


class PixelStep(SingleStep):
    """What is common to steps with one map, of pixels, such as Pool and Canny."""

    range: ClassVar[str | None] = None  # the map has no signed values

    def names(self, command: str) -> tuple[str, ...]:
        """The command's name for the one map."""
        return (command,)

    def singles(self) -> tuple[Self, ...]:
        """The step itself, for its one map."""
        return (self,)

    def gives_floats(self, format: str) -> bool:
        """False: pixels stay pixels, in a TIFF too."""
        return False

    def check_format(self, format: str, *, holds_floats: bool) -> None:
        """Every format can hold pixels."""

    def describe(self) -> str:
        """Every option that differs from its default."""
        return " ".join(changed(self))


@dataclass(frozen=True)
class Filter(SingleStep):
    """Correlate an image with kernels; `range` None means each kernel's own."""

    maps: tuple[MapPlan, ...]
    stride: Size = 1
    padding: str | Size = "same"
    padding_mode: str | tuple[str, float] = "replicate"
    dilation: Size = 1
    flip: bool = False
    range: str | None = None
    grey: bool = False
    linear: bool = False
    alpha: str = "auto"
    missing: str = "keep"
    min_valid: float = 0.0

    def __post_init__(self) -> None:
        Range.or_none(self.range), AlphaRule(self.alpha), PaddingMode.of(self.padding_mode), self.rule, self._windows

    @cached_property
    def _windows(self) -> dict[tuple[int, ...], Window]:
        """The window of each size of kernel."""
        shapes = {plan.kernels[0].taps.shape[-2:] for plan in self.maps}
        return {shape: Window.of(shape, self.stride, self.padding, self.dilation) for shape in shapes}

    def window(self, plan: MapPlan) -> Window:
        """The window of the kernels of `plan`, which is one of the maps."""
        return self._windows[plan.kernels[0].taps.shape[-2:]]

    def trace(self, shape: Shape) -> list[tuple[str, Shape]]:
        """Names and shapes of the maps that an image of `shape` gives. Raises DoesNotFit where one is impossible."""
        return [(plan.name, self._trace_map(plan, shape)) for plan in self.maps]

    def _trace_map(self, plan: MapPlan, shape: Shape) -> Shape:
        height, width = self.window(plan).output_size((shape.height, shape.width))
        alpha = shape.alpha and self.keeps_alpha(plan)
        if self.grey:
            shape.check_luma()
        colours = 1 if self.grey else shape.colours
        if plan.sums_channels:
            needed = plan.kernels[0].taps.shape[0]
            if needed != colours:
                raise DoesNotFit(f"kernel {plan.name} is for {needed} channels, the image has {colours}; use --grey or --color")
            colours = 1
        return Shape(height, width, colours + alpha, alpha)

    def keeps_alpha(self, plan: MapPlan) -> bool:
        """Whether a map has alpha where the image has it; sums over channels never have it."""
        return not plan.sums_channels and AlphaRule(self.alpha).keeps(grey=self.grey)

    def alpha_rule(self, plan: MapPlan) -> Literal["keep", "filter"]:
        """What happens to the alpha of a map that has it: filtered with the colours it weighs, or left as it is."""
        return "filter" if AlphaRule(self.alpha).filtered and not plan.zero_sum else "keep"

    def gain(self, plan: MapPlan) -> float | None:
        """The `Sampling.gain` of a map: the sum of its kernel, and 0 for absolute values and combinations of differences."""
        range = Range(self.range or plan.range)
        is_plain = not any(kernel.offset or kernel.bias or kernel.taps.ndim == 3 for kernel in plan.kernels)
        if self.linear or not is_plain or range in (Range.offset, Range.minmax) or plan.combine == CombineMode.projection:
            return None
        if range is Range.abs or plan.combine != CombineMode.none:
            return None if any(kernel.total for kernel in plan.kernels) else 0.0
        return plan.kernels[0].total

    def names(self, command: str) -> tuple[str, ...]:
        """A kernel's slug for each map; `edge`, with the slug only where there are several, for the command of that name."""
        slugs = tuple(plan.name for plan in self.maps)
        if command != "edge":
            return slugs
        return ("edge",) if len(slugs) == 1 else tuple(f"edge.{slug}" for slug in slugs)

    def singles(self) -> tuple["Filter", ...]:
        """A filter for each map, in order."""
        return tuple(replace(self, maps=(plan,)) for plan in self.maps)

    def gives_floats(self, format: str) -> bool:
        """Whether an output in `format`, which is not an array, holds unrounded float maps: with range raw."""
        return self.range == "raw"

    def check_format(self, format: str, *, holds_floats: bool) -> None:
        """Raise UsageError where the range contradicts an output in `format`."""
        check_raw(self.range, holds_floats=holds_floats)

    def describe(self) -> str:
        """The kernels, and every option that is not the default."""
        return " ".join([*(plan.describe() for plan in self.maps), *changed(self)])


@dataclass(frozen=True)
class Pool(PixelStep):
    """Reduce every window of an image to one value, see `PoolMode`.

    Windows are rectangles of `size`, with that stride and no padding by default, or have a `footprint`, with stride 1 and padding same.
    Without a `padding_mode`, padded cells are ignored.
    """

    size: Size = 2
    mode: str = "max"
    stride: Size | None = None
    padding: str | Size | None = None
    dilation: Size = 1
    ceil_mode: bool = False
    grey: bool = False
    alpha: str = "auto"
    missing: str = "keep"
    min_valid: float = 0.0
    footprint: Footprint | None = None
    padding_mode: str | tuple[str, float] | None = None

    def __post_init__(self) -> None:
        PoolMode.of(self.mode), AlphaRule(self.alpha), self.rule
        if self.padding_mode is not None:
            PaddingMode.of(self.padding_mode)
        sizes(self.size, "size", 2, least=1)  # an error then names size, not kernel_size
        window = self.window
        if self.padding_mode is not None or not isinstance(window.padding, tuple):
            return
        if any(p >= s for p, s in zip(window.padding, window.span, strict=True)):
            size = self.footprint.kernel_size if self.footprint else self.size
            raise UsageError(f"padding {self.padding} gives windows of padding only; use less than the pool's {size}, or --padding-mode")

    @cached_property
    def window(self) -> Window:
        """The window, with its stride and padding."""
        shape = self.footprint or self.size
        stride = (1 if self.footprint else self.size) if self.stride is None else self.stride
        padding = ("same" if self.footprint else "valid") if self.padding is None else self.padding
        return Window.of(shape, stride, padding, self.dilation, ceil_mode=self.ceil_mode)

    def trace(self, shape: Shape) -> list[tuple[str, Shape]]:
        """The name and shape of the one map that an image of `shape` gives. Raises DoesNotFit where the window does not fit."""
        height, width = self.window.output_size((shape.height, shape.width))
        alpha = shape.alpha and self.keeps_alpha()
        if self.grey:
            shape.check_luma()
        return [("pool", Shape(height, width, (1 if self.grey else shape.colours) + alpha, alpha))]

    @property
    def gain(self) -> float:
        """The `Sampling.gain` of the map: 0 for differences between cells."""
        return 0.0 if PoolMode.of(self.mode)[0] in (PoolMode.range, PoolMode.std) else 1.0

    def keeps_alpha(self) -> bool:
        """Whether the map has alpha where the image has it."""
        return AlphaRule(self.alpha).keeps(grey=self.grey)

    def describe(self) -> str:
        """Every option that differs from its default, a footprint as the window that was given."""
        return super().describe().replace("footprint=", "window=")


@dataclass(frozen=True)
class Canny(PixelStep):
    """Trace the edges of an image's luma: smooth with a Gaussian, thin the ridges of Sobel's gradient, keep the strong ones.

    `low` and `high` are lengths of the gradient in levels of the image, by default 1/10 and 1/5 of the largest level; with `percent`
    both are required, as percentages of the pixels whose gradient is shorter.
    """

    sigma: float = 1.4
    low: float | None = None
    high: float | None = None
    percent: bool = False
    alpha: str = "auto"
    grey: ClassVar[bool] = True  # edges are those of the luma

    def __post_init__(self) -> None:
        AlphaRule(self.alpha)
        if not 0 <= self.sigma <= LARGEST_SIGMA:
            raise UsageError(f"sigma must be from 0 to {LARGEST_SIGMA:g} pixels, not {self.sigma:g}")
        bounds = [bound for bound in (self.low, self.high) if bound is not None]
        if self.percent and len(bounds) < 2:
            raise UsageError("percentages of gradients need both thresholds; give low and high, for example 80% and 90%")
        largest = 100.0 if self.percent else float("inf")
        allowed = "from 0% to 100%" if self.percent else "a level of at least 0"
        for bound in bounds:
            if not (isfinite(bound) and 0 <= bound <= largest):
                raise UsageError(f"threshold must be {allowed}, not {self._text(bound)}")
        if len(bounds) == 2 and bounds[0] > bounds[1]:
            raise UsageError(f"low threshold {self._text(bounds[0])} is above the high one, {self._text(bounds[1])}; swap them")

    def _text(self, bound: float) -> str:
        return f"{bound:g}%" if self.percent else f"{bound:g}"

    def trace(self, shape: Shape) -> list[tuple[str, Shape]]:
        """The name and shape of the one map that an image of `shape` gives. Raises DoesNotFit for an image without luma."""
        shape.check_luma("use one of 1 or 3")
        alpha = shape.alpha and self.keeps_alpha()
        return [("canny", Shape(shape.height, shape.width, 1 + alpha, alpha))]

    def keeps_alpha(self) -> bool:
        """Whether the map has alpha where the image has it."""
        return AlphaRule(self.alpha).keeps(grey=True)


def check_raw(range: str | None, *, holds_floats: bool) -> None:
    """Raise UsageError for range `raw` where the output holds no floats."""
    if range == "raw" and not holds_floats:
        raise UsageError("--range raw needs an output that holds floats; use -o NAME.npy, .npz or .tiff, or --format with one of them")


def changed(part: Any) -> list[str]:
    """`name=value` of every field of a dataclass that differs from its default."""
    values = [(f, getattr(part, f.name)) for f in fields(part)]
    return [f"{f.name}={'x'.join(map(str, v)) if isinstance(v, tuple) else v}" for f, v in values if f.name != "maps" and v != f.default]
