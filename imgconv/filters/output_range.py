"""From sums to pixels: divisor, offset, range and rounding. And several maps combined into one."""

from collections.abc import Sequence
from dataclasses import replace
from functools import reduce
from typing import Any, NamedTuple, assert_never

import numpy as np

from imgconv.arrays import AnyArray, Array
from imgconv.filters.color import level_scale, max_value_of
from imgconv.filters.weights import FLOAT32_EXACT, Weights
from imgconv.modes import CombineMode, Range

ROUND_FLOAT32, ROUND_FLOAT64 = 1.5 * 2**23, 1.5 * 2**52  # a number plus this minus this is rounded to a whole one, half to even
UNCHANGED = (1, 0, 1, -np.inf, np.inf, 0)  # parameters of the loops that leave sums as they are, see imgconv.loops.filters
_BAND = 1 << 18  # values that become pixels at a time
SUM_LIMITS = {np.dtype(np.int16): 2**15, np.dtype(np.int32): 2**31}


class Stretch(NamedTuple):
    """A linear map: (value - low) * factor / divisor."""

    low: float
    factor: float
    divisor: float


def with_range(values: Array, range: Range, dtype: np.dtype[Any], stretch: Stretch | None = None) -> Array:
    """`values` with a range applied, in levels of images of `dtype`; neither clipped nor rounded. `minmax` needs a `stretch`."""
    absolute, added, _ = range.arithmetic
    kind = values.dtype.type
    if absolute:
        values = np.abs(values)
    if added:
        values = values + kind(added * level_scale(dtype))
    if stretch:
        values = (values - kind(stretch.low)) * kind(stretch.factor) / kind(stretch.divisor)
    return values


def rounded(values: Array, dtype: np.dtype[Any]) -> Array:
    """`values`, changed in place, rounded half to even and clipped to the whole numbers of `dtype`; NaN becomes 0."""
    return np.rint(clipped(values, max_value_of(dtype)), out=values)


def clipped(values: Array, largest: float) -> Array:
    """`values`, changed in place, from 0 to `largest`; NaN becomes 0."""
    np.fmax(values, 0, out=values)
    return np.minimum(values, largest, out=values)


