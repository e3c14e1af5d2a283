"""PNG: decode still images and animations (APNG) of 8 and 16 bits.

Pillow decodes the pixels of each frame. It refuses long texts, has no mode for 16-bit colour, and blends frames wrongly.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from imgconv.errors import ImageError
from imgconv.images import modes, plugins
from imgconv.images.animation import Canvas, Disposal, Placement, always_opaque
from imgconv.images.damage import DamageError, TruncatedError, image_errors, read_exactly
from imgconv.images.decoder import Decoder, Request
from imgconv.images.deflate import fast_zlib
from imgconv.images.metadata import pillow_info
from imgconv.images.metadata.source import is_recipe, of_image, orientation_of, upright_raster
from imgconv.images.png import chunks as png_chunks
from imgconv.images.raster import Header, Raster
from imgconv.images.rows import RowReader

_SHORTEST = {b"cHRM": 32, b"gAMA": 4, b"sRGB": 1, b"pHYs": 9}  # bytes
_SHORT_TEXT = 1000  # bytes, which cannot inflate to more than Pillow takes
_MOST_INFLATED = 8 * png_chunks.LONGEST_TEXT  # bytes of all texts, also of those that are left out
_WITH_ALPHA = (4, 6)  # colour types
_GREY = (0, 4)
_DISPOSALS = (Disposal.KEEP, Disposal.CLEAR, Disposal.RESTORE)
_OVER = 1
_DEFAULT_DENOMINATOR = 100  # of a delay whose denominator is 0


@dataclass(frozen=True)
class _Frame:
    """A frame of an animation: its place, duration in milliseconds, and where its data are; none for the still image as a frame."""

    place: Placement
    duration: float
    data: list[tuple[int, int]] = field(default_factory=list)
    is_still: bool = False


@dataclass(frozen=True)
class _Animation:
    frames: list[_Frame]
    loop: int


def decoder(file: BinaryIO, request: Request) -> Decoder:
    """Return the decoder of a PNG. A damaged animation whose still image is whole gives that image, with a warning in the header.

    Raises ImageError for a damaged header, a file that ends too early, or too many pixels.
    """
    file.seek(0)
    with image_errors("damaged png"):
        head = png_chunks.read_head(file)
        request.check_size(*head.size)
        still, info, warning = _for_pillow(file)
    image = plugins.open_image(still, "png")
    own = {key for key in info if is_recipe(image.info.get(key))}  # which follows a description that others wrote
    image.info.update({key: value for key, value in info.items() if key not in own})
    animation = None
    if head.animated:
        try:
            animation = _read_animation(file, head, request.salvage)
        except TruncatedError:
            pass  # an error when the still image is read
        except (DamageError, struct.error) as error:
            warning = f"its animation is damaged ({error}); only its still image is used"
    with image_errors("damaged png"):
        header = _header(image, head, animation)._replace(warning=warning)
    if animation:
        return Decoder(header, lambda: _animated(file, still, image, head, animation, header, request))
    by_rows = request.by_rows and not (head.interlaced or request.salvage) and orientation_of(image.info) == 1
    rows = (lambda: [_rows(file, image, head, header)]) if by_rows else None
    return Decoder(header, lambda: _single(file, still, image, head, request), rows)


def _rows(file: BinaryIO, image: Any, head: png_chunks.Head, header: Header) -> RowReader:
    from imgconv.images.png.rows import PngRows

    with image_errors("damaged png"):
        upright = of_image(image, file, "png", 1)
        return PngRows(file, head, header, upright, lambda small, part: _pixels(small, part, False)[0])


def _header(image: Any, head: png_chunks.Head, animation: _Animation | None) -> Header:
    size = head.size[::-1] if orientation_of(image.info) > 4 else head.size
    description = pillow_info.description_in(image.info)
    alpha = head.colour_type in _WITH_ALPHA or "transparency" in image.info
    dtype = "uint16" if head.depth == 16 else "uint8"
    if not animation:
        colours = modes.layout_of(image)[0] - image.has_transparency_data if head.depth < 16 else 1 if head.colour_type in _GREY else 3
        return Header("png", size, colours + alpha, dtype, alpha, description=description)
    alpha = alpha or not always_opaque([frame.place for frame in animation.frames], head.size)
    channels = (1 if head.colour_type in _GREY else 3) + alpha
    count = len(animation.frames)
    return Header("png", size, channels, dtype, alpha, count, count > 1, animation.loop if count > 1 else 0, description)


def _single(file: BinaryIO, still: BinaryIO, image: Any, head: png_chunks.Head, request: Request) -> Iterator[Raster]:
    with image_errors("damaged png"):
        if not request.salvage:
            file.seek(0)
            png_chunks.check(file)
        pixels, alpha = _pixels(still, head, request.salvage)
        yield upright_raster(file, "png", image, pixels, alpha)


def _animated(
    file: BinaryIO, still: BinaryIO, image: Any, head: png_chunks.Head, animation: _Animation, header: Header, request: Request
) -> Iterator[Raster]:
    canvas = Canvas(head.size, (2 if head.colour_type in _GREY else 4), header.dtype)
    if not request.salvage:
        with image_errors("damaged png"):
            file.seek(0)
            png_chunks.check(file)
    for number, frame in enumerate(animation.frames, 1):
        try:
            with image_errors(f"damaged png, frame {number}"):
                source = still if frame.is_still else _still_of(file, frame)
                pixels, alpha = _pixels(source, head._replace(size=(frame.place.height, frame.place.width)), request.salvage)
                shown = canvas.show(pixels if alpha else _with_opaque(pixels), frame.place)
        except ImageError:
            if request.salvage and number > 1:
                return
            raise
        shown = shown if header.alpha else np.ascontiguousarray(shown[..., :-1])
        duration = frame.duration if header.animated else None
        yield upright_raster(file, "png", image, shown, header.alpha, duration)


def _pixels(file: BinaryIO, head: png_chunks.Head, salvage: bool) -> tuple[NDArray[Any], bool]:
    """Return the pixels of a still image as it is stored, and whether the last channel is alpha. Raises TruncatedError for missing rows."""
    if head.depth == 16 and head.colour_type != 0:
        pixels, alpha = _deep_pixels(file, head.colour_type, salvage)
        last = pixels[-1]
    else:
        image = plugins.open_image(file, "png")
        plugins.load(image, salvage)
        pixels, alpha = modes.pixels_of(image)
        last = np.asarray(image.crop((0, image.height - 1, *image.size)))
    if not salvage and (head.interlaced or not last.any()):  # rows that are missing are zero, and those of a few images
        png_chunks.check_rows(file, head)
    return pixels, alpha


def _deep_pixels(file: BinaryIO, colour_type: int, salvage: bool) -> tuple[NDArray[np.uint16], bool]:
    """Decode 16-bit samples in Pillow's 8-bit modes: grey and alpha as RGBA, colours as the high bytes and then the low bytes."""
    key = plugins.open_image(file, "png").info.get("transparency")

    def decoded(raw_mode: str) -> NDArray[Any]:
        image = plugins.open_image(file, "png")
        image.tile = [tile._replace(args=raw_mode) for tile in image.tile]  # a namedtuple's method, and public
        plugins.load(image, salvage)
        return np.asarray(image)

    if colour_type == 4:
        return decoded("RGBA").view(">u2").astype(np.uint16), True
    mode = "RGB" if colour_type == 2 else "RGBA"
    pixels = decoded(f"{mode};16B").astype(np.uint16)
    pixels <<= 8
    pixels |= decoded(f"{mode};16L")
    if key is None:
        return pixels, colour_type == 6
    pixels = _with_opaque(pixels)
    pixels[(pixels[..., :3] == key).all(axis=2), 3] = 0
    return pixels, True


