"""Ranked values of windows, such as the median: which of the loops runs where, and what it needs."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Literal, assert_never

import numpy as np
from numpy.typing import NDArray

from imgconv.arrays import AnyArray
from imgconv.engine.compiled import loop
from imgconv.engine.parallel import run_bands
from imgconv.loops import ranks as loops
from imgconv.loops.pooling import SMALLEST
from imgconv.window import Window
from imgconv.windows.planes import Planes, Strip, by_strips
from imgconv.windows.reduce import identity_of
from imgconv.windows.shapes import Block, Region, Taps, by_blocks, cell_counts, cells_of, counts_of, shaped_extremes
from imgconv.windows.spans import starts

RankAlgorithm = Literal["sorting network", "counting", "column histograms", "histogram"]
Place = Callable[[int], int]  # of the result among so many cells in ascending order
NETWORK_CELLS = 64  # of floats; larger windows are quicker by counting (2026-11)
REGISTER_CELLS, REGISTER_ROWS = 25, 7  # a loop over more rows is not made of wide instructions
REGISTER_PIXELS = 1 << 16  # a network in registers is compiled for its window, which takes a second
LINE_BYTES = 1 << 10  # of a network's line: those of 25 cells stay in the first cache
COUNTED_BITS = 16_000  # of the cells of a window; larger ones are quicker by histogram (2026-11)
COLUMN_CELLS = range(170, 1 << 16)  # of rectangles of bytes, whose histograms count in 16 bits; 13x13 take as long by counting (2026-11)
COLUMNS, HEIGHTS = 1 << 10, 8  # with their histograms, 512 kB; a block begins with as many rows as a window has, without results
BAND_VALUES = 1 << 21  # results of a thread at a time
SMALL_PLANE = 1 << 14  # results of a plane; smaller ones of a batch are ranked together (2026-11)
NARROW = 32  # fewer columns than this are sorted along their length


def ranked(planes: Planes, window: Window, place: Place, threads: int | None = None, valid: Planes | None = None) -> AnyArray:
    """The cell at `place` of those that every window sees, (count * h_out, w_out * channels), of the planes' dtype.

    Every window must see a cell. A NaN among the cells is the result. `valid` planes, for a single plane, are 1 where a cell exists, and
    0 where it does not, which must be the largest value.
    """
    (h_out, w_out), algorithm = window.output_size(planes.size), rank_algorithm(window, planes.size, planes.rows.dtype, planes.count)

    def of_strip(cells: Planes, strip: Strip) -> AnyArray:
        return ranked(cells, strip.window, place, threads)

    whole = None if valid else by_strips(planes, window, of_strip)
    if whole is not None:
        return whole
    if planes.count < 2 or h_out * w_out > SMALL_PLANE:
        return _ranked(planes, window, place, algorithm, threads, valid)
    mixed = _ranked(planes.interleaved(), window, place, algorithm, threads).reshape(h_out, w_out, planes.count, planes.channels)
    return np.ascontiguousarray(mixed.transpose(2, 0, 1, 3)).reshape(planes.count * h_out, w_out * planes.channels)


def rank_algorithm(window: Window, size: tuple[int, int], dtype: np.dtype[Any], planes: int = 1) -> RankAlgorithm:
    """The algorithm of `ranked` on `planes` of a size.

    >>> [rank_algorithm(Window.of(taps), (480, 640), np.dtype(np.uint8)) for taps in (3, 15)]
    ['sorting network', 'column histograms']
    """
    h_out, w_out = window.output_size(size)
    is_plain = window.footprint is None and window.dilation[0] == 1 and (planes == 1 or h_out * w_out > SMALL_PLANE)
    if dtype == np.uint8 and is_plain and window.cell_count in COLUMN_CELLS:
        return "column histograms"
    is_few_bits = dtype.itemsize <= 2 and w_out > NARROW  # 37 cells of bytes on 1.5 megapixels: 9.9 ms by counting, 13.5 by a network
    if window.cell_count <= (REGISTER_CELLS if is_few_bits else NETWORK_CELLS):
        return "sorting network"
    return "counting" if 8 * window.cell_count * dtype.itemsize <= COUNTED_BITS and w_out > NARROW else "histogram"


def _ranked(
    planes: Planes, window: Window, place: Place, algorithm: RankAlgorithm, threads: int | None, valid: Planes | None = None
) -> AnyArray:
    (h_out, w_out), dtype, cells = window.output_size(planes.size), planes.rows.dtype, window.cell_count
    out = np.empty((planes.count, h_out, w_out, planes.channels), dtype)
    job, regions = _Ranks(planes, window, place, valid), [Region(0, h_out, 0, w_out)]
    match algorithm:
        case "sorting network":
            fill = job.by_lines
            if out.size >= REGISTER_PIXELS and cells <= REGISTER_CELLS and window.kernel_size[0] <= REGISTER_ROWS:
                regions = job.by_registers(out, threads)
        case "column histograms":
            fill = job.by_columns
        case "counting":
            fill = job.by_counting
        case "histogram":
            fill = job.by_histogram
        case _:
            assert_never(algorithm)
    blocks = {"widest": COLUMNS, "least": HEIGHTS} if algorithm == "column histograms" else {}
    by_blocks(planes, window, fill, out, regions, filler=identity_of(SMALLEST, dtype), cells=dtype, threads=threads, **blocks)
    if dtype.kind == "f" and np.isnan(planes.rows.max()):
        broken = planes.with_rows(np.isnan(planes.rows).view(np.uint8))
        out[shaped_extremes(broken, window, largest=True, threads=threads).reshape(out.shape) != 0] = np.nan
    return out.reshape(planes.count * h_out, w_out * planes.channels)


class _Ranks:
    """One window on some planes.

    Cells that do not exist hold the largest value, so that the cell at the place of those that exist is the right one among all.
    """

    def __init__(self, planes: Planes, window: Window, place: Place, valid: Planes | None):
        self.planes, self.window = planes, window
        self.places = np.array([0, *map(place, range(1, window.cell_count + 1))], np.int32)
        self.taps, self.cell_counts = Taps(window, planes.channels), cell_counts(window, planes.size, planes.channels)
        self.counted, self.is_masked = counts_of(valid, planes, window), valid is not None
        self.exists = valid or planes.with_rows(np.broadcast_to(np.uint8(1), planes.rows.shape))

    def by_registers(self, out: AnyArray, threads: int | None) -> list[Region]:
        """Fill `out` by a sorting network in registers where windows are whole; returns the regions that it leaves out."""
        planes, window, (_, h_out, w_out, channels) = self.planes, self.window, out.shape
        (first, last), (begin, end) = self.cell_counts.whole_rows, self.cell_counts.whole_columns
        if first == last or begin == end:
            return [Region(0, h_out, 0, w_out)]
        height, width = window.kernel_size
        shape = sum(((1 << count) - 1) << row * width + column for row, column, count in window.runs)
        steps = {"row_step": window.dilation[0], "column_step": window.dilation[1] * channels, "stride": int(window.stride[1] == 1)}
        places = _picked(tuple(self.places[1:]) if self.is_masked else (self.places[-1],))
        rank = sum(1 << int(place) for place, _ in places) if self.is_masked else int(self.places[-1])
        sort = loop(loops.rank_network, height=height, width=width, shape=shape, rank=rank, masked=int(self.is_masked), **steps)
        least = np.array([count for _, count in places], np.uint8)
        rows = out.reshape(len(out), h_out, w_out * channels)
        top, left = (int(starts(window, planes.size, axis)[at]) for axis, at in ((0, first), (1, begin)))
        bands = -(-(last - first) * w_out * channels // BAND_VALUES)

        def work(number: int, _: int) -> None:
            (plane, band), scratch = divmod(number, bands), np.empty((1, planes.rows.shape[1]), rows.dtype)
            lines = np.empty(3 * height * loops.LINE, rows.dtype)
            upper, lower = (first + (last - first) * edge // bands for edge in (band, band + 1))
            where = (plane * planes.size[0] + top + (upper - first) * window.stride[0], left * channels)
            to = (upper, lower - upper, begin * channels, (end - begin) * channels)
            sort(planes.rows, *where, rows[plane], *to, scratch, lines, channels, *window.stride, self.exists.rows, least)

        run_bands(work, len(out) * bands, 1, threads)
        edges = [(0, first, 0, w_out), (last, h_out, 0, w_out), (first, last, 0, begin), (first, last, end, w_out)]
        return [Region(*edge) for edge in edges]

    def by_lines(self, cells: AnyArray, target: AnyArray, block: Block) -> None:
        """Fill `target` from the cells of a block by a sorting network in lines of scratch."""
        exists = cells_of(self.exists, self.window, block, 0, np.dtype(np.uint8))
        rows, columns, stride, channels = self.taps.rows, self.taps.columns, self.window.stride[0], self.planes.channels
        pairs, picked = _network(len(rows), tuple(self.places[-1:] if exists.all() else self.places[1:]))
        size = LINE_BYTES // cells.itemsize
        scratch = np.empty((len(rows), size), cells.dtype), np.empty((1, size), np.uint8)
        pixels = target.shape[1] // channels
        if pixels <= NARROW and len(target) > pixels:  # short rows: columns become rows
            results = np.empty((pixels, ((len(target) - 1) * stride + 1) * channels), cells.dtype)
            turned = _turned(cells, channels), _turned(exists, channels), columns // channels, rows * channels
            loop(loops.rank_lines)(*turned, pairs, picked, *scratch, results, 1)
            target[:] = _turned(results, channels)[::stride]
        else:
            loop(loops.rank_lines)(cells, exists, rows, columns, pairs, picked, *scratch, target, stride)

    def by_counting(self, cells: AnyArray, target: AnyArray, block: Block) -> None:
        """Fill `target` from the cells of a block bit by bit, by counting the cells below."""
        keys, counter = _ordered(cells), np.dtype(np.uint8 if self.window.cell_count <= np.iinfo(np.uint8).max else np.int32)
        ranks, results = self._ranks(block, target.shape[1]).astype(counter), np.empty(target.shape, keys.dtype)
        scratch = np.empty((1, target.shape[1]), keys.dtype), np.empty((1, target.shape[1]), counter)
        taps, stride = self.taps, self.window.stride[0]
        loop(loops.rank_counts, bits=8 * keys.itemsize)(keys, taps.rows, taps.columns, ranks, *scratch, results, stride)
        target[:] = _from_ordered(results, target.dtype)

    def by_columns(self, cells: AnyArray, target: AnyArray, block: Block) -> None:
        """Fill `target` by histograms of columns."""
        (height, width), count, ranks = self.window.kernel_size, cells.shape[1], self._ranks(block, target.shape[1])
        how = (height, width, self.window.dilation[1] * self.planes.channels, ranks)
        scratch = [np.empty(size, np.uint64) for size in (4 * count, 64 * count, 64, 16)]
        loop(loops.rank_columns, wide=int(self.window.cell_count >= 1 << 15))(cells, *how, *scratch, target, self.window.stride[0])

    def by_histogram(self, cells: AnyArray, target: AnyArray, block: Block) -> None:
        """Fill `target` by a sliding histogram of the values, or of their places in order where they are not small whole numbers."""
        codes, values = cells, None
        if cells.dtype not in (np.uint8, np.uint16):
            values, inverse = np.unique(cells, return_inverse=True)
            codes = inverse.reshape(cells.shape).astype(np.uint32)
        bits = int(len(values) - 1).bit_length() if values is not None else cells.itemsize * 8
        fine, coarse = np.empty(1 << bits, np.int32), np.empty(1 << (bits - bits // 2), np.int32)
        results = target if values is None else np.empty(target.shape, np.uint32)
        window, apart = self.window, self.window.dilation[1] * self.planes.channels
        runs = np.array([(row * window.dilation[0], first * apart, count) for row, first, count in window.runs], np.intp)
        loop(loops.rank_histogram)(
            codes, runs, apart, fine, coarse, bits // 2, self._ranks(block, target.shape[1]), results, window.stride[0]
        )
        if values is not None:
            target[:] = values[results]

    def _ranks(self, block: Block, length: int) -> NDArray[np.int32]:
        ranks: NDArray[np.int32] = self.places[self.counted.of(block, self.window.stride[1], length)]
        return ranks


@lru_cache(64)  # blocks of an image, and images of a folder, have one window
def _network(cells: int, places: tuple[int, ...]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The pairs and picks of `loops.ranks.rank_lines` for the places of results among 1, 2, ... existing cells, or among all of them."""
    picked = _picked(places)
    pairs = loops.network_pairs(cells, [place for place, _ in picked])
    return np.array(pairs, np.intp).reshape(-1, 2), np.array(picked, np.intp)


