"""Transposed convolution over one and two axes, conv_transpose1d and conv_transpose2d, and its gradients."""

from typing import NamedTuple

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
    check_numeric,
    from_batch,
    require_batch,
    sum_dtype,
)
from imgconv.engine.dispatch import spreads
from imgconv.errors import DoesNotFit, UsageError
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
    """Add the kernel times each input cell to the window that this cell stands for: the adjoint of `conv2d` in its input.

    Parameters
    ----------
    input : (N, C, H, W) or (C, H, W), any real dtype; (H, W) with a 2-D weight
    weight : (C, O/groups, kh, kw), the weight of the convolution that is transposed; (kh, kw) with a 2-D input
    bias : (O,), added to every cell of an output channel
    stride, padding, dilation : those of the convolution that is transposed; padding removes cells from the result
    output_padding : rows and columns added below and to the right, where a strided convolution ignores some; smaller than the stride
        or the dilation
    groups : number of groups into which the channels are split

    Returns
    -------
    (N, O, h_out, w_out), without N if the input has none; float64 if any array is, else float32.
    h_out = (H - 1)*stride - 2*padding + dilation*(kh-1) + output_padding + 1, and w_out likewise.
    The cost is N * C * H * W * (O/groups) * kh * kw multiply-adds.

    Raises
    ------
    ArgumentTypeError (a TypeError)
        for anything but real numpy arrays and whole numbers.
    UsageError, DoesNotFit (both ValueErrors)
        for sizes out of range, shapes that do not match, and an empty output.

    Notes
    -----
    Matches torch.nn.functional.conv_transpose2d; wider in its dtypes and in plain (H, W) images.

    Examples
    --------
    >>> import numpy as np, imgconv
    >>> imgconv.conv_transpose2d(np.array([[[1.0, 2], [3, 4]]]), np.ones((1, 1, 2, 2)), stride=2)
    array([[[1., 1., 2., 2.],
            [1., 1., 2., 2.],
            [3., 3., 4., 4.],
            [3., 3., 4., 4.]]])
    """
    parameters = _Parameters(2, stride, padding, output_padding, groups, dilation)
    if (plain := as_plain(input, weight)) is not None:
        return _forward(*plain, bias, parameters)[0]
    return _forward(input, weight, bias, parameters)


def temporary_outputs(weight_shape: tuple[int, ...], stride: tuple[int, ...], groups: int = 1) -> int:
    """Return how many arrays of the size of its output `conv_transpose2d` needs besides it: the input with zeros between its cells.

    >>> temporary_outputs((8, 1, 3, 3), (2, 2), groups=8)
    1
    """
    inputs, group_outputs, *_ = weight_shape
    return inputs // groups if spreads(group_outputs, stride) else 0


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
    """Apply the adjoint of `conv1d` to a batch of signals; the parameters are those of `conv_transpose2d`, along one axis.

    `input` is (N, C, L) or (C, L), `weight` (C, O/groups, k), the result (N, O, l_out) or (O, l_out) with
    l_out = (L - 1)*stride - 2*padding + dilation*(k-1) + output_padding + 1. The cost is N * C * L * (O/groups) * k multiply-adds.
    Raises the errors of `conv_transpose2d`. Matches torch.nn.functional.conv_transpose1d; wider in its dtypes.

    Examples
    --------
    >>> import numpy as np, imgconv
    >>> imgconv.conv_transpose1d(np.array([[1.0, 2]]), np.array([[[1.0, 10, 100]]]))
    array([[  1.,  12., 120., 200.]])
    """
    return _forward(input, weight, bias, _Parameters(1, stride, padding, output_padding, groups, dilation))


def conv_transpose2d_input(
    input_size: Shape,
    weight: AnyArray,
    grad_output: AnyArray,
    stride: Size = 1,
    padding: Size = 0,
    output_padding: Size = 0,
    groups: int = 1,
    dilation: Size = 1,
) -> FloatArray:
    """Return the gradient of `conv_transpose2d` with respect to its input: the convolution of `grad_output` with the weight.

    Parameters
    ----------
    input_size : (N, C, H, W), the shape of the input
    weight : (C, O/groups, kh, kw)
    grad_output : (N, O, h_out, w_out), the gradient of the output
    stride, padding, output_padding, groups, dilation : as passed to `conv_transpose2d`

    Returns
    -------
    `input_size`; float64 if any array is, else float32. The cost is that of the transposed convolution.

    Raises
    ------
    ArgumentTypeError (a TypeError), UsageError, DoesNotFit (both ValueErrors)
        as `conv_transpose2d`, and for a `grad_output` that does not have the shape of the output.

    Examples
    --------
    >>> import numpy as np, imgconv
    >>> imgconv.gradients.conv_transpose2d_input((1, 1, 1, 2), np.array([[[[1.0, 10]]]]), np.array([[[[1.0, 2, 4]]]]))
    array([[[[21., 42.]]]])
    """
    return _input_gradient(input_size, weight, grad_output, _Parameters(2, stride, padding, output_padding, groups, dilation))


def conv_transpose2d_weight(
    input: AnyArray,
    weight_size: Shape,
    grad_output: AnyArray,
    stride: Size = 1,
    padding: Size = 0,
    output_padding: Size = 0,
    groups: int = 1,
    dilation: Size = 1,
) -> FloatArray:
    """Return the gradient of `conv_transpose2d` with respect to its weight: the sum of the windows of `grad_output` times the input cells.

    `input` is (N, C, H, W), `weight_size` and the result are (C, O/groups, kh, kw). The other parameters, the dtype, the cost and the
    errors are those of `conv_transpose2d_input`.

    >>> import numpy as np, imgconv
    >>> imgconv.gradients.conv_transpose2d_weight(np.array([[[[1.0, 10]]]]), (1, 1, 1, 2), np.array([[[[1.0, 2, 4]]]]))
    array([[[[21., 42.]]]])
    """
    return _weight_gradient(input, weight_size, grad_output, _Parameters(2, stride, padding, output_padding, groups, dilation))


