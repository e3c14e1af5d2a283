"""Reduce windows of any shape to their largest, smallest or average value by runs of cells, and any window to its deviation."""

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imgconv.arrays import AnyArray, Array
from imgconv.engine.compiled import loop
from imgconv.loops import pooling, shapes
from imgconv.loops.pooling import LARGEST, SMALLEST, SUM
from imgconv.window import Window
from imgconv.windows.blocks import Block, CellCounts, Fill, Taps, by_blocks, cell_counts, cells_of
from imgconv.windows.planes import Planes
from imgconv.windows.reduce import exact_types, identity_of

Program = tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]


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
        loop(shapes.deviations, masked=masked)(cells, exists, taps.rows, taps.columns, counts, means, squares, window.stride[0])
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
        loop(shapes.deviation_rows)(sums, squares, counts, target)

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
    """The runs of a window as the program of `loops.shapes.fold_runs`; any thread may call it."""

    def __init__(self, window: Window, channels: int, operation: int, dtype: np.dtype[Any]):
        self.identity = identity_of(operation, dtype)
        self._program = _program(window, channels, operation == SUM)
        self._loop, self._stride = loop(shapes.fold_runs, operation=operation), window.stride[0]

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
