"""One pixel of a canny map, from the cells under the Gaussian to white or black.

Whole maps are those of `imgconv.filters.canny`: where rounding decides, the explanation reads them.
"""

from collections import deque
from dataclasses import dataclass
from math import atan2, degrees, isfinite
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from imgconv.arrays import Array
from imgconv.filters.canny import (
    LEAST_WEIGHT,
    SmoothedRows,
    SmoothedValid,
    canny_edges,
    gaussian_taps,
    smoothed_rows,
    surrounded,
    thresholds,
)
from imgconv.filters.color import max_value_of
from imgconv.images import Raster
from imgconv.inspection.pixel import ChannelValue, MapValue, Member, Patch, Product, Stage, filter_input, number, products_text
from imgconv.platforms import cached_property
from imgconv.process import Map
from imgconv.recipe import Canny, Postprocess

Cell = tuple[int, int]
SOBEL_Y = np.array([[-1, -2, -1], [0, 0, 0], [1, 2, 1]], float)
SOBEL_X = np.ascontiguousarray(SOBEL_Y.T)
DIRECTIONS = {(0, -1): "left", (0, 1): "right", (-1, 0): "above", (1, 0): "below"}
DIRECTIONS |= {(-1, -1): "upper left", (-1, 1): "upper right", (1, -1): "lower left", (1, 1): "lower right"}
CLOSE = 1e-5  # of a length: float32 rounds differences below this
LENGTHS = "lengths of the gradient, those compared marked"


def explain_canny(image: Raster, step: Canny, postprocess: Postprocess, output: Map, at: Cell) -> MapValue:
    """Explain the output pixel `at` (row, column) of the finished map `output`."""
    grey = filter_input(image, grey=True, alpha=step.keeps_alpha())
    valid = None if grey.valid is None else np.ascontiguousarray(grey.valid[..., 0])
    pixel = _Pixel(CannyStages(grey.pixels[..., :1], step, valid), max_value_of(grey.pixels.dtype), postprocess, at)
    written = output.image.pixels[at].astype(float).tolist()
    channels = [pixel.explained(written[0])]
    if grey.alpha:
        is_missing = valid is not None and not valid[at]
        alpha = _missing(written[1]) if is_missing else Stage("alpha", f"as it is at {at[1]},{at[0]}", float(grey.pixels[at][-1]))
        channels.append(ChannelValue("alpha", (), (alpha,), written[1]))
    return MapValue(output.name, pixel.patch, tuple(channels))


@dataclass(frozen=True, eq=False)
class CannyStages:
    """The stages of a `step` on a grey image (H, W, 1), whose missing cells are 0 in `valid` (H, W)."""

    grey: Array
    step: Canny
    valid: NDArray[np.uint8] | None = None

    @cached_property
    def smoothed(self) -> SmoothedRows | SmoothedValid:
        """The image under the Gaussian."""
        return smoothed_rows(self.grey, self.step.sigma, self.valid)

    @cached_property
    def surrounded(self) -> NDArray[np.uint8] | None:
        """(H, W): 0 next to a missing cell; None without one."""
        return None if self.valid is None else surrounded(self.valid)

    @cached_property
    def bounds(self) -> tuple[float, float]:
        """The low and the high threshold, as lengths of gradients."""
        scale = 0.01 if self.step.percent else 1.0
        low, high = (None if bound is None else bound * scale for bound in (self.step.low, self.step.high))
        return thresholds(self.grey, self.step.sigma, low, high, quantiles=self.step.percent, valid=self.valid)

    @cached_property
    def ridges(self) -> NDArray[np.bool_]:
        """(H, W): ridges of the gradient of at least the low threshold."""
        return self._ridges_from(self.bounds[0])

    @cached_property
    def strong(self) -> NDArray[np.bool_]:
        """(H, W): ridges of at least the high threshold."""
        return self._ridges_from(self.bounds[1])

    def _ridges_from(self, bound: float) -> NDArray[np.bool_]:
        return np.asarray(canny_edges(self.grey, self.step.sigma, bound, bound, valid=self.valid)[..., 0] > 0)

    def is_inside(self, at: Cell) -> bool:
        """Whether a pixel is not one of the outermost, which are never edges."""
        return all(0 < cell < size - 1 for cell, size in zip(at, self.grey.shape[:2], strict=True))

    def cells(self, at: Cell, reach: int = 1) -> NDArray[np.float64]:
        """Smoothed cells around a pixel, up to two beyond one that is inside; outer rows and columns of the image repeat."""
        row, column = at
        rows = self.smoothed.rows(row - reach, row + reach + 1)
        return rows[:, column + 1 - reach : column + 2 + reach].astype(np.float64)

    def lengths(self) -> Array:
        """(H, W) float64: the lengths of all gradients."""
        height, width = self.grey.shape[:2]
        smooth = self.smoothed.rows(-1, height + 1).astype(np.float64)
        windows = np.lib.stride_tricks.sliding_window_view(smooth, (3, 3))[:height, :width]
        lengths = np.hypot(np.einsum("ijuv,uv->ij", windows, SOBEL_Y), np.einsum("ijuv,uv->ij", windows, SOBEL_X))
        return np.asarray(np.where(lengths <= self.smoothed.noise * np.abs(windows[..., 1, 1]), 0, lengths))

    def path_to_strong(self, at: Cell) -> tuple[Cell, int] | None:
        """The strong pixel nearest to a ridge along ridges, and the number of steps; None if the ridge is not connected to one."""
        visited, waiting = {at}, deque([(at, 0)])
        while waiting:
            cell, steps = waiting.popleft()
            if self.strong[cell]:
                return cell, steps
            for down, across in DIRECTIONS:
                neighbour = cell[0] + down, cell[1] + across
                if neighbour not in visited and self.ridges[neighbour]:  # the outermost pixels are never ridges
                    visited.add(neighbour)
                    waiting.append((neighbour, steps + 1))
        return None


