"""Convolution over one and two axes, conv1d and conv2d, and its gradients; as in torch, the operation is cross-correlation."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from imgconv.arguments import as_flag
from imgconv.arrays import (
    AnyArray,
    FloatArray,
    Shape,
    as_batch,
    as_bias,
    as_groups,
    as_plain,
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
from imgconv.engine.dispatch import algorithm
from imgconv.window import Padding, Size, Window
from imgconv.windows.borders import Border
from imgconv.windows.correlation import correlate, correlate_input, correlate_weight
from imgconv.windows.layout import ZEROS, Layout, layer_size


def conv2d(
    input: AnyArray,
    weight: AnyArray,
    bias: AnyArray | None = None,
    stride: Size = 1,
    padding: Padding = 0,
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
    stride, dilation : cells between windows, and between the taps of a window; an int or (vertical, horizontal)
    padding : cells added on both sides, an int or (vertical, horizontal); or "valid" for none, "same" for an output of
        ceil(size / stride), "full" for dilation*(k-1) cells on each side, every position where window and input overlap
    groups : number of groups into which the channels are split, each with its own share of the outputs
    padding_mode : values of the padding: "zeros", ("constant", value), "replicate", "reflect", "symmetric" or "circular"
    flip : rotate the kernels by 180 degrees, which gives the mathematical convolution of scipy.signal

    Returns
    -------
    (N, O, h_out, w_out), without N if the input has none; float64 if any array is, else float32.
    h_out = floor((H + 2*padding - dilation*(kh-1) - 1) / stride) + 1, and w_out likewise.
    The cost is N * O * h_out * w_out * (C/groups) * kh * kw multiply-adds.

    Raises
    ------
    ArgumentTypeError (a TypeError)
        for anything but real numpy arrays and whole numbers.
    UsageError, DoesNotFit (both ValueErrors)
        for sizes that are not positive, unknown names, shapes that do not match, and windows larger than the padded input.

    Notes
    -----
    Matches torch.nn.functional.conv2d, and torch.nn.Conv2d for `padding_mode`. Wider than torch: "same" with strides (TensorFlow's rule,
    the odd cell after), "full", "symmetric", `flip`, plain (H, W) images, mixed and integer dtypes. Padded cells are part of the sum:
    0 * inf is NaN, as in torch.

    Examples
    --------
    >>> import numpy as np, imgconv
    >>> image = np.arange(1.0, 10).reshape(1, 1, 3, 3)
    >>> imgconv.conv2d(image, np.array([[[[0, 1], [2, 3]]]]))
    array([[[[25., 31.],
             [43., 49.]]]])
    """
    parameters = _Parameters(2, stride, padding, dilation, groups)
    if (plain := as_plain(input, weight)) is not None:
        return _forward(*plain, bias, parameters, padding_mode, flip)[0]
    return _forward(input, weight, bias, parameters, padding_mode, flip)


def conv1d(
    input: AnyArray,
    weight: AnyArray,
    bias: AnyArray | None = None,
    stride: Size = 1,
    padding: Padding = 0,
    dilation: Size = 1,
    groups: int = 1,
    *,
    padding_mode: str | tuple[str, float] = "zeros",
    flip: bool = False,
) -> FloatArray:
    """Cross-correlate a batch of signals with a bank of kernels; the parameters are those of `conv2d`, along one axis.

    `input` is (N, C, L) or (C, L), `weight` (O, C/groups, k), the result (N, O, l_out) or (O, l_out) with
    l_out = floor((L + 2*padding - dilation*(k-1) - 1) / stride) + 1. The cost is N * O * l_out * (C/groups) * k multiply-adds.
    Raises the errors of `conv2d`. Matches torch.nn.functional.conv1d; wider where `conv2d` is.

    Examples
    --------
    >>> import numpy as np, imgconv
    >>> imgconv.conv1d(np.array([[1.0, 2, 4, 8]]), np.array([[[-1.0, 1]]]))
    array([[1., 2., 4.]])
    """
    return _forward(input, weight, bias, _Parameters(1, stride, padding, dilation, groups), padding_mode, flip)


