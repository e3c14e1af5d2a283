"""conv_transpose1d and conv_transpose2d: the input adjoints of conv1d and conv2d, under torch's names.

Gradients of conv_transpose1d and conv_transpose2d: the convolution itself, and the adjoint in its weight.

This module checks that the shapes of the forward and the backward call belong together.
"""

from collections.abc import Sequence

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
from imgconv.errors import ArgumentTypeError, DoesNotFit, UsageError
from imgconv.functional.conv import conv1d_bias, conv2d_bias
from imgconv.window import Size, Window, sizes
from imgconv.windows.correlation import correlate, correlate_input, correlate_weight
from imgconv.windows.layout import Layout


def conv_transpose2d(
    input: AnyArray,
    weight: AnyArray,
    bias: AnyArray | None = None,
    stride: Size = 1,
    padding: Size = 0,
    output_padding: Size = 0,
    groups: int = 1,
    dilation: Size = 1,
) -> FloatArray:
    """Lay a kernel, times each input cell, where that cell came from, and sum: the adjoint of `conv2d` in its input.

    Parameters
    ----------
    input : (N, C, H, W) or (C, H, W), any real dtype
    weight : (C, O/groups, kh, kw), the weight of the convolution that is transposed
    bias : (O,)
    stride, padding, dilation : those of the convolution that is transposed; padding takes cells off the result
    output_padding : rows and columns added below and to the right, where a strided convolution would have dropped some; smaller than
        the stride or the dilation
    groups : channels are split into this many groups

    Returns
    -------
    (N, O, h_out, w_out), or without N as the input was; float64 if any array is, else float32.
    h_out = (H - 1)*stride - 2*padding + dilation*(kh-1) + output_padding + 1, and w_out likewise.

    It takes N * C * H * W * (O/groups) * kh * kw multiply-adds.

    Raises
    ------
    ArgumentTypeError (a TypeError)
        for anything but real numpy arrays and whole numbers.
    UsageError, DoesNotFit (both ValueErrors)
        for sizes out of range, shapes that do not match, and an output without cells.

    Notes
    -----
    Matches torch.nn.functional.conv_transpose2d; wider only in its dtypes.

    Examples
    --------
    >>> import numpy as np, imgconv
    >>> imgconv.conv_transpose2d(np.array([[[1.0, 2], [3, 4]]]), np.ones((1, 1, 2, 2)), stride=2)
    array([[[1., 1., 2., 2.],
            [1., 1., 2., 2.],
            [3., 3., 4., 4.],
            [3., 3., 4., 4.]]])
    """
    return _transpose(input, weight, bias, stride, padding, output_padding, groups, dilation, dims=2)


def conv_transpose1d(
    input: AnyArray,
    weight: AnyArray,
    bias: AnyArray | None = None,
    stride: Size = 1,
    padding: Size = 0,
    output_padding: Size = 0,
    groups: int = 1,
    dilation: Size = 1,
) -> FloatArray:
    """Lay a kernel, times each input cell, where that cell came from, and sum: the adjoint of `conv1d` in its input.

    Parameters
    ----------
    input : (N, C, L) or (C, L), any real dtype
    weight : (C, O/groups, k)
    bias, stride, padding, output_padding, groups, dilation : as for `conv_transpose2d`, along the one axis

    Returns
    -------
    (N, O, l_out) or (O, l_out), l_out = (L - 1)*stride - 2*padding + dilation*(k-1) + output_padding + 1.
    It takes N * C * L * (O/groups) * k multiply-adds.

    Raises
    ------
    ArgumentTypeError, UsageError, DoesNotFit
        as `conv_transpose2d` does.

    Notes
    -----
    Matches torch.nn.functional.conv_transpose1d; wider only in its dtypes.

    Examples
    --------
    >>> import numpy as np, imgconv
    >>> imgconv.conv_transpose1d(np.array([[1.0, 2]]), np.array([[[1.0, 10, 100]]]))
    array([[  1.,  12., 120., 200.]])
    """
    return _transpose(input, weight, bias, stride, padding, output_padding, groups, dilation, dims=1)