class Side(NamedTuple):
    """The point one step along a gradient: the cells `straight` and `corner` (steps down and across), and the share of the corner."""

    straight: Cell
    corner: Cell
    share: float


def sides(down: float, across: float) -> tuple[Side, Side]:
    """The points one step ahead along a gradient and one step back, each between the two nearest neighbours.

    >>> sides(1.0, 2.0)
    (Side(straight=(0, 1), corner=(1, 1), share=0.5), Side(straight=(0, -1), corner=(-1, -1), share=0.5))
    """
    y, x = (-1 if down < 0 else 1), (-1 if across < 0 else 1)
    straight = (y, 0) if abs(down) > abs(across) else (0, x)
    share = min(abs(down), abs(across)) / max(abs(down), abs(across))
    return Side(straight, (y, x), share), Side((-straight[0], -straight[1]), (-y, -x), share)


class _Pixel:
    """The pixel `at` of an image whose largest level is `max_value`."""

    def __init__(self, stages: CannyStages, max_value: float, postprocess: Postprocess, at: Cell):
        self.stages, self.max_value, self.postprocess, self.at = stages, max_value, postprocess, at
        self.cells = stages.cells(at)
        self.noise = stages.smoothed.noise
        self.down, self.across, self.length = _gradient(self.cells, self.noise)
        self.patch = _patch(at, self.cells[..., None], stages.grey.shape)

    def explained(self, written: float) -> ChannelValue:
        products = Product("smoothed", self.cells, SOBEL_Y), Product("smoothed", self.cells, SOBEL_X)
        slopes = (
            Member("sobel_y: grows downward by", products[:1], (Stage("down", products_text(products[0]), self.down),)),
            Member("sobel_x: grows to the right by", products[1:], (Stage("across", products_text(products[1]), self.across),)),
        )
        if not self._is_known():
            return ChannelValue("luma", (*self._smoothing(), *slopes), (_missing(written),), written)
        members = (*self._smoothing(), *slopes)
        text = f"sqrt(({number(self.down)})^2 + ({number(self.across)})^2)"
        if not self.length and (self.down or self.across):
            text = f"{text}, a rounding error of the smoothed cells"
        stages, lengths, compared = [Stage("length", text, self.length)], None, None
        if not self.stages.is_inside(self.at):
            stages.append(Stage("border", "the outermost pixels have no edges", 0.0))
        elif self.stages.surrounded is not None and not self.stages.surrounded[self.at]:
            stages.append(Stage("border", "pixels next to a missing cell have no edges", 0.0))
        elif not isfinite(self.length):
            stages.append(Stage("edge", "a gradient that is not finite is an edge where the map has one", self._written_edge()))
        elif self.length > 0:
            lengths, compared = self._lengths()
            stages += self._thinned(lengths)
        if self.postprocess.invert:
            stages.append(Stage("invert", f"{number(self.max_value)} - {number(stages[-1].value)}", self.max_value - stages[-1].value))
        return ChannelValue(LENGTHS if lengths is not None else "luma", members, tuple(stages), written, lengths, compared)

    def _is_known(self) -> bool:
        return self.stages.valid is None or bool(self.stages.valid[self.at])

    def _smoothing(self) -> tuple[Member, ...]:
        """The Gaussian over the valid cells inside the image, divided by the sum of their weights; none without smoothing."""
        sigma, valid = self.stages.step.sigma, self.stages.valid
        if not self._is_known() and len(gaussian_taps(sigma)) == 1:
            sigma = 1.0  # a missing cell has an estimate
        if not sigma:
            return ()
        grey, taps = self.stages.grey[..., 0], gaussian_taps(sigma)
        radius = len(taps) // 2
        (top, bottom), (left, right) = ((max(c - radius, 0), min(c + radius + 1, n)) for c, n in zip(self.at, grey.shape, strict=True))
        (row, column), cells = self.at, grey[top:bottom, left:right]
        plane = np.outer(taps[top - row + radius : bottom - row + radius], taps[left - column + radius : right - column + radius])
        patch = Patch(cells[..., None], tuple(range(top, bottom)), tuple(range(left, right)), np.zeros(cells.shape, bool))
        known = np.ones(cells.shape, bool) if valid is None else valid[top:bottom, left:right] != 0
        product = Product("luma", np.where(known, cells, 0), np.where(known, plane, 0.0), patch)
        stages = [Stage("sum", f"{int(known.sum())} products", product.sum)]
        if valid is not None:
            stages.insert(0, Stage("valid", f"{int(known.sum())} of {known.size} cells", float(known.sum())))
        if known.sum() < taps.size**2:
            weight = float(product.taps.sum())
            which = "inside" if known.all() else "weight"
            value = product.sum / weight if weight > LEAST_WEIGHT * plane.sum() else 0.0
            stages.append(Stage(which, f"{number(product.sum)} / {number(weight)} of the weights", value))
        return (Member(f"gaussian of sigma {sigma:g}", (product,), tuple(stages)),)

    def _lengths(self) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """The lengths (3, 3) around the pixel, and the neighbours that are compared with it."""
        cells = self.stages.cells(self.at, 2)
        lengths = np.array([[_gradient(cells[u : u + 3, v : v + 3], self.noise)[2] for v in range(3)] for u in range(3)])
        compared = np.zeros((3, 3), bool)
        for side in sides(self.down, self.across):
            for (down, across), share in ((side.straight, 1 - side.share), (side.corner, side.share)):
                compared[1 + down, 1 + across] |= share > 0
        return lengths, compared

    def _thinned(self, lengths: NDArray[np.float64]) -> list[Stage]:
        """From the length to an edge or none: comparison with the neighbours along the gradient, then with the thresholds."""
        angle = degrees(atan2(self.down, self.across))
        nearest = round(self.down / self.length), round(self.across / self.length)
        stages = [Stage("direction", f"lighter {DIRECTIONS[nearest]}; degrees from the right, downward", angle)]
        ahead, behind = sides(self.down, self.across)
        stages += [_neighbour(name, side, lengths) for name, side in (("ahead", ahead), ("behind", behind))]
        low, high = self.stages.bounds
        bounds = [("ridge", "ahead", stages[1].value), ("ridge", "behind", stages[2].value), ("low", "the low threshold", low)]
        for name, what, bound in bounds:
            passed, comparison = self._compared(bound, self.stages.ridges)
            stages.append(Stage(name, f"{number(self.length)} {comparison} {what}, {number(bound)}", self.length if passed else 0.0))
            if not passed:
                return stages
        strong, comparison = self._compared(high, self.stages.strong)
        text = f"{number(self.length)} {comparison} the high threshold, {number(high)}"
        return [*stages, Stage("strong", text, self.max_value) if strong else self._weak(text)]

    def _compared(self, bound: float, passed_map: NDArray[np.bool_]) -> tuple[bool, str]:
        """Whether the length reaches a bound, and the words for it; where rounding decides, as in `passed_map`."""
        if abs(self.length - bound) <= CLOSE * bound and self.length != bound:
            passed = bool(passed_map[self.at])
            return passed, f"is {'no less' if passed else 'less'} (by rounding alone) than"
        passed = self.length >= bound
        return passed, "is at least" if passed else "is less than"

    def _written_edge(self) -> float:
        return self.max_value if self.stages.ridges[self.at] and self.stages.path_to_strong(self.at) else 0.0

    def _weak(self, text: str) -> Stage:
        """The result of a weak edge: white if it is connected to a strong one."""
        path = self.stages.path_to_strong(self.at)
        if path is None:
            return Stage("weak", f"{text}, and it is not connected to a strong edge", 0.0)
        (row, column), steps = path
        plural = "s" if steps > 1 else ""
        return Stage("weak", f"{text}, but it leads to a strong edge at {column},{row} in {steps} step{plural}", self.max_value)


