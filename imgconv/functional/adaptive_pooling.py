"""Adaptive pools: windows chosen so that the output has a given size."""

from collections.abc import Sequence

from imgconv.arrays import AnyArray, as_batch, from_batch, sum_dtype
from imgconv.errors import UsageError
from imgconv.functional.pooling import check_cells
from imgconv.window import sizes
from imgconv.windows.reduce import Planes, Spans, located_extremes, span_averages

OutputSize = int | Sequence[int | None]


def adaptive_avg_pool2d(input: AnyArray, output_size: OutputSize) -> AnyArray:
    """Averages over windows that divide the input into `output_size` parts as evenly as they can.

    Output row i averages rows floor(i*H/h_out) to ceil((i+1)*H/h_out) of the input, and columns alike.

    Parameters
    ----------
    input : (N, C, H, W) or (C, H, W), bool, integers or floats
        N and C may be 0, the other sizes not.
    output_size : int or pair
        (h_out, w_out); None keeps the input's size along that axis, and 0 gives an empty result, as in torch.

    Returns
    -------
    (N, C, h_out, w_out) or (C, h_out, w_out) float32, float64 for float64 input

    Raises
    ------
    ImgconvError
        As ValueError or TypeError: an output size that is no pair of whole numbers, 2-D or complex input.

    Notes
    -----
    Costs about two additions a cell, in float64. Source: torch.nn.functional.adaptive_avg_pool2d, which refuses integers.

    Examples
    --------
    >>> import imgconv
    >>> import numpy as np
    >>> imgconv.adaptive_avg_pool2d(np.arange(15.0).reshape(1, 3, 5), (1, 2))
    array([[[6., 8.]]])
    """
    batch, batched = as_batch(input)
    check_cells(batch, batch.shape[2:])
    spans = _spans(batch, output_size)
    rows = span_averages(Planes.of_batch(batch), spans, (spans[0].count, spans[1].count), sum_dtype(batch))
    return from_batch(rows.reshape(*batch.shape[:2], len(spans[0].first), len(spans[1].first)), batched)


def adaptive_max_pool2d(input: AnyArray, output_size: OutputSize, return_indices: bool = False) -> AnyArray | tuple[AnyArray, AnyArray]:
    """The largest value under each of the windows of `adaptive_avg_pool2d`, whose `input` and `output_size` it has.

    Of the input's axes only the first may be empty.

    Returns
    -------
    (N, C, h_out, w_out) or (C, h_out, w_out) of the input's dtype
        Of `output_size`, the input's own where it says None.
    indices, the same shape, int64
        With `return_indices`: where each value was found, as `max_pool2d`.

    Raises
    ------
    ImgconvError
        As ValueError or TypeError, where `adaptive_avg_pool2d` does.

    Notes
    -----
    Costs a comparison for every cell of every window. Source: torch.nn.functional.adaptive_max_pool2d.

    Examples
    --------
    >>> import imgconv
    >>> import numpy as np
    >>> imgconv.adaptive_max_pool2d(np.arange(15).reshape(1, 3, 5), (None, 1), return_indices=True)[1]
    array([[[ 4],
            [ 9],
            [14]]])
    """
    batch, batched = as_batch(input)
    check_cells(batch, batch.shape[1:] if batched else batch.shape[2:])
    spans = _spans(batch, output_size)
    shape = (*batch.shape[:2], len(spans[0].first), len(spans[1].first))
    values, indices = located_extremes(Planes.of_batch(batch), spans, largest=True)
    pooled = from_batch(values.astype(batch.dtype, copy=False).reshape(shape), batched)
    return (pooled, from_batch(indices.reshape(shape), batched)) if return_indices else pooled


def _spans(batch: AnyArray, output_size: OutputSize) -> tuple[Spans, Spans]:
    both = (output_size, output_size) if not isinstance(output_size, Sequence) else output_size
    if len(both) != 2 or isinstance(output_size, str) or output_size is None:
        raise UsageError(f"output_size must be a whole number or a pair of them, either of which may be None, not {output_size!r}")
    height, width = (
        size if out is None else sizes(out, "output_size", 1, least=0)[0] for size, out in zip(batch.shape[2:], both, strict=True)
    )
    return Spans.adaptive(batch.shape[2], height), Spans.adaptive(batch.shape[3], width)
