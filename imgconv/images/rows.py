"""Images that are read a few rows at a time, or written so: the common part of the formats that can."""

from abc import ABC, abstractmethod
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


@dataclass
class BandedImage:
    """An image whose rows come in bands (rows, W, C), from the first row to the last; `shape` is (H, W, C).

    `are_maps` says that its channels are maps, and not colours.
    """

    shape: tuple[int, int, int]
    dtype: np.dtype[Any]
    bands: Iterable[NDArray[Any]]
    alpha: bool = False
    metadata: Metadata = field(default_factory=Metadata)
    are_maps: bool = False

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
