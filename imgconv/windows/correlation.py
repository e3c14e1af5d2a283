"""Cross-correlate a batch with a bank of weights, and compute the two adjoints of it: the core of every convolution.

Arguments are checked arrays, and a `Layout` for the geometry; `imgconv.engine.dispatch` chooses the algorithm and the block sizes. The
adjoints are matrix products of patches, a block at a time, so that a product of 0 and infinity occurs only where a tap meets a cell of
the input.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from imgconv.arrays import AnyArray, ignore_float_errors
from imgconv.engine.blas import one_blas_thread
from imgconv.engine.compiled import loop
from imgconv.engine.dispatch import STRIP_COLUMNS, LayerSize, algorithm, block_size, patch_block_size, patch_columns
from imgconv.engine.parallel import default_threads, run_bands
from imgconv.engine.tiles import Tile, tile_of, tiles_work
from imgconv.loops.layers import correlate as correlate_tiles
from imgconv.windows.layout import Block, Layout, Range, gather, scatter

BAND_WORK = 2**22  # multiply-adds of a matrix product that are worth sharing
MIN_BAND = 128  # rows or columns below which BLAS packs its operands for too little work
SCRATCH = 4096  # sums that leave room in the first-level cache for the cells
SUM_BLOCK = 1152  # taps summed at a time; longer sums in float32 lose digits

Part = tuple[Block, Range, Range]  # a block, its groups, and its channels within each group


def correlate(input: AnyArray, weight: AnyArray, bias: AnyArray | None, layout: Layout, groups: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    """The cross-correlation (N, O, h_out, w_out) of `input` with `weight` (O, C/groups, kh, kw), `bias` (O) added."""
    outputs, channels = weight.shape[:2]
    result = np.empty((layout.shape[0], outputs, *layout.output_size), dtype)
    shift = np.zeros(outputs, dtype) if bias is None else bias.astype(dtype)
    if not channels:
        result[...] = shift[:, None, None]
    elif result.size:
        taps = np.ascontiguousarray(weight, dtype).reshape(groups, outputs // groups, -1)
        if algorithm(layer_size(layout, groups, outputs)) == "product" or not tiles_work():
            for strip, part, output in _strips(layout, input, result):
                _add_products(part, taps, shift, strip, _parts(strip, groups, outputs), output)
        else:
            for first, part, strip in layout.strips(input, STRIP_COLUMNS):
                _sum_tiles(part, taps, shift, strip, result, first)
    return result


@ignore_float_errors
def correlate_input(output: AnyArray, weight: AnyArray, layout: Layout, groups: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    """The adjoint in the input: (N, C, H, W), the sum of all windows, each times its value of `output` (N, O, h_out, w_out)."""
    result = np.zeros(layout.shape, dtype)
    if not (result.size and output.size):
        return result
    taps = np.ascontiguousarray(weight, dtype).reshape(groups, weight.shape[0] // groups, -1)  # BLAS sums other layouts in other orders
    for strip, part, strip_output in _strips(layout, result, output):
        for block, group, channels in _parts(strip, groups, output.shape[1]):
            columns = _columns(strip_output, block, group, taps.shape[1], dtype)
            patches = matrix_product(_taps_of(taps, group, channels, layout).transpose(0, 2, 1), columns)
            rows = patches.reshape(-1, columns.shape[2] // strip_output.shape[3], strip_output.shape[3])
            strip.add_planes(scatter(rows, strip, block), block, part)
    return result


@ignore_float_errors
def correlate_weight(
    input: AnyArray, output: AnyArray, layout: Layout, weight_shape: tuple[int, ...], groups: int, dtype: np.dtype[Any]
) -> NDArray[Any]:
    """The adjoint in the weight: (O, C/groups, kh, kw), the sum of all windows, each times its value of `output`, in float64."""
    result = np.zeros((groups, weight_shape[0] // groups, prod(weight_shape[1:])))
    for strip, part, strip_output in _strips(layout, input, output) if result.size and output.size else ():
        for block, group, channels in _parts(strip, groups, output.shape[1]):
            columns = _columns(strip_output, block, group, result.shape[1], dtype)
            patches = gather(strip.planes(part, block, dtype), strip, block).reshape(len(columns), -1, columns.shape[2])
            taps = _taps_of(result, group, channels, layout)
            taps += matrix_product(columns, patches.transpose(0, 2, 1))
    return result.astype(dtype).reshape(weight_shape)


def matrix_product(left: NDArray[Any], right: NDArray[Any]) -> NDArray[Any]:
    """`left` (G, M, K) @ `right` (G, K, N), or both without G, with BLAS on one thread for each band of matrices, rows or columns.

    >>> matrix_product(np.ones((2, 300)), np.ones((300, 1)))
    array([[300.],
           [300.]])
    """
    result = np.empty((*left.shape[:-1], right.shape[-1]), left.dtype)
    (rows, terms), columns = left.shape[-2:], right.shape[-1]
    count = result.shape[0] if result.ndim == 3 else 1
    total, least = (count, 1) if count > 1 else (max(rows, columns), MIN_BAND)

    def work(first: int, last: int) -> None:
        band = slice(first, last)
        if count > 1:
            np.matmul(left[band], right[band], out=result[band])
        elif rows >= columns:
            np.matmul(left[..., band, :], right, out=result[..., band, :])
        else:
            np.matmul(left, right[..., band], out=result[..., band])

    with one_blas_thread():
        run_bands(work, total, max(BAND_WORK * total // max(count * rows * terms * columns, 1), least))
    return result


def layer_size(layout: Layout, groups: int, outputs: int) -> LayerSize:
    """The sizes from which `imgconv.engine.dispatch` chooses how to compute a convolution."""
    images, channels = layout.shape[:2]
    kh, kw = layout.window.kernel_size
    rows = layout.output_size[0]
    return LayerSize(images, groups, channels // groups, outputs // groups, kh * kw, rows, layout.row_stride, layout.halo, layout.phases)


def ranges(total: int, step: int) -> list[Range]:
    """range(total) in steps, as pairs (first, last).

    >>> ranges(5, 2)
    [(0, 2), (2, 4), (4, 5)]
    """
    return [(first, min(first + step, total)) for first in range(0, total, step)]


@ignore_float_errors
def _add_products(
    input: AnyArray, taps: NDArray[Any], shift: NDArray[Any], layout: Layout, parts: Iterable[Part], result: NDArray[Any]
) -> None:
    """Fill `result` by im2col and matrix products, one for each part."""
    result[...] = shift[:, None, None]
    outputs = taps.shape[1]
    for block, group, channels in parts:
        patches = gather(layout.planes(input, block, result.dtype), layout, block)
        weights = _taps_of(taps, group, channels, layout)
        sums = matrix_product(weights, patches.reshape(*weights.shape[::2], -1))
        (n0, n1), _, (r0, r1) = block
        part = result[n0:n1, group[0] * outputs : group[1] * outputs, r0:r1]
        part += sums.reshape(part.shape[1], n1 - n0, r1 - r0, -1).transpose(1, 0, 2, 3)


def _strips(layout: Layout, input: AnyArray, output: AnyArray) -> Iterator[tuple[Layout, AnyArray, AnyArray]]:
    """Strips of columns whose patches fit, each with its part of `input`, a view, and of `output`."""
    for first, part, strip in layout.strips(input, patch_columns(prod(layout.window.kernel_size))):
        yield strip, part, output[..., first : first + strip.output_size[1]]


def _parts(layout: Layout, groups: int, outputs: int) -> Iterator[Part]:
    """Blocks that cover the layout."""
    size = layer_size(layout, groups, outputs)
    step, depth = patch_block_size(size, layout.output_size[1]), size.group_channels
    for images, group, channels, rows in product(
        ranges(size.images, step.images), ranges(groups, step.groups), ranges(depth, step.channels), ranges(size.rows, step.rows)
    ):
        yield Block(images, (group[0] * depth + channels[0], (group[1] - 1) * depth + channels[1]), rows), group, channels


def _taps_of(taps: NDArray[Any], group: Range, channels: Range, layout: Layout) -> NDArray[Any]:
    """The part of `taps` (G, O/G, C/G*kh*kw) that belongs to some groups and some channels of each; a view."""
    kernel = prod(layout.window.kernel_size)
    return taps[group[0] : group[1], :, channels[0] * kernel : channels[1] * kernel]


def _columns(output: AnyArray, block: Block, group: Range, group_outputs: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    """The block's part of `output` as (groups, O/G, n*rows*w_out) in the dtype of the sums."""
    (n0, n1), _, (r0, r1) = block
    part = output[n0:n1, group[0] * group_outputs : group[1] * group_outputs, r0:r1]
    return np.ascontiguousarray(part.transpose(1, 0, 2, 3), dtype).reshape(group[1] - group[0], group_outputs, -1)


