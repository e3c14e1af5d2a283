"""Planes of one size as the rows of one array, in which loops read batches and interleaved images; strips of the columns of long rows.

Tables and padded copies of a strip are small, those of a row are not.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from imgconv.arrays import AnyArray
from imgconv.window import Window

LONG = 1 << 20  # bytes of a row that is read in strips; a strip has about as many
FEW_ROWS = 64  # taller inputs have rows enough that what one of them takes does not matter


@dataclass(frozen=True)
class Planes:
    """`count` planes of `size` (height, width) in pixels of `channels` interleaved values, as `rows` (count*height, width*channels)."""

    rows: AnyArray
    count: int
    size: tuple[int, int]
    channels: int = 1

    @classmethod
    def of_batch(cls, batch: AnyArray) -> "Planes":
        """The planes of a batch (N, C, H, W): N*C of them; copied only where the batch is not contiguous.

        >>> Planes.of_batch(np.zeros((2, 3, 4, 5))).rows.shape
        (24, 5)
        """
        n, c, height, width = batch.shape
        return cls(_plain(batch).reshape(n * c * height, width), n * c, (height, width))

    @classmethod
    def of_image(cls, pixels: AnyArray) -> "Planes":
        """An image (H, W, C) as one plane of interleaved pixels."""
        height, width, channels = pixels.shape
        return cls(_plain(pixels).reshape(height, width * channels), 1, (height, width), channels)

    def interleaved(self) -> "Planes":
        """The same planes as one, each pixel of which holds a value of every plane: loops over rows of few pixels cost more.

        >>> Planes(np.array([[1, 2], [3, 4], [5, 6], [7, 8]]), 2, (2, 2)).interleaved().rows
        array([[1, 5, 2, 6],
               [3, 7, 4, 8]])
        """
        height, width = self.size
        rows = self.rows.reshape(self.count, height, width, self.channels).transpose(1, 2, 0, 3)
        return Planes(np.ascontiguousarray(rows).reshape(height, -1), 1, self.size, self.count * self.channels)

    def columns(self, begin: int, end: int) -> "Planes":
        """The columns from `begin` to `end` of each plane, as a copy."""
        rows = self.rows[:, begin * self.channels : end * self.channels]
        return replace(self, rows=np.ascontiguousarray(rows), size=(self.size[0], end - begin))

    def with_rows(self, rows: AnyArray) -> "Planes":
        """The same planes with other values or another dtype."""
        return replace(self, rows=rows)


def _plain(array: AnyArray) -> AnyArray:
    """`array` in C order and a dtype that loops have: bools are read as bytes, float16 as float32, both without loss."""
    return np.ascontiguousarray(array, {"?": np.uint8, "e": np.float32}.get(array.dtype.char))


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


def by_strips(planes: Planes, window: Window, reduce: Callable[[Planes, Strip], AnyArray]) -> AnyArray | None:
    """Few long rows reduced strip by strip, (count * h_out, w_out * channels); None for any other planes.

    `reduce(cells, strip)` returns the results of a strip from the cells that its windows see.
    """
    h_out, channels = window.output_size(planes.size)[0], planes.channels
    parts = strips(window, planes.size, channels * planes.rows.itemsize) if planes.count * h_out <= FEW_ROWS else []
    if not parts:
        return None
    shape = planes.count * h_out, -1, channels
    return join_strips(parts, lambda part: (reduce(planes.columns(part.begin, part.end), part).reshape(shape),))[0].reshape(shape[:2])
