"""Normalised convolution: the sums of a kernel over the valid cells of an image, each divided by the sum of the taps over valid cells."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np

from imgconv.arrays import Array
from imgconv.engine import compiled
from imgconv.filters.algorithms import Correlator, correlator
from imgconv.filters.output_range import LoopParameters, to_pixels, unchanged
from imgconv.filters.valid_cells import SHARE_ROUNDING, Valid, without_missing
from imgconv.filters.weights import FilterKernel, Taps, Weights, pads_of
from imgconv.loops.filters import normalise, normalise_singly
from imgconv.window import Window
from imgconv.windows.borders import Border, PaddedRows, Part

ROUNDING = 1e-7  # of the sum of absolute taps: a smaller sum of taps is 0 within the rounding of float32 weights
FOURIER_ROUNDING = 1e-9  # the same where no tap is negative: the rounding of transforms, which leave a rest of cells that are missing
NEAR_SHARE = 2.0**-4  # of the sum of absolute taps: the rounding of float32 sums is below 1e-5 of a larger sum


def is_zero_sum(taps: Taps) -> bool:
    """Whether the sum of a kernel's taps is 0 within rounding.

    >>> is_zero_sum(np.array([[-1.0, 0, 1]])), is_zero_sum(np.array([[-1.0, 3, -1]]))
    (True, False)
    """
    return abs(float(taps.sum())) <= ROUNDING * float(np.abs(taps).sum())


@dataclass(frozen=True)
class MissingCells:
    """Missing cells for `ImageFilter`: how the sums of each kernel are normalised (None: they are not), and the valid results so far.

    `valid` has the output rows that the filter makes, (rows, w_out, 1 or C).
    """

    normalisers: Sequence["Normaliser | None"]
    valid: Valid


@dataclass(frozen=True)
class Placed:
    """How a kernel moves over a part of an image: its window, the border around the image, and whether it is turned by 180 degrees."""

    window: Window
    border: Border
    flip: bool
    part: Part


class MaskRows:
    """The valid cells (rows, W, C) of a part of an image, padded as the image is for a kernel."""

    def __init__(self, valid: Valid, kernel: FilterKernel, placed: Placed):
        rows, width, channels = valid.shape
        one = Border(placed.border.mode, 1.0)  # what zeros and constant add is valid
        pads = pads_of(kernel, placed.window, (placed.part.height, width), flip=placed.flip)
        self._rows = PaddedRows(valid.reshape(rows, -1), pads, one, channels, **placed.part.keywords)
        self.window = placed.window
        self.channels, self._is_flat = channels, kernel.taps.ndim == 2

    def band(self, first: int, last: int) -> Array:
        """The padded rows under the windows of output rows first..last."""
        stride = self.window.stride[0]
        band: Array = self._rows.band(first * stride, (last - 1) * stride + self.window.span[0])
        return band

    def filled(
        self, correlator: Correlator, source: Array, channels: int, parameters: LoopParameters, dtype: np.dtype[Any] | None = None
    ) -> Array:
        """What `correlator` makes of padded rows of an image of `channels` or of its valid cells, in `dtype` or that of the parameters."""
        (down, across), span, stride = (len(source), source.shape[1] // channels), self.window.span, self.window.stride
        height, width = (down - span[0]) // stride[0] + 1, (across - span[1]) // stride[1] + 1
        target = np.empty((height, width * (channels if self._is_flat else 1)), dtype or parameters.values.dtype)
        correlator.fill(source, target, parameters)
        return target


class Normaliser:
    """Sums of one kernel over the valid cells of an image, each divided by the sum of the taps that are over valid cells.

    A band of rows and its part of the mask, a byte for each cell, go through the loop of the kernel one after the other, and both sums are
    divided while they are in the cache. Where a band has no missing cell, the sums are pixels at once: those of a window without missing
    cells are the same either way, to the last bit. `weights` and `correlator` are those of the sums. The image has `channels`, and its
    mask as many or one that they share.
    """

    def __init__(
        self, valid: Valid, kernel: FilterKernel, dtype: np.dtype[Any], placed: Placed, least: float, valid_out: Valid, channels: int
    ):
        window, self._channels = placed.window, channels
        weights = Weights.of(kernel, dtype, channels, flip=placed.flip)
        total, self._size, self._least = float(weights.taps.sum()), float(np.abs(weights.taps).sum()), least
        one_sign = abs(total) >= self._size * (1 - ROUNDING)
        precise = weights if one_sign or weights.exact else replace(weights, accumulator=np.dtype(np.float64))
        self.correlator = correlator(precise, window, channels)
        cancels = precise.accumulator != weights.accumulator and not self.correlator.transforms
        if cancels:  # few windows need the digits of float64
            self.correlator = correlator(weights, window, channels)
        else:
            weights = precise
        over_mask = weights.over_mask()
        self._mask_correlator = correlator(over_mask, window, valid.shape[2])
        self._is_stable = weights.exact or not self.correlator.transforms  # equal windows give equal sums
        self._sizes: Correlator | None = None  # where the weights are not the sums of absolute taps, or are rounded to float32
        if least > 0 and not (one_sign and weights.exact):
            sizes = replace(over_mask, taps=np.abs(weights.taps))
            sizes = sizes if weights.exact else replace(sizes, bound=np.inf, accumulator=np.dtype(np.float64))
            self._sizes, self._as_sizes = correlator(sizes, window, valid.shape[2]), unchanged(sizes)
        self._mask, self._first_row = MaskRows(valid, kernel, placed), placed.part.first
        self._valid_out = valid_out.reshape(len(valid_out), prod(valid_out.shape[1:]))
        self._as_sums = unchanged(weights), unchanged(over_mask)
        rounding = FOURIER_ROUNDING if one_sign else ROUNDING
        limit = 0.0 if weights.exact or (one_sign and not self.correlator.transforms) else rounding * self._size
        whole = self._whole_weight() if self._is_stable else total
        self._scale = np.array([whole, 0.0 if cancels else limit])
        bounds = np.array([NEAR_SHARE * self._size, whole, total, limit])
        self._singly = _Singly(weights, placed.window, channels, valid.shape[2], bounds) if cancels else None
        self._exact = replace(weights, bound=abs(total) * weights.bound, accumulator=np.dtype(np.float64)) if weights.exact else None
        # a quotient of exact sums has a rounding of its own
        self.weights = replace(weights, exact=False, accumulator=np.dtype(np.float64)) if weights.exact else weights

    def to_pixels(self, offset: float, largest: float, *, absolute: bool) -> LoopParameters:
        """The parameters for whole numbers, as `to_pixels`; a quotient of exact sums is one of whole numbers as far as both are small."""
        if self._exact is None:
            return to_pixels(self.weights, offset, largest, absolute=absolute)
        divisor = self._exact.divisor
        values, _ = to_pixels(replace(self._exact, divisor=divisor * self._size), offset, largest, absolute=absolute)
        values[0] = divisor
        return LoopParameters(values, int(divisor != 1))

    def fill(self, band: Callable[[], Array], target: Array, parameters: LoopParameters, first: int, last: int) -> None:
        """Fill `target` with rows first..last of sum(k*v) / sum(k) over the valid cells times sum(k), and record missing ones.

        `band()` gives the padded rows behind them.
        """
        mask = self._mask.band(first, last)
        if self._is_stable and mask.view(np.bool_).all():
            self.correlator.fill(band(), target, parameters)
            return
        source, valid_out = band(), self._valid_out[first - self._first_row : last - self._first_row]
        source = without_missing(source, mask, target=source if source.base is None else None)  # in the cache
        sums, weights = self._mask.filled(self.correlator, source, self._channels, self._as_sums[0]), self._over(mask)
        if self._least > 0:
            sizes = self._mask.filled(self._sizes, mask, self._mask.channels, self._as_sizes) if self._sizes else np.abs(weights)
            valid_out &= sizes >= (self._least - SHARE_ROUNDING) * self._size
        loop = compiled.loop(normalise, divided=parameters.divided, channels=sums.shape[1] // weights.shape[1])
        divisors = np.empty(sums.shape[1], parameters.values.dtype)
        loop(sums, weights, self._scale, divisors, parameters.values, target, valid_out)
        if self._singly:
            self._singly.fill(source, mask, weights, target, parameters, valid_out)

    def _over(self, mask: Array) -> Array:
        return self._mask.filled(self._mask_correlator, mask, self._mask.channels, self._as_sums[1])

    def _whole_weight(self) -> float:
        """The weight of a window without missing cells, as the correlator rounds it."""
        down, across = self._mask.window.span
        return float(self._over(np.ones((down, across * self._mask.channels), np.uint8))[0, 0])


class _Singly:
    """A kernel whose taps have both signs, over windows one at a time; see `imgconv.loops.filters.normalise_singly`."""

    def __init__(self, weights: Weights, window: Window, channels: int, mask_channels: int, bounds: Array):
        taps: Array = weights.taps if weights.taps.ndim == 3 else weights.taps[None]
        used = (taps != 0) | (not weights.finite)  # a tap of 0 matters where a value may be NaN or infinite
        channel, row, column = np.nonzero(used)
        rows, columns = row * window.dilation[0], column * window.dilation[1]
        self._positions = np.stack([rows, columns * channels + channel, columns * mask_channels + channel])
        across, apart = window.stride[1], mask_channels if weights.taps.ndim == 2 else 1
        self._taps, self._bounds, self._stride = taps[used], bounds, window.stride[0]
        self._steps = np.array([across * channels, across * mask_channels, apart])

    def fill(self, source: Array, mask: Array, weights: Array, target: Array, parameters: LoopParameters, valid: Valid) -> None:
        """Fill the results whose weights are near 0, and record missing ones."""
        loop, chosen = compiled.loop(normalise_singly, channels=target.shape[1] // weights.shape[1]), np.empty(weights.shape[1], np.intp)
        where = self._positions, self._taps, self._stride, self._steps
        loop(source, mask, *where, weights, self._bounds, chosen, parameters.values, target, valid)