class _Job(NamedTuple):
    """The part of a result that one thread computes at a time: images, groups, outputs of each group, and rows."""

    images: Range
    groups: Range
    outputs: Range
    rows: Range


@lru_cache(64)
def _jobs(size: LayerSize, threads: int) -> tuple[int, list[_Job]]:
    """The channels of a group that a job takes at a time, and the jobs."""
    block = block_size(size, threads)
    parts = product(
        ranges(size.images, block.images),
        ranges(size.groups, block.groups),
        ranges(size.group_outputs, block.outputs),
        ranges(size.rows, block.rows),
    )
    return block.channels, [_Job(*part) for part in parts]


def _sum_tiles(input: AnyArray, taps: NDArray[Any], shift: NDArray[Any], layout: Layout, result: NDArray[Any], column: int) -> None:
    """Fill the columns of `result` from `column` on tile by tile, in blocks that fit the cache."""
    size = layer_size(layout, len(taps), result.shape[1])
    channels, jobs = _jobs(size, default_threads())
    task = _TileTask(input, taps, shift.reshape(len(taps), -1), layout, size, result, column, tile_of(taps.shape[1], result.itemsize))

    def work(first: int, last: int) -> None:
        for job in jobs[first:last]:
            for span in ranges(size.group_channels, channels):
                task.run(job, span)

    run_bands(work, len(jobs), 1)


