"""Pools that select a cell of each window (maximum, minimum, lower median), max unpooling, and their gradients."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from imgconv.arguments import as_flag, as_shape
from imgconv.arrays import AnyArray, Array, Shape, as_batch, as_real_array, as_window, check_numeric, from_batch, sum_dtype
from imgconv.errors import ArgumentTypeError, DoesNotFit, UsageError
from imgconv.modes import PoolMode
from imgconv.window import Size, Window, sizes
from imgconv.windows.planes import Planes
from imgconv.windows.ranks import ranked
from imgconv.windows.reduce import extremes, located_extremes, span_averages
from imgconv.windows.spans import Spans

OutputSize = int | Sequence[int | None]
Pooled = AnyArray | Any  # values, or a tuple of values and indices; a union with that tuple would have no attributes of arrays


def max_pool2d(
    input: AnyArray,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Pooled:
    """Return the maximum of every window.

    Parameters
    ----------
    input : (N, C, H, W), (C, H, W) or (H, W), bool, integers or floats; only N may be 0
    kernel_size, stride, padding, dilation : an int or (vertical, horizontal), in cells. The default stride, None or (), is kernel_size.
        Padding is at most half of kernel_size; padded cells never win
    ceil_mode : round output sizes up; windows may reach beyond the padded input, but not start there
    return_indices : also return the position of each maximum

    Returns
    -------
    (N, C, h_out, w_out), without the axes that the input does not have, of the input's dtype
        h_out = floor((H + 2*padding - dilation*(kernel_size-1) - 1) / stride) + 1, and w_out likewise. A window with NaN gives NaN.
        A window without a cell, which dilation makes possible, gives the lowest value of the dtype.
    indices, of the same shape, int64, with `return_indices`
        y*W + x of each maximum in its plane, the first of equal ones; -1 for a window without a cell.

    Raises
    ------
    ArgumentTypeError (a TypeError), UsageError, DoesNotFit (both ValueErrors)
        for windows that do not fit, too much padding, sizes that torch refuses, and complex input.

    Notes
    -----
    The cost is kernel height + log2(kernel width) comparisons per cell; with `return_indices`, one for every cell of every window.
    Matches torch.nn.functional.max_pool2d, which refuses bools and (H, W).

    Examples
    --------
    >>> import numpy as np, imgconv
    >>> imgconv.max_pool2d(np.arange(16.0).reshape(1, 4, 4), 2)
    array([[[ 5.,  7.],
            [13., 15.]]])
    """
    window = pool_window(kernel_size, stride, padding, dilation, ceil_mode=ceil_mode)
    return _pool(input, window, 2, return_indices, largest=True)


def min_pool2d(
    input: AnyArray,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Pooled:
    """Return the minimum of every window; the parameters are those of `max_pool2d`.

    `input` and the result are (N, C, H, W), (C, H, W) or (H, W), of one dtype. The size, the indices and the number of comparisons are
    those of `max_pool2d`; a window without a cell gives the highest value. Raises the errors of `max_pool2d`. torch has no such function;
    for floats it equals -max_pool2d(-input).

    Examples
    --------
    >>> import numpy as np, imgconv
    >>> imgconv.min_pool2d(np.array([[[3, 1], [4, 1]]]), 2, return_indices=True)
    (array([[[1]]]), array([[[1]]]))
    """
    window = pool_window(kernel_size, stride, padding, dilation, ceil_mode=ceil_mode)
    return _pool(input, window, 2, return_indices, largest=False)


def max_pool1d(
    input: AnyArray,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Pooled:
    """Return the maximum of every window of a signal; the parameters are those of `max_pool2d`, along one axis.

    `input` is (N, C, L) or (C, L), the result (N, C, l_out) or (C, l_out) with
    l_out = floor((L + 2*padding - dilation*(kernel_size-1) - 1) / stride) + 1. The cost is log2(kernel_size) + 1 comparisons per cell.
    Raises the errors of `max_pool2d`. Matches torch.nn.functional.max_pool1d.

    Examples
    --------
    >>> import numpy as np, imgconv
    >>> imgconv.max_pool1d(np.array([[1, 5, 2, 4, 3]]), 2, ceil_mode=True, return_indices=True)
    (array([[5, 4, 3]]), array([[1, 3, 4]]))
    """
    window = pool_window(kernel_size, stride, padding, dilation, dims=1, ceil_mode=ceil_mode)
    return _pool(input, window, 1, return_indices, largest=True)


def median_pool2d(input: AnyArray, kernel_size: Size, stride: Size | None = None, padding: Size = 0) -> AnyArray:
    """Return the lower median of every window: of n cells the one of rank (n-1) // 2, counted from 0.

    The parameters are those of `max_pool2d`. `input` and the result are (N, C, H, W), (C, H, W) or (H, W), of one dtype, with
    h_out = floor((H + 2*padding - kernel_size) / stride) + 1. Padded cells do not count: at the border the median is that of fewer
    cells. The median of a window with NaN is NaN.

    The cost of a window of k x k cells is about k*k*log2(k)**2 comparisons per cell, for large windows 2*k steps. Raises the errors of
    `max_pool2d`. Matches torch.median over torch.nn.functional.unfold.

    Examples
    --------
    >>> import numpy as np, imgconv
    >>> imgconv.median_pool2d(np.array([[[9, 1], [2, 4]]], np.uint8), 2)
    array([[[2]]], dtype=uint8)
    """
    window = pool_window(kernel_size, stride, padding)
    batch, axes = pool_batch(input)
    window.output_size(batch.shape[2:])
    return _from_rows(ranked(Planes.of_batch(batch), window, partial(PoolMode.median.place, 0)), batch, axes, window, 2)


def max_unpool2d(
    input: AnyArray,
    indices: AnyArray,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    output_size: Sequence[int] | None = None,
) -> AnyArray:
    """Return the partial inverse of `max_pool2d`: its values at their `indices`, zeros elsewhere.

    Parameters
    ----------
    input : (N, C, h, w), (C, h, w) or (h, w), bool, integers or floats; the values that `max_pool2d` returned
    indices : the same shape, int64; y*W + x in the output plane. Of several values for one cell, the last one is written
    kernel_size, stride, padding : as passed to `max_pool2d`, but without 1-tuples
    output_size : (H, W), or (N, C, H, W) of which the last two count; less than one stride away from the default

    Returns
    -------
    (N, C, H, W), (C, H, W) or (H, W), of the input's dtype
        By default H = (h - 1)*stride - 2*padding + kernel_size, and W likewise.

    Raises
    ------
    ArgumentTypeError (a TypeError), UsageError, DoesNotFit (both ValueErrors)
        for indices of another shape or dtype or outside the output, and for an output size out of range.

    Notes
    -----
    Matches torch.nn.functional.max_unpool2d.

    Examples
    --------
    >>> import numpy as np, imgconv
    >>> values, indices = imgconv.max_pool2d(np.arange(8.0).reshape(1, 2, 4), 2, return_indices=True)
    >>> imgconv.max_unpool2d(values, indices, 2)
    array([[[0., 0., 0., 0.],
            [0., 5., 0., 7.]]])
    """
    batch, axes = as_batch(input, plain=True)
    flat, own_axes = as_batch(indices, "indices", plain=True)
    if flat.dtype != np.int64:
        raise ArgumentTypeError(f"indices must be int64, not {flat.dtype}; convert them with astype")
    if own_axes != axes or flat.shape != batch.shape:
        raise DoesNotFit(
            f"indices must have the shape {from_batch(batch, axes).shape} of the input, got {from_batch(flat, own_axes).shape}"
        )
    height, width = _unpooled_size(batch.shape[2:], kernel_size, stride, padding, output_size)
    _check_indices(flat, height * width)
    planes, cells = batch.shape[0] * batch.shape[1], batch.shape[2] * batch.shape[3]
    output = np.zeros((planes, height * width), batch.dtype)
    np.put_along_axis(output, flat.reshape(planes, cells).astype(np.intp), batch.reshape(planes, cells), axis=1)
    return from_batch(output.reshape(*batch.shape[:2], height, width), axes)


def max_pool2d_input(grad_output: AnyArray, indices: AnyArray, input_size: Shape) -> AnyArray:
    """Return the gradient of a max, min or adaptive max pool: each output gradient, added to the cell that was selected.

    Parameters
    ----------
    grad_output : (N, C, h_out, w_out), (C, h_out, w_out) or (h_out, w_out)
    indices : the same shape, integers; as the pool returned them, -1 for a window without a cell
    input_size : the shape of the pool's input

    Returns
    -------
    `input_size`; float64 for float64 gradients, else float32. The cost is one addition per output gradient.

    Raises
    ------
    ArgumentTypeError (a TypeError), UsageError, DoesNotFit (both ValueErrors)
        for indices outside the input and shapes that do not match.

    Notes
    -----
    Matches the backward pass of torch.nn.functional.max_pool2d.

    Examples
    --------
    >>> import numpy as np, imgconv
    >>> pooled, indices = imgconv.max_pool2d(np.arange(8.0).reshape(1, 2, 4), 2, return_indices=True)
    >>> imgconv.gradients.max_pool2d_input(np.ones((1, 1, 2)), indices, (1, 2, 4))
    array([[[0., 0., 0., 0.],
            [0., 1., 0., 1.]]])
    """
    return _input_gradient(grad_output, indices, input_size, 2)


def max_pool1d_input(grad_output: AnyArray, indices: AnyArray, input_size: Shape) -> AnyArray:
    """Return the gradient of `max_pool1d`: `max_pool2d_input` for (N, C, l_out) or (C, l_out).

    >>> import numpy as np, imgconv
    >>> imgconv.gradients.max_pool1d_input(np.ones((1, 2)), np.array([[1, 1]]), (1, 3))
    array([[0., 2., 0.]])
    """
    return _input_gradient(grad_output, indices, input_size, 1)


def adaptive_avg_pool2d(input: AnyArray, output_size: OutputSize) -> AnyArray:
    """Return the averages of windows that divide the input into `output_size` parts as evenly as possible.

    Output row i is the average of the input rows floor(i*H/h_out) to ceil((i+1)*H/h_out); columns likewise.

    Parameters
    ----------
    input : (N, C, H, W), (C, H, W) or (H, W), bool, integers or floats; N and C may be 0, the other sizes not
    output_size : an int or (h_out, w_out); None keeps the input's size along that axis, 0 gives an empty result, as in torch

    Returns
    -------
    (N, C, h_out, w_out), without the axes that the input does not have; float64 for float64 input, else float32

    Raises
    ------
    ArgumentTypeError (a TypeError), UsageError, DoesNotFit (both ValueErrors)
        for an output size that is not a pair of whole numbers, and for complex input.

    Notes
    -----
    The cost is about two additions per cell, in float64. Matches torch.nn.functional.adaptive_avg_pool2d, which refuses integers
    and (H, W).

    Examples
    --------
    >>> import numpy as np, imgconv
    >>> imgconv.adaptive_avg_pool2d(np.arange(15.0).reshape(1, 3, 5), (1, 2))
    array([[[6., 8.]]])
    """
    batch, axes = as_batch(input, plain=True)
    check_cells(from_batch(batch, axes).shape, batch.shape[2:])
    spans = _spans(batch, output_size)
    rows = span_averages(Planes.of_batch(batch), spans, (spans[0].count, spans[1].count), sum_dtype(batch))
    return from_batch(rows.reshape(*batch.shape[:2], len(spans[0].first), len(spans[1].first)), axes)


def adaptive_max_pool2d(input: AnyArray, output_size: OutputSize, return_indices: bool = False) -> Pooled:
    """Return the maximum of each window of `adaptive_avg_pool2d`; `input` and `output_size` are the same.

    The result is (N, C, h_out, w_out) of the input's dtype, without the axes that the input does not have; with `return_indices`, int64
    indices of that shape follow, as those of `max_pool2d`. Only the first axis of the input may be empty. The cost is a comparison for
    every cell of every window. Raises the errors of `adaptive_avg_pool2d`. Matches torch.nn.functional.adaptive_max_pool2d, which refuses
    (H, W).

    Examples
    --------
    >>> import numpy as np, imgconv
    >>> imgconv.adaptive_max_pool2d(np.arange(15).reshape(1, 3, 5), (None, 1), return_indices=True)[1]
    array([[[ 4],
            [ 9],
            [14]]])
    """
    batch, axes = as_batch(input, plain=True)
    check_cells(from_batch(batch, axes).shape, batch.shape[1:] if axes == 4 else batch.shape[2:])
    with_indices = as_flag(return_indices, "return_indices")
    spans = _spans(batch, output_size)
    shape = (*batch.shape[:2], len(spans[0].first), len(spans[1].first))
    values, indices = located_extremes(Planes.of_batch(batch), spans, largest=True)
    pooled = from_batch(values.astype(batch.dtype, copy=False).reshape(shape), axes)
    return (pooled, from_batch(indices.reshape(shape), axes)) if with_indices else pooled


def pool_window(
    kernel_size: Size, stride: Size | None, padding: Size, dilation: Size = 1, *, dims: int = 2, ceil_mode: bool = False
) -> Window:
    """Return the window of a pool over two axes; a pool over one axis gets a height of 1. The default stride is `kernel_size`.

    Raises ArgumentTypeError for anything but whole numbers, UsageError for numbers that torch refuses.

    >>> pool_window(3, None, 1, dims=1).kernel_size
    (1, 3)
    """
    check_numeric(padding, "a pool")
    if stride is None or (isinstance(stride, Sequence) and len(stride) == 0):
        stride = kernel_size
    window = as_window(kernel_size, stride, padding, dilation, dims, ceil_mode=as_flag(ceil_mode, "ceil_mode"))
    if any(2 * before > kernel for (before, _), kernel in zip(window.pads(window.kernel_size), window.kernel_size, strict=True)):
        raise UsageError(f"padding {padding!r} is over half of kernel_size {kernel_size!r}; use at most half")
    return window


def pool_batch(input: object, dims: int = 2) -> tuple[AnyArray, int]:
    """Return `input` as `as_batch` does, checked to have cells to pool; only the batch may be empty. (H, W) is an image of one channel."""
    batch, axes = as_batch(input, dims=dims, plain=True)
    check_cells(from_batch(batch, axes, dims).shape, batch.shape[1:])
    return batch, axes


def check_cells(shape: Shape, required: Shape) -> None:
    """Check that none of the `required` sizes of an input of some shape is 0."""
    if 0 in required:
        raise DoesNotFit(f"input of shape {shape} has no cells to pool; only the batch may be empty")


def pool_gradient(grad_output: AnyArray, input_size: Shape, dims: int) -> tuple[AnyArray, tuple[int, ...], int]:
    """Return `grad_output` as a batch, `input_size` as the shape of a batch, and the number of axes of both."""
    grad, axes = as_batch(grad_output, "grad_output", dims, plain=True)
    shape = sizes(as_shape(input_size, "input_size"), "input_size", axes, least=0)
    if (own_shape := from_batch(grad, axes, dims).shape)[:-dims] != shape[:-dims]:
        raise DoesNotFit(f"input_size {shape} and grad_output {own_shape} must have the same batch and channels")
    height = (1,) if dims == 1 else ()
    return grad, (*grad.shape[:2], *height, *shape[-dims:]), axes


def _pool(input: AnyArray, window: Window, dims: int, return_indices: bool, *, largest: bool) -> Pooled:
    batch, axes = pool_batch(input, dims)
    size = batch.shape[2:]
    if not as_flag(return_indices, "return_indices"):
        return _from_rows(extremes(Planes.of_batch(batch), window, largest=largest), batch, axes, window, dims)
    spans = Spans.of_window(window, size, 0), Spans.of_window(window, size, 1)
    values, indices = located_extremes(Planes.of_batch(batch), spans, largest=largest)
    indices = indices.reshape(*batch.shape[:2], *window.output_size(size))
    return _from_rows(values, batch, axes, window, dims), from_batch(indices, axes, dims)


def _from_rows(rows: AnyArray, batch: AnyArray, axes: int, window: Window, dims: int) -> AnyArray:
    """Return stacked rows of output cells in the form and dtype of the input."""
    output = rows.reshape(*batch.shape[:2], *window.output_size(batch.shape[2:]))
    return from_batch(output.astype(batch.dtype, copy=False), axes, dims)


def _check_indices(indices: Array, cells: int, least: int = 0) -> None:
    outside = indices[(indices < least) | (indices >= cells)]
    if outside.size:
        raise UsageError(f"indices must be from 0 to {cells - 1}, the cells of a plane, not {outside.flat[0]}")


def _unpooled_size(
    pooled: Shape, kernel_size: Size, stride: Size | None, padding: Size, output_size: Sequence[int] | None
) -> tuple[int, ...]:
    for name, value in ("kernel_size", kernel_size), ("stride", stride), ("padding", padding):
        if isinstance(value, Sequence) and len(value) == 1:
            raise UsageError(f"{name} {value!r} has 1 number; give an int or two numbers")
    window = pool_window(kernel_size, stride, padding)
    axes = zip(pooled, window.stride, window.pads(pooled), window.kernel_size, strict=True)
    default = tuple((n - 1) * step - 2 * before + kernel for n, step, (before, _), kernel in axes)
    if output_size is None:
        return default
    if not isinstance(output_size, Sequence) or len(output_size) not in (2, 4):
        raise UsageError(f"output_size must be 2 numbers, or 4 with the batch and channels, not {output_size!r}")
    size = sizes(output_size[-2:], "output_size", 2, least=0)
    if not all(usual - step < n < usual + step for n, usual, step in zip(size, default, window.stride, strict=True)):
        raise DoesNotFit(f"output_size {size} must be less than one stride {window.stride} from {default}")
    return size


def _input_gradient(grad_output: AnyArray, indices: AnyArray, input_size: Shape, dims: int) -> AnyArray:
    grad, shape, axes = pool_gradient(grad_output, input_size, dims)
    indices = as_real_array(indices, "indices")
    if indices.dtype.kind != "i":
        raise ArgumentTypeError(f"indices must be whole numbers, as a pool returns them, not {indices.dtype}")
    if indices.shape != (own_shape := from_batch(grad, axes, dims).shape):
        raise DoesNotFit(f"indices must have the shape {own_shape} of grad_output, got {indices.shape}")
    planes, cells = shape[0] * shape[1], shape[2] * shape[3]
    _check_indices(indices, cells, least=-1)
    output = np.zeros(planes * cells, sum_dtype(grad))
    flat = indices.astype(np.int64).reshape(planes, grad.shape[2] * grad.shape[3])
    selected = flat >= 0
    np.add.at(output, (flat + np.arange(planes)[:, None] * cells)[selected], grad.reshape(flat.shape)[selected])
    return from_batch(output.reshape(shape), axes, dims)


def _spans(batch: AnyArray, output_size: OutputSize) -> tuple[Spans, Spans]:
    """Return the rows and the columns of all windows."""
    pair = output_size if isinstance(output_size, Sequence) else (output_size, output_size)
    if len(pair) != 2 or isinstance(output_size, str) or output_size is None:
        raise UsageError(f"output_size must be a whole number or a pair of them, either of which may be None, not {output_size!r}")
    axes = zip(batch.shape[2:], pair, strict=True)
    rows, columns = (Spans.adaptive(n, n if count is None else sizes(count, "output_size", 1, least=0)[0]) for n, count in axes)
    return rows, columns
