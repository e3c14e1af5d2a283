"""EXIF: read the directories of a block or of a TIFF file, correct what a filter changes, and write new ones.

Values stay the bytes that they are in the file, in its byte order: Pillow's `Exif` decodes and encodes them, which moves maker notes and
changes types. Only what a directory lists is written, so that no byte of a thumbnail or of a gap is left.
"""

import struct
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

if TYPE_CHECKING:
    from fractions import Fraction

PREFIX = b"Exif\0\0"
IMAGE_DESCRIPTION, ORIENTATION, RESOLUTION_UNIT = 0x010E, 0x0112, 0x0128
X_RESOLUTION, Y_RESOLUTION, MAKER_NOTE, GAMMA = 0x011A, 0x011B, 0x927C, 0xA500
XMP, IPTC, PHOTOSHOP, ICC_PROFILE = 0x02BC, 0x83BB, 0x8649, 0x8773

SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 16: 8, 17: 8, 18: 8, 129: 1}  # bytes of each type
_INTEGERS = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 16: "Q", 17: "q"}
_SHORT, _LONG, _RATIONAL, _POINTER, _LONG_8 = 3, 4, 5, 13, 16
_PARENTS = {"exif": ("image", 0x8769), "gps": ("image", 0x8825), "interop": ("exif", 0xA005)}  # directory -> parent and its pointer
_WIDTHS = {"image": 0x0100, "exif": 0xA002, "interop": 0x1001}
_HEIGHTS = {"image": 0x0101, "exif": 0xA003, "interop": 0x1002}
_DENSITIES = {"image": (X_RESOLUTION, Y_RESOLUTION), "exif": (0xA20E, 0xA20F)}  # pixels per unit on paper, and on the sensor
_POSITIONS = (0x9214, 0xA214)  # subject area and location, in pixels
# Tags of IFD0 that describe how pixels are stored, where other images are, or what `Metadata` has elsewhere
_STORAGE = frozenset((254, 255, 258, 259, 262, 263, 266, 273, 277, 278, 279, 280, 281, 284, 292, 293, 317, 320, 322, 323, 324, 325, 330))
_STORAGE |= frozenset((332, 334, 338, 339, 340, 341, 347, 400, *range(512, 522), 530, XMP, IPTC, PHOTOSHOP, ICC_PROFILE))
_STALE = frozenset((0x9102, 0xEA1C, *range(0x5012, 0x5030), *range(0x5110, 0x5114)))  # compression, filling, thumbnails of Windows
_STALE_NAMES = {0x9102: "compressed bits per pixel", 0x501B: "thumbnail"}  # of those that say something about the original
_PREVIEW = b"\xff\xd8\xff"  # the first bytes of a JPEG
_MOST_ENTRIES = 4096  # of a directory
_LARGEST_VALUE = 1 << 24  # bytes
_FARTHEST_NOTE = 1 << 16  # an offset up to which a maker note stays where it is
_NAMES = {MAKER_NOTE: "maker note", 0x9286: "user comment", IMAGE_DESCRIPTION: "image description"}
# Tags of a TIFF page that describe its contents
OF_TIFF = frozenset((269, 270, 271, 272, 274, 282, 283, 285, 296, 305, 306, 315, 316, 318, 319, 33432, 0x4746, 0x4749, 0xC4A5, 0xC614))
OF_TIFF |= frozenset(range(0x9C9B, 0x9CA0))


class Form(NamedTuple):
    """How a file stores directories, as codes of `struct`: their number of entries, an entry without its value, and an offset."""

    number: str
    entry: str
    offset: str

    @property
    def room(self) -> int:
        """Bytes for an offset, or for a value that is no longer."""
        return struct.calcsize("<" + self.offset)

    def length(self, entries: int) -> int:
        """Return the bytes of a directory."""
        return struct.calcsize("<" + self.number) + entries * (struct.calcsize("<" + self.entry) + self.room) + self.room


CLASSIC, BIG_TIFF = Form("H", "HHI", "I"), Form("Q", "HHQ", "Q")


class Value(NamedTuple):
    """The value of a tag: its type, as TIFF numbers types, and its bytes in the byte order of the directories."""

    kind: int
    data: bytes


