"""BMP: decode pixels of 16 and 32 bits whose samples are any runs of bits; Pillow decodes the other kinds.

Pillow takes the masks of few programs, and rounds samples of 5 and 6 bits down.
"""

import struct
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from imgconv.errors import ImageError
from imgconv.images import metadata
from imgconv.images.damage import image_errors, read_exactly
from imgconv.images.decoder import Decoder, Request
from imgconv.images.modes import white_of
from imgconv.images.raster import Header, Raster

_HEADERS = (40, 52, 56, 108, 124)  # bytes of a header with masks in it or after it
_WITH_ALPHA = 56  # from this length on, a header has a mask of alpha
_PLAIN, _MASKS, _ALPHA_MASKS = 0, 3, 6  # compressions
_DEFAULT_MASKS = {16: (0x7C00, 0x03E0, 0x001F, 0)}
_WORDS = {16: "<u2", 32: "<u4"}
_METRES = 0.0254  # in an inch


class _Layout(NamedTuple):
    """The size (H, W) of an image, the bits of a pixel, the masks of red, green, blue and alpha, and where its rows are."""

    size: tuple[int, int]
    bits: int
    masks: tuple[int, ...]
    dpi: tuple[float, float]
    offset: int
    downwards: bool


def decoder(file: BinaryIO, request: Request) -> Decoder:
    """Return the decoder of a BMP. Raises ImageError for a damaged header or too many pixels."""
    file.seek(0)
    with image_errors("damaged bmp"):
        layout = _read_layout(file)
    if layout is None:
        from imgconv.images import pillow

        return pillow.decoder(file, "bmp", request)
    request.check_size(*layout.size)
    alpha = layout.masks[3] > 0
    dtype = "uint8" if max(mask.bit_count() for mask in layout.masks) <= 8 else "uint16"
    header = Header("bmp", layout.size, 3 + alpha, dtype, alpha, conversion=layout.bits / 8)

    def frames() -> Iterator[Raster]:
        with image_errors("damaged bmp"):
            pixels = _pixels(file, layout, np.dtype(dtype), salvage=request.salvage)
        yield Raster(pixels, alpha, metadata.from_info({"dpi": layout.dpi}))

    return Decoder(header, frames)


def _read_layout(file: BinaryIO) -> _Layout | None:
    """Return how the pixels are stored; None for pixels without masks. Raises ImageError for masks whose bits are not neighbours."""
    head = file.read(138)  # the longest header
    if len(head) < 54:
        return None
    head = head.ljust(138, b"\0")
    offset, length, width, height, bits, compression, *density = struct.unpack_from("<IIii2xHI4xII", head, 10)
    masks = _DEFAULT_MASKS.get(bits) if compression == _PLAIN else None
    if compression in (_MASKS, _ALPHA_MASKS):
        count = 4 if length >= _WITH_ALPHA or compression == _ALPHA_MASKS else 3
        masks = (*struct.unpack_from(f"<{count}I", head, 54), 0)[:4]
    if length not in _HEADERS or bits not in _WORDS or masks is None:
        return None
    runs = [mask >> _first_bit(mask) for mask in masks]
    if any(run & (run + 1) for run in runs) or not all(masks[:3]) or max(masks) >> bits:
        raise ImageError("bmp images with these colour masks are not supported; convert the image to .png or .tiff")
    return _Layout((abs(height), width), bits, masks, (density[0] * _METRES, density[1] * _METRES), offset, height < 0)


def _first_bit(mask: int) -> int:
    """Return the number of zeros below the lowest bit of a mask."""
    return max((mask & -mask).bit_length() - 1, 0)


def _pixels(file: BinaryIO, layout: _Layout, dtype: np.dtype[np.unsignedinteger], *, salvage: bool) -> NDArray[np.unsignedinteger]:
    """Return the pixels (H, W, C), each sample as a part of the whole range of `dtype`. Raises TruncatedError where some are missing."""
    height, width = layout.size
    length = -(-width * layout.bits // 32) * 4  # rows begin at multiples of four bytes
    file.seek(layout.offset)
    data = file.read(height * length).ljust(height * length, b"\0") if salvage else read_exactly(file, height * length)
    words = np.frombuffer(data, _WORDS[layout.bits]).reshape(height, -1)[:: 1 if layout.downwards else -1, :width]
    pixels = np.empty((height, width, 3 + (layout.masks[3] > 0)), dtype)
    for source, target in zip(words, pixels, strict=True):
        for channel, mask in enumerate(layout.masks[: pixels.shape[2]]):
            first = _first_bit(mask)
            target[:, channel] = np.rint(((source & mask) >> first) * (white_of(dtype) / (mask >> first)))
    return pixels
