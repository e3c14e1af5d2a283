"""The gradient of a convolution's weight by the loops of the convolution itself, in other roles.

The sum over all windows, each times its output gradient, is a correlation whose taps are the windows, whose weights are the output
gradients, and whose cells are the input with its channels interleaved: neighbours are the channels of a cell, then the cells of a row.
So a tile holds sums for several channels and columns of the kernel, and no sum is computed that is not used.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from imgconv.arrays import AnyArray
from imgconv.engine.compiled import loop
from imgconv.engine.dispatch import BLOCK_CELLS
from imgconv.engine.parallel import run_bands
from imgconv.loops.layers import interleave
from imgconv.windows.layout import Layout, Range, ranges
from imgconv.windows.tiles import Job, Operands, jobs_per_band, run_jobs

OUTPUTS = 32  # that a job takes at a time
MOST_COLUMNS = 2**10  # of a block


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
    return sums.reshape(outputs, kh, kw, channels).transpose(0, 3, 1, 2).astype(dtype, order="C")


def _add_group(input: AnyArray, output: AnyArray, layout: Layout, sums: NDArray[np.float64], dtype: np.dtype[Any]) -> None:
    """Add to the `sums` (O, kh, kw, C) of a group those of all its windows, a block of images or rows at a time."""
    window, rows = layout.window, layout.output_size[0]
    height, width = _extent(layout, rows)
    row = width * input.shape[1]
    step = min(max((BLOCK_CELLS // row - window.span[0]) // window.stride[0] + 1, 1), rows)
    images = max(BLOCK_CELLS // (row * height), 1) if step == rows else 1
    for n0, n1 in ranges(len(input), images):
        for r0, r1 in ranges(rows, step):
            cells = _interleaved(input[n0:n1], layout, (r0, r1), dtype)
            products = np.ascontiguousarray(output[n0:n1, :, r0:r1].transpose(1, 0, 2, 3), dtype)
            _add_block(cells, products, layout, sums)


def _extent(layout: Layout, rows: int) -> tuple[int, int]:
    """The rows and columns of padded cells behind so many output rows."""
    (down, across), (height, width) = layout.window.stride, layout.window.span
    return (rows - 1) * down + height, (layout.output_size[1] - 1) * across + width


def _interleaved(input: AnyArray, layout: Layout, rows: Range, dtype: np.dtype[Any]) -> NDArray[Any]:
    """The padded cells (N, R, P, C) behind a block of output rows."""
    cells = np.empty((len(input), *_extent(layout, rows[1] - rows[0]), input.shape[1]), dtype)
    (top, _), (left, _) = layout.pads

    def work(first: int, last: int) -> None:
        loop(interleave)(input[first:last], rows[0] * layout.window.stride[0] - top, -left, cells[first:last])

    run_bands(work, len(input), max(BLOCK_CELLS // cells[0].size, 1))
    return cells


def _add_block(cells: NDArray[Any], products: NDArray[Any], layout: Layout, sums: NDArray[np.float64]) -> None:
    """Add the sums of the windows of `cells`, each times its value of `products` (O, N, rows, w_out)."""
    (outputs, kh, kw, channels), (_, height, width, _) = sums.shape, cells.shape
    (down, across), (step_down, step_across) = layout.window.dilation, layout.window.stride
    images, rows, columns = (np.arange(number, dtype=np.int64) for number in products.shape[1:])
    offsets = ((images[:, None, None] * height + rows[:, None] * step_down) * width + columns * step_across).ravel() * channels
    jobs = [
        Job(
            images=kw,
            row_stride=across * channels,
            pitch=kw * across * channels,
            rows=1,
            columns=channels,
            origin=(o0 * kh + u) * kw * channels,
            image_step=channels,
            channel_step=kh * kw * channels,
            first_output=o0,
            outputs=o1 - o0,
            last_tap=len(offsets),
            is_added=1,
            base=u * down * width * channels,
        )
        for o0, o1 in ranges(outputs, OUTPUTS)
        for u in range(kh)
    ]
    bias = np.zeros((1, outputs), cells.dtype)
    operands = Operands(cells.reshape(-1), offsets, products.reshape(1, outputs, -1), bias, sums.reshape(-1))
    run_bands(lambda first, last: run_jobs(operands, jobs[first:last]), len(jobs), jobs_per_band(len(jobs)))
