"""EXIF blocks made by hand, in both byte orders, and read by hand; nothing of imgconv is used."""

import struct

SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 13: 4}
CODES = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 5: "II"}
THUMBNAIL = b"\xff\xd8\xff\xe0" + bytes(range(200, 1, -1)) * 20 + b"\xff\xd9"
NOTE = b"Maker\0" + bytes(range(256)) * 3


def block(image, exif=None, gps=None, *, order="<", thumbnail=None, note_at=None):
    """An EXIF block without prefix: {tag: (type, numbers or bytes)}; tag 0x927C of `exif` is placed at the offset `note_at`."""
    image = dict(image)
    for tag, directory in ((0x8769, exif), (0x8825, gps)):
        if directory is not None:
            image[tag] = (4, [0])
    data = bytearray((b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, 8))
    positions, at = [], 8
    directories = [d for d in (image, exif, gps) if d is not None]
    for directory in directories:
        positions.append(at)
        at += len(_written(directory, at, 0, order, note_at))
    for tag, directory in ((0x8769, exif), (0x8825, gps)):
        if directory is not None:
            image[tag] = (4, [positions[directories.index(directory)]])
    for directory, start in zip(directories, positions, strict=True):
        data += _written(directory, start, at if thumbnail and directory is image else 0, order, note_at)
    if thumbnail:
        links = {0x103: (3, [6]), 0x201: (4, [at + 2 + 36 + 4]), 0x202: (4, [len(thumbnail)])}
        data += _written(links, at, 0, order, None) + thumbnail
    if note_at is not None:
        data += bytes(max(note_at - len(data), 0))
        data[note_at : note_at + len(exif[0x927C][1])] = exif[0x927C][1]
    return bytes(data)


def _written(directory, start, following, order, note_at):
    entries, tail = b"", b""
    rest = start + 2 + 12 * len(directory) + 4
    for tag, (kind, value) in sorted(directory.items()):
        content = value if isinstance(value, bytes) else struct.pack(order + CODES[kind] * (len(value) // len(CODES[kind])), *value)
        if tag == 0x927C and note_at is not None:
            field = struct.pack(order + "I", note_at)
        elif len(content) > 4:
            field = struct.pack(order + "I", rest + len(tail))
            tail += content + bytes(len(content) % 2)
        else:
            field = content.ljust(4, b"\0")
        entries += struct.pack(order + "HHI", tag, kind, len(content) // SIZES[kind]) + field
    return struct.pack(order + "H", len(directory)) + entries + struct.pack(order + "I", following) + tail


def tags(data, at=None):
    """{tag: numbers or bytes} of IFD0; under ("exif", tag) and ("gps", tag) those of the other directories, under "order" the order."""
    order = "<" if data[:2] == b"II" else ">"
    tags_read = _read(data, struct.unpack_from(order + "I", data, 4)[0] if at is None else at, order)
    for name, pointer in (("exif", 0x8769), ("gps", 0x8825)):
        if pointer in tags_read:
            tags_read |= {(name, tag): value for tag, value in _read(data, tags_read[pointer][0], order).items()}
    return tags_read | {"order": order}


def _read(data, at, order):
    (count,) = struct.unpack_from(order + "H", data, at)
    tags_read = {}
    for entry in range(at + 2, at + 2 + 12 * count, 12):
        tag, kind, number = struct.unpack_from(order + "HHI", data, entry)
        length = SIZES[kind] * number
        place = struct.unpack_from(order + "I", data, entry + 8)[0] if length > 4 else entry + 8
        content = data[place : place + length]
        assert len(content) == length
        tags_read[tag] = content if kind in (2, 7) else list(struct.unpack(order + CODES.get(kind, "I") * number, content))
        if tag == 0x927C:
            tags_read["note at"] = place
    assert struct.unpack_from(order + "I", data, at + 2 + 12 * count) == (0,)  # no link to a thumbnail
    return tags_read
