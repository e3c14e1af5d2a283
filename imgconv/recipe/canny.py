"""The step behind `canny`."""

from dataclasses import dataclass
from math import isfinite

from imgconv.errors import UsageError
from imgconv.recipe.filtering import ALPHAS
from imgconv.recipe.shape import Shape, one_of
from imgconv.recipe.step import PixelStep

LARGEST_SIGMA = 256.0  # pixels; a Gaussian of 2049 taps


@dataclass(frozen=True)
class Canny(PixelStep):
    """Trace the edges of a picture's luma: smooth with a Gaussian, thin the ridges of Sobel's gradient, keep what is strong.

    `low` and `high` are lengths of the gradient in levels of the picture, by default 1/10 and 1/5 of white; with `percent` both are
    given, as percentages of the pixels whose gradient is shorter.
    """

    sigma: float = 1.4
    low: float | None = None
    high: float | None = None
    percent: bool = False
    alpha: str = "auto"

    def __post_init__(self) -> None:
        one_of(self.alpha, ALPHAS, "alpha")
        if not 0 <= self.sigma <= LARGEST_SIGMA:
            raise UsageError(f"sigma must be from 0 to {LARGEST_SIGMA:g} pixels, not {self.sigma:g}")
        given = [bound for bound in (self.low, self.high) if bound is not None]
        if self.percent and len(given) < 2:
            raise UsageError("percentages of gradients need both thresholds; give low and high, for example 80% and 90%")
        most = 100.0 if self.percent else float("inf")
        for bound in given:
            if not (isfinite(bound) and 0 <= bound <= most):
                raise UsageError(
                    f"threshold {self._told(bound)} is no {'share; use 0% to 100%' if self.percent else 'level; use 0 or more'}"
                )
        if len(given) == 2 and given[0] > given[1]:
            raise UsageError(f"low threshold {self._told(given[0])} is above the high one, {self._told(given[1])}; exchange them")

    def _told(self, bound: float) -> str:
        return f"{bound:g}%" if self.percent else f"{bound:g}"

    def trace(self, shape: Shape) -> list[tuple[str, Shape]]:
        """The name and shape of the one map that a picture of `shape` gives. Raises DoesNotFit for a picture without a luma."""
        shape.check_luma()
        alpha = shape.alpha and self.keeps_alpha()
        return [("canny", Shape(shape.height, shape.width, 1 + alpha, alpha))]

    def keeps_alpha(self) -> bool:
        """Whether the map has alpha where the picture has it: only on demand."""
        return self.alpha in ("keep", "filter")

    @property
    def grey(self) -> bool:
        """Always: edges are those of the luma."""
        return True
