"""Gradients of conv_transpose1d and conv_transpose2d: the convolution itself, and the adjoint in its weight.

This module checks that the shapes of the forward and the backward call belong together.
"""

from collections.abc import Sequence

from imgconv.functional.adjoints import correlate_weight
from imgconv.functional.arrays import (
    AnyArray,
    FloatArray,
    Size,
    as_full_batch,
    as_given,
    as_groups,
    as_shape,
    as_weight,
    check_shape,
    sum_dtype,
)
from imgconv.functional.convolution_gradients import conv1d_bias, conv2d_bias
from imgconv.functional.correlations import correlate
from imgconv.functional.transposed import transposed_layout


def conv_transpose2d_input(
    input_size: Sequence[int],
    weight: AnyArray,
    grad_output: AnyArray,
    stride: Size = 1,
    padding: Size = 0,
    output_padding: Size = 0,
    groups: int = 1,
    dilation: Size = 1,
) -> FloatArray:
    """The gradient of `conv_transpose2d` in its input: the convolution that it is the transpose of, on `grad_output`.

    Parameters
    ----------
    input_size : (N, C, H, W), the shape of the input
    weight : (C, O/groups, kh, kw)
    grad_output : (N, O, h_out, w_out)
    stride, padding, output_padding, groups, dilation : those of the transposed convolution

    Returns
    -------
    (N, C, H, W); float64 if any array is, else float32. It takes as many multiply-adds as the transposed convolution.

    Raises
    ------
    ArgumentTypeError (a TypeError), UsageError, DoesNotFit (both ValueErrors)
        as `conv_transpose2d` does, and for a `grad_output` of another shape than its output.

    Examples
    --------
    >>> import numpy as np, imgconv
    >>> imgconv.gradients.conv_transpose2d_input((1, 1, 1, 2), np.array([[[[1.0, 10]]]]), np.array([[[[1.0, 2, 4]]]]))
    array([[[[21., 42.]]]])
    """
    return _transpose_input(input_size, weight, grad_output, stride, padding, output_padding, groups, dilation, dims=2)


def conv_transpose2d_weight(
    input: AnyArray,
    weight_size: Sequence[int],
    grad_output: AnyArray,
    stride: Size = 1,
    padding: Size = 0,
    output_padding: Size = 0,
    groups: int = 1,
    dilation: Size = 1,
) -> FloatArray:
    """The gradient of `conv_transpose2d` in its weight: the sum of the windows of `grad_output`, each times its input cell.

    Parameters
    ----------
    input : (N, C, H, W), any real dtype
    weight_size : (C, O/groups, kh, kw), the shape of the weight
    grad_output : (N, O, h_out, w_out)
    stride, padding, output_padding, groups, dilation : those of the transposed convolution

    Returns
    -------
    (C, O/groups, kh, kw); float64 if any array is, else float32. It takes as many multiply-adds as the transposed convolution.

    Raises
    ------
    ArgumentTypeError (a TypeError), UsageError, DoesNotFit (both ValueErrors)
        as `conv_transpose2d` does, and for a `grad_output` of another shape than its output.

    Examples
    --------
    >>> import numpy as np, imgconv
    >>> imgconv.gradients.conv_transpose2d_weight(np.array([[[[1.0, 10]]]]), (1, 1, 1, 2), np.array([[[[1.0, 2, 4]]]]))
    array([[[[21., 42.]]]])
    """
    return _transpose_weight(input, weight_size, grad_output, stride, padding, output_padding, groups, dilation, dims=2)


def conv_transpose2d_bias(grad_output: AnyArray) -> FloatArray:
    """The gradient of `conv_transpose2d` in its bias: the sum of `grad_output` (N, O, h_out, w_out) over all but its channels, (O,).

    Summed in float64; float64 if `grad_output` is, else float32. Raises ArgumentTypeError and DoesNotFit for anything but such an array.

    >>> import numpy as np, imgconv
    >>> imgconv.gradients.conv_transpose2d_bias(np.ones((2, 3, 4, 5)))
    array([40., 40., 40.])
    """
    return conv2d_bias(grad_output)


