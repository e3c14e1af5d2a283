"""Matrix products spread over our own threads, so that their bits do not depend on how many BLAS would run.

Cross-correlation of a batch with a bank of weights: the forward half of every convolution.

Takes arrays that are checked already, and a `Layout` for the geometry; `imgconv.engine.dispatch` says how the work is done.
The adjoints are in `imgconv.windows.correlation`. This module knows nothing of argument forms or errors.

The two adjoints of `imgconv.windows.correlation.correlate`: in its input and in its weight.

Both unfold a block at a time and take matrix products, so that 0 * inf is met only where a tap meets a cell of the input. The first is
the transposed convolution and the gradient of the input, the second the gradient of the weight. This module knows nothing of argument
forms or errors.
"""

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import product
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from imgconv.arrays import AnyArray, ignore_float_errors
from imgconv.engine.blas import one_blas_thread
from imgconv.engine.cache import CallOf, loop, pattern
from imgconv.engine.dispatch import STRIP_COLUMNS, LayerSize, algorithm, block_size, patch_block_size, patch_columns
from imgconv.engine.parallel import default_threads, run_bands, run_calls
from imgconv.engine.signature import address_of
from imgconv.engine.tiles import Tile, tile_of
from imgconv.loops.layers import correlate as correlate_tiles
from imgconv.windows.layout import MOST_KEPT, Block, Cells, Layout, Span, gather, is_of, kept, scatter

BAND_WORK = 2**22  # multiply-adds that are worth handing to another thread
LEAST_BAND = 128  # rows or columns below which BLAS packs its operands for too little work


