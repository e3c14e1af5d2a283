"""Where a TIFF says that its strips or tiles lie. Libraries take a missing one for black; knows nothing of what is in them.

Deep TIFF: 16-bit and float colour, 9 to 15 bits, wide integers, half and double floats, read with tifffile (the extra `deep`).
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import TiffImagePlugin

from imgconv.errors import ImageError
from imgconv.images import metadata, plugins
from imgconv.images.damage import DamageError, image_errors
from imgconv.images.modes import exact_float32, full_range
from imgconv.images.raster import Decoder, Header, Raster, Request

_WIDTH, _HEIGHT, _COMPRESSION, _SAMPLES, _ROWS, _PLANAR, _TILE_WIDTH, _TILE_HEIGHT = 256, 257, 259, 277, 278, 284, 322, 323
_PLACES = {"strips": (273, 279), "tiles": (324, 325)}
_FIRST_PLACE = 8  # the header is before it
_OLD_JPEG = 6  # its places mean something else


def check(value_of: Callable[[int, Any], Any], file_size: int) -> None:
    """Raise DamageError unless a page has all the strips or tiles that its size needs, each of them inside the file.

    `value_of` gives the value of a tag, or the default after it.
    """
    if value_of(_COMPRESSION, 1) == _OLD_JPEG:
        return
    kind = "tiles" if value_of(_TILE_WIDTH, None) else "strips"
    offsets, lengths = (_numbers(value_of(tag, ())) for tag in _PLACES[kind])
    needed = _needed(kind, value_of)
    if len(offsets) < needed:
        raise DamageError(f"it has {len(offsets)} {kind} where its size needs {needed}")
    if not all(_FIRST_PLACE <= offset < file_size for offset in offsets[:needed]):
        raise DamageError(f"one of its {kind} lies outside of the file")
    if 0 in lengths[:needed]:
        raise DamageError(f"one of its {kind} is empty")


def _needed(kind: str, value_of: Callable[[int, Any], Any]) -> int:
    width, height = int(value_of(_WIDTH, 1)), int(value_of(_HEIGHT, 1))
    planes = int(value_of(_SAMPLES, 1)) if value_of(_PLANAR, 1) == 2 else 1
    if kind == "strips":
        rows = min(int(value_of(_ROWS, height)) or height, height)
        return planes * -(-height // rows)
    return planes * -(-width // int(value_of(_TILE_WIDTH, 1))) * -(-height // max(int(value_of(_TILE_HEIGHT, 1)), 1))


def _numbers(value: Any) -> tuple[int, ...]:
    return (value,) if isinstance(value, int) else tuple(value)


_COLOURS = {0: 1, 1: 1, 2: 3, 5: 4}  # photometric interpretation -> samples of colour: white is 0, black is 0, RGB, CMYK
_MOST_SAMPLES = 16  # per pixel: a lying header must not ask for more


def find(file: BinaryIO, request: Request) -> Decoder | None:
    """The decoder of a TIFF whose first page Pillow has no mode for; None for any other."""
    tags = _first_tags(file)
    if not plugins.is_deep_tiff(tags):
        if tags.get(259, 1) not in TiffImagePlugin.COMPRESSION_INFO:
            raise ImageError(f"tiff images packed by method {tags[259]} are not supported; save them with deflate or LZW")
        return None
    tifffile = plugins.deep_library("tifffile")
    plugins.deep_library("imagecodecs")
    logging.getLogger("tifffile").setLevel(logging.CRITICAL + 1)  # it logs what it then also raises
    file.seek(0)
    with _damage(tifffile.TiffFileError):
        pages = list(tifffile.TiffFile(file).pages)
    for page in pages:
        _check(page, request)
    first = pages[0]
    colours, alpha = _channels(first)
    size = first.imagelength, first.imagewidth
    dtype = "uint16" if first.dtype == np.uint16 else "float32"
    header = Header(
        "tiff",
        size[::-1] if _tag(first, 274, 1) > 4 else size,
        min(colours, 3) + alpha,
        dtype,
        alpha,
        len(pages),
        description=first.description or None,
    )
    frames = partial(_frames, pages, tifffile.TiffFileError)
    return Decoder(header, lambda: frames(None if request.salvage else file.seek(0, 2)))


@contextmanager
def _damage(error_of_tifffile: type[Exception]) -> Iterator[None]:
    """Let what tifffile says of a file, an error of its own kind before 2025, be what is told."""
    try:
        yield
    except error_of_tifffile as error:
        raise DamageError(str(error)) from error


def _frames(pages: list[Any], error_of_tifffile: type[Exception], file_size: int | None) -> Iterator[Raster]:
    for number, page in enumerate(pages, 1):
        with image_errors("damaged tiff" + (f", page {number}" if len(pages) > 1 else "")), _damage(error_of_tifffile):
            if file_size is not None:
                check(partial(_tag, page), file_size)
            raster = _image(page)
        yield raster


def _check(page: Any, request: Request) -> None:
    request.check_size(page.imagelength, page.imagewidth)
    kind = None
    if page.samplesperpixel > _MOST_SAMPLES or int(page.photometric) not in _COLOURS:
        kind = f"{page.samplesperpixel} channels and photometric {int(page.photometric)}"
    elif page.dtype is None or page.dtype.kind not in "biuf":
        kind = f"{page.bitspersample} bits and sample format {int(page.sampleformat)}"
    if kind:
        raise ImageError(f"deep tiff images of {kind} are not supported; convert them to RGB, or save them as .npy")


def _first_tags(file: BinaryIO) -> Any:
    """The tags of the first page, read by Pillow."""
    head = file.read(8)
    if b"+" in head[2:4]:
        head += file.read(8)
    tags = TiffImagePlugin.ImageFileDirectory_v2(head)
    file.seek(tags.next)
    tags.load(file)
    return tags


def _tag(page: Any, number: int, default: Any) -> Any:
    found = page.tags.get(number)
    return default if found is None else found.value


def _channels(page: Any) -> tuple[int, bool]:
    """Samples of colour of a page, and whether alpha follows: its extra samples say so, or say nothing of one sample more."""
    colours = _COLOURS[int(page.photometric)]
    kinds = [int(kind) for kind in page.extrasamples]
    return colours, page.samplesperpixel > colours and (not kinds or kinds[0] in (1, 2))


def _image(page: Any) -> Raster:
    samples = _samples(page)
    largest = int(np.iinfo(samples.dtype).max) if samples.dtype.kind == "u" else 1
    colours, alpha = _channels(page)
    pixels = samples[..., :colours]
    if int(page.photometric) == 0:
        pixels = largest - pixels
    if colours == 4:
        pixels = _rounded((largest - pixels[..., :3].astype(np.float64)) * (1 - pixels[..., 3:] / largest), samples.dtype)
    if alpha:
        cover = samples[..., colours : colours + 1]
        if 1 in [int(kind) for kind in page.extrasamples]:
            pixels = _unmultiplied(pixels, cover, largest)
        pixels = np.concatenate([pixels, cover], axis=2)
    orientation = int(_tag(page, 274, 1))
    info = {"icc_profile": _tag(page, 34675, None) if colours < 4 else None, "dpi": _resolution(page)}
    return Raster(metadata.upright(pixels, orientation), alpha, metadata.from_info(info, orientation))


def _samples(page: Any) -> NDArray[Any]:
    """The page as stored, (H, W, S) uint16 or float32; uint8 for a page of up to 8 bits, which may follow deeper ones."""
    samples = page.asarray(maxworkers=1)
    by_plane = page.samplesperpixel > 1 and int(page.planarconfig) == 2
    samples = np.moveaxis(samples, 0, -1) if by_plane else samples.reshape(page.imagelength, page.imagewidth, -1)
    bits = int(page.bitspersample)
    if samples.dtype == np.uint16:
        return full_range(samples, bits) if bits < 16 else samples
    if samples.dtype.kind in "bu" and bits <= 8:
        return samples.astype(np.uint8) * (255 // (2**bits - 1))
    return exact_float32(samples)


def _unmultiplied(pixels: NDArray[Any], cover: NDArray[Any], largest: int) -> NDArray[Any]:
    """Colour divided by its alpha, 0 where that is 0."""
    divided = np.divide(pixels * float(largest), cover, out=np.zeros(pixels.shape), where=cover > 0)
    return _rounded(np.clip(divided, 0, largest), pixels.dtype)


def _rounded(values: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    return (np.rint(values) if dtype.kind == "u" else values).astype(dtype)


def _resolution(page: Any) -> tuple[float, float] | None:
    per_inch = {2: 1.0, 3: 2.54}.get(int(_tag(page, 296, 2)))
    x, y = (_tag(page, number, (0, 1)) for number in (282, 283))
    return None if per_inch is None or not x[1] or not y[1] else (x[0] / x[1] * per_inch, y[0] / y[1] * per_inch)