def conv_transpose1d_input(
    input_size: Sequence[int],
    weight: AnyArray,
    grad_output: AnyArray,
    stride: Size = 1,
    padding: Size = 0,
    output_padding: Size = 0,
    groups: int = 1,
    dilation: Size = 1,
) -> FloatArray:
    """The gradient of `conv_transpose1d` in its input: the convolution that it is the transpose of, on `grad_output`.

    Parameters
    ----------
    input_size : (N, C, L), the shape of the input
    weight : (C, O/groups, k)
    grad_output : (N, O, l_out)
    stride, padding, output_padding, groups, dilation : those of the transposed convolution

    Returns
    -------
    (N, C, L); float64 if any array is, else float32. It takes as many multiply-adds as the transposed convolution.

    Raises
    ------
    ArgumentTypeError (a TypeError), UsageError, DoesNotFit (both ValueErrors)
        as `conv_transpose1d` does, and for a `grad_output` of another shape than its output.

    Examples
    --------
    >>> import numpy as np, imgconv
    >>> imgconv.gradients.conv_transpose1d_input((1, 1, 2), np.array([[[1.0, 10]]]), np.array([[[1.0, 2, 4]]]))
    array([[[21., 42.]]])
    """
    return _transpose_input(input_size, weight, grad_output, stride, padding, output_padding, groups, dilation, dims=1)


def conv_transpose1d_weight(
    input: AnyArray,
    weight_size: Sequence[int],
    grad_output: AnyArray,
    stride: Size = 1,
    padding: Size = 0,
    output_padding: Size = 0,
    groups: int = 1,
    dilation: Size = 1,
) -> FloatArray:
    """The gradient of `conv_transpose1d` in its weight: the sum of the windows of `grad_output`, each times its input cell.

    Parameters
    ----------
    input : (N, C, L), any real dtype
    weight_size : (C, O/groups, k), the shape of the weight
    grad_output : (N, O, l_out)
    stride, padding, output_padding, groups, dilation : those of the transposed convolution

    Returns
    -------
    (C, O/groups, k); float64 if any array is, else float32. It takes as many multiply-adds as the transposed convolution.

    Raises
    ------
    ArgumentTypeError (a TypeError), UsageError, DoesNotFit (both ValueErrors)
        as `conv_transpose1d` does, and for a `grad_output` of another shape than its output.

    Examples
    --------
    >>> import numpy as np, imgconv
    >>> imgconv.gradients.conv_transpose1d_weight(np.array([[[1.0, 10]]]), (1, 1, 2), np.array([[[1.0, 2, 4]]]))
    array([[[21., 42.]]])
    """
    return _transpose_weight(input, weight_size, grad_output, stride, padding, output_padding, groups, dilation, dims=1)


def conv_transpose1d_bias(grad_output: AnyArray) -> FloatArray:
    """The gradient of `conv_transpose1d` in its bias: the sum of `grad_output` (N, O, l_out) over all but its channels, (O,).

    Summed in float64; float64 if `grad_output` is, else float32. Raises ArgumentTypeError and DoesNotFit for anything but such an array.

    >>> import numpy as np, imgconv
    >>> imgconv.gradients.conv_transpose1d_bias(np.ones((2, 3, 4)))
    array([8., 8., 8.])
    """
    return conv1d_bias(grad_output)


def _transpose_input(
    input_size: Sequence[int],
    weight: AnyArray,
    grad_output: AnyArray,
    stride: Size,
    padding: Size,
    output_padding: Size,
    groups: int,
    dilation: Size,
    *,
    dims: int,
) -> FloatArray:
    bank, shape = as_weight(weight, dims), as_shape(input_size, "input_size", dims)
    grad = as_full_batch(grad_output, "grad_output", dims)
    groups = as_groups(groups, bank.shape)
    layout = transposed_layout(shape, bank.shape, stride, padding, output_padding, groups, dilation, dims, "input_size")
    check_shape(grad, layout.shape, dims)
    return as_given(correlate(grad, bank, None, layout, groups, sum_dtype(bank, grad)), True, dims)


def _transpose_weight(
    input: AnyArray,
    weight_size: Sequence[int],
    grad_output: AnyArray,
    stride: Size,
    padding: Size,
    output_padding: Size,
    groups: int,
    dilation: Size,
    *,
    dims: int,
) -> FloatArray:
    batch, shape = as_full_batch(input, "input", dims), as_shape(weight_size, "weight_size", dims)
    grad = as_full_batch(grad_output, "grad_output", dims)
    groups = as_groups(groups, shape)
    layout = transposed_layout(batch.shape, shape, stride, padding, output_padding, groups, dilation, dims)
    check_shape(grad, layout.shape, dims)
    return as_given(correlate_weight(grad, batch, layout, shape, groups, sum_dtype(batch, grad)), True, dims)
