"""GIF written frame by frame with every colour as it is. Pillow packs the pixels.

Pillow's own writer chooses 256 colours for a picture that has more, and joins frames that are equal.
"""

import struct
from collections.abc import Iterable, Iterator
from io import BytesIO
from itertools import chain
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

from imgconv.errors import PictureError
from imgconv.pictures.picture import Picture

MOST_COLOURS = 256
_STRIP = 1 << 18  # pixels
_GREYS = np.arange(MOST_COLOURS, dtype=np.uint8)[:, None].repeat(3, axis=1)


def encode(frames: Iterable[Picture], stream: BinaryIO, *, description: str | None = None, loop: int = 0) -> None:
    """Write one 8-bit picture, grey or RGB, or several of one size as an animation that plays `loop` times (0: for ever).

    Raises PictureError for a frame of more than 256 colours, and for frames that differ in size; nothing is written then.

    >>> file = BytesIO()
    >>> encode([Picture(np.zeros((2, 3, 3), np.uint8))], file)
    >>> file.getvalue()[:6]
    b'GIF89a'
    """
    ahead = iter(frames)
    first, second = next(ahead, None), next(ahead, None)
    if first is None:
        raise PictureError("there is no picture to write")
    table, indices = _colours(first.pixels)
    size = struct.pack("<HH", *first.size[::-1])
    parts = [b"GIF89a" + size + bytes([0x80 | _depth(table), 0, 0]) + _table(table)]
    if description:
        parts.append(b"!\xfe" + _blocks(description.encode()))
    if second is None:
        parts.append(b"," + bytes(4) + size + b"\0" + _packed(indices))
    else:
        parts += _animation(chain((first, second), ahead), size, loop)
    stream.write(b"".join([*parts, b";"]))


def _animation(frames: Iterable[Picture], size: bytes, loop: int) -> Iterator[bytes]:
    if loop != 1:  # it counts repeats, and without the block it plays once
        yield b"!\xff" + _blocks(b"NETSCAPE2.0", struct.pack("<BH", 1, loop - (loop > 0)))
    for frame in frames:
        if struct.pack("<HH", *frame.size[::-1]) != size:
            raise PictureError("frames of an animated gif must have one size; write them as .tiff pages")
        table, indices = _colours(frame.pixels)
        hundredths = min(round((100 if frame.duration is None else frame.duration) / 10), 65535)
        yield b"!\xf9" + _blocks(struct.pack("<BHB", 0, hundredths, 0))
        yield b"," + bytes(4) + size + bytes([0x80 | _depth(table)]) + _table(table) + _packed(indices)


def _colours(pixels: NDArray[Any]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The colours (n, 3) of a picture, and the number (H, W) of each pixel's one."""
    if pixels.shape[2] == 1:
        return _GREYS, pixels[..., 0]
    numbers = np.zeros(1 << 24, np.uint8)
    for colours in _whole(pixels):
        numbers[colours] = 1
    found = np.flatnonzero(numbers)
    if len(found) > MOST_COLOURS:
        raise PictureError(f"gif holds {MOST_COLOURS} colours, and this picture has {len(found)}; write .png, .tiff or .webp")
    numbers[found] = np.arange(len(found))
    table = np.stack([found >> 16, found >> 8 & 255, found & 255], axis=1).astype(np.uint8)
    return table, np.concatenate([numbers[colours] for colours in _whole(pixels)])


def _whole(pixels: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """Rows of colours as one number each, a few rows at a time."""
    step = max(1, _STRIP // pixels.shape[1])
    for first in range(0, len(pixels), step):
        wide = pixels[first : first + step].astype(np.uint32)
        yield wide[..., 0] << 16 | wide[..., 1] << 8 | wide[..., 2]


def _depth(table: NDArray[np.uint8]) -> int:
    """What a GIF has for the length of a table: 2 colours are 0, 256 are 7."""
    return max(len(table) - 1, 1).bit_length() - 1


def _table(table: NDArray[np.uint8]) -> bytes:
    return table.tobytes().ljust(6 << _depth(table), b"\0")


def _packed(indices: NDArray[np.uint8]) -> bytes:
    image = Image.fromarray(np.ascontiguousarray(indices))
    file = BytesIO()
    ImageFile._save(image, file, [ImageFile._Tile("gif", (0, 0, *image.size), 0, "L")])
    return b"\x08" + file.getvalue() + b"\0"


def _blocks(*data: bytes) -> bytes:
    """Data as a chain of blocks of at most 255 bytes; each argument begins a block."""
    pieces = [each[at : at + 255] for each in data for at in range(0, len(each), 255)]
    return b"".join(bytes([len(piece)]) + piece for piece in pieces) + b"\0"
