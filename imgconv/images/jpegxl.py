"""JPEG XL: read the header from its bits, decode and encode with libjxl (imagecodecs); EXIF and XMP are in boxes of their own."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np

from imgconv.errors import ImageError
from imgconv.images import boxes, metadata, modes
from imgconv.images import exif as exif_of
from imgconv.images.damage import DamageError, image_errors
from imgconv.images.decoder import Decoder, Request
from imgconv.images.raster import DEFAULT_ENCODING, Encoding, Header, Metadata, Raster

_CODESTREAM = b"\xff\x0a"
_LONGEST_HEADER = 1 << 12  # bytes
_RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))  # width to height
_GREY = 1
_ALPHA = 0
_METADATA = {"Exif": ("exif", 4), "xml ": ("xmp", 0)}  # box -> entry of Pillow's `info`, and bytes before the data
_DROPPED = {"jumb": "C2PA manifest", "jhgm": "gain map"}
_LONGEST_BOX = 1 << 24  # bytes
_SIDE = ((9, 1), (13, 1), (18, 1), (30, 1))  # bits and offset of a size


@dataclass(frozen=True)
class Layout:
    """The contents of the header of a codestream; `bits` is 0 for floats."""

    size: tuple[int, int]
    bits: int = 8
    grey: bool = False
    alpha: bool = False
    orientation: int = 1
    has_profile: bool = False

    @property
    def dtype(self) -> str:
        """The dtype of the pixels."""
        return "float32" if not self.bits else "uint8" if self.bits <= 8 else "uint16"


class _Bits:
    """The bits of a codestream, the lowest one of each byte first."""

    def __init__(self, data: bytes):
        self._number, self._left = int.from_bytes(data, "little"), 8 * len(data)

    def read(self, count: int) -> int:
        if count > self._left:
            raise DamageError("the header ends too early")
        value = self._number & ((1 << count) - 1)
        self._number >>= count
        self._left -= count
        return value

    def choice(self, *options: int | tuple[int, int]) -> int:
        """Read two bits that choose a value, or a number of bits to read and an offset to add."""
        option = options[self.read(2)]
        return option if isinstance(option, int) else self.read(option[0]) + option[1]


def decoder(file: BinaryIO, request: Request) -> Decoder:
    """Return the decoder of a JPEG XL. Raises ImageError for a damaged header, too many pixels, and what is not supported."""
    with image_errors("damaged jpegxl"):
        layout = read_layout(file)
        request.check_size(*layout.size)
        described = _metadata(file, layout)
    size = layout.size[::-1] if layout.orientation > 4 else layout.size
    header = Header("jpegxl", size, (1 if layout.grey else 3) + layout.alpha, layout.dtype, layout.alpha)

    def frames() -> Iterator[Raster]:
        import imagecodecs

        file.seek(0)
        with image_errors("damaged jpegxl"):
            pixels = imagecodecs.jpegxl_decode(file.read()).reshape(*size, header.channels)  # upright
            if layout.bits:
                pixels = modes.white_is_white(pixels, layout.bits)
            yield Raster(np.ascontiguousarray(pixels, layout.dtype), layout.alpha, described)

    return Decoder(header, frames)


def encode(frames: Iterable[Raster], stream: BinaryIO, encoding: Encoding = DEFAULT_ENCODING) -> None:
    """Write one image of 8 or 16 bits, without loss unless the quality is below 100, with EXIF and XMP.

    >>> import io
    >>> file = io.BytesIO()
    >>> encode([Raster(np.zeros((2, 3, 3), np.uint8))], file)
    >>> file.getvalue()[4:8]
    b'JXL '
    """
    import imagecodecs

    (raster,) = frames
    pixels = raster.pixels[..., 0] if raster.channels == 1 else raster.pixels
    loss = {"lossless": True} if encoding.quality in (None, 100) else {"distance": _distance(encoding.quality)}
    stream.write(imagecodecs.jpegxl_encode(np.ascontiguousarray(pixels), usecontainer=True, **loss))
    fitting = metadata.fitted(raster.metadata, "jpegxl", raster.channels)
    if fitting.exif:
        _write_box(stream, b"Exif", bytes(4) + exif_of.encode(fitting.exif)[0])
    if fitting.xmp:
        _write_box(stream, b"xml ", fitting.xmp)


def read_layout(file: BinaryIO) -> Layout:
    """Read the header. Raises DamageError where it is invalid, ImageError for an animation and channels other than alpha."""
    file.seek(0)
    data = file.read(_LONGEST_HEADER)
    if not data.startswith(_CODESTREAM):
        data = _codestream(file)
    bits = _Bits(data[len(_CODESTREAM) :])
    size = _size(bits)
    if bits.read(1):  # everything else has its default
        return Layout(size)
    orientation = 1
    if bits.read(1):
        orientation = _extra_fields(bits)
    depth = _depth(bits)
    bits.read(1)
    kinds = [_extra_channel(bits) for _ in range(bits.choice(0, 1, (4, 2), (12, 1)))]
    if kinds not in ([], [_ALPHA]):
        raise ImageError("jpegxl images with channels other than colours and alpha are not supported; convert the image to .png or .tiff")
    bits.read(1)
    default = bits.read(1)
    has_profile = not default and bool(bits.read(1))
    grey = not default and _enumeration(bits) == _GREY
    return Layout(size, depth, grey, bool(kinds), orientation, has_profile)


def _codestream(file: BinaryIO) -> bytes:
    """Return the beginning of the codestream in a container."""
    for name, start, end in boxes.boxes(file):
        start += 4 * (name == "jxlp")
        if name in ("jxlc", "jxlp") and end - start > len(_CODESTREAM):
            return boxes.content(file, (start, min(end, start + _LONGEST_HEADER)))
    raise DamageError("the image is missing")


def _size(bits: _Bits) -> tuple[int, int]:
    small = bits.read(1)
    height = 8 * (bits.read(5) + 1) if small else bits.choice(*_SIDE)
    ratio = bits.read(3)
    if ratio:
        across, down = _RATIOS[ratio - 1]
        return height, height * across // down
    return height, 8 * (bits.read(5) + 1) if small else bits.choice(*_SIDE)


def _extra_fields(bits: _Bits) -> int:
    """Read orientation, intrinsic size, preview and animation; return the orientation."""
    orientation = bits.read(3) + 1
    if bits.read(1):
        _size(bits)
    if bits.read(1):
        raise ImageError("jpegxl images with a preview are not supported; convert the image to .png or .tiff")
    if bits.read(1):
        raise ImageError("animated jpegxl images are not supported; convert the image to .png or .webp")
    return orientation


def _depth(bits: _Bits) -> int:
    """Read the bits of a sample, 0 for floats."""
    if bits.read(1):
        bits.choice(32, 16, 24, (6, 1))
        bits.read(4)
        return 0
    depth = bits.choice(8, 10, 12, (6, 1))
    if depth > 16:
        raise ImageError(f"jpegxl images of {depth} bits are not supported; convert the image to .tiff")
    return depth


def _extra_channel(bits: _Bits) -> int:
    if bits.read(1):
        return _ALPHA
    kind = _enumeration(bits)
    _depth(bits)
    bits.choice(0, 3, 4, (3, 1))
    for _ in range(bits.choice(0, (4, 0), (5, 16), (10, 48))):
        bits.read(8)
    if kind == _ALPHA and bits.read(1):
        raise ImageError("jpegxl images with premultiplied alpha are not supported; convert the image to .png or .tiff")
    return kind


def _enumeration(bits: _Bits) -> int:
    return bits.choice(0, 1, (4, 2), (6, 18))


def _metadata(file: BinaryIO, layout: Layout) -> Metadata:
    """Return EXIF and XMP; what a result does not have is named, an ICC profile too, since imagecodecs does not return it."""
    info: dict[str, Any] = {}
    dropped = ["ICC profile (not read from jpegxl)"] if layout.has_profile else []
    for name, start, end in boxes.boxes(file):
        packed = name == "brob"
        if packed:
            name = boxes.content(file, (start, start + 4)).decode("latin-1")
        if name in _DROPPED:
            dropped.append(_DROPPED[name])
        elif name in _METADATA and _METADATA[name][0] not in info:
            key, skipped = _METADATA[name]
            data = boxes.content(file, (start + 4 * packed, end))
            info[key] = (_unpacked(data) if packed else data)[skipped:]
    size = layout.size[::-1] if layout.orientation > 4 else layout.size
    described = metadata.from_info(info, layout.orientation, size)
    return described._replace(dropped=(*described.dropped, *dropped))


def _unpacked(data: bytes) -> bytes:
    """Return the content of a box that is compressed; nothing where it is damaged, or far longer than metadata are."""
    import imagecodecs

    try:
        return bytes(imagecodecs.brotli_decode(data, out=_LONGEST_BOX))
    except imagecodecs.BrotliError:
        return b""


def _distance(quality: int | None) -> float:
    """Return libjxl's distance for a quality of 0 to 99, as its command cjxl does."""
    quality = quality or 0
    return 0.1 + (100 - quality) * 0.09 if quality >= 30 else 53 / 3000 * quality**2 - 23 / 20 * quality + 25


def _write_box(stream: BinaryIO, name: bytes, data: bytes) -> None:
    stream.write((8 + len(data)).to_bytes(4, "big") + name + data)