def _with_opaque(pixels: NDArray[Any]) -> NDArray[Any]:
    """Return pixels with an alpha channel that is opaque everywhere."""
    return np.concatenate([pixels, np.full((*pixels.shape[:2], 1), np.iinfo(pixels.dtype).max, pixels.dtype)], axis=2)


def _read_animation(file: BinaryIO, head: png_chunks.Head, salvage: bool) -> _Animation:
    """Read and check the chunks of an animation. Raises DamageError where they contradict the specification, or data are missing."""
    count = loop = sequence = 0
    frames: list[_Frame] = []
    has_still = False
    opaque = head.colour_type not in _WITH_ALPHA
    file.seek(0)
    try:
        for name, length in png_chunks.chunks(file):
            has_still |= name == b"IDAT"
            opaque &= name != b"tRNS"
            if name not in png_chunks.ANIMATION:
                continue
            data = _checked(file, name, length)
            if name == b"acTL" and not has_still:
                count, loop = struct.unpack(">II", data)
                continue
            if struct.unpack(">I", data[:4]) != (sequence,) or name == b"acTL":
                raise DamageError("its chunks are out of order")
            sequence += 1
            if name == b"fcTL":
                frames.append(_frame(data, head.size, opaque, not has_still, first=not frames))
            elif not frames or frames[-1].is_still:
                raise DamageError("pixel data precede the frame that they belong to")
            else:
                frames[-1].data.append((file.tell() - length + 4, length - 4))
        _check_frames(file, frames, count, head)
    except TruncatedError:
        if not salvage or not frames:
            raise
    return _Animation(frames, loop)


def _checked(file: BinaryIO, name: bytes, length: int) -> bytes:
    """Return the data of a chunk of the animation. Raises DamageError for a wrong checksum."""
    data = read_exactly(file, length)
    png_chunks.check_sum(file, name, fast_zlib.crc32(data, fast_zlib.crc32(name)))
    file.seek(-4, 1)
    return data


