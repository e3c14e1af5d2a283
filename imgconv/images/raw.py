"""Camera raw files (DNG, NEF, CR2, ARW and others), developed with rawpy, which is the extra `raw`."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

from imgconv.errors import ImageError, optional_library
from imgconv.images.damage import DamageError, image_errors
from imgconv.images.decoder import Decoder, Request
from imgconv.images.raster import Header, Raster

_TURNED = (5, 6)  # LibRaw's rotations by a quarter
_DEVELOPMENT = {"output_bps": 16, "use_camera_wb": True, "no_auto_bright": True}


def decoder(file: BinaryIO, request: Request) -> Decoder:
    """Return the decoder of a camera raw file: 16-bit sRGB, with the camera's white balance.

    Its preview is never used. Raises MissingExtra without rawpy.
    """
    rawpy = optional_library("rawpy", "camera raw images", "raw")
    file.seek(0)
    with _raw_errors(rawpy):
        image = rawpy.imread(file)
    sizes = image.sizes
    size = (sizes.iwidth, sizes.iheight) if sizes.flip in _TURNED else (sizes.iheight, sizes.iwidth)
    request.check_size(*size)

    def frames() -> Iterator[Raster]:
        with _raw_errors(rawpy), image:
            pixels = image.postprocess(**_DEVELOPMENT)
        yield Raster(pixels)

    return Decoder(Header("raw", size, 3, "uint16"), frames)


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
