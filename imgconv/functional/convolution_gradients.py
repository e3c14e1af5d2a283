"""Gradients of conv1d and conv2d, in torch.nn.grad's words: the adjoints of the convolution, and sums.

This module checks that the shapes of the forward and the backward call belong together.
"""

from collections.abc import Sequence

import numpy as np

from imgconv.functional.adjoints import correlate_input, correlate_weight
from imgconv.functional.arrays import (
    AnyArray,
    FloatArray,
    Size,
    as_full_batch,
    as_given,
    as_groups,
    as_shape,
    as_weight,
    as_window,
    check_channels,
    check_shape,
    silent,
    sum_dtype,
)
from imgconv.functional.cells import Layout


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
    bank, shape, grad = as_weight(weight, dims), as_shape(input_size, "input_size", dims), as_full_batch(grad_output, "grad_output", dims)
    groups = as_groups(groups, bank.shape)
    check_channels(shape, groups * bank.shape[1], bank.shape, "input_size")
    layout = Layout(shape, as_window(bank.shape[4 - dims :], stride, padding, dilation, dims))
    check_shape(grad, (shape[0], bank.shape[0], *layout.output_size), dims)
    return as_given(correlate_input(grad, bank, layout, groups, sum_dtype(bank, grad)), True, dims)


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
        as_full_batch(input, "input", dims),
        as_shape(weight_size, "weight_size", dims),
        as_full_batch(grad_output, "grad_output", dims),
    )
    groups = as_groups(groups, shape)
    check_channels(batch.shape, groups * shape[1], shape)
    layout = Layout(batch.shape, as_window(shape[4 - dims :], stride, padding, dilation, dims))
    check_shape(grad, (len(batch), shape[0], *layout.output_size), dims)
    return as_given(correlate_weight(batch, grad, layout, shape, groups, sum_dtype(batch, grad)), True, dims)


@silent
def _bias(grad_output: AnyArray, *, dims: int) -> FloatArray:
    grad = as_full_batch(grad_output, "grad_output", dims)
    return grad.sum((0, 2, 3), np.float64).astype(sum_dtype(grad))
