"""Windows of any shape: sums, extremes and deviations of planes, block by block, in scratch that stays in the cache.

Cells that do not exist hold a filler, so that a loop over a block needs no case for the border; `CellCounts` counts those that do.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imgconv.arrays import AnyArray, Array
from imgconv.engine.compiled import loop
from imgconv.engine.parallel import run_bands
from imgconv.loops import pooling
from imgconv.loops.pooling import LARGEST, SMALLEST, SUM
from imgconv.window import Window
from imgconv.windows.planes import Planes
from imgconv.windows.reduce import exact_types, identity_of
from imgconv.windows.spans import Spans, starts

BLOCK_BYTES = 1 << 18  # of scratch, so that it stays in the second cache
WIDEST = 1 << 13  # values of a row of scratch
RUN = 256  # elements that wide instructions handle without a rest, which takes as long as a whole run
Program = tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]


@dataclass(frozen=True)
class Region:
    """Output rows first..last and output columns begin..end of every plane."""

    first: int
    last: int
    begin: int
    end: int


@dataclass(frozen=True)
class Block:
    """Output rows first..last and output columns begin..end of one plane; its rows of cells and of results have `spare` elements more."""

    plane: int
    first: int
    last: int
    begin: int
    end: int
    spare: int = 0


class Taps:
    """Where the cells of a window are in a block of interleaved pixels: `rows` and `columns` (elements) of every cell."""

    def __init__(self, window: Window, channels: int):
        runs, (down, across) = window.runs, window.dilation
        self.rows = np.array([row * down for row, _, count in runs for _ in range(count)], np.intp)
        columns = [first + cell for _, first, count in runs for cell in range(count)]
        self.columns = np.array(columns, np.intp) * (across * channels)


class CellCounts:
    """The number of cells of a plane of `size` under the window of each output.

    `whole_rows` and `whole_columns` (first, last) are the outputs whose windows lack no row, or no column.
    """

    def __init__(self, window: Window, size: tuple[int, int], channels: int = 1):
        height, width = window.kernel_size
        above = np.zeros((height + 1, width + 1), np.int32)  # cells of the window above and to the left of a corner
        for row, first, count in window.runs:
            above[row + 1, first + 1 : first + count + 1] += 1
        above = above.cumsum(0, np.int32).cumsum(1, np.int32)
        (top, bottom), (left, right) = (_tap_range(window, size, axis) for axis in (0, 1))
        is_new = np.append(True, (np.diff(top) != 0) | (np.diff(bottom) != 0))
        self._kinds = is_new.cumsum() - 1  # neighbouring rows are mostly alike
        bands = above[bottom[is_new]] - above[top[is_new]]
        self._counts = np.repeat(bands[:, right] - bands[:, left], channels, axis=1)
        self.cells, self._channels = window.cell_count, channels
        self.whole_rows, self.whole_columns = _whole(top, bottom, height), _whole(left, right, width)

    @property
    def fewest(self) -> int:
        """The smallest number under any window."""
        return int(self._counts.min())

    def of(self, block: Block, stride: int, length: int) -> NDArray[np.int32]:
        """The counts of a block with a column for each of the `length` elements of its `target`; a single row where all are alike."""
        kinds = self._kinds[block.first : block.last]
        kinds = kinds[:1] if (kinds == kinds[0]).all() else kinds
        counts = self._counts[kinds, block.begin * self._channels : block.end * self._channels]
        if stride > 1:
            pixels = np.repeat(counts.reshape(len(counts), -1, self._channels), stride, axis=1)
            counts = pixels.reshape(len(counts), -1)[:, :length]
        return np.pad(counts, ((0, 0), (0, length - counts.shape[1])), constant_values=1) if counts.shape[1] < length else counts


@lru_cache(32)  # images of a folder are often of one size
def cell_counts(window: Window, size: tuple[int, int], channels: int = 1) -> CellCounts:
    """The number of cells of a plane of `size` under the window of each output."""
    return CellCounts(window, size, channels)


def _tap_range(window: Window, size: tuple[int, int], axis: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The first tap of each window along `axis` that lies on the input, and the one after the last."""
    spans = Spans.of_window(window, size, axis)
    first = np.clip((spans.first - starts(window, size, axis)) // spans.step, 0, window.kernel_size[axis])
    return first, first + spans.count


def _whole(first: NDArray[np.intp], last: NDArray[np.intp], taps: int) -> tuple[int, int]:
    outputs = np.flatnonzero(last - first == taps)
    return (int(outputs[0]), int(outputs[-1]) + 1) if len(outputs) else (0, 0)


Fill = Callable[[AnyArray, AnyArray, Block], None]


def by_blocks(
    planes: Planes,
    window: Window,
    fill: Fill,
    out: AnyArray,
    regions: Sequence[Region] = (),
    *,
    filler: float,
    cells: np.dtype[Any],
    widest: int = WIDEST,
    least: int = 1,
    threads: int | None,
) -> None:
    """Fill `regions` of `out` (count, h_out, w_out, channels), by default all of it, with what `fill(cells, target, block)` writes.

    `fill` gets the cells under the windows of a block in the dtype `cells`, with `filler` for those that do not exist, in rows of about
    `widest` values.
    A block is at least `least` times as high as a window.
    `target` has a result for every column of the input and some to spare, of which those at the stride are used: rows of neighbours turn
    into wide instructions.
    """
    count, h_out, w_out, channels = out.shape
    (down, across), (height, width) = window.stride, window.span
    regions = regions or [Region(0, h_out, 0, w_out)]
    blocks = [
        Block(plane, first, min(first + rows, region.last), begin, min(begin + columns, region.end))
        for plane in range(count)
        for region in regions
        for columns in (max(min(widest // (channels * across), region.end - region.begin), 1),)
        for row_bytes in ((columns * across + width) * channels * cells.itemsize,)
        for rows in (max((BLOCK_BYTES // row_bytes - height) // down, least * height // down, 8),)
        for first in range(region.first, region.last, rows)
        for begin in range(region.begin, region.end, columns)
    ]

    def work(first: int, last: int) -> None:
        for block in blocks[first:last]:
            rows, columns = block.last - block.first, (block.end - block.begin - 1) * across + 1
            length = columns * channels
            wide = replace(block, spare=-length % RUN if length >= RUN else 0)
            target = np.empty((rows, length + wide.spare), out.dtype)
            fill(cells_of(planes, window, wide, filler, cells), target, wide)
            chosen = target[:, :length].reshape(rows, columns, channels)[:, ::across]
            out[block.plane, block.first : block.last, block.begin : block.end] = chosen

    run_bands(work, len(blocks), 1, threads)


def cells_of(planes: Planes, window: Window, block: Block, filler: float, dtype: np.dtype[Any]) -> AnyArray:
    """The cells under the windows of a block, with `filler` for those that do not exist."""
    (height, width), channels, ((top, _), (left, _)) = planes.size, planes.channels, window.pads(planes.size)
    y, x = block.first * window.stride[0] - top, block.begin * window.stride[1] - left
    rows = (block.last - block.first - 1) * window.stride[0] + window.span[0]
    columns = (block.end - block.begin - 1) * window.stride[1] + window.span[1]
    above, below = min(max(-y, 0), rows), min(max(height - y, 0), rows)
    before, after = (min(max(edge, 0), columns) * channels for edge in (-x, width - x))
    scratch = np.empty((rows, columns * channels + block.spare), dtype)
    scratch[:above], scratch[below:] = filler, filler
    scratch[above:below, :before], scratch[above:below, after:] = filler, filler
    if above < below and before < after:
        source = planes.rows[block.plane * height :]
        scratch[above:below, before:after] = source[y + above : y + below, x * channels + before : x * channels + after]
    return scratch


def shaped_extremes(planes: Planes, window: Window, *, largest: bool, threads: int | None = None) -> AnyArray:
    """The largest (or smallest) value of every window, (count * h_out, w_out * channels), of the planes' dtype."""
    operation, dtype = LARGEST if largest else SMALLEST, planes.rows.dtype
    fold = _Runs(window, planes.channels, operation, dtype)

    def fill(cells: AnyArray, target: AnyArray, block: Block) -> None:
        fold(cells, target)

    return _all_blocks(planes, window, fill, dtype, filler=fold.identity, cells=dtype, threads=threads)


def shaped_averages(planes: Planes, window: Window, threads: int | None = None, valid: Planes | None = None) -> AnyArray:
    """The average of the cells under every window, of the planes' dtype; whole numbers are rounded once, half to even.

    `valid` planes are 1 where a cell exists, and 0 where it does not, which must be 0.
    """
    dtype = planes.rows.dtype
    planes, accumulator, ratio = exact_types(planes, window.cell_count, window.kernel_size[0])
    fold, counted = _Runs(window, planes.channels, SUM, accumulator), counts_of(valid, planes, window)
    divide = loop(pooling.divide_rows, rounded=int(dtype.kind == "u"))

    def fill(cells: AnyArray, target: AnyArray, block: Block) -> None:
        sums = np.empty(target.shape, accumulator)
        fold(cells, sums)
        counts = counted.of(block, window.stride[1], target.shape[1]).astype(ratio)
        divide(sums.astype(ratio, copy=False), np.ones(len(sums), ratio), counts, target, len(sums))

    return _all_blocks(planes, window, fill, dtype, filler=0, cells=accumulator, threads=threads)


def deviations(planes: Planes, window: Window, threads: int | None = None, valid: Planes | None = None) -> AnyArray:
    """The standard deviation (of the whole population) of the cells under every window, in float64 and rounded to the planes' dtype.

    `valid` is as in `shaped_averages`.
    """
    if has_exact_deviations(window, planes.rows.dtype):
        return _exact_deviations(planes, window, threads, valid)
    dtype, taps, counted = planes.rows.dtype, Taps(window, planes.channels), counts_of(valid, planes, window)
    all_exist = valid is None and cell_counts(window, planes.size, planes.channels).fewest == window.cell_count
    existing = None if all_exist else valid or planes.with_rows(np.ones(planes.rows.shape, np.uint8))

    def fill(cells: AnyArray, target: AnyArray, block: Block) -> None:
        exists = cells[:1] if existing is None else cells_of(existing, window, block, 0, np.dtype(np.uint8))
        counts, means, squares = counted.of(block, window.stride[1], target.shape[1]), np.empty(target.shape), np.empty(target.shape)
        masked = int(bool((counts < window.cell_count).any()))
        loop(pooling.deviations, masked=masked)(cells, exists, taps.rows, taps.columns, counts, means, squares, window.stride[0])
        result = np.sqrt(squares / counts)
        target[:] = np.rint(result) if dtype.kind == "u" else result

    return _all_blocks(planes, window, fill, dtype, filler=0, cells=dtype, threads=threads)


def has_exact_deviations(window: Window, dtype: np.dtype[Any]) -> bool:
    """Whether deviations come from sums that are exact: those of a few whole numbers."""
    return dtype.kind == "u" and (window.cell_count * int(np.iinfo(dtype.char).max)) ** 2 < 1 << 53


def _exact_deviations(planes: Planes, window: Window, threads: int | None, valid: Planes | None) -> AnyArray:
    dtype, counted = planes.rows.dtype, counts_of(valid, planes, window)
    accumulator = np.promote_types(np.min_scalar_type(window.cell_count * int(np.iinfo(dtype.char).max) ** 2), np.uint32)
    fold = _Runs(window, planes.channels, SUM, accumulator)

    def fill(cells: AnyArray, target: AnyArray, block: Block) -> None:
        sums, squares = np.empty(target.shape, accumulator), np.empty(target.shape, accumulator)
        fold(cells, sums)
        fold(np.square(cells), squares)
        counts = counted.of(block, window.stride[1], target.shape[1]).astype(np.float64)
        loop(pooling.deviation_rows)(sums, squares, counts, target)

    return _all_blocks(planes, window, fill, dtype, filler=0, cells=accumulator, threads=threads)


def counts_of(valid: Planes | None, planes: Planes, window: Window) -> "CellCounts | ValidCounts":
    """The number of cells under the window of each output; with `valid` planes, of those that are 1."""
    return cell_counts(window, planes.size, planes.channels) if valid is None else ValidCounts(valid, window)


class ValidCounts:
    """The number of cells under the window of each output that are 1 in `valid` planes; at least 1, since sums are divided by it."""

    def __init__(self, valid: Planes, window: Window):
        _, self._dtype, _ = exact_types(valid, window.cell_count, window.kernel_size[0])
        self._valid, self._window, self._fold = valid, window, _Runs(window, valid.channels, SUM, self._dtype)

    def of(self, block: Block, stride: int, length: int) -> Array:
        """The counts of a block with a column for each of the `length` elements of its `target`, whatever the `stride`."""
        counts = np.empty((block.last - block.first, length), self._dtype)
        self._fold(cells_of(self._valid, self._window, block, 0, self._dtype), counts)
        return np.maximum(counts, 1)


def _all_blocks(planes: Planes, window: Window, fill: Fill, dtype: np.dtype[Any], **how: Any) -> AnyArray:
    (h_out, w_out), channels = window.output_size(planes.size), planes.channels
    out = np.empty((planes.count, h_out, w_out, channels), dtype)
    by_blocks(planes, window, fill, out, **how)
    return out.reshape(planes.count * h_out, w_out * channels)


class _Runs:
    """The runs of a window as the program of `loops.pooling.fold_runs`; any thread may call it."""

    def __init__(self, window: Window, channels: int, operation: int, dtype: np.dtype[Any]):
        self.identity = identity_of(operation, dtype)
        self._program = _program(window, channels, operation == SUM)
        self._loop, self._stride = loop(pooling.fold_runs, operation=operation), window.stride[0]

    def __call__(self, cells: AnyArray, target: AnyArray) -> None:
        """Fill `target` from the cells of a block."""
        target.fill(self.identity)
        identity = np.full((1, cells.shape[1]), self.identity, cells.dtype)
        self._loop(cells, np.empty((2, *cells.shape), cells.dtype), identity, *self._program, target, self._stride)


@lru_cache(64)  # images of a folder have one window
def _program(window: Window, channels: int, is_sum: bool) -> Program:
    """The lengths of runs in ascending order, the steps that lead from each to the next, and where the runs of each are."""
    across = window.dilation[1] * channels
    lengths: list[tuple[int, int, int, int]] = []
    growth: list[tuple[int, int, int, int]] = []
    runs: list[tuple[int, int]] = []
    have = 1
    for length in sorted({count for _, _, count in window.runs}):
        steps = _sum_steps(have, length) if is_sum else _extreme_steps(have, length)
        same = [(row * window.dilation[0], first * across) for row, first, count in window.runs if count == length]
        lengths.append((len(growth), len(growth) + len(steps), len(runs), len(runs) + len(same)))
        growth += [(restart, wide, shift * across, extra * across if extra >= 0 else -1) for restart, wide, shift, extra in steps]
        runs, have = runs + same, length
    return np.array(lengths, np.intp), np.array(growth or [(0, 0, 0, 0)], np.intp), np.array(runs, np.intp)


def _extreme_steps(have: int, length: int) -> list[tuple[int, int, int, int]]:
    """Longer runs of two that may overlap."""
    steps = []
    while have < length:
        shift = min(have, length - have)
        steps.append((0, 1, shift, -1))
        have += shift
    return steps


def _sum_steps(have: int, length: int) -> list[tuple[int, int, int, int]]:
    """One or two cells more, or for more than that runs of one cell that double, with or without another cell."""
    if length - have <= 2:
        return [(0, 0, have, have + 1 if length - have == 2 else -1)] if length > have else []
    have, steps = 1, []
    for bit in bin(length)[3:]:
        steps.append((int(have == 1), 1, have, 2 * have if bit == "1" else -1))
        have = 2 * have + int(bit)
    return steps
