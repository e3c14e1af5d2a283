"""TGA: decode the pixels of 8 to 32 bits.

Pillow refuses some runs that go on in the next row, and takes the spare bit of 16-bit colours for alpha.
"""

import struct
from collections.abc import Iterator
from math import prod
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imgconv.errors import ImageError
from imgconv.images.damage import DamageError, TruncatedError, image_errors, read_exactly
from imgconv.images.decoder import Decoder, Request
from imgconv.images.raster import Header, Metadata, Raster

_LONGEST_ROW = (1 << 28) - 8  # bytes, for Pillow
_HEADER = 18  # bytes before the comment
_MAPPED, _COLOURS, _GREY = 1, 2, 3
_RUNS = 8  # is added to the kind of an image
_FROM_RIGHT, _FROM_TOP = 0x10, 0x20
_FIVES = (10, 5, 0)  # places of red, green and blue in 15 bits
_BGRA = [2, 1, 0, 3]


class _Head(NamedTuple):
    """The header of a TGA: kind and bits of its pixels, the size (H, W), and the first number, length and bits of its palette."""

    kind: int
    bits: int
    size: tuple[int, int]
    in_runs: bool
    descriptor: int
    first: int
    colours: int
    colour_bits: int
    palette_at: int

    @property
    def alpha(self) -> bool:
        """Whether there is alpha. The spare bit of 16-bit colours is alpha only where the header says so, the fourth byte always."""
        bits = self.colour_bits if self.kind == _MAPPED else self.bits
        if self.kind == _GREY:
            return bits == 16
        return bits == 32 or (self.kind == _COLOURS and bits == 16 and self.descriptor & 0xF == 1)

    @property
    def channels(self) -> int:
        """Number of channels, alpha included."""
        return (1 if self.kind == _GREY else 3) + self.alpha


def decoder(file: BinaryIO, request: Request) -> Decoder:
    """Return the decoder of a TGA. Raises ImageError for a damaged header or too many pixels."""
    with image_errors("damaged tga"):
        head = _read_head(file)
    if head is None:
        from imgconv.images import pillow

        return pillow.decoder(file, "tga", request)
    request.check_size(*head.size)
    if head.in_runs and prod(head.size) * -(-head.bits // 8) > _LONGEST_ROW:
        raise ImageError(f"tga images of more than {_LONGEST_ROW} bytes in runs are not supported; convert the image to .png or .tiff")

    def frames() -> Iterator[Raster]:
        with image_errors("damaged tga"):
            pixels = _pixels(file, head, salvage=request.salvage)
        yield Raster(pixels, head.alpha, Metadata(dropped=("comment",) if head.palette_at > _HEADER else ()))

    return Decoder(Header("tga", head.size, head.channels, "uint8", head.alpha), frames)


def _read_head(file: BinaryIO) -> _Head | None:
    """Return the header; None for pixels of other kinds."""
    file.seek(0)
    skipped, _, kind, first, colours, colour_bits, width, height, bits, descriptor = struct.unpack(
        "<BBBHHB4xHHBB", read_exactly(file, _HEADER)
    )
    head = _Head(kind & ~_RUNS, bits, (height, width), bool(kind & _RUNS), descriptor, first, colours, colour_bits, _HEADER + skipped)
    allowed = {_MAPPED: (8, 16), _COLOURS: (15, 16, 24, 32), _GREY: (8, 16)}.get(head.kind, ())
    return head if bits in allowed else None


def _pixels(file: BinaryIO, head: _Head, *, salvage: bool) -> NDArray[np.uint8]:
    """Return the pixels (H, W, C). Raises TruncatedError where some are missing, unless `salvage`."""
    height, width = head.size
    entry, depth = -(-head.colour_bits // 8), -(-head.bits // 8)
    file.seek(head.palette_at)
    palette = _colours(read_exactly(file, head.colours * entry), head.colour_bits, head) if head.colours else None
    length = height * width * depth
    longest = (depth + 1) * height * width if head.in_runs else length
    data = file.read(longest)
    if head.in_runs:
        data = _expanded(data + bytes(longest * salvage), length, depth)
    elif salvage:
        data = data.ljust(length, b"\0")
    elif len(data) < length:
        raise TruncatedError
    if head.kind == _MAPPED:
        pixels = _of_palette(np.frombuffer(data[:length], "u1" if depth == 1 else "<u2"), palette, head.first)
    elif head.kind == _GREY:
        pixels = np.frombuffer(data[:length], np.uint8)
    else:
        pixels = _colours(data[:length], head.bits, head)
    down, right = 1 if head.descriptor & _FROM_TOP else -1, -1 if head.descriptor & _FROM_RIGHT else 1
    return np.ascontiguousarray(pixels.reshape(height, width, -1)[::down, ::right])


def _expanded(data: bytes, length: int, depth: int) -> bytes:
    """Return the bytes of pixels in runs. Pillow expands them as one row, so that none ends with a row of the image."""
    try:
        return Image.frombytes("L", (length, 1), data, "tga_rle", "L", 1, 8 * depth).tobytes()
    except ValueError as error:  # too few data, or a run that leaves the image
        raise TruncatedError if str(error).startswith("not enough") else DamageError("its runs extend beyond the image") from error


def _of_palette(numbers: NDArray[Any], palette: NDArray[np.uint8] | None, first: int) -> NDArray[np.uint8]:
    """Return the colours of numbers; `first` is that of the first colour of the palette."""
    if palette is None or numbers.min() < first or numbers.max() >= first + len(palette):
        raise DamageError("a colour number is not in its palette")
    return np.pad(palette, ((first, 0), (0, 0)))[numbers]


def _colours(data: bytes, bits: int, head: _Head) -> NDArray[np.uint8]:
    """Return colours (N, C) that are stored as blue, green, red and alpha, or in 15 bits with one to spare."""
    if bits > 16:
        return np.frombuffer(data, np.uint8).reshape(-1, bits // 8)[:, _BGRA[: bits // 8]]
    words = np.arange(1 << 16)
    levels = [np.rint((words >> place & 31) * (255 / 31)) for place in _FIVES]
    if head.alpha and head.kind == _COLOURS:
        levels.append(np.where(words >> 15, 0, 255))  # it says that a pixel is transparent, as in Pillow and GIMP
    return np.stack(levels, axis=1).astype(np.uint8)[np.frombuffer(data, "<u2")]
