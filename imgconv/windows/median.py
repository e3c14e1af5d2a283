"""Lower medians of windows, band by band: which of the three median loops runs where, and what it needs."""

from collections.abc import Iterator
from functools import cache
from math import gcd, prod
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from imgconv.arrays import AnyArray
from imgconv.engine.compiled import loop
from imgconv.engine.parallel import run_bands
from imgconv.loops.median import median_histogram, median_network, median_select
from imgconv.window import Window
from imgconv.windows.reduce import Planes, Spans

MedianAlgorithm = Literal["sorting network", "histogram"]
_NETWORK_CELLS = {1: 121}  # by bytes a cell; larger windows are quicker by histogram (measured at 11x11 to 15x15, 2026-11)
_NETWORK_CELLS_WIDER = 225
_BLOCK = 1024  # windows sorted at once, so that the lines of a small one stay in the first cache
_BAND_CELLS = 1 << 18


def medians(planes: Planes, window: Window, threads: int | None = None) -> AnyArray:
    """The lower median of the cells that every window sees, (count * h_out, w_out * channels), of the planes' dtype.

    Every window must see a cell. A NaN among the cells is the median.
    """
    job = _Medians(planes, window)
    out = np.empty((planes.count * len(job.rows.first), len(job.columns.first) * planes.channels), planes.rows.dtype)
    rows_per_band = max(_BAND_CELLS // planes.rows.shape[1], window.kernel_size[0], 1)
    band = job.by_network if median_algorithm(window, out.dtype) == "sorting network" else job.by_histogram
    run_bands(lambda first, last: band(first, last, out[first:last]), len(out), rows_per_band, threads)
    return out


def median_algorithm(window: Window, dtype: np.dtype[np.generic]) -> MedianAlgorithm:
    """The algorithm of `medians` for most windows; those at the border, and those with NaN, are sorted one by one.

    >>> median_algorithm(Window.of(3), np.dtype(np.uint8)), median_algorithm(Window.of(15), np.dtype(np.uint8))
    ('sorting network', 'histogram')
    """
    small = prod(window.kernel_size) <= _NETWORK_CELLS.get(dtype.itemsize, _NETWORK_CELLS_WIDER)
    return "sorting network" if small else "histogram"


class _Medians:
    """One window on some planes; both methods fill `target` with stacked output rows first..last, from any thread."""

    def __init__(self, planes: Planes, window: Window):
        self.planes, self.window = planes, window
        self.rows, self.columns = Spans.of_window(window, planes.size, 0), Spans.of_window(window, planes.size, 1)

    def by_network(self, first: int, last: int, target: AnyArray) -> None:
        """Whole windows by a network, those at the border by selection; all by selection where a NaN would break the network."""
        top, count, _ = self.rows.stacked(first, last, self.planes.size[0])
        (kh, kw), channels = self.window.kernel_size, self.planes.channels
        whole = np.flatnonzero(self.columns.count == kw) * channels
        begin, end = (int(whole[0]), int(whole[-1]) + channels) if len(whole) else (0, 0)
        source = self.planes.rows
        if source.dtype.kind == "f" and np.isnan(source[_used(top, count, self.rows.step)]).any():
            begin = end = 0
        if end > begin:
            stride = self.window.stride[1]
            between, step = (1, 1) if stride == 1 else (channels, stride * channels)
            columns = (self.columns.first[begin // channels] + np.arange(kw) * self.columns.step) * channels
            lines = np.empty((kh * kw, _BLOCK), source.dtype)
            sort = loop(median_network, unit=int(stride == 1))
            pairs, middle = median_pairs(kh * kw), (kh * kw - 1) // 2
            sort(source, top, count, kh, self.rows.step, columns, pairs, middle, lines, target, begin, end, between, step)
        cells, spans = np.empty(kh * kw, source.dtype), self.columns
        select = loop(median_select)
        select(source, top, count, kh, self.rows.step, spans.first, spans.count, spans.step, cells, target, begin, end, channels)

    def by_histogram(self, first: int, last: int, target: AnyArray) -> None:
        """All windows by a sliding histogram of the values, or of their ranks where the values are not small whole numbers."""
        top, count, _ = self.rows.stacked(first, last, self.planes.size[0])
        used = _used(top, count, self.rows.step)
        source, values, broken = self.planes.rows[used], None, -1
        if source.dtype not in (np.uint8, np.uint16):
            values, ranks = np.unique(source, return_inverse=True)
            source = ranks.reshape(source.shape).astype(np.uint32)
            broken = len(values) - 1 if values[-1] != values[-1] else -1
        bits = int(len(values) - 1).bit_length() if values is not None else source.dtype.itemsize * 8
        fine, coarse = np.empty(1 << bits, np.int32), np.empty(1 << (bits - bits // 2), np.int32)
        medians = target if values is None else np.empty(target.shape, np.uint32)
        taps, stride, apart = self.window.kernel_size[1], self.window.stride[1], self.window.dilation[1]
        starts = np.arange(len(self.columns.first)) * stride - self.window.pads(self.planes.size)[1][0]
        phases = apart // gcd(stride, apart)  # windows so many columns apart share taps when dilated
        lap = stride * phases // apart
        slide, channels, step = loop(median_histogram), self.planes.channels, self.rows.step
        top = top - used.start
        slide(source, top, count, step, starts, taps, apart, lap, phases, fine, coarse, bits // 2, broken, medians, channels)
        if values is not None:
            target[:] = values[medians]


def _used(top: NDArray[np.intp], count: NDArray[np.intp], step: int) -> slice:
    """The rows between the first and the last that a band of windows sees."""
    return slice(int(top.min()), int((top + (count - 1) * step).max()) + 1)


@cache
def median_pairs(cells: int) -> NDArray[np.intp]:
    """Pairs (P, 2) of cells to compare and exchange, the smaller first, that bring the lower median of `cells` to its rank.

    Batcher's merge exchange (Knuth, The Art of Computer Programming 3, 5.2.2, algorithm M) without the pairs that the median does not
    depend on.

    >>> len(median_pairs(9))
    22
    """
    pairs, needed = [], {(cells - 1) // 2}
    for pair in reversed(list(_merge_exchange(cells))):
        if not needed.isdisjoint(pair):
            needed.update(pair)
            pairs.append(pair)
    return np.array(pairs[::-1], np.intp).reshape(-1, 2)


def _merge_exchange(cells: int) -> Iterator[tuple[int, int]]:
    top = 1 << max((cells - 1).bit_length() - 1, 0)
    p = top
    while p:
        q, r, d = top, 0, p
        while True:
            yield from ((i, i + d) for i in range(cells - d) if i & p == r)
            if q == p:
                break
            d, q, r = q - p, q >> 1, p
        p >>= 1
