"""Convolution as plain matrices: `kernel_matrix`, and `linear`."""

from math import prod

import numpy as np

from imgconv.errors import DoesNotFit
from imgconv.functional.arrays import AnyArray, FloatArray, Size, as_weight, as_window, real_array, silent, sum_dtype
from imgconv.functional.cells import Block, Layout
from imgconv.functional.products import matrix_product
from imgconv.functional.unfolding import gather
from imgconv.window import sizes


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
    bank = real_array(weight, "weight")
    bank = as_weight(bank[None, None] if bank.ndim == 2 else bank)
    outputs, channels, kh, kw = bank.shape
    size = sizes(input_size, "input_size", 3 if not isinstance(input_size, int) and len(input_size) == 3 else 2, least=1)
    if len(size) == 3 and size[0] != channels:
        raise DoesNotFit(f"input_size {size} has {size[0]} channels where weight {bank.shape} takes {channels}")
    layout = Layout((1, 1, *size[-2:]), as_window((kh, kw), stride, padding, 1))
    cells = np.arange(1, prod(size[-2:]) + 1).reshape(layout.shape)  # 0 is left for the padding
    block = Block((0, 1), (0, 1), (0, layout.output_size[0]))
    behind = gather(layout.cells(cells, block, cells.dtype), layout, block).reshape(kh * kw, -1)
    taps, places = np.nonzero(behind)
    matrix = np.zeros((outputs, behind.shape[1], channels, cells.size), bank.dtype)
    matrix[:, places, :, behind[taps, places] - 1] = bank.reshape(outputs, channels, -1)[:, :, taps].transpose(2, 0, 1)
    return matrix.reshape(outputs * behind.shape[1], channels * cells.size)


@silent
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
    vectors, matrix = real_array(input, "input"), real_array(weight, "weight")
    if matrix.ndim not in (1, 2) or not vectors.ndim or vectors.shape[-1] != matrix.shape[-1]:
        raise DoesNotFit(f"input {vectors.shape} and weight {matrix.shape} do not match; they must be (...,I) and (O,I), or (I,)")
    shift = None if bias is None else real_array(bias, "bias")
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
