"""BMP: decode pixels of 16 and 32 bits whose samples are any runs of bits, and colour numbers of 4 and 8 bits; Pillow decodes the others.

Pillow takes the masks of few programs, rounds samples of 5 and 6 bits down, takes the numbers of two colours for single bits, and does not
notice runs of numbers that leave the image.
"""

import struct
from collections.abc import Iterator
from dataclasses import replace
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from imgconv.errors import ImageError
from imgconv.images.damage import DamageError, TruncatedError, image_errors, read_exactly
from imgconv.images.decoder import Decoder, Request
from imgconv.images.metadata.source import from_info
from imgconv.images.modes import white_of
from imgconv.images.raster import Header, Raster

_HEADERS = (40, 52, 56, 108, 124)  # bytes of a header with masks in it or after it
_FILE_HEAD, _LONGEST = 14, 124  # bytes
_EMBEDDED = b"DEBM"  # the colour space of a header with a profile
_MOST_PROFILE = 1 << 24  # bytes
_WITH_ALPHA = 56  # from this length on, a header has a mask of alpha
_PLAIN, _MASKS, _ALPHA_MASKS = 0, 3, 6  # compressions
_PALETTE = 256 * 4  # bytes, at most
_RUNS = {8: 1, 4: 2}  # bits of a colour number -> the compression that is runs of them
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
    whole = _decoder(file, request)
    profile = _profile(file)

    def frames() -> Iterator[Raster]:
        for raster in whole.frames():
            described = from_info({"icc_profile": profile})
            dropped = (*raster.metadata.dropped, *described.dropped)
            yield replace(raster, metadata=raster.metadata._replace(icc_profile=described.icc_profile, dropped=dropped))

    return whole._replace(frames=frames) if profile else whole


def _profile(file: BinaryIO) -> bytes:
    """Return the ICC profile that the longest kind of header places behind the pixels; nothing without one."""
    file.seek(_FILE_HEAD)
    head = file.read(_LONGEST)
    if len(head) < _LONGEST or int.from_bytes(head[:4], "little") != _LONGEST or head[56:60] != _EMBEDDED:
        return b""
    offset, length = struct.unpack_from("<II", head, 112)
    file.seek(_FILE_HEAD + offset)
    return file.read(min(length, _MOST_PROFILE))


def _decoder(file: BinaryIO, request: Request) -> Decoder:
    file.seek(0)
    with image_errors("damaged bmp"):
        layout = _read_layout(file)
    if layout is None:
        from imgconv.images import pillow

        return _of_numbers(pillow.decoder(file, "bmp", request), file, request)
    request.check_size(*layout.size)
    alpha = layout.masks[3] > 0
    dtype = "uint8" if max(mask.bit_count() for mask in layout.masks) <= 8 else "uint16"
    header = Header("bmp", layout.size, 3 + alpha, dtype, alpha, conversion=layout.bits / 8)

    def frames() -> Iterator[Raster]:
        with image_errors("damaged bmp"):
            pixels = _pixels(file, layout, np.dtype(dtype), salvage=request.salvage)
        yield Raster(pixels, alpha, from_info({"dpi": layout.dpi}))

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


