"""Average pools over one and two axes, avg_pool1d and avg_pool2d, and their gradients."""

import numpy as np

from imgconv.arguments import as_flag
from imgconv.arrays import AnyArray, Array, Shape, from_batch, ignore_float_errors, sum_dtype
from imgconv.errors import DoesNotFit, UsageError
from imgconv.functional.pooling import pool_batch, pool_gradient, pool_window
from imgconv.window import Size, Window, sizes
from imgconv.windows.planes import Planes
from imgconv.windows.reduce import averages, span_averages
from imgconv.windows.spans import Spans, padded_counts


def avg_pool2d(
    input: AnyArray,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> AnyArray:
    """Return the average of every window.

    Parameters
    ----------
    input : (N, C, H, W), (C, H, W) or (H, W), bool, integers or floats; only N may be 0
    kernel_size, stride, padding : an int or (vertical, horizontal), in cells. The default stride, None or (), is kernel_size. Padding
        is at most half of kernel_size
    ceil_mode : round output sizes up; windows may reach beyond the padded input, but not start there. Cells beyond it never count
    count_include_pad : whether padded cells, which are 0, count as cells
    divisor_override : divisor of the sums instead of the number of cells; not 0

    Returns
    -------
    (N, C, h_out, w_out), without the axes that the input does not have; float64 for float64 input, else float32
        h_out = floor((H + 2*padding - kernel_size) / stride) + 1, and w_out likewise.

    Raises
    ------
    ArgumentTypeError (a TypeError), UsageError, DoesNotFit (both ValueErrors)
        for windows that do not fit, too much padding, sizes that torch refuses, and complex input.

    Notes
    -----
    The cost is kernel height + log2(kernel width) additions per cell. Sums of 8- and 16-bit integers are exact.
    Matches torch.nn.functional.avg_pool2d, which refuses integers and (H, W).

    Examples
    --------
    >>> import numpy as np, imgconv
    >>> imgconv.avg_pool2d(np.arange(16.0).reshape(1, 4, 4), 2)
    array([[[ 2.5,  4.5],
            [10.5, 12.5]]])
    """
    window = pool_window(kernel_size, stride, padding, ceil_mode=ceil_mode)
    return _forward(input, window, 2, count_include_pad, divisor_override)


def avg_pool1d(
    input: AnyArray,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> AnyArray:
    """Return the average of every window of a signal; the parameters are those of `avg_pool2d`, along one axis.

    `input` is (N, C, L) or (C, L), the result (N, C, l_out) or (C, l_out) with
    l_out = floor((L + 2*padding - kernel_size) / stride) + 1. The cost is log2(kernel_size) + 1 additions per cell.
    Raises the errors of `avg_pool2d`. Matches torch.nn.functional.avg_pool1d.

    Examples
    --------
    >>> import numpy as np, imgconv
    >>> imgconv.avg_pool1d(np.array([[2.0, 4.0, 9.0]]), 2, padding=1, count_include_pad=False)
    array([[2. , 6.5]])
    """
    window = pool_window(kernel_size, stride, padding, dims=1, ceil_mode=ceil_mode)
    return _forward(input, window, 1, count_include_pad, None)


def avg_pool2d_input(
    grad_output: AnyArray,
    input_size: Shape,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> AnyArray:
    """Return the gradient of `avg_pool2d`: each output gradient over its window's divisor, added to all cells of the window.

    `grad_output` is (N, C, h_out, w_out), (C, h_out, w_out) or (h_out, w_out), `input_size` the shape of the pool's input and of the
    result; the other parameters are those of `avg_pool2d`. float64 for float64 gradients, else float32. The cost is about two additions per
    cell. Raises the errors of `avg_pool2d`, and DoesNotFit for shapes that do not match.

    >>> import numpy as np, imgconv
    >>> imgconv.gradients.avg_pool2d_input(np.array([[[4.0, 8.0]]]), (1, 2, 4), 2)
    array([[[1., 1., 2., 2.],
            [1., 1., 2., 2.]]])
    """
    window = pool_window(kernel_size, stride, padding, ceil_mode=ceil_mode)
    return _input_gradient(grad_output, input_size, window, 2, count_include_pad, divisor_override)


def avg_pool1d_input(
    grad_output: AnyArray,
    input_size: Shape,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> AnyArray:
    """Return the gradient of `avg_pool1d`: `avg_pool2d_input` for (N, C, l_out) or (C, l_out).

    >>> import numpy as np, imgconv
    >>> imgconv.gradients.avg_pool1d_input(np.array([[2.0, 4.0]]), (1, 4), 2)
    array([[1., 1., 2., 2.]])
    """
    window = pool_window(kernel_size, stride, padding, dims=1, ceil_mode=ceil_mode)
    return _input_gradient(grad_output, input_size, window, 1, count_include_pad, None)


def _divisors(window: Window, size: Shape, count_include_pad: bool, divisor_override: int | None) -> tuple[Array, Array]:
    """Return (heights (h_out,), widths (w_out,)); the sum of window i, j is divided by heights[i] * widths[j].

    >>> _divisors(Window.of(3, padding=1), (2, 3), count_include_pad=False, divisor_override=None)
    (array([2, 2]), array([2, 3, 2]))
    """
    if divisor_override is not None:
        (divisor,) = sizes(divisor_override, "divisor_override", 1, least=-(2**62))
        if divisor == 0:
            raise UsageError("divisor_override must not be 0")
        h_out, w_out = window.output_size(size)
        return np.full(h_out, divisor), np.broadcast_to(np.intp(1), w_out)
    if count_include_pad:
        return padded_counts(window, size, 0), padded_counts(window, size, 1)
    return Spans.of_window(window, size, 0).count, Spans.of_window(window, size, 1).count


def _forward(input: AnyArray, window: Window, dims: int, count_include_pad: bool, divisor_override: int | None) -> AnyArray:
    batch, axes = pool_batch(input, dims)
    size = batch.shape[2:]
    by_default = not as_flag(count_include_pad, "count_include_pad") and divisor_override is None
    divisors = None if by_default else _divisors(window, size, count_include_pad, divisor_override)
    rows = averages(Planes.of_batch(batch), window, divisors, sum_dtype(batch))
    return from_batch(rows.reshape(*batch.shape[:2], *window.output_size(size)), axes, dims)


@ignore_float_errors
def _input_gradient(
    grad_output: AnyArray, input_size: Shape, window: Window, dims: int, count_include_pad: bool, divisor_override: int | None
) -> AnyArray:
    grad, shape, axes = pool_gradient(grad_output, input_size, dims)
    count_include_pad = as_flag(count_include_pad, "count_include_pad")
    size = shape[2:]
    if grad.shape[2:] != window.output_size(size):
        raise DoesNotFit(
            f"grad_output {from_batch(grad, axes, dims).shape} must end with the pool's output size {window.output_size(size)}"
        )
    heights, widths = _divisors(window, size, count_include_pad, divisor_override)
    shares = grad / (heights[:, None] * widths).astype(sum_dtype(grad))
    spans = Spans.of_window(window, size, 0).covering(size[0]), Spans.of_window(window, size, 1).covering(size[1])
    ones = np.ones(size[0]), np.ones(size[1])
    return from_batch(span_averages(Planes.of_batch(shares), spans, ones, sum_dtype(grad)).reshape(shape), axes, dims)