Directory = dict[int, Value]


class Exif(NamedTuple):
    """The directories `image` (IFD0), `exif`, `gps` and `interop`, in byte order `order` (`<` or `>`).

    `note_offset` is the offset of the maker note in the file that it is from, for offsets in it count from there. `dropped` names what is
    in the file and not here.
    """

    order: str
    directories: Mapping[str, Directory]
    note_offset: int | None = None
    dropped: tuple[str, ...] = ()

    def numbers(self, directory: str, tag: int) -> tuple[int, ...]:
        """Return the whole numbers of a tag of any integer type; empty without the tag."""
        value = self.directories.get(directory, {}).get(tag)
        if value is None or value.kind not in _INTEGERS:
            return ()
        return struct.unpack(f"{self.order}{len(value.data) // SIZES[value.kind]}{_INTEGERS[value.kind]}", value.data)

    def fraction(self, directory: str, tag: int) -> "Fraction | None":
        """Return the first rational number of a tag; None without one, and for a denominator of 0."""
        value = self.directories.get(directory, {}).get(tag)
        if value is None or value.kind != _RATIONAL or len(value.data) < 8:
            return None
        from fractions import Fraction  # takes 3 ms

        numerator, denominator = struct.unpack_from(self.order + "II", value.data)
        return Fraction(numerator, denominator) if denominator else None

    @property
    def orientation(self) -> int:
        """1 to 8; 1 where it is missing or invalid."""
        numbers = self.numbers("image", ORIENTATION)
        return numbers[0] if len(numbers) == 1 and 1 <= numbers[0] <= 8 else 1

    def with_values(self, directory: str, values: Mapping[int, Value]) -> "Exif":
        """Return a copy in which `directory` has these values too."""
        return self._replace(directories={**self.directories, directory: {**self.directories.get(directory, {}), **values}})

    def without(self, directory: str, tags: Iterable[int]) -> "Exif":
        """Return a copy whose `directory` has none of `tags`."""
        removed = set(tags)
        remaining = {tag: value for tag, value in self.directories.get(directory, {}).items() if tag not in removed}
        return self._replace(directories={**self.directories, directory: remaining})


def read(data: bytes) -> Exif | None:
    """Read an EXIF block, with or without its prefix; None for one that holds nothing or is damaged."""
    return read_directories(BytesIO(data.removeprefix(PREFIX)), None, lambda tag: True)


def read_directories(file: BinaryIO, offset: int | None, is_needed: Callable[[int], bool]) -> Exif | None:
    """Read the directories of a TIFF file or EXIF block, from the first one or the one at `offset`, with the tags of IFD0 that `is_needed`.

    Never follows a link twice, and never reads more than the file has: damaged entries are left out and named in `dropped`.
    """
    reader = _Reader(file)
    if not reader.order:
        return None
    directories: dict[str, Directory] = {"image": reader.directory(reader.first if offset is None else offset, is_needed)}
    thumbnail = bool(reader.following) and offset is None
    for name, (parent, tag) in _PARENTS.items():
        at = reader.pointers.get((parent, tag))
        directories[name] = {} if at is None else reader.directory(at, lambda tag: True, name)
    if not any(directories.values()):
        return None
    dropped = [*(["thumbnail"] if thumbnail else []), *(["damaged EXIF entries"] if reader.damaged else [])]
    return _without_previews(Exif(reader.order, directories, reader.note_offset, tuple(dropped)))


def read_orientation(data: bytes) -> int | None:
    """Return the orientation in an EXIF block, 1 where it is invalid; None without one."""
    reader = _Reader(BytesIO(data.removeprefix(PREFIX)))
    directory = reader.directory(reader.first, lambda tag: tag == ORIENTATION) if reader.order else {}
    return Exif(reader.order, {"image": directory}).orientation if directory else None


def directory_offset(file: BinaryIO, index: int) -> int:
    """Return the offset of directory number `index` in the chain of a TIFF file; 0 if it is shorter."""
    reader = _Reader(file)
    offset = reader.first
    for _ in range(index):
        reader.directory(offset, lambda tag: False)
        offset = reader.following
    return offset


