"""Write PNG images of 8 and 16 bits, animated or not, with ISA-L's deflate.

Pillow does not write 16-bit colour, and its deflate is several times slower. `reader` decodes.
"""

import struct
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from imgconv.errors import ImageError
from imgconv.images.deflate import LEVEL, fast_zlib
from imgconv.images.metadata import exif as exif_of
from imgconv.images.metadata import iptc
from imgconv.images.metadata.result import fitted
from imgconv.images.png.chunks import SIGNATURE, write_chunk
from imgconv.images.raster import DEFAULT_ENCODING, Encoding, Metadata, Raster
from imgconv.images.rows import BandedImage, regrouped

_COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}
_STRIP = 1 << 21  # bytes of rows that are deflated at a time
_LONG_TEXT = 1 << 10  # bytes


def encode(frames: Iterable[Raster], stream: BinaryIO, encoding: Encoding = DEFAULT_ENCODING) -> None:
    """Write one image as PNG, or several of one size and kind as an animation (APNG).

    Grey, grey and alpha, RGB, RGBA; 8 or 16 bits; metadata is written where it applies.
    Raises ImageError for frames that differ in size, depth or channels.

    >>> import io
    >>> file = io.BytesIO()
    >>> encode([Raster(np.zeros((2, 3, 3), np.uint16))], file)
    >>> file.getvalue()[:8] == SIGNATURE
    True
    """
    frames = iter(frames)
    first, second = next(frames), next(frames, None)
    if second is None:
        encode_rows(BandedImage.of(first), stream, encoding)
        return
    encoded = [_encoded(frame, first) for frame in chain((first, second), frames)]  # before anything is written
    _write_head(stream, BandedImage.of(first), encoding.description)
    _write_frames(stream, first.size, encoded, encoding.loop)
    write_chunk(stream, b"IEND")


def encode_rows(image: BandedImage, stream: BinaryIO, encoding: Encoding = DEFAULT_ENCODING) -> None:
    """Write one image as PNG, its rows as they arrive."""
    _write_head(stream, image, encoding.description)
    for data in filter(None, _deflated(image)):
        write_chunk(stream, b"IDAT", data)
    write_chunk(stream, b"IEND")


def _encoded(frame: Raster, first: Raster) -> tuple[bytes, float | None]:
    """Return the zlib stream of a frame, and its duration."""
    if (frame.pixels.shape, frame.pixels.dtype) != (first.pixels.shape, first.pixels.dtype):
        raise ImageError("frames of an animated png must have one size and one depth; write them as .tiff pages")
    return b"".join(_deflated(BandedImage.of(frame))), frame.duration


def _write_head(stream: BinaryIO, image: BandedImage, description: str | None) -> None:
    height, width, channels = image.shape
    stream.write(SIGNATURE)
    depth = image.dtype.itemsize * 8
    write_chunk(stream, b"IHDR", struct.pack(">IIBBBBB", width, height, depth, _COLOUR_TYPES[channels], 0, 0, 0))
    for name, data in metadata_chunks(fitted(image.metadata, "png", channels)):
        write_chunk(stream, name, data)
    if description:
        write_chunk(stream, b"iTXt", b"Description\0\0\0\0\0" + description.encode())


