"""Sums over any taps of padded rows, in tiles of rows whose sums stay in registers."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from imgconv.arrays import Array
from imgconv.engine.compiled import loop
from imgconv.engine.tiles import rows_of
from imgconv.filters.output_range import LoopParameters
from imgconv.loops.filters import correlate_tiles

STRIP = 1024  # elements of a row of sums; strips of 512 and of 2048 take as long (2026-11)
CELLS = 2**16  # in a strip: half of a common second-level cache, in float32
SPARE = 16  # elements after a row, so that rows of powers of two do not share sets of the first-level cache


class TapSums:
    """Sums of `weights` (T,) times the values under taps in `rows` (T,), for windows whose first rows are `stride` apart."""

    def __init__(self, rows: NDArray[np.intp], weights: NDArray[Any], stride: int = 1):
        self._rows, self._weights, self._stride = rows, weights, stride

    def fill(self, source: Array, columns: NDArray[np.intp], target: Array, parameters: LoopParameters, left: int = 0) -> None:
        """Fill `target` (R, S) from its element `left` on, from taps at elements `columns` (T,) of the rows of `source`."""
        kind, stride, reach = self._weights.dtype, self._stride, int(columns.max())
        span = len(source) - (len(target) - 1) * stride
        tile = rows_of(kind.itemsize, single=len(source) == 1)  # a signal
        strip = _multiple(min(max(STRIP, 4 * reach), target.shape[1]), tile.width)
        apart = strip + _multiple(reach, tile.width) + SPARE
        most = max(CELLS // apart // stride, span // stride, tile.outputs)
        rows = (_multiple(min(len(target), most), tile.outputs) - 1) * stride + span
        cells, sums = np.empty(rows * apart, kind), np.empty(tile.outputs * strip, kind)
        taps, runs = tap_runs(self._rows, columns, stride, apart)
        fill = loop(correlate_tiles, height=tile.outputs, width=tile.width, divided=parameters.divided)
        fill(source, taps, runs, self._weights, cells, apart, reach, sums, parameters.values, target, stride, left)


def tap_runs(rows: NDArray[np.intp], columns: NDArray[np.intp], stride: int, apart: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Taps as runs of up to three in a column whose rows are `stride` apart, in rows of `apart` cells; see `row_sums`.

    >>> tap_runs(np.array([0, 1, 0]), np.array([0, 0, 1]), stride=1, apart=100)
    (array([[0, 0, 1, 0],
           [1, 2, 0, 0]]), array([0, 1, 2]))
    """
    numbers = {place: number for number, place in enumerate(zip(columns.tolist(), rows.tolist(), strict=True))}
    runs: dict[int, list[list[int]]] = {3: [], 2: [], 1: []}
    for column, row in sorted(numbers):
        run: list[int] = []
        while len(run) < 3 and (column, row + len(run) * stride) in numbers:
            run.append(numbers.pop((column, row + len(run) * stride)))
        if run:
            runs[len(run)].append([row * apart + column, *run, *[0] * (3 - len(run))])
    entries = [entry for kind in runs.values() for entry in kind]
    return np.array(entries, np.int64), np.cumsum([len(kind) for kind in runs.values()])


def _multiple(number: int, unit: int) -> int:
    """The least multiple of `unit` that is not below `number`."""
    return -(-number // unit) * unit
