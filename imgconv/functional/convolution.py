"""conv1d and conv2d: what torch.nn.functional's calls of these names compute, on numpy arrays."""

import numpy as np

from imgconv.functional.arrays import (
    AnyArray,
    FloatArray,
    Size,
    as_batch,
    as_bias,
    as_given,
    as_groups,
    as_weight,
    as_window,
    check_channels,
    sum_dtype,
)
from imgconv.functional.borders import Border
from imgconv.functional.cells import Layout
from imgconv.functional.correlations import correlate


def conv2d(
    input: AnyArray,
    weight: AnyArray,
    bias: AnyArray | None = None,
    stride: Size = 1,
    padding: Size | str = 0,
    dilation: Size = 1,
    groups: int = 1,
    *,
    padding_mode: str | tuple[str, float] = "zeros",
    flip: bool = False,
) -> FloatArray:
    """Cross-correlate a batch of images with a bank of kernels.

    output[n, o, i, j] = bias[o] + the sum over c, u, v of weight[o, c, u, v] * padded[n, c, i*stride + u*dilation, j*stride + v*dilation].

    Parameters
    ----------
    input : (N, C, H, W) or (C, H, W), any real dtype; (H, W) with a 2-D weight
    weight : (O, C/groups, kh, kw); (kh, kw) with a 2-D input
    bias : (O,), added to every cell of an output channel
    stride, dilation : cells between windows, and between the taps of one; an int or (vertical, horizontal)
    padding : cells added on both sides, an int or (vertical, horizontal); or "valid" for none, "same" for an output of
        ceil(size / stride), "full" for dilation*(k-1) on each side, every position where window and input meet
    groups : channels are split into this many groups, each with its own share of the outputs
    padding_mode : what the padding holds: "zeros", ("constant", value), "replicate", "reflect", "symmetric" or "circular"
    flip : turn the kernels by 180 degrees: the mathematical convolution of scipy.signal, not the cross-correlation of torch

    Returns
    -------
    (N, O, h_out, w_out), or without N as the input was; float64 if any array is, else float32.
    h_out = floor((H + 2*padding - dilation*(kh-1) - 1) / stride) + 1, and w_out likewise.

    It takes N * O * h_out * w_out * (C/groups) * kh * kw multiply-adds.

    Raises
    ------
    ArgumentTypeError (a TypeError)
        for anything but real numpy arrays and whole numbers.
    UsageError, DoesNotFit (both ValueErrors)
        for sizes that are not positive, unknown names, shapes that do not match, and windows larger than the padded input.

    Notes
    -----
    Matches torch.nn.functional.conv2d, and torch.nn.Conv2d for `padding_mode`. Wider than torch: "same" with strides (TensorFlow's rule,
    the odd cell after), "full", "symmetric", `flip`, plain (H, W) images, mixed and integer dtypes. Padded cells take part in the sum:
    0 * inf is NaN, as in torch.

    Examples
    --------
    >>> import numpy as np, imgconv
    >>> image = np.arange(1.0, 10).reshape(1, 1, 3, 3)
    >>> imgconv.conv2d(image, np.array([[[[0, 1], [2, 3]]]]))
    array([[[[25., 31.],
             [43., 49.]]]])
    """
    if isinstance(input, np.ndarray) and isinstance(weight, np.ndarray) and input.ndim == weight.ndim == 2:
        input, weight = input[None], weight[None, None]
        return _convolve(input, weight, bias, stride, padding, dilation, groups, padding_mode, flip, dims=2)[0]
    return _convolve(input, weight, bias, stride, padding, dilation, groups, padding_mode, flip, dims=2)


def conv1d(
    input: AnyArray,
    weight: AnyArray,
    bias: AnyArray | None = None,
    stride: Size = 1,
    padding: Size | str = 0,
    dilation: Size = 1,
    groups: int = 1,
    *,
    padding_mode: str | tuple[str, float] = "zeros",
    flip: bool = False,
) -> FloatArray:
    """Cross-correlate a batch of signals with a bank of kernels; `conv2d` with a height of 1.

    Parameters
    ----------
    input : (N, C, L) or (C, L), any real dtype
    weight : (O, C/groups, k)
    bias : (O,)
    stride, padding, dilation, groups, padding_mode, flip : as for `conv2d`, along the one axis

    Returns
    -------
    (N, O, l_out) or (O, l_out), l_out = floor((L + 2*padding - dilation*(k-1) - 1) / stride) + 1; dtype as for `conv2d`.
    It takes N * O * l_out * (C/groups) * k multiply-adds.

    Raises
    ------
    ArgumentTypeError, UsageError, DoesNotFit
        as `conv2d` does.

    Notes
    -----
    Matches torch.nn.functional.conv1d, and is wider than it where `conv2d` is.

    Examples
    --------
    >>> import numpy as np, imgconv
    >>> imgconv.conv1d(np.array([[1.0, 2, 4, 8]]), np.array([[[-1.0, 1]]]))
    array([[1., 2., 4.]])
    """
    return _convolve(input, weight, bias, stride, padding, dilation, groups, padding_mode, flip, dims=1)


def _convolve(
    input: AnyArray,
    weight: AnyArray,
    bias: AnyArray | None,
    stride: Size,
    padding: Size | str,
    dilation: Size,
    groups: int,
    padding_mode: str | tuple[str, float],
    flip: bool,
    *,
    dims: int,
) -> FloatArray:
    batch, batched = as_batch(input, dims=dims)
    bank = as_weight(weight, dims)
    groups = as_groups(groups, bank.shape)
    shift = as_bias(bias, bank.shape[0])
    window = as_window(bank.shape[4 - dims :], stride, padding, dilation, dims)
    check_channels(batch.shape, groups * bank.shape[1], weight.shape)
    layout = Layout(batch.shape, window, Border.of(padding_mode))
    if flip:
        bank = bank[:, :, ::-1, ::-1]
    return as_given(correlate(batch, bank, shift, layout, groups, sum_dtype(batch, bank, shift)), batched, dims)
