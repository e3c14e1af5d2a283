"""The valid cells of images: 1 for valid and 0 for missing ones, one for each pixel where its channels share them."""

from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imgconv.arrays import Array
from imgconv.engine import compiled, parallel
from imgconv.loops.filters import repeat_cells, set_missing

Valid = NDArray[np.uint8]
SHARE_ROUNDING = 1e-11  # of shares in float64: a smaller difference from the least valid share is rounding
BAND_BYTES = 1 << 21  # of pixels or of a mask at a time, each of which is read once


def all_of(cells: Array) -> Array:
    """Whether all channels of `cells` (H, W, C), 0 or 1, are 1, as (H, W, 1): a reduction along so short an axis takes ten times as long.

    >>> all_of(np.array([[[1, 0], [1, 1]]], np.uint8))
    array([[[0],
            [1]]], dtype=uint8)
    """
    cells = narrowed(cells)
    return reduce(np.bitwise_and, (cells[..., c : c + 1] for c in range(cells.shape[2])))


def for_channels(cells: Array, channels: int) -> Array:
    """`cells` (H, W, 1 or C) for `channels` channels; where one is repeated, a view, which `narrowed` undoes.

    >>> for_channels(np.array([[[0], [1]]]), 2)
    array([[[0, 0],
            [1, 1]]])
    """
    return np.broadcast_to(cells, (*cells.shape[:2], channels))


def narrowed(cells: Array) -> Array:
    """`cells` (..., C) in C order, or (..., 1) where its channels are a view of one.

    >>> narrowed(for_channels(np.array([[[0], [1]]]), 2))
    array([[[0],
            [1]]])
    """
    is_shared = cells.shape[-1] > 1 and cells.strides[-1] == 0
    return np.ascontiguousarray(cells[..., :1] if is_shared else cells)


def repeated(cells: Array, channels: int, threads: int | None = None) -> Array:
    """`cells` (H, W, 1 or C) for `channels` channels, in C order.

    >>> repeated(np.array([[[0], [1]]]), 2)
    array([[[0, 0],
            [1, 1]]])
    """
    cells = narrowed(cells)
    if cells.shape[2] == channels:
        return cells
    whole = np.empty((*cells.shape[:2], channels), cells.dtype)
    source, target = (each.reshape(len(whole), -1) for each in (cells, whole))
    loop = compiled.loop(repeat_cells, channels=channels)
    parallel.run_bands(lambda first, last: loop(source[first:last], target[first:last]), len(whole), _rows_of_band(target), threads)
    return whole


def without_missing(pixels: Array, valid: Valid, value: float = 0, *, target: Array | None = None, threads: int | None = None) -> Array:
    """A copy of `pixels` with `value` where `valid`, of the same shape, is 0 and not 1; or `target`, which may be `pixels`, filled with it.

    >>> without_missing(np.array([[1.5, np.nan, 3]]), np.array([[1, 0, 1]], np.uint8), -1)
    array([[ 1.5, -1. ,  3. ]])
    """
    target = np.empty(pixels.shape, pixels.dtype) if target is None else target
    bits: Any = np.dtype(f"u{target.itemsize}")
    filler = np.array([value], target.dtype).view(bits)
    source, rows, known = (each.reshape(len(target), -1) for each in (pixels.view(bits), target.view(bits), narrowed(valid)))
    loop = compiled.loop(set_missing, channels=rows.shape[1] // known.shape[1], in_place=int(target is pixels))

    def fill(first: int, last: int) -> None:
        loop(source[first:last], known[first:last], filler, rows[first:last])

    parallel.run_bands(fill, len(target), _rows_of_band(target), threads)
    return target


def _rows_of_band(cells: Array) -> int:
    return max(1, BAND_BYTES // max(cells[:1].nbytes, 1))
