"""Rows of a picture in three parts: the middle, whose windows lie within the picture's width, and the sides, which see padding.

The middle is most of a picture and is read where it lies. Padded rows are made for the narrow sides alone.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from imgconv.functional.borders import Border, PaddedRows, elements, taken

WORTH = 4  # a picture is at least so many times as wide as what its sides read, or all of its rows are padded instead
Part = tuple[PaddedRows, int]  # rows, and the first element of a target row that their windows give


class Sides:
    """The parts of `source` (H, W*C), padded by `pads`, for windows that are `reach` + 1 pixels wide and one pixel apart."""

    def __init__(self, source: NDArray[np.generic], pads: Sequence[tuple[int, int]], border: Border, channels: int, reach: int):
        (self._down, (self._left, self._right)), self._reach = pads, reach
        self._source, self._border, self._channels = source, border, channels
        self._width = source.shape[1] // channels
        border.check(self._width, self._left, self._right)
        self.middle: Part = self._part(source, self._left)

    @property
    def are_narrow(self) -> bool:
        """Whether taking the picture apart is worth it."""
        return WORTH * (self._left + self._right + 2 * self._reach) <= self._width

    def outer(self) -> Iterator[Part]:
        """The two sides, where there are any."""
        for first, count in ((0, self._left), (self._left + self._width - self._reach, self._right)):
            if count:
                columns = self._border.behind(np.arange(first, first + count + self._reach) - self._left, self._width)
                yield self._part(taken(self._source, elements(columns, self._channels), self._border.value), first)

    def _part(self, rows: NDArray[np.generic], first: int) -> Part:
        return PaddedRows(rows, (self._down, (0, 0)), self._border, self._channels), first * self._channels
