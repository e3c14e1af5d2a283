"""GIF as a chain of blocks: its frames counted, its end seen. Pillow decodes GIF, and takes one that is cut short for a shorter one."""

from typing import BinaryIO

from imgconv.pictures.damage import DamageError

_TRAILER, _IMAGE = b";", b","


def frames(file: BinaryIO) -> int:
    """How many whole frames a GIF has, at least 1; the file may be cut short."""
    return max(_walk(file)[0], 1)


def check(file: BinaryIO) -> None:
    """Raise DamageError for a GIF that ends before its end mark."""
    if not _walk(file)[1]:
        raise DamageError("it is cut short")


def _walk(file: BinaryIO) -> tuple[int, bool]:
    """Frames, and whether the end mark was reached."""
    file.seek(10)
    _skip_colours(file, file.read(3))
    count = 0
    while True:
        kind = file.read(1)
        if kind in (_TRAILER, b""):
            return count, kind == _TRAILER
        if kind == b"!":
            file.seek(1, 1)
        elif kind == _IMAGE:
            _skip_colours(file, file.read(9)[8:])
            file.seek(1, 1)
        else:
            continue
        if not _skip_data(file):
            return count, False
        count += kind == _IMAGE


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