class _Reader:
    """Reads directories of classic TIFF and BigTIFF, and collects where they point."""

    def __init__(self, file: BinaryIO):
        self._file = file
        self._length = self._left = file.seek(0, 2)
        self.damaged = False
        self.following = 0
        self.note_offset: int | None = None
        self.pointers: dict[tuple[str, int], int] = {}
        head = self._at(0, 16)
        self.order = {b"II": "<", b"MM": ">"}.get(head[:2], "") if len(head) >= 8 else ""
        self._big = bool(self.order) and self._number(head[2:4]) == 43
        self.first = self._number(head[8:16] if self._big else head[4:8]) if self.order else 0

    def directory(self, offset: int, is_needed: Callable[[int], bool], name: str = "image") -> Directory:
        """Return the values of the directory at `offset`; damaged ones are left out."""
        count_size, entry_size, link_size = (8, 20, 8) if self._big else (2, 12, 4)
        count = self._number(self._at(offset, count_size).ljust(count_size, b"\0"))
        if offset < 8 or offset + count_size > self._length or count > _MOST_ENTRIES:
            self.damaged = True
            return {}
        table = self._at(offset + count_size, count * entry_size)
        self.damaged |= len(table) < count * entry_size
        values: Directory = {}
        for start in range(0, len(table) - entry_size + 1, entry_size):
            self._read_entry(table[start : start + entry_size], offset + count_size + start, values, is_needed, name)
        if name == "image":
            self.following = self._number(self._at(offset + count_size + count * entry_size, link_size).ljust(link_size, b"\0"))
        return values

    def _read_entry(self, entry: bytes, position: int, values: Directory, is_needed: Callable[[int], bool], name: str) -> None:
        room = 8 if self._big else 4
        tag, kind, count = self._number(entry[:2]), self._number(entry[2:4]), self._number(entry[4 : 4 + room])
        if (name, tag) in _PARENTS.values():
            self.pointers.setdefault((name, tag), self._number(entry[4 + room :][: 4 if kind in (_LONG, _POINTER) else room]))
            return
        if tag in values or kind == _POINTER or not is_needed(tag):
            return
        length = SIZES.get(kind, 0) * count
        offset = self._number(entry[4 + room :]) if length > room else position + 4 + room
        if not 0 < length <= min(self._left, _LARGEST_VALUE) or offset + length > self._length:
            self.damaged |= length != 0 or kind not in SIZES
            return
        self._left -= length if length > room else 0  # values do not overlap: together they are no longer than the file
        values[tag] = Value(kind, self._at(offset, length))
        if tag == MAKER_NOTE and name == "exif" and length > room:
            self.note_offset = offset

    def _at(self, offset: int, length: int) -> bytes:
        if offset >= self._length:
            return b""
        self._file.seek(offset)
        return self._file.read(min(length, self._length - offset))

    def _number(self, data: bytes) -> int:
        return int.from_bytes(data, "little" if self.order == "<" else "big")


def _without_previews(exif: Exif) -> Exif:
    """Return EXIF without images: entries that hold a JPEG are left out, and bytes of a JPEG in a maker note become 0."""
    dropped = list(exif.dropped)
    directories = {}
    for name, directory in exif.directories.items():
        directories[name] = dict(directory)
        for tag, (kind, data) in directory.items():
            start = data.find(_PREVIEW) if kind in (1, 6, 7) else -1
            if start < 0:
                continue
            if tag == MAKER_NOTE:
                end = data.rfind(b"\xff\xd9", start) + 2 or len(data)
                directories[name][tag] = Value(kind, data[:start] + bytes(max(end, start) - start) + data[max(end, start) :])
                dropped.append("preview in the maker note")
            else:
                del directories[name][tag]
                dropped.append("thumbnail")
    return exif._replace(directories=directories, dropped=tuple(dict.fromkeys(dropped)))


def upright(exif: Exif, orientation: int) -> Exif:
    """Return EXIF for pixels that were rotated upright from `orientation`: the tag becomes 1, what belongs to an axis goes with it."""
    if ORIENTATION in exif.directories["image"]:
        exif = exif.with_values("image", {ORIENTATION: Value(_SHORT, struct.pack(exif.order + "H", 1))})
    if orientation == 1:
        return exif
    exif = moved(exif)
    if orientation > 4:
        for name, (x, y) in _DENSITIES.items():
            directory = exif.directories.get(name, {})
            swapped = {to: directory[tag] for tag, to in ((x, y), (y, x)) if tag in directory}
            exif = exif.without(name, (x, y)).with_values(name, swapped)
    return exif


