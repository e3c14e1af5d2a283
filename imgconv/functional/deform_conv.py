"""deform_conv2d: convolution whose taps are moved by offsets, as torchvision.ops spells it."""

from itertools import product
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imgconv.arrays import (
    AnyArray,
    FloatArray,
    as_bias,
    as_real_array,
    as_weight,
    as_window,
    check_channels,
    ignore_float_errors,
    sum_dtype,
)
from imgconv.engine.cache import loop
from imgconv.engine.dispatch import patch_block_size
from imgconv.engine.parallel import run_bands
from imgconv.errors import ArgumentTypeError, DoesNotFit
from imgconv.loops.layers import sample_bilinear
from imgconv.window import Size
from imgconv.windows.correlation import layer_size, matrix_product, spans
from imgconv.windows.layout import Layout

BAND_SAMPLES = 2**15  # samples that are worth handing to another thread


def deform_conv2d(
    input: AnyArray,
    offset: AnyArray,
    weight: AnyArray,
    bias: AnyArray | None = None,
    stride: Size = 1,
    padding: Size = 0,
    dilation: Size = 1,
    mask: AnyArray | None = None,
) -> FloatArray:
    """Cross-correlate a batch with kernels whose taps are moved, for every output cell, by offsets of fractions of a cell.

    output[n, o, i, j] = bias[o] + the sum over c, u, v of weight[o, c, u, v] * mask * the input at row
    i*stride - padding + u*dilation + dy and column j*stride - padding + v*dilation + dx, interpolated between the four cells around;
    cells outside are zero.

    Parameters
    ----------
    input : (N, C, H, W), any real dtype
    offset : (N, 2*D*kh*kw, h_out, w_out), for each of D groups of channels and each tap the pair (dy, dx)
    weight : (O, C/groups, kh, kw); the number of groups follows from C
    bias : (O,)
    stride, padding, dilation : whole numbers or (vertical, horizontal), as for `conv2d`
    mask : (N, D*kh*kw, h_out, w_out), what each sample is multiplied with; D follows from `offset`

    Returns
    -------
    (N, O, h_out, w_out), sizes as for `conv2d`; float64 if any array is, else float32.
    It takes N * h_out * w_out * kh * kw * C * (O/groups + 8) multiply-adds.

    Raises
    ------
    ArgumentTypeError (a TypeError)
        for anything but real numpy arrays and whole numbers.
    UsageError, DoesNotFit (both ValueErrors)
        for sizes out of range and shapes that do not match.

    Notes
    -----
    Deformable convolution of Dai et al. 2017 (arXiv:1703.06211), modulated by a mask as of Zhu et al. 2019 (arXiv:1811.11168).
    Matches torchvision.ops.deform_conv2d; wider only in its dtypes. With offsets of zero it is `conv2d`.

    Examples
    --------
    >>> import numpy as np, imgconv
    >>> image = np.arange(9.0).reshape(1, 1, 3, 3)
    >>> half_right = np.zeros((1, 2, 3, 3))
    >>> half_right[:, 1] = 0.5
    >>> imgconv.deform_conv2d(image, half_right, np.ones((1, 1, 1, 1)))
    array([[[[0.5, 1.5, 1. ],
             [3.5, 4.5, 2.5],
             [6.5, 7.5, 4. ]]]])
    """
    batch, bank = as_real_array(input, "input", dims=4), as_weight(weight)
    if isinstance(padding, str):
        raise ArgumentTypeError(f"padding of a deformable convolution must be whole numbers, not {padding!r}")
    layout = Layout(batch.shape, as_window(bank.shape[2:], stride, padding, dilation))
    return _deformed(batch, _moves(offset, mask, layout), bank, as_bias(bias, bank.shape[0]), layout)


