"""GIF: read frames and draw them as GIF89a specifies, and write frames with their exact colours.

Pillow decodes the pixels of each frame, as a GIF of its own, and compresses them. Its frames and its writer are not used: a disposal
of the frame before holds on, colours that are transparent become opaque, images are reduced to 256 colours, equal frames are joined.
giflib is not used either: it takes codes that are not defined.
"""

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from io import BytesIO
from itertools import chain
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imgconv.errors import ImageError
from imgconv.images import plugins
from imgconv.images.animation import Canvas, Disposal, Placement, WholeUnits, always_opaque
from imgconv.images.damage import DamageError, TruncatedError, image_errors, read_exactly
from imgconv.images.decoder import Decoder, Request
from imgconv.images.metadata import pillow_info
from imgconv.images.metadata.source import from_info, orientation_of, upright
from imgconv.images.raster import DEFAULT_ENCODING, Encoding, Header, Raster

_MOST_STRAY = 1 << 16  # bytes between blocks, which other decoders skip, too
_TRAILER, _IMAGE, _EXTENSION = b";", b",", b"!"
_CONTROL, _COMMENT, _APPLICATION = b"\xf9", b"\xfe", b"\xff"
_LOOPS, _XMP, _PROFILE = (b"NETSCAPE2.0", b"ANIMEXTS1.0"), b"XMP DataXMP", b"ICCRGBG1012"
_DISPOSALS = {2: Disposal.CLEAR, 3: Disposal.RESTORE, 4: Disposal.RESTORE}  # 0 and 1 keep the frame; browsers read 4 as 3
_INTERLACED = 0x40
_TRANSPARENT = 1
_LONGEST_TEXT = 1 << 20  # bytes of a comment or XMP
_MOST_COLOURS = 256
_LONGEST_DELAY = 65535  # hundredths of a second
_STRIP = 1 << 18  # pixels
_MOST_FRAMES = 1 << 16
_MOST_BYTES, _FREE = 8, 1 << 16  # bytes for a pixel: codes of 12 bits in blocks of one byte take 3; pixels of any frame
_DESCRIPTOR = 10  # bytes before the data of a frame without a palette
_GREYS = np.arange(_MOST_COLOURS, dtype=np.uint8)[:, None].repeat(3, axis=1)


@dataclass(frozen=True)
class Frame:
    """One frame of a file: its place, palette (n, 3), transparent index, delay in milliseconds, and where its data begin."""

    place: Placement
    palette: NDArray[np.uint8]
    transparent: int | None
    duration: float
    interlaced: bool
    start: int


@dataclass
class Contents:
    """A GIF without its pixels. `whole` counts the frames whose data end in the file, `ended` means that its end mark is there."""

    size: tuple[int, int] = (0, 0)
    frames: list[Frame] = field(default_factory=list)
    whole: int = 0
    ended: bool = False
    loop: int = 1
    info: dict[str, bytes] = field(default_factory=dict)


def decoder(file: BinaryIO, request: Request) -> Decoder:
    """Return the decoder of a GIF. Raises ImageError for a damaged header or too many pixels."""
    with image_errors("damaged gif"):
        contents = read_contents(file)
        if not contents.frames:
            raise TruncatedError
        frames = contents.frames[: max(contents.whole, 1)]
        size = _canvas_size(contents.size, frames)
    places = [frame.place for frame in frames]
    request.check_size(*size)
    for place in places:
        if place.height and place.width:
            request.check_size(place.height, place.width)
    animated = len(frames) > 1
    grey = not animated and np.array_equal(frames[0].palette, _GREYS)
    alpha = not always_opaque(places, size)
    header = Header("gif", size, (1 if grey else 3) + alpha, "uint8", alpha, len(frames), animated)
    if animated:
        header = header._replace(loop=contents.loop)
    header = header._replace(description=pillow_info.description_in(contents.info))
    return Decoder(header, lambda: _frames(file, contents, header, request.salvage))


