"""Pools that average, and their gradients' common ground: what the sum under each place of a window is divided by.

Results are float32, float64 for float64. Pools that select a cell are in `pooling`.
"""

from collections.abc import Sequence

import numpy as np

from imgconv.errors import UsageError
from imgconv.functional.arrays import AnyArray, as_given, sum_dtype
from imgconv.functional.folding import averages
from imgconv.functional.planes import Planes
from imgconv.functional.pooling_windows import Sizes, pool_batch, pool_window
from imgconv.functional.spans import Cells, Spans, padded_counts
from imgconv.window import Window, sizes


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
    return as_given(rows.reshape(*batch.shape[:2], *window.output_size(size)), batched, dims)
