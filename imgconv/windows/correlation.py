"""Cross-correlate a batch with a bank of weights, and compute the two adjoints of it: the core of every convolution.

Arguments are checked arrays, and a `Layout` for the geometry; `imgconv.engine.dispatch` chooses the algorithm and the block sizes: tiles,
or matrix products of patches. The adjoint in the input is a correlation too, with the taps in reverse order. Where a weight is not finite,
it is made of patches that are added to it, so that a product of 0 and infinity occurs only where a tap meets a cell of the input.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import product
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imgconv.arrays import AnyArray, ignore_float_errors
from imgconv.engine.blas import one_blas_thread
from imgconv.engine.compiled import loop
from imgconv.engine.dispatch import (
    LEAST_POSITIONS,
    LEAST_ROWS,
    MOST_PHASES,
    STRIP_COLUMNS,
    algorithm,
    patch_block_size,
    patch_columns,
    spreads,
    takes_planes,
    takes_tiles,
    takes_tiles_of_channels,
)
from imgconv.engine.parallel import run_bands
from imgconv.engine.tiles import tiles_work
from imgconv.loops.layers import swap_channels
from imgconv.windows.layout import Block, Layout, Range, gather, layer_size, ranges, scatter
from imgconv.windows.tiles import WeightOrder, sum_tiles
from imgconv.windows.weight_gradient import sum_planes, sum_products

BAND_WORK = 2**22  # multiply-adds of a matrix product that are worth sharing
SPARE_TAPS = 16  # rows of 2**10 taps would share sets of the first-level cache
BAND_WEIGHTS = 2**17  # that are worth rearranging on another thread
MIN_BAND = 128  # rows or columns below which BLAS packs its operands for too little work

Part = tuple[Block, Range, Range]  # a block, its groups, and its channels within each group


def correlate(input: AnyArray, weight: AnyArray, bias: AnyArray | None, layout: Layout, groups: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    """The cross-correlation (N, O, h_out, w_out) of `input` with `weight` (O, C/groups, kh, kw), `bias` (O) added."""
    outputs = weight.shape[0]
    result = np.empty((layout.shape[0], outputs, *layout.output_size), dtype)
    shift = np.zeros(outputs, dtype) if bias is None else bias.astype(dtype)
    if not weight.size:
        result[...] = shift[:, None, None]
        return result
    weights = np.ascontiguousarray(weight, dtype)
    if algorithm(layer_size(layout, groups, outputs)) == "product" or not tiles_work():
        taps = weights.reshape(groups, outputs // groups, -1)
        for strip, part, output in _strips(layout, input, result) if result.size else ():
            _add_products(part, taps, shift, strip, _parts(strip, groups, outputs), output)
    else:
        kernel, total = prod(weight.shape[2:]), prod(weight.shape[1:])
        order = WeightOrder(groups, outputs // groups, outputs // groups * total, total, kernel, tuple(range(kernel)))
        _sum_strips(input, weights, order, shift, layout, result)
    return result


@ignore_float_errors
def correlate_input(
    output: AnyArray, weight: AnyArray, bias: AnyArray | None, layout: Layout, groups: int, dtype: np.dtype[Any]
) -> NDArray[Any]:
    """The adjoint in the input: (N, C, H, W), the sum of all windows, each times its value of `output` (N, O, h_out, w_out).

    `bias` (C) is added. The cells of each stride phase are a correlation of `output` with the taps that meet them, in reverse order;
    where a weight is not finite, it must not meet the padding of that correlation.
    """
    channels = layout.shape[1]
    is_finite = tiles_work() and bool(np.isfinite(weight).all())
    if is_finite and output.size and spreads(channels // groups, layout.window.stride):
        output, layout = _spread(output, layout)
    shift = np.zeros(channels, dtype) if bias is None else bias.astype(dtype)
    fits = takes_tiles(layer_size(layout, groups, len(weight)), prod(layout.window.stride))
    if not (fits and is_finite):
        return _add_windows(output, weight, layout, groups, dtype) + shift[:, None, None]
    result = np.empty(layout.shape, dtype)
    (outputs, group_channels, *kernel_size), group_outputs = weight.shape, weight.shape[0] // groups
    split = np.ascontiguousarray(weight, dtype).reshape(groups, group_outputs, group_channels, -1)
    numbers = np.arange(split.shape[3]).reshape(kernel_size)
    for cells, taps, phase in layout.adjoints(outputs):
        part = result[:, :, cells[0], cells[1]]
        if numbers[taps].size:
            kernel = numbers[taps].size
            swapped = _swapped(split, numbers[taps].ravel()[::-1].copy())  # cells are read forwards, which is faster
            order = WeightOrder(groups, group_channels, swapped[0].size, swapped.shape[2], kernel, tuple(range(kernel)))
            _sum_strips(output, swapped, order, shift, phase, part)
        else:
            part[...] = shift[:, None, None]
    return result


def rows_of_part(columns: int) -> int:
    """Output rows that a part of a map of many rows has at least, to be correlated in the same way as the whole map.

    A transposed convolution that is computed by tiles has at least a MOST_PHASES-th of its output cells as input.
    """
    return max(MOST_PHASES * LEAST_ROWS, -(-MOST_PHASES * 2 * LEAST_POSITIONS // max(columns, 1)))


def _spread(output: AnyArray, layout: Layout) -> tuple[AnyArray, Layout]:
    """The output of windows at a stride of 1, zero where the layout has no window, and the layout with these windows."""
    stride = layout.window.stride
    windows = tuple((count - 1) * step + 1 for count, step in zip(output.shape[2:], stride, strict=True))
    spread = np.zeros((*output.shape[:2], *windows), output.dtype)
    spread[:, :, :: stride[0], :: stride[1]] = output
    return spread, replace(layout, window=replace(layout.window, stride=(1, 1), around=layout.pads), windows=windows)


def _swapped(weights: NDArray[Any], taps: NDArray[np.int64]) -> NDArray[Any]:
    """Some taps of `weights` (G, O, C, K) as (G, C, O*T), with a few elements to spare in each row."""
    groups, outputs, channels, kernel = weights.shape
    swapped = np.empty((groups, channels, outputs * len(taps) + SPARE_TAPS), weights.dtype)
    source, target = weights.reshape(groups * outputs, -1), swapped.reshape(groups * channels, -1)

    def work(first: int, last: int) -> None:
        loop(swap_channels)(source, channels, kernel, taps, target, first, last)

    run_bands(work, channels, max(BAND_WEIGHTS * channels // swapped.size, 16))
    return swapped


@ignore_float_errors
def correlate_weight(
    input: AnyArray, output: AnyArray, layout: Layout, weight_shape: tuple[int, ...], groups: int, dtype: np.dtype[Any]
) -> NDArray[Any]:
    """The adjoint in the weight: (O, C/groups, kh, kw), the sum of all windows, each times its value of `output`, added up in float64."""
    size = layer_size(layout, groups, weight_shape[0])
    if takes_tiles_of_channels(size) and tiles_work():
        return sum_products(input, output, layout, weight_shape, groups, dtype)
    if takes_planes(size) and input.size and output.size and tiles_work() and np.isfinite(input).all():
        return sum_planes(input, output, layout, weight_shape, groups, dtype)
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


def _sum_strips(
    input: AnyArray, weights: NDArray[Any], order: WeightOrder, shift: NDArray[Any], layout: Layout, result: NDArray[Any]
) -> None:
    """Fill `result`, a whole array or a view of one, with the correlation with `weights`, and `shift` (O) added, by tiles."""
    for first, part, strip in layout.strips(input, STRIP_COLUMNS) if result.size else ():
        sum_tiles(part, weights, order, shift, strip, result[..., first : first + strip.output_size[1]])


def _add_windows(output: AnyArray, weight: AnyArray, layout: Layout, groups: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    """The adjoint in the input by matrix products, whose patches are added to the cells that the windows see."""
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
