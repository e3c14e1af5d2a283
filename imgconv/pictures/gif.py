"""GIF as a chain of blocks: frames counted, whether any shows what lies behind, the end seen.

Pillow decodes GIF, and takes one that is cut short for a shorter one.
"""

import struct
from dataclasses import dataclass
from typing import BinaryIO

from imgconv.pictures.damage import DamageError

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
