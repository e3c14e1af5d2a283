"""Images deeper than Pillow's modes: 16-bit colour PNG, 16-bit and float colour TIFF, deep JPEG 2000, AVIF and HEIC.

PNG needs only Pillow, HEIC the extra `heif`, the others tifffile and imagecodecs, the extra `deep`. Nothing is ever narrowed:
without the extra it is an error.
"""

import struct
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imgconv.errors import ImageError
from imgconv.images import metadata, plugins, png
from imgconv.images.damage import image_errors
from imgconv.images.modes import full_range
from imgconv.images.plugins import deep_library, heif_library
from imgconv.images.raster import Decoder, Header, Raster, Request

_HEAD = 1 << 16  # bytes in which the headers of JPEG 2000 and AVIF are looked for


def find(file: BinaryIO, name: str, request: Request) -> Decoder | None:
    """The decoder of a file whose colour is deeper than 8 bits; None for all that Pillow holds, which has then not been decoded."""
    if name not in _FINDERS:
        return None
    file.seek(0)
    with image_errors(f"damaged {name}"):
        return _FINDERS[name](file, request)


def _find_png(file: BinaryIO, request: Request) -> Decoder | None:
    head = png.read_head(file)
    request.check_size(*head.size)
    if head.depth < 16 or head.colour_type == 0:
        return None
    if head.frames > 1:
        raise ImageError("animated png of 16-bit colour are not supported; save its frames one by one")
    image = plugins.open_image(file, "png")
    keyed = image.info.get("transparency")
    alpha = keyed is not None or head.colour_type != 2
    channels = (1 if head.colour_type == 4 else 3) + alpha

    def frames() -> Iterator[Raster]:
        with image_errors("damaged png"):
            if not request.salvage:
                file.seek(0)
                png.check(file)
            pixels = _png_pixels(file, head.colour_type, request.salvage)
        if keyed is not None:
            opaque = np.where((pixels == np.array(keyed)).all(axis=2, keepdims=True), 0, 65535).astype(np.uint16)
            pixels = np.concatenate([pixels, opaque], axis=2)
        orientation = metadata.orientation_of(image.info)
        yield Raster(metadata.upright(pixels, orientation), alpha, metadata.from_info(image.info, orientation))

    return _decoder("png", image, channels, alpha, frames)


def _png_pixels(file: BinaryIO, colour_type: int, salvage: bool) -> NDArray[np.uint16]:
    """16-bit samples through Pillow's 8-bit modes: both bytes of grey and alpha as RGBA, of colour the high and then the low ones."""

    def decoded(raw_mode: str) -> NDArray[Any]:
        image = plugins.open_image(file, "png")
        image.tile = [tile._replace(args=raw_mode) for tile in image.tile]
        plugins.load(image, salvage)
        return np.asarray(image)

    if colour_type == 4:
        return decoded("RGBA").view(">u2").astype(np.uint16)
    mode = "RGB" if colour_type == 2 else "RGBA"
    pixels = decoded(f"{mode};16B").astype(np.uint16)
    pixels <<= 8
    pixels |= decoded(f"{mode};16L")
    return pixels


def _find_tiff(file: BinaryIO, request: Request) -> Decoder | None:
    from imgconv.images import tiff  # with Pillow's TIFF plugin, which no other format needs

    return tiff.find(file, request)


def _find_jpeg2000(file: BinaryIO, request: Request) -> Decoder | None:
    head = file.read(_HEAD)
    start = head.find(b"\xff\x4f\xff\x51")
    if start < 0:
        return None
    (components,) = struct.unpack_from(">H", head, start + 40)
    bits = max((byte & 0x7F) + 1 for byte in head[start + 42 : start + 42 + 3 * components : 3])
    if bits <= 8 or components == 1:
        return None
    codecs = deep_library("imagecodecs")
    return _whole("jpeg2000", file, bits, request, lambda data, _: codecs.jpeg2k_decode(data))


def _find_avif(file: BinaryIO, request: Request) -> Decoder | None:
    head = file.read(_HEAD)
    flags = head[head.find(b"av1C") + 6 :][:1]
    if b"av1C" not in head or not flags or not flags[0] & 0x40:
        return None
    bits = 12 if flags[0] & 0x20 else 10
    codecs = deep_library("imagecodecs")
    return _whole("avif", file, bits, request, lambda data, index: codecs.avif_decode(data, index=index))


def _find_heif(file: BinaryIO, request: Request) -> Decoder | None:
    if plugins.open_image(file, "heif").info.get("bit_depth", 8) <= 8:
        return None
    heif = heif_library("pillow_heif")

    def decode(data: bytes, index: int) -> NDArray[Any]:
        opened = heif.open_heif(BytesIO(data), convert_hdr_to_8bit=False)
        return np.array(opened[index])  # a copy, while it is open: pillow-heif 0.21 frees the pixels with it

    return _whole("heif", file, 16, request, decode)


def _whole(name: str, file: BinaryIO, bits: int, request: Request, decode: Callable[[bytes, int], NDArray[Any]]) -> Decoder:
    """A file whose header Pillow reads, and whose frames `decode` gives, the whole file and a frame's number in hand."""
    image = plugins.open_image(file, name)
    request.check_size(image.height, image.width)
    alpha = image.has_transparency_data
    channels = (1 if image.mode in ("L", "LA", "I;16") else 3) + alpha

    def frames() -> Iterator[Raster]:
        file.seek(0)
        data = file.read()
        for index in range(getattr(image, "n_frames", 1)):
            with image_errors(f"damaged {name}"):
                samples = decode(data, index).reshape(image.height, image.width, -1)
            orientation = metadata.orientation_of(image.info)
            pixels = full_range(samples[..., :channels], bits)
            yield Raster(metadata.upright(pixels, orientation), alpha, metadata.from_info(image.info, orientation))

    return _decoder(name, image, channels, alpha, frames)


def _decoder(name: str, image: Image.Image, channels: int, alpha: bool, frames: Callable[[], Iterator[Raster]]) -> Decoder:
    turned = metadata.orientation_of(image.info) > 4
    size = (image.width, image.height) if turned else (image.height, image.width)
    count = getattr(image, "n_frames", 1)
    header = Header(name, size, channels, "uint16", alpha, count, count > 1, description=metadata.of(image))
    return Decoder(header, frames)


_FINDERS: dict[str, Callable[[BinaryIO, Request], Decoder | None]] = {
    "avif": _find_avif,
    "heif": _find_heif,
    "jpeg2000": _find_jpeg2000,
    "png": _find_png,
    "tiff": _find_tiff,
}
