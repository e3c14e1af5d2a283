"""Canny's edges of grey images: smoothed, thinned and traced band by band, so that no float copy of an image exists."""

import threading
from collections.abc import Sequence
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from imgconv.arrays import Array
from imgconv.engine import compiled, parallel
from imgconv.errors import DoesNotFit, UsageError
from imgconv.filters.color import max_value_of
from imgconv.filters.output_range import UNCHANGED
from imgconv.filters.weights import Taps
from imgconv.loops.canny import gradient_lengths, grow_edges, thin_edges
from imgconv.loops.filters import correlate_factors, correlate_product
from imgconv.windows.borders import Border, PaddedRows

BAND_BYTES = 1 << 19  # smoothed rows of one band: half of a common second-level cache
LEAST_ROWS = 8  # of a band, which smooths four rows more than it marks
WEAK, STRONG = 1, 2
LOW, HIGH = 0.1, 0.2  # default thresholds, as shares of white
Smoothed: TypeAlias = "SmoothedRows | SmoothedValid"
Inside = NDArray[np.uint8] | None  # 0 where no gradient counts
REACH = 4  # of the Gaussian, in sigmas
ROUNDING = 48 * 2.0**-23  # twice the longest gradient of a flat image under any sigma, over its level (measured 2026-11-29)
LEAST_WEIGHT = 1e-9  # of valid cells, less than the least tap in a corner
IN_REGISTERS = range(3, 14)  # numbers of taps for which the sums of a pass stay in registers


def canny_edges(
    grey: Array,
    sigma: float = 1.4,
    low: float | None = None,
    high: float | None = None,
    *,
    quantiles: bool = False,
    valid: NDArray[np.uint8] | None = None,
    threads: int | None = None,
) -> Array:
    """Edges (H, W, 1) of a grey image (H, W, 1) in its dtype: white at an edge, else 0.

    The image is smoothed with a Gaussian that ends at 4 sigma (cells outside the image have no weight) and differentiated with Sobel's
    kernels; the length of the gradient is thinned to ridges. Edges are the ridges of at least `high`, and those of at least `low` that
    are connected to them. The outermost pixels are never edges. Gradients as short as a rounding error count as 0, so that flat areas have
    none.

    Parameters
    ----------
    grey : uint8, uint16, float32 or float64.
    sigma : in pixels; 0 for no smoothing.
    low, high : lengths of Sobel's gradient, undivided, in levels of the image; by default 1/10 and 1/5 of white.
    quantiles : `low` and `high`, both required, are shares (0 to 1) of all pixels, those with a shorter gradient.
    valid : (H, W), 0 in missing cells. They have no weight; the gradient next to one is that of a border, and there is no edge.

    Raises
    ------
    DoesNotFit : `low` is above `high`.
    UsageError : quantiles without both thresholds.

    Source: Canny 1986; `skimage.feature.canny`, which computes in float64 where this does in float32.

    >>> step = np.repeat(np.array([[9, 9, 9, 200, 200, 200]], np.uint8), 4, axis=0)[..., None]
    >>> canny_edges(step, sigma=0)[1, :, 0]
    array([  0,   0, 255, 255,   0,   0], dtype=uint8)
    """
    height, width = grey.shape[:2]
    max_value = max_value_of(grey.dtype)
    smoothed = smoothed_rows(grey, sigma, valid)
    inside = None if valid is None else surrounded(valid, threads)
    bounds = _quantiles(smoothed, low, high, inside, threads) if quantiles else _levels(low, high, max_value)
    marks = np.zeros((height, width), np.uint8)
    if min(height, width) >= 3:
        _mark(smoothed, bounds, marks, inside, threads)
    edges = marks if grey.dtype == np.uint8 else np.empty((height, width), grey.dtype)

    def fill_band(first: int, last: int) -> None:
        np.multiply(marks[first:last] == STRONG, grey.dtype.type(max_value), out=edges[first:last])

    parallel.run_bands(fill_band, height, band_rows(width), threads)
    return edges[..., None]


def thresholds(
    grey: Array,
    sigma: float,
    low: float | None,
    high: float | None,
    *,
    quantiles: bool = False,
    valid: NDArray[np.uint8] | None = None,
    threads: int | None = None,
) -> tuple[float, float]:
    """The two lengths of gradients that `canny_edges` compares with for the same arguments.

    >>> thresholds(np.zeros((9, 9, 1), np.uint8), 1.4, None, 60)
    (25.5, 60)
    """
    if quantiles:
        return _quantiles(smoothed_rows(grey, sigma, valid), low, high, None if valid is None else surrounded(valid, threads), threads)
    return _levels(low, high, max_value_of(grey.dtype))


