"""JPEG: find the scans of an image and its end, so that an incomplete image is an error.

libjpeg fills missing rows with grey, and after an end mark it does not report that they are missing.
"""

import re
from collections.abc import Callable, Iterator
from io import BytesIO
from itertools import islice
from math import ceil
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from imgconv.errors import ImageError
from imgconv.images.damage import DamageError, TruncatedError

END = b"\xff\xd9"
_PREVIEWS = b"MPF\0"  # marks a JPEG that declares further images of the same scene
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL)  # not what is in a scan: a stuffed byte, a restart, another FF
_ALONE = (0x01, *range(0xD0, 0xD9))  # markers without a segment
_FRAMES = (*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0))
PILLOWS = (0xC0, 0xC1, 0xC2, 0xC9, 0xCA)  # frames that Pillow decodes: baseline, extended, progressive; the last two with arithmetic codes
LOSSLESS, JPEG_LS = 0xC3, 0xF7
_HUFFMAN = (0xC0, 0xC1, 0xC2, 0xC3)
_PROGRESSIVE = (0xC2, 0xCA)
_LOSSLESS = (0xC3, 0xC7, 0xCB, 0xCF)
_TABLES, _SCAN, _END, _INTERVAL, _APP1 = 0xC4, 0xDA, 0xD9, 0xDD, 0xE1
_RESTART = re.compile(rb"\xff([\xd0-\xd7])")
_ZEROS = 0xF0  # the symbol of 16 coefficients that are 0; others without a value end a block
_LAST_COEFFICIENT = 63
_MOST_SEGMENTS, _MOST_EXIF = 1 << 14, 64  # before the first scan; bytes that fill up the space before a marker count as segments
_BLOCK, _FEW = 64, 24  # coefficients of a block, and those of 8 codes that fill it slowly
_USUAL = 0x6F  # the byte that fills blocks slowly with the tables that most encoders use
_AHEAD = 8  # bytes that libjpeg reads beyond the code that it decodes
_OTHER_DATA = bytes(range(170, 255)) * 120  # other codes than the zeros that libjpeg fills in, whatever code a cut leaves incomplete
_MOST_UNUSED = 64  # bytes after the last pixel; some cameras write a few
_HOLE = bytes(64)  # a part of a sector of a disk, which is zeros where a file was not written or not downloaded
_PILLOWS_BLOCK = 1 << 16  # bytes of a block of data that Pillow reads, which is longer than any segment
# Zeros that an encoder of arithmetic codes leaves out at the end, and a decoder fills in. Of 342 photographs and drawings with an even end
# one needs more than 11 (2026-11); of 830 of them that were cut and closed 4 % need no more.
_DROPPED = 11
_OTHER_STRIP = bytes((37 * i + 240) % 251 for i in range(512))


class Scan(NamedTuple):
    """One scan: its components, its coefficients, the bit with which they end (0: all bits are there), and where its data are.

    `no_zeros` means that an encoder never writes many bytes of 0 in a row: with the scan's Huffman tables, they are blocks that are full of
    coefficients, and not an even area. `restarts` is the number of restart marks that its pixels need, None without an interval.
    """

    components: tuple[int, ...]
    coefficients: range
    low_bit: int
    start: int
    end: int
    no_zeros: bool = False
    restarts: int | None = None


class Structure(NamedTuple):
    """The parts of a JPEG: the marker of its frame, bits of a sample, components, scans, where the image ends, and its Huffman tables."""

    frame: int
    bits: int
    components: tuple[int, ...]
    scans: tuple[Scan, ...]
    end: int
    tables: tuple[bytes, ...] = ()

    @property
    def one_scan(self) -> bool:
        """Whether the first scan holds the whole image."""
        return self.frame not in _PROGRESSIVE and bool(self.scans) and len(self.scans[0].components) == len(self.components)

    def is_closed(self, data: bytes) -> bool:
        """Return whether the end mark is there; some cameras leave it out, and write other data after the image."""
        return data.startswith(END, self.end - len(END))

    def check_scans(self) -> None:
        """Raise TruncatedError if scans are missing: components, coefficients, or their last bits."""
        final = {(c, k) for scan in self.scans if not scan.low_bit for c in scan.components for k in scan.coefficients}
        needed = range(_LAST_COEFFICIENT + 1) if self.frame in _PROGRESSIVE else range(1)
        if any((component, k) not in final for component in self.components for k in needed):
            raise TruncatedError

    def check_holes(self, data: bytes) -> None:
        """Raise DamageError for zeros inside a scan that its encoder cannot have written."""
        if any(scan.no_zeros and data.find(_HOLE, scan.start, _end_before_zeros(data, scan)) >= 0 for scan in self.scans):
            raise DamageError("zeros take the place of a part of its data")

    def check_restarts(self, data: bytes) -> None:
        """Raise DamageError for a scan that lacks a part between two restart marks: libjpeg puts other parts in its place.

        Some encoders write a mark after the last part, too.
        """
        for scan in self.scans:
            marks = [mark[0] & 7 for mark in _RESTART.findall(data, scan.start, scan.end)] if scan.restarts is not None else []
            if scan.restarts is not None and (marks != [i % 8 for i in range(len(marks))] or len(marks) - scan.restarts not in (0, 1)):
                raise DamageError("restart marks are missing, or in another order")