def _of_numbers(decoder: Decoder, file: BinaryIO, request: Request) -> Decoder:
    """Return the decoder of a BMP of colour numbers, which has the header of `decoder`; `decoder` for other numbers of bits."""
    file.seek(0)
    offset, length, _, high, bits, compression, *dpi = struct.unpack_from("<IIii2xHI4xII", file.read(46).ljust(46, b"\0"), 10)
    if length not in _HEADERS or bits not in _RUNS or compression not in (_PLAIN, _RUNS[bits]):
        return decoder

    def frames() -> Iterator[Raster]:
        height, width = decoder.header.size
        with image_errors("damaged bmp"):
            file.seek(14 + length)
            entries = file.read(min(_PALETTE, max(offset - file.tell(), 0)) // 4 * 4)
            palette = np.frombuffer(entries, np.uint8).reshape(-1, 4)[:, [2, 1, 0][: decoder.header.channels]]
            file.seek(offset)
            data = file.read(4 * (height + 1) * (width + 4))  # runs of one pixel take half of it
            if compression == _PLAIN:
                rows = _plain_numbers(data, height, width, bits, salvage=request.salvage)
            else:
                rows = _run_numbers(data, height, width, bits, salvage=request.salvage)
            if (highest := int(rows.max())) >= len(palette):
                if not request.salvage:
                    raise DamageError(f"colour number {highest} is beyond the {len(palette)} colours of its palette")
                palette = np.pad(palette, ((0, 256 - len(palette)), (0, 0)))
        pixels = np.ascontiguousarray(palette)[rows[:: 1 if high < 0 else -1]]
        yield Raster(pixels, metadata=from_info({"dpi": (dpi[0] * _METRES, dpi[1] * _METRES)}))

    return decoder._replace(frames=frames)


def _plain_numbers(data: bytes, height: int, width: int, bits: int, *, salvage: bool) -> NDArray[np.uint8]:
    """Return the colour numbers (H, W) of rows of words, as they are stored. Raises TruncatedError where some are missing."""
    length = -(-width * bits // 32) * 4
    last = -(-width * bits // 8)  # some programs leave out the bytes that fill up the last row
    if len(data) < (height - 1) * length + last and not salvage:
        raise TruncatedError
    rows = np.frombuffer(data[: height * length].ljust(height * length, b"\0"), np.uint8).reshape(height, length)
    return (rows if bits == 8 else np.stack([rows >> 4, rows & 15], axis=2).reshape(height, -1))[:, :width]


def _run_numbers(data: bytes, height: int, width: int, bits: int, *, salvage: bool) -> NDArray[np.uint8]:
    """Return the colour numbers (H, W) of runs. Raises DamageError unless they give every pixel, since others have no colour."""
    numbers = bytearray(height * width)
    try:
        given = _expand(data, numbers, width, 8 // bits)
        if given < len(numbers):
            raise DamageError(f"its runs give {given} of {len(numbers)} pixels")
    except DamageError:
        if not salvage:
            raise
    return np.frombuffer(numbers, np.uint8).reshape(height, width)


def _expand(data: bytes, numbers: bytearray, width: int, in_a_byte: int) -> int:
    """Fill in the colour numbers of runs, the lowest row first, and return how many there are.

    ImageMagick fills rows up to whole words; those pixels are dropped. Raises DamageError for others outside of the image, TruncatedError
    where the data end before all pixels and before their end mark.
    """
    filled = -(-width // 4) * 4
    given = row = column = at = 0
    while given < len(numbers):
        if at + 2 > len(data):
            raise TruncatedError
        count, value = data[at], data[at + 1]
        at += 2
        if count:
            run = data[at - 1 : at] * count if in_a_byte == 1 else (_nibbles(data[at - 1 : at]) * count)[:count]
        elif value == 0:  # the end of a row
            row, column = row + width, 0
            continue
        elif value == 1:  # the end of the image
            break
        elif value == 2:  # a step
            step = data[at : at + 2].ljust(2, b"\0")
            column, row, at = column + step[0], row + step[1] * width, at + 2
            continue
        else:  # single pixels, in whole words
            count, length = value, -(-value // in_a_byte)
            run = data[at : at + length] if in_a_byte == 1 else _nibbles(data[at : at + length])[:count]
            at += length + length % 2
        start, column = row + column, column + count
        if column > filled or row >= len(numbers):
            raise DamageError("its runs extend beyond the image")
        if len(run) < count:
            raise TruncatedError
        run = run[: max(row + width - start, 0)]
        numbers[start : start + len(run)] = run
        given += len(run)
    return given


def _nibbles(data: bytes) -> bytes:
    """Return the two numbers in each byte, the high one first."""
    return bytes(number for byte in data for number in (byte >> 4, byte & 15))


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
