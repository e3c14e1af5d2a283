"""The chunks of PNG files: their order, checksums and lengths, which Pillow does not check all."""

import struct
import zlib
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO, NamedTuple

from imgconv.images.damage import DamageError, TruncatedError, read_exactly
from imgconv.images.deflate import fast_zlib

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_BLOCK = 1 << 20  # bytes that are read at a time
SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # colour type -> samples of a pixel
_PASSES = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))  # y, x, and steps
_PIXELS, _SMALL, _MOST_SMALL = (b"IDAT", b"fdAT"), 1 << 10, 1 << 16  # each chunk takes time, here and in Pillow
TEXTS, PACKED = (b"tEXt", b"zTXt", b"iTXt", b"iCCP"), (b"zTXt", b"iCCP")  # chunks of texts and profiles, and those that are deflated
_XMP = "XML:com.adobe.xmp"
LONGEST_TEXT = 8 << 20  # bytes after inflating
ANIMATION = (b"acTL", b"fcTL", b"fdAT")  # chunks that a still image lacks


def chunks(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """Yield the name and length of each chunk, with the file positioned at its data, which the caller can leave unread.

    Raises DamageError without a signature and for many thousands of small chunks, TruncatedError for a file that ends before its last
    chunk.
    """
    if file.read(8) != SIGNATURE:
        raise DamageError("the signature is missing")
    name, small = b"", 0
    while name != b"IEND":
        head = file.read(8)
        if len(head) < 8:
            raise TruncatedError
        length, name = struct.unpack(">I4s", head)
        small += length < _SMALL or name not in _PIXELS
        if small > _MOST_SMALL:
            raise DamageError(f"more than {_MOST_SMALL} of its chunks are small, or are not pixels")
        start = file.tell()
        yield name, length
        file.seek(start + length + 4)


class Head(NamedTuple):
    """The header of a PNG: size (H, W) as stored, bits per sample, colour type (2 is RGB, 4 grey and alpha, ...), and its interlacing.

    `animated` means that a chunk before the pixels declares an animation, of `frames`.
    """

    size: tuple[int, int]
    depth: int
    colour_type: int
    interlaced: bool = False
    animated: bool = False
    frames: int = 1

    @property
    def length(self) -> int:
        """Bytes of all rows before they are deflated, each with its filter byte."""
        height, width = self.size
        bits = self.depth * SAMPLES.get(self.colour_type, 1)
        steps = _PASSES if self.interlaced else ((0, 0, 1, 1),)
        parts = [(-(-(height - y) // down), -(-(width - x) // right)) for y, x, down, right in steps]
        return sum(rows * (1 + -(-columns * bits // 8)) for rows, columns in parts if rows > 0 < columns)


def read_head(file: BinaryIO) -> Head:
    """Read the chunks before the pixels. Raises DamageError where they are invalid."""
    head = None
    for name, length in chunks(file):
        if head is None:
            if name != b"IHDR" or length != 13:
                raise DamageError("the first chunk is not IHDR")
            width, height, depth, colour_type, _, _, interlaced = struct.unpack(">IIBBBBB", read_exactly(file, 13))
            head = Head((height, width), depth, colour_type, bool(interlaced))
        elif name == b"acTL":
            head = head._replace(animated=True, frames=int.from_bytes(file.read(min(length, 4)), "big") or 1)
        elif name in (b"IDAT", b"IEND"):
            break
    if head is None:
        raise DamageError("the header is missing")
    return head


def check(file: BinaryIO) -> None:
    """Raise DamageError unless every chunk of the still image is whole and matches its checksum, up to the end of the file."""
    for name, length in chunks(file):
        if name not in ANIMATION:
            checksum = fast_zlib.crc32(name)
            for block in _blocks(file, length):
                checksum = fast_zlib.crc32(block, checksum)
            check_sum(file, name, checksum)


def check_sum(file: BinaryIO, name: bytes, checksum: int) -> None:
    """Raise DamageError unless the checksum at the position of the file is the one of the chunk before it."""
    if checksum != int.from_bytes(read_exactly(file, 4), "big"):
        raise DamageError(f"the checksum of the {name.decode('ascii', 'replace')} chunk is wrong")


def check_rows(file: BinaryIO, head: Head) -> None:
    """Raise TruncatedError if the data of the pixels end before the last row, which Pillow does not check."""
    file.seek(0)
    data = (block for name, length in chunks(file) if name == b"IDAT" for block in _blocks(file, length))
    check_length(data, head.length)


def check_length(blocks: Iterable[bytes], needed: int) -> None:
    """Raise DamageError if the blocks of a zlib stream do not inflate to the bytes that are needed. Memory is bounded."""
    inflate = zlib.decompressobj()
    try:
        for block in blocks:
            while block and needed > 0 and not inflate.eof:
                needed -= len(inflate.decompress(block, _BLOCK))
                block = inflate.unconsumed_tail
        while needed > 0 and (rest := inflate.decompress(b"", _BLOCK)):
            needed -= len(rest)
    except zlib.error as error:
        raise DamageError("the compressed data are damaged") from error
    if needed > 0:
        raise TruncatedError


def entry_of(name: bytes, chunk: bytes) -> tuple[dict[str, Any], int]:
    """Return the entry of Pillow's `info` for a text or an ICC profile, none if it is invalid or longer than a limit, and its bytes."""
    keyword, _, rest = chunk.partition(b"\0")
    packed = name in PACKED
    if name == b"iTXt":
        packed = rest[:1] == b"\1"
        rest = rest[2:].partition(b"\0")[2].partition(b"\0")[2]
    elif packed and rest[:1] != b"\0":
        return {}, len(chunk)
    elif packed:
        rest = rest[1:]
    try:
        text = zlib.decompressobj().decompress(rest, LONGEST_TEXT + 1) if packed else rest
    except zlib.error:
        return {}, len(chunk)
    if len(text) > LONGEST_TEXT:
        return {}, len(text)
    if name == b"iCCP":
        return {"icc_profile": text}, len(text)
    key = keyword.decode("latin-1")
    decoded = text.decode("utf-8" if name == b"iTXt" else "latin-1", "replace")
    return {key: decoded, **({"xmp": text} if key == _XMP else {})}, len(text)


def write_chunk(stream: BinaryIO, name: bytes, data: bytes | memoryview = b"") -> None:
    """Write a chunk with its length and checksum."""
    stream.write(struct.pack(">I4s", len(data), name))
    stream.write(data)
    stream.write(struct.pack(">I", fast_zlib.crc32(data, fast_zlib.crc32(name))))


def _blocks(file: BinaryIO, length: int) -> Iterator[bytes]:
    """Yield `length` bytes of a file a block at a time. Raises TruncatedError where they are missing."""
    while length:
        block = file.read(min(length, _BLOCK))
        if not block:
            raise TruncatedError
        yield block
        length -= len(block)
