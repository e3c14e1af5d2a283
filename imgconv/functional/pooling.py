"""What torch's pools ask of a window and an input, checked once for all of them.

Pools that select a cell of each window: the largest, the smallest or the lower median; torch's calls on numpy arrays.

Results have the input's dtype. Padded cells are never selected. What is summed is in `averages`.

Pools that average, and their gradients' common ground: what the sum under each place of a window is divided by.

Results are float32, float64 for float64. Pools that select a cell are in `pooling`.

Unpooling: pooled values put back where they were found.

Gradients of pools with respect to their input: each the adjoint of its pool, seen as a linear operator.

Adaptive pools have the gradients of the others: `max_pool2d_input` takes the indices of any pool.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imgconv.arrays import AnyArray, as_batch, from_batch, sum_dtype
from imgconv.errors import ArgumentTypeError, DoesNotFit, UsageError
from imgconv.window import Window, sizes
from imgconv.windows.median import medians
from imgconv.windows.reduce import Cells, Planes, Spans, averages, extremes, located_extremes, padded_counts, span_averages

Sizes = int | Sequence[int]


def pool_window(
    kernel_size: Sizes, stride: Sizes | None, padding: Sizes, dilation: Sizes = 1, *, dims: int = 2, ceil_mode: bool = False
) -> Window:
    """The window of a pool over two axes; no stride, None or (), means the kernel's size. One-dimensional pools get a height of 1.

    Raises ArgumentTypeError for anything but whole numbers, UsageError where torch refuses the numbers.

    >>> pool_window(3, None, 1, dims=1).kernel_size
    (1, 3)
    """
    if isinstance(padding, str):
        raise ArgumentTypeError(f"padding of a pool must be a whole number or a sequence of them, not {padding!r}")
    if stride is None or (isinstance(stride, Sequence) and len(stride) == 0):
        stride = kernel_size
    window = Window.of(kernel_size, stride, padding, dilation, dims=dims, ceil_mode=ceil_mode)
    pads = sizes(padding, "padding", dims, least=0)
    if any(2 * p > k for p, k in zip(pads, window.kernel_size, strict=True)):
        raise UsageError(f"padding {pads} is over half the kernel_size {window.kernel_size}; use at most half")
    if dims == 2:
        return window
    return replace(
        window, kernel_size=(1, *window.kernel_size), stride=(1, *window.stride), padding=(0, *pads), dilation=(1, *window.dilation)
    )


def pool_batch(value: object, dims: int = 2) -> tuple[AnyArray, bool]:
    """The input `value` as a batch of planes that have cells, as `as_batch`; a batch of none is fine.

    Raises ArgumentTypeError and DoesNotFit for what no pool of torch takes.
    """
    batch, batched = as_batch(value, dims=dims)
    check_cells(batch, batch.shape[1:])
    return batch, batched


def check_cells(batch: AnyArray, counts: Sequence[int]) -> None:
    """Refuse a batch with nothing to pool: one of `counts`, part of its shape, is 0."""
    if 0 in counts:
        raise DoesNotFit(f"input of shape {batch.shape} has no cells to pool; only the batch may be empty")


Located = tuple[AnyArray, AnyArray]


def max_pool2d(
    input: AnyArray,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    dilation: Sizes = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> AnyArray | Located:
    """The largest value under each place of a window.

    Parameters
    ----------
    input : (N, C, H, W) or (C, H, W), bool, integers or floats
        Each plane is pooled on its own. N may be 0, the other sizes not.
    kernel_size, stride, padding, dilation : int or pair
        In cells, height before width. No stride (None or ()) means kernel_size. Padding is at most half of kernel_size, and
        padded cells never win.
    ceil_mode : bool
        Round output sizes up: windows may reach beyond the padded input, but not start there.
    return_indices : bool
        Also return where each value was found.

    Returns
    -------
    (N, C, h_out, w_out) or (C, h_out, w_out) of the input's dtype
        With h_out = floor((H + 2*padding - dilation*(kernel_size-1) - 1) / stride) + 1, and w_out alike. NaN wins. A window without
        a single cell, possible with dilation, gives the lowest value.
    indices, the same shape, int64
        With `return_indices`: y*W + x of each value in its plane; of equal values the first one, -1 where there was no cell.

    Raises
    ------
    ImgconvError
        As ValueError or TypeError: no window fits, too much padding, sizes that torch refuses, 2-D or complex input.

    Notes
    -----
    Costs kernel height + log2(kernel width) comparisons a cell, with `return_indices` one for every cell of every window.
    Source: torch.nn.functional.max_pool2d, which refuses bools.

    Examples
    --------
    >>> import imgconv
    >>> import numpy as np
    >>> imgconv.max_pool2d(np.arange(16.0).reshape(1, 4, 4), 2)
    array([[[ 5.,  7.],
            [13., 15.]]])
    """
    window = pool_window(kernel_size, stride, padding, dilation, ceil_mode=ceil_mode)
    return _select(input, window, 2, return_indices, largest=True)


def min_pool2d(
    input: AnyArray,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    dilation: Sizes = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> AnyArray | Located:
    """The smallest value under each place of a window; in all else `max_pool2d`, whose arguments it has.

    Returns
    -------
    (N, C, h_out, w_out) or (C, h_out, w_out) of the input's dtype
        With h_out = floor((H + 2*padding - dilation*(kernel_size-1) - 1) / stride) + 1; with `return_indices` int64 indices too.

    Raises
    ------
    ImgconvError
        As ValueError or TypeError, where `max_pool2d` does.

    Notes
    -----
    Costs as many comparisons as `max_pool2d`. Source: torch has no such call; for floats it equals -max_pool2d(-input).

    Examples
    --------
    >>> import imgconv
    >>> import numpy as np
    >>> imgconv.min_pool2d(np.array([[[3, 1], [4, 1]]]), 2, return_indices=True)
    (array([[[1]]]), array([[[1]]]))
    """
    window = pool_window(kernel_size, stride, padding, dilation, ceil_mode=ceil_mode)
    return _select(input, window, 2, return_indices, largest=False)


def max_pool1d(
    input: AnyArray,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    dilation: Sizes = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> AnyArray | Located:
    """The largest value under each place of a window on (N, C, L) or (C, L): `max_pool2d` on planes of height 1.

    Sizes are ints or 1-tuples; the other arguments are `max_pool2d`'s.

    Returns
    -------
    (N, C, l_out) or (C, l_out) of the input's dtype
        With l_out = floor((L + 2*padding - dilation*(kernel_size-1) - 1) / stride) + 1; with `return_indices` int64 indices too.

    Raises
    ------
    ImgconvError
        As ValueError or TypeError, where `max_pool2d` does.

    Notes
    -----
    Costs log2(kernel_size) + 1 comparisons a cell. Source: torch.nn.functional.max_pool1d.

    Examples
    --------
    >>> import imgconv
    >>> import numpy as np
    >>> imgconv.max_pool1d(np.array([[1, 5, 2, 4, 3]]), 2, ceil_mode=True, return_indices=True)
    (array([[5, 4, 3]]), array([[1, 3, 4]]))
    """
    window = pool_window(kernel_size, stride, padding, dilation, dims=1, ceil_mode=ceil_mode)
    return _select(input, window, 1, return_indices, largest=True)


def median_pool2d(input: AnyArray, kernel_size: Sizes, stride: Sizes | None = None, padding: Sizes = 0) -> AnyArray:
    """The lower median of the cells under each place of a window: of n cells the one of rank (n-1) // 2, counted from 0.

    `input` is (N, C, H, W) or (C, H, W), sizes are `max_pool2d`'s. Padded cells do not count: at the border the median is that of
    fewer cells. NaN under a window is its median, as in torch.median.

    Returns
    -------
    (N, C, h_out, w_out) or (C, h_out, w_out) of the input's dtype
        With h_out = floor((H + 2*padding - kernel_size) / stride) + 1.

    Raises
    ------
    ImgconvError
        As ValueError or TypeError, where `max_pool2d` does.

    Notes
    -----
    Windows of k x k cells cost about k*k*log2(k)**2 comparisons a cell, large ones 2*k steps.
    Source: torch.median over torch.nn.functional.unfold.

    Examples
    --------
    >>> import imgconv
    >>> import numpy as np
    >>> imgconv.median_pool2d(np.array([[[9, 1], [2, 4]]], np.uint8), 2)
    array([[[2]]], dtype=uint8)
    """
    window = pool_window(kernel_size, stride, padding)
    batch, batched = pool_batch(input)
    window.output_size(batch.shape[2:])
    return _as_pooled(medians(Planes.of_batch(batch), window), batch, batched, window, 2)


def _select(input: AnyArray, window: Window, dims: int, return_indices: bool, *, largest: bool) -> AnyArray | Located:
    batch, batched = pool_batch(input, dims)
    size = batch.shape[2:]
    if not return_indices:
        return _as_pooled(extremes(Planes.of_batch(batch), window, largest=largest), batch, batched, window, dims)
    spans = Spans.of_window(window, size, 0), Spans.of_window(window, size, 1)
    values, indices = located_extremes(Planes.of_batch(batch), spans, largest=largest)
    located = indices.reshape(*batch.shape[:2], *window.output_size(size))
    return _as_pooled(values, batch, batched, window, dims), from_batch(located, batched, dims)


def _as_pooled(rows: AnyArray, batch: AnyArray, batched: bool, window: Window, dims: int) -> AnyArray:
    """Stacked rows of outputs in the form and dtype of the input."""
    pooled = rows.reshape(*batch.shape[:2], *window.output_size(batch.shape[2:]))
    return from_batch(pooled.astype(batch.dtype, copy=False), batched, dims)


def avg_pool2d(
    input: AnyArray,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> AnyArray:
    """The average of the cells under each place of a window.

    Parameters
    ----------
    input : (N, C, H, W) or (C, H, W), bool, integers or floats
        Each plane is pooled on its own. N may be 0, the other sizes not.
    kernel_size, stride, padding : int or pair
        In cells, height before width. No stride (None or ()) means kernel_size. Padding is at most half of kernel_size.
    ceil_mode : bool
        Round output sizes up: windows may reach beyond the padded input, but not start there. What lies beyond never counts.
    count_include_pad : bool
        Whether padded cells, which are 0, count as cells.
    divisor_override : int, optional
        What to divide sums by instead of the number of cells; not 0.

    Returns
    -------
    (N, C, h_out, w_out) or (C, h_out, w_out) float32, float64 for float64 input
        With h_out = floor((H + 2*padding - kernel_size) / stride) + 1, and w_out alike.

    Raises
    ------
    ImgconvError
        As ValueError or TypeError: no window fits, too much padding, sizes that torch refuses, 2-D or complex input.

    Notes
    -----
    Costs kernel height + log2(kernel width) additions a cell. Sums of 8- and 16-bit integers are exact.
    Source: torch.nn.functional.avg_pool2d, which refuses integers.

    Examples
    --------
    >>> import imgconv
    >>> import numpy as np
    >>> imgconv.avg_pool2d(np.arange(16.0).reshape(1, 4, 4), 2)
    array([[[ 2.5,  4.5],
            [10.5, 12.5]]])
    """
    window = pool_window(kernel_size, stride, padding, ceil_mode=ceil_mode)
    return _average(input, window, 2, count_include_pad, divisor_override)


def avg_pool1d(
    input: AnyArray,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> AnyArray:
    """The average of the cells under each place of a window on (N, C, L) or (C, L): `avg_pool2d` on planes of height 1.

    Sizes are ints or 1-tuples; the other arguments are `avg_pool2d`'s.

    Returns
    -------
    (N, C, l_out) or (C, l_out), float32, or float64 for float64 input
        With l_out = floor((L + 2*padding - kernel_size) / stride) + 1.

    Raises
    ------
    ImgconvError
        As ValueError or TypeError, where `avg_pool2d` does.

    Notes
    -----
    Costs log2(kernel_size) + 1 additions and a division a cell. Source: torch.nn.functional.avg_pool1d.

    Examples
    --------
    >>> import imgconv
    >>> import numpy as np
    >>> imgconv.avg_pool1d(np.array([[2.0, 4.0, 9.0]]), 2, padding=1, count_include_pad=False)
    array([[2. , 6.5]])
    """
    window = pool_window(kernel_size, stride, padding, dims=1, ceil_mode=ceil_mode)
    return _average(input, window, 1, count_include_pad, None)


def divisors(window: Window, size: Sequence[int], count_include_pad: bool, divisor_override: int | None) -> tuple[Cells, Cells]:
    """(heights (h_out,), widths (w_out,)) whose products the sums under a window are divided by.

    Raises UsageError for a divisor of 0, ArgumentTypeError for one that is not whole.

    >>> divisors(Window.of(3, padding=1), (2, 3), count_include_pad=False, divisor_override=None)
    (array([2, 2]), array([2, 3, 2]))
    """
    if divisor_override is not None:
        (divisor,) = sizes(divisor_override, "divisor_override", 1, least=-(2**62))
        if divisor == 0:
            raise UsageError("divisor_override must not be 0")
        h_out, w_out = window.output_size(size)
        return np.full(h_out, divisor), np.ones(w_out, np.intp)
    if count_include_pad:
        return padded_counts(window, size, 0), padded_counts(window, size, 1)
    return Spans.of_window(window, size, 0).count, Spans.of_window(window, size, 1).count


def _average(input: AnyArray, window: Window, dims: int, count_include_pad: bool, divisor_override: int | None) -> AnyArray:
    batch, batched = pool_batch(input, dims)
    size = batch.shape[2:]
    by = divisors(window, size, count_include_pad, divisor_override)
    rows = averages(Planes.of_batch(batch), window, by, sum_dtype(batch))
    return from_batch(rows.reshape(*batch.shape[:2], *window.output_size(size)), batched, dims)


def max_unpool2d(
    input: AnyArray,
    indices: AnyArray,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    output_size: Sequence[int] | None = None,
) -> AnyArray:
    """The partial inverse of `max_pool2d`: its values at their `indices`, zeros elsewhere.

    Parameters
    ----------
    input : (N, C, h, w) or (C, h, w), bool, integers or floats
        Values that `max_pool2d` returned.
    indices : the same shape, int64
        Where they go: y*W + x in their plane. Of values for one place the last stays.
    kernel_size, stride, padding : int or pair, no 1-tuple
        As they were given to `max_pool2d`.
    output_size : 2 or 4 numbers, optional
        The output's (H, W), or its (N, C, H, W), of which the last two count; less than a stride away from the default.

    Returns
    -------
    (N, C, H, W) or (C, H, W) of the input's dtype
        By default H = (h - 1)*stride - 2*padding + kernel_size, and W alike.

    Raises
    ------
    ImgconvError
        As ValueError or TypeError: indices of another shape or dtype or outside the output, an output size out of reach.

    Notes
    -----
    Source: torch.nn.functional.max_unpool2d.

    Examples
    --------
    >>> import imgconv
    >>> import numpy as np
    >>> values, indices = imgconv.max_pool2d(np.arange(8.0).reshape(1, 2, 4), 2, return_indices=True)
    >>> imgconv.max_unpool2d(values, indices, 2)
    array([[[0., 0., 0., 0.],
            [0., 5., 0., 7.]]])
    """
    batch, batched = as_batch(input)
    places, _ = as_batch(indices, "indices")
    if places.dtype != np.int64:
        raise ArgumentTypeError(f"indices must be int64, not {places.dtype}")
    if np.shape(indices) != np.shape(input):
        raise DoesNotFit(f"indices of shape {np.shape(indices)} must have the input's shape {np.shape(input)}")
    height, width = _size(batch.shape[2:], kernel_size, stride, padding, output_size)
    check_indices(places, height * width)
    planes, cells = batch.shape[0] * batch.shape[1], batch.shape[2] * batch.shape[3]
    out = np.zeros((planes, height * width), batch.dtype)
    np.put_along_axis(out, places.reshape(planes, cells).astype(np.intp), batch.reshape(planes, cells), axis=1)
    return from_batch(out.reshape(*batch.shape[:2], height, width), batched)


def check_indices(indices: NDArray[Any], cells: int) -> None:
    """Refuse indices that lie outside a plane of `cells` cells."""
    outside = indices[(indices < 0) | (indices >= cells)]
    if outside.size:
        raise UsageError(f"indices must be from 0 to {cells - 1}, the cells of a plane, not {outside.flat[0]}")


def _size(
    pooled: Sequence[int], kernel_size: Sizes, stride: Sizes | None, padding: Sizes, output_size: Sequence[int] | None
) -> tuple[int, ...]:
    """Height and width of the output."""
    for name, value in ("kernel_size", kernel_size), ("stride", stride), ("padding", padding):
        if isinstance(value, Sequence) and len(value) == 1:
            raise UsageError(f"{name} {value!r} has 1 number; give an int or two numbers")
    window = pool_window(kernel_size, stride, padding)
    pads = (before for before, _ in window.pads(pooled))
    default = [(n - 1) * s - 2 * p + k for n, s, p, k in zip(pooled, window.stride, pads, window.kernel_size, strict=True)]
    if output_size is None:
        return tuple(default)
    if not isinstance(output_size, Sequence) or len(output_size) not in (2, 4):
        raise UsageError(f"output_size must be 2 numbers, or 4 with the batch and channels, not {output_size!r}")
    wanted = sizes(output_size[-2:], "output_size", 2, least=0)
    for size, usual, step in zip(wanted, default, window.stride, strict=True):
        if not usual - step < size < usual + step:
            raise DoesNotFit(f"output_size {wanted} must be less than a stride {window.stride} from {tuple(default)}")
    return wanted


def max_pool2d_input(grad_output: AnyArray, indices: AnyArray, input_size: Sequence[int]) -> AnyArray:
    """The gradient of a max, min or adaptive max pool: every gradient is added to the cell that was selected.

    Parameters
    ----------
    grad_output : (N, C, h_out, w_out) or (C, h_out, w_out)
    indices : the same shape, int64
        As the pool returned them with `return_indices`.
    input_size : sequence of int
        The shape of the pool's input.

    Returns
    -------
    `input_size`, float32, float64 for float64 gradients

    Raises
    ------
    ImgconvError
        As ValueError or TypeError: indices outside the input, shapes that do not belong together.

    Notes
    -----
    Costs one addition a gradient. Source: the backward pass of torch.nn.functional.max_pool2d.

    Examples
    --------
    >>> import imgconv
    >>> import numpy as np
    >>> pooled, indices = imgconv.max_pool2d(np.arange(8.0).reshape(1, 2, 4), 2, return_indices=True)
    >>> imgconv.gradients.max_pool2d_input(np.ones((1, 1, 2)), indices, (1, 2, 4))
    array([[[0., 0., 0., 0.],
            [0., 1., 0., 1.]]])
    """
    return _scatter(grad_output, indices, input_size, 2)


def max_pool1d_input(grad_output: AnyArray, indices: AnyArray, input_size: Sequence[int]) -> AnyArray:
    """`max_pool2d_input` for (N, C, L) or (C, L).

    >>> import imgconv
    >>> import numpy as np
    >>> imgconv.gradients.max_pool1d_input(np.ones((1, 2)), np.array([[1, 1]]), (1, 3))
    array([[0., 2., 0.]])
    """
    return _scatter(grad_output, indices, input_size, 1)


def avg_pool2d_input(
    grad_output: AnyArray,
    input_size: Sequence[int],
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> AnyArray:
    """The gradient of `avg_pool2d`: every gradient, over its window's divisor, is added to all cells of the window.

    Parameters
    ----------
    grad_output : (N, C, h_out, w_out) or (C, h_out, w_out)
    input_size : sequence of int
        The shape of the pool's input.
    kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
        As they were given to `avg_pool2d`.

    Returns
    -------
    `input_size`, float32, float64 for float64 gradients

    Raises
    ------
    ImgconvError
        As ValueError or TypeError: what `avg_pool2d` refuses, shapes that do not belong together.

    Notes
    -----
    Costs about two additions a cell. Source: the backward pass of torch.nn.functional.avg_pool2d.

    Examples
    --------
    >>> import imgconv
    >>> import numpy as np
    >>> imgconv.gradients.avg_pool2d_input(np.array([[[4.0, 8.0]]]), (1, 2, 4), 2)
    array([[[1., 1., 2., 2.],
            [1., 1., 2., 2.]]])
    """
    window = pool_window(kernel_size, stride, padding, ceil_mode=ceil_mode)
    return _spread(grad_output, input_size, window, 2, count_include_pad, divisor_override)


def avg_pool1d_input(
    grad_output: AnyArray,
    input_size: Sequence[int],
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> AnyArray:
    """`avg_pool2d_input` for (N, C, L) or (C, L).

    >>> import imgconv
    >>> import numpy as np
    >>> imgconv.gradients.avg_pool1d_input(np.array([[2.0, 4.0]]), (1, 4), 2)
    array([[1., 1., 2., 2.]])
    """
    window = pool_window(kernel_size, stride, padding, dims=1, ceil_mode=ceil_mode)
    return _spread(grad_output, input_size, window, 1, count_include_pad, None)


def _scatter(grad_output: AnyArray, indices: AnyArray, input_size: Sequence[int], dims: int) -> AnyArray:
    grad, shape, batched = _grad(grad_output, input_size, dims)
    if not isinstance(indices, np.ndarray) or indices.dtype.kind != "i":
        raise ArgumentTypeError("indices must be an array of whole numbers, as a pool returns them")
    if indices.shape != grad_output.shape:
        raise DoesNotFit(f"indices of shape {indices.shape} must have the shape {grad_output.shape} of grad_output")
    planes, cells = shape[0] * shape[1], shape[2] * shape[3]
    check_indices(indices, cells)
    out = np.zeros(planes * cells, sum_dtype(grad))
    places = indices.astype(np.int64).reshape(planes, grad.shape[2] * grad.shape[3]) + np.arange(planes)[:, None] * cells
    np.add.at(out, places.ravel(), grad.ravel())
    return from_batch(out.reshape(shape), batched, dims)


def _spread(
    grad_output: AnyArray, input_size: Sequence[int], window: Window, dims: int, count_include_pad: bool, divisor_override: int | None
) -> AnyArray:
    grad, shape, batched = _grad(grad_output, input_size, dims)
    size = shape[2:]
    if grad.shape[2:] != window.output_size(size):
        raise DoesNotFit(f"grad_output of shape {grad_output.shape} must have the pool's output size {window.output_size(size)}")
    heights, widths = divisors(window, size, count_include_pad, divisor_override)
    shares = grad / (heights[:, None] * widths).astype(sum_dtype(grad))
    spans = Spans.of_window(window, size, 0).covering(size[0]), Spans.of_window(window, size, 1).covering(size[1])
    ones = np.ones(size[0]), np.ones(size[1])
    return from_batch(span_averages(Planes.of_batch(shares), spans, ones, sum_dtype(grad)).reshape(shape), batched, dims)


def _grad(grad_output: AnyArray, input_size: Sequence[int], dims: int) -> tuple[AnyArray, tuple[int, ...], bool]:
    """`grad_output` as a batch, the shape of the input as a batch, and whether both came with a batch axis."""
    grad, batched = as_batch(grad_output, "grad_output", dims)
    shape = sizes(tuple(input_size), "input_size", grad_output.ndim, least=0)
    if shape[:-dims] != grad_output.shape[:-dims]:
        raise DoesNotFit(f"input_size {shape} must begin like the shape {grad_output.shape} of grad_output")
    lead = shape[:-dims] if batched else (1, *shape[:-dims])
    return grad, (*lead, *((1,) if dims == 1 else ()), *shape[-dims:]), batched
