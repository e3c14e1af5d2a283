"""Convolution as plain matrices: `kernel_matrix`, and `linear`.

Gradients of `linear`, and of `unfold` and `fold`, which are each other's.
"""

from collections.abc import Sequence
from math import prod

import numpy as np

from imgconv.arrays import AnyArray, FloatArray, as_real_array, as_weight, as_window, ignore_float_errors, sum_dtype
from imgconv.errors import DoesNotFit
from imgconv.functional.patches import fold, unfold
from imgconv.window import Size, sizes
from imgconv.windows.correlation import matrix_product
from imgconv.windows.layout import Block, Layout, gather


def kernel_matrix(weight: AnyArray, input_size: Size, stride: Size = 1, padding: Size | str = 0) -> AnyArray:
    """The matrix M of a convolution: M @ input.ravel() == conv2d(input, weight).ravel().

    Parameters
    ----------
    weight : (kh, kw) for images (H, W), or (O, C, kh, kw) for images (C, H, W); any real dtype
    input_size : (H, W), or (C, H, W) with a weight of four axes
    stride, padding : as for `conv2d`; padded cells are zero

    Returns
    -------
    (h_out*w_out, H*W), or (O*h_out*w_out, C*H*W), dense, in the weight's dtype. Its transpose is the matrix of the transposed
    convolution. A product with it takes as many multiply-adds as it has elements, most of them with zeros.

    Raises
    ------
    ArgumentTypeError (a TypeError)
        for anything but a real numpy array and whole numbers.
    UsageError, DoesNotFit (both ValueErrors)
        for sizes out of range, shapes that do not match, and a kernel larger than the padded input.

    Notes
    -----
    torch has no such function; courses build it to show why a transposed convolution is called so (Dumoulin and Visin 2016,
    arXiv:1603.07285, section 4.1).

    Examples
    --------
    >>> import numpy as np, imgconv
    >>> imgconv.kernel_matrix(np.array([[1, 2]]), (2, 3))
    array([[1, 2, 0, 0, 0, 0],
           [0, 1, 2, 0, 0, 0],
           [0, 0, 0, 1, 2, 0],
           [0, 0, 0, 0, 1, 2]])
    """
    bank = as_real_array(weight, "weight")
    bank = as_weight(bank[None, None] if bank.ndim == 2 else bank)
    outputs, channels, kh, kw = bank.shape
    size = sizes(input_size, "input_size", 3 if not isinstance(input_size, int) and len(input_size) == 3 else 2, least=1)
    if len(size) == 3 and size[0] != channels:
        raise DoesNotFit(f"input_size {size} has {size[0]} channels, weight {bank.shape} takes {channels}")
    layout = Layout((1, 1, *size[-2:]), as_window((kh, kw), stride, padding, 1))
    cells = np.arange(1, prod(size[-2:]) + 1).reshape(layout.shape)  # 0 is left for the padding
    block = Block((0, 1), (0, 1), (0, layout.output_size[0]))
    behind = gather(layout.cells(cells, block, cells.dtype), layout, block).reshape(kh * kw, -1)
    taps, places = np.nonzero(behind)
    matrix = np.zeros((outputs, behind.shape[1], channels, cells.size), bank.dtype)
    matrix[:, places, :, behind[taps, places] - 1] = bank.reshape(outputs, channels, -1)[:, :, taps].transpose(2, 0, 1)
    return matrix.reshape(outputs * behind.shape[1], channels * cells.size)


