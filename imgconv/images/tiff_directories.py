"""The directories of a TIFF file, read before tifffile reads them: it allocates whatever they declare, once for each page."""

import struct
from collections.abc import Collection, Iterator
from typing import BinaryIO

from imgconv.errors import ImageError
from imgconv.images.exif import BIG_TIFF, CLASSIC, SIZES, Form

_SUB_DIRECTORIES, _OF_8_BYTES = 330, (16, 17, 18)  # tag; types
_PLACES = (273, 279, 324, 325)  # tags: offsets and lengths of strips and tiles
_MOST_ENTRIES = 1 << 20  # of all directories together; tifffile reads 200,000 a second
_FEWEST_ENTRIES = 16  # that a directory counts as, since a page takes time of its own
_MOST_IN_ONE = 4096  # entries of a directory, as in tifffile
_MOST_PLACES = 1 << 24  # of all strips and tiles; each takes 40 bytes
_TEXTS = (270, 347, 50839)  # tags: description, tables of JPEG, ImageJ's metadata
_MOST_NUMBERS = 1 << 18  # of any other tag; a palette of 16 bits has 3 << 16
_SHARED = 1 << 20  # bytes by which values may exceed the file, since pages may have some of them in common
_HEADS = {b"II*\0": ("<", CLASSIC), b"MM\0*": (">", CLASSIC), b"II+\0": ("<", BIG_TIFF), b"MM\0+": (">", BIG_TIFF)}


def check(file: BinaryIO, loaded: Collection[int]) -> None:
    """Raise ImageError for directories that no image needs: too many of them, too many entries, or values larger than the file.

    `loaded` are the tags whose values are read with the directory. Damage is found by those who read the directories.
    """
    size = file.seek(0, 2)
    left, places = size + _SHARED, _MOST_PLACES
    entries = _MOST_ENTRIES
    for directory in _all_directories(file):
        entries -= max(len(directory), _FEWEST_ENTRIES)
        if entries < 0:
            raise ImageError(f"its directories have more than {_MOST_ENTRIES} entries; save its pages in several files")
        for tag, kind, count in directory:
            length = SIZES.get(kind, 0) * count
            if tag not in loaded or length > size:  # values behind the end of the file are not read
                continue
            left, places = left - length, places - count * (tag in _PLACES)
            if left < 0 or places < 0 or (count > _MOST_NUMBERS and tag not in (*_PLACES, *_TEXTS)):
                raise ImageError(f"tag {tag} has {count} values, more than any image needs; save the image anew")


def _all_directories(file: BinaryIO) -> Iterator[list[tuple[int, int, int]]]:
    """Yield tags, types and counts of each directory of the chain, and of the directories of each; a loop ends the chain."""
    file.seek(0)
    head = file.read(16)
    if head[:4] not in _HEADS:
        return
    order, form = _HEADS[head[:4]]
    (offset,) = struct.unpack_from(order + form.offset, head.ljust(16, b"\0"), form.room)
    seen: set[int] = set()
    while offset and offset not in seen:
        seen.add(offset)
        directory, offset, others = _directory(file, offset, order, form)
        yield directory
        for other in others:
            yield _directory(file, other, order, form)[0]


def _directory(file: BinaryIO, offset: int, order: str, form: Form) -> tuple[list[tuple[int, int, int]], int, Iterator[int]]:
    """Return the entries at `offset`, where the next directory is, and the offsets of the directories that belong to this one."""
    file.seek(offset)
    count = _number(file, order + form.number)
    if count > _MOST_IN_ONE:
        return [], 0, iter(())
    entry = struct.Struct(f"{order}{form.entry}{form.room}s")
    table = file.read(count * entry.size)
    entries = list(entry.iter_unpack(table[: len(table) - len(table) % entry.size]))
    following = _number(file, order + form.offset)
    others = [(kind, number, value) for tag, kind, number, value in entries if tag == _SUB_DIRECTORIES]
    return [each[:3] for each in entries], following, _offsets(file, *others[0], order, form) if others else iter(())


def _offsets(file: BinaryIO, kind: int, count: int, value: bytes, order: str, form: Form) -> Iterator[int]:
    """Yield the offsets in a tag of directories, one by one, since there may be more of them than are allowed."""
    number = struct.Struct(order + ("Q" if kind in _OF_8_BYTES else "I"))
    for index in range(count):
        data = value[index * number.size :]
        if count * number.size > len(value):
            file.seek(struct.unpack(order + form.offset, value)[0] + index * number.size)
            data = file.read(number.size)
        if len(data) < number.size:
            return
        yield number.unpack(data[: number.size])[0]


def _number(file: BinaryIO, code: str) -> int:
    data = file.read(struct.calcsize(code))
    return int(struct.unpack(code, data)[0]) if len(data) == struct.calcsize(code) else 0
