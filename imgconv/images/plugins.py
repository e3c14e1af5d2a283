"""Pillow's plugins, opened by name. No other module constructs an image from a file.

The plugin's class is called directly, not through `Image.open`: so only formats of this list can ever be opened, and the only limit on
pixels is our own. Some decoders ask for Pillow's all the same, which is raised while they work where ours is higher. (A JPEG is one
image: previews and gain maps that Pillow's MPO plugin would show as further frames are passed over.)
"""

import ctypes
import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from importlib import import_module
from typing import Any, BinaryIO

from PIL import Image, ImageFile

from imgconv.errors import MissingExtra
from imgconv.images.damage import DECODER_ERRORS, image_errors
from imgconv.images.raster import DEFAULT_MAX_PIXELS

_PLUGINS = {
    "avif": ("PIL.AvifImagePlugin", "AvifImageFile"),
    "bmp": ("PIL.BmpImagePlugin", "BmpImageFile"),
    "gif": ("PIL.GifImagePlugin", "GifImageFile"),
    "heif": ("pillow_heif.as_plugin", "HeifImageFile"),
    "jpeg": ("PIL.JpegImagePlugin", "JpegImageFile"),
    "jpeg2000": ("PIL.Jpeg2KImagePlugin", "Jpeg2KImageFile"),
    "png": ("PIL.PngImagePlugin", "PngImageFile"),
    "qoi": ("PIL.QoiImagePlugin", "QoiImageFile"),
    "tga": ("PIL.TgaImagePlugin", "TgaImageFile"),
    "tiff": ("PIL.TiffImagePlugin", "TiffImageFile"),
    "webp": ("PIL.WebPImagePlugin", "WebPImageFile"),
}
_ALL_OR_NOTHING = ("WEBP", "AVIF", "HEIF")  # their decoders give no part of a damaged frame
_GREY_STEPS = {"1": 255, "L;2": 85, "L;4": 17}  # raw mode of a PNG -> 8-bit difference of two neighbouring grey values

logging.getLogger("PIL").addHandler(logging.NullHandler())  # it logs to stderr what it then also raises
warnings.filterwarnings("ignore", module=r"PIL\.")  # what Pillow only warns of, such as a broken EXIF tag, leaves the pixels right


def open_image(file: BinaryIO, name: str) -> ImageFile.ImageFile:
    """Pillow's image of a file in the format `name`: header read, nothing decoded.

    Raises ImageError for a damaged header, MissingExtra for a format whose library is not installed.
    """
    module, plugin = _PLUGINS[name]
    try:
        factory = getattr(heif_library(module) if name == "heif" else import_module(module), plugin)
    except ModuleNotFoundError as error:
        raise MissingExtra(f"this Pillow reads no {name}; to read it: pip install --upgrade pillow") from error
    if name == "tiff":
        _silence_libtiff()
    file.seek(0)
    with image_errors(f"damaged {name}"):
        image: ImageFile.ImageFile = factory(file)
    if name == "png" and "transparency" in image.info and image.tile:  # Pillow forgets to scale the transparent grey as it does the pixels
        image.info["transparency"] = _scaled(image.info["transparency"], str(image.tile[0].args))
    return image


class _PillowsLimit:
    """Pillow's limit on pixels, for the whole process: raised while anybody is inside, then what it was before."""

    def __init__(self) -> None:
        self._lock, self._inside, self._before = threading.Lock(), 0, Image.MAX_IMAGE_PIXELS

    @contextmanager
    def raised(self, max_pixels: int | None) -> Iterator[None]:
        """A context in which images of up to `max_pixels` are decoded, of any size with None."""
        if max_pixels is not None and max_pixels <= DEFAULT_MAX_PIXELS:
            yield
            return
        with self._lock:
            if not self._inside:
                self._before = Image.MAX_IMAGE_PIXELS
            self._inside += 1
            Image.MAX_IMAGE_PIXELS = None if max_pixels is None else -(-max_pixels // 2)  # at twice that it refuses
        try:
            yield
        finally:
            with self._lock:
                self._inside -= 1
                if not self._inside:
                    Image.MAX_IMAGE_PIXELS = self._before


pillows_limit = _PillowsLimit()


def heif_library(module: str) -> Any:
    """A module of the extra `heif`. Raises MissingExtra, which says how to get it."""
    try:
        return import_module(module)
    except ImportError as error:
        raise MissingExtra("HEIC images need another library; to read them: pip install 'imgconv[heif]'") from error


def deep_library(module: str) -> Any:
    """A module of the extra `deep`. Raises MissingExtra, which says how to get it."""
    try:
        return import_module(module)
    except ImportError as error:
        raise MissingExtra("its colour is deeper than 8 bits; to read it: pip install 'imgconv[deep]'") from error


def is_deep_tiff(tags: Any) -> bool:
    """Whether Pillow has no mode for a page with these tags: deep colour, 9 to 15 bits, wide integers, half floats, signed bytes."""
    bits: int = max(tags.get(258, (1,)))
    formats = tags.get(339, (1,))
    if bits == 8 and 2 in formats:
        return True
    if int(tags.get(277, 1)) > 1:
        return bits > 8
    return bits != 32 if 3 in formats else 8 < bits < 16 or bits > 16


def load(image: ImageFile.ImageFile, salvage: bool) -> None:
    """Decode the current frame; with `salvage`, keep what was decoded before the damage."""
    try:
        image.load()
    except DECODER_ERRORS:
        if not salvage or image.format in _ALL_OR_NOTHING:
            raise
        image.tile = []
        image.load()
        if image.format == "TIFF":
            from PIL import ImageOps  # rarely needed, and not free

            ImageOps.exif_transpose(image, in_place=True)


@cache
def _silence_libtiff() -> None:
    """Keep libtiff from writing to stderr what Pillow then also raises."""
    with suppress(AttributeError, OSError):  # where Pillow has its libtiff inside, it cannot be reached, and goes on writing
        ctypes.CDLL(import_module("PIL._imaging").__file__).TIFFSetErrorHandler(None)


def _scaled(key: object, raw_mode: str) -> object:
    return min(key * _GREY_STEPS[raw_mode], 255) if isinstance(key, int) and raw_mode in _GREY_STEPS else key
