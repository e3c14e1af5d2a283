"""conv_transpose1d and conv_transpose2d: the input adjoints of conv1d and conv2d, under torch's names."""

from collections.abc import Sequence

from imgconv.errors import ArgumentTypeError, DoesNotFit, UsageError
from imgconv.functional.adjoints import correlate_input
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
    silent,
    sum_dtype,
)
from imgconv.functional.cells import Layout
from imgconv.window import Window, sizes


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


@silent
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
    return as_given(result, batched, dims)


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
