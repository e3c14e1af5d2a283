"""JPEG XL: read the header from its bits, decode and encode with libjxl (imagecodecs); EXIF and XMP are in boxes of their own."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from imgconv.errors import ImageError
from imgconv.images import boxes, modes
from imgconv.images.damage import DamageError, image_errors
from imgconv.images.decoder import Decoder, Request
from imgconv.images.metadata import exif as exif_of
from imgconv.images.metadata.result import fitted
from imgconv.images.metadata.source import from_info
from imgconv.images.metadata.transfer import srgb_of
from imgconv.images.raster import DEFAULT_ENCODING, Encoding, Header, Metadata, Raster

_CODESTREAM = b"\xff\x0a"
_LONGEST_HEADER = 1 << 12  # bytes
_RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))  # width to height
_GREY = 1
_ALPHA = 0
_METADATA = {"Exif": ("exif", 4), "xml ": ("xmp", 0)}  # box -> entry of Pillow's `info`, and bytes before the data
_CUSTOM = 2  # enumerated white points and primaries
_PRIMARIES = {(1, 1): 1, (1, 9): 9, (1, 11): 12, (11, 11): 11}  # white point and primaries -> code point of H.273
_TRANSFERS = (1, 8, 13, 16, 17, 18)  # code points
_SRGB = (1, 13)
_COORDINATE = ((19, 0), (19, 524288), (20, 1048576), (21, 2097152))  # bits and offset
_FINE = 12  # bits with which linear light is decoded that becomes 8 bits
_CODE_OF_FINE = 0b10  # with which a header chooses 12 bits; 0 is the code of 8
_LINEAR = ((b"cICP", bytes((1, 8, 0, 1))),)
_NOT_READ = "its ICC profile cannot be read; its colours are taken for sRGB"
_NOT_SRGB = "its colour space is not supported; its colours are taken for sRGB"
_DROPPED = {"jumb": "C2PA manifest", "jhgm": "gain map"}
_LONGEST_BOX = 1 << 24  # bytes
_SIDE = ((9, 1), (13, 1), (18, 1), (30, 1))  # bits and offset of a size


@dataclass(frozen=True)
class Layout:
    """The contents of the header of a codestream; `bits` is 0 for floats, and `bits_at` the place of that field in the file, in bits.

    `is_xyb` is true of an image with loss: without an ICC profile, libjxl gives it in the colour space of the file, else in linear sRGB.
    `colour` are the chunks with which a PNG declares the colour space, none for sRGB, and None for one that they cannot describe.
    """

    size: tuple[int, int]
    bits: int = 8
    grey: bool = False
    alpha: bool = False
    orientation: int = 1
    has_profile: bool = False
    bits_at: int = 0
    is_xyb: bool = True
    colour: tuple[tuple[bytes, bytes], ...] | None = ()

    @property
    def is_linear(self) -> bool:
        """Whether libjxl gives linear light."""
        return self.is_xyb and self.has_profile

    @property
    def warning(self) -> str | None:
        """What is wrong with the colours of the result."""
        if self.has_profile:
            return None if self.is_xyb else _NOT_READ
        return _NOT_SRGB if self.colour is None else None

    @property
    def dtype(self) -> str:
        """The dtype of the pixels."""
        return "float32" if not self.bits else "uint8" if self.bits <= 8 else "uint16"


class _Bits:
    """The bits of a codestream, the lowest one of each byte first."""

    def __init__(self, data: bytes):
        self._number, self._left = int.from_bytes(data, "little"), 8 * len(data)
        self.place = 0

    def read(self, count: int) -> int:
        if count > self._left:
            raise DamageError("the header ends too early")
        value = self._number & ((1 << count) - 1)
        self._number >>= count
        self._left -= count
        self.place += count
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
    header = Header("jpegxl", size, (1 if layout.grey else 3) + layout.alpha, layout.dtype, layout.alpha, warning=layout.warning)

    def frames() -> Iterator[Raster]:
        import imagecodecs

        file.seek(0)
        with image_errors("damaged jpegxl"):
            data = file.read()
            pixels = imagecodecs.jpegxl_decode(_finer(data, layout)).reshape(*size, header.channels)  # upright
            if layout.bits and layout.is_linear:
                pixels = _srgb_of_light(pixels, layout)
            elif layout.bits:
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
    fitting = fitted(raster.metadata, "jpegxl", raster.channels)
    if fitting.exif:
        _write_box(stream, b"Exif", bytes(4) + exif_of.encode(fitting.exif)[0])
    if fitting.xmp:
        _write_box(stream, b"xml ", fitting.xmp)


def read_layout(file: BinaryIO) -> Layout:
    """Read the header. Raises DamageError where it is invalid, ImageError for an animation and channels other than alpha."""
    file.seek(0)
    data, start = file.read(_LONGEST_HEADER), 0
    if not data.startswith(_CODESTREAM):
        data, start = _codestream(file)
    bits = _Bits(data[len(_CODESTREAM) :])
    size = _size(bits)
    if bits.read(1):  # everything else has its default
        return Layout(size)
    orientation = 1
    if bits.read(1):
        orientation = _extra_fields(bits)
    bits_at = 8 * (start + len(_CODESTREAM)) + bits.place + 1
    depth = _depth(bits)
    bits.read(1)
    kinds = [_extra_channel(bits) for _ in range(bits.choice(0, 1, (4, 2), (12, 1)))]
    if kinds not in ([], [_ALPHA]):
        raise ImageError("jpegxl images with channels other than colours and alpha are not supported; convert the image to .png or .tiff")
    is_xyb, default = bool(bits.read(1)), bits.read(1)
    has_profile = not default and bool(bits.read(1))
    space = 0 if default else _enumeration(bits)
    colour = () if default or has_profile else _colour(bits, space)
    return Layout(size, depth, space == _GREY, bool(kinds), orientation, has_profile, bits_at, is_xyb, colour)


def _colour(bits: _Bits, space: int) -> tuple[tuple[bytes, bytes], ...] | None:
    """Read white point, primaries and transfer function, and return them as chunks of a PNG; None where these cannot describe them."""
    if space not in (0, _GREY):
        return None
    white = _enumeration(bits)
    if white == _CUSTOM:
        _coordinates(bits, 2)
    primaries = 1 if space == _GREY else _enumeration(bits)
    if space != _GREY and primaries == _CUSTOM:
        _coordinates(bits, 6)
    exponent = bits.read(24) if bits.read(1) else 0
    transfer = 0 if exponent else _enumeration(bits)
    code = _PRIMARIES.get((white, primaries))
    if exponent:
        return ((b"gAMA", (exponent // 100).to_bytes(4, "big")),) if code == _SRGB[0] else None
    if code is None or transfer not in _TRANSFERS:
        return None
    return () if (code, transfer) == _SRGB else ((b"cICP", bytes((code, transfer, 0, 1))),)


def _coordinates(bits: _Bits, count: int) -> None:
    for _ in range(count):
        bits.choice(*_COORDINATE)


def _finer(data: bytes, layout: Layout) -> bytes:
    """Return a file of linear light whose header says 12 bits instead of 8, in which dark colours would be lost."""
    if not (layout.is_linear and layout.bits == 8 and layout.bits_at):
        return data
    number = int.from_bytes(data[layout.bits_at // 8 :][:2], "little") | _CODE_OF_FINE << layout.bits_at % 8
    return data[: layout.bits_at // 8] + number.to_bytes(2, "little") + data[layout.bits_at // 8 + 2 :]


def _srgb_of_light(pixels: NDArray[Any], layout: Layout) -> NDArray[Any]:
    """Return levels of sRGB for linear light; alpha has its usual levels."""
    dtype = np.dtype(layout.dtype)
    highest = (1 << (_FINE if layout.bits == 8 else layout.bits)) - 1
    shares = np.arange(highest + 1) / highest
    result = modes.rounded(srgb_of(shares) * modes.white_of(dtype), dtype)[pixels]
    if layout.alpha:
        result[..., -1] = modes.rounded(shares * modes.white_of(dtype), dtype)[pixels[..., -1]]
    return result


def _codestream(file: BinaryIO) -> tuple[bytes, int]:
    """Return the beginning of the codestream in a container, and its place."""
    for name, start, end in boxes.boxes(file):
        start += 4 * (name == "jxlp")
        if name in ("jxlc", "jxlp") and end - start > len(_CODESTREAM):
            return boxes.content(file, (start, min(end, start + _LONGEST_HEADER))), start
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
        raise ImageError(
            "animated jpegxl images are not supported, since imagecodecs gives no times of frames; convert them to APNG or .webp"
        )
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
    """Return EXIF, XMP and the colour space; what a result does not have is named, an ICC profile too: imagecodecs does not return it."""
    info: dict[str, Any] = {}
    dropped = [f"ICC profile ({'converted to sRGB' if layout.is_linear else 'not read from jpegxl'})"] if layout.has_profile else []
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
    described = from_info(info, layout.orientation, size)
    colour = _LINEAR if layout.is_linear and not layout.bits else layout.colour or ()
    return described._replace(colour=colour, dropped=(*described.dropped, *dropped))


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
