"""GIF as a chain of blocks: frames counted, whether any shows what lies behind, the end seen.

Pillow decodes GIF, and takes one that is cut short for a shorter one.

GIF written frame by frame with every colour as it is. Pillow packs the pixels.

Pillow's own writer chooses 256 colours for an image that has more, and joins frames that are equal.
"""

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import BytesIO
from itertools import chain
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

from imgconv.errors import ImageError
from imgconv.images.damage import DamageError
from imgconv.images.raster import Raster

_TRAILER, _IMAGE, _EXTENSION, _CONTROL = b";", b",", b"!", b"\xf9"
_TO_BACKGROUND, _TO_PREVIOUS = 2, 3  # what becomes of a frame before the next is drawn; otherwise it stays


@dataclass
class Blocks:
    """What the blocks of a GIF say: whole `frames`, whether all are `opaque`, and whether the end mark is there (`ended`)."""

    frames: int = 0
    opaque: bool = True
    ended: bool = False


def read_blocks(file: BinaryIO) -> Blocks:
    """Walk a GIF, which may be cut short, from block to block; its last bytes are not missed."""
    file.seek(6)
    head = file.read(7)
    canvas = _Canvas(struct.unpack("<HH", head[:4]) if len(head) == 7 else (0, 0))
    _skip_colours(file, head[4:5])
    found = Blocks()
    while True:
        kind = file.read(1)
        if kind in (_TRAILER, b""):
            found.ended = kind == _TRAILER
            return found
        if kind == _EXTENSION:
            if file.read(1) == _CONTROL:
                canvas.control(file)
        elif kind == _IMAGE:
            place = file.read(9)
            found.opaque &= canvas.draw(place)
            _skip_colours(file, place[8:])
            file.seek(1, 1)
        else:
            continue
        if not _skip_data(file):
            return found
        found.frames += kind == _IMAGE


def check(file: BinaryIO) -> None:
    """Raise DamageError for a GIF that ends before its end mark."""
    if not read_blocks(file).ended:
        raise DamageError("it is cut short")


class _Canvas:
    """What frames are drawn on: `covered` once no place is left through which one sees what lies behind."""

    def __init__(self, size: tuple[int, ...]):
        self._whole = struct.pack("<HHHH", 0, 0, *size)
        self._covered = self._clear = False
        self._disposal = 0

    def control(self, file: BinaryIO) -> None:
        """Read the flags of the frame that follows, where they are; the disposal of a frame that names none is the last one's."""
        block = file.read(2)
        file.seek(-len(block), 1)
        flags = block[1] if len(block) == 2 and block[0] else 0
        self._clear = bool(flags & 1)
        self._disposal = (flags >> 2) & 7 or self._disposal

    def draw(self, place: bytes) -> bool:
        """Draw a frame, whose descriptor is `place`, and dispose of it; whether it left nothing to be seen through."""
        shown = self._covered or (place[:8] == self._whole and not self._clear)
        if self._disposal != _TO_PREVIOUS:
            self._covered = shown and self._disposal != _TO_BACKGROUND
        self._clear = False
        return shown


def _skip_colours(file: BinaryIO, flags: bytes) -> None:
    if flags and flags[0] & 0x80:
        file.seek(3 << ((flags[0] & 7) + 1), 1)


def _skip_data(file: BinaryIO) -> bool:
    """Pass over a chain of data blocks; False if the file ends in it."""
    while True:
        length = file.read(1)
        if not length:
            return False
        if length == b"\0":
            return True
        file.seek(length[0], 1)


MOST_COLOURS = 256
_STRIP = 1 << 18  # pixels
_GREYS = np.arange(MOST_COLOURS, dtype=np.uint8)[:, None].repeat(3, axis=1)


def encode(frames: Iterable[Raster], stream: BinaryIO, *, description: str | None = None, loop: int = 0) -> None:
    """Write one 8-bit image, grey or RGB, or several of one size as an animation that plays `loop` times (0: for ever).

    Raises ImageError for a frame of more than 256 colours, and for frames that differ in size; nothing is written then.

    >>> file = BytesIO()
    >>> encode([Raster(np.zeros((2, 3, 3), np.uint8))], file)
    >>> file.getvalue()[:6]
    b'GIF89a'
    """
    ahead = iter(frames)
    first, second = next(ahead, None), next(ahead, None)
    if first is None:
        raise ImageError("there is no image to write")
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


def _animation(frames: Iterable[Raster], size: bytes, loop: int) -> Iterator[bytes]:
    if loop != 1:  # it counts repeats, and without the block it plays once
        yield b"!\xff" + _blocks(b"NETSCAPE2.0", struct.pack("<BH", 1, loop - (loop > 0)))
    for frame in frames:
        if struct.pack("<HH", *frame.size[::-1]) != size:
            raise ImageError("frames of an animated gif must have one size; write them as .tiff pages")
        table, indices = _colours(frame.pixels)
        hundredths = min(round((100 if frame.duration is None else frame.duration) / 10), 65535)
        yield b"!\xf9" + _blocks(struct.pack("<BHB", 0, hundredths, 0))
        yield b"," + bytes(4) + size + bytes([0x80 | _depth(table)]) + _table(table) + _packed(indices)


def _colours(pixels: NDArray[Any]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The colours (n, 3) of an image, and the number (H, W) of each pixel's one."""
    if pixels.shape[2] == 1:
        return _GREYS, pixels[..., 0]
    numbers = np.zeros(1 << 24, np.uint8)
    for colours in _whole(pixels):
        numbers[colours] = 1
    found = np.flatnonzero(numbers)
    if len(found) > MOST_COLOURS:
        raise ImageError(f"gif holds {MOST_COLOURS} colours, and this image has {len(found)}; write .png, .tiff or .webp")
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