def smoothed_rows(grey: Array, sigma: float, valid: NDArray[np.uint8] | None) -> Smoothed:
    """The rows of a grey image (H, W, 1) under the Gaussian, in which missing cells have no weight."""
    return SmoothedRows(grey[..., 0], sigma) if valid is None else SmoothedValid(grey[..., 0], valid, sigma)


def surrounded(valid: NDArray[np.uint8], threads: int | None = None) -> NDArray[np.uint8]:
    """(H, W): 1 where neither the cell nor a neighbour is missing, else 0."""
    from imgconv.filters.pool2d import pool_image  # most images have no missing cells
    from imgconv.window import Window

    pooled: Array = pool_image(valid[..., None], Window.of(3, 1, "same"), "min", threads=threads)
    return pooled[..., 0]


def band_rows(width: int) -> int:
    """The number of rows of a band of an image of some width."""
    return max(BAND_BYTES // (4 * width) - 4, LEAST_ROWS)


def _levels(low: float | None, high: float | None, max_value: float) -> tuple[float, float]:
    low, high = LOW * max_value if low is None else low, HIGH * max_value if high is None else high
    if low > high:
        raise DoesNotFit(f"low threshold {low:g} is above the high one, {high:g}; give both, for example {low:g} and {2 * low:g}")
    return low, high


def _mark(smoothed: Smoothed, bounds: Sequence[float], marks: NDArray[np.uint8], inside: Inside, threads: int | None) -> None:
    """Fill `marks` with STRONG edges; ridges that are connected to none stay WEAK."""
    (height, width), limits, weak = marks.shape, np.array([*bounds, smoothed.noise], np.float32), []

    def mark_band(first: int, last: int) -> None:
        band = marks[max(first, 1) : min(last, height - 1)]
        if len(band):
            smooth = smoothed.rows(max(first, 1) - 2, min(last, height - 1) + 2)
            compiled.loop(thin_edges)(smooth, limits, np.empty((9, width), np.float32), band)
            if inside is not None:
                band *= inside[max(first, 1) : min(last, height - 1)]
            _grow(band, np.arange(len(band)), int(np.count_nonzero(band == WEAK)))
            weak.append(int(np.count_nonzero(band == WEAK)))

    rows = band_rows(width)
    parallel.run_bands(mark_band, height, rows, threads)
    seams = np.arange(rows, height, rows)
    _grow(marks, np.sort(np.concatenate([seams - 1, seams])), sum(weak))


def _grow(marks: NDArray[np.uint8], rows: NDArray[np.intp], weak: int) -> None:
    """Turn WEAK marks STRONG that are connected to strong ones in `rows`; there are `weak` of them."""
    compiled.loop(grow_edges)(marks, rows, np.empty((weak + 1, 2), np.int32))


def _quantiles(smoothed: Smoothed, low: float | None, high: float | None, inside: Inside, threads: int | None) -> tuple[float, float]:
    """The lengths below which the shares `low` and `high` of all gradients are.

    Each is found in two rounds, by the upper and then the lower 16 bits: positive floats have the order of their bits.
    """
    if low is None or high is None:
        raise UsageError("quantiles need both thresholds; give low and high")
    heads = _counts(smoothed, None, inside, threads)
    last = max(int(heads.sum()) - 1, 0)

    def length_at(rank: int) -> float:
        head = int(np.searchsorted(np.cumsum(heads), rank, side="right"))
        tails = np.cumsum(_counts(smoothed, head, inside, threads))
        tail = int(np.searchsorted(tails, rank - int(heads[:head].sum()), side="right"))
        return float(np.array(head << 16 | tail, np.uint32).view(np.float32))

    return length_at(round(low * last)), length_at(round(high * last))


def _counts(smoothed: Smoothed, head: int | None, inside: Inside, threads: int | None) -> NDArray[np.intp]:
    """How many gradient lengths have each upper half of 32 bits; with `head`, each lower half among those with that upper half."""
    (height, width), counts, lock = smoothed.size, np.zeros(1 << 16, np.intp), threading.Lock()

    def count_band(first: int, last: int) -> None:
        lengths = np.empty((last - first, width), np.float32)
        compiled.loop(gradient_lengths)(smoothed.rows(first - 1, last + 1), np.array([smoothed.noise], np.float32), lengths)
        bits = lengths.view(np.uint32).ravel() if inside is None else lengths.view(np.uint32)[inside[first:last] != 0]
        halves = bits >> 16 if head is None else bits[bits >> 16 == head] & 0xFFFF
        band_counts = np.bincount(halves, minlength=1 << 16)
        with lock:
            counts[...] += band_counts

    parallel.run_bands(count_band, height, band_rows(width), threads)
    return counts


def gaussian_taps(sigma: float) -> Taps:
    """The Gaussian of `sigma` pixels up to 4 sigma, of sum 1.

    >>> gaussian_taps(0.5).round(3).tolist()
    [0.0, 0.106, 0.787, 0.106, 0.0]
    """
    radius = int(REACH * sigma + 0.5)
    distances = np.arange(-radius, radius + 1)
    taps = np.exp(-0.5 * (distances / sigma) ** 2) if radius else np.ones(1)
    return np.asarray(taps / taps.sum())


def gaussian_algorithm(taps: int) -> Literal["product", "factors of 1"]:
    """The algorithm that smooths with a number of taps.

    >>> gaussian_algorithm(9), gaussian_algorithm(31)
    ('product', 'factors of 1')
    """
    return "product" if taps in IN_REGISTERS else "factors of 1"


class SmoothedRows:
    """Rows of an image (H, W) under a Gaussian, float32. Cells outside the image have no weight; outer rows and columns repeat."""

    def __init__(self, grey: Array, sigma: float):
        taps = gaussian_taps(sigma)
        self.size = height, width = grey.shape[0], grey.shape[1]
        self.noise = ROUNDING if len(taps) > 1 else 0.0  # share of a level; shorter gradients are rounding errors
        self._radius = radius = len(taps) // 2
        self.taps = taps.astype(np.float32)
        self._padded = PaddedRows(grey, ((radius, radius), (radius + 1, radius + 1)), Border.of("zeros"))
        self._down = _weights_inside(taps, height)
        self._across = _weights_inside(taps, width)

    def rows(self, first: int, last: int) -> NDArray[np.float32]:
        """Rows first..last, (last - first, W + 2): one more column on either side; `first` may be -1 and `last` H + 1."""
        height = self.size[0]
        top, bottom = max(first, 0), min(last, height)
        smooth = np.empty((last - first, self.size[1] + 2), np.float32)
        inside = smooth[top - first : bottom - first]
        self._correlate(self._padded.band(top, bottom + 2 * self._radius), inside)
        if top < self._radius or bottom > height - self._radius:
            inside /= self._down[top:bottom, None]
        for columns in (slice(0, self._radius), slice(max(self.size[1] - self._radius, self._radius), None)):
            inside[:, 1:-1][:, columns] /= self._across[columns]
        smooth[: top - first] = inside[0]
        smooth[bottom - first :] = inside[-1]
        smooth[:, 0], smooth[:, -1] = smooth[:, 1], smooth[:, -2]
        return smooth

    def _correlate(self, source: Array, target: NDArray[np.float32]) -> None:
        taps, size = self.taps, len(self.taps)
        parameters, middle = np.array(UNCHANGED, np.float32), np.empty(source.shape[1], np.float32)
        if gaussian_algorithm(size) == "product":
            compiled.loop(correlate_product, size=size, divided=0)(source, taps, taps, 1, middle, parameters, target, 0)
        else:
            offsets, sums = np.arange(size), np.empty(target.shape[1], np.float32)
            loop = compiled.loop(correlate_factors, divided=0)
            loop(source, taps[None], offsets, taps[None], offsets, middle, sums, parameters, target, 1, 0)


class SmoothedValid:
    """The rows of a `SmoothedRows` whose missing cells have no weight either; `valid` (H, W) is 0 there.

    Where no valid cell is in reach a row is 0; without smoothing, missing cells have an estimate from their neighbours.
    """

    def __init__(self, grey: Array, valid: NDArray[np.uint8], sigma: float):
        known = np.where(valid, grey, grey.dtype.type(0))
        self._sums, self._weights = SmoothedRows(known, sigma), SmoothedRows(valid, sigma)
        self._estimate = None if len(self._sums.taps) > 1 else SmoothedValid(grey, valid, 1.0)
        self.size, self.noise = self._sums.size, 2 * self._sums.noise  # a quotient has the rounding of both

    def rows(self, first: int, last: int) -> NDArray[np.float32]:
        """Rows first..last, as those of `SmoothedRows`."""
        weights = self._weights.rows(first, last)
        nothing = np.zeros_like(weights) if self._estimate is None else self._estimate.rows(first, last)
        return np.divide(self._sums.rows(first, last), weights, out=nothing, where=weights > LEAST_WEIGHT)


def _weights_inside(taps: Taps, size: int) -> NDArray[np.float32]:
    """For each of `size` cells, the sum of those taps around it that lie on cells of the image."""
    radius, sums = len(taps) // 2, np.concatenate([[0.0], np.cumsum(taps)])
    cells = np.arange(size)
    return np.asarray(sums[np.minimum(size - cells, radius + 1) + radius] - sums[np.maximum(radius - cells, 0)], np.float32)
