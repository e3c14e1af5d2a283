"""Extremes of windows together with their places, for fixed and adaptive windows."""

import numpy as np
from numpy.typing import NDArray

from imgconv.engine.bands import run_bands
from imgconv.engine.store import loop
from imgconv.functional.arrays import AnyArray
from imgconv.functional.folding import neutral
from imgconv.functional.planes import Planes
from imgconv.functional.spans import Spans
from imgconv.loops.pooling import LARGEST, SMALLEST
from imgconv.loops.pooling_indices import extreme_cells

_BAND_CELLS = 1 << 16


def located_extremes(planes: Planes, spans: tuple[Spans, Spans], *, largest: bool) -> tuple[AnyArray, NDArray[np.int64]]:
    """The largest (or smallest) value of the cells that each pair of spans sees, and its index in its plane.

    Both are (count * h_out, w_out). A window that sees no cell gives the lowest (highest) value and the index -1.
    """
    rows, columns = spans
    shape = planes.count * len(rows.first), len(columns.first)
    nothing = neutral(LARGEST if largest else SMALLEST, planes.rows.dtype)
    out, indices = np.full(shape, nothing, planes.rows.dtype), np.full(shape, -1, np.int64)
    find = loop(extreme_cells, largest=int(largest))

    def work(first: int, last: int) -> None:
        top, count, plane = rows.stacked(first, last, planes.size[0])
        across = (columns.first, columns.count, columns.step)
        find(planes.rows, top, count, rows.step, plane, *across, out[first:last], indices[first:last])

    run_bands(work, len(out), _BAND_CELLS // max(shape[1], 1))
    return out, indices
