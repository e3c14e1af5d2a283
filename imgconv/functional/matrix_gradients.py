"""Gradients of `linear`, and of `unfold` and `fold`, which are each other's."""

from collections.abc import Sequence
from math import prod

import numpy as np

from imgconv.errors import DoesNotFit
from imgconv.functional.arrays import AnyArray, FloatArray, Size, real_array, silent, sum_dtype
from imgconv.functional.patches import fold, unfold
from imgconv.functional.products import matrix_product


@silent
def linear_input(input_size: Sequence[int], weight: AnyArray, grad_output: AnyArray) -> FloatArray:
    """The gradient of `linear` in its input: grad_output @ weight, of shape `input_size` (..., I).

    `weight` is (O, I), `grad_output` (..., O). float64 if any array is, else float32. Raises ArgumentTypeError and DoesNotFit for
    anything but real numpy arrays of such shapes.

    >>> import numpy as np, imgconv
    >>> imgconv.gradients.linear_input((2,), np.array([[3.0, 4], [5, 6]]), np.array([1.0, 10]))
    array([53., 64.])
    """
    matrix, grad, shape = real_array(weight, "weight", 2), real_array(grad_output, "grad_output"), tuple(input_size)
    if shape[-1:] != matrix.shape[1:] or grad.shape != (*shape[:-1], matrix.shape[0]):
        raise DoesNotFit(f"input_size {shape}, weight {matrix.shape} and grad_output {grad.shape} must be (...,I), (O,I) and (...,O)")
    dtype = sum_dtype(matrix, grad)
    return matrix_product(_rows(grad).astype(dtype, copy=False), matrix.astype(dtype, copy=False)).reshape(shape)


@silent
def linear_weight(input: AnyArray, weight_size: Sequence[int], grad_output: AnyArray) -> FloatArray:
    """The gradient of `linear` in its weight: grad_output.T @ input over all vectors, of shape `weight_size` (O, I).

    `input` is (..., I), `grad_output` (..., O). float64 if any array is, else float32. Raises ArgumentTypeError and DoesNotFit for
    anything but real numpy arrays of such shapes.

    >>> import numpy as np, imgconv
    >>> imgconv.gradients.linear_weight(np.array([1.0, 2]), (2, 2), np.array([1.0, 10]))
    array([[ 1.,  2.],
           [10., 20.]])
    """
    vectors, grad, shape = real_array(input, "input"), real_array(grad_output, "grad_output"), tuple(weight_size)
    if vectors.shape[:-1] != grad.shape[:-1] or shape != grad.shape[-1:] + vectors.shape[-1:] or len(shape) != 2:
        raise DoesNotFit(f"input {vectors.shape}, weight_size {shape} and grad_output {grad.shape} must be (...,I), (O,I) and (...,O)")
    dtype = sum_dtype(vectors, grad)
    return matrix_product(_rows(grad).astype(dtype, copy=False).T, _rows(vectors).astype(dtype, copy=False))


@silent
def linear_bias(grad_output: AnyArray) -> FloatArray:
    """The gradient of `linear` in its bias: the sum of `grad_output` (..., O) over all but its last axis, (O,).

    Summed in float64; float64 if `grad_output` is, else float32. Raises ArgumentTypeError and DoesNotFit for anything but such an array.

    >>> import numpy as np, imgconv
    >>> imgconv.gradients.linear_bias(np.ones((2, 3, 4)))
    array([6., 6., 6., 6.])
    """
    grad = real_array(grad_output, "grad_output")
    return _rows(grad).sum(0, np.float64).astype(sum_dtype(grad))


def unfold_input(
    grad_output: AnyArray, input_size: Size, kernel_size: Size, dilation: Size = 1, padding: Size = 0, stride: Size = 1
) -> FloatArray:
    """The gradient of `unfold` in its input: `fold`, to the height and width that `input_size` ends with.

    >>> import numpy as np, imgconv
    >>> imgconv.gradients.unfold_input(np.ones((4, 2)), (1, 2, 3), kernel_size=2)
    array([[[1., 2., 1.],
            [1., 2., 1.]]])
    """
    size = tuple(input_size)[-2:] if isinstance(input_size, Sequence) and not isinstance(input_size, str) else input_size
    return fold(grad_output, size, kernel_size, dilation, padding, stride)


def fold_input(grad_output: AnyArray, kernel_size: Size, dilation: Size = 1, padding: Size = 0, stride: Size = 1) -> AnyArray:
    """The gradient of `fold` in its input: `unfold`.

    >>> import numpy as np, imgconv
    >>> imgconv.gradients.fold_input(np.arange(6.0).reshape(1, 2, 3), kernel_size=2)
    array([[0., 1.],
           [1., 2.],
           [3., 4.],
           [4., 5.]])
    """
    return unfold(grad_output, kernel_size, dilation, padding, stride)


def _rows(array: AnyArray) -> AnyArray:
    """All vectors along the last axis, (count, size)."""
    if not array.ndim:
        raise DoesNotFit("a single number is no vector; give an array with at least one axis")
    return array.reshape(prod(array.shape[:-1]), array.shape[-1])
