"""The gradient of a convolution's weight: by the loops of the convolution itself in other roles, or by products of planes.

Where channels are many, the sum over all windows, each times its output gradient, is a correlation whose taps are the windows, whose
weights are the output gradients, and whose cells are the input with its channels interleaved: neighbours are the channels of a cell, then
the cells of a row. So a tile holds sums for several channels and columns of the kernel, and no sum is computed that is not used.
Where channels or outputs are few, tiles would be empty for the most part, and each tap is the product of two planes.
"""

from collections.abc import Sequence
from functools import partial
from itertools import product
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from imgconv.arrays import AnyArray
from imgconv.engine.compiled import loop
from imgconv.engine.dispatch import BLOCK_CELLS, product_block_size
from imgconv.engine.parallel import default_threads, run_bands
from imgconv.engine.tiles import ProductTile, products_of
from imgconv.loops.layers import Job, correlate_planes, interleave
from imgconv.window import Window
from imgconv.windows.layout import Block, Layout, Range, job_table, layer_size, ranges
from imgconv.windows.tiles import Operands, jobs_per_band, run_jobs

OUTPUTS = 24  # that a job takes at a time, whole tiles of 6 and of 8
MOST_COLUMNS = 2**10  # of a block
BLOCKS = 4  # prepared at a time
PRODUCT_CELLS = 2**12  # of a plane whose products are summed in float32, and which stay in the first-level cache


