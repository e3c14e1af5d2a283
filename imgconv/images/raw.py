"""Camera raw files (DNG, NEF, CR2, ARW and others), developed with rawpy, which is the extra `raw`."""

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any, BinaryIO

import numpy as np

from imgconv.errors import ImageError, optional_library
from imgconv.images.damage import DamageError, TruncatedError, image_errors
from imgconv.images.decoder import Decoder, Request
from imgconv.images.raster import Header, Raster

_TURNED = (5, 6)  # LibRaw's rotations by a quarter
_DEVELOPMENT = {"output_bps": 16, "use_camera_wb": True, "no_auto_bright": True}
_FOLLOWING = bytes(number * number % 251 for number in range(1 << 14))


def decoder(file: BinaryIO, request: Request) -> Decoder:
    """Return the decoder of a camera raw file: 16-bit sRGB, with the camera's white balance.

    Its preview is never used. Raises MissingExtra without rawpy.
    """
    rawpy = optional_library("rawpy", "camera raw images", "raw")
    file.seek(0)
    data = file.read()
    with _raw_errors(rawpy):
        image = rawpy.imread(BytesIO(data))
    sizes = image.sizes
    size = (sizes.iwidth, sizes.iheight) if sizes.flip in _TURNED else (sizes.iheight, sizes.iwidth)
    request.check_size(*size)

    def frames() -> Iterator[Raster]:
        with _raw_errors(rawpy), image:
            if not request.salvage:
                _check_complete(rawpy, image, data)
            pixels = image.postprocess(**_DEVELOPMENT)
        yield Raster(pixels)

    return Decoder(Header("raw", size, 3, "uint16"), frames)


def _check_complete(rawpy: Any, image: Any, data: bytes) -> None:
    """Raise TruncatedError where LibRaw reads on behind the end of the file, without an error: the bytes that follow change the pixels."""
    try:
        longer = rawpy.imread(BytesIO(data + _FOLLOWING))
    except rawpy.LibRawError:  # a format whose directory is at its end, which a part of a file lacks
        return
    pixels = image.raw_image
    with longer:
        try:
            is_complete = np.array_equal(pixels, longer.raw_image)
        except rawpy.LibRawError as error:
            raise TruncatedError from error
    if not is_complete:
        raise TruncatedError


@contextmanager
def _raw_errors(rawpy: Any) -> Iterator[None]:
    with image_errors("damaged camera raw"):
        try:
            yield
        except (rawpy.LibRawFileUnsupportedError, rawpy.NotSupportedError) as error:
            raise ImageError("this kind of camera raw is not supported; develop it to TIFF or PNG first") from error
        except rawpy.LibRawError as error:
            text = error.args[0] if error.args else b""
            raise DamageError(text.decode() if isinstance(text, bytes) else str(text)) from error
