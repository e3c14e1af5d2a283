"""Gradients of pools with respect to their input: each the adjoint of its pool, seen as a linear operator.

Adaptive pools have the gradients of the others: `max_pool2d_input` takes the indices of any pool.
"""

from collections.abc import Sequence

import numpy as np

from imgconv.errors import ArgumentTypeError, DoesNotFit
from imgconv.functional.arrays import AnyArray, as_batch, as_given, sum_dtype
from imgconv.functional.averages import divisors
from imgconv.functional.folding import span_averages
from imgconv.functional.planes import Planes
from imgconv.functional.pooling_windows import Sizes, pool_window
from imgconv.functional.spans import Spans
from imgconv.functional.unpooling import check_indices
from imgconv.window import Window, sizes


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
    return as_given(out.reshape(shape), batched, dims)


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
    return as_given(span_averages(Planes.of_batch(shares), spans, ones, sum_dtype(grad)).reshape(shape), batched, dims)


def _grad(grad_output: AnyArray, input_size: Sequence[int], dims: int) -> tuple[AnyArray, tuple[int, ...], bool]:
    """`grad_output` as a batch, the shape of the input as a batch, and whether both came with a batch axis."""
    grad, batched = as_batch(grad_output, "grad_output", dims)
    shape = sizes(tuple(input_size), "input_size", grad_output.ndim, least=0)
    if shape[:-dims] != grad_output.shape[:-dims]:
        raise DoesNotFit(f"input_size {shape} must begin like the shape {grad_output.shape} of grad_output")
    lead = shape[:-dims] if batched else (1, *shape[:-dims])
    return grad, (*lead, *((1,) if dims == 1 else ()), *shape[-dims:]), batched