def _deformed(batch: AnyArray, moved: tuple[AnyArray, AnyArray], bank: AnyArray, shift: AnyArray | None, layout: Layout) -> FloatArray:
    """The sums of all samples, `moved` by offsets and scaled, and the bias `shift`."""
    groups, (moves, scale) = _groups(batch, bank), moved
    dtype = sum_dtype(batch, moves, bank, shift, scale)
    result = np.zeros((batch.shape[0], bank.shape[0], *layout.output_size), dtype)
    if batch.shape[1]:
        _add_samples(batch, moves, scale, np.ascontiguousarray(bank, dtype).reshape(groups, bank.shape[0] // groups, -1), layout, result)
    if shift is not None:
        result += shift[:, None, None].astype(dtype)
    return result


def _groups(batch: AnyArray, bank: AnyArray) -> int:
    """The number of groups that the channels of the input and of the weight imply."""
    channels, depth = batch.shape[1], bank.shape[1]
    groups = channels // depth if depth else 1
    check_channels(batch.shape, groups * depth, bank.shape)
    if not groups or bank.shape[0] < groups or bank.shape[0] % groups:
        raise DoesNotFit(f"input has {channels} channels, {groups} groups for weight {bank.shape}; they must divide its first axis")
    return groups


def _moves(offset: AnyArray, mask: AnyArray | None, layout: Layout) -> tuple[AnyArray, AnyArray]:
    """`offset` as (N, D*kh*kw, 2, h_out, w_out), and `mask` or ones (N, D*kh*kw, h_out, w_out), both checked."""
    moves, (images, channels), size = as_real_array(offset, "offset", dims=4), layout.shape[:2], layout.output_size
    kernel = prod(layout.window.kernel_size)
    offset_groups = moves.shape[1] // (2 * kernel)
    if moves.shape != (images, 2 * kernel * offset_groups, *size) or not offset_groups or channels % offset_groups:
        needed = f"({images}, 2*D*{kernel}, {size[0]}, {size[1]})"
        raise DoesNotFit(f"offset must have the shape {needed} with a D that divides the {channels} channels, not {moves.shape}")
    shape = (images, offset_groups * kernel, *size)
    scale = np.ones((1, 1, 1, 1), np.float32) if mask is None else as_real_array(mask, "mask", dims=4)
    if mask is not None and scale.shape != shape:
        raise DoesNotFit(f"mask must have the shape {shape}, not {scale.shape}")
    return moves.reshape(images, offset_groups * kernel, 2, *size), np.broadcast_to(scale, shape)


@ignore_float_errors
def _add_samples(batch: AnyArray, moves: AnyArray, scale: AnyArray, taps: NDArray[Any], layout: Layout, result: NDArray[Any]) -> None:
    """Add to `result` the products of `taps` (G, O/G, C/G*kh*kw) with the samples, some rows of an image at a time."""
    groups, outputs = len(taps), result.shape[1]
    step = patch_block_size(layer_size(layout, groups, outputs), result.shape[3]).rows
    for n, (first, last) in product(range(len(batch)), spans(result.shape[2], step)):
        down, across = _places(moves[n, :, :, first:last], layout, first, result.dtype)
        weights = scale[n, :, first:last].reshape(len(down), -1).astype(result.dtype)
        patches = _sampled(np.ascontiguousarray(batch[n], result.dtype), down, across, weights, prod(layout.window.kernel_size))
        sums = matrix_product(taps, patches.reshape(groups, taps.shape[2], -1))
        result[n, :, first:last] += sums.reshape(outputs, last - first, -1)


def _places(moves: AnyArray, layout: Layout, first: int, dtype: np.dtype[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Rows and columns (D*kh*kw, rows*w_out) of all samples of some output rows, `moves` (D*kh*kw, 2, rows, w_out) added."""
    (kh, kw), (sh, sw), (dh, dw) = layout.window.kernel_size, layout.window.stride, layout.window.dilation
    (top, _), (left, _) = layout.window.pads(layout.shape[2:])
    rows = (np.arange(kh) * dh)[:, None, None, None] + (np.arange(first, first + moves.shape[2]) * sh - top)[:, None]
    columns = (np.arange(kw) * dw)[None, :, None, None] + np.arange(moves.shape[3]) * sw - left
    by_tap = moves.astype(dtype, copy=False).reshape(-1, kh, kw, *moves.shape[1:])
    down, across = rows.astype(dtype) + by_tap[:, :, :, 0], columns.astype(dtype) + by_tap[:, :, :, 1]
    return down.reshape(len(moves), -1), across.reshape(len(moves), -1)


def _sampled(image: NDArray[Any], down: NDArray[Any], across: NDArray[Any], weights: NDArray[Any], kernel: int) -> NDArray[Any]:
    """The samples (C, kh*kw, rows*w_out) of an image (C, H, W), spread over threads by channels."""
    patches = np.empty((len(image), kernel, down.shape[1]), image.dtype)
    per_offset_group = len(image) // (len(down) // kernel)

    def work(first: int, last: int) -> None:
        geometry = np.array([per_offset_group, first], np.int64)
        loop(sample_bilinear)(image[first:last], down, across, weights, patches[first:last], geometry)

    run_bands(work, len(image), max(BAND_SAMPLES // patches[0].size, 1))
    return patches
