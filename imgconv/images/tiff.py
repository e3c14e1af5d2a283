"""TIFF: check the strips and tiles of a page, decode pages with more depth than Pillow's modes, and write pages."""

import logging
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from io import BytesIO
from itertools import chain
from typing import Any, BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import TiffImagePlugin

from imgconv.errors import ImageError
from imgconv.images import tiff_tags
from imgconv.images.damage import DamageError, image_errors
from imgconv.images.deflate import fast_zlib
from imgconv.images.metadata import fitted, of_tiff, profile_fits, upright
from imgconv.images.modes import exact_float32, full_range
from imgconv.images.raster import Decoder, Header, Raster, Request

_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _ORIENTATION = 256, 257, 258, 259, 274
_SAMPLES, _ROWS, _X_RESOLUTION, _Y_RESOLUTION, _PLANAR, _UNIT = 277, 278, 282, 283, 284, 296
_TILE_WIDTH, _TILE_HEIGHT, _SAMPLE_FORMAT, _ICC_PROFILE = 322, 323, 339, 34675
_SEGMENTS = {"strips": (273, 279), "tiles": (324, 325)}  # tags of their offsets and lengths
_FIRST_OFFSET = 8  # the header precedes it
_OLD_JPEG = 6  # a compression whose offsets have another meaning
_COLOURS = {0: 1, 1: 1, 2: 3, 5: 4}  # photometric interpretation -> colour samples: white is 0, black is 0, RGB, CMYK
_MOST_SAMPLES = 16  # per pixel, so that a damaged header does not allocate more
_SIGNED, _FLOAT = 2, 3  # sample formats
_INCHES = {2: 1.0, 3: 2.54}  # resolution unit -> units in an inch

_STRIP = 1 << 18  # bytes of a strip before it is deflated
_LARGEST_FILE = (1 << 32) - (1 << 25)  # bytes: offsets have 32 bits, and the rest is for tags


def decoder(file: BinaryIO, request: Request) -> Decoder | None:
    """Return the decoder of a TIFF if Pillow has no mode for its first page, else None."""
    tags = _first_tags(file)
    if not _is_deep(tags):
        if tags.get(_COMPRESSION, 1) not in TiffImagePlugin.COMPRESSION_INFO:
            raise ImageError(f"tiff compression {tags[_COMPRESSION]} is not supported; save the image with deflate or LZW")
        return None
    import tifffile  # slow to import, and not needed for 8-bit images

    logging.getLogger("tifffile").setLevel(logging.CRITICAL + 1)  # tifffile logs what it also raises
    file.seek(0)
    pages = list(tifffile.TiffFile(file).pages)
    for page in pages:
        _check_supported(page, request)
    frames = partial(_deep_frames, pages)
    return Decoder(_deep_header(pages), lambda: frames(None if request.salvage else file.seek(0, 2)))


def check_page(image: Any, index: int, request: Request) -> None:
    """Raise ImageError for a page that Pillow would narrow or, unless the request salvages, fill where data is missing."""
    if index and _is_deep(image.tag_v2):
        raise ImageError("the page is deeper than the first page; save it as a file of its own")
    if not request.salvage:
        _check_segments(image.tag_v2.get, image.fp.seek(0, 2))


def encode(pages: Iterable[Raster], stream: BinaryIO, *, description: str | None = None) -> None:
    """Write pages of 8 or 16 bits or float32, grey or RGB, with or without alpha, each one as soon as it is available.

    Strips are deflated with ISA-L: 12 megapixels of RGB take 17 ms, and 55 ms with imagecodecs (2026-11, 2 cores). ICC profile and
    resolution are written where they apply. Raises ImageError where the file would exceed 4 GB.

    >>> file = BytesIO()
    >>> encode([Raster(np.zeros((2, 3, 3), np.float32))], file)
    >>> file.getvalue()[:4]
    b'II*\\x00'
    """
    import tifffile

    file = stream if stream.seekable() and stream.readable() else BytesIO()  # links to EXIF are written when a page is finished
    handle = tifffile.FileHandle(file, mode="wb", name="output.tiff", size=0)
    start = file.tell()
    remaining = iter(pages)
    first = next(remaining)
    order = tiff_tags.byte_order(first.metadata)
    with tifffile.TiffWriter(handle, byteorder=order) as writer:
        for page in chain([first], remaining):
            options = _page_options(page, description)
            with tiff_tags.directories(fitted(page.metadata, "tiff", page.channels), handle, order, description) as tags:
                writer.write(_strips(page, order, lambda: file.tell() - start), **options, extratags=tags)
    if isinstance(file, BytesIO) and file is not stream:
        stream.write(file.getbuffer())


