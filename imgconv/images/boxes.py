"""Boxes of ISO media files, JPEG 2000 and JPEG XL: find them at any place, and read the data of AVIF and HEIC in them."""

import re
import struct
from collections import deque
from collections.abc import Iterator
from io import BytesIO
from typing import BinaryIO

from imgconv.images import damage
from imgconv.images.damage import DamageError

_LONGEST = 1 << 26  # bytes of a box that is read
_MOST_BOXES = _MOST_FRAMES = 1 << 16
_DEEP, _TWELVE_BITS = 0x40, 0x20  # flags of a codec configuration
_CONFIGURATION = b"av1C\x81"  # with its version
_UNSPECIFIED, _BT709, _SRGB = 2, 1, 13  # code points of H.273
_CODES = b"colrnclx"  # the beginning of a box with code points
_FULL = ("meta", "stsd")  # boxes whose first 4 bytes are a version and flags


def boxes(file: BinaryIO, start: int = 0, end: int | None = None) -> Iterator[tuple[str, int, int]]:
    """Yield name, start and end of the content of each box between two offsets of a file; the last one can be truncated.

    Raises DamageError for more boxes than any image has.

    >>> from io import BytesIO
    >>> list(boxes(BytesIO(b"\\0\\0\\0\\x0afreeab" + b"\\0\\0\\0\\0mdat123")))
    [('free', 8, 10), ('mdat', 18, 21)]
    """
    size = file.seek(0, 2)
    end = size if end is None else min(end, size)
    number = 0
    while start + 8 <= end:
        number += 1
        if number > _MOST_BOXES:
            raise DamageError(f"one of its boxes contains more than {_MOST_BOXES} others")
        file.seek(start)
        head = file.read(16)
        length, content = int.from_bytes(head[:4], "big"), start + 8
        if length == 1:
            length, content = int.from_bytes(head[8:16], "big"), start + 16
        stop = end if length == 0 else start + length
        if stop < content:
            return
        yield head[4:8].decode("latin-1"), content, min(stop, end)
        start = stop


def find(file: BinaryIO, path: str, start: int = 0, end: int | None = None) -> tuple[int, int] | None:
    """Return start and end of the content of the first box at a path such as `moov/trak`; None without one."""
    name, _, rest = path.partition("/")
    for box, first, last in boxes(file, start, end):
        if box == name:
            inner = first + 4 if name in _FULL else first
            if not rest:
                return inner, last
            deeper = find(file, rest, inner, last)
            if deeper:
                return deeper
    return None


def content(file: BinaryIO, place: tuple[int, int] | None) -> bytes:
    """Return the content of a box, nothing without one."""
    if place is None:
        return b""
    file.seek(place[0])
    return file.read(min(place[1] - place[0], _LONGEST))


def with_other_end(data: bytes) -> bytes | None:
    """Return an AVIF whose pixels or metadata are other ones if it is whole, as `damage.with_other_end` does."""
    name, start, end = deque(boxes(BytesIO(data)), maxlen=1).pop()
    return damage.with_other_end(data, start, end) if name == "mdat" else None


def av1_bits(file: BinaryIO) -> int:
    """Return the bits per channel of an AVIF: 8, 10 or 12; 8 if the file does not declare them."""
    bits = 8
    for path in ("meta", "moov"):
        data = content(file, find(file, path))
        at = data.find(_CONFIGURATION)
        while at >= 0 and len(data) > at + 6:
            flags = data[at + 6]
            bits = max(bits, 8 if not flags & _DEEP else 12 if flags & _TWELVE_BITS else 10)
            at = data.find(_CONFIGURATION, at + 1)
    return bits


