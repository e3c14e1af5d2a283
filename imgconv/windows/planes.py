"""Planes of one size as the rows of one array, in which loops read batches and interleaved images."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from imgconv.arrays import AnyArray
from imgconv.window import Window
from imgconv.windows.strips import FEW_ROWS, Strip, join_strips, strips


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