def read_structure(data: bytes) -> Structure:
    """Walk the markers of a JPEG up to its end mark, or to the end of the data. Raises DamageError where there is no image."""
    frame, bits, interval = 0, 8, 0
    header = b""
    components: tuple[int, ...] = ()
    scans: list[Scan] = []
    tables: list[bytes] = []
    zero_symbols: dict[int, int] = {}
    position = 2
    while (position := _next_marker(data, position)) < len(data) - 1:
        marker, position = data[position + 1], position + 2
        if marker == _END:
            break
        if marker in _ALONE:
            continue
        length = int.from_bytes(data[position : position + 2], "big")
        segment = data[position + 2 : position + length]
        position += max(length, 2)
        if marker in _FRAMES and not components and len(segment) >= 6:
            frame, bits, header, components = marker, segment[0], segment, tuple(segment[6::3])
        elif marker == _INTERVAL:
            interval = int.from_bytes(segment[:2], "big")
        elif marker == _TABLES:
            tables.append(segment)
            zero_symbols.update(_symbols_of_zeros(segment))
        elif marker == _SCAN and segment:
            start, position = position, _next_marker(data, position)
            end = start + len(data[start:position].rstrip(b"\xff"))  # without bytes that fill up the space before a marker
            scan = _scan(segment, frame, start, end, zero_symbols)
            scans.append(scan._replace(restarts=_restarts(header, frame, scan.components, interval)))
            if frame not in _PROGRESSIVE and len(scans[-1].components) == len(components):
                position += 2 * data.startswith(END, position)
                break
    if not components:
        raise DamageError("the header of the image is missing")
    return Structure(frame, bits, components, tuple(scans), position, tuple(tables))


class WholeFile(BytesIO):
    """A file of which Pillow gets everything where it reads a block of data: libjpeg waits for no further block of arithmetic codes."""

    def read(self, size: int | None = -1, /) -> bytes:
        """Read some bytes of the header, or all that follow."""
        return super().read(size if size is not None and size < _PILLOWS_BLOCK else -1)


class StrictFile(WholeFile):
    """A file that libjpeg decodes to the end only if all rows are there; one of several scans needs `with_other_end` too.

    With `padded`, zeros at the end of the only scan are left out. Raises TruncatedError if scans are missing.
    """

    def __init__(self, data: bytes, structure: Structure, *, padded: bool = False):
        structure.check_scans()
        structure.check_holes(data)
        first, last = structure.scans[0], structure.scans[-1]
        self._last_part = 0
        if structure.one_scan and structure.frame in _HUFFMAN:
            end = _end_before_zeros(data, first) if padded else first.end
            self._last_part = max(first.start, end - _MOST_UNUSED)
            super().__init__(data[:end] + _unending(structure.tables))  # without an end mark, at which libjpeg would fill the rest
        else:
            super().__init__(data[: last.end] + END)

    def read(self, size: int | None = -1, /) -> bytes:
        """Read on; the last part of the scan needs a call of its own."""
        room = self._last_part - self.tell()
        if not self._last_part:
            return super().read(size)
        return BytesIO.read(self, room if room > 0 and (size is None or not 0 <= size <= room) else size)

    @property
    def has_unused(self) -> bool:
        """Whether the decoder had all pixels before the last part of the scan, as where other data replace the end of an image."""
        return self.tell() <= self._last_part


