"""Rows of a TIFF page: the strips or tiles that hold them are decoded, on several threads."""

import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imgconv.ahead import in_order
from imgconv.errors import reason
from imgconv.images.damage import DECODER_ERRORS, DamageError, TruncatedError, image_errors, read_exactly
from imgconv.images.raster import Header, Metadata
from imgconv.images.rows import RowReader
from imgconv.images.tiff import colors, segments

_WHOLE_BYTES = (8, 16, 32, 64)


class TiffRows(RowReader):
    """The upright rows of a page, and of the mask that is its alpha; None for a mask without one."""

    def __init__(self, page: Any, mask: Any, orientation: int, header: Header, metadata: Metadata, *, salvage: bool):
        self.header, self.metadata = header, metadata
        self._page, self._mask, self._orientation = page, mask, orientation
        self._samples = [_Samples(each, salvage) for each in (page, mask) if each is not None]
        self.step = self._samples[0].step

    def read(self, first: int, last: int) -> NDArray[Any]:
        return self._pixels(first, last)

    def read_into(self, first: int, target: NDArray[Any]) -> None:
        pixels = self._pixels(first, first + len(target), target)
        if pixels.ctypes.data != target.ctypes.data or pixels.strides != target.strides:
            target[...] = pixels

    def _pixels(self, first: int, last: int, memory: NDArray[Any] | None = None) -> NDArray[Any]:
        """Return upright rows, in the memory that is given if they have the same form in the file."""
        height, width = self.header.size
        left, right = self.columns or (0, width)
        for samples in self._samples:
            samples.columns = (width - right, width - left) if self._orientation in (2, 3) else (left, right)
        if self._orientation in (3, 4):
            first, last = height - last, height - first
        with image_errors("damaged tiff"):
            pixels, alpha = colors.pixels_of(
                self._page, self._samples[0].rows(first, last, memory), premultiplied=self.header.premultiplied
            )
            if self._mask is not None:
                mask = self._samples[1].rows(first, last)[..., :1]
                pixels = colors.with_mask(pixels, alpha, mask, premultiplied=self.header.premultiplied)
        down, across = {2: (1, -1), 3: (-1, -1), 4: (-1, 1)}.get(self._orientation, (1, 1))
        return np.ascontiguousarray(pixels[::down, ::across])


class _Samples:
    """The samples of a page as they are stored, by rows."""

    def __init__(self, page: Any, salvage: bool):
        self._page, self._salvage = page, salvage
        self._lock = threading.Lock()
        self._count = segments.needed_segments(page, salvage)
        self.columns = (0, int(page.imagewidth))
        height, width = int(page.imagelength), int(page.imagewidth)
        rows, columns = (page.tilelength, page.tilewidth) if page.is_tiled else (min(page.rowsperstrip, height), width)
        self._segment = int(rows), int(columns)
        self._grid = -(-height // rows), -(-width // columns)
        self._plain = int(page.compression) == 1 and int(page.predictor) == 1 and page.fillorder == 1
        self._plain &= page.bitspersample in _WHOLE_BYTES and not segments.stores_ycbcr(page)
        self._is_filled = not salvage and 0 not in page.databytecounts
        self.step = 1 if self._plain else self._segment[0]

    def rows(self, first: int, last: int, memory: NDArray[Any] | None = None) -> NDArray[Any]:
        """Return the samples (last - first, W, S) of some rows, in the memory that is given if it has this form."""
        page, planes = self._page, self._page.shaped[0]
        shape = (planes, last - first, *page.shaped[3:])
        if memory is None or (memory[None].shape, memory.dtype) != (shape, page.dtype):
            samples = np.empty(shape, page.dtype)
        else:
            samples = memory[None]
        if not self._is_filled:
            samples[...] = page.nodata if 0 in page.databytecounts else 0
        if self._plain:
            for index in self._segments(first, last):
                self._fill_plain(index, samples, first)
        else:
            for _ in in_order(lambda index: self._fill(index, samples, first), self._segments(first, last)):
                pass
        samples = segments.highest_byte_first(page, samples)
        return samples[0] if planes == 1 else np.moveaxis(samples[..., 0], 0, -1)

    def _segments(self, first: int, last: int) -> Iterator[int]:
        """Yield the numbers of the segments that hold some rows of the columns that are read."""
        (rows, columns), (down, across) = self._segment, self._grid
        left, right = self.columns
        for plane in range(self._page.shaped[0]):
            for row in range(first // rows, -(-last // rows)):
                for column in range(left // columns, -(-right // columns)):
                    index = (plane * down + row) * across + column
                    if index < self._count and self._page.databytecounts[index]:
                        yield index

    def _fill(self, index: int, samples: NDArray[Any], top: int) -> None:
        page = self._page
        try:
            with self._lock:
                data = segments.stored(page, page.dataoffsets[index], page.databytecounts[index])
            segment, (plane, _, row, left, _) = segments.decoded(page, index, data, self._salvage)
        except DECODER_ERRORS as error:
            if self._salvage:
                return
            raise DamageError(f"{segments.place_of(page, index)}: {reason(error)}") from error
        begin, end = max(row, top), min(row + segment.shape[0], top + samples.shape[1])
        target = samples[plane, begin - top : end - top, left : left + segment.shape[1]]
        target[...] = segment[begin - row : end - row, : target.shape[1]]

    def _fill_plain(self, index: int, samples: NDArray[Any], top: int) -> None:
        """Read the rows of a strip or tile that is not compressed, and no others."""
        page, (rows, columns), (down, across) = self._page, self._segment, self._grid
        plane, row, left = index // across // down, index // across % down * rows, index % across * columns
        bottom = row + rows if page.is_tiled else min(row + rows, int(page.imagelength))
        begin, end = max(row, top), min(bottom, top + samples.shape[1])
        dtype = page.dtype.newbyteorder(page.parent.byteorder)
        length = columns * samples.shape[3] * dtype.itemsize
        try:
            if (bottom - row) * length > page.databytecounts[index]:
                raise TruncatedError
            file = page.parent.filehandle
            file.seek(page.dataoffsets[index] + (begin - row) * length)
            data = read_exactly(file, (end - begin) * length)
        except DECODER_ERRORS as error:
            if self._salvage:
                return
            raise DamageError(f"{segments.place_of(page, index)}: {reason(error)}") from error
        target = samples[plane, begin - top : end - top, left : left + columns]
        target[...] = np.frombuffer(data, dtype).reshape(end - begin, columns, -1)[:, : target.shape[1]]