def _frame(data: bytes, canvas: tuple[int, int], opaque: bool, is_still: bool, first: bool) -> _Frame:
    _, width, height, left, top, numerator, denominator, disposal, blending = struct.unpack(">IIIIIHHBB", data)
    if not width or not height or left + width > canvas[1] or top + height > canvas[0] or (is_still and (height, width) != canvas):
        raise DamageError(f"a frame of {width}x{height} at {left},{top} is not inside {canvas[1]}x{canvas[0]}")
    if disposal >= len(_DISPOSALS) or blending > _OVER or (is_still and not first):
        raise DamageError("a frame has an unknown disposal or blending")
    rule = Disposal.CLEAR if first and disposal == 2 else _DISPOSALS[disposal]
    place = Placement(left, top, width, height, opaque, blending == _OVER, rule)
    return _Frame(place, 1000 * numerator / (denominator or _DEFAULT_DENOMINATOR), is_still=is_still)


def _check_frames(file: BinaryIO, frames: list[_Frame], count: int, head: png_chunks.Head) -> None:
    """Raise DamageError unless there are as many frames as declared, each of them whole."""
    if len(frames) != count or not count:
        raise DamageError(f"{count} frames are declared, but {len(frames)} are present")
    for number, frame in enumerate(frames, 1):
        needed = head._replace(size=(frame.place.height, frame.place.width)).length
        try:
            if not frame.is_still:
                png_chunks.check_length(_data_of(file, frame), needed)
        except TruncatedError as error:
            raise DamageError(f"frame {number} is incomplete") from error


def _data_of(file: BinaryIO, frame: _Frame) -> Iterator[bytes]:
    for start, length in frame.data:
        file.seek(start)
        yield read_exactly(file, length)


def _still_of(file: BinaryIO, frame: _Frame) -> BinaryIO:
    """Return a frame as a PNG of its own."""
    still = BytesIO()
    still.write(png_chunks.SIGNATURE)
    file.seek(0)
    for name, length in png_chunks.chunks(file):
        if name == b"IHDR":
            data = read_exactly(file, length)
            png_chunks.write_chunk(still, name, struct.pack(">II", frame.place.width, frame.place.height) + data[8:])
        elif name in (b"PLTE", b"tRNS"):
            png_chunks.write_chunk(still, name, read_exactly(file, length))
        elif name == b"IDAT":
            break
    for data in _data_of(file, frame):
        png_chunks.write_chunk(still, b"IDAT", data)
    png_chunks.write_chunk(still, b"IEND")
    return still


def _for_pillow(file: BinaryIO) -> tuple[BinaryIO, dict[str, Any], str | None]:
    """Return a file without the chunks that Pillow refuses or draws wrongly, the metadata that it does not read, and a warning, if any.

    The file itself is returned if it has none of those chunks. It can be truncated.
    """
    metadata = _Metadata()
    parts: list[tuple[int, int]] = []  # start and length of the chunks that stay
    dropped, end = False, 8
    file.seek(0)
    try:
        for name, length in png_chunks.chunks(file):
            start = file.tell() - 8
            if name in png_chunks.ANIMATION or not metadata.suits_pillow(file, name, length):
                dropped = True
            else:
                parts.append((start, 12 + length))
            end = start + 12 + length
    except TruncatedError:
        parts.append((end, -1))
    if not dropped:
        return file, metadata.info, metadata.warning
    still = BytesIO()
    still.write(png_chunks.SIGNATURE)
    for start, length in parts:
        file.seek(start)
        still.write(file.read(length))
    return still, metadata.info, metadata.warning


class _Metadata:
    """Metadata in chunks that Pillow refuses, or does not read since they follow the pixels."""

    def __init__(self) -> None:
        self.info: dict[str, Any] = {}
        self.warning: str | None = None
        self._total = self._inflated = 0
        self._after_pixels = False

    def suits_pillow(self, file: BinaryIO, name: bytes, length: int) -> bool:
        """Read a chunk, where that is needed, and return whether Pillow takes it."""
        self._after_pixels |= name == b"IDAT"
        if length < _SHORTEST.get(name, 0):
            self.warning = f"the {name.decode()} chunk is damaged, and is left out"
            return False
        if name == b"eXIf" and self._after_pixels and length <= png_chunks.LONGEST_TEXT:
            self.info["exif"] = b"Exif\0\0" + read_exactly(file, length)
        if name not in png_chunks.TEXTS or (length <= _SHORT_TEXT and name not in png_chunks.PACKED and not self._after_pixels):
            return True
        chunk = read_exactly(file, min(length, png_chunks.LONGEST_TEXT + 1))
        text, size = png_chunks.entry_of(name, chunk) if self._inflated <= _MOST_INFLATED else ({}, 0)
        self._inflated += size
        self._total += sum(map(len, text.values()))
        if text and self._total <= png_chunks.LONGEST_TEXT:
            self.info |= text
        else:
            self.warning = f"a text or profile that is damaged or longer than {png_chunks.LONGEST_TEXT >> 20} MB is left out"
        return bool(text) and length <= _SHORT_TEXT
