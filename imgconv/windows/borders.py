"""Padding: the input cell whose value each padded cell has, for every padding mode, and padded rows made band by band."""

from collections.abc import Sequence
from typing import Any, NamedTuple, assert_never

import numpy as np
from numpy.typing import NDArray

from imgconv.arrays import AnyArray
from imgconv.errors import DoesNotFit
from imgconv.modes import PaddingMode

CONSTANT = -1  # the index of a cell that holds the border's constant value


class Border(NamedTuple):
    """A padding mode and the value of the cells that `zeros` and `constant` add."""

    mode: PaddingMode
    value: float = 0.0

    @classmethod
    def of(cls, padding_mode: str | tuple[str, float]) -> "Border":
        """The border of a `padding_mode` argument: a name, or ("constant", value).

        >>> Border.of("reflect").source_cells(4, 2, 1)
        array([2, 1, 0, 1, 2, 3, 2])
        """
        return cls(*PaddingMode.of(padding_mode))

    def source_cells(self, size: int, before: int, after: int) -> NDArray[np.intp]:
        """The input cell (or CONSTANT) whose value each of the before + size + after padded cells of an axis has.

        Raises DoesNotFit where the mode cannot fill that much, see `PaddingMode.most`.
        """
        self.check(size, before, after)
        return self.sources(np.arange(-before, size + after), size)

    def check(self, size: int, before: int, after: int) -> None:
        """Raise DoesNotFit where the mode cannot fill `before` and `after` cells around `size`."""
        most, widest = self.mode.most(size), max(before, after)
        if most is not None and widest > most:
            raise DoesNotFit(f"padding {widest} is too wide for padding_mode {self.mode.value!r} on {size} cells; use at most {most}")

    def check_level(self, dtype: np.dtype[Any]) -> None:
        """Raise DoesNotFit where whole-number pixels of `dtype` cannot have the border's value."""
        largest = np.iinfo(dtype.char).max if dtype.kind == "u" else np.inf
        if dtype.kind == "u" and not (self.value.is_integer() and 0 <= self.value <= largest):
            raise DoesNotFit(f"constant {self.value:g} is not a level of this image; use a whole number from 0 to {largest}")

    def sources(self, cells: NDArray[np.intp], size: int) -> NDArray[np.intp]:
        """The input cell (or CONSTANT) whose value each of some padded `cells` has; those of the input are 0 to `size` - 1."""
        match self.mode:
            case PaddingMode.zeros | PaddingMode.constant:
                return np.where((cells < 0) | (cells >= size), CONSTANT, cells)
            case PaddingMode.replicate:
                return np.minimum(np.maximum(cells, 0), max(size - 1, 0))  # np.clip takes four times as long
            case PaddingMode.reflect:
                return (size - 1) - np.abs((size - 1) - np.abs(cells))
            case PaddingMode.symmetric:
                cells = np.where(cells < 0, -1 - cells, cells)
                return np.where(cells >= size, 2 * size - 1 - cells, cells)
            case PaddingMode.circular:
                return cells % size if size else cells
            case _:
                assert_never(self.mode)


class PaddedRows:
    """Rows of a padded input, copied a band at a time, so that no padded copy of the whole input exists.

    `source` (H, W*C) holds interleaved pixels of `channels` values; `pads` are ((top, bottom), (left, right)) in pixels. With a `height`
    the source holds the rows from `begin` on of an input of that height, those that are read; rows outside of the input, below 0 for
    example, may be among them.
    """

    def __init__(
        self,
        source: AnyArray,
        pads: Sequence[tuple[int, int]],
        border: Border,
        channels: int = 1,
        *,
        begin: int = 0,
        height: int | None = None,
    ):
        (top, bottom), (left, right) = pads
        height, width = source.shape[0] if height is None else height, source.shape[1] // channels
        border.check(height, top, bottom)
        border.check(width, left, right)
        self.source, self.border, self.top = source, border, top
        self._begin, self._height = begin, height
        self.left = elements(border.sources(np.arange(-left, 0), width), channels)
        self.right = elements(border.sources(np.arange(width, width + right), width), channels)
        self.shape = (top + height + bottom, (left + width + right) * channels)

    def band(self, first: int, last: int) -> AnyArray:
        """Padded rows first..last, (last - first, (left + W + right)*C); a view of the source where they have no padding."""
        cell, count = first - self.top - self._begin, self.source.shape[0]  # the first one, as a row of the source
        begin, end = min(max(cell, 0), count), min(max(cell + last - first, 0), count)  # the rows of the source among them
        if end - begin == last - first and not len(self.left) and not len(self.right):
            return self.source[begin:end]
        band = np.empty((last - first, self.shape[1]), self.source.dtype)
        middle = band[:, len(self.left) : self.shape[1] - len(self.right)]
        head, tail = (min(max(row - cell, 0), last - first) for row in (0, count))
        middle[head:tail] = self.source[begin:end]
        rows = np.arange(first - self.top, last - self.top)
        for i in (*range(head), *range(tail, last - first)):
            row = self.border.sources(rows[i : i + 1], self._height)[0]
            middle[i] = self.border.value if row == CONSTANT else self.source[row - self._begin]
        for side, index in ((band[:, : len(self.left)], self.left), (band[:, self.shape[1] - len(self.right) :], self.right)):
            if len(index):
                side[:] = values_at(middle, index, self.border.value)
        return band

    def fill_constant(self, band: AnyArray, first: int, pixel: Sequence[float]) -> None:
        """Give the cells of padded rows from `first` on that hold the border's constant the values of `pixel`."""
        pixels, rows = band.reshape(len(band), -1, len(pixel)), np.arange(len(band)) + first - self.top
        pixels[self.border.sources(rows, self._height) == CONSTANT] = pixel
        across = np.concatenate([self.left, np.zeros(band.shape[1] - len(self.left) - len(self.right), np.intp), self.right])
        pixels[:, across[:: len(pixel)] == CONSTANT] = pixel


class Part(NamedTuple):
    """Output rows `first` to `last` of an image of `height` rows, of which those from `begin` on are in memory.

    Rows below 0, or beyond the height, are those that a circular border repeats.
    """

    height: int
    begin: int
    first: int
    last: int

    @property
    def keywords(self) -> dict[str, int]:
        """The keyword arguments of `PaddedRows`."""
        return {"begin": self.begin, "height": self.height}


def elements(columns: NDArray[np.intp], channels: int) -> NDArray[np.intp]:
    """The row elements of pixel `columns`: `channels` for each pixel."""
    spread = columns[:, None] * channels + np.arange(channels)
    return np.where(columns[:, None] == CONSTANT, CONSTANT, spread).ravel()


def values_at(rows: AnyArray, index: NDArray[np.intp], value: float) -> AnyArray:
    """The elements `index` of each row, `value` where that is CONSTANT."""
    values = rows[:, index]
    values[:, index == CONSTANT] = value
    return values
