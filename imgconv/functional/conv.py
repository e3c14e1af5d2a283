"""conv1d and conv2d: what torch.nn.functional's calls of these names compute, on numpy arrays.

Gradients of conv1d and conv2d, in torch.nn.grad's words: the adjoints of the convolution, and sums.

This module checks that the shapes of the forward and the backward call belong together.
"""

from collections.abc import Sequence

import numpy as np

from imgconv.arrays import (
    AnyArray,
    FloatArray,
    as_batch,
    as_bias,
    as_groups,
    as_shape,
    as_weight,
    as_window,
    check_channels,
    check_grad_output,
    from_batch,
    ignore_float_errors,
    require_batch,
    sum_dtype,
)
from imgconv.window import Size
from imgconv.windows.borders import Border
from imgconv.windows.correlation import correlate, correlate_input, correlate_weight
from imgconv.windows.layout import Layout


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
    return from_batch(correlate(batch, bank, shift, layout, groups, sum_dtype(batch, bank, shift)), batched, dims)


def conv2d_input(
    input_size: Sequence[int],
    weight: AnyArray,
    grad_output: AnyArray,
    stride: Size = 1,
    padding: Size | str = 0,
    dilation: Size = 1,
    groups: int = 1,
) -> FloatArray:
    """The gradient of `conv2d` in its input: every window's cells get the weight times the gradient of their output.

    Parameters
    ----------
    input_size : (N, C, H, W), the shape of the input; strides leave it open
    weight : (O, C/groups, kh, kw)
    grad_output : (N, O, h_out, w_out)
    stride, padding, dilation, groups : those of the convolution, with a border of zeros

    Returns
    -------
    (N, C, H, W); float64 if any array is, else float32. It takes as many multiply-adds as the convolution.

    Raises
    ------
    ArgumentTypeError (a TypeError), UsageError, DoesNotFit (both ValueErrors)
        as `conv2d` does, and for a `grad_output` of another shape than the output of such a convolution.

    Notes
    -----
    Matches torch.nn.grad.conv2d_input; `padding` may be a name too.

    Examples
    --------
    >>> import numpy as np, imgconv
    >>> imgconv.gradients.conv2d_input((1, 1, 1, 3), np.array([[[[1.0, 10]]]]), np.array([[[[1.0, 2]]]]))
    array([[[[ 1., 12., 20.]]]])
    """
    return _conv_input(input_size, weight, grad_output, stride, padding, dilation, groups, dims=2)


def conv2d_weight(
    input: AnyArray,
    weight_size: Sequence[int],
    grad_output: AnyArray,
    stride: Size = 1,
    padding: Size | str = 0,
    dilation: Size = 1,
    groups: int = 1,
) -> FloatArray:
    """The gradient of `conv2d` in its weight: the sum of all windows, each times the gradient of its output.

    Parameters
    ----------
    input : (N, C, H, W), any real dtype
    weight_size : (O, C/groups, kh, kw), the shape of the weight
    grad_output : (N, O, h_out, w_out)
    stride, padding, dilation, groups : those of the convolution, with a border of zeros

    Returns
    -------
    (O, C/groups, kh, kw); float64 if any array is, else float32. It takes as many multiply-adds as the convolution.

    Raises
    ------
    ArgumentTypeError (a TypeError), UsageError, DoesNotFit (both ValueErrors)
        as `conv2d` does, and for a `grad_output` of another shape than the output of such a convolution.

    Notes
    -----
    Matches torch.nn.grad.conv2d_weight; `padding` may be a name too.

    Examples
    --------
    >>> import numpy as np, imgconv
    >>> imgconv.gradients.conv2d_weight(np.array([[[[1.0, 2, 4]]]]), (1, 1, 1, 2), np.array([[[[1.0, 10]]]]))
    array([[[[21., 42.]]]])
    """
    return _conv_weight(input, weight_size, grad_output, stride, padding, dilation, groups, dims=2)


def conv2d_bias(grad_output: AnyArray) -> FloatArray:
    """The gradient of `conv2d` in its bias: the sum of `grad_output` (N, O, h_out, w_out) over all but its channels, (O,).

    Summed in float64; float64 if `grad_output` is, else float32. Raises ArgumentTypeError and DoesNotFit for anything but such an array.

    >>> import numpy as np, imgconv
    >>> imgconv.gradients.conv2d_bias(np.ones((2, 3, 4, 5)))
    array([40., 40., 40.])
    """
    return _bias(grad_output, dims=2)