def with_other_end(data: bytes, structure: Structure) -> WholeFile | None:
    """Return a file that decodes to the same pixels only if the last scan is whole; None where a StrictFile is enough.

    It is not enough for several scans, and for an image whose last bytes can be missing too: one without its end mark, or whose last bit is
    0, as in every second place where a scan can be cut. Encoders fill the last byte with ones, so that one in eight whole scans ends so.
    """
    last = structure.scans[-1]
    if structure.one_scan and structure.frame in _HUFFMAN and structure.is_closed(data) and data[last.end - 1] & 1:
        return None
    is_padded = structure.frame in _PROGRESSIVE or structure.frame not in _HUFFMAN
    end = _end_before_zeros(data, last) if is_padded else last.end
    dropped = b"" if structure.frame in _HUFFMAN else bytes(_DROPPED)
    return WholeFile(data[:end] + dropped + _OTHER_DATA + END)


def _unending(tables: tuple[bytes, ...]) -> bytes:
    """Return the bytes that follow a scan, with which libjpeg hardly ends a block that the scan itself does not end.

    They are one byte again and again: the first one that fills blocks slowly from any of its bits on, else the slowest. Where each of
    them ends blocks at once they are ones, which are not a code.
    """
    codes = [codes for segment in tables for codes in _coefficient_codes(segment)]
    fewest, best = _BLOCK * 8 * len(codes), b"\xff\0"
    for byte in (_USUAL, *range(1, 255)):
        bits = byte * 0x10101  # those of the longest code, and of 8 places
        filled = sum(_coefficients(table, bits >> 8 - place) for table in codes for place in range(8))
        if filled < fewest:
            fewest, best = filled, bytes([byte])
        if filled <= _FEW * len(codes):
            break
    return best * _AHEAD


def _coefficient_codes(segment: bytes) -> Iterator[dict[tuple[int, int], int]]:
    """Yield the Huffman codes, as (bits, code) -> symbol, of the tables in a segment that are those of coefficients but the first."""
    while len(segment) > 16:
        kind, counts, symbols = segment[0], segment[1:17], iter(segment[17:])
        codes, code = {}, 0
        for length, count in enumerate(counts, 1):
            for symbol in islice(symbols, count):
                codes[length, code] = symbol
                code += 1
            code <<= 1
        if kind >> 4:
            yield codes
        segment = segment[17 + sum(counts) :]


def _coefficients(codes: dict[tuple[int, int], int], bits: int) -> int:
    """Return how many coefficients of a block the code gives with which the last 16 of `bits` begin; all if it ends the block.

    libjpeg takes an invalid code for the end of the block.
    """
    for length in range(1, 17):
        symbol = codes.get((length, bits >> 16 - length & (1 << length) - 1))
        if symbol is not None:
            return (symbol >> 4) + 1 if symbol & 15 or symbol == _ZEROS else _BLOCK
    return _BLOCK


def _end_before_zeros(data: bytes, scan: Scan) -> int:
    """Return the end of a scan without the surplus zeros after it, which are more than codes can end with."""
    end = scan.start + len(data[scan.start : scan.end].rstrip(b"\0"))
    return end if scan.end - end > _MOST_UNUSED else scan.end


def check_complete(data: bytes, pixels: NDArray[Any], decode: Callable[[bytes], NDArray[Any]], tables: bytes | None = None) -> None:
    """Raise TruncatedError unless `decode` returns the same `pixels` for a JPEG inside a TIFF when other bytes follow its data.

    Zeros at its end are data, as those of an even area can be, unless the last ones make no difference. Raises DamageError for zeros that
    take the place of data before its end. `tables` is a JPEG that holds the tables of `data`.
    """
    whole = tables.removesuffix(END) + data[2:] if tables else data
    structure = _structure_in_tiff(whole) if _HOLE in data or bytes((0xFF, _INTERVAL)) in whole else None
    if structure:
        structure.check_holes(whole)
    end = data.rfind(END)
    body = data[:end] if end > 0 else data

    def needs_no_more(part: bytes) -> bool:
        part = part.removesuffix(b"\xff")  # of a stuffed byte
        return np.array_equal(decode(part + _OTHER_STRIP + END), pixels)

    if body.endswith(bytes(_MOST_UNUSED)) and needs_no_more(body[:-2]):
        body = body.rstrip(b"\0")
    if not needs_no_more(body):
        raise TruncatedError
    if structure:
        structure.check_restarts(whole)


def _structure_in_tiff(data: bytes) -> Structure | None:
    """Return the structure of a JPEG; None for the old kind in a TIFF, whose header is elsewhere."""
    try:
        return read_structure(data)
    except DamageError:
        return None


