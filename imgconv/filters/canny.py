"""Canny's edges of grey images: smoothed, thinned and traced band by band, so that no float copy of an image exists.

Knows pixels; nothing of colour, files or command lines.
"""

import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imgconv.engine import compiled, parallel
from imgconv.errors import DoesNotFit, UsageError
from imgconv.filters.color import white
from imgconv.filters.gaussian import Smoothed
from imgconv.loops.canny import gradient_lengths, grow_edges, thin_edges

Array = NDArray[Any]
BAND_BYTES = 1 << 19  # smoothed rows of one band: half of a common second-level cache
LEAST_ROWS = 8  # of a band, which smooths four rows more than it marks
WEAK, STRONG = 1, 2
LOW, HIGH = 0.1, 0.2  # of white


def canny_edges(
    grey: Array,
    sigma: float = 1.4,
    low: float | None = None,
    high: float | None = None,
    *,
    quantiles: bool = False,
    threads: int | None = None,
) -> Array:
    """Edges (H, W, 1) of a grey image (H, W, 1) in its dtype: white where there is one, else 0.

    Smoothed with a Gaussian that ends at 4 sigma (beyond the image nothing is counted), differentiated with Sobel's kernels, thinned
    to ridges of the gradient's length, and traced: ridges no weaker than `high`, and those no weaker than `low` that hang together
    with them. The outermost pixels have no edges.

    Parameters
    ----------
    grey : uint8, uint16, float32 or float64.
    sigma : in pixels; 0 smooths nothing.
    low, high : lengths of Sobel's gradient, undivided, in levels of the image; by default 1/10 and 1/5 of white.
    quantiles : `low` and `high`, both given, are parts (0 to 1) of all pixels whose gradient is shorter.

    Raises
    ------
    DoesNotFit : `low` is above `high`.
    UsageError : quantiles, and one of them is missing.

    Source: Canny 1986; `skimage.feature.canny`, which reckons in float64 where this does in float32.

    >>> step = np.repeat(np.array([[9, 9, 9, 200, 200, 200]], np.uint8), 4, axis=0)[..., None]
    >>> canny_edges(step, sigma=0)[1, :, 0]
    array([  0,   0, 255, 255,   0,   0], dtype=uint8)
    """
    height, width = grey.shape[:2]
    top = white(grey.dtype)
    smoothed = Smoothed(grey[..., 0], sigma)
    bounds = _quantiles(smoothed, low, high, threads) if quantiles else _levels(low, high, top)
    marks = np.zeros((height, width), np.uint8)
    if min(height, width) >= 3:
        _mark(smoothed, np.array(bounds, np.float32), marks, threads)
    edges = marks if grey.dtype == np.uint8 else np.empty((height, width), grey.dtype)

    def settle(first: int, last: int) -> None:
        np.multiply(marks[first:last] == STRONG, grey.dtype.type(top), out=edges[first:last])

    parallel.run_bands(settle, height, band_rows(width), threads)
    return edges[..., None]


def thresholds(
    grey: Array, sigma: float, low: float | None, high: float | None, *, quantiles: bool = False, threads: int | None = None
) -> tuple[float, float]:
    """The lengths of gradients that `canny_edges` takes for its thresholds, given the same.

    >>> thresholds(np.zeros((9, 9, 1), np.uint8), 1.4, None, 60)
    (25.5, 60)
    """
    return _quantiles(Smoothed(grey[..., 0], sigma), low, high, threads) if quantiles else _levels(low, high, white(grey.dtype))


def band_rows(width: int) -> int:
    """Rows that are marked at a time in an image of some width."""
    return max(BAND_BYTES // (4 * width) - 4, LEAST_ROWS)


def _levels(low: float | None, high: float | None, top: float) -> tuple[float, float]:
    low, high = LOW * top if low is None else low, HIGH * top if high is None else high
    if low > high:
        raise DoesNotFit(f"low threshold {low:g} is above the high one, {high:g}; give both, for example {low:g} and {2 * low:g}")
    return low, high


def _mark(smoothed: Smoothed, thresholds: NDArray[np.float32], marks: NDArray[np.uint8], threads: int | None) -> None:
    """Fill `marks` with STRONG edges; WEAK ones that touch none stay behind."""
    (height, width), left = marks.shape, []

    def work(first: int, last: int) -> None:
        band = marks[max(first, 1) : min(last, height - 1)]
        if len(band):
            smooth = smoothed.rows(max(first, 1) - 2, min(last, height - 1) + 2)
            compiled.loop(thin_edges)(smooth, thresholds, np.empty((9, width), np.float32), band)
            _grow(band, np.arange(len(band)), int(np.count_nonzero(band == WEAK)))
            left.append(int(np.count_nonzero(band == WEAK)))

    rows = band_rows(width)
    parallel.run_bands(work, height, rows, threads)
    seams = np.arange(rows, height, rows)
    _grow(marks, np.sort(np.concatenate([seams - 1, seams])), sum(left))


def _grow(marks: NDArray[np.uint8], rows: NDArray[np.intp], weak: int) -> None:
    compiled.loop(grow_edges)(marks, rows, np.empty((weak + 1, 2), np.int32))


def _quantiles(smoothed: Smoothed, low: float | None, high: float | None, threads: int | None) -> tuple[float, float]:
    """The lengths below which the parts `low` and `high` of all gradients are."""
    if low is None or high is None:
        raise UsageError("quantiles need both thresholds; give low and high")
    height, width = smoothed.size
    places = [round(part * (height * width - 1)) for part in (low, high)]
    heads = _counts(smoothed, None, threads)
    found = []
    for place in places:  # in two steps, by the upper and the lower half of the bits: floats above 0 and their bits have one order
        head = int(np.searchsorted(np.cumsum(heads), place, side="right"))
        tails = np.cumsum(_counts(smoothed, head, threads))
        tail = int(np.searchsorted(tails, place - int(heads[:head].sum()), side="right"))
        found.append(float(np.array(head << 16 | tail, np.uint32).view(np.float32)))
    return found[0], found[1]


def _counts(smoothed: Smoothed, head: int | None, threads: int | None) -> NDArray[np.intp]:
    """How many gradient lengths have each upper half of 32 bits; with `head`, each lower half among those with that upper half."""
    (height, width), counts, lock = smoothed.size, np.zeros(1 << 16, np.intp), threading.Lock()

    def work(first: int, last: int) -> None:
        lengths = np.empty((last - first, width), np.float32)
        compiled.loop(gradient_lengths)(smoothed.rows(first - 1, last + 1), lengths)
        bits = lengths.view(np.uint32).ravel()
        halves = bits >> 16 if head is None else bits[bits >> 16 == head] & 0xFFFF
        found = np.bincount(halves, minlength=1 << 16)
        with lock:
            counts[...] += found

    parallel.run_bands(work, height, band_rows(width), threads)
    return counts