def read_contents(file: BinaryIO) -> Contents:
    """Walk a GIF from block to block; the file can be truncated. Raises ImageError for too many frames."""
    file.seek(6)
    contents = Contents()
    head = file.read(7)
    if len(head) < 7:
        return contents
    width, height = struct.unpack("<HH", head[:4])
    contents.size = height, width
    palette = _read_palette(file, head[4])
    control = b""
    stray = 0
    while stray <= _MOST_STRAY:
        kind = file.read(1)
        if kind in (_TRAILER, b""):
            contents.ended = kind == _TRAILER
            break
        if kind == _EXTENSION:
            control = _read_extension(file, contents) or control
        elif kind == _IMAGE:
            descriptor = file.read(9)
            if len(descriptor) < 9:
                return contents
            own = _read_palette(file, descriptor[8])
            if len(contents.frames) == _MOST_FRAMES:
                raise ImageError(f"a gif of more than {_MOST_FRAMES} frames is not supported; split it")
            contents.frames.append(
                _frame(descriptor, own if own is not None else _GREYS if palette is None else palette, control, file.tell())
            )
            control = b""
            file.seek(1, 1)
            contents.whole += _skip_data(file)
        else:
            stray += 1
    return contents


def encode(frames: Iterable[Raster], stream: BinaryIO, encoding: Encoding = DEFAULT_ENCODING) -> None:
    """Write one 8-bit image, grey or RGB, or several of one size as an animation.

    Raises ImageError for a frame of more than 256 colours, and for frames of different sizes; nothing is written then.

    >>> from io import BytesIO
    >>> file = BytesIO()
    >>> encode([Raster(np.zeros((2, 3, 3), np.uint8))], file)
    >>> file.getvalue()[:6]
    b'GIF89a'
    """
    remaining = iter(frames)
    first, second = next(remaining), next(remaining, None)
    palette, indices = _indexed(first.pixels)
    size = struct.pack("<HH", *first.size[::-1])
    parts = [b"GIF89a" + size + bytes([0x80 | _palette_bits(palette), 0, 0]) + _palette_bytes(palette)]
    if encoding.description:
        parts.append(b"!\xfe" + _sub_blocks(encoding.description.encode()))
    if second is None:
        parts.append(b"," + bytes(4) + size + b"\0" + _compressed(indices))
    else:
        parts += _animation(chain((first, second), remaining), size, encoding.loop)
    stream.write(b"".join([*parts, b";"]))


def _frame(descriptor: bytes, palette: NDArray[np.uint8], control: bytes, start: int) -> Frame:
    left, top, width, height, flags = struct.unpack("<HHHHB", descriptor)
    options, delay, index = struct.unpack("<BHB", control) if control else (0, 0, 0)
    transparent = index if options & _TRANSPARENT else None
    disposal = _DISPOSALS.get(options >> 2 & 7, Disposal.KEEP)
    place = Placement(left, top, width, height, transparent is None, True, disposal)
    return Frame(place, palette, transparent, delay * 10.0, bool(flags & _INTERLACED), start)


def _canvas_size(screen: tuple[int, int], frames: list[Frame]) -> tuple[int, int]:
    """Return the size of the canvas. A single image larger than its screen, or one on a screen of no size, gives its own size."""
    first = frames[0].place
    if len(frames) > 1 and all(screen):
        return screen
    return max(screen[0], first.top + first.height), max(screen[1], first.left + first.width)


def _frames(file: BinaryIO, contents: Contents, header: Header, salvage: bool) -> Iterator[Raster]:
    if not contents.ended and not salvage:
        raise ImageError(f"damaged gif: {TruncatedError()}")
    grey = header.channels < 3
    canvas = Canvas(header.size, 2 if grey else 4)
    orientation = orientation_of(contents.info)
    for number, frame in enumerate(contents.frames[: header.frames], 1):
        try:
            with image_errors("damaged gif" + (f", frame {number}" if header.animated else "")):
                pixels = canvas.show(_pixels(file, frame, grey, salvage), frame.place)
        except ImageError:
            if salvage and number > 1:
                return
            raise
        pixels = pixels if header.alpha else np.ascontiguousarray(pixels[..., :-1])
        duration = frame.duration if header.animated else None
        pixels = upright(pixels, orientation)
        yield Raster(pixels, header.alpha, from_info(contents.info, orientation, pixels.shape[:2]), duration)


