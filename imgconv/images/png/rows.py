"""Rows of a PNG that is not interlaced: inflated as they are needed, and unfiltered by libpng as small images of their own."""

import struct
import zlib
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from imgconv.images.damage import DamageError, TruncatedError, image_errors, read_exactly
from imgconv.images.deflate import fast_zlib
from imgconv.images.png import chunks as png_chunks
from imgconv.images.raster import Header, Metadata
from imgconv.images.rows import RowReader

_BLOCK = 1 << 18  # bytes of a chunk that are inflated at a time
_RAW = {1: (8, 0), 2: (8, 4), 3: (8, 2), 4: (8, 6), 6: (16, 2), 8: (16, 6)}  # bytes of a pixel -> depth, colour type with as many
Convert = Callable[[BinaryIO, png_chunks.Head], NDArray[Any]]


class PngRows(RowReader):
    """The rows of a file, from the first one on; `convert` gives the pixels of a small file of the same kind."""

    forward = True

    def __init__(self, file: BinaryIO, head: png_chunks.Head, header: Header, metadata: Metadata, convert: Convert):
        self.header, self.metadata = header, metadata
        self._file, self._head, self._convert = file, head, convert
        samples = png_chunks.SAMPLES[head.colour_type]
        self._row_bytes = -(-head.size[1] * samples * head.depth // 8)
        self._pixel_bytes = max(samples * head.depth // 8, 1)
        self._restart()

    def read(self, first: int, last: int) -> NDArray[Any]:
        with image_errors("damaged png"):
            if first < self._row:
                self._restart()
            while self._row < first:
                self._next_rows(min(first - self._row, 256))
            rows = self._next_rows(last - first)
            if last == self._head.size[0]:
                for _ in self._blocks:  # checks the chunks that follow
                    pass
            return self._pixels(rows)

    def _restart(self) -> None:
        self._row, self._above = 0, bytes(self._row_bytes)
        self._chunks: list[tuple[bytes, bytes]] = []
        self._blocks = self._inflated()
        self._rest = bytearray()

    def _next_rows(self, count: int) -> NDArray[np.uint8]:
        """Return the bytes of the next rows without their filters, (count, bytes of a row)."""
        length = count * (1 + self._row_bytes)
        while len(self._rest) < length:
            block = next(self._blocks, None)
            if block is None:
                raise TruncatedError
            self._rest += block
        filtered = bytes(self._rest[:length])
        del self._rest[:length]
        depth, colour_type = _RAW[self._pixel_bytes]
        width = self._row_bytes // self._pixel_bytes
        rows = _decoded(_file((count + 1, width), depth, colour_type, [], b"\0" + self._above + filtered))
        rows = (rows.astype(">u2") if depth == 16 else rows).reshape(count + 1, -1).view(np.uint8)[1:]
        self._above, self._row = rows[-1].tobytes(), self._row + count
        return rows

    def _pixels(self, rows: NDArray[np.uint8]) -> NDArray[Any]:
        """Return the pixels of rows of bytes."""
        head, width = self._head, self._head.size[1]
        if head.colour_type != 3 and not self._chunks and head.depth >= 8:
            samples = rows if head.depth == 8 else rows.view(">u2").astype(np.uint16)
            return np.ascontiguousarray(samples.reshape(len(rows), width, -1))
        plain = np.zeros((len(rows), 1 + self._row_bytes), np.uint8)
        plain[:, 1:] = rows
        size = len(rows), width
        small = BytesIO(_file(size, head.depth, head.colour_type, self._chunks, plain.tobytes()))
        return self._convert(small, png_chunks.Head(size, head.depth, head.colour_type))

    def _inflated(self) -> Iterator[bytes]:
        """Yield the data of the rows, of whole chunks whose checksums are right; keep the chunks that change colours."""
        self._file.seek(0)
        inflate = fast_zlib.decompressobj()
        for name, length in png_chunks.chunks(self._file):
            if name in png_chunks.ANIMATION:
                continue
            checksum = fast_zlib.crc32(name)
            parts = []
            while length:
                data = read_exactly(self._file, min(length, _BLOCK))
                length -= len(data)
                checksum = fast_zlib.crc32(data, checksum)
                parts += [data] if name in (b"PLTE", b"tRNS") else []
                while data and name == b"IDAT":
                    yield inflate.decompress(data, _BLOCK)
                    data = inflate.unconsumed_tail
            png_chunks.check_sum(self._file, name, checksum)
            self._chunks += [(name, b"".join(parts))] if parts else []
        yield inflate.flush()


def _file(size: tuple[int, int], depth: int, colour_type: int, more: list[tuple[bytes, bytes]], rows: bytes) -> bytes:
    """Return a PNG file of rows with their filters, which are stored without compression."""
    file = BytesIO()
    file.write(png_chunks.SIGNATURE)
    png_chunks.write_chunk(file, b"IHDR", struct.pack(">IIBBBBB", size[1], size[0], depth, colour_type, 0, 0, 0))
    for name, data in more:
        png_chunks.write_chunk(file, name, data)
    png_chunks.write_chunk(file, b"IDAT", zlib.compress(rows, 0))
    png_chunks.write_chunk(file, b"IEND")
    return file.getvalue()


def _decoded(data: bytes) -> NDArray[Any]:
    import imagecodecs

    try:
        return imagecodecs.png_decode(data)
    except imagecodecs.PngError as error:
        raise DamageError("a row has an unknown filter") from error
