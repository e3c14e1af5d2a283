"""Canny's stages at one place: smoothed cells, gradients, the neighbours on either side, and how an edge hangs together.

Numbers are those of `imgconv.filters.canny`; whole maps come from there too, so that nothing here decides what is an edge.

One pixel of a canny map, from the cells under the Gaussian to white or black.
"""

from collections import deque
from dataclasses import dataclass
from functools import cached_property
from math import atan2, degrees, isfinite
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from imgconv.filters.canny import canny_edges, thresholds
from imgconv.filters.color import white
from imgconv.filters.gaussian import Smoothed, gaussian_taps
from imgconv.images import Raster
from imgconv.inspection.cells import Patch, filter_input
from imgconv.inspection.explanation import ChannelValue, MapValue, Member, Product, Stage, number, products_text
from imgconv.process import Map
from imgconv.recipe import Canny, Postprocess

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
    """The stages of a `step` on a grey image (H, W, 1)."""

    grey: Array
    step: Canny

    @cached_property
    def smoothed(self) -> Smoothed:
        """The image under the Gaussian."""
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
        """Smoothed cells around a pixel, up to two beyond one that is inside; beyond the image its edge goes on."""
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


CLOSE = 1e-5  # of a length: nearer to each other than this, two lengths in float32 are told apart by their rounding
LENGTHS = "lengths of the gradient, those compared marked"


def explain_canny(image: Raster, step: Canny, postprocess: Postprocess, made: Map, at: Cell) -> MapValue:
    """How the output pixel `at` (row, column) of the finished map `made` comes about."""
    given = filter_input(image, grey=True, alpha=step.keeps_alpha())
    told = _Pixel(Stages(given.pixels[..., :1], step), white(given.pixels.dtype), postprocess, at)
    pixel = made.image.pixels[at].astype(float).tolist()
    channels = [told.explained(pixel[0])]
    if given.alpha:
        as_it_is = Stage("alpha", f"as it is at {at[1]},{at[0]}", float(given.pixels[at][-1]))
        channels.append(ChannelValue("alpha", (), (as_it_is,), pixel[1]))
    return MapValue(made.name, told.patch, tuple(channels))