@ignore_float_errors
def _transpose(
    input: AnyArray,
    weight: AnyArray,
    bias: AnyArray | None,
    stride: Size,
    padding: Size,
    output_padding: Size,
    groups: int,
    dilation: Size,
    *,
    dims: int,
) -> FloatArray:
    batch, batched = as_batch(input, dims=dims)
    bank = as_weight(weight, dims)
    groups = as_groups(groups, bank.shape)
    shift = as_bias(bias, groups * bank.shape[1])
    layout = transposed_layout(batch.shape, bank.shape, stride, padding, output_padding, groups, dilation, dims)
    result = correlate_input(batch, bank, layout, groups, sum_dtype(batch, bank, shift))
    if shift is not None:
        result += shift[:, None, None].astype(result.dtype)
    return from_batch(result, batched, dims)


def transposed_layout(
    input_size: tuple[int, ...],
    weight_size: tuple[int, ...],
    stride: Size,
    padding: Size,
    output_padding: Size,
    groups: int,
    dilation: Size,
    dims: int,
    name: str = "input",
) -> Layout:
    """The layout of the convolution from the output of a transposed one back to its input (N, C, H, W), called `name` in errors."""
    if not weight_size[1]:
        raise DoesNotFit(f"weight {weight_size} has no output channels; its second axis must be at least 1")
    if isinstance(padding, str):
        raise ArgumentTypeError(f"padding of a transposed convolution must be whole numbers, not {padding!r}")
    window = as_window(weight_size[4 - dims :], stride, padding, dilation, dims)
    extra = _output_padding(output_padding, window, dims)
    check_channels(input_size, weight_size[0], weight_size, name)
    shape = (input_size[0], groups * weight_size[1], *_size(input_size[2:], window, extra))
    return Layout(shape, window, windows=input_size[2:])


def _output_padding(value: Size, window: Window, dims: int) -> tuple[int, ...]:
    extra = (*(0,) * (2 - dims), *sizes(value, "output_padding", dims, least=0))
    for more, stride, dilation in zip(extra, window.stride, window.dilation, strict=True):
        if more and more >= max(stride, dilation):
            raise UsageError(f"output_padding {value!r} must be smaller than the stride {stride} or the dilation {dilation}")
    return extra


def _size(size: Sequence[int], window: Window, extra: tuple[int, ...]) -> tuple[int, ...]:
    """Cells of the output of a transposed convolution."""
    pads = window.pads(size)
    out = tuple(
        (n - 1) * stride + span + more - sum(pad)
        for n, stride, span, more, pad in zip(size, window.stride, window.span, extra, pads, strict=True)
    )
    if min(out) < 1:
        text = " by ".join(map(str, out))
        raise DoesNotFit(f"input {tuple(size)} gives an output of {text} cells; use less padding, or a larger input")
    return out


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
    grad = require_batch(grad_output, "grad_output", dims)
    groups = as_groups(groups, bank.shape)
    layout = transposed_layout(shape, bank.shape, stride, padding, output_padding, groups, dilation, dims, "input_size")
    check_grad_output(grad, layout.shape, dims)
    return from_batch(correlate(grad, bank, None, layout, groups, sum_dtype(bank, grad)), True, dims)


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
    batch, shape = require_batch(input, "input", dims), as_shape(weight_size, "weight_size", dims)
    grad = require_batch(grad_output, "grad_output", dims)
    groups = as_groups(groups, shape)
    layout = transposed_layout(batch.shape, shape, stride, padding, output_padding, groups, dilation, dims)
    check_grad_output(grad, layout.shape, dims)
    return from_batch(correlate_weight(grad, batch, layout, shape, groups, sum_dtype(batch, grad)), True, dims)
