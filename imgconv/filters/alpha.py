"""Filters of pixels with alpha: colours are weighted by their alpha, and alpha is filtered with them."""

from collections.abc import Callable
from dataclasses import replace
from math import gcd
from typing import Any

import numpy as np

from imgconv.arrays import Array
from imgconv.engine.compiled import loop
from imgconv.filters.output_range import ROUND_FLOAT32, ROUND_FLOAT64, LoopParameters, to_values
from imgconv.filters.weights import FLOAT32_EXACT, Weights
from imgconv.loops.filters import divide_by_alpha, premultiply

TRANSFORM_ROUNDING = 1e-9  # of the sum of absolute taps: where no more alpha than that is under a kernel, there is none


def straight(pixels: Array, largest: float) -> Array:
    """Colours (..., C), the last of which is alpha, divided by the share of alpha in `largest`: float64, 0 where alpha is 0.

    >>> straight(np.array([[51, 102]], np.uint8), 255)
    array([[127.5, 102. ]])
    """
    values = pixels.astype(np.float64)
    colours, alpha = values[..., :-1], values[..., -1:]
    np.divide(colours * largest, alpha, out=colours, where=alpha > 0)
    return values


class AlphaFilter:
    """One kernel over premultiplied pixels of `channels` values, the last of which is alpha, up to `max_value`.

    `offset` is that of colours before the range, `added` that of the range. Alpha is filtered with the kernel scaled to sum 1, so that
    opaque stays opaque. `summed` is the dtype of premultiplied values; `transforms`: sums have the rounding of a transform.
    """

    def __init__(self, weights: Weights, summed: np.dtype[Any], channels: int, max_value: float, offset: float, *, transforms: bool):
        self._weights, self._summed, self._channels, self._max_value, self._offset = weights, summed, channels, max_value, offset
        self._total = float(weights.taps.sum())
        self._least = TRANSFORM_ROUNDING * max_value * float(np.abs(weights.taps).sum()) if transforms and not weights.exact else 0.0

    def parameters(self, dtype: np.dtype[Any], *, absolute: bool, added: float, largest: float) -> LoopParameters:
        """The parameters with which sums become a target of `dtype`, limited to 0 to `largest` where that is finite."""
        mirror, lowest = -1 if absolute else 1, 0 if largest < np.inf else -np.inf
        single = dtype.kind == "u" and self._rounds_exactly(self._offset + added)
        magic = 0.0 if dtype.kind == "f" else ROUND_FLOAT32 if single else ROUND_FLOAT64
        values = (1, self._offset + added, mirror, lowest, largest, magic)
        return LoopParameters(np.array(values, np.float32 if single else np.float64), 0)

    def premultiplied(self, source: Array) -> Array:
        """Rows of colours times alpha, and alpha."""
        rows = np.empty(source.shape, self._summed)
        loop(premultiply, channels=self._channels)(source, rows)
        return rows

    def scaled(self, source: Array) -> Array:
        """The same of rows whose colours are shares of `max_value` times alpha."""
        rows = source.astype(self._summed)
        alpha = rows[:, self._channels - 1 :: self._channels].copy()
        rows *= self._summed.type(self._max_value)
        rows[:, self._channels - 1 :: self._channels] = alpha
        return rows

    def fill(self, sums_of: Callable[[Array, LoopParameters], None], target: Array, parameters: LoopParameters) -> None:
        """Fill `target` from sums of premultiplied rows, with which `sums_of` fills an array."""
        values, length = parameters.values, target.shape[1]
        sums = np.empty(target.shape, values.dtype)
        sums_of(sums, to_values(replace(self._weights, divisor=1.0), 0, values.dtype))
        offsets = np.full(length, values[1], values.dtype)
        offsets[self._channels - 1 :: self._channels] = 0
        shares = np.array(self._shares(), values.dtype)
        loop(divide_by_alpha, channels=self._channels)(sums, shares, offsets, np.empty(length, values.dtype), values, target)

    def _shares(self) -> tuple[float, ...]:
        """Those of `divide_by_alpha`; a factor and a divisor that are whole have no common divisor."""
        size, divisor = abs(self._total), self._weights.divisor
        factor = size
        if size.is_integer() and divisor.is_integer():
            factor, divisor = (each / gcd(int(size), int(divisor)) for each in (size, divisor))
        sign = 1 if self._total > 0 else -1
        return sign, self._max_value * size, self._least, factor, divisor, size, -self._offset

    def _rounds_exactly(self, offset: float) -> bool:
        """Whether float32 rounds quotients of sums to the same pixel as exact arithmetic.

        Inexact sums have float32's rounding anyway. A quotient of whole numbers differs from a tie, which float32 represents, by at least
        1/(2*divisor).
        """
        if not self._weights.exact:
            return self._weights.accumulator == np.float32
        _, opaque, _, factor, divisor, _, _ = self._shares()
        largest = (self._max_value + 1 + 2 * abs(offset)) * (2 if offset else 1)
        whole = factor == divisor == 1 and offset.is_integer()
        return whole and self._weights.bound < FLOAT32_EXACT and opaque * largest <= FLOAT32_EXACT