def resized(exif: Exif, size: tuple[int, int], stride: "tuple[int | Fraction, int | Fraction]" = (1, 1)) -> Exif:
    """Return EXIF of an image of `size` (H, W) whose pixels are `stride` (down, across) of the original ones apart."""
    stale = [name for tag, name in _STALE_NAMES.items() if any(tag in directory for directory in exif.directories.values())]
    exif = exif.without("image", _STORAGE | _STALE).without("exif", _STALE)._replace(dropped=tuple(dict.fromkeys((*exif.dropped, *stale))))
    for tags, number in ((_HEIGHTS, size[0]), (_WIDTHS, size[1])):
        for name, tag in tags.items():
            if tag in exif.directories.get(name, {}):
                kind, code = (_SHORT, "H") if exif.directories[name][tag].kind == _SHORT and number < 1 << 16 else (_LONG, "I")
                exif = exif.with_values(name, {tag: Value(kind, struct.pack(exif.order + code, number))})
    if stride == (1, 1):
        return exif
    for name, (x, y) in _DENSITIES.items():
        for tag, step in ((x, stride[1]), (y, stride[0])):
            density = exif.fraction(name, tag)
            if density is not None:
                exif = exif.with_values(name, {tag: rational(exif.order, density / step)})
    return exif


def moved(exif: Exif) -> Exif:
    """Return EXIF of an image whose pixels are not where they were: positions in pixels no longer hold."""
    if not any(tag in exif.directories.get("exif", {}) for tag in _POSITIONS):
        return exif
    return exif.without("exif", _POSITIONS)._replace(dropped=(*exif.dropped, "subject area"))


def without_location(exif: Exif) -> Exif:
    """Return EXIF without a position: no GPS directory, and no maker note, in which cameras store places in ways of their own."""
    exif = exif._replace(directories={**exif.directories, "gps": {}}, note_offset=None)
    return exif.without("exif", (MAKER_NOTE,))


