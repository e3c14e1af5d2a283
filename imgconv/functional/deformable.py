"""deform_conv2d: convolution whose taps are moved by offsets, as torchvision.ops spells it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from imgconv.engine.bands import run_bands
from imgconv.engine.choose import patch_block_size
from imgconv.engine.store import loop
from imgconv.errors import ArgumentTypeError, DoesNotFit
from imgconv.functional.arrays import AnyArray, FloatArray, Size, as_bias, as_weight, as_window, check_channels, real_array, sum_dtype
from imgconv.functional.cells import Layout
from imgconv.functional.correlations import layer_size, spans
from imgconv.loops.sampling import sample_bilinear


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
    batch, bank = real_array(input, "input", dims=4), as_weight(weight)
    if isinstance(padding, str):
        raise ArgumentTypeError(f"padding of a deformable convolution must be whole numbers, not {padding!r}")
    window = as_window(bank.shape[2:], stride, padding, dilation)
    groups = _groups(batch, bank)
    check_channels(batch, groups * bank.shape[1], bank)
    shift = as_bias(bias, bank.shape[0])
    layout = Layout(batch.shape, window)
    moves, scale = _moves(offset, layout), None if mask is None else real_array(mask, "mask", dims=4)
    kernel = bank.shape[2] * bank.shape[3]
    offset_groups = _offset_groups(moves, layout, kernel)
    if scale is not None:
        _check_shape(scale, "mask", (batch.shape[0], offset_groups * kernel, *layout.output_size))
    dtype = sum_dtype(batch, moves, bank, shift, scale)
    if scale is None:
        scale = np.broadcast_to(np.ones(1, dtype), (batch.shape[0], offset_groups * kernel, *layout.output_size))
    taps = bank.astype(dtype, copy=False).reshape(groups, bank.shape[0] // groups, -1)
    result = np.zeros((batch.shape[0], bank.shape[0], *layout.output_size), dtype)
    if shift is not None:
        result += shift[:, None, None].astype(dtype)
    size = layer_size(layout, groups, bank.shape[0])
    for n in range(batch.shape[0] if batch.shape[1] else 0):
        image = np.ascontiguousarray(batch[n], dtype)
        for first, last in spans(layout.output_size[0], patch_block_size(size, layout.output_size[1]).rows):
            patches = _sampled(image, moves[n, :, first:last], scale[n, :, first:last], layout, first)
            sums = np.matmul(taps, patches.reshape(groups, taps.shape[2], -1))
            result[n, :, first:last] += sums.reshape(bank.shape[0], last - first, -1)
    return result
