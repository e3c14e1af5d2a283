"""Planes of one size as the rows of one array: the form in which loops read batches and interleaved pictures alike."""

from dataclasses import dataclass, replace

import numpy as np

from imgconv.functional.arrays import AnyArray


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
    def of_picture(cls, pixels: AnyArray) -> "Planes":
        """A picture (H, W, C) as one plane of interleaved pixels."""
        height, width, channels = pixels.shape
        return cls(_plain(pixels).reshape(height, width * channels), 1, (height, width), channels)

    def with_rows(self, rows: AnyArray) -> "Planes":
        """The same planes with other values or another dtype."""
        return replace(self, rows=rows)


def _plain(array: AnyArray) -> AnyArray:
    """`array` in C order and a dtype that loops know: bools are read as bytes, float16 as float32, both without loss."""
    return np.ascontiguousarray(array, {"?": np.uint8, "e": np.float32}.get(array.dtype.char))
