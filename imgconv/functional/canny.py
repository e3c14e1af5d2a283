"""Canny's edges of grey pictures: smoothed, thinned and traced band by band, so that no float copy of a picture exists.

Knows pixels; nothing of colour, files or command lines.
"""

import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imgconv.engine import bands, store
from imgconv.errors import DoesNotFit, UsageError
from imgconv.functional.borders import Border, PaddedRows
from imgconv.functional.light import white
from imgconv.loops.canny import gradient_lengths, grow_edges, thin_edges
from imgconv.loops.separable import correlate_factors, correlate_product

Array = NDArray[Any]
REACH = 4.0  # of the Gaussian, in sigmas
BAND_BYTES = 1 << 19  # smoothed rows of one band: half of a common second-level cache
LEAST_ROWS = 8  # of a band, which smooths four rows more than it marks
IN_REGISTERS = 13  # taps up to which a pass of the Gaussian keeps its sums there
WEAK, STRONG = 1, 2


def canny(
    grey: Array,
    sigma: float = 1.4,
    low: float | None = None,
    high: float | None = None,
    *,
    quantiles: bool = False,
    threads: int | None = None,
) -> Array:
    """Edges (H, W, 1) of a grey picture (H, W, 1) in its dtype: white where there is one, else 0.

    Smoothed with a Gaussian that ends at 4 sigma (beyond the picture nothing is counted), differentiated with Sobel's kernels, thinned
    to ridges of the gradient's length, and traced: ridges no weaker than `high`, and those no weaker than `low` that hang together
    with them. The outermost pixels have no edges.

    Parameters
    ----------
    grey : uint8, uint16, float32 or float64.
    sigma : in pixels; 0 smooths nothing.
    low, high : lengths of Sobel's gradient, undivided, in levels of the picture; by default 1/10 and 1/5 of white.
    quantiles : `low` and `high`, both given, are parts (0 to 1) of all pixels whose gradient is shorter.

    Raises
    ------
    DoesNotFit : `low` is above `high`.
    UsageError : quantiles, and one of them is missing.

    Source: Canny 1986; `skimage.feature.canny`, which reckons in float64 where this does in float32.

    >>> step = np.repeat(np.array([[9, 9, 9, 200, 200, 200]], np.uint8), 4, axis=0)[..., None]
    >>> canny(step, sigma=0)[1, :, 0]
    array([  0,   0, 255, 255,   0,   0], dtype=uint8)
    """
    height, width = grey.shape[:2]
    top = white(grey.dtype)
    smoothed = _Smoothed(grey[..., 0], sigma)
    thresholds = _thresholds(smoothed, low, high, top, threads) if not quantiles else _quantiles(smoothed, low, high, threads)
    marks = np.zeros((height, width), np.uint8)
    if min(height, width) >= 3:
        _mark(smoothed, np.array(thresholds, np.float32), marks, threads)
    edges = marks if grey.dtype == np.uint8 else np.empty((height, width), grey.dtype)

    def settle(first: int, last: int) -> None:
        np.multiply(marks[first:last] == STRONG, grey.dtype.type(top), out=edges[first:last])

    bands.run_bands(settle, height, smoothed.band_rows, threads)
    return edges[..., None]


def gaussian_taps(sigma: float) -> NDArray[np.float32]:
    """The Gaussian of `sigma` pixels up to 4 sigma, of sum 1.

    >>> gaussian_taps(0.5).round(3).tolist()
    [0.0, 0.107, 0.786, 0.107, 0.0]
    """
    radius = int(REACH * sigma + 0.5)
    if not radius:
        return np.ones(1, np.float32)
    taps = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    return np.asarray(taps / taps.sum(), np.float32)