def rational(order: str, number: "Fraction") -> Value:
    """Return a fraction as a RATIONAL, rounded where its parts exceed 32 bits.

    >>> from fractions import Fraction
    >>> rational(">", Fraction(150))
    Value(kind=5, data=b'\\x00\\x00\\x00\\x96\\x00\\x00\\x00\\x01')
    """
    limit = (1 << 32) - 1
    whole = max(int(number), 1)
    nearest = number.limit_denominator(max(1, limit // (whole + 1))) if number < limit else type(number)(limit)
    return Value(_RATIONAL, struct.pack(order + "II", nearest.numerator, nearest.denominator))


@dataclass
class Block:
    """Directories as bytes: `data` begins at the offset `start`, `offsets` are those of the directories."""

    start: int
    data: bytearray = field(default_factory=bytearray)
    offsets: dict[str, int] = field(default_factory=dict)
    note_moved: bool = False


def encode(exif: Exif, limit: int | None = None) -> tuple[bytes, tuple[str, ...]]:
    """Return an EXIF block without its prefix, and the names of tags that were left out to keep it within `limit` bytes."""
    dropped: list[str] = []
    while True:
        block = lay_out(exif, 8)
        head = {"<": b"II*\0", ">": b"MM\0*"}[exif.order] + struct.pack(exif.order + "I", block.offsets["image"])
        if limit is None or len(head) + len(block.data) <= limit:
            moved_note = ["place of the maker note, to which offsets in it refer"] if block.note_moved else []
            return head + bytes(block.data), (*dropped, *moved_note)
        if exif.note_offset is not None and exif.note_offset >= 0:
            exif = exif._replace(note_offset=-1)  # anywhere: a gap before the maker note may be what does not fit
            continue
        exif, names = _without_largest(exif, len(head) + len(block.data) - limit)
        dropped += names


def _without_largest(exif: Exif, excess: int) -> tuple[Exif, list[str]]:
    """Return EXIF without its largest values, which together have `excess` bytes or more, and their names."""
    entries = [(len(value.data), name, tag) for name, directory in exif.directories.items() for tag, value in directory.items()]
    removed: dict[str, list[int]] = {name: [] for name in exif.directories}
    names = []
    for length, name, tag in sorted(entries, reverse=True):
        if excess <= 0:
            break
        excess -= 12 + length
        removed[name].append(tag)
        names.append(f"EXIF {_NAMES.get(tag, f'tag 0x{tag:04x}')} (no room)")
    for name, tags in removed.items():
        exif = exif.without(name, tags)
    return exif, names


def lay_out(exif: Exif, start: int, *, embedded: bool = False, form: Form = CLASSIC) -> Block:
    """Lay out the directories from the offset `start` on, `embedded` without IFD0; the maker note stays at its offset if it can."""
    tables = _tables(exif, embedded, form)
    note = exif.directories.get("exif", {}).get(MAKER_NOTE)
    length = len(note.data) if note else 0
    at = exif.note_offset if length > form.room else None
    wall = at if at is not None and start <= at <= _FARTHEST_NOTE else None
    space = _Space(start, wall, length)
    block = Block(start, note_moved=at is not None and wall is None)
    for name, table in tables.items():
        block.offsets[name] = space.reserve(form.length(len(table)))
    for name, (parent, tag) in _PARENTS.items():
        if name in tables and parent in tables:
            tables[parent][tag] = _pointer(exif.order, form, block.offsets[name])
    for name, table in tables.items():
        entries = b""
        for tag, (kind, data) in sorted(table.items()):
            content = data.ljust(form.room, b"\0")
            if len(data) > form.room:
                offset = wall if wall is not None and (name, tag) == ("exif", MAKER_NOTE) else space.reserve(len(data))
                _put(block, offset, data)
                content = struct.pack(exif.order + form.offset, offset)
            entries += struct.pack(exif.order + form.entry, tag, kind, len(data) // SIZES[kind]) + content
        _put(block, block.offsets[name], struct.pack(exif.order + form.number, len(table)) + entries + bytes(form.room))
    return block


def _pointer(order: str, form: Form, offset: int) -> Value:
    return Value(_LONG if form.room == 4 else _LONG_8, struct.pack(order + form.offset, offset))


def _tables(exif: Exif, embedded: bool, form: Form) -> dict[str, Directory]:
    """Return the directories to write, each after its parent, with room for the pointers to the others."""
    tables = {name: dict(exif.directories.get(name, {})) for name in ("image", *_PARENTS)}
    for name in ("interop", "exif", "gps"):
        if tables[name]:
            parent, tag = _PARENTS[name]
            tables[parent][tag] = _pointer(exif.order, form, 0)
    if embedded:
        del tables["image"]
    return {name: table for name, table in tables.items() if table or name == "image"}


class _Space:
    """Free space from `start` on: before the maker note, as long as something fits there, and after it."""

    def __init__(self, start: int, wall: int | None, length: int):
        self._low, self._wall = start, wall
        self._high = start if wall is None else wall + length + (wall + length) % 2

    def reserve(self, length: int) -> int:
        """Return the offset of `length` bytes that are free."""
        length += length % 2
        if self._wall is not None and self._low + length <= self._wall:
            self._low += length
            return self._low - length
        self._high += length
        return self._high - length


def _put(block: Block, offset: int, data: bytes) -> None:
    position = offset - block.start
    end = position + len(data) + len(data) % 2
    block.data.extend(bytes(max(end - len(block.data), 0)))
    block.data[position : position + len(data)] = data


def swapped(exif: Exif) -> Exif:
    """Return EXIF in the other byte order; the bytes of the maker note do not change."""
    order = ">" if exif.order == "<" else "<"
    directories = {
        name: {tag: Value(kind, _swapped(kind, data)) for tag, (kind, data) in directory.items()}
        for name, directory in exif.directories.items()
    }
    return exif._replace(order=order, directories=directories)


def _swapped(kind: int, data: bytes) -> bytes:
    size = 4 if kind in (5, 10) else SIZES[kind]
    return b"".join(data[start : start + size][::-1] for start in range(0, len(data), size)) if size > 1 else data