def metadata_chunks(metadata: Metadata) -> Iterator[tuple[bytes, bytes]]:
    """Yield name and data of the chunks that hold metadata, in the order that PNG prescribes."""
    colour = dict(metadata.colour)
    for name in (b"cICP", b"mDCV", b"cLLI"):
        if name in colour:
            yield name, colour[name]
    if metadata.icc_profile:
        yield b"iCCP", b"ICC profile\0\0" + fast_zlib.compress(metadata.icc_profile, LEVEL)
    for name in (b"sRGB", b"gAMA", b"cHRM"):
        if name in colour and not (name == b"sRGB" and metadata.icc_profile):
            yield name, colour[name]
    if metadata.dpi:
        yield b"pHYs", struct.pack(">IIB", *(round(dpi / 0.0254) for dpi in metadata.dpi), 1)
    elif metadata.aspect:
        yield b"pHYs", struct.pack(">IIB", *(round(density) for density in metadata.aspect), 0)
    if metadata.exif:
        yield b"eXIf", exif_of.encode(metadata.exif)[0]
    if metadata.xmp:
        yield b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + metadata.xmp
    for keyword, text in metadata.texts:
        yield _text_chunk(keyword, text)
    if metadata.iptc:
        profile = iptc.resources(metadata.iptc)
        digits = profile.hex("\n", -36)
        yield b"zTXt", b"Raw profile type iptc\0\0" + fast_zlib.compress(f"\niptc\n{len(profile):8}\n{digits}\n".encode(), LEVEL)


def _text_chunk(keyword: str, text: str) -> tuple[bytes, bytes]:
    """Return the name and data of the chunk of a text: iTXt for one beyond Latin-1, zTXt for a long one."""
    head = keyword.encode("latin-1") + b"\0"
    try:
        data = text.encode("latin-1")
    except UnicodeEncodeError:
        return b"iTXt", head + bytes(4) + text.encode()
    return (b"zTXt", head + b"\0" + fast_zlib.compress(data, LEVEL)) if len(data) > _LONG_TEXT else (b"tEXt", head + data)


def _write_frames(stream: BinaryIO, size: tuple[int, int], encoded: list[tuple[bytes, float | None]], loop: int) -> None:
    from imgconv.images.animation import fraction_of_a_second

    write_chunk(stream, b"acTL", struct.pack(">II", len(encoded), loop))
    sequence = 0
    for data, duration in encoded:
        delay = fraction_of_a_second(duration)
        write_chunk(stream, b"fcTL", struct.pack(">IIIIIHHBB", sequence, size[1], size[0], 0, 0, *delay, 0, 0))
        if sequence == 0:
            write_chunk(stream, b"IDAT", data)
        else:
            sequence += 1
            write_chunk(stream, b"fdAT", struct.pack(">I", sequence) + data)
        sequence += 1


def _deflated(image: BandedImage) -> Iterator[bytes]:
    """Yield the zlib stream of all rows, a strip at a time, so that memory never holds a second copy of the image.

    A filter byte precedes each row: none for grey, up for colour (measured: smaller, not slower).
    """
    deflate = fast_zlib.compressobj(LEVEL)
    up = image.channels > 2
    above: NDArray[np.uint8] | None = None
    for pixels in regrouped(image.bands, max(1, _STRIP // image.row_bytes)):
        rows = _bytes_of(pixels)
        yield deflate.compress(_filtered(rows, above) if up else _unfiltered(rows))
        above = rows[-1].copy()  # the next rows can have the same memory
    yield deflate.flush()


def _bytes_of(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """Return the rows of an image as PNG stores them, (H, bytes) uint8: 16 bits with the high byte first."""
    rows = pixels.astype(">u2").view(np.uint8) if pixels.dtype == np.uint16 else pixels
    return rows.reshape(len(pixels), -1)


def _unfiltered(rows: NDArray[np.uint8]) -> NDArray[np.uint8]:
    strip = np.zeros((len(rows), rows.shape[1] + 1), np.uint8)
    strip[:, 1:] = rows
    return strip


def _filtered(rows: NDArray[np.uint8], above: NDArray[np.uint8] | None) -> NDArray[np.uint8]:
    """Return rows minus the row above each, after the filter byte 2; the row above the first one of an image is zero."""
    strip = np.empty((len(rows), rows.shape[1] + 1), np.uint8)
    strip[:, 0] = 2
    strip[0, 1:] = rows[0] if above is None else rows[0] - above
    np.subtract(rows[1:], rows[:-1], out=strip[1:, 1:])
    return strip
