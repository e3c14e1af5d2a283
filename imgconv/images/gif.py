"""GIF: walk the blocks of a file, which Pillow does not check, and write frames with their exact colours.

Pillow decodes GIF, and compresses the pixels of the frames written here. Its own writer reduces an image to 256 colours, and joins
equal frames.
"""

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imgconv.errors import ImageError
from imgconv.images.damage import TruncatedError
from imgconv.images.raster import Raster

_TRAILER, _IMAGE, _EXTENSION, _CONTROL = b";", b",", b"!", b"\xf9"
_TO_BACKGROUND, _TO_PREVIOUS = 2, 3  # disposals that remove a frame before the next one is drawn
_MOST_COLOURS = 256
_LONGEST_DELAY = 65535  # hundredths of a second
_DEFAULT_DURATION = 100.0  # milliseconds
_STRIP = 1 << 18  # pixels
_DESCRIPTOR = 10  # bytes before the data of a frame without a palette
_GREYS = np.arange(_MOST_COLOURS, dtype=np.uint8)[:, None].repeat(3, axis=1)


@dataclass
class Blocks:
    """Summary of a GIF: number of whole `frames`, whether all of them are `opaque`, and whether the end mark is there (`ended`)."""

    frames: int = 0
    opaque: bool = True
    ended: bool = False


def read_blocks(file: BinaryIO) -> Blocks:
    """Walk a GIF from block to block; the file can be truncated."""
    file.seek(6)
    head = file.read(7)
    canvas = _Canvas(struct.unpack("<HH", head[:4]) if len(head) == 7 else (0, 0))
    _skip_palette(file, head[4:5])
    blocks = Blocks()
    while True:
        kind = file.read(1)
        if kind in (_TRAILER, b""):
            blocks.ended = kind == _TRAILER
            return blocks
        if kind == _EXTENSION:
            if file.read(1) == _CONTROL:
                canvas.control(file)
        elif kind == _IMAGE:
            descriptor = file.read(9)
            blocks.opaque &= canvas.draw(descriptor)
            _skip_palette(file, descriptor[8:])
            file.seek(1, 1)
        else:
            continue
        if not _skip_data(file):
            return blocks
        blocks.frames += kind == _IMAGE


def check(file: BinaryIO) -> None:
    """Raise TruncatedError for a GIF without its end mark."""
    if not read_blocks(file).ended:
        raise TruncatedError


def encode(frames: Iterable[Raster], stream: BinaryIO, *, description: str | None = None, loop: int = 0) -> None:
    """Write one 8-bit image, grey or RGB, or several of one size as an animation that plays `loop` times (0: for ever).

    Raises ImageError for a frame of more than 256 colours, and for frames of different sizes; nothing is written then.

    >>> from io import BytesIO
    >>> file = BytesIO()
    >>> encode([Raster(np.zeros((2, 3, 3), np.uint8))], file)
    >>> file.getvalue()[:6]
    b'GIF89a'
    """
    remaining = iter(frames)
    first, second = next(remaining, None), next(remaining, None)
    if first is None:
        raise ImageError("an output needs at least one image")
    palette, indices = _indexed(first.pixels)
    size = struct.pack("<HH", *first.size[::-1])
    parts = [b"GIF89a" + size + bytes([0x80 | _palette_bits(palette), 0, 0]) + _palette_bytes(palette)]
    if description:
        parts.append(b"!\xfe" + _sub_blocks(description.encode()))
    if second is None:
        parts.append(b"," + bytes(4) + size + b"\0" + _compressed(indices))
    else:
        parts += _animation(chain((first, second), remaining), size, loop)
    stream.write(b"".join([*parts, b";"]))