def conv2d_input(
    input_size: Shape, weight: AnyArray, grad_output: AnyArray, stride: Size = 1, padding: Padding = 0, dilation: Size = 1, groups: int = 1
) -> FloatArray:
    """Return the gradient of `conv2d` with respect to its input: each output gradient times the weight, added to the window's cells.

    Parameters
    ----------
    input_size : (N, C, H, W), the shape of the input, which strides leave open
    weight : (O, C/groups, kh, kw)
    grad_output : (N, O, h_out, w_out), the gradient of the output
    stride, padding, dilation, groups : as passed to `conv2d`; the padding mode is "zeros"

    Returns
    -------
    `input_size`; float64 if any array is, else float32. The cost is that of the convolution.

    Raises
    ------
    ArgumentTypeError (a TypeError), UsageError, DoesNotFit (both ValueErrors)
        as `conv2d`, and for a `grad_output` that does not have the shape of the output.

    Notes
    -----
    Matches torch.nn.grad.conv2d_input; `padding` may also be a name.

    Examples
    --------
    >>> import numpy as np, imgconv
    >>> imgconv.gradients.conv2d_input((1, 1, 1, 3), np.array([[[[1.0, 10]]]]), np.array([[[[1.0, 2]]]]))
    array([[[[ 1., 12., 20.]]]])
    """
    return _input_gradient(input_size, weight, grad_output, _Parameters(2, stride, padding, dilation, groups))


def conv2d_weight(
    input: AnyArray, weight_size: Shape, grad_output: AnyArray, stride: Size = 1, padding: Padding = 0, dilation: Size = 1, groups: int = 1
) -> FloatArray:
    """Return the gradient of `conv2d` with respect to its weight: the sum of all windows, each times its output gradient.

    `input` is (N, C, H, W), `weight_size` and the result are (O, C/groups, kh, kw). The other parameters, the dtype, the cost and the
    errors are those of `conv2d_input`. Matches torch.nn.grad.conv2d_weight; `padding` may also be a name.

    >>> import numpy as np, imgconv
    >>> imgconv.gradients.conv2d_weight(np.array([[[[1.0, 2, 4]]]]), (1, 1, 1, 2), np.array([[[[1.0, 10]]]]))
    array([[[[21., 42.]]]])
    """
    return _weight_gradient(input, weight_size, grad_output, _Parameters(2, stride, padding, dilation, groups))


def conv2d_bias(grad_output: AnyArray) -> FloatArray:
    """Return the gradient of `conv2d` or `conv_transpose2d` with respect to its bias (O,): the sum over all axes but the second.

    `grad_output` is (N, O, h_out, w_out). The sum is taken in float64; the result is float64 if `grad_output` is, else float32.
    Raises ArgumentTypeError and DoesNotFit.

    >>> import numpy as np, imgconv
    >>> imgconv.gradients.conv2d_bias(np.ones((2, 3, 4, 5)))
    array([40., 40., 40.])
    """
    return _bias_gradient(grad_output, dims=2)


def conv1d_input(
    input_size: Shape, weight: AnyArray, grad_output: AnyArray, stride: Size = 1, padding: Padding = 0, dilation: Size = 1, groups: int = 1
) -> FloatArray:
    """Return the gradient of `conv1d` with respect to its input (N, C, L); the parameters are those of `conv2d_input`, along one axis.

    >>> import numpy as np, imgconv
    >>> imgconv.gradients.conv1d_input((1, 1, 3), np.array([[[1.0, 10]]]), np.array([[[1.0, 2]]]))
    array([[[ 1., 12., 20.]]])
    """
    return _input_gradient(input_size, weight, grad_output, _Parameters(1, stride, padding, dilation, groups))


def conv1d_weight(
    input: AnyArray, weight_size: Shape, grad_output: AnyArray, stride: Size = 1, padding: Padding = 0, dilation: Size = 1, groups: int = 1
) -> FloatArray:
    """Return the gradient of `conv1d` with respect to its weight (O, C/groups, k); the parameters are those of `conv2d_weight`.

    >>> import numpy as np, imgconv
    >>> imgconv.gradients.conv1d_weight(np.array([[[1.0, 2, 4]]]), (1, 1, 2), np.array([[[1.0, 10]]]))
    array([[[21., 42.]]])
    """
    return _weight_gradient(input, weight_size, grad_output, _Parameters(1, stride, padding, dilation, groups))


