"""Largest, smallest and average values of windows, band by band: the work behind every pool but the median.

Rows are folded first, into scratch rows that stay in cache, then columns. Padded cells hold the value that changes nothing, so they
never win and add nothing. This module checks nothing that a caller can get wrong.
"""

import numpy as np
from numpy.typing import NDArray

from imgconv.engine.bands import run_bands
from imgconv.engine.store import loop
from imgconv.functional.arrays import AnyArray
from imgconv.functional.planes import Planes
from imgconv.functional.spans import Spans
from imgconv.loops import pooling
from imgconv.loops.pooling import LARGEST, SMALLEST, SUM
from imgconv.window import Window

SCRATCH_BYTES = 1 << 20  # per band; on 2 cores larger bands gained little, smaller ones lost to the cost of a call (2026-11)
_TALL = 32  # more rows than this are summed in float64: one after the other, they would lose float32's last digits


class Fold:
    """One operation over one window on some planes; `band` may be called from any thread."""

    def __init__(self, planes: Planes, window: Window, operation: int, accumulator: np.dtype[np.generic]):
        self.planes, self.accumulator = planes, accumulator
        height, width = planes.size
        self.h_out, self.w_out = window.output_size((height, width))
        self.rows = Spans.of_window(window, (height, width), 0)
        self.left = window.pads((height, width))[1][0] * planes.channels
        self.stride = window.stride[1]
        self.width = max((self.w_out - 1) * self.stride + window.span[1], 0) * planes.channels
        self.width = max(self.width, self.left + planes.rows.shape[1])
        self.shifts, self.extras = _doublings(window.kernel_size[1], window.dilation[1] * planes.channels)
        self.no_row = np.full((1, planes.rows.shape[1]), neutral(operation, planes.rows.dtype), planes.rows.dtype)
        self.no_scratch = np.full((1, self.width), neutral(operation, accumulator), accumulator)
        self.fold_rows = loop(pooling.fold_rows, operation=operation)
        self.between = 1 if self.stride == 1 else planes.channels  # at stride 1 channels are as good as columns
        known = {"channels": _known(self.between), "stride": self.stride if self.stride <= 2 else 0}
        self.fold_columns = loop(pooling.fold_columns, operation=operation, **known)

    @property
    def output_shape(self) -> tuple[int, int]:
        """Stacked output rows and the elements of each."""
        return self.planes.count * self.h_out, self.w_out * self.planes.channels

    @property
    def rows_per_band(self) -> int:
        """Output rows whose scratch rows fill the cache."""
        return max(SCRATCH_BYTES // (self.width * self.accumulator.itemsize), 1)

    def band(self, first: int, last: int, target: AnyArray) -> None:
        """Fill `target` (last - first, w_out * channels) with stacked output rows first..last."""
        begin, count, _ = self.rows.stacked(first, last, self.planes.size[0])
        scratch = np.empty((last - first, self.width), self.accumulator)
        scratch[:, : self.left] = self.no_scratch[:, : self.left]
        right = self.left + self.planes.rows.shape[1]
        scratch[:, right:] = self.no_scratch[:, right:]
        self.fold_rows(self.planes.rows, begin, count, self.rows.step, self.no_row, scratch, self.left)
        passes = np.empty((2, self.width), self.accumulator)
        self.fold_columns(scratch, self.shifts, self.extras, self.no_scratch, passes, target, self.between, self.stride)


def extremes(planes: Planes, window: Window, *, largest: bool, threads: int | None = None) -> AnyArray:
    """The largest (or smallest) value of every window, (count * h_out, w_out * channels), of the planes' dtype."""
    fold = Fold(planes, window, LARGEST if largest else SMALLEST, planes.rows.dtype)
    out = np.empty(fold.output_shape, planes.rows.dtype)
    run_bands(lambda first, last: fold.band(first, last, out[first:last]), len(out), fold.rows_per_band, threads)
    return out


def averages(
    planes: Planes, window: Window, divisors: tuple[AnyArray, AnyArray], dtype: np.dtype[np.generic], threads: int | None = None
) -> AnyArray:
    """Sums of windows over heights[i] * widths[j], where `divisors` are (heights (h_out,), widths (w_out,)).

    For an integer `dtype` the exact quotient is rounded once, half to even; the rows are then unsigned.
    """
    touching = window.span == window.kernel_size == window.stride == (2, 2) and window.pads(planes.size) == ((0, 0), (0, 0))
    if touching and all((d == 2).all() for d in divisors) and dtype == planes.rows.dtype and (planes.count == 1 or planes.size[0] % 2 == 0):
        return _halved(planes, threads)
    taps = window.kernel_size[0] * window.kernel_size[1]
    planes, accumulator, ratio = _types(planes, taps, window.kernel_size[0])
    fold = Fold(planes, window, SUM, accumulator)
    heights = np.tile(divisors[0], planes.count).astype(ratio)
    widths = np.repeat(divisors[1], planes.channels).astype(ratio)
    out = np.empty(fold.output_shape, dtype)
    divide = loop(pooling.divide_rows, rounded=int(dtype.kind == "u"))

    def work(first: int, last: int) -> None:
        sums = np.empty((last - first, out.shape[1]), ratio)
        fold.band(first, last, sums)
        divide(sums, heights[first:last], widths, out[first:last])

    run_bands(work, len(out), fold.rows_per_band, threads)
    return out


def span_averages(planes: Planes, spans: tuple[Spans, Spans], divisors: tuple[AnyArray, AnyArray], dtype: np.dtype[np.generic]) -> AnyArray:
    """Sums, taken in float64, of the cells under each pair of spans over heights[i] * widths[j]; (count * h_out, w_out) of `dtype`.

    For windows of unequal size: adaptive averages, and the gradients of all averages. The planes have one channel.
    """
    planes, (rows, columns) = _summable(planes), spans
    heights, widths = np.tile(divisors[0], planes.count).astype(np.float64), divisors[1].astype(np.float64)
    out = np.empty((planes.count * len(rows.first), len(columns.first)), dtype)
    no_row = np.zeros((1, planes.rows.shape[1]), planes.rows.dtype)
    fold_rows, divide = loop(pooling.fold_rows, operation=SUM), loop(pooling.divide_rows, rounded=0)

    def work(first: int, last: int) -> None:
        top, count, _ = rows.stacked(first, last, planes.size[0])
        scratch, sums = np.empty((last - first, planes.size[1])), np.empty((out.shape[1], last - first))
        fold_rows(planes.rows, top, count, rows.step, no_row, scratch, 0)
        turned, no_column = np.ascontiguousarray(scratch.T), np.zeros((1, last - first))
        fold_rows(turned, columns.first, columns.count, columns.step, no_column, sums, 0)
        divide(np.ascontiguousarray(sums.T), heights[first:last], widths, out[first:last])

    run_bands(work, len(out), max(SCRATCH_BYTES // (8 * max(planes.size[1], 1)), 1))
    return out


def _halved(planes: Planes, threads: int | None) -> AnyArray:
    """Averages of 2x2 cells, in their own dtype; 2 to 4 times as fast as folds (2026-11). Only a single plane may have a row to spare."""
    (height, width), channels, dtype = planes.size, planes.channels, planes.rows.dtype
    out = np.empty((planes.count * (height // 2), width // 2 * channels), dtype)
    whole = dtype.kind == "u"
    sums = np.promote_types(np.uint16, np.min_scalar_type(4 * int(np.iinfo(dtype).max))) if whole else dtype  # type: ignore[type-var]
    halve = loop(pooling.halve, channels=_known(channels), rounded=int(whole))

    def work(first: int, last: int) -> None:
        scratch = np.empty((1, width * channels), sums)
        halve(planes.rows[2 * first : 2 * last], scratch, out[first:last], channels)

    run_bands(work, len(out), max(SCRATCH_BYTES // (2 * planes.rows.itemsize * width * channels), 1), threads)
    return out


def neutral(operation: int, dtype: np.dtype[np.generic]) -> float | int:
    """The value that changes nothing: 0 for a sum, the lowest for the largest value, the highest for the smallest.

    >>> neutral(SMALLEST, np.dtype(np.uint8))
    255
    """
    if operation == SUM:
        return 0
    if dtype.kind == "f":
        return -np.inf if operation == LARGEST else np.inf
    limits = np.iinfo(dtype)  # type: ignore[type-var]
    return int(limits.min if operation == LARGEST else limits.max)


def _types(planes: Planes, taps: int, tall: int) -> tuple[Planes, np.dtype[np.generic], np.dtype[np.generic]]:
    """Planes to sum over, the dtype that holds their sums of `taps` values, and the dtype of the division.

    Sums of 8- and 16-bit values are exact. A quotient rounds right when it lies farther from a half than the division's error:
    1 / (2 * taps) > most * 2**-24 in float32, where all sums below 2**24 are whole numbers too.
    """
    dtype = planes.rows.dtype
    if dtype.kind == "u" and dtype.itemsize <= 2:
        bound = int(np.iinfo(dtype).max) * taps  # type: ignore[type-var]
        ratio = np.dtype(np.float32 if bound < 1 << 23 else np.float64)
        return planes, np.promote_types(np.min_scalar_type(bound), np.uint16), ratio
    accumulator = np.dtype(np.float32 if dtype == np.float32 and tall <= _TALL else np.float64)
    return _summable(planes), accumulator, accumulator


def _summable(planes: Planes) -> Planes:
    """The planes in a floating type: sums of wide or signed integers could overflow."""
    return planes if planes.rows.dtype.kind == "f" else planes.with_rows(planes.rows.astype(np.float64))


def _known(channels: int) -> int:
    """Channels as a constant for the compiler, which gains 2 to 4 times from knowing them (2026-11); 0 for uncommon numbers."""
    return channels if channels <= 4 else 0


def _doublings(taps: int, apart: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """How a window of one cell grows to `taps` cells, for `fold_columns`: offsets in elements, -1 for none."""
    have, shifts, extras = 1, [], []
    for bit in bin(taps)[3:]:
        shifts.append(have * apart)
        extras.append(2 * have * apart if bit == "1" else -1)
        have = 2 * have + int(bit)
    return np.array(shifts or [-1], np.intp), np.array(extras or [-1], np.intp)
