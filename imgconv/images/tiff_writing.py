"""TIFF written page by page at every depth we have: 8 and 16 bits and float32, grey or RGB, with or without alpha.

Pillow has no mode for 16-bit or float colour, and lets an output inherit its input's compression. Strips are deflated with ISA-L.
"""

import struct
from collections.abc import Iterable
from typing import Any, BinaryIO

import numpy as np
from isal import isal_zlib
from numpy.typing import NDArray

from imgconv.errors import ImageError
from imgconv.images import metadata
from imgconv.images.raster import Raster

_ASCII, _SHORT, _LONG, _RATIONAL, _UNDEFINED = 2, 3, 4, 5, 7
_DEFLATE = 8
_STRIP = 1 << 18  # bytes of a strip before it is packed
_LARGEST = (1 << 32) - 1  # offsets are 32 bits

Field = tuple[int, int, int, bytes]  # tag, kind, count, packed values


def encode(pages: Iterable[Raster], stream: BinaryIO, *, description: str | None = None) -> None:
    """Write pages into a little-endian TIFF, deflated without loss; ICC profile and resolution are kept where they hold.

    Raises ImageError where the file would exceed 4 GB.

    >>> import io
    >>> file = io.BytesIO()
    >>> encode([Raster(np.zeros((2, 3, 3), np.float32))], file)
    >>> file.getvalue()[:4]
    b'II*\\x00'
    """
    body = list(_packed(pages, description))
    stream.write(struct.pack("<2sHI", b"II", 42, 8))
    at = 8
    for number, (fields, strips) in enumerate(body):
        at = _write_page(stream, at, fields, strips, last=number == len(body) - 1)


def _packed(pages: Iterable[Raster], description: str | None) -> Iterable[tuple[list[Field], list[bytes]]]:
    for page in pages:
        rows = max(1, _STRIP // (page.pixels.nbytes // page.size[0]))
        strips = [_deflated(page.pixels[first : first + rows]) for first in range(0, page.size[0], rows)]
        yield _fields(page, rows, strips, description), strips


def _deflated(pixels: NDArray[Any]) -> bytes:
    return bytes(isal_zlib.compress(np.ascontiguousarray(pixels, pixels.dtype.newbyteorder("<")), 1))


def _fields(page: Raster, rows: int, strips: list[bytes], description: str | None) -> list[Field]:
    """The page's fields but for the offsets of its strips, which are known when it is written."""
    kept, channels = page.metadata, page.channels
    colours = channels - page.alpha
    fields = [
        _numbers(256, _LONG, page.size[1]),
        _numbers(257, _LONG, page.size[0]),
        _numbers(258, _SHORT, *[page.pixels.itemsize * 8] * channels),
        _numbers(259, _SHORT, _DEFLATE),
        _numbers(262, _SHORT, 2 if colours == 3 else 1),
        _numbers(274, _SHORT, 1),
        _numbers(277, _SHORT, channels),
        _numbers(278, _LONG, rows),
        _numbers(279, _LONG, *(len(strip) for strip in strips)),
        _numbers(284, _SHORT, 1),
        _numbers(339, _SHORT, *[3 if page.pixels.dtype.kind == "f" else 1] * channels),
    ]
    if page.alpha:
        fields.append(_numbers(338, _SHORT, 2))
    if description:
        text = description.encode() + b"\0"
        fields.append((270, _ASCII, len(text), text))
    if kept.dpi:
        fields += [_rational(282, kept.dpi[0]), _rational(283, kept.dpi[1]), _numbers(296, _SHORT, 2)]
    if kept.icc_profile and metadata.profile_fits(kept.icc_profile, channels):
        fields.append((34675, _UNDEFINED, len(kept.icc_profile), kept.icc_profile))
    return fields


def _numbers(tag: int, kind: int, *values: int) -> Field:
    return tag, kind, len(values), struct.pack(f"<{len(values)}{'H' if kind == _SHORT else 'I'}", *values)


def _rational(tag: int, value: float) -> Field:
    return tag, _RATIONAL, 1, struct.pack("<II", round(value * 1000), 1000)


def _write_page(stream: BinaryIO, at: int, fields: list[Field], strips: list[bytes], last: bool) -> int:
    """Write a directory at offset `at`, its long values and its strips after it; the offset of what comes next."""
    values_at = at + 2 + 12 * (len(fields) + 1) + 4
    strips_at = values_at + sum(_even(len(data)) for _, _, _, data in fields if len(data) > 4) + (4 * len(strips) if len(strips) > 1 else 0)
    offsets, place = [], strips_at
    for strip in strips:
        offsets.append(place)
        place += len(strip)
    end = _even(place)
    if end > _LARGEST:
        raise ImageError("a TIFF holds at most 4 GB; write .npy")
    directory, values = b"", b""
    for tag, kind, count, data in sorted([*fields, _numbers(273, _LONG, *offsets)]):
        if len(data) > 4:
            directory += struct.pack("<HHII", tag, kind, count, values_at + len(values))
            values += data.ljust(_even(len(data)), b"\0")
        else:
            directory += struct.pack("<HHI", tag, kind, count) + data.ljust(4, b"\0")
    stream.write(struct.pack("<H", len(fields) + 1) + directory + struct.pack("<I", 0 if last else end) + values)
    stream.writelines(strips)
    stream.write(b"\0" * (end - place))
    return end


def _even(length: int) -> int:
    return length + length % 2
