"""Adaptive pools, adaptive_avg_pool2d and adaptive_max_pool2d: the window sizes follow from the output size."""

from collections.abc import Sequence

from imgconv.arrays import AnyArray, as_batch, from_batch, sum_dtype
from imgconv.errors import UsageError
from imgconv.functional.pooling import Pooled, check_cells
from imgconv.window import sizes
from imgconv.windows.reduce import Planes, Spans, located_extremes, span_averages

OutputSize = int | Sequence[int | None]


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
    spans = _spans(batch, output_size)
    shape = (*batch.shape[:2], len(spans[0].first), len(spans[1].first))
    values, indices = located_extremes(Planes.of_batch(batch), spans, largest=True)
    pooled = from_batch(values.astype(batch.dtype, copy=False).reshape(shape), axes)
    return (pooled, from_batch(indices.reshape(shape), axes)) if return_indices else pooled


def _spans(batch: AnyArray, output_size: OutputSize) -> tuple[Spans, Spans]:
    """Return the rows and the columns of all windows."""
    pair = output_size if isinstance(output_size, Sequence) else (output_size, output_size)
    if len(pair) != 2 or isinstance(output_size, str) or output_size is None:
        raise UsageError(f"output_size must be a whole number or a pair of them, either of which may be None, not {output_size!r}")
    axes = zip(batch.shape[2:], pair, strict=True)
    rows, columns = (Spans.adaptive(n, n if count is None else sizes(count, "output_size", 1, least=0)[0]) for n, count in axes)
    return rows, columns