def _pixels(file: BinaryIO, frame: Frame, grey: bool, salvage: bool) -> NDArray[np.uint8]:
    """Return the colours of a frame and its alpha, (H, W, 4), or grey and alpha."""
    if not frame.place.width * frame.place.height:
        return np.zeros((frame.place.height, frame.place.width, 2 if grey else 4), np.uint8)
    table = np.zeros((_MOST_COLOURS, 4), np.uint8)
    table[: len(frame.palette), :3] = frame.palette
    table[:, 3] = 255
    if frame.transparent is not None:
        table[frame.transparent] = 0
    return table[:, 2 * grey :][_indices(file, frame, salvage)]


def _indices(file: BinaryIO, frame: Frame, salvage: bool) -> NDArray[np.uint8]:
    """Return the palette index of each pixel of a frame, decoded as a GIF of its own."""
    file.seek(frame.start)
    blocks = bytearray(read_exactly(file, 1))
    while (length := file.read(1)) not in (b"", b"\0"):
        blocks += length + file.read(length[0])
        if len(blocks) > _MOST_BYTES * (frame.place.width * frame.place.height + _FREE):
            raise DamageError("more data follow than its pixels need")
    size = struct.pack("<HH", frame.place.width, frame.place.height)
    descriptor = b"," + bytes(4) + size + bytes([_INTERLACED * frame.interlaced])
    data = b"".join([b"GIF89a", size, b"\xf7\0\0", _GREYS.tobytes(), descriptor, blocks, b"\0;"])
    image = plugins.open_image(BytesIO(data), "gif")
    plugins.load(image, salvage)
    return np.asarray(image)