def conv1d_input(
    input_size: Sequence[int],
    weight: AnyArray,
    grad_output: AnyArray,
    stride: Size = 1,
    padding: Size | str = 0,
    dilation: Size = 1,
    groups: int = 1,
) -> FloatArray:
    """The gradient of `conv1d` in its input: every window's cells get the weight times the gradient of their output.

    Parameters
    ----------
    input_size : (N, C, L), the shape of the input; strides leave it open
    weight : (O, C/groups, k)
    grad_output : (N, O, l_out)
    stride, padding, dilation, groups : those of the convolution, with a border of zeros

    Returns
    -------
    (N, C, L); float64 if any array is, else float32. It takes as many multiply-adds as the convolution.

    Raises
    ------
    ArgumentTypeError (a TypeError), UsageError, DoesNotFit (both ValueErrors)
        as `conv1d` does, and for a `grad_output` of another shape than the output of such a convolution.

    Notes
    -----
    Matches torch.nn.grad.conv1d_input; `padding` may be a name too.

    Examples
    --------
    >>> import numpy as np, imgconv
    >>> imgconv.gradients.conv1d_input((1, 1, 3), np.array([[[1.0, 10]]]), np.array([[[1.0, 2]]]))
    array([[[ 1., 12., 20.]]])
    """
    return _conv_input(input_size, weight, grad_output, stride, padding, dilation, groups, dims=1)


def conv1d_weight(
    input: AnyArray,
    weight_size: Sequence[int],
    grad_output: AnyArray,
    stride: Size = 1,
    padding: Size | str = 0,
    dilation: Size = 1,
    groups: int = 1,
) -> FloatArray:
    """The gradient of `conv1d` in its weight: the sum of all windows, each times the gradient of its output.

    Parameters
    ----------
    input : (N, C, L), any real dtype
    weight_size : (O, C/groups, k), the shape of the weight
    grad_output : (N, O, l_out)
    stride, padding, dilation, groups : those of the convolution, with a border of zeros

    Returns
    -------
    (O, C/groups, k); float64 if any array is, else float32. It takes as many multiply-adds as the convolution.

    Raises
    ------
    ArgumentTypeError (a TypeError), UsageError, DoesNotFit (both ValueErrors)
        as `conv1d` does, and for a `grad_output` of another shape than the output of such a convolution.

    Notes
    -----
    Matches torch.nn.grad.conv1d_weight; `padding` may be a name too.

    Examples
    --------
    >>> import numpy as np, imgconv
    >>> imgconv.gradients.conv1d_weight(np.array([[[1.0, 2, 4]]]), (1, 1, 2), np.array([[[1.0, 10]]]))
    array([[[21., 42.]]])
    """
    return _conv_weight(input, weight_size, grad_output, stride, padding, dilation, groups, dims=1)


def conv1d_bias(grad_output: AnyArray) -> FloatArray:
    """The gradient of `conv1d` in its bias: the sum of `grad_output` (N, O, l_out) over all but its channels, (O,).

    Summed in float64; float64 if `grad_output` is, else float32. Raises ArgumentTypeError and DoesNotFit for anything but such an array.

    >>> import numpy as np, imgconv
    >>> imgconv.gradients.conv1d_bias(np.ones((2, 3, 4)))
    array([8., 8., 8.])
    """
    return _bias(grad_output, dims=1)


def _conv_input(
    input_size: Sequence[int],
    weight: AnyArray,
    grad_output: AnyArray,
    stride: Size,
    padding: Size | str,
    dilation: Size,
    groups: int,
    *,
    dims: int,
) -> FloatArray:
    bank, shape, grad = as_weight(weight, dims), as_shape(input_size, "input_size", dims), require_batch(grad_output, "grad_output", dims)
    groups = as_groups(groups, bank.shape)
    check_channels(shape, groups * bank.shape[1], bank.shape, "input_size")
    layout = Layout(shape, as_window(bank.shape[4 - dims :], stride, padding, dilation, dims))
    check_grad_output(grad, (shape[0], bank.shape[0], *layout.output_size), dims)
    return from_batch(correlate_input(grad, bank, layout, groups, sum_dtype(bank, grad)), True, dims)


def _conv_weight(
    input: AnyArray,
    weight_size: Sequence[int],
    grad_output: AnyArray,
    stride: Size,
    padding: Size | str,
    dilation: Size,
    groups: int,
    *,
    dims: int,
) -> FloatArray:
    batch, shape, grad = (
        require_batch(input, "input", dims),
        as_shape(weight_size, "weight_size", dims),
        require_batch(grad_output, "grad_output", dims),
    )
    groups = as_groups(groups, shape)
    check_channels(batch.shape, groups * shape[1], shape)
    layout = Layout(batch.shape, as_window(shape[4 - dims :], stride, padding, dilation, dims))
    check_grad_output(grad, (len(batch), shape[0], *layout.output_size), dims)
    return from_batch(correlate_weight(batch, grad, layout, shape, groups, sum_dtype(batch, grad)), True, dims)


@ignore_float_errors
def _bias(grad_output: AnyArray, *, dims: int) -> FloatArray:
    grad = require_batch(grad_output, "grad_output", dims)
    return grad.sum((0, 2, 3), np.float64).astype(sum_dtype(grad))
