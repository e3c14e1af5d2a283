"""Images that are read or written a few rows at a time: what the formats that support this have in common."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

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

    def read_into(self, first: int, target: NDArray[Any]) -> None:
        """Read the rows from `first` on into an array of this size."""
        target[...] = self.read(first, first + len(target))


class StoredRows(NamedTuple):
    """Rows of a TIFF page as the file has them: strips or tiles, and the bytes of their averages over 2x2 pixels for a reduced copy."""

    segments: list[Any]
    averages: bytes


@dataclass
class BandedImage:
    """An image whose rows come in bands (rows, W, C), from the first row to the last; `shape` is (H, W, C).

    `are_maps` means that its channels are maps, and not colours; `are_stored` that the bands are StoredRows.
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
    """Yield the rows of `bands` in bands of `rows`, each of which is valid until the next one; the last one may have fewer.

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
            if group is None:
                group = np.empty((rows, *band.shape[1:]), band.dtype)
            count = min(rows - filled, len(band) - at)
            group[filled : filled + count] = band[at : at + count]
            filled, at = (filled + count) % rows, at + count
            if not filled:
                yield group
    if group is not None and filled:
        yield group[:filled]


class RowBuffer:
    """The rows of an image that are in memory: no row is read twice while the rows only move down.

    What is returned is overwritten by the second call of `read` that follows.
    """

    def __init__(self, reader: RowReader):
        self._reader, self._height = reader, reader.header.size[0]
        self._rows: NDArray[Any] | None = None  # from row `_begin` on
        self._begin = 0
        self._buffers: list[NDArray[Any] | None] = [None, None]

    def read(self, begin: int, end: int) -> NDArray[Any]:
        """Return rows begin to end; rows outside of the image are those of its other end."""
        inside = self._inside(max(begin, 0), min(end, self._height))
        if begin >= 0 and end <= self._height:
            return inside
        above = [self._reader.read(self._height + begin, self._height)] if begin < 0 else []
        below = [self._reader.read(0, end - self._height)] if end > self._height else []
        return np.concatenate([*above, inside, *below])

    def _inside(self, begin: int, end: int) -> NDArray[Any]:
        known, step = self._rows, self._reader.step
        last = self._begin + (0 if known is None else len(known))
        if known is None or not self._begin <= begin <= last:
            first = last = begin if self._reader.forward else begin // step * step
        else:
            first = begin
        if known is None or last < end:
            stop = min(-(-end // step) * step, self._height)
            rows = self._buffer(stop - first)
            if first < last and known is not None:
                rows[: last - first] = known[first - self._begin :]
            self._reader.read_into(last, rows[last - first :])
            self._rows, self._begin = rows, first
        else:
            rows = known
        return rows[begin - self._begin : end - self._begin]

    def _buffer(self, count: int) -> NDArray[Any]:
        """Return memory for rows, other than that of the rows before: new memory takes longer to get than to fill."""
        self._buffers.reverse()
        buffer, header = self._buffers[0], self._reader.header
        if buffer is None or len(buffer) < count:
            self._buffers[0] = buffer = None  # freed before there is more
            self._buffers[0] = buffer = np.empty((count, header.size[1], header.channels), header.dtype)
        return buffer[:count]
