"""Images that are read a few rows at a time, or written so: the common part of the formats that can."""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imgconv.images.raster import Header, Metadata, Raster


class RowReader(ABC):
    """The rows of one image in a file; `header` is that of the rows, which are upright.

    `step` are the rows that are decoded together, so that reading from one multiple of it to another decodes nothing twice. A `forward`
    reader gives rows in their order only, and again from the first row on. `columns` are those that the caller uses; others may be
    anything.
    """

    header: Header
    metadata: Metadata = Metadata()
    step: int = 1
    forward: bool = False
    columns: tuple[int, int] | None = None

    @abstractmethod
    def read(self, first: int, last: int) -> NDArray[Any]:
        """Return rows first to last, (last - first, W, C) C-contiguous. Raises ImageError for damage."""


@dataclass(frozen=True)
class StoredRows:
    """Rows of a TIFF page as the file has them: strips or tiles, and the bytes of their averages over 2x2 pixels for a reduced copy."""

    segments: list[Any]
    averages: bytes


@dataclass
class BandedImage:
    """An image whose rows come in bands (rows, W, C), from the first row to the last; `shape` is (H, W, C).

    `are_maps` says that its channels are maps, and not colours; `are_stored` that the bands are StoredRows.
    """

    shape: tuple[int, int, int]
    dtype: np.dtype[Any]
    bands: Iterable[Any]
    alpha: bool = False
    metadata: Metadata = field(default_factory=Metadata)
    are_maps: bool = False
    are_stored: bool = False

    @classmethod
    def of(cls, raster: Raster) -> "BandedImage":
        """An image that is in memory, as one band."""
        height, width = raster.size
        return cls((height, width, raster.channels), raster.pixels.dtype, [raster.pixels], raster.alpha, raster.metadata)

    @property
    def channels(self) -> int:
        """Number of channels, alpha included."""
        return self.shape[2]

    @property
    def row_bytes(self) -> int:
        """Bytes of a row."""
        return self.shape[1] * self.shape[2] * self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        """Bytes of all rows."""
        return self.shape[0] * self.row_bytes


def regrouped(bands: Iterable[NDArray[Any]], rows: int) -> Iterator[NDArray[Any]]:
    """Yield the rows of `bands` in bands of `rows`; the last one may have fewer.

    >>> [len(band) for band in regrouped([np.zeros((3, 1)), np.zeros((4, 1))], 2)]
    [2, 2, 2, 1]
    """
    group: NDArray[Any] | None = None
    filled = 0
    for band in bands:
        at = 0
        while at < len(band):
            if not filled and len(band) - at >= rows:
                yield band[at : at + rows]
                at += rows
                continue
            if group is None or not filled:
                group = np.empty((rows, *band.shape[1:]), band.dtype)
            count = min(rows - filled, len(band) - at)
            group[filled : filled + count] = band[at : at + count]
            filled, at = (filled + count) % rows, at + count
            if not filled:
                yield group
    if group is not None and filled:
        yield group[:filled]


class HeldRows:
    """The rows of an image that are in memory, in pieces as they were read: no row is read twice while the rows only move down."""

    def __init__(self, reader: RowReader):
        self._reader, self._height = reader, reader.header.size[0]
        self._pieces: deque[tuple[int, NDArray[Any]]] = deque()  # the first row of each, and its rows
        self._end = 0

    def read(self, begin: int, end: int) -> NDArray[Any]:
        """Return rows begin to end; rows outside of the image are those of its other end."""
        inside = self._inside(max(begin, 0), min(end, self._height))
        above = [self._reader.read(self._height + begin, self._height)] if begin < 0 else []
        below = [self._reader.read(0, end - self._height)] if end > self._height else []
        parts = [*above, *inside, *below]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _inside(self, begin: int, end: int) -> list[NDArray[Any]]:
        step = self._reader.step
        while self._pieces and self._pieces[0][0] + len(self._pieces[0][1]) <= begin:
            self._pieces.popleft()
        if not self._pieces or begin < self._pieces[0][0]:
            self._pieces.clear()
            self._end = begin if self._reader.forward else begin // step * step
        if self._end < end:
            stop = min(-(-end // step) * step, self._height)
            self._pieces.append((self._end, self._reader.read(self._end, stop)))
            self._end = stop
        return [rows[max(begin - first, 0) : end - first] for first, rows in self._pieces if first < end]