def conv_transpose1d_input(
    input_size: Shape,
    weight: AnyArray,
    grad_output: AnyArray,
    stride: Size = 1,
    padding: Size = 0,
    output_padding: Size = 0,
    groups: int = 1,
    dilation: Size = 1,
) -> FloatArray:
    """Return the gradient of `conv_transpose1d` with respect to its input (N, C, L); parameters as for `conv_transpose2d_input`.

    >>> import numpy as np, imgconv
    >>> imgconv.gradients.conv_transpose1d_input((1, 1, 2), np.array([[[1.0, 10]]]), np.array([[[1.0, 2, 4]]]))
    array([[[21., 42.]]])
    """
    return _input_gradient(input_size, weight, grad_output, _Parameters(1, stride, padding, output_padding, groups, dilation))


def conv_transpose1d_weight(
    input: AnyArray,
    weight_size: Shape,
    grad_output: AnyArray,
    stride: Size = 1,
    padding: Size = 0,
    output_padding: Size = 0,
    groups: int = 1,
    dilation: Size = 1,
) -> FloatArray:
    """Return the gradient of `conv_transpose1d` with respect to its weight (C, O/groups, k); parameters as for `conv_transpose2d_weight`.

    >>> import numpy as np, imgconv
    >>> imgconv.gradients.conv_transpose1d_weight(np.array([[[1.0, 10]]]), (1, 1, 2), np.array([[[1.0, 2, 4]]]))
    array([[[21., 42.]]])
    """
    return _weight_gradient(input, weight_size, grad_output, _Parameters(1, stride, padding, output_padding, groups, dilation))


class _Parameters(NamedTuple):
    """The parameters that a transposed convolution over `dims` axes shares with its gradients."""

    dims: int
    stride: Size
    padding: Size
    output_padding: Size
    groups: int
    dilation: Size

    def layout(self, input_size: tuple[int, ...], weight_size: tuple[int, ...], name: str = "input") -> tuple[Layout, int]:
        """Check the parameters; return the layout of the convolution that is transposed and its number of groups.

        The layout's input is the output of the transposed convolution. Errors call the input (N, C, H, W) `name`.
        """
        if not weight_size[1]:
            raise DoesNotFit(f"weight {weight_size} has no output channels; its second axis must be at least 1")
        check_numeric(self.padding, "a transposed convolution")
        groups = as_groups(self.groups, weight_size)
        kernel_size = weight_size[4 - self.dims :]
        window = as_window(kernel_size, self.stride, self.padding, self.dilation, self.dims)
        check_channels(input_size, weight_size[0], (*weight_size[:2], *kernel_size), name)
        size = _output_size(input_size[2:], window, self._extra(window))
        return Layout((input_size[0], groups * weight_size[1], *size), window, windows=input_size[2:]), groups

    def _extra(self, window: Window) -> tuple[int, ...]:
        """Return `output_padding` as two numbers."""
        extra = (*(0,) * (2 - self.dims), *sizes(self.output_padding, "output_padding", self.dims, least=0))
        for cells, stride, dilation in zip(extra, window.stride, window.dilation, strict=True):
            if cells and cells >= max(stride, dilation):
                raise UsageError(
                    f"output_padding {self.output_padding!r} must be smaller than the stride {stride} or the dilation {dilation}"
                )
        return extra


def _output_size(size: tuple[int, ...], window: Window, extra: tuple[int, ...]) -> tuple[int, ...]:
    axes = zip(size, window.stride, window.span, extra, window.pads(size), strict=True)
    output = tuple((n - 1) * stride + span + cells - sum(pad) for n, stride, span, cells, pad in axes)
    if min(output) < 1:
        text = " by ".join(map(str, output))
        raise DoesNotFit(f"input {size} gives an output of {text} cells; use less padding, or a larger input")
    return output


def _forward(input: AnyArray, weight: AnyArray, bias: AnyArray | None, parameters: _Parameters) -> FloatArray:
    batch, axes = as_batch(input, dims=parameters.dims)
    weight = as_weight(weight, parameters.dims)
    layout, groups = parameters.layout(batch.shape, weight.shape)
    bias = as_bias(bias, groups * weight.shape[1])
    output = correlate_input(batch, weight, bias, layout, groups, sum_dtype(batch, weight, bias))
    return from_batch(output, axes, parameters.dims)


def _input_gradient(input_size: Shape, weight: AnyArray, grad_output: AnyArray, parameters: _Parameters) -> FloatArray:
    dims = parameters.dims
    shape, weight = as_shape(input_size, "input_size", dims), as_weight(weight, dims)
    grad = require_batch(grad_output, "grad_output", dims)
    layout, groups = parameters.layout(shape, weight.shape, "input_size")
    check_grad_output(grad, layout.shape, dims)
    return from_batch(correlate(grad, weight, None, layout, groups, sum_dtype(weight, grad)), dims + 2, dims)


def _weight_gradient(input: AnyArray, weight_size: Shape, grad_output: AnyArray, parameters: _Parameters) -> FloatArray:
    dims = parameters.dims
    batch, shape = require_batch(input, "input", dims), as_shape(weight_size, "weight_size", dims)
    grad = require_batch(grad_output, "grad_output", dims)
    layout, groups = parameters.layout(batch.shape, shape)
    check_grad_output(grad, layout.shape, dims)
    return from_batch(correlate_weight(grad, batch, layout, shape, groups, sum_dtype(batch, grad)), dims + 2, dims)
