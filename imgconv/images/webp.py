"""WebP: find the chunks of an image, for what libwebp and Pillow do not see: an end of zeros, and a canvas that frames leave open.

libwebp takes zeros for data of pixels, and for chunks of a kind that it does not know.
"""

from collections.abc import Iterator
from io import BytesIO
from typing import BinaryIO

from imgconv.images import damage
from imgconv.images.damage import DamageError

_FRAME, _PIXELS = b"ANMF", (b"VP8 ", b"VP8L")
_FRAME_HEAD = 16  # bytes of a frame before its chunks
_FLAGS, _HAS_ALPHA, _IS_ANIMATED = 20, 0x10, 0x02  # the place of the flags of a file, and two of them
_DISPOSES = 0x01  # the flag of a frame that is cleared before the next


def canvas(file: BinaryIO) -> tuple[int, int]:
    """Return height and width from the header of a WebP; Pillow allocates the image as soon as it opens the file."""
    head = file.read(30)
    file.seek(0)
    if head[12:16] == b"VP8X":
        return int.from_bytes(head[27:30], "little") + 1, int.from_bytes(head[24:27], "little") + 1
    lossless = head[12:16] == b"VP8L"
    bits = int.from_bytes(head[21:25] if lossless else head[26:30], "little")
    return ((bits >> 14) & 0x3FFF) + 1 if lossless else (bits >> 16) & 0x3FFF, (bits & 0x3FFF) + lossless


def with_open_canvas(file: BinaryIO, height: int, width: int) -> BinaryIO:
    """Return a file that says that it has alpha if its frames leave a part of the canvas open; Pillow drops alpha of which none is said."""
    head = file.read(30)
    file.seek(0)
    if head[12:16] != b"VP8X" or head[_FLAGS] & _HAS_ALPHA or not head[_FLAGS] & _IS_ANIMATED:
        return file
    data = file.read()
    file.seek(0)
    left_open: tuple[int, ...] = 0, 0, width, height  # left, top, right and bottom of what a frame has to cover
    for name, start, stop in _chunks(data, 12, len(data)):
        if name != _FRAME or stop < start + _FRAME_HEAD:
            continue
        x, y, across, down = (int.from_bytes(data[start + 3 * n : start + 3 * n + 3], "little") for n in range(4))
        frame = 2 * x, 2 * y, 2 * x + across + 1, 2 * y + down + 1
        if left_open and not _contains(frame, left_open):
            return BytesIO(data[:_FLAGS] + bytes([data[_FLAGS] | _HAS_ALPHA]) + data[_FLAGS + 1 :])
        left_open = frame if data[start + _FRAME_HEAD - 1] & _DISPOSES else ()
    return file


def _contains(frame: tuple[int, ...], part: tuple[int, ...]) -> bool:
    return frame[0] <= part[0] and frame[1] <= part[1] and frame[2] >= part[2] and frame[3] >= part[3]


def with_other_end(data: bytes) -> bytes | None:
    """Return a file whose last frame decodes to other pixels if it is whole, as `damage.with_other_end` does.

    Raises DamageError for zeros in place of a chunk.
    """
    pixels = 0, 0
    for name, start, stop in _chunks(data, 12, min(len(data), 8 + int.from_bytes(data[4:8], "little"))):
        if name == bytes(4):
            raise DamageError("zeros take the place of a part of its data")
        if name in _PIXELS:
            pixels = start, stop
    return damage.with_other_end(data, *pixels)


def _chunks(data: bytes, position: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield name, start and end of each chunk between two places, and of those in the frames of an animation."""
    while position + 8 <= end:
        name, start = data[position : position + 4], position + 8
        length = int.from_bytes(data[position + 4 : start], "little")
        stop = min(start + length, end)
        yield name, start, stop
        if name == _FRAME:
            yield from _chunks(data, start + _FRAME_HEAD, stop)
        if name == bytes(4):
            return
        position = start + length + length % 2
