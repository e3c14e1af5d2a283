"""IPTC (IIM) data sets: find them in Photoshop's resources or a PNG's text, leave out previews and places, and wrap them again."""

import struct
from collections.abc import Iterator

PHOTOSHOP = b"Photoshop 3.0\0"
_RESOURCE, _IPTC_RESOURCE = b"8BIM", 0x0404
_RESOURCES = (_RESOURCE, b"AgHg", b"DCSR", b"MeSa", b"PHUT")
_COPIED = frozenset((_IPTC_RESOURCE, 0x03ED, 0x040F, 0x0422, 0x0423, 0x0424, 0x0425))  # resolution, ICC, EXIF, XMP; a checksum of IPTC data
_THUMBNAILS = frozenset((0x0409, 0x040C))
_MARKER = 0x1C
_PREVIEWS = frozenset((200, 201, 202))  # data sets of record 2
_PLACES = frozenset((26, 27, 90, 92, 95, 100, 101))
_LONGEST_SEGMENT = 65533  # bytes of a JPEG segment without its length


def from_resources(data: bytes) -> bytes | None:
    """Return the IPTC data in Photoshop's image resources; None without any. Bytes that are IPTC data already are returned as they are."""
    data = data.removeprefix(PHOTOSHOP)
    if data[:1] != bytes([_MARKER]) and data[3:4] == bytes([_MARKER]) and len(data) % 4 == 0:  # big-endian words in a TIFF
        data = b"".join(data[at : at + 4][::-1] for at in range(0, len(data), 4))
    if data[:1] == bytes([_MARKER]):
        return data
    return b"".join(content for number, content in _all_resources(data) if number == _IPTC_RESOURCE) or None


def other_resources(data: bytes) -> list[str]:
    """Return the names of Photoshop's image resources that are not copied to a result."""
    numbers = {number for number, _ in _all_resources(data.removeprefix(PHOTOSHOP))} - _COPIED
    thumbnails = ["thumbnail"] if numbers & _THUMBNAILS else []
    return [*thumbnails, *(["Photoshop resources"] if numbers - _THUMBNAILS else [])]


def _all_resources(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield number and content of each image resource; the last one can be truncated."""
    position = 0
    while data[position : position + 4] in _RESOURCES and position + 12 <= len(data):
        (number,) = struct.unpack_from(">H", data, position + 4)
        name = data[position + 6] + 1
        position += 6 + name + name % 2
        if position + 4 > len(data):
            return
        (length,) = struct.unpack_from(">I", data, position)
        position += 4
        yield number, data[position : position + length]
        position += length + length % 2


def resources(data: bytes) -> bytes:
    """Return IPTC data as one of Photoshop's image resources."""
    return _RESOURCE + struct.pack(">HHI", _IPTC_RESOURCE, 0, len(data)) + data + bytes(len(data) % 2)


def segments(data: bytes) -> bytes:
    """Return the segments of a JPEG that hold IPTC data."""
    whole = resources(data)
    room = _LONGEST_SEGMENT - len(PHOTOSHOP)
    parts = [PHOTOSHOP + whole[start : start + room] for start in range(0, len(whole), room)]
    return b"".join(b"\xff\xed" + struct.pack(">H", len(part) + 2) + part for part in parts)


def cleaned(data: bytes, *, location: bool = True) -> bytes | None:
    """Return IPTC data without previews, and without places unless `location`; None where nothing is left. Ends where damage begins."""
    parts = [part for record, number, part in _data_sets(data) if _stays(record, number, location)]
    return b"".join(parts) if any(part[1] > 1 for part in parts) else None


def _stays(record: int, number: int, location: bool) -> bool:
    if record == 2:
        return number not in _PREVIEWS and (location or number not in _PLACES)
    return record < 7  # records 7 to 9 hold an object, such as an image


def _data_sets(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yield record, number and bytes of each data set."""
    position = 0
    while position + 5 <= len(data) and data[position] == _MARKER:
        record, number, length = struct.unpack_from(">BBH", data, position + 1)
        head = 5
        if length & 0x8000:  # the length of a length
            head += length & 0x7FFF
            length = int.from_bytes(data[position + 5 : position + head], "big") if head <= 9 else len(data)
        end = position + head + length
        if end > len(data):
            return
        yield record, number, data[position:end]
        position = end
