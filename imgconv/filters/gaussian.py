"""A grey image smoothed by a Gaussian, a band of rows at a time."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from imgconv.arrays import Array
from imgconv.engine import compiled
from imgconv.filters.output_range import UNCHANGED
from imgconv.filters.weights import Taps
from imgconv.loops.filters import correlate_factors, correlate_product
from imgconv.windows.borders import Border, PaddedRows

REACH = 4  # of the Gaussian, in sigmas
ROUNDING = 48 * 2.0**-23  # twice the longest gradient of a flat image under any sigma, over its level (measured 2026-11-29)
LEAST_WEIGHT = 1e-9  # of valid cells, less than the least tap in a corner
IN_REGISTERS = range(3, 14)  # numbers of taps for which the sums of a pass stay in registers


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