def frame_header(file: BinaryIO) -> tuple[int, int, int] | None:
    """Return the position of the marker that begins the frame of a JPEG, the marker, and the bits of a sample; None without one.

    Raises DamageError where more segments precede the first scan than Pillow reads in a second: it takes time for each of them, and joins
    all those of EXIF whenever another one comes.
    """
    header = None
    many = exif = 0
    file.seek(2)
    while len(head := file.read(10)) > 4 and head[0] == 0xFF and head[1] not in (_SCAN, _END):
        many, exif = many + 1, exif + (head[1] == _APP1 and head[4:] == b"Exif\0\0")
        if many > _MOST_SEGMENTS or exif > _MOST_EXIF:
            raise DamageError(f"more than {_MOST_SEGMENTS} segments, or {_MOST_EXIF} of EXIF, precede the image")
        position = file.tell() - len(head)
        if head[1] in (*_FRAMES, JPEG_LS) and header is None:
            header = position, head[1], head[4]
        file.seek(position + (1 if head[1] == 0xFF else 2 if head[1] in _ALONE else 2 + int.from_bytes(head[2:4], "big")))
    return header


def size_in(file: BinaryIO, frame: int) -> tuple[int, int]:
    """Return height and width of the frame header at `frame`; a height of 0 follows the pixels."""
    file.seek(frame + 5)
    return int.from_bytes(file.read(2), "big"), int.from_bytes(file.read(2), "big")


def check_one_image(data: bytes) -> None:
    """Raise ImageError for the bytes of several JPEG images in a row. A preview or trailer after an image is not another image."""
    end = read_structure(data).end
    if _PREVIEWS not in data and data[end:].lstrip(b"\0").startswith(b"\xff\xd8\xff"):
        raise ImageError("a stream cannot hold several jpeg images; send them as png or ppm, for example with ffmpeg's -c:v ppm")


def _restarts(header: bytes, frame: int, components: tuple[int, ...], interval: int) -> int | None:
    """Return the number of restart marks in a scan with these components, one after each `interval` of its units."""
    height, width = int.from_bytes(header[1:3], "big"), int.from_bytes(header[3:5], "big")
    steps = {header[at]: (header[at + 1] & 15, header[at + 1] >> 4) for at in range(6, len(header) - 2, 3)}
    if not interval or not height or not components or any(0 in steps.get(each, (0, 0)) for each in components):
        return None
    most = [max(step[axis] for step in steps.values()) for axis in (0, 1)]
    block = 1 if frame in _LOSSLESS else 8
    if len(components) > 1:  # a unit has the blocks of all components
        units = [ceil(size / (block * step)) for size, step in zip((height, width), most, strict=True)]
    else:
        own = steps[components[0]]
        units = [ceil(ceil(size * each / step) / block) for size, each, step in zip((height, width), own, most, strict=True)]
    return ceil(units[0] * units[1] / interval) - 1


def _next_marker(data: bytes, start: int) -> int:
    """Return the position of the next marker that is not part of a scan, or of the end of the data."""
    found = _MARKER.search(data, start)
    return found.start() if found else len(data)


def _symbols_of_zeros(segment: bytes) -> Iterator[tuple[int, int]]:
    """Yield kind and number of each Huffman table in a segment, and the symbol whose code is zeros, which is its first one."""
    while len(segment) > 17:
        yield segment[0], segment[17]
        segment = segment[17 + sum(segment[1:17]) :]


def _scan(segment: bytes, frame: int, start: int, end: int, zero_symbols: dict[int, int]) -> Scan:
    """Return the scan with the header `segment`; `zero_symbols` are those of the Huffman tables by kind and number."""
    count = segment[0]
    spectral = segment[1 + 2 * count : 4 + 2 * count]
    if len(spectral) < 3:
        raise TruncatedError
    components = tuple(segment[1 : 1 + 2 * count : 2])
    symbols = [zero_symbols.get(0x10 | selected & 15, 0) for selected in segment[2 : 2 + 2 * count : 2]]  # of tables of coefficients
    no_zeros = any(symbol & 15 or symbol == _ZEROS for symbol in symbols)
    if frame not in _PROGRESSIVE:
        return Scan(components, range(_LAST_COEFFICIENT + 1), 0, start, end, no_zeros)
    return Scan(components, range(spectral[0], spectral[1] + 1), spectral[2] & 15, start, end, no_zeros and spectral[0] > 0)
