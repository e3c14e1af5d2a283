"""The two adjoints of `imgconv.functional.correlations.correlate`: in its input and in its weight.

Both unfold a block at a time and take matrix products, so that 0 * inf is met only where a tap meets a cell of the input. The first is
the transposed convolution and the gradient of the input, the second the gradient of the weight. This module knows nothing of argument
forms or errors.
"""

from collections.abc import Iterator
from itertools import product
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imgconv.engine.choose.layers import patch_block_size, patch_columns
from imgconv.functional.arrays import AnyArray, silent
from imgconv.functional.cells import Block, Layout, Span
from imgconv.functional.correlations import layer_size, spans
from imgconv.functional.products import matrix_product
from imgconv.functional.unfolding import gather, scatter


@silent
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


@silent
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