@ignore_float_errors
def linear(input: AnyArray, weight: AnyArray, bias: AnyArray | None = None) -> FloatArray:
    """A fully connected layer: input @ weight.T + bias.

    Parameters
    ----------
    input : (..., I), any real dtype
    weight : (O, I), or (I,) for a single output without an axis of its own
    bias : (O,), or any shape that broadcasts to the result; () with a weight of one axis

    Returns
    -------
    (..., O), or (...) for a weight of one axis; float64 if any array is, else float32.
    It takes O * I multiply-adds for each vector of the input.

    Raises
    ------
    ArgumentTypeError (a TypeError)
        for anything but real numpy arrays.
    DoesNotFit (a ValueError)
        for shapes that do not match.

    Notes
    -----
    Matches torch.nn.functional.linear; wider only in its dtypes.

    Examples
    --------
    >>> import numpy as np, imgconv
    >>> imgconv.linear(np.array([1.0, 2]), np.array([[3.0, 4], [5, 6]]), np.array([0.5, 0]))
    array([11.5, 17. ])
    """
    vectors, matrix = as_real_array(input, "input"), as_real_array(weight, "weight")
    if matrix.ndim not in (1, 2) or not vectors.ndim or vectors.shape[-1] != matrix.shape[-1]:
        raise DoesNotFit(f"input {vectors.shape} and weight {matrix.shape} do not match; they must be (...,I) and (O,I), or (I,)")
    shift = None if bias is None else as_real_array(bias, "bias")
    dtype = sum_dtype(vectors, matrix, shift)
    rows = np.ascontiguousarray(vectors, dtype).reshape(prod(vectors.shape[:-1]), vectors.shape[-1])
    columns = np.ascontiguousarray(matrix, dtype).reshape(prod(matrix.shape[:-1]), matrix.shape[-1]).T
    result: FloatArray = matrix_product(rows, columns).reshape(vectors.shape[:-1] + matrix.shape[:-1])
    if shift is not None:
        most = result.ndim if matrix.ndim == 2 else 0
        if shift.ndim > most or not _broadcasts(shift.shape, result.shape):
            raise DoesNotFit(f"bias {shift.shape} does not match weight {matrix.shape}; it must be {matrix.shape[:-1]}")
        result += shift.astype(dtype)
    return result


def _broadcasts(shape: tuple[int, ...], to: tuple[int, ...]) -> bool:
    return all(a in (1, b) for a, b in zip(reversed(shape), reversed(to), strict=False))


@ignore_float_errors
def linear_input(input_size: Sequence[int], weight: AnyArray, grad_output: AnyArray) -> FloatArray:
    """The gradient of `linear` in its input: grad_output @ weight, of shape `input_size` (..., I).

    `weight` is (O, I), `grad_output` (..., O). float64 if any array is, else float32. Raises ArgumentTypeError and DoesNotFit for
    anything but real numpy arrays of such shapes.

    >>> import numpy as np, imgconv
    >>> imgconv.gradients.linear_input((2,), np.array([[3.0, 4], [5, 6]]), np.array([1.0, 10]))
    array([53., 64.])
    """
    matrix, grad, shape = as_real_array(weight, "weight", 2), as_real_array(grad_output, "grad_output"), tuple(input_size)
    if shape[-1:] != matrix.shape[1:] or grad.shape != (*shape[:-1], matrix.shape[0]):
        raise DoesNotFit(f"input_size {shape}, weight {matrix.shape} and grad_output {grad.shape} must be (...,I), (O,I) and (...,O)")
    dtype = sum_dtype(matrix, grad)
    return matrix_product(_rows(grad).astype(dtype, copy=False), matrix.astype(dtype, copy=False)).reshape(shape)


@ignore_float_errors
def linear_weight(input: AnyArray, weight_size: Sequence[int], grad_output: AnyArray) -> FloatArray:
    """The gradient of `linear` in its weight: grad_output.T @ input over all vectors, of shape `weight_size` (O, I).

    `input` is (..., I), `grad_output` (..., O). float64 if any array is, else float32. Raises ArgumentTypeError and DoesNotFit for
    anything but real numpy arrays of such shapes.

    >>> import numpy as np, imgconv
    >>> imgconv.gradients.linear_weight(np.array([1.0, 2]), (2, 2), np.array([1.0, 10]))
    array([[ 1.,  2.],
           [10., 20.]])
    """
    vectors, grad, shape = as_real_array(input, "input"), as_real_array(grad_output, "grad_output"), tuple(weight_size)
    if vectors.shape[:-1] != grad.shape[:-1] or shape != grad.shape[-1:] + vectors.shape[-1:] or len(shape) != 2:
        raise DoesNotFit(f"input {vectors.shape}, weight_size {shape} and grad_output {grad.shape} must be (...,I), (O,I) and (...,O)")
    dtype = sum_dtype(vectors, grad)
    return matrix_product(_rows(grad).astype(dtype, copy=False).T, _rows(vectors).astype(dtype, copy=False))


@ignore_float_errors
def linear_bias(grad_output: AnyArray) -> FloatArray:
    """The gradient of `linear` in its bias: the sum of `grad_output` (..., O) over all but its last axis, (O,).

    Summed in float64; float64 if `grad_output` is, else float32. Raises ArgumentTypeError and DoesNotFit for anything but such an array.

    >>> import numpy as np, imgconv
    >>> imgconv.gradients.linear_bias(np.ones((2, 3, 4)))
    array([6., 6., 6., 6.])
    """
    grad = as_real_array(grad_output, "grad_output")
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