def _page_options(page: Raster, description: str | None) -> dict[str, Any]:
    """Return the keyword arguments of `TiffWriter.write` for a page whose strips are deflated already."""
    metadata = page.metadata
    density = metadata.dpi or metadata.aspect
    return {
        "shape": page.pixels.shape if page.channels > 1 else page.size,
        "dtype": page.pixels.dtype,
        "rowsperstrip": _rows_per_strip(page.pixels),
        "photometric": "rgb" if page.channels - page.alpha == 3 else "minisblack",
        "planarconfig": "contig" if page.channels > 1 else None,
        "extrasamples": ["unassalpha"] if page.alpha else None,
        "compression": "adobe_deflate",
        "description": description.encode() if description else None,
        "resolution": [(round(value * 1000), 1000) for value in density] if density else None,
        "resolutionunit": ("inch" if metadata.dpi else "none") if density else None,
        "iccprofile": metadata.icc_profile if profile_fits(metadata.icc_profile, page.channels) else None,
        "software": False,
        "metadata": None,
    }


def _rows_per_strip(pixels: NDArray[Any]) -> int:
    return max(1, min(len(pixels), _STRIP // pixels[0].nbytes))


def _strips(page: Raster, order: Literal["<", ">"], written: Callable[[], int]) -> Iterator[bytes]:
    rows = _rows_per_strip(page.pixels)
    pixels = np.ascontiguousarray(page.pixels, page.pixels.dtype.newbyteorder(order))
    for first in range(0, len(pixels), rows):
        strip = fast_zlib.compress(pixels[first : first + rows], 1)
        if written() + len(strip) > _LARGEST_FILE:
            raise ImageError("a TIFF file holds at most 4 GB; write .npy")
        yield strip


def _check_segments(value_of: Callable[[int, Any], Any], file_size: int) -> None:
    """Raise DamageError unless a page has all strips or tiles that its size needs, each of them inside the file.

    Libraries decode a missing one as black. `value_of` returns the value of a tag, or the default that follows it.
    """
    if value_of(_COMPRESSION, 1) == _OLD_JPEG:
        return
    kind = "tiles" if value_of(_TILE_WIDTH, None) else "strips"
    offsets, lengths = (_numbers(value_of(tag, ())) for tag in _SEGMENTS[kind])
    needed = _segments_needed(kind, value_of)
    if len(offsets) < needed:
        raise DamageError(f"expected {needed} {kind}, got {len(offsets)}")
    if not all(_FIRST_OFFSET <= offset < file_size for offset in offsets[:needed]):
        raise DamageError(f"some of the {kind} are outside the file")
    if 0 in lengths[:needed]:
        raise DamageError(f"some of the {kind} are empty")


def _segments_needed(kind: str, value_of: Callable[[int, Any], Any]) -> int:
    width, height = int(value_of(_WIDTH, 1)), int(value_of(_HEIGHT, 1))
    planes = int(value_of(_SAMPLES, 1)) if value_of(_PLANAR, 1) == 2 else 1
    if kind == "strips":
        rows = min(int(value_of(_ROWS, height)) or height, height)
        return planes * -(-height // rows)
    return planes * -(-width // int(value_of(_TILE_WIDTH, 1))) * -(-height // max(int(value_of(_TILE_HEIGHT, 1)), 1))


def _numbers(value: Any) -> tuple[int, ...]:
    return (value,) if isinstance(value, int) else tuple(value)


def _first_tags(file: BinaryIO) -> Any:
    """Return the tags of the first page, read by Pillow."""
    head = file.read(8)
    if b"+" in head[2:4]:
        head += file.read(8)
    tags = TiffImagePlugin.ImageFileDirectory_v2(head)
    file.seek(tags.next)
    tags.load(file)
    return tags


def _is_deep(tags: Any) -> bool:
    """Return whether Pillow has no mode for a page: deep colour, 9 to 15 bits, wide integers, half floats, signed bytes."""
    bits: int = max(tags.get(_BITS, (1,)))
    formats = tags.get(_SAMPLE_FORMAT, (1,))
    if bits == 8 and _SIGNED in formats:
        return True
    if int(tags.get(_SAMPLES, 1)) > 1:
        return bits > 8
    return bits != 32 if _FLOAT in formats else 8 < bits < 16 or bits > 16


def _deep_header(pages: list[Any]) -> Header:
    first = pages[0]
    colours, alpha = _channels(first)
    size = first.imagelength, first.imagewidth
    dtype = "uint16" if first.dtype == np.uint16 else "float32"
    upright_size = size[::-1] if _tag(first, _ORIENTATION, 1) > 4 else size
    return Header("tiff", upright_size, min(colours, 3) + alpha, dtype, alpha, len(pages), description=first.description or None)


def _deep_frames(pages: list[Any], file_size: int | None) -> Iterator[Raster]:
    for number, page in enumerate(pages, 1):
        with image_errors("damaged tiff" + (f", page {number}" if len(pages) > 1 else "")):
            if file_size is not None:
                _check_segments(partial(_tag, page), file_size)
            raster = _deep_raster(page)
        yield raster


def _check_supported(page: Any, request: Request) -> None:
    request.check_size(page.imagelength, page.imagewidth)
    kind = None
    if page.samplesperpixel > _MOST_SAMPLES or int(page.photometric) not in _COLOURS:
        kind = f"{page.samplesperpixel} channels and photometric {int(page.photometric)}"
    elif page.dtype is None or page.dtype.kind not in "biuf":
        kind = f"{page.bitspersample} bits and sample format {int(page.sampleformat)}"
    if kind:
        raise ImageError(f"deep tiff images of {kind} are not supported; convert them to RGB, or save them as .npy")


def _tag(page: Any, number: int, default: Any) -> Any:
    tag = page.tags.get(number)
    return default if tag is None else tag.value


def _channels(page: Any) -> tuple[int, bool]:
    """Return the colour samples of a page, and whether alpha follows: by its extra samples, or one undeclared sample more."""
    colours = _COLOURS[int(page.photometric)]
    kinds = [int(kind) for kind in page.extrasamples]
    return colours, page.samplesperpixel > colours and (not kinds or kinds[0] in (1, 2))


def _deep_raster(page: Any) -> Raster:
    samples = _samples(page)
    max_value = int(np.iinfo(samples.dtype).max) if samples.dtype.kind == "u" else 1
    colours, alpha = _channels(page)
    pixels = samples[..., :colours]
    if int(page.photometric) == 0:
        pixels = max_value - pixels
    if colours == 4:
        pixels = _rounded((max_value - pixels[..., :3].astype(np.float64)) * (1 - pixels[..., 3:] / max_value), samples.dtype)
    if alpha:
        alpha_channel = samples[..., colours : colours + 1]
        if 1 in [int(kind) for kind in page.extrasamples]:
            pixels = _unpremultiplied(pixels, alpha_channel, max_value)
        pixels = np.concatenate([pixels, alpha_channel], axis=2)
    orientation = int(_tag(page, _ORIENTATION, 1))
    pixels = upright(pixels, orientation)
    return Raster(pixels, alpha, of_tiff(page.parent.filehandle, page.offset, pixels.shape[:2]))


def _samples(page: Any) -> NDArray[Any]:
    """Return the stored samples (H, W, S), uint16 or float32; uint8 for a page of up to 8 bits, which can follow deeper ones."""
    samples = page.asarray(maxworkers=1)
    planar = page.samplesperpixel > 1 and int(page.planarconfig) == 2
    samples = np.moveaxis(samples, 0, -1) if planar else samples.reshape(page.imagelength, page.imagewidth, -1)
    bits = int(page.bitspersample)
    if samples.dtype == np.uint16:
        return full_range(samples, bits) if bits < 16 else samples
    if samples.dtype.kind in "bu" and bits <= 8:
        return samples.astype(np.uint8) * (255 // (2**bits - 1))
    return exact_float32(samples)


def _unpremultiplied(pixels: NDArray[Any], alpha: NDArray[Any], max_value: int) -> NDArray[Any]:
    """Return colours divided by their alpha, 0 where alpha is 0."""
    divided = np.divide(pixels * float(max_value), alpha, out=np.zeros(pixels.shape), where=alpha > 0)
    return _rounded(np.clip(divided, 0, max_value), pixels.dtype)


def _rounded(values: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    return (np.rint(values) if dtype.kind == "u" else values).astype(dtype)


def _resolution(page: Any) -> tuple[float, float] | None:
    per_inch = _INCHES.get(int(_tag(page, _UNIT, 2)))
    x, y = (_tag(page, number, (0, 1)) for number in (_X_RESOLUTION, _Y_RESOLUTION))
    return None if per_inch is None or not x[1] or not y[1] else (x[0] / x[1] * per_inch, y[0] / y[1] * per_inch)