def conv1d_bias(grad_output: AnyArray) -> FloatArray:
    """Return the gradient of `conv1d` or `conv_transpose1d` with respect to its bias (O,): `conv2d_bias` for (N, O, l_out).

    >>> import numpy as np, imgconv
    >>> imgconv.gradients.conv1d_bias(np.ones((2, 3, 4)))
    array([8., 8., 8.])
    """
    return _bias_gradient(grad_output, dims=1)


def layer_algorithm(shape: Sequence[int], weight_shape: Sequence[int], window: Window, groups: int) -> str:
    """The algorithm with which `conv2d` correlates maps (C, H, W) with weights (O, C/groups, kh, kw).

    >>> layer_algorithm((64, 56, 56), (64, 64, 3, 3), Window.of(3, padding=1), 1)
    'tiles'
    """
    return algorithm(layer_size(Layout((1, *shape), window), groups, weight_shape[0]))


class _Parameters(NamedTuple):
    """The parameters that a convolution over `dims` axes shares with its gradients."""

    dims: int
    stride: Size
    padding: Padding
    dilation: Size
    groups: int

    def layout(self, input_size: Shape, weight_size: Shape, border: Border = ZEROS, name: str = "input") -> tuple[Layout, int]:
        """Check the parameters; return the layout of the convolution and its number of groups. Errors call the input `name`."""
        kernel_size = weight_size[4 - self.dims :]
        groups = as_groups(self.groups, weight_size)
        window = as_window(kernel_size, self.stride, self.padding, self.dilation, self.dims)
        check_channels(input_size, groups * weight_size[1], (*weight_size[:2], *kernel_size), name)
        return Layout(tuple(input_size), window, border), groups


def _forward(
    input: AnyArray, weight: AnyArray, bias: AnyArray | None, parameters: _Parameters, padding_mode: str | tuple[str, float], flip: bool
) -> FloatArray:
    batch, axes = as_batch(input, dims=parameters.dims)
    weight = as_weight(weight, parameters.dims)
    bias = as_bias(bias, weight.shape[0])
    layout, groups = parameters.layout(batch.shape, weight.shape, Border.of(padding_mode))
    if as_flag(flip, "flip"):
        weight = weight[:, :, ::-1, ::-1]
    return from_batch(correlate(batch, weight, bias, layout, groups, sum_dtype(batch, weight, bias)), axes, parameters.dims)


def _input_gradient(input_size: Shape, weight: AnyArray, grad_output: AnyArray, parameters: _Parameters) -> FloatArray:
    dims = parameters.dims
    shape, weight = as_shape(input_size, "input_size", dims), as_weight(weight, dims)
    grad = require_batch(grad_output, "grad_output", dims)
    layout, groups = parameters.layout(shape, weight.shape, name="input_size")
    check_grad_output(grad, (shape[0], weight.shape[0], *layout.output_size), dims)
    return from_batch(correlate_input(grad, weight, None, layout, groups, sum_dtype(weight, grad)), dims + 2, dims)


def _weight_gradient(input: AnyArray, weight_size: Shape, grad_output: AnyArray, parameters: _Parameters) -> FloatArray:
    dims = parameters.dims
    batch, shape = require_batch(input, "input", dims), as_shape(weight_size, "weight_size", dims)
    grad = require_batch(grad_output, "grad_output", dims)
    layout, groups = parameters.layout(batch.shape, shape)
    check_grad_output(grad, (len(batch), shape[0], *layout.output_size), dims)
    return from_batch(correlate_weight(batch, grad, layout, shape, groups, sum_dtype(batch, grad)), dims + 2, dims)


@ignore_float_errors
def _bias_gradient(grad_output: AnyArray, *, dims: int) -> FloatArray:
    grad = require_batch(grad_output, "grad_output", dims)
    return grad.sum((0, 2, 3), np.float64).astype(sum_dtype(grad))