@dataclass(frozen=True)
class _TileTask:
    """One convolution by loops over tiles: `taps` (G, O, T) and `shift` (G, O); `column` of the result is the layout's first."""

    input: AnyArray
    taps: NDArray[Any]
    shift: NDArray[Any]
    layout: Layout
    size: LayerSize
    result: NDArray[Any]
    column: int
    tile: Tile

    def run(self, job: _Job, channels: Range) -> None:
        """Set the job's part of the result, or add to it, the sums over the channels first..last of each of its groups."""
        (g0, g1), (o0, o1), (first, last) = job.groups, job.outputs, channels
        group_channels, kernel, layout, dtype = self.size.group_channels, self.size.kernel, self.layout, self.result.dtype
        block = Block(job.images, (g0 * group_channels + first, (g1 - 1) * group_channels + last), job.rows)
        planes = layout.view(self.input, block, dtype)
        if planes is not None:  # the loop reads the input itself
            stride, group_step = -1, (last - first) * planes.planes.shape[1]
            copied: tuple[AnyArray, ...] = planes.flat, *_NO_COPY, np.zeros(1, dtype), _NO_COPY[0][0]
        else:  # the loop copies the planes of one group after the other
            planes = layout.empty(block._replace(channels=channels), dtype)
            stride, group_step = layout.known_stride, 0
            copied = layout.copy_arguments(self.input, block, dtype, g1 - g0)
        apart = SCRATCH // self.tile.outputs + 16  # not a power of two, since rows of sums would then share cache sets
        geometry = (planes.first, *self._geometry(job), o1 - o0, last - first, group_step, SUM_BLOCK, first > 0)
        loop(correlate_tiles, together=self.tile.outputs, width=self.tile.width, apart=apart, stride=stride)(
            *copied,
            planes.flat,
            layout.tap_offsets(planes.planes[: (last - first) * layout.phases], last - first),
            np.ascontiguousarray(self.taps[g0:g1, o0:o1, first * kernel : last * kernel]),
            np.ascontiguousarray(self.shift[g0:g1, o0:o1]),
            np.empty(self.tile.outputs * apart, dtype),
            self.result.reshape(-1),
            np.array(geometry, np.int64),
        )

    def _geometry(self, job: _Job) -> tuple[int, ...]:
        """The rows of the job's planes, and where their sums go in the result."""
        (n0, n1), (r0, r1), layout = job.images, job.rows, self.layout
        _, outputs, height, width = self.result.shape
        channel = n0 * outputs + job.groups[0] * self.size.group_outputs + job.outputs[0]
        origin = (channel * height + r0) * width + self.column
        steps = outputs * height * width, height * width, width
        return layout.row_stride, r1 - r0 + layout.halo, r1 - r0, n1 - n0, origin, *steps, layout.output_size[1]


_NO_COPY = (np.zeros((1, 1), np.int64),) * 3
