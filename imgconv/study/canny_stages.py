"""Canny's stages at one place: smoothed cells, gradients, the neighbours on either side, and how an edge hangs together.

Numbers are those of `imgconv.functional.canny`; whole maps come from there too, so that nothing here decides what is an edge.
"""

from collections import deque
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from imgconv.functional.canny import canny_edges, thresholds
from imgconv.functional.smoothed import Smoothed
from imgconv.recipe import Canny

Array = NDArray[Any]
Cell = tuple[int, int]
DOWN = np.array([[-1, -2, -1], [0, 0, 0], [1, 2, 1]], float)
ACROSS = np.ascontiguousarray(DOWN.T)
NAMES = {(0, -1): "left", (0, 1): "right", (-1, 0): "above", (1, 0): "below"}
NAMES |= {(-1, -1): "upper left", (-1, 1): "upper right", (1, -1): "lower left", (1, 1): "lower right"}


class Side(NamedTuple):
    """What lies one step along a gradient: the cells `straight` and `corner` (steps down and across), and how much of the corner."""

    straight: Cell
    corner: Cell
    share: float


def sides(down: float, across: float) -> tuple[Side, Side]:
    """The places one step ahead along a gradient and one behind, each between the two neighbours that are nearest to there.

    >>> sides(1.0, 2.0)
    (Side(straight=(0, 1), corner=(1, 1), share=0.5), Side(straight=(0, -1), corner=(-1, -1), share=0.5))
    """
    y, x = (-1 if down < 0 else 1), (-1 if across < 0 else 1)
    straight = (y, 0) if abs(down) > abs(across) else (0, x)
    share = min(abs(down), abs(across)) / max(abs(down), abs(across))
    return Side(straight, (y, x), share), Side((-straight[0], -straight[1]), (-y, -x), share)


@dataclass(frozen=True, eq=False)
class Stages:
    """The stages of a `step` on a grey picture (H, W, 1)."""

    grey: Array
    step: Canny

    @cached_property
    def smoothed(self) -> Smoothed:
        """The picture under the Gaussian."""
        return Smoothed(self.grey[..., 0], self.step.sigma)

    @cached_property
    def bounds(self) -> tuple[float, float]:
        """The low and the high threshold, as lengths of gradients."""
        part = 0.01 if self.step.percent else 1.0
        low, high = (None if bound is None else bound * part for bound in (self.step.low, self.step.high))
        return thresholds(self.grey, self.step.sigma, low, high, quantiles=self.step.percent)

    @cached_property
    def ridges(self) -> NDArray[np.bool_]:
        """(H, W): ridges of the gradient no weaker than the low threshold."""
        return self._traced(self.bounds[0])

    @cached_property
    def strong(self) -> NDArray[np.bool_]:
        """(H, W): those no weaker than the high one."""
        return self._traced(self.bounds[1])

    def _traced(self, bound: float) -> NDArray[np.bool_]:
        return np.asarray(canny_edges(self.grey, self.step.sigma, bound, bound)[..., 0] > 0)

    def is_inside(self, at: Cell) -> bool:
        """Whether a pixel is none of the outermost ones, which have no edges."""
        return all(0 < place < size - 1 for place, size in zip(at, self.grey.shape[:2], strict=True))

    def cells(self, at: Cell, reach: int = 1) -> NDArray[np.float64]:
        """Smoothed cells around a pixel, up to two beyond one that is inside; beyond the picture its edge goes on."""
        row, column = at
        rows = self.smoothed.rows(row - reach, row + reach + 1)
        return rows[:, column + 1 - reach : column + 2 + reach].astype(np.float64)

    def lengths(self) -> Array:
        """(H, W) float64: the lengths of all gradients."""
        height, width = self.grey.shape[:2]
        smooth = self.smoothed.rows(-1, height + 1).astype(np.float64)
        windows = np.lib.stride_tricks.sliding_window_view(smooth, (3, 3))[:height, :width]
        return np.asarray(np.hypot(np.einsum("ijuv,uv->ij", windows, DOWN), np.einsum("ijuv,uv->ij", windows, ACROSS)))

    def way_to_strong(self, at: Cell) -> tuple[Cell, int] | None:
        """The strong pixel that is nearest to a ridge along ridges, and how many steps away; None where none hangs together with it."""
        seen, waiting = {at}, deque([(at, 0)])
        while waiting:
            cell, steps = waiting.popleft()
            if self.strong[cell]:
                return cell, steps
            for down, across in NAMES:
                near = cell[0] + down, cell[1] + across
                if near not in seen and self.ridges[near]:  # ridges never lie on the outermost pixels
                    seen.add(near)
                    waiting.append((near, steps + 1))
        return None


def gradient(cells: NDArray[np.float64]) -> tuple[float, float, float]:
    """How much 3x3 cells grow downward and across, by Sobel's kernels, and the length of that."""
    down, across = float((cells * DOWN).sum()), float((cells * ACROSS).sum())
    return down, across, float(np.hypot(down, across))