def _read_palette(file: BinaryIO, flags: int) -> NDArray[np.uint8] | None:
    if not flags & 0x80:
        return None
    colours = file.read(6 << (flags & 7))
    return np.frombuffer(colours[: len(colours) // 3 * 3], np.uint8).reshape(-1, 3)


def _read_extension(file: BinaryIO, contents: Contents) -> bytes | None:
    """Read an extension; return the four bytes that control the next frame, and store loops, comments, XMP and a profile in `contents`."""
    kind, length = file.read(1), file.read(1)
    first = file.read(length[0]) if length else b""
    if kind == _CONTROL:
        _skip_data(file)
        return first[:4] if len(first) >= 4 else None
    if kind == _COMMENT and first and not contents.frames:
        contents.info["comment"] = first + _read_data(file)
    elif kind == _APPLICATION and first in _LOOPS:
        data = _read_data(file)
        if data[:1] == b"\1" and len(data) >= 3:
            repetitions = int.from_bytes(data[1:3], "little")
            contents.loop = repetitions + (repetitions > 0)
    elif kind == _APPLICATION and first == _XMP:
        contents.info["xmp"] = _read_xmp(file)
    elif kind == _APPLICATION and first == _PROFILE:
        contents.info["icc_profile"] = _read_data(file)
    elif length != b"\0":
        _skip_data(file)
    return None


def _read_data(file: BinaryIO) -> bytes:
    """Return a chain of data blocks joined, up to a limit."""
    data = b""
    while (length := file.read(1)) not in (b"", b"\0"):
        block = file.read(length[0])
        data += block if len(data) < _LONGEST_TEXT else b""
    return data


def _read_xmp(file: BinaryIO) -> bytes:
    """Return XMP, which a GIF stores without blocks: the 258 bytes after it lead any reader of blocks to the end."""
    start = file.tell()
    complete = _skip_data(file)
    end = file.tell()
    file.seek(start)
    text = file.read(min(end - start, _LONGEST_TEXT))
    file.seek(end)
    return text[:-258] if complete and text.endswith(b"\0\0") else b""


def _skip_data(file: BinaryIO) -> bool:
    """Skip a chain of data blocks; return False if the file ends in it."""
    while length := file.read(1):
        if length == b"\0":
            return True
        file.seek(length[0], 1)
    return False


def _animation(frames: Iterable[Raster], size: bytes, loop: int) -> Iterator[bytes]:
    if loop != 1:  # the block counts repetitions, and a GIF plays once without it
        yield b"!\xff" + _sub_blocks(b"NETSCAPE2.0", struct.pack("<BH", 1, loop - (loop > 0)))
    delays = WholeUnits(10, _LONGEST_DELAY)
    before: NDArray[Any] | None = None
    for frame in frames:
        if struct.pack("<HH", *frame.size[::-1]) != size:
            raise ImageError("frames of an animated gif must have one size; write them as .tiff pages")
        palette, indices = _indexed(frame.pixels)
        flags, unchanged = 0, len(palette)
        if before is not None and before.shape == frame.pixels.shape and unchanged < _MOST_COLOURS:  # transparent cells compress well
            flags, palette = _TRANSPARENT, np.concatenate([palette, palette[:1]])
            indices = np.where((frame.pixels == before).all(axis=2), np.uint8(unchanged), indices)
        before = frame.pixels
        yield b"!\xf9" + _sub_blocks(struct.pack("<BHB", flags, delays.next(frame.duration), unchanged if flags else 0))
        yield b"," + bytes(4) + size + bytes([0x80 | _palette_bits(palette)]) + _palette_bytes(palette) + _compressed(indices)


def _indexed(pixels: NDArray[Any]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return the colours (n, 3) of an image, and for each pixel (H, W) the index of its colour."""
    if pixels.shape[2] == 1:
        return _GREYS, pixels[..., 0]
    table = np.zeros(1 << 24, np.uint8)  # first whether a colour occurs, then its index
    for numbers in _colour_numbers(pixels):
        table[numbers] = 1
    colours = np.flatnonzero(table)
    if len(colours) > _MOST_COLOURS:
        raise ImageError(f"gif holds {_MOST_COLOURS} colours, and this image has {len(colours)}; write .png, .tiff or .webp")
    table[colours] = np.arange(len(colours))
    palette = np.stack([colours >> 16, colours >> 8 & 255, colours & 255], axis=1).astype(np.uint8)
    return palette, np.concatenate([table[numbers] for numbers in _colour_numbers(pixels)])


def _colour_numbers(pixels: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """Yield rows in which each colour is one number, a few rows at a time."""
    step = max(1, _STRIP // pixels.shape[1])
    for first in range(0, len(pixels), step):
        wide = pixels[first : first + step].astype(np.uint32)
        yield wide[..., 0] << 16 | wide[..., 1] << 8 | wide[..., 2]


def _palette_bits(palette: NDArray[np.uint8]) -> int:
    """Return the size of a palette as a GIF stores it: 0 for 2 colours, 7 for 256."""
    return max(len(palette) - 1, 1).bit_length() - 1


def _palette_bytes(palette: NDArray[np.uint8]) -> bytes:
    return palette.tobytes().ljust(6 << _palette_bits(palette), b"\0")


def _compressed(indices: NDArray[np.uint8]) -> bytes:
    from PIL import GifImagePlugin  # needed for writing only

    return b"".join(GifImagePlugin.getdata(Image.fromarray(np.ascontiguousarray(indices)), interlace=0))[_DESCRIPTOR:]


def _sub_blocks(*data: bytes) -> bytes:
    """Return data as a chain of blocks of at most 255 bytes; each argument begins a block."""
    pieces = [each[start : start + 255] for each in data for start in range(0, len(each), 255)]
    return b"".join(bytes([len(piece)]) + piece for piece in pieces) + b"\0"
