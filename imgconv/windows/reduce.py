"""Reduce windows to their largest, smallest or average value, band by band, with or without the position of the value.

Windows are reduced down the columns first, into scratch rows that stay in the cache, and then along the rows. Padded cells hold the
identity of the reduction. Arguments are not checked here.
"""

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from imgconv.arrays import AnyArray
from imgconv.engine.compiled import loop
from imgconv.engine.parallel import default_threads, run_bands
from imgconv.loops import pooling
from imgconv.loops.pooling import LARGEST, SMALLEST, SUM, extreme_cells
from imgconv.window import Window
from imgconv.windows.planes import Planes, Strip, by_strips
from imgconv.windows.spans import Spans, fewest_cells

ReductionAlgorithm = Literal["separable", "2x2 blocks"]
SCRATCH_BYTES = 1 << 20  # per band of sums or results; smaller ones lost to the cost of a call (2026-11)
STRIP_BYTES, STRIP_LEAST = 1 << 16, 1 << 14  # of the rows that make a row of a strip, and of one of them (2026-11)
BAND_BYTES = 1 << 18  # of an image that are worth handing to another thread
JOBS = 2  # for each core at work, each with scratch of its own
STRIP_CELLS = 1 << 18  # of a strip of `span_averages`
_TALL = 32  # more rows than this are summed in float64: one after the other, they would lose float32's last digits
Fill = Callable[[int, int], None]  # fills output rows first..last