def durations(file: BinaryIO) -> list[float]:
    """Return the time in milliseconds that each frame of an AVIF sequence is shown; none without frames."""
    header = content(file, find(file, "moov/trak/mdia/mdhd"))
    at = 20 if header[:1] == b"\1" else 12
    scale = int.from_bytes(header[at : at + 4], "big")
    table = content(file, find(file, "moov/trak/mdia/minf/stbl/stts"))
    if not scale:
        return []
    result: list[float] = []
    for entry in range(8, min(8 + 8 * int.from_bytes(table[4:8], "big"), len(table) - 7), 8):
        count, ticks = int.from_bytes(table[entry : entry + 4], "big"), int.from_bytes(table[entry + 4 : entry + 8], "big")
        result += [1000 * ticks / scale] * min(count, _MOST_FRAMES - len(result))
        if len(result) == _MOST_FRAMES:
            break
    return result


def colour_codes(file: BinaryIO) -> bytes | None:
    """Return the code points of H.273 that an AVIF or HEIC declares, as a cICP chunk of PNG has them; None for sRGB and without any.

    >>> from io import BytesIO
    >>> colour_codes(BytesIO(b"\\0\\0\\0\\x10ftypavif\\0\\0\\0\\0")) is None
    True
    """
    for colour in _properties(file, "colr"):
        if colour[:4] == b"nclx" and len(colour) >= 8:
            primaries, transfer = struct.unpack_from(">HH", colour, 4)
            primaries = _BT709 if primaries == _UNSPECIFIED else primaries
            transfer = _SRGB if transfer == _UNSPECIFIED else transfer
            is_srgb = (primaries, transfer) == (_BT709, _SRGB)
            return None if is_srgb or max(primaries, transfer) > 255 else bytes((primaries, transfer, 0, 1))  # RGB, full range
    return None


def crop(file: BinaryIO, size: tuple[int, int]) -> tuple[int, int, int, int] | None:
    """Return left, top, width and height of the part of an AVIF of `size` (H, W) that is shown, before it is turned; None for all of it.

    Raises DamageError for a part that is not inside the image.
    """
    from fractions import Fraction  # takes 3 ms

    for part in _properties(file, "clap"):
        numbers = struct.unpack(">IIIIiIiI", part[:32]) if len(part) >= 32 else (0,) * 8
        if not all(numbers[1::2]):
            raise DamageError("its crop is damaged")
        width, height, across, down = (Fraction(*numbers[at : at + 2]) for at in range(0, 8, 2))
        left, top = across + (size[1] - width) / 2, down + (size[0] - height) / 2
        if min(left, top, width - 1, height - 1) < 0 or left + width > size[1] or top + height > size[0]:
            raise DamageError("its crop is not inside the image")
        return int(left), int(top), int(width), int(height)
    return None


def with_colour_codes(data: bytes, codes: bytes) -> bytes:
    """Return an AVIF that declares these primaries and this transfer function; nothing else changes."""
    for name in ("meta", "moov"):
        if place := find(BytesIO(data), name):
            head = re.sub(_CODES + rb".{4}", lambda _: _CODES + bytes((0, codes[0], 0, codes[1])), data[slice(*place)], flags=re.DOTALL)
            data = data[: place[0]] + head + data[place[1] :]
    return data


def _properties(file: BinaryIO, name: str) -> Iterator[bytes]:
    """Yield the contents of the properties of one kind that the primary image of an AVIF or HEIC has."""
    primary, table = (content(file, find(file, path)) for path in ("meta/pitm", "meta/iprp/ipma"))
    place = find(file, "meta/iprp/ipco")
    if place is None or len(primary) < 6 or len(table) < 8:
        return
    properties = list(boxes(file, *place))
    number = int.from_bytes(primary[4:] if primary[0] else primary[4:6], "big")
    wide, long = 4 if table[0] else 2, 2 if table[3] & 1 else 1  # bytes of the number of an image, and of an association
    at = 8
    while at + wide < len(table):
        image, count = int.from_bytes(table[at : at + wide], "big"), table[at + wide]
        at += wide + 1
        if image == number:
            mask = (1 << 8 * long - 1) - 1
            indices = [int.from_bytes(table[start : start + long], "big") & mask for start in range(at, at + count * long, long)]
            for kind, start, end in (properties[index - 1] for index in indices if 0 < index <= len(properties)):
                if kind == name:
                    yield content(file, (start, end))
        at += count * long
