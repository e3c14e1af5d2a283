"""The directories of a TIFF file, read before tifffile reads them: it allocates whatever they declare, once for each page."""

import struct
from collections.abc import Collection, Iterator
from io import BytesIO
from typing import BinaryIO

from imgconv.errors import ImageError
from imgconv.images.metadata.exif import BIG_TIFF, CLASSIC, SIZES, Form

_SUB_DIRECTORIES, _OF_8_BYTES = 330, (16, 17, 18)  # tag; types
_PLACES = (273, 279, 324, 325)  # tags: offsets and lengths of strips and tiles
_MOST_ENTRIES = 1 << 20  # of all directories together; tifffile reads 200,000 a second
_FEWEST_ENTRIES = 16  # that a directory counts as, since a page takes time of its own
_MOST_IN_ONE = 4096  # entries of a directory, as in tifffile
_MOST_PLACES = 1 << 24  # of all strips and tiles; each takes 40 bytes
_TEXTS = (270, 347, 50839)  # tags: description, tables of JPEG, ImageJ's metadata
_MOST_NUMBERS = 1 << 18  # of any other tag; a palette of 16 bits has 3 << 16
_SHARED = 1 << 20  # bytes by which values may exceed the file, since pages may have some of them in common
_NUMBERS = (254, 256, 257, 259, 262, 266, 274, 277, 278, 284, 317, 322, 323, 332)  # tags of one number
_BYTE, _SHORT = 1, 3  # types
_HEADS = {b"II*\0": ("<", CLASSIC), b"MM\0*": (">", CLASSIC), b"II+\0": ("<", BIG_TIFF), b"MM\0+": (">", BIG_TIFF)}
Entry = tuple[int, int, int, int]  # tag, type, number of values, and the place of the entry in the file


def checked(file: BinaryIO, loaded: Collection[int]) -> BinaryIO:
    """Return the file for tifffile: itself, or a copy where numbers of one byte have two, since tifffile gives bytes for them.

    `loaded` are the tags whose values are read with the directory. Raises ImageError for directories that no image needs: too many of
    them, too many entries, or values larger than the file. Damage is found by those who read the directories.
    """
    size = file.seek(0, 2)
    left, places = size + _SHARED, _MOST_PLACES
    entries, short = _MOST_ENTRIES, []
    for directory in _all_directories(file):
        entries -= max(len(directory), _FEWEST_ENTRIES)
        if entries < 0:
            raise ImageError(f"its directories have more than {_MOST_ENTRIES} entries; save its pages in several files")
        for tag, kind, count, place in directory:
            if (kind, count) == (_BYTE, 1) and tag in _NUMBERS:
                short.append(place)
            length = SIZES.get(kind, 0) * count
            if tag not in loaded or length > size:  # values beyond the end of the file are not read
                continue
            left, places = left - length, places - count * (tag in _PLACES)
            if left < 0 or places < 0 or (count > _MOST_NUMBERS and tag not in (*_PLACES, *_TEXTS)):
                raise ImageError(f"tag {tag} has {count} values, more than any image needs; save the image again")
    return _widened(file, short) if short else file


def _widened(file: BinaryIO, places: list[int]) -> BinaryIO:
    """Return a copy of a file in which the entries at some places have the type of 16 bits."""
    file.seek(0)
    data = bytearray(file.read())
    order, form = _HEADS[bytes(data[:4])]
    for place in places:
        at = place + struct.calcsize(order + form.entry)
        struct.pack_into(order + "H", data, place + 2, _SHORT)
        struct.pack_into(order + "H", data, at, data[at])
    return BytesIO(data)


def _all_directories(file: BinaryIO) -> Iterator[list[Entry]]:
    """Yield the entries of each directory of the chain, and of the directories of each; a loop ends the chain."""
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


def _directory(file: BinaryIO, offset: int, order: str, form: Form) -> tuple[list[Entry], int, Iterator[int]]:
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
    first = offset + struct.calcsize(order + form.number)
    placed = [(tag, kind, number, first + index * entry.size) for index, (tag, kind, number, _) in enumerate(entries)]
    return placed, following, _offsets(file, *others[0], order, form) if others else iter(())


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