class _Pixel:
    """The pixel `at` of an image whose white is `top`."""

    def __init__(self, stages: Stages, top: float, postprocess: Postprocess, at: Cell):
        self.stages, self.top, self.postprocess, self.at = stages, top, postprocess, at
        self.cells = stages.cells(at)
        self.down, self.across, self.length = gradient(self.cells)
        self.patch = _patch(at, self.cells[..., None], stages.grey.shape)

    def explained(self, written: float) -> ChannelValue:
        products = Product("smoothed", self.cells, DOWN), Product("smoothed", self.cells, ACROSS)
        slopes = (
            Member("sobel_y: grows downward by", products[:1], (Stage("down", products_text(products[0]), self.down),)),
            Member("sobel_x: grows to the right by", products[1:], (Stage("across", products_text(products[1]), self.across),)),
        )
        members = (*([self._smoothing()] if self.stages.step.sigma else []), *slopes)
        told = f"sqrt(({number(self.down)})^2 + ({number(self.across)})^2)"
        stages, lengths, compared = [Stage("length", told, self.length)], None, None
        if not self.stages.is_inside(self.at):
            stages.append(Stage("border", "the outermost pixels have no edges", 0.0))
        elif not isfinite(self.length):
            stages.append(Stage("edge", "whether what is not finite is an edge, the maps alone tell", self._decided()))
        elif self.length > 0:
            lengths, compared = self._lengths()
            stages += self._thinned(lengths)
        stages += self._looked(stages[-1].value)
        return ChannelValue(LENGTHS if lengths is not None else "luma", members, tuple(stages), written, lengths, compared)

    def _smoothing(self) -> Member:
        """The Gaussian over the cells that lie in the image; their weights alone count."""
        grey, taps = self.stages.grey[..., 0], gaussian_taps(self.stages.step.sigma)
        radius = len(taps) // 2
        (top, bottom), (left, right) = ((max(c - radius, 0), min(c + radius + 1, n)) for c, n in zip(self.at, grey.shape, strict=True))
        (row, column), cells = self.at, grey[top:bottom, left:right]
        plane = np.outer(taps[top - row + radius : bottom - row + radius], taps[left - column + radius : right - column + radius])
        patch = Patch(cells[..., None], tuple(range(top, bottom)), tuple(range(left, right)), np.zeros(cells.shape, bool))
        product = Product("luma", cells, plane, patch)
        stages = [Stage("sum", f"{plane.size} products", product.sum)]
        if plane.size < taps.size**2:
            inside = float(plane.sum())
            stages.append(Stage("inside", f"{number(product.sum)} / {number(inside)} of the weights", product.sum / inside))
        return Member(f"gaussian of sigma {self.stages.step.sigma:g}", (product,), tuple(stages))

    def _lengths(self) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """The lengths (3, 3) around the pixel, and which of the neighbours are compared with it."""
        cells = self.stages.cells(self.at, 2)
        lengths = np.array([[gradient(cells[u : u + 3, v : v + 3])[2] for v in range(3)] for u in range(3)])
        compared = np.zeros((3, 3), bool)
        for side in sides(self.down, self.across):
            for (down, across), share in ((side.straight, 1 - side.share), (side.corner, side.share)):
                compared[1 + down, 1 + across] |= share > 0
        return lengths, compared

    def _thinned(self, lengths: NDArray[np.float64]) -> list[Stage]:
        """From the length to what is left of it: neighbours along the gradient, then the thresholds."""
        angle = degrees(atan2(self.down, self.across))
        nearest = round(self.down / self.length), round(self.across / self.length)
        stages = [Stage("direction", f"lighter {NAMES[nearest]}; degrees from the right, downward", angle)]
        ahead, behind = sides(self.down, self.across)
        stages += [_beside(name, side, lengths) for name, side in (("ahead", ahead), ("behind", behind))]
        low, high = self.stages.bounds
        bounds = [("ridge", "ahead", stages[1].value), ("ridge", "behind", stages[2].value), ("low", "the low threshold", low)]
        for name, what, bound in bounds:
            passed, why = self._no_less(bound, self.stages.ridges)
            stages.append(Stage(name, f"{number(self.length)} {why} {what}, {number(bound)}", self.length if passed else 0.0))
            if not passed:
                return stages
        strong, why = self._no_less(high, self.stages.strong)
        told = f"{number(self.length)} {why} the high threshold, {number(high)}"
        return [*stages, Stage("strong", told, self.top) if strong else self._joined(told)]

    def _no_less(self, bound: float, decided: NDArray[np.bool_]) -> tuple[bool, str]:
        """Whether the length reaches a bound, and how that is said; what rounding decides is asked of the maps."""
        if abs(self.length - bound) <= CLOSE * bound and self.length != bound:
            passed = bool(decided[self.at])
            return passed, f"is {'no less' if passed else 'less'} (by rounding alone) than"
        passed = self.length >= bound
        return passed, "is no less than" if passed else "is less than"

    def _decided(self) -> float:
        return self.top if self.stages.ridges[self.at] and self.stages.way_to_strong(self.at) else 0.0

    def _joined(self, told: str) -> Stage:
        """What becomes of a weak edge."""
        found = self.stages.way_to_strong(self.at)
        if found is None:
            return Stage("weak", f"{told}, and it hangs together with no strong edge", 0.0)
        (row, column), steps = found
        return Stage("weak", f"{told}, but it leads to a strong edge at {column},{row} in {steps} step{'s' if steps > 1 else ''}", self.top)

    def _looked(self, value: float) -> list[Stage]:
        return [Stage("invert", f"{number(self.top)} - {number(value)}", self.top - value)] if self.postprocess.invert else []


def _beside(name: str, side: Side, lengths: NDArray[np.float64]) -> Stage:
    """The length one step away, between two neighbours, or on one."""
    straight, corner = (float(lengths[1 + down, 1 + across]) for down, across in (side.straight, side.corner))
    parts = [(1 - side.share, straight, side.straight), (side.share, corner, side.corner)]
    told = " + ".join(f"{number(share)}*{number(length)} {NAMES[place]}" for share, length, place in parts if share)
    return Stage(name, told, sum(share * length for share, length, _ in parts))  # a share of 0 hides no NaN


def _patch(at: Cell, values: NDArray[Any], shape: tuple[int, ...]) -> Patch:
    rows, columns = (tuple(range(place - 1, place + 2)) for place in at)
    outside = [np.array([not 0 <= cell < size for cell in cells]) for cells, size in zip((rows, columns), shape, strict=False)]
    return Patch(values, rows, columns, outside[0][:, None] | outside[1])