def _missing(written: float) -> Stage:
    return Stage("missing", "the cell itself is missing", written)


def _gradient(cells: NDArray[np.float64], noise: float) -> tuple[float, float, float]:
    """The slopes of 3x3 cells downward and across, by Sobel's kernels, and the length of the gradient, 0 for a rounding error."""
    down, across = float((cells * SOBEL_Y).sum()), float((cells * SOBEL_X).sum())
    length = float(np.hypot(down, across))
    return down, across, 0.0 if length <= noise * abs(float(cells[1, 1])) else length


def _neighbour(name: str, side: Side, lengths: NDArray[np.float64]) -> Stage:
    """The length one step away, interpolated between two neighbours."""
    straight, corner = (float(lengths[1 + down, 1 + across]) for down, across in (side.straight, side.corner))
    parts = [(1 - side.share, straight, side.straight), (side.share, corner, side.corner)]
    text = " + ".join(f"{number(share)}*{number(length)} {DIRECTIONS[cell]}" for share, length, cell in parts if share)
    return Stage(name, text, sum(share * length for share, length, _ in parts))  # a share of 0 does not hide NaN


def _patch(at: Cell, values: Array, shape: tuple[int, ...]) -> Patch:
    rows, columns = (tuple(range(cell - 1, cell + 2)) for cell in at)
    outside = [np.array([not 0 <= cell < size for cell in cells]) for cells, size in zip((rows, columns), shape, strict=False)]
    return Patch(values, rows, columns, outside[0][:, None] | outside[1])
