"""The step behind `edge` and `filter`."""

from dataclasses import dataclass, replace
from typing import Literal

from imgconv.errors import DoesNotFit
from imgconv.recipe.maps import MapPlan
from imgconv.recipe.shape import Shape, Size, one_of
from imgconv.recipe.step import SingleStep, changed, check_raw, ranged_floats
from imgconv.registry import RANGES
from imgconv.window import PADDING_MODES, Window

ALPHAS = ("auto", "keep", "drop", "filter")


@dataclass(frozen=True)
class Filter(SingleStep):
    """Correlate a picture with kernels; `range` None means each kernel's own."""

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

    def __post_init__(self) -> None:
        one_of(self.range, (None, *RANGES), "range")
        one_of(self.alpha, ALPHAS, "alpha")
        one_of(self.padding_mode if isinstance(self.padding_mode, str) else self.padding_mode[0], PADDING_MODES, "padding_mode")
        for plan in self.maps:
            self.window(plan)

    def window(self, plan: MapPlan) -> Window:
        """Where the kernels of `plan` go."""
        return Window.of(plan.kernels[0].taps.shape[-2:], self.stride, self.padding, self.dilation)

    def trace(self, shape: Shape) -> list[tuple[str, Shape]]:
        """Names and shapes of the maps that a picture of `shape` gives. Raises DoesNotFit where one cannot be made."""
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
                raise DoesNotFit(f"kernel {plan.name} is for {needed} channels, the picture has {colours}; use --grey or --color")
            colours = 1
        return Shape(height, width, colours + alpha, alpha)

    def keeps_alpha(self, plan: MapPlan) -> bool:
        """Whether a map has alpha where the picture has it: grey maps only on demand, sums over channels never."""
        return not plan.sums_channels and (self.alpha in ("keep", "filter") or (self.alpha == "auto" and not self.grey))

    def alpha_rule(self, plan: MapPlan) -> Literal["keep", "filter"]:
        """What becomes of alpha that is kept: zero-sum kernels leave it as it is, others filter it with the colours it weighs."""
        if self.alpha == "filter" and plan.combine == "none" and abs(plan.kernels[0].total) >= 1e-9:
            return "filter"
        return "filter" if self.alpha == "auto" and not plan.zero_sum else "keep"

    def names(self, command: str) -> tuple[str, ...]:
        """A kernel's slug for each map; `edge`, with the slug only where there are several, for the command of that name."""
        slugs = tuple(plan.name for plan in self.maps)
        if command != "edge":
            return slugs
        return ("edge",) if len(slugs) == 1 else tuple(f"edge.{slug}" for slug in slugs)

    def singles(self) -> tuple["Filter", ...]:
        """A filter for each map, in order."""
        return tuple(replace(self, maps=(plan,)) for plan in self.maps)

    def gives_floats(self, format: str, *, asked_for: bool) -> bool:
        """Whether an output in `format` holds unrounded float32 maps: range raw, or a TIFF asked for by name without a range."""
        return ranged_floats(self.range, format, asked_for=asked_for)

    def check_format(self, format: str, *, holds_floats: bool) -> None:
        """Raise UsageError where the range contradicts an output in `format`."""
        check_raw(self.range, holds_floats=holds_floats)

    def describe(self) -> str:
        """The kernels, and every option that is not the default."""
        return " ".join([*(plan.describe() for plan in self.maps), *changed(self)])
