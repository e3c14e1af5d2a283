"""Pillow's plugins: open a file of a known format, and decode it. No other module constructs an image from a file.

The class of a plugin is called directly, not through `Image.open`: only formats of our list are ever opened, and the only limit on
pixels is our own. A JPEG is one image; previews and gain maps, which Pillow's MPO plugin presents as frames, are skipped.
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
from imgconv.images.formats import FORMATS
from imgconv.images.raster import DEFAULT_MAX_PIXELS

_ALL_OR_NOTHING = ("WEBP", "AVIF", "HEIF")  # formats whose decoders return no part of a damaged frame
_GREY_STEPS = {"1": 255, "L;2": 85, "L;4": 17}  # raw mode of a PNG -> 8-bit difference of two neighbouring grey values

logging.getLogger("PIL").addHandler(logging.NullHandler())  # Pillow logs to stderr what it also raises
warnings.filterwarnings("ignore", module=r"PIL\.")  # Pillow warns of damage that leaves the pixels right, such as a broken EXIF tag


def open_image(file: BinaryIO, name: str) -> ImageFile.ImageFile:
    """Return Pillow's image of a file in the format `name`, with its header read and nothing decoded.

    Raises ImageError for a damaged header, MissingExtra for a format whose library is not installed.
    """
    module, _, plugin = FORMATS[name].plugin.rpartition(".")
    try:
        factory = getattr(heif_library(module) if name == "heif" else import_module(module), plugin)
    except ModuleNotFoundError as error:
        raise MissingExtra(f"the installed Pillow cannot read {name}; install a newer one: pip install --upgrade pillow") from error
    if name == "tiff":
        _silence_libtiff()
    file.seek(0)
    with image_errors(f"damaged {name}"):
        image: ImageFile.ImageFile = factory(file)
    if name == "png" and "transparency" in image.info and image.tile:
        image.info["transparency"] = _scaled(image.info["transparency"], str(image.tile[0].args))
    return image


def heif_library(module: str) -> Any:
    """Import a module of the extra `heif`. Raises MissingExtra with the command that installs it."""
    try:
        return import_module(module)
    except ImportError as error:
        raise MissingExtra("HEIC images need pillow-heif; install it: pip install 'imgconv[heif]'") from error


def load(image: ImageFile.ImageFile, salvage: bool) -> None:
    """Decode the current frame; with `salvage`, return the part that precedes the damage."""
    try:
        image.load()
    except DECODER_ERRORS:
        if not salvage or image.format in _ALL_OR_NOTHING:
            raise
        image.tile = []
        image.load()
        if image.format == "TIFF":
            from PIL import ImageOps  # slow to import, rarely needed

            ImageOps.exif_transpose(image, in_place=True)


class _PillowLimit:
    """Pillow's own limit on pixels, which some decoders check. It holds for the whole process; it is raised while any thread needs it."""

    def __init__(self) -> None:
        self._lock, self._users, self._original = threading.Lock(), 0, Image.MAX_IMAGE_PIXELS

    @contextmanager
    def raised(self, max_pixels: int | None) -> Iterator[None]:
        """Allow images of up to `max_pixels`, of any size with None, for the time of the block."""
        if max_pixels is not None and max_pixels <= DEFAULT_MAX_PIXELS:
            yield
            return
        with self._lock:
            if not self._users:
                self._original = Image.MAX_IMAGE_PIXELS
            self._users += 1
            Image.MAX_IMAGE_PIXELS = None if max_pixels is None else -(-max_pixels // 2)  # Pillow refuses more than twice the limit
        try:
            yield
        finally:
            with self._lock:
                self._users -= 1
                if not self._users:
                    Image.MAX_IMAGE_PIXELS = self._original


pillow_limit = _PillowLimit()


@cache
def _silence_libtiff() -> None:
    """Stop libtiff from writing to stderr the errors that Pillow also raises. `PIL._imaging` is private; no public call does it."""
    with suppress(AttributeError, OSError):  # a libtiff that is linked statically cannot be reached, and still writes to stderr
        ctypes.CDLL(import_module("PIL._imaging").__file__).TIFFSetErrorHandler(None)


def _scaled(key: object, raw_mode: str) -> object:
    """Return the transparent grey value of a PNG at 8 bits; Pillow scales the pixels but not the value."""
    return min(key * _GREY_STEPS[raw_mode], 255) if isinstance(key, int) and raw_mode in _GREY_STEPS else key
