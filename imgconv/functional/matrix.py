"""Matrix products: linear with its gradients, and kernel_matrix, the matrix of a convolution."""

from collections.abc import Sequence
from math import prod

import numpy as np

from imgconv.arrays import AnyArray, FloatArray, Shape, as_real_array, as_weight, as_window, ignore_float_errors, sum_dtype
from imgconv.errors import DoesNotFit
from imgconv.window import Padding, Size, sizes
from imgconv.windows.correlation import matrix_product
from imgconv.windows.layout import Block, Layout, gather


@ignore_float_errors
def linear(input: AnyArray, weight: AnyArray, bias: AnyArray | None = None) -> FloatArray:
    """Apply a fully connected layer: input @ weight.T + bias.

    Parameters
    ----------
    input : (..., I), any real dtype
    weight : (O, I), or (I,) for a single output without an axis
    bias : (O,), or any shape that broadcasts to the result; () with a weight (I,)

    Returns
    -------
    (..., O), or (...) for a weight (I,); float64 if any array is, else float32.
    The cost is O * I multiply-adds for each vector of the input.

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
        raise DoesNotFit(f"input {vectors.shape} and weight {matrix.shape} do not match; expected (...,I) and (O,I) or (I,)")
    bias = None if bias is None else as_real_array(bias, "bias")
    dtype = sum_dtype(vectors, matrix, bias)
    rows = np.ascontiguousarray(vectors, dtype).reshape(prod(vectors.shape[:-1]), vectors.shape[-1])
    columns = np.ascontiguousarray(matrix, dtype).reshape(prod(matrix.shape[:-1]), matrix.shape[-1]).T
    output: FloatArray = matrix_product(rows, columns).reshape(vectors.shape[:-1] + matrix.shape[:-1])
    if bias is not None:
        if bias.ndim > (output.ndim if matrix.ndim == 2 else 0) or not _broadcasts(bias.shape, output.shape):
            raise DoesNotFit(f"bias {bias.shape} does not match weight {matrix.shape}; expected {matrix.shape[:-1]}")
        output += bias.astype(dtype)
    return output


@ignore_float_errors
def linear_input(input_size: Shape, weight: AnyArray, grad_output: AnyArray) -> FloatArray:
    """Return the gradient of `linear` with respect to its input: grad_output @ weight, of shape `input_size` (..., I).

    `weight` is (O, I), `grad_output` (..., O). float64 if any array is, else float32. Raises ArgumentTypeError for anything but real
    numpy arrays, DoesNotFit for shapes that do not match.

    >>> import numpy as np, imgconv
    >>> imgconv.gradients.linear_input((2,), np.array([[3.0, 4], [5, 6]]), np.array([1.0, 10]))
    array([53., 64.])
    """
    matrix, grad, shape = as_real_array(weight, "weight", 2), as_real_array(grad_output, "grad_output"), tuple(input_size)
    if shape[-1:] != matrix.shape[1:] or grad.shape != (*shape[:-1], matrix.shape[0]):
        raise DoesNotFit(f"input_size {shape}, weight {matrix.shape} and grad_output {grad.shape} do not match (...,I), (O,I) and (...,O)")
    dtype = sum_dtype(matrix, grad)
    return matrix_product(_rows(grad).astype(dtype, copy=False), matrix.astype(dtype, copy=False)).reshape(shape)


@ignore_float_errors
def linear_weight(input: AnyArray, weight_size: Shape, grad_output: AnyArray) -> FloatArray:
    """Return the gradient of `linear` with respect to its weight: grad_output.T @ input, of shape `weight_size` (O, I).

    `input` is (..., I), `grad_output` (..., O). The dtype and the errors are those of `linear_input`.

    >>> import numpy as np, imgconv
    >>> imgconv.gradients.linear_weight(np.array([1.0, 2]), (2, 2), np.array([1.0, 10]))
    array([[ 1.,  2.],
           [10., 20.]])
    """
    vectors, grad, shape = as_real_array(input, "input"), as_real_array(grad_output, "grad_output"), tuple(weight_size)
    if vectors.shape[:-1] != grad.shape[:-1] or shape != grad.shape[-1:] + vectors.shape[-1:] or len(shape) != 2:
        raise DoesNotFit(f"input {vectors.shape}, weight_size {shape} and grad_output {grad.shape} do not match (...,I), (O,I) and (...,O)")
    dtype = sum_dtype(vectors, grad)
    return matrix_product(_rows(grad).astype(dtype, copy=False).T, _rows(vectors).astype(dtype, copy=False))


@ignore_float_errors
def linear_bias(grad_output: AnyArray) -> FloatArray:
    """Return the gradient of `linear` with respect to its bias (O,): the sum of `grad_output` (..., O) over all other axes.

    The sum is taken in float64; the result is float64 if `grad_output` is, else float32. Raises ArgumentTypeError and DoesNotFit.

    >>> import numpy as np, imgconv
    >>> imgconv.gradients.linear_bias(np.ones((2, 3, 4)))
    array([6., 6., 6., 6.])
    """
    grad = as_real_array(grad_output, "grad_output")
    return _rows(grad).sum(0, np.float64).astype(sum_dtype(grad))


def kernel_matrix(weight: AnyArray, input_size: Size, stride: Size = 1, padding: Padding = 0) -> AnyArray:
    """Return the matrix M of a convolution: M @ input.ravel() == conv2d(input, weight).ravel().

    Parameters
    ----------
    weight : (kh, kw) for images (H, W), or (O, C, kh, kw) for images (C, H, W); any real dtype
    input_size : (H, W), or (C, H, W) with a weight of four axes
    stride, padding : as for `conv2d`; padded cells are zero

    Returns
    -------
    (h_out*w_out, H*W), or (O*h_out*w_out, C*H*W), dense, in the weight's dtype
        Its transpose is the matrix of the transposed convolution. A product with it takes as many multiply-adds as it has elements,
        most of which are zero.

    Raises
    ------
    ArgumentTypeError (a TypeError)
        for anything but a real numpy array and whole numbers.
    UsageError, DoesNotFit (both ValueErrors)
        for sizes out of range, shapes that do not match, and a kernel larger than the padded input.

    Notes
    -----
    torch has no such function; courses use it to explain the name of the transposed convolution (Dumoulin and Visin 2016,
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
    axes = 3 if isinstance(input_size, Sequence) and len(input_size) == 3 else 2
    size = sizes(input_size, "input_size", axes, least=1)
    if axes == 3 and size[0] != channels:
        raise DoesNotFit(f"input_size {size} has {size[0]} channels, weight {bank.shape} takes {channels}")
    layout = Layout((1, 1, *size[-2:]), as_window((kh, kw), stride, padding, 1))
    numbered = np.arange(1, prod(size[-2:]) + 1).reshape(layout.shape)  # 0 is the padding
    block = Block((0, 1), (0, 1), (0, layout.output_size[0]))
    cells = gather(layout.planes(numbered, block, numbered.dtype), layout, block).reshape(kh * kw, -1)  # the cell under each tap
    taps, windows = np.nonzero(cells)
    matrix = np.zeros((outputs, cells.shape[1], channels, numbered.size), bank.dtype)
    matrix[:, windows, :, cells[taps, windows] - 1] = bank.reshape(outputs, channels, kh * kw)[:, :, taps].transpose(2, 0, 1)
    return matrix.reshape(outputs * cells.shape[1], channels * numbered.size)


def _rows(array: AnyArray) -> AnyArray:
    """Return the vectors along the last axis as (count, size)."""
    if not array.ndim:
        raise DoesNotFit("grad_output must have at least one axis, got a single number")
    return array.reshape(prod(array.shape[:-1]), array.shape[-1])


def _broadcasts(shape: tuple[int, ...], to: tuple[int, ...]) -> bool:
    return all(a in (1, b) for a, b in zip(reversed(shape), reversed(to), strict=False))