def matrix_product(left: NDArray[Any], right: NDArray[Any]) -> NDArray[Any]:
    """`left` (G, M, K) @ `right` (G, K, N), or both without G, in bands of matrices, of rows or of columns, whichever are most.

    >>> matrix_product(np.ones((2, 300)), np.ones((300, 1)))
    array([[300.],
           [300.]])
    """
    result = np.empty((*left.shape[:-1], right.shape[-1]), left.dtype)
    (rows, terms), columns = left.shape[-2:], right.shape[-1]
    count = result.shape[0] if result.ndim == 3 else 1
    total, least = (count, 1) if count > 1 else (max(rows, columns), LEAST_BAND)

    def work(first: int, last: int) -> None:
        some = slice(first, last)
        if count > 1:
            np.matmul(left[some], right[some], out=result[some])
        elif rows >= columns:
            np.matmul(left[..., some, :], right, out=result[..., some, :])
        else:
            np.matmul(left, right[..., some], out=result[..., some])

    with one_blas_thread:
        run_bands(work, total, max(BAND_WORK * total // max(count * rows * terms * columns, 1), least))
    return result


SCRATCH = 4096  # sums that leave room in the first-level cache for the cells
AT_ONCE = 16  # jobs that are prepared at a time, with the cells of each
SUM_BLOCK = 1152  # taps summed at a time; longer sums in float32 lose digits


def correlate(input: AnyArray, weight: AnyArray, bias: AnyArray | None, layout: Layout, groups: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    """The cross-correlation (N, O, h_out, w_out) of `input` with `weight` (O, C/groups, kh, kw), `bias` (O) added."""
    (outputs, channels), layout = weight.shape[:2], kept(layout)
    result = np.empty((layout.shape[0], outputs, *layout.output_size), dtype)
    shift = np.zeros(outputs, dtype) if bias is None else bias.astype(dtype)
    if not channels:
        result[...] = shift[:, None, None]
    elif result.size:
        taps = np.ascontiguousarray(weight, dtype).reshape(groups, outputs // groups, -1)
        if algorithm(layer_size(layout, groups, outputs)) == "product":
            _by_product(input, taps, shift, layout, result)
        else:
            for first, part, strip in layout.strips(input, STRIP_COLUMNS):
                _by_tiles(part, taps, shift, strip, result, first)
    return result


def layer_size(layout: Layout, groups: int, outputs: int) -> LayerSize:
    """The whole numbers by which `imgconv.engine.dispatch` judges a convolution."""
    images, channels = layout.shape[:2]
    kh, kw = layout.window.kernel_size
    rows = layout.output_size[0]
    return LayerSize(images, groups, channels // groups, outputs // groups, kh * kw, rows, layout.pitch, layout.halo, layout.phases)


@ignore_float_errors
def _by_product(input: AnyArray, taps: NDArray[Any], shift: NDArray[Any], layout: Layout, result: NDArray[Any]) -> None:
    """All windows unfolded into one matrix: for small maps, where a product is all that there is to do."""
    images, outputs, rows, columns = result.shape
    block = Block((0, images), (0, layout.shape[1]), (0, rows))
    patches = gather(layout.cells(input, block, result.dtype), layout, block)
    sums = matrix_product(taps, patches.reshape(len(taps), taps.shape[2], -1)).reshape(outputs, images, rows, columns)
    np.add(sums.transpose(1, 0, 2, 3), shift[:, None, None], out=result)


def _by_tiles(input: AnyArray, taps: NDArray[Any], shift: NDArray[Any], layout: Layout, result: NDArray[Any], column: int) -> None:
    """Tile by tile in blocks that fit the cache, spread over threads; `column` of the result is the layout's first."""
    plan = _plan(layout, len(taps), result.shape[1], result.shape[3], column, default_threads())
    task = _TileTask(input, taps, shift.reshape(len(taps), -1), plan, result, tile_of(taps.shape[1], result.itemsize))
    if plan.channels == plan.size.group_channels:
        for first in range(0, len(plan.jobs), AT_ONCE):
            some = plan.jobs[first : first + AT_ONCE]
            run_calls((task.calls(job) for job in some), len(some))
        return

    def work(first: int, last: int) -> None:
        for job in plan.jobs[first:last]:
            for call in task.calls(job):
                call()

    run_bands(work, len(plan.jobs), 1)


class _Job(NamedTuple):
    """What one thread does at a time, and what the loops ask for about its rows: those of a plane, and where they go in the result."""

    number: int
    images: Span
    groups: Span
    outputs: Span
    rows: Span
    geometry: tuple[int, ...]


class _Plan(NamedTuple):
    """A convolution in whole numbers. Its jobs take the channels of a group so many at a time, in order, by `calls` that are kept."""

    layout: Layout
    size: LayerSize
    channels: int
    jobs: list[_Job]
    calls: dict[Hashable, CallOf]


@lru_cache(64)
def _plan(layout: Layout, groups: int, outputs: int, width: int, column: int, threads: int) -> _Plan:
    """The jobs of a layout with so many groups and outputs, which fills rows `width` wide from `column` on, for so many threads."""
    size = layer_size(layout, groups, outputs)
    block, height = block_size(size, threads), layout.output_size[0]
    steps = (outputs * height * width, height * width, width)
    jobs: list[_Job] = []
    for images, group, output, rows in product(
        spans(size.images, block.images),
        spans(size.groups, block.groups),
        spans(size.group_outputs, block.outputs),
        spans(size.rows, block.rows),
    ):
        (n0, n1), (r0, r1) = images, rows
        channel = n0 * outputs + group[0] * size.group_outputs + output[0]
        origin = (channel * height + r0) * width + column
        geometry = (layout.pitch, r1 - r0 + layout.halo, r1 - r0, n1 - n0, origin, *steps, layout.output_size[1])
        jobs.append(_Job(len(jobs), images, group, output, rows, geometry))
    return _Plan(layout, size, block.channels, jobs, {})


def spans(total: int, step: int) -> list[Span]:
    """range(total) in steps, as (first, last)."""
    return [(first, min(first + step, total)) for first in range(0, total, step)]


@dataclass(frozen=True)
class _TileTask:
    """One convolution by loops over tiles: `taps` (G, O, T) and `shift` (G, O)."""

    input: AnyArray
    taps: NDArray[Any]
    shift: NDArray[Any]
    plan: _Plan
    result: NDArray[Any]
    tile: Tile

    def calls(self, job: _Job) -> Iterator[Callable[[], None]]:
        """The calls that fill the job's part of the result, one after the other. Each holds the cells that it needs."""
        depth, (g0, g1) = self.plan.size.group_channels, job.groups
        for first, last in spans(depth, self.plan.channels):
            yield from self._adding(job, Block(job.images, (g0 * depth + first, (g1 - 1) * depth + last), job.rows), first, last)

    def _adding(self, job: _Job, block: Block, first: int, last: int) -> Iterator[Callable[[], None]]:
        """Calls that set, or add to, the job's part of the result the sum over channels first..last of each of its groups."""
        (g0, g1), (o0, o1), size, layout = job.groups, job.outputs, self.plan.size, self.plan.layout
        cells, stride, source, told = self._behind(block, g1 - g0)
        taps = np.ascontiguousarray(self.taps[g0:g1, o0:o1, first * size.kernel : last * size.kernel])
        shift = np.ascontiguousarray(self.shift[g0:g1, o0:o1])
        apart, kept = SCRATCH // self.tile.together + 16, self.plan.calls  # no power of two, lest rows of sums share cache sets
        scratch = _aligned(self.tile.together * apart, self.result.dtype)
        changing = source, cells.flat, taps, shift, scratch, self.result.reshape(-1)
        call = kept.get(key := (job.number, first, stride, source.size, self.result.dtype, self.tile))
        if call is None:
            length, depth = cells.planes.shape[1], last - first
            places, between = layout.places(cells.planes[: depth * layout.phases], depth), 0 if stride >= 0 else depth * length
            geometry = np.array((cells.first, *job.geometry, o1 - o0, depth, between, SUM_BLOCK, first > 0), np.int64)
            run = loop(correlate_tiles, **self.tile._asdict(), apart=apart, stride=stride)
            call = pattern(run, (0, 6, 8, 9, 10, 11), source, *told, cells.flat, places, *changing[2:], geometry)
            if len(kept) < MOST_KEPT:
                kept[key] = call
        yield call(*changing)

    def _behind(self, block: Block, groups: int) -> tuple[Cells, int, AnyArray, tuple[NDArray[Any], ...]]:
        """Cells, those of one group if they are yet to be laid out, and what the loop asks for to do so: stride, source, and the rest."""
        layout, dtype, (first, last) = self.plan.layout, self.result.dtype, block.channels
        lying = layout.lying(self.input, block, dtype)
        if lying is not None:
            return lying, -1, lying.flat, _nothing_told(dtype)
        laying = layout.laying(block, dtype, as_it_is=is_of(dtype, self.input), groups=groups)
        room = layout.empty(block._replace(channels=(0, (last - first) // groups)), dtype)
        return room, layout.known_stride, laying.source(self.input, dtype), laying.told


@cache
def _nothing_told(dtype: np.dtype[Any]) -> tuple[NDArray[Any], ...]:
    """What the loop is told of cells that lie there already."""
    one = np.zeros((1, 1), np.int64)
    return one, one, one, np.zeros(1, dtype), one[0]


def _aligned(count: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Room for `count` numbers from the start of a cache line on: rows of sums that straddle two lines cost a tenth of the speed."""
    room = np.empty(count + 64 // dtype.itemsize, dtype)
    skip = -address_of(room) % 64 // dtype.itemsize
    return room[skip : skip + count]


@ignore_float_errors
def correlate_input(output: AnyArray, weight: AnyArray, layout: Layout, groups: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    """The input (N, C, H, W) that `output` (N, O, h_out, w_out) is taken back to: the sum of the windows, each times its output."""
    result = np.zeros(layout.shape, dtype)
    if not (result.size and output.size):
        return result
    taps = np.ascontiguousarray(weight, dtype).reshape(groups, weight.shape[0] // groups, -1)  # BLAS sums other layouts in other orders
    for strip, part, some in _strips(layout, result, output):
        for block, group, channels in _blocks(strip, groups, output.shape[1]):
            columns = _columns(some, block, group, taps.shape[1], dtype)
            patches = matrix_product(_taps_of(taps, group, channels, layout).transpose(0, 2, 1), columns)
            rows = patches.reshape(-1, columns.shape[2] // some.shape[3], some.shape[3])
            strip.add_cells(scatter(rows, strip, block), block, part)
    return result


@ignore_float_errors
def correlate_weight(
    input: AnyArray, output: AnyArray, layout: Layout, weight_shape: tuple[int, ...], groups: int, dtype: np.dtype[Any]
) -> NDArray[Any]:
    """The weight (O, C/groups, kh, kw) that `input` (N, C, H, W) and `output` make: every window times its output, summed in float64."""
    result = np.zeros((groups, weight_shape[0] // groups, weight_shape[1] * weight_shape[2] * weight_shape[3]))
    for strip, part, some in _strips(layout, input, output) if result.size and output.size else ():
        for block, group, channels in _blocks(strip, groups, output.shape[1]):
            columns = _columns(some, block, group, result.shape[1], dtype)
            patches = gather(strip.cells(part, block, dtype), strip, block).reshape(len(columns), -1, columns.shape[2])
            taps = _taps_of(result, group, channels, layout)
            taps += matrix_product(columns, patches.transpose(0, 2, 1))
    return result.astype(dtype).reshape(weight_shape)


def _strips(layout: Layout, input: AnyArray, output: AnyArray) -> Iterator[tuple[Layout, AnyArray, AnyArray]]:
    """Strips of columns whose patches fit, each with its part of `input`, a view, and of `output`."""
    for first, part, strip in layout.strips(input, patch_columns(prod(layout.window.kernel_size))):
        yield strip, part, output[..., first : first + strip.output_size[1]]


def _blocks(layout: Layout, groups: int, outputs: int) -> Iterator[tuple[Block, Span, Span]]:
    """Blocks that cover the layout, each with its groups and its channels within a group."""
    size = layer_size(layout, groups, outputs)
    step, depth = patch_block_size(size, layout.output_size[1]), size.group_channels
    parts = product(spans(size.images, step.images), spans(groups, step.groups), spans(depth, step.channels), spans(size.rows, step.rows))
    for images, group, channels, rows in parts:
        yield Block(images, (group[0] * depth + channels[0], (group[1] - 1) * depth + channels[1]), rows), group, channels


def _taps_of(taps: NDArray[Any], group: Span, channels: Span, layout: Layout) -> NDArray[Any]:
    """The part of `taps` (G, O/G, C/G*kh*kw) that belongs to some groups and some channels of each; a view."""
    kh, kw = layout.window.kernel_size
    return taps[group[0] : group[1], :, channels[0] * kh * kw : channels[1] * kh * kw]


def _columns(output: AnyArray, block: Block, group: Span, group_outputs: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    """The block's part of `output` as (groups, O/G, n*rows*w_out) in the dtype of the sums."""
    (n0, n1), _, (r0, r1) = block
    part = output[n0:n1, group[0] * group_outputs : group[1] * group_outputs, r0:r1]
    return np.ascontiguousarray(part.transpose(1, 0, 2, 3), dtype).reshape(group[1] - group[0], group_outputs, -1)
