"""Images with more depth than Pillow's modes: 16-bit and float colour TIFF, deep JPEG 2000, AVIF and HEIC.

tifffile decodes TIFF, imagecodecs JPEG 2000 and AVIF, pillow-heif HEIC.
"""

import struct
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imgconv.images import metadata, plugins
from imgconv.images.damage import image_errors
from imgconv.images.modes import full_range
from imgconv.images.raster import Decoder, Header, Raster, Request

_HEAD = 1 << 16  # bytes that are searched for the headers of JPEG 2000 and AVIF


def decoder(file: BinaryIO, name: str, request: Request) -> Decoder | None:
    """Return the decoder of a file with more than 8 bits per channel; None for everything that Pillow holds."""
    if name not in _DECODERS:
        return None
    file.seek(0)
    with image_errors(f"damaged {name}"):
        return _DECODERS[name](file, request)


def _tiff(file: BinaryIO, request: Request) -> Decoder | None:
    from imgconv.images import tiff  # slow to import, and needed for this format only

    return tiff.decoder(file, request)


def _jpeg2000(file: BinaryIO, request: Request) -> Decoder | None:
    head = file.read(_HEAD)
    start = head.find(b"\xff\x4f\xff\x51")
    if start < 0:
        return None
    (components,) = struct.unpack_from(">H", head, start + 40)
    bits = max((byte & 0x7F) + 1 for byte in head[start + 42 : start + 42 + 3 * components : 3])
    if bits <= 8 or components == 1:
        return None
    import imagecodecs

    return _whole_file("jpeg2000", file, bits, request, lambda data, _: imagecodecs.jpeg2k_decode(data))


def _avif(file: BinaryIO, request: Request) -> Decoder | None:
    head = file.read(_HEAD)
    flags = head[head.find(b"av1C") + 6 :][:1]
    if b"av1C" not in head or not flags or not flags[0] & 0x40:
        return None
    import imagecodecs

    bits = 12 if flags[0] & 0x20 else 10
    return _whole_file("avif", file, bits, request, lambda data, index: imagecodecs.avif_decode(data, index=index))


def _heif(file: BinaryIO, request: Request) -> Decoder | None:
    if plugins.open_image(file, "heif").info.get("bit_depth", 8) <= 8:
        return None
    heif = plugins.heif_library("pillow_heif")

    def decode(data: bytes, index: int) -> NDArray[Any]:
        opened = heif.open_heif(BytesIO(data), convert_hdr_to_8bit=False)
        return np.array(opened[index])  # copied while it is open: pillow-heif 0.21 frees the pixels with it

    return _whole_file("heif", file, 16, request, decode)


_DECODERS: dict[str, Callable[[BinaryIO, Request], Decoder | None]] = {
    "avif": _avif,
    "heif": _heif,
    "jpeg2000": _jpeg2000,
    "tiff": _tiff,
}


def _whole_file(name: str, file: BinaryIO, bits: int, request: Request, decode: Callable[[bytes, int], NDArray[Any]]) -> Decoder:
    """Return the decoder of a file whose header Pillow reads; `decode` gives a frame from the bytes of the file and an index."""
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
            yield _upright(file, name, image, full_range(samples[..., :channels], bits), alpha)

    return Decoder(_header(name, image, channels, alpha), frames)


def _header(name: str, image: Image.Image, channels: int, alpha: bool) -> Header:
    rotated = metadata.orientation_of(image.info) > 4
    size = (image.width, image.height) if rotated else (image.height, image.width)
    frames = getattr(image, "n_frames", 1)
    return Header(name, size, channels, "uint16", alpha, frames, frames > 1, description=metadata.description_of(image))


def _upright(file: BinaryIO, name: str, image: Image.Image, pixels: NDArray[Any], alpha: bool) -> Raster:
    """Return the raster of pixels that were decoded apart from `image`, with its orientation and metadata."""
    orientation = metadata.orientation_of(image.info)
    return Raster(metadata.upright(pixels, orientation), alpha, metadata.of_image(image, file, name, orientation))
