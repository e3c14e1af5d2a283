"""Pillow's plugins: open a file of a known format, and decode it. No other module constructs an image from a file.

The class of a plugin is called directly, not through `Image.open`: only formats of our list are ever opened, and the only limit on
pixels is our own. A JPEG is one image; previews and gain maps, which Pillow's MPO plugin presents as frames, are skipped.
"""

import ctypes
import logging
import re
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from importlib import import_module
from typing import Any, BinaryIO

from PIL import Image, ImageFile

from imgconv.errors import MissingExtra, optional_library
from imgconv.images import boxes
from imgconv.images.damage import DECODER_ERRORS, TruncatedError, image_errors
from imgconv.images.formats import FORMATS
from imgconv.images.metadata.source import CROP

_ALL_OR_NOTHING = ("WEBP", "AVIF", "HEIF")  # formats whose decoders return no part of a damaged frame
_OWN_LOADERS = (*_ALL_OR_NOTHING, "TIFF")  # formats whose plugins decode without the loop of `ImageFile.load`
_GREY_STEPS = {"1": 255, "L;2": 85, "L;4": 17}  # raw mode of a PNG -> 8-bit difference of two neighbouring grey values

_PLACE = re.compile(r" at line %.*| \(?%.*")  # of an error of libtiff, with its numbers

logging.getLogger("PIL").addHandler(logging.NullHandler())  # Pillow logs to stderr what it also raises


class _Report(threading.local):
    """The first error that libtiff reports in a thread while it decodes an image. Pillow does not raise most of them."""

    text = ""


report = _Report()


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
        _listen_to_libtiff()
    file.seek(0)
    with image_errors(f"damaged {name}"):
        image: ImageFile.ImageFile = factory(file)
        if name == "jpeg2000":
            from imgconv.images import jpeg2000

            position = file.tell()
            image.info.update(jpeg2000.info_of(file))
            file.seek(position)
        if name == "avif" and (part := boxes.crop(file, (image.height, image.width))):
            image.info[CROP] = part
    if name == "png" and "transparency" in image.info and image.tile:
        image.info["transparency"] = _scaled(image.info["transparency"], str(image.tile[0].args))
    return image


def heif_library(module: str) -> Any:
    """Import a module of the extra `heif`. Raises MissingExtra with the command that installs it."""
    return optional_library(module, "HEIC images", "heif", "pillow-heif")


def load(image: ImageFile.ImageFile, salvage: bool) -> None:
    """Decode the current frame; with `salvage`, return the part that precedes the damage."""
    if image.format not in _OWN_LOADERS:
        _decode_tiles(image, salvage)
        return
    report.text = ""
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


def _decode_tiles(image: Any, salvage: bool) -> None:
    """Decode an image as `ImageFile.load` does, but strictly, even where the host program sets `ImageFile.LOAD_TRUNCATED_IMAGES`.

    `Image._getdecoder` is private; the public `load` follows that global setting, which only the host program may change.
    """
    image.load_prepare()
    read = image.load_read if image.format == "PNG" else image.fp.read  # that of JPEG adds an end mark where the setting allows it
    try:
        for tile in sorted(image.tile, key=lambda tile: tile.offset):
            getattr(image, "load_seek", image.fp.seek)(tile.offset)
            decoder = Image._getdecoder(image.mode, tile.codec_name, tile.args, image.decoderconfig)
            try:
                decoder.setimage(image.im, tile.extents)
                error = _decode_tile(decoder, read, image)
            finally:
                decoder.cleanup()
            if error < 0:
                raise ImageFile._get_oserror(error, encoder=False)
        image.load_end()
    except DECODER_ERRORS:
        if not salvage:
            raise
    image.tile = []


def _decode_tile(decoder: Any, read: Callable[[int], bytes], image: Any) -> int:
    """Feed a decoder of Pillow until it has all pixels, and return its error code. Raises TruncatedError at the end of the file."""
    if decoder.pulls_fd:
        decoder.setfd(image.fp)
        return decoder.decode(b"")[1]
    pending = getattr(image, "tile_prefix", b"")
    used = error = 0
    while used >= 0:
        data = read(image.decodermaxblock)
        if not data:
            raise TruncatedError
        pending = pending[used:] + data
        used, error = decoder.decode(pending)
    return error


def _store(module: bytes | None, text: bytes) -> None:
    """Store the text of an error, without the numbers that it is about."""
    report.text = report.text or _PLACE.sub("", text.decode("ascii", "replace"))


_handler = ctypes.CFUNCTYPE(None, ctypes.c_char_p, ctypes.c_char_p)(_store)  # libtiff calls it as long as the process lives


@cache
def _listen_to_libtiff() -> None:
    """Receive the errors that libtiff writes to stderr. `PIL._imaging` is private; no public call does it."""
    with suppress(AttributeError, OSError):  # a libtiff that is linked statically cannot be reached, and still writes to stderr
        ctypes.CDLL(import_module("PIL._imaging").__file__).TIFFSetErrorHandler(_handler)


def _scaled(key: object, raw_mode: str) -> object:
    """Return the transparent grey value of a PNG at 8 bits; Pillow scales the pixels but not the value."""
    return min(key * _GREY_STEPS[raw_mode], 255) if isinstance(key, int) and raw_mode in _GREY_STEPS else key