class _Canvas:
    """The canvas on which frames are drawn; it is `covered` when no part of it is transparent."""

    def __init__(self, size: tuple[int, ...]):
        self._whole = struct.pack("<HHHH", 0, 0, *size)
        self._covered = self._transparent = False
        self._disposal = 0

    def control(self, file: BinaryIO) -> None:
        """Read the flags of the next frame, without moving on; a frame without a disposal has that of the frame before."""
        block = file.read(2)
        file.seek(-len(block), 1)
        flags = block[1] if len(block) == 2 and block[0] else 0
        self._transparent = bool(flags & 1)
        self._disposal = (flags >> 2) & 7 or self._disposal

    def draw(self, descriptor: bytes) -> bool:
        """Draw a frame and dispose of it; return whether the canvas was opaque when the frame was shown."""
        opaque = self._covered or (descriptor[:8] == self._whole and not self._transparent)
        if self._disposal != _TO_PREVIOUS:
            self._covered = opaque and self._disposal != _TO_BACKGROUND
        self._transparent = False
        return opaque


def _skip_palette(file: BinaryIO, flags: bytes) -> None:
    if flags and flags[0] & 0x80:
        file.seek(3 << ((flags[0] & 7) + 1), 1)


def _skip_data(file: BinaryIO) -> bool:
    """Skip a chain of data blocks; return False if the file ends in it."""
    while True:
        length = file.read(1)
        if not length:
            return False
        if length == b"\0":
            return True
        file.seek(length[0], 1)


def _animation(frames: Iterable[Raster], size: bytes, loop: int) -> Iterator[bytes]:
    if loop != 1:  # the block counts repetitions, and a GIF plays once without it
        yield b"!\xff" + _sub_blocks(b"NETSCAPE2.0", struct.pack("<BH", 1, loop - (loop > 0)))
    for frame in frames:
        if struct.pack("<HH", *frame.size[::-1]) != size:
            raise ImageError("frames of an animated gif must have one size; write them as .tiff pages")
        palette, indices = _indexed(frame.pixels)
        duration = _DEFAULT_DURATION if frame.duration is None else frame.duration
        yield b"!\xf9" + _sub_blocks(struct.pack("<BHB", 0, min(round(duration / 10), _LONGEST_DELAY), 0))
        yield b"," + bytes(4) + size + bytes([0x80 | _palette_bits(palette)]) + _palette_bytes(palette) + _compressed(indices)


def _indexed(pixels: NDArray[Any]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return the colours (n, 3) of an image, and for each pixel (H, W) the index of its colour."""
    if pixels.shape[2] == 1:
        return _GREYS, pixels[..., 0]
    table = np.zeros(1 << 24, np.uint8)  # first whether a colour occurs, then its index
    for numbers in _colour_numbers(pixels):
        table[numbers] = 1
    colours = np.flatnonzero(table)
    if len(colours) > _MOST_COLOURS:
        raise ImageError(f"gif holds {_MOST_COLOURS} colours, and this image has {len(colours)}; write .png, .tiff or .webp")
    table[colours] = np.arange(len(colours))
    palette = np.stack([colours >> 16, colours >> 8 & 255, colours & 255], axis=1).astype(np.uint8)
    return palette, np.concatenate([table[numbers] for numbers in _colour_numbers(pixels)])


def _colour_numbers(pixels: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """Yield rows in which each colour is one number, a few rows at a time."""
    step = max(1, _STRIP // pixels.shape[1])
    for first in range(0, len(pixels), step):
        wide = pixels[first : first + step].astype(np.uint32)
        yield wide[..., 0] << 16 | wide[..., 1] << 8 | wide[..., 2]


def _palette_bits(palette: NDArray[np.uint8]) -> int:
    """Return the size of a palette as a GIF stores it: 0 for 2 colours, 7 for 256."""
    return max(len(palette) - 1, 1).bit_length() - 1


def _palette_bytes(palette: NDArray[np.uint8]) -> bytes:
    return palette.tobytes().ljust(6 << _palette_bits(palette), b"\0")


def _compressed(indices: NDArray[np.uint8]) -> bytes:
    from PIL import GifImagePlugin  # needed for writing only

    return b"".join(GifImagePlugin.getdata(Image.fromarray(np.ascontiguousarray(indices)), interlace=0))[_DESCRIPTOR:]


def _sub_blocks(*data: bytes) -> bytes:
    """Return data as a chain of blocks of at most 255 bytes; each argument begins a block."""
    pieces = [each[start : start + 255] for each in data for start in range(0, len(each), 255)]
    return b"".join(bytes([len(piece)]) + piece for piece in pieces) + b"\0"