def sum_products(
    input: AnyArray, output: AnyArray, layout: Layout, weight_shape: tuple[int, ...], groups: int, dtype: np.dtype[Any]
) -> NDArray[Any]:
    """The gradient (O, C/groups, kh, kw) of the weight: the sum of all windows of `input`, each times its value of `output`, in float64."""
    outputs, channels, kh, kw = weight_shape
    sums = np.zeros((groups, outputs // groups, kh, kw, channels))
    for first, part, strip in layout.strips(input, MOST_COLUMNS):
        strip_output = output[..., first : first + strip.output_size[1]]
        for group in range(groups):
            group_output = strip_output[:, group * (outputs // groups) : (group + 1) * (outputs // groups)]
            _add_group(part[:, group * channels : (group + 1) * channels], group_output, strip, sums[group], dtype)
    result, turned = np.empty(weight_shape, dtype), sums.reshape(outputs, kh, kw, channels).transpose(0, 3, 1, 2)

    def copy(first: int, last: int) -> None:
        result[first:last] = turned[first:last]

    run_bands(copy, outputs, max(BLOCK_CELLS // (kh * kw * channels), 1))
    return result


def sum_planes(
    input: AnyArray, output: AnyArray, layout: Layout, weight_shape: tuple[int, ...], groups: int, dtype: np.dtype[Any]
) -> NDArray[Any]:
    """The same gradient where channels or outputs are few: planes of the input, shifted by every tap, times those of `output`.

    Cells between the rows of an output are 0, and meet cells of other rows: all of `input` must be finite.
    """
    outputs, taps = weight_shape[0] // groups, prod(weight_shape[1:])
    tile = products_of(outputs, taps, dtype.itemsize)
    shape = groups, -(-outputs // tile.outputs) * tile.outputs, -(-taps // tile.taps) * tile.taps  # whole tiles
    sums = np.zeros(shape)
    for first, part, strip in layout.strips(input, MOST_COLUMNS):
        strip_output = output[..., first : first + strip.output_size[1]]
        sums += _plane_sums(np.ascontiguousarray(part, dtype), np.ascontiguousarray(strip_output, dtype), strip, shape, tile)
    return sums[:, :outputs, :taps].astype(dtype).reshape(weight_shape)


def _plane_sums(
    input: NDArray[Any], output: NDArray[Any], layout: Layout, shape: tuple[int, int, int], tile: ProductTile
) -> NDArray[np.float64]:
    """The sums (G, O, T) over all windows. Blocks have sums of their own, added in order, whatever the number of threads."""
    (groups, outputs, taps), dtype = shape, input.dtype
    size, row_stride = layer_size(layout, groups, output.shape[1]), layout.row_length
    margins = (0, 0), (0, row_stride - output.shape[3])  # rows of both are as far apart
    of_output = Layout(output.shape, Window.of(1), windows=(size.rows, row_stride), margins=margins)
    step = product_block_size(size)
    blocks = list(product(ranges(size.images, step.images), ranges(size.rows, step.rows)))
    parts = list(product(enumerate(blocks), ranges(groups, step.groups)))
    jobs, (planes, cells_row, length) = _group_jobs(layout, parts, shape)
    output_jobs, (_, _, apart) = _group_jobs(of_output, parts, shape)
    offsets = layout.tap_offsets(size.group_channels, cells_row, length)
    offsets = np.append(offsets, np.repeat(offsets[-1:], taps - len(offsets)))
    sums = np.zeros((len(blocks), *shape))

    def work(first: int, last: int) -> None:
        copied = input.reshape(-1), *layout.origins(dtype), np.empty(planes * length, dtype)
        copied += output.reshape(-1), *of_output.origins(dtype), np.zeros(outputs * apart, dtype)
        add = loop(correlate_planes, **tile._asdict(), stride=layout.known_stride)
        add(*copied, offsets, PRODUCT_CELLS, sums.reshape(-1), jobs[first:last], output_jobs[first:last])

    run_bands(work, len(parts), jobs_per_band(len(parts), default_threads()))
    total: NDArray[np.float64] = sums.sum(0)
    return total


def _group_jobs(
    layout: Layout, parts: Sequence[tuple[tuple[int, tuple[Range, Range]], Range]], shape: tuple[int, int, int]
) -> tuple[NDArray[Any], tuple[int, int, int]]:
    """The jobs that copy planes of a group, for parts of the images, rows and groups, and the extent of the planes of the largest."""
    groups, outputs, taps = shape
    depth, jobs = layout.shape[1] // groups, []
    (_, (most_images, most_rows)), _ = parts[0]
    planes, row_stride, length = layout.extent(Block(most_images, (0, depth), most_rows))
    for (number, (images, rows)), (g0, g1) in parts:
        job = layout.job(Block(images, (g0 * depth, (g0 + 1) * depth), rows))
        place = (number * groups + g0) * outputs * taps
        job = job._replace(groups=g1 - g0, source_group=depth * job.source_channel, cells_row=row_stride, cells_plane=length)
        jobs.append(job._replace(outputs=outputs, target=place, target_group=outputs * taps, target_output=taps))
    return job_table(jobs), (planes, row_stride, length)


def _add_group(input: AnyArray, output: AnyArray, layout: Layout, sums: NDArray[np.float64], dtype: np.dtype[Any]) -> None:
    """Add to the `sums` (O, kh, kw, C) of a group those of all its windows.

    Some blocks of images or rows at a time are prepared, a thread for each. Then each thread has sums of its own, and adds those of
    one block after the other, so that results do not depend on the threads.
    """
    window, rows = layout.window, layout.output_size[0]
    height, width = _extent(layout, rows)
    row = width * input.shape[1]
    step = min(max((BLOCK_CELLS // row - window.span[0]) // window.stride[0] + 1, 1), rows)
    images = max(BLOCK_CELLS // (row * height), 1) if step == rows else 1
    step = -(-rows // -(-rows // step))  # blocks of equal size
    blocks = list(product(ranges(len(input), images), ranges(rows, step)))
    jobs = -(-len(sums) // OUTPUTS) * window.kernel_size[0]
    for some in (blocks[first:last] for first, last in ranges(len(blocks), BLOCKS)):
        prepared: dict[int, _Prepared] = {}
        run_bands(partial(_prepare, input, output, layout, sums, dtype, some, prepared), len(some), 1)
        run_bands(partial(_add, prepared, len(sums)), jobs, jobs_per_band(jobs, default_threads()))


class _Prepared(NamedTuple):
    """The operands of a block of images or rows, and the jobs that add its sums."""

    operands: Operands
    jobs: NDArray[Any]


def _prepare(
    input: AnyArray,
    output: AnyArray,
    layout: Layout,
    sums: NDArray[np.float64],
    dtype: np.dtype[Any],
    blocks: Sequence[tuple[Range, Range]],
    prepared: dict[int, _Prepared],
    first: int,
    last: int,
) -> None:
    """Prepare some blocks."""
    for number in range(first, last):
        (n0, n1), (r0, r1) = blocks[number]
        cells = _interleaved(input[n0:n1], layout, (r0, r1), dtype)
        products = np.ascontiguousarray(output[n0:n1, :, r0:r1].transpose(1, 0, 2, 3), dtype)
        prepared[number] = _jobs(cells, products, layout, sums)


def _add(prepared: dict[int, _Prepared], outputs: int, first: int, last: int) -> None:
    """Compute some jobs of all blocks, one block after the other."""
    for number in range(len(prepared)):
        run_jobs(prepared[number].operands, prepared[number].jobs[first:last], outputs)


def _extent(layout: Layout, rows: int) -> tuple[int, int]:
    """The number of rows and columns of padded cells that `rows` output rows need."""
    (down, across), (height, width) = layout.window.stride, layout.window.span
    return (rows - 1) * down + height, (layout.output_size[1] - 1) * across + width


def _interleaved(input: AnyArray, layout: Layout, rows: Range, dtype: np.dtype[Any]) -> NDArray[Any]:
    """The padded cells (N, R, P, C) that a block of output rows needs."""
    cells = np.empty((len(input), *_extent(layout, rows[1] - rows[0]), input.shape[1]), dtype)
    (top, _), (left, _) = layout.pads
    loop(interleave)(input, rows[0] * layout.window.stride[0] - top, -left, cells)
    return cells


def _jobs(cells: NDArray[Any], products: NDArray[Any], layout: Layout, sums: NDArray[np.float64]) -> _Prepared:
    """The jobs that add to `sums` those of the windows of `cells`, each times its value of `products` (O, N, rows, w_out)."""
    (outputs, kh, kw, channels), (_, height, width, _) = sums.shape, cells.shape
    (down, across), (step_down, step_across) = layout.window.dilation, layout.window.stride
    images, rows, columns = (np.arange(number, dtype=np.int64) for number in products.shape[1:])
    offsets = ((images[:, None, None] * height + rows[:, None] * step_down) * width + columns * step_across).ravel() * channels
    taps = np.stack([offsets, np.arange(len(offsets))], axis=1)
    jobs = [
        Job(
            images=kw,
            outputs=o1 - o0,
            columns=channels,
            last_tap=len(offsets),
            is_added=1,
            cells=u * down * width * channels,
            cells_row=kw * across * channels,
            cells_image=across * channels,
            weights=o0 * len(offsets),
            weights_output=len(offsets),
            target=(o0 * kh + u) * kw * channels,
            target_image=channels,
            target_output=kh * kw * channels,
        )
        for o0, o1 in ranges(outputs, OUTPUTS)
        for u in range(kh)
    ]
    bias = np.zeros(outputs, cells.dtype)
    return _Prepared(Operands(cells.reshape(-1), taps, products.reshape(-1), bias, sums.reshape(-1)), job_table(jobs))