class Fold:
    """One reduction over one window on some planes; any thread may call `fill`, with scratch of its own."""

    def __init__(self, planes: Planes, window: Window, operation: int, accumulator: np.dtype[Any]):
        self._planes, self.accumulator = planes, accumulator
        size, self._stride = planes.size, window.stride[1]
        h_out, w_out = window.output_size(size)
        self.output_shape = planes.count * h_out, w_out * planes.channels
        self._first, self._count = Spans.of_window(window, size, 0).all_stacked(planes.count, size[0])
        self._step, self._left = window.dilation[0], window.pads(size)[1][0] * planes.channels
        between = 1 if self._stride == 1 else planes.channels  # at stride 1 channels are as good as columns
        self._span = 1 + (window.span[1] - 1) * planes.channels // between
        strip = max(max(STRIP_BYTES // (window.kernel_size[0] + 3), STRIP_LEAST) // accumulator.itemsize, 2 * self._span * between)
        width = min(strip, ((w_out - 1) * self._stride + window.span[1]) * planes.channels)
        self._doublings = _doublings(window.kernel_size[1], window.dilation[1] * planes.channels)
        self._source_identity = np.full((1, width), identity_of(operation, planes.rows.dtype), planes.rows.dtype)
        self._identity = np.full((1, width), identity_of(operation, accumulator), accumulator)
        self._between = between
        straight = int(self._stride == 1)
        self._fold = loop(pooling.fold_windows, operation=operation, channels=_known(self._between), straight=straight)

    def rows_of(self, size: int) -> int:
        """Output rows that have `size` bytes, at least one."""
        return max(size // (self.accumulator.itemsize * self.output_shape[1]), 1)

    def scratch(self) -> AnyArray:
        """Scratch for two rows at a time: what was folded for each, every other pass along them, and windows before their stride."""
        return np.repeat(self._identity, 5, axis=0)

    def fill(self, first: int, last: int, scratch: AnyArray, target: AnyArray) -> None:
        """Fill `target` (last - first or more, w_out * channels) with stacked output rows first..last, a band or less."""
        rows = self._planes.rows, self._first[first:], self._count[first:], self._step, self._source_identity
        self._fold(
            *rows, self._left, self._span, *self._doublings, self._identity, scratch, target, self._between, self._stride, last - first
        )


def extremes(planes: Planes, window: Window, *, largest: bool, threads: int | None = None) -> AnyArray:
    """The largest (or smallest) value of every window, (count * h_out, w_out * channels), of the planes' dtype."""
    fold = Fold(planes, window, LARGEST if largest else SMALLEST, planes.rows.dtype)
    out = np.empty(fold.output_shape, planes.rows.dtype)

    def worker() -> Fill:
        scratch = fold.scratch()
        return lambda first, last: fold.fill(first, last, scratch, out[first:])

    threads = threads or default_threads()
    _run(worker, len(out), max(-(-len(out) // (JOBS * threads)), fold.rows_of(SCRATCH_BYTES)), threads)
    return out


def averages(
    planes: Planes, window: Window, divisors: tuple[AnyArray, AnyArray] | None, dtype: np.dtype[Any], threads: int | None = None
) -> AnyArray:
    """Sums of windows over heights[i] * widths[j], where `divisors` are (heights (h_out,), widths (w_out,)): by default the cells seen.

    For an integer `dtype` the exact quotient is rounded once, half to even; the rows are then unsigned.
    """
    plain = dtype == planes.rows.dtype and (divisors is None or all((d == 2).all() for d in divisors))
    if plain and average_algorithm(window, planes.size, planes.count) == "2x2 blocks":
        return _halved(planes, threads)

    def of_strip(cells: Planes, strip: Strip) -> AnyArray:
        narrow = divisors and (divisors[0], divisors[1][strip.first : strip.last])
        return averages(cells, strip.window, narrow, dtype, threads)

    whole = by_strips(planes, window, of_strip)
    if whole is not None:
        return whole
    divisors = divisors or (Spans.of_window(window, planes.size, 0).count, Spans.of_window(window, planes.size, 1).count)
    planes, accumulator, ratio = exact_types(planes, window.kernel_size[0] * window.kernel_size[1], window.kernel_size[0])
    fold = Fold(planes, window, SUM, accumulator)
    heights = np.tile(divisors[0], planes.count).astype(ratio)
    widths = np.repeat(divisors[1], planes.channels).astype(ratio)[None]
    out, band = np.empty(fold.output_shape, dtype), max(min(fold.rows_of(SCRATCH_BYTES), fold.output_shape[0]), 1)
    divide = loop(pooling.divide_rows, rounded=int(dtype.kind == "u"))

    def worker() -> Fill:
        scratch, sums = fold.scratch(), np.empty((band, out.shape[1]), ratio)

        def fill(first: int, last: int) -> None:
            fold.fill(first, last, scratch, sums)
            divide(sums, heights[first:], widths, out[first:], last - first)

        return fill

    _run(worker, len(out), band, threads)
    return out


def valid_averages(planes: Planes, valid: Planes, window: Window, threads: int | None = None) -> tuple[AnyArray, AnyArray]:
    """The averages of the valid cells of every window, of the planes' dtype, and 1 for windows with such a cell, 0 for others.

    `valid` planes are 1 where a cell is valid, and 0 where it is not and must be 0. Whole numbers are rounded as by `averages`.
    """
    dtype, taps = planes.rows.dtype, window.kernel_size[0] * window.kernel_size[1]
    planes, accumulator, ratio = exact_types(planes, taps, window.kernel_size[0])
    fold, counted = Fold(planes, window, SUM, accumulator), Fold(valid, window, SUM, np.min_scalar_type(taps))
    out, known = np.empty(fold.output_shape, dtype), np.empty(fold.output_shape, np.uint8)
    divide = loop(pooling.divide_valid_rows, rounded=int(dtype.kind == "u"))
    band, one = max(min(fold.rows_of(SCRATCH_BYTES), len(out)), 1), np.ones(1, ratio)

    def worker() -> Fill:
        scratches = fold.scratch(), counted.scratch()
        sums, counts = (np.empty((band, out.shape[1]), kind) for kind in (accumulator, counted.accumulator))

        def fill(first: int, last: int) -> None:
            fold.fill(first, last, scratches[0], sums)
            counted.fill(first, last, scratches[1], counts)
            divide(sums, counts, one, out[first:], known[first:], last - first)

        return fill

    _run(worker, len(out), band, threads)
    return out, known


def average_algorithm(window: Window, size: tuple[int, int], count: int = 1) -> ReductionAlgorithm:
    """The algorithm of `averages` for `count` planes of `size`, whose type the averages have, divided by the cells seen.

    >>> average_algorithm(Window.of(2, stride=2), (4, 5)), average_algorithm(Window.of(3, stride=2), (4, 5))
    ('2x2 blocks', 'separable')
    """
    adjacent = window.span == window.kernel_size == window.stride == (2, 2) and (count == 1 or size[0] % 2 == 0)
    return "2x2 blocks" if adjacent and all(fewest_cells(window, size, axis) == 2 for axis in (0, 1)) else "separable"


def _run(worker: Callable[[], Fill], rows: int, rows_per_band: int, threads: int | None) -> None:
    """Fill `rows` rows band by band. Every job has a worker, with scratch of its own, and a share of the bands."""
    bands = [(first, min(first + rows_per_band, rows)) for first in range(0, rows, rows_per_band)]
    jobs = min(len(bands), JOBS * min(threads or default_threads(), default_threads()))

    def work(first: int, last: int) -> None:
        for number in range(first, last):
            fill = worker()
            for band in bands[len(bands) * number // jobs : len(bands) * (number + 1) // jobs]:
                fill(*band)

    run_bands(work, jobs, 1, threads)


def span_averages(planes: Planes, spans: tuple[Spans, Spans], divisors: tuple[AnyArray, AnyArray], dtype: np.dtype[Any]) -> AnyArray:
    """Sums, taken in float64, of the cells under each pair of spans over heights[i] * widths[j]; (count * h_out, w_out) of `dtype`.

    For windows of unequal size: adaptive averages, and the gradients of all averages. The planes have one channel.
    """
    rows, columns = spans
    outputs = max(STRIP_CELLS * len(columns.first) // max(planes.rows.size, 1), 1)  # columns of a strip
    if planes.size[1] <= STRIP_CELLS or outputs >= len(columns.first):
        return _span_averages(planes, spans, divisors, dtype)
    strips = []
    for first in range(0, len(columns.first), outputs):
        begin, cells = columns.first[first : first + outputs], columns.count[first : first + outputs]
        low, high = int(begin.min()), int((begin + cells * columns.step).max())
        strip = np.ascontiguousarray(planes.rows[:, low:high])
        part = Planes(strip, planes.count, (planes.size[0], strip.shape[1]))
        narrow = rows, Spans(begin - low, cells, columns.step)
        strips.append(_span_averages(part, narrow, (divisors[0], divisors[1][first : first + outputs]), dtype))
    return np.concatenate(strips, axis=1)


def _span_averages(planes: Planes, spans: tuple[Spans, Spans], divisors: tuple[AnyArray, AnyArray], dtype: np.dtype[Any]) -> AnyArray:
    planes, (rows, columns) = _summable(planes), spans
    heights, widths = np.tile(divisors[0], planes.count).astype(np.float64), divisors[1].astype(np.float64)
    out = np.empty((planes.count * len(rows.first), len(columns.first)), dtype)
    zero_row = np.zeros((1, planes.rows.shape[1]), planes.rows.dtype)
    fold_rows, divide = loop(pooling.fold_rows, operation=SUM), loop(pooling.divide_rows, rounded=0)

    def work(first: int, last: int) -> None:
        top, count, _ = rows.stacked(first, last, planes.size[0])
        scratch, sums = np.empty((last - first, planes.size[1])), np.empty((out.shape[1], last - first))
        fold_rows(planes.rows, top, count, rows.step, zero_row, scratch)
        turned, zero_column = np.ascontiguousarray(scratch.T), np.zeros((1, last - first))
        fold_rows(turned, columns.first, columns.count, columns.step, zero_column, sums)
        divide(np.ascontiguousarray(sums.T), heights[first:last], widths[None], out[first:last], last - first)

    run_bands(work, len(out), max(SCRATCH_BYTES // (8 * max(planes.size[1], 1)), 1))
    return out


def _halved(planes: Planes, threads: int | None) -> AnyArray:
    """Averages of 2x2 cells, in their own dtype; 2 to 4 times as fast as rows and then columns (2026-11).

    Only a single plane may have a row to spare.
    """
    (height, width), channels, dtype = planes.size, planes.channels, planes.rows.dtype
    out = np.empty((planes.count * (height // 2), width // 2 * channels), dtype)
    worker = _pairs(planes, out) if (channels, width % 2, dtype.kind) == (1, 0, "u") else _fours(planes, out)
    threads, row = threads or default_threads(), 2 * planes.rows.itemsize * width * channels
    _run(worker, len(out), max(-(-len(out) // (JOBS * threads)), BAND_BYTES // row, 1), threads)
    return out


def _pairs(planes: Planes, out: AnyArray) -> Callable[[], Fill]:
    """The workers for 2x2 averages of whole numbers on one channel, two of which are read as one number of twice the size."""
    halve = loop(pooling.halve_pairs, bits=8 * out.itemsize)
    rows = planes.rows.view(f"u{2 * out.itemsize}")
    return lambda: lambda first, last: halve(rows[2 * first :], out[first:], last - first)


def _fours(planes: Planes, out: AnyArray) -> Callable[[], Fill]:
    """The workers for all other 2x2 averages."""
    dtype, is_whole = out.dtype, out.dtype.kind == "u"
    sums = np.promote_types(np.uint16, np.min_scalar_type(4 * int(np.iinfo(dtype.char).max))) if is_whole else dtype
    halve = loop(pooling.halve, channels=_known(planes.channels), rounded=int(is_whole))

    def worker() -> Fill:
        scratch = np.empty((1, planes.rows.shape[1]), sums)
        return lambda first, last: halve(planes.rows[2 * first :], scratch, out[first:], planes.channels, last - first)

    return worker


def identity_of(operation: int, dtype: np.dtype[Any]) -> float | int:
    """Return the identity of a reduction: 0 for a sum, the lowest value for the largest, the highest value for the smallest.

    >>> identity_of(SMALLEST, np.dtype(np.uint8))
    255
    """
    if operation == SUM:
        return 0
    if dtype.kind == "f":
        return -np.inf if operation == LARGEST else np.inf
    limits = np.iinfo(dtype.char)
    return int(limits.min if operation == LARGEST else limits.max)


def exact_types(planes: Planes, taps: int, tall: int) -> tuple[Planes, np.dtype[Any], np.dtype[Any]]:
    """Planes to sum over, the dtype that holds their sums of `taps` values, and the dtype of the division.

    Sums of 8- and 16-bit values are exact. A quotient rounds right when it lies farther from a half than the division's error:
    1 / (2 * taps) > most * 2**-24 in float32, where all sums below 2**24 are whole numbers too.
    """
    dtype = planes.rows.dtype
    if dtype.kind == "u" and dtype.itemsize <= 2:
        bound = int(np.iinfo(dtype.char).max) * taps
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
    """How a window of one cell grows to `taps` cells, for `fold_windows`: offsets in elements, -1 for none."""
    have, shifts, extras = 1, [], []
    for bit in bin(taps)[3:]:
        shifts.append(have * apart)
        extras.append(2 * have * apart if bit == "1" else -1)
        have = 2 * have + int(bit)
    return np.array(shifts or [-1], np.intp), np.array(extras or [-1], np.intp)


_BAND_CELLS = 1 << 16


def located_extremes(planes: Planes, spans: tuple[Spans, Spans], *, largest: bool) -> tuple[AnyArray, NDArray[np.int64]]:
    """The largest (or smallest) value of the cells that each pair of spans sees, and its index in its plane.

    Both are (count * h_out, w_out). A window that sees no cell gives the lowest (highest) value and the index -1.
    """
    rows, columns = spans
    shape = planes.count * len(rows.first), len(columns.first)
    identity = identity_of(LARGEST if largest else SMALLEST, planes.rows.dtype)
    out, indices = np.full(shape, identity, planes.rows.dtype), np.full(shape, -1, np.int64)
    find = loop(extreme_cells, largest=int(largest))

    def work(first: int, last: int) -> None:
        top, count, plane = rows.stacked(first, last, planes.size[0])
        across = (columns.first, columns.count, columns.step)
        find(planes.rows, top, count, rows.step, plane, *across, out[first:last], indices[first:last])

    run_bands(work, len(out), _BAND_CELLS // max(shape[1], 1))
    return out, indices
