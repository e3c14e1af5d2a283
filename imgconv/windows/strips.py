"""Strips of output columns of an input whose rows are long: tables and padded copies of a strip are small, those of a row are not."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from imgconv.arrays import AnyArray
from imgconv.window import Window

LONG = 1 << 20  # bytes of a row; a strip has about as many
FEW_ROWS = 64  # taller inputs have rows enough that what one of them takes does not matter


class Strip(NamedTuple):
    """Output columns `first` to `last`, the input columns `begin` to `end` under their windows, and the window between the two."""

    first: int
    last: int
    begin: int
    end: int
    window: Window


def strips(window: Window, size: Sequence[int], pixel_bytes: int = 4) -> list[Strip]:
    """Return the strips of an input of `size` (height, width) with few long rows; none for any other input, and for wide windows.

    The border of a strip repeats the cells that the border of the input repeats, but for a circular one.

    >>> [(each.first, each.last, each.begin, each.end) for each in strips(Window.of((1, 3), (1, 2), (0, 1)), (1, 2**20))]
    [(0, 131072, 0, 262144), (131072, 262144, 262143, 524288), (262144, 393216, 524287, 786432), (393216, 524288, 786431, 1048576)]
    """
    (height, width), (down, across), (tall, wide) = size, window.stride, window.span
    if height > FEW_ROWS or width * pixel_bytes <= LONG or 4 * max(wide, across) * pixel_bytes > LONG:
        return []
    (h_out, w_out), ((top, _), (left, _)) = window.output_size(size), window.pads(size)
    count = w_out * across * pixel_bytes // LONG
    if count < 2:
        return []
    edges = [w_out * number // count for number in range(count + 1)]
    below = max((h_out - 1) * down + tall - top - height, 0)
    parts = []
    for first, last in pairwise(edges):
        begin, end = first * across - left, (last - 1) * across + wide - left
        inside = max(begin, 0), min(end, width)
        around = ((top, below), (inside[0] - begin, end - inside[1]))
        parts.append(Strip(first, last, *inside, replace(window, around=around, ceil_mode=False)))
    return parts


def join_strips(parts: Sequence[Strip], compute: Callable[[Strip], tuple[AnyArray, ...]]) -> list[AnyArray]:
    """Arrays (h_out, w_out, C) from those that `compute` returns for each strip; the first strip has the dtypes of all."""
    results = list[AnyArray]()
    for part in parts:
        columns = compute(part)
        if not results:
            results = [np.empty((len(each), parts[-1].last, each.shape[2]), each.dtype) for each in columns]
        for result, each in zip(results, columns, strict=True):
            result[:, part.first : part.last] = each
    return results
