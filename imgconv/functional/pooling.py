"""Pools that select a cell of each window: the largest, the smallest or the lower median; torch's calls on numpy arrays.

Results have the input's dtype. Padded cells are never selected. What is summed is in `averages`.
"""

from imgconv.functional.arrays import AnyArray, as_given
from imgconv.functional.folding import extremes
from imgconv.functional.medians import medians
from imgconv.functional.planes import Planes
from imgconv.functional.pooling_indices import located_extremes
from imgconv.functional.pooling_windows import Sizes, pool_batch, pool_window
from imgconv.functional.spans import Spans
from imgconv.window import Window

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
    return _as_pooled(values, batch, batched, window, dims), as_given(located, batched, dims)


def _as_pooled(rows: AnyArray, batch: AnyArray, batched: bool, window: Window, dims: int) -> AnyArray:
    """Stacked rows of outputs in the form and dtype of the input."""
    pooled = rows.reshape(*batch.shape[:2], *window.output_size(batch.shape[2:]))
    return as_given(pooled.astype(batch.dtype, copy=False), batched, dims)