def map_to_pixels(
    values: Array, range: Range, dtype: np.dtype[Any], *, unrounded: bool = False, extremes: tuple[float, float] | None = None
) -> Array:
    """A map (H, W, C) float32 as pixels of `dtype`; as float32 values if `unrounded` or the range holds floats.

    `minmax` stretches from the smallest to the largest finite value, so that a map of one value is black: those of `extremes`, for some
    rows of a map, or its own.

    >>> map_to_pixels(np.array([[[-2.0], [0.0], [2.0]]], np.float32), Range.minmax, np.dtype("uint8")).ravel()
    array([  0, 128, 255], dtype=uint8)
    """
    stretch = None
    if range.arithmetic.stretched:
        low, high = extremes or finite_extremes(values) or (0.0, 0.0)
        stretch = Stretch(low, max_value_of(dtype) / ((high - low) or 1.0), 1.0)
    kind = np.dtype(np.float32) if unrounded or range.floats else dtype
    if range.floats:
        return np.ascontiguousarray(values, dtype=kind)
    pixels = np.empty(values.shape, kind)
    rows = max(1, _BAND // max(values[:1].size, 1))
    for first in np.arange(0, len(values), rows):
        pixels[first : first + rows] = _levels(values[first : first + rows], range, dtype, stretch, is_rounded=kind.kind == "u")
    return pixels


def _levels(values: Array, range: Range, dtype: np.dtype[Any], stretch: Stretch | None, *, is_rounded: bool) -> Array:
    """Return some rows of a map in levels of `dtype`."""
    levels = with_range(values.astype(np.float64) if stretch else values, range, dtype, stretch)
    if is_rounded:
        return rounded(levels.copy() if levels is values else levels, dtype)
    return np.clip(levels, 0, max_value_of(dtype)) if dtype.kind == "u" and range.bounded else levels


def finite_extremes(values: Array) -> tuple[float, float] | None:
    """The lowest and highest finite value; None without one."""
    with np.errstate(invalid="ignore"):
        extremes = (float(values.min()), float(values.max())) if values.size else (np.nan, np.nan)
    if np.isfinite(extremes).all():
        return extremes
    finite = values[np.isfinite(values)]
    return (float(finite.min()), float(finite.max())) if finite.size else None


class LoopParameters(NamedTuple):
    """`values` (divisor, offset, mirror, lowest, largest, magic) as the loops of `imgconv.loops.filters` take them.

    `divided` is 1 where the divisor is not 1.
    """

    values: AnyArray
    divided: int


def to_pixels(weights: Weights, offset: float, largest: float, *, absolute: bool) -> LoopParameters:
    """Parameters for whole numbers from 0 to `largest`: sums are divided, `offset` is added, and the result is rounded once."""
    mirror = -1 if absolute else 1
    limit = SUM_LIMITS.get(weights.accumulator, 0)
    if weights.divisor == 1 and float(offset).is_integer() and weights.bound + abs(offset) < limit:
        return LoopParameters(np.array([1, offset, mirror, 0, min(largest, limit - 1), 0], weights.accumulator), 0)
    if _float32_rounds_exactly(weights, offset, largest):
        return _parameters(weights, np.float32, offset, (mirror, 0, largest, ROUND_FLOAT32))
    return _parameters(weights, np.float64, offset, (mirror, 0, largest, ROUND_FLOAT64))


def to_values(weights: Weights, offset: float, dtype: np.dtype[Any], *, absolute: bool = False, largest: float = np.inf) -> LoopParameters:
    """Parameters for unrounded values of the floating type `dtype`, clipped to 0 to `largest` where that is finite."""
    return _parameters(weights, dtype, offset, (-1 if absolute else 1, 0 if largest < np.inf else -np.inf, largest, 0))


def unchanged(weights: Weights) -> LoopParameters:
    """Parameters that leave sums as they are, in the smallest type for them that has loops."""
    if weights.accumulator == np.int16:
        limits = np.iinfo(np.int16)
        return LoopParameters(np.array([1, 0, 1, limits.min, limits.max, 0], np.int16), 0)
    is_short = weights.accumulator == np.float32 or (weights.exact and weights.bound < FLOAT32_EXACT)
    return to_values(replace(weights, divisor=1.0), 0, np.dtype(np.float32 if is_short else np.float64))


def _parameters(weights: Weights, dtype: Any, offset: float, rest: tuple[float, float, float, float]) -> LoopParameters:
    return LoopParameters(np.array([weights.divisor, offset, *rest], dtype), int(weights.divisor != 1))


def _float32_rounds_exactly(weights: Weights, offset: float, largest: float) -> bool:
    """Whether float32 rounds sum/divisor + offset to the same pixel as exact arithmetic.

    Inexact sums have float32's rounding anyway. Quotients of whole numbers differ from a tie by at least 1/(2*divisor), or are ties
    that float32 represents.
    """
    if not weights.exact:
        return weights.accumulator == np.float32
    whole = weights.divisor.is_integer() and float(offset).is_integer()
    return whole and weights.bound < FLOAT32_EXACT and abs(weights.divisor) * (largest + 1 + 2 * abs(offset)) < FLOAT32_EXACT / 2


class Combination(NamedTuple):
    """How the maps of several kernels become one; `projection` is on the space of the first `subspace` kernels."""

    mode: CombineMode = CombineMode.none
    subspace: int = 0

    def largest(self, bound: float, count: int) -> float:
        """The largest intermediate number when `count` values of at most `bound` are combined."""
        match self.mode:
            case CombineMode.none | CombineMode.max | CombineMode.sum:
                return bound * count
            case CombineMode.hypot:
                return bound**2 * count
            case CombineMode.projection:
                return np.inf
            case _:
                assert_never(self.mode)


def combine(maps: Sequence[Array], combination: Combination, largest: float) -> Array:
    """One map from several of one shape, whose memory may be reused.

    `projection` gives `largest` * sqrt(sum of the first `subspace` squares / sum of all), 0 where all are 0 (Frei and Chen 1977).
    """
    mode = combination.mode
    match mode:
        case CombineMode.none:
            return maps[0]
        case CombineMode.max | CombineMode.sum:
            join = np.maximum if mode is CombineMode.max else np.add
            return reduce(lambda total, m: join(total, np.abs(m, out=m), out=total), maps[1:], np.abs(maps[0], out=maps[0]))
        case CombineMode.hypot | CombineMode.projection:
            squares = [np.square(m, out=m) for m in maps]
            inside = reduce(np.add, squares[: combination.subspace], np.zeros_like(squares[0]))
            whole = reduce(lambda total, m: np.add(total, m, out=total), squares[1:], squares[0])
            if mode is CombineMode.hypot:
                return np.sqrt(whole, out=whole)
            return largest * np.sqrt(np.divide(inside, whole, out=np.zeros_like(whole), where=whole > 0))
        case _:
            assert_never(mode)