def _picked(places: tuple[int, ...]) -> list[tuple[int, int]]:
    """Each of the places of results among 1, 2, ... cells, in ascending order, and the least number of cells that it is for."""
    return sorted({place: count for count, place in reversed([*enumerate(places, 1)])}.items())


def _turned(cells: AnyArray, channels: int) -> AnyArray:
    """Rows of interleaved pixels as columns of them."""
    return np.ascontiguousarray(cells.reshape(len(cells), -1, channels).transpose(1, 0, 2)).reshape(-1, len(cells) * channels)


def _ordered(values: AnyArray) -> AnyArray:
    """`values` as unsigned numbers in the same order; those of floats are their bits, with the sign turned over or all of them."""
    if values.dtype.kind == "u":
        return values
    bits: Any = values.view(f"u{values.itemsize}")
    top = bits.dtype.type(1 << (8 * values.itemsize - 1))
    keys: AnyArray = bits ^ top if values.dtype.kind == "i" else np.where(bits & top, ~bits, bits | top)
    return keys


def _from_ordered(keys: Any, dtype: np.dtype[Any]) -> AnyArray:
    """The values that `_ordered` made `keys` of."""
    if dtype.kind == "u":
        return keys
    top = keys.dtype.type(1 << (8 * dtype.itemsize - 1))
    bits: AnyArray = keys ^ top if dtype.kind == "i" else np.where(keys & top, keys ^ top, ~keys)
    return bits.view(dtype)
