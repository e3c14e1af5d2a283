"""Deformable convolution, deform_conv2d, with the arguments of torchvision.ops.deform_conv2d."""

from itertools import product
from math import prod

import numpy as np

from imgconv.arrays import (
    AnyArray,
    Array,
    FloatArray,
    as_bias,
    as_real_array,
    as_weight,
    as_window,
    check_channels,
    check_numeric,
    ignore_float_errors,
    sum_dtype,
)
from imgconv.engine.compiled import loop
from imgconv.engine.dispatch import patch_block_size
from imgconv.engine.parallel import run_bands
from imgconv.errors import DoesNotFit
from imgconv.loops.layers import sample_bilinear
from imgconv.window import Size
from imgconv.windows.correlation import matrix_product
from imgconv.windows.layout import Layout, layer_size, ranges

BAND_SAMPLES = 2**15  # fewer samples are not worth another thread


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
    """Cross-correlate a batch of images with kernels whose taps are moved by an offset, in fractions of a cell, for every output cell.

    output[n, o, i, j] = bias[o] + the sum over c, u, v of weight[o, c, u, v] * mask * the input at row
    i*stride - padding + u*dilation + dy and column j*stride - padding + v*dilation + dx, interpolated between the four nearest cells.
    Cells outside the input are zero; an offset of NaN gives NaN.

    Parameters
    ----------
    input : (N, C, H, W), any real dtype
    offset : (N, 2*D*kh*kw, h_out, w_out), a pair (dy, dx) for each of D groups of channels and each tap
    weight : (O, C/groups, kh, kw); the number of groups follows from C
    bias : (O,)
    stride, padding, dilation : int or (vertical, horizontal), as for `conv2d`
    mask : (N, D*kh*kw, h_out, w_out), a factor for each sample; D follows from `offset`

    Returns
    -------
    (N, O, h_out, w_out), sizes as for `conv2d`; float64 if any array is, else float32.
    The cost is N * h_out * w_out * kh * kw * C * (O/groups + 8) multiply-adds.

    Raises
    ------
    ArgumentTypeError (a TypeError)
        for anything but real numpy arrays and whole numbers.
    UsageError, DoesNotFit (both ValueErrors)
        for sizes out of range and shapes that do not match.

    Notes
    -----
    Source: Dai et al. 2017 (arXiv:1703.06211); the mask: Zhu et al. 2019 (arXiv:1811.11168).
    Matches torchvision.ops.deform_conv2d; wider only in its dtypes. With offsets of zero the result is that of `conv2d`.

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
    batch, weight = as_real_array(input, "input", dims=4), as_weight(weight)
    check_numeric(padding, "a deformable convolution")
    layout = Layout(batch.shape, as_window(weight.shape[2:], stride, padding, dilation))
    offset, mask = _as_offset(offset, layout), None if mask is None else as_real_array(mask, "mask", dims=4)
    factors = _factors(mask, offset.shape)
    bias, groups = as_bias(bias, weight.shape[0]), _groups(batch, weight)
    output: FloatArray = np.zeros((len(batch), len(weight), *layout.output_size), sum_dtype(batch, offset, weight, bias, factors))
    if batch.shape[1]:
        taps = np.ascontiguousarray(weight, output.dtype).reshape(groups, len(weight) // groups, -1)
        _add_products(batch, offset, factors, taps, layout, output)
    if bias is not None:
        output += bias[:, None, None].astype(output.dtype)
    return output


def _groups(batch: AnyArray, weight: AnyArray) -> int:
    """Return the number of groups that follows from the channels of the input and of the weight."""
    channels, group_channels = batch.shape[1], weight.shape[1]
    groups = channels // group_channels if group_channels else 1
    check_channels(batch.shape, groups * group_channels, weight.shape)
    if not groups or len(weight) < groups or len(weight) % groups:
        message = f"input has {channels} channels, which makes {groups} groups for weight {weight.shape}"
        raise DoesNotFit(f"{message}; the number of groups must divide the first axis of the weight")
    return groups


def _as_offset(offset: AnyArray, layout: Layout) -> AnyArray:
    """Return `offset`, checked, as (N, D*kh*kw, 2, h_out, w_out)."""
    offset, (images, channels), size = as_real_array(offset, "offset", dims=4), layout.shape[:2], layout.output_size
    taps = prod(layout.window.kernel_size)
    offset_groups = offset.shape[1] // (2 * taps)
    if offset.shape != (images, 2 * taps * offset_groups, *size) or not offset_groups or channels % offset_groups:
        expected = f"({images}, 2*D*{taps}, {size[0]}, {size[1]})"
        raise DoesNotFit(f"offset must have the shape {expected} with a D that divides the {channels} channels, got {offset.shape}")
    return offset.reshape(images, offset_groups * taps, 2, *size)


def _factors(mask: AnyArray | None, offset_shape: tuple[int, ...]) -> AnyArray:
    """Return `mask`, checked, or ones, as (N, D*kh*kw, h_out, w_out)."""
    shape = (*offset_shape[:2], *offset_shape[3:])
    if mask is None:
        return np.broadcast_to(np.float32(1), shape)
    if mask.shape != shape:
        raise DoesNotFit(f"mask must have the shape {shape}, got {mask.shape}")
    return mask


@ignore_float_errors
def _add_products(batch: AnyArray, offset: AnyArray, factors: AnyArray, taps: Array, layout: Layout, output: Array) -> None:
    """Add to `output` the products of `taps` (G, O/G, C/G*kh*kw) with the samples, a band of output rows at a time."""
    groups, outputs = len(taps), output.shape[1]
    step = patch_block_size(layer_size(layout, groups, outputs), output.shape[3]).rows
    for n, (first, last) in product(range(len(batch)), ranges(output.shape[2], step)):
        rows, columns = _positions(offset[n, :, :, first:last], layout, first, output.dtype)
        scales = factors[n, :, first:last].reshape(len(rows), -1).astype(output.dtype)
        samples = _samples(np.ascontiguousarray(batch[n], output.dtype), rows, columns, scales, prod(layout.window.kernel_size))
        sums = matrix_product(taps, samples.reshape(groups, taps.shape[2], -1))
        output[n, :, first:last] += sums.reshape(outputs, last - first, -1)


def _positions(offset: AnyArray, layout: Layout, first: int, dtype: np.dtype[np.floating]) -> tuple[Array, Array]:
    """Return the rows and columns (D*kh*kw, rows*w_out) of the samples of output rows from `first` on.

    `offset` is (D*kh*kw, 2, rows, w_out).
    """
    (kh, kw), (sh, sw), (dh, dw) = layout.window.kernel_size, layout.window.stride, layout.window.dilation
    (top, _), (left, _) = layout.window.pads(layout.shape[2:])
    rows = (np.arange(kh) * dh)[:, None, None, None] + (np.arange(first, first + offset.shape[2]) * sh - top)[:, None]
    columns = (np.arange(kw) * dw)[None, :, None, None] + np.arange(offset.shape[3]) * sw - left
    by_tap = offset.astype(dtype, copy=False).reshape(-1, kh, kw, *offset.shape[1:])
    moved_rows, moved_columns = rows.astype(dtype) + by_tap[:, :, :, 0], columns.astype(dtype) + by_tap[:, :, :, 1]
    return moved_rows.reshape(len(offset), -1), moved_columns.reshape(len(offset), -1)


def _samples(image: Array, rows: Array, columns: Array, scales: Array, taps: int) -> Array:
    """Return the samples (C, kh*kw, rows*w_out) of an image (C, H, W), computed by several threads."""
    samples = np.empty((len(image), taps, rows.shape[1]), image.dtype)
    channels_per_offset = len(image) // (len(rows) // taps)

    def work(first: int, last: int) -> None:
        geometry = np.array([channels_per_offset, first], np.int64)
        loop(sample_bilinear)(image[first:last], rows, columns, scales, samples[first:last], geometry)

    run_bands(work, len(image), max(BAND_SAMPLES // samples[0].size, 1))
    return samples
