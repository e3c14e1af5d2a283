"""TIFF: read every page that is an image, with tifffile and imagecodecs. `writer` writes."""

import logging
import re
import struct
import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction
from io import BytesIO
from math import prod
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import tifffile

from imgconv.errors import ImageError
from imgconv.images.damage import DECODER_ERRORS, DamageError, TruncatedError, image_errors
from imgconv.images.decoder import Decoder, Request
from imgconv.images.metadata.exif import BIG_TIFF, CLASSIC, SIZES, Form
from imgconv.images.metadata.result import resampled
from imgconv.images.metadata.source import GDAL, of_tiff, upright
from imgconv.images.raster import DTYPES, Header, Metadata, Raster
from imgconv.images.rows import RowReader
from imgconv.images.sampling import Sampling
from imgconv.images.tiff import colors, segments, stacks
from imgconv.images.tiff.geotiff import NODATA
from imgconv.images.tiff.rows import TiffRows

_BITS, _PHOTOMETRIC, _MAKE, _ORIENTATION, _PALETTE, _SUB_PAGES, _DNG_VERSION = 258, 262, 271, 274, 320, 330, 50706  # tags
_NEEDED_TAGS = {*range(254, 321), *range(322, 340), 347, *range(529, 533)}  # those that pixels depend on
_LOGGED_TAG = re.compile(r"TiffTag (\d+) @")
_REDUCED, _IS_MASK = 1, 4  # bits of the subfile type
_MASK, _RAW_PHOTOMETRIC = 4, (32803, 34892)  # photometric interpretations: mask; colour filter array, linear raw
_OLD_JPEG = 6  # compression
_RAW_COMPRESSIONS = (262, 32767, 32769, 32770, 34713, 65000, 65535)  # of Kodak, Sony, Samsung, Nikon, Pentax
_SUB_DIRECTORIES, _OF_8_BYTES = 330, (16, 17, 18)  # tag; types
_PLACES = (273, 279, 324, 325)  # tags: offsets and lengths of strips and tiles
_MOST_ENTRIES = 1 << 20  # of all directories together; tifffile reads 200,000 a second
_FEWEST_ENTRIES = 16  # that a directory counts as, since a page takes time of its own
_MOST_IN_ONE = 4096  # entries of a directory, as in tifffile
_MOST_PLACES = 1 << 24  # of all strips and tiles; each takes 40 bytes
_TEXTS = (270, 347, 50839)  # tags: description, tables of JPEG, ImageJ's metadata
_MOST_NUMBERS = 1 << 18  # of any other tag; a palette of 16 bits has 3 << 16
_SHARED = 1 << 20  # bytes by which values may exceed the file, since pages may have some of them in common
_NUMBERS = (254, 256, 257, 259, 262, 266, 274, 277, 278, 284, 317, 322, 323, 332)  # tags of one number
_BYTE, _SHORT = 1, 3  # types
_HEADS = {b"II*\0": ("<", CLASSIC), b"MM\0*": (">", CLASSIC), b"II+\0": ("<", BIG_TIFF), b"MM\0+": (">", BIG_TIFF)}
Entry = tuple[int, int, int, int]  # tag, type, number of values, and the place of the entry in the file


logging.getLogger("tifffile").addHandler(logging.NullHandler())  # else what tifffile logs, and also raises, goes to stderr


class _Image(NamedTuple):
    """A page of tifffile, the page that is its transparency mask, and the page that it is a reduced copy of."""

    page: Any
    mask: Any = None
    whole: Any = None


def decoder(file: BinaryIO, request: Request) -> Decoder:
    """Return the decoder of a TIFF, BigTIFF or, with the extra `raw`, a camera raw file that is built like a TIFF.

    Every sample of a page becomes a channel, alpha the last one. Masks become alpha; reduced copies are not pages. Raises ImageError for
    what cannot be decoded, and for damage unless the request salvages.
    """
    with image_errors("damaged tiff"), _strict_log(request.salvage):
        file = _checked_directories(file, tifffile.TIFF.TAG_LOAD | {_PALETTE})
        pages = list(_opened(file).pages)
        if not pages:
            raise DamageError("it has no page")
        is_raw = any(_is_raw(page) for page in pages)
    if is_raw:
        if not any(tag in page.tags for page in pages for tag in (_MAKE, _DNG_VERSION)):
            raise ImageError("a colour filter array without the name of its camera is not supported; develop it to RGB first")
        with image_errors("damaged camera raw"):
            _check_raw(pages, request)
        from imgconv.images import raw

        return raw.decoder(file, request)
    with image_errors("damaged tiff"):
        images = _images(pages) if request.level is None else [_level(pages, request.level)]
        if any(int(image.page.compression) == _OLD_JPEG for image in images):
            from imgconv.images import pillow  # libtiff decodes it

            return pillow.decoder(file, "tiff", request)
        _check(images[0], request)
        header = _header(images)._replace(premultiplied=_stays_premultiplied(images[0], request))
        return Decoder(header, lambda: _frames(images, request), lambda: _rows(images, request))


def _opened(file: BinaryIO) -> Any:
    file.seek(0)
    try:
        return tifffile.TiffFile(file)
    except TypeError as error:  # where a tag has several values instead of one
        raise ImageError("tiff images whose samples differ in format are not supported; convert them to one format") from error


class _Messages(logging.Handler):
    """The errors that tifffile logs in this thread."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.messages: list[str] = []
        self._thread = threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        """Store the text of an error."""
        if record.thread == self._thread:
            self.messages.append(record.getMessage())


@contextmanager
def _strict_log(salvage: bool) -> Iterator[None]:
    """Raise DamageError for invalid tags and pages, which tifffile leaves out and logs."""
    handler = _Messages()
    logger = logging.getLogger("tifffile")
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
    for message in handler.messages:
        tag = _LOGGED_TAG.search(message)
        if "circular reference" in message:  # to a page that is read already
            continue
        if not salvage and (tag is None or int(tag[1]) in _NEEDED_TAGS):
            raise DamageError(f"tag {tag[1]} is invalid" if tag else "the offset of a page is invalid")


def _sub_pages(page: Any) -> list[Any]:
    """Return the pages that belong to a page; none where their directories are damaged, since they are copies."""
    try:
        return list(page.pages or ()) if _SUB_PAGES in page.tags else []
    except DECODER_ERRORS:
        return []


def _is_raw(page: Any) -> bool:
    """Return whether a page, or a page of it, has the unprocessed pixels of a camera; the others are previews then."""
    pages = [page, *_sub_pages(page)]
    return any(int(each.photometric) in _RAW_PHOTOMETRIC or int(each.compression) in _RAW_COMPRESSIONS for each in pages) or (
        _DNG_VERSION in page.tags
    )


def _check_raw(pages: list[Any], request: Request) -> None:
    """Raise TruncatedError where the unprocessed pixels go on behind the end of the file, for which LibRaw puts black."""
    size = pages[0].parent.filehandle.size
    for page in (each for first in pages for each in (first, *_sub_pages(first)) if int(each.photometric) in _RAW_PHOTOMETRIC):
        if not request.salvage and any(sum(place) > size for place in zip(page.dataoffsets, page.databytecounts, strict=False)):
            raise TruncatedError


def _images(pages: list[Any]) -> list[_Image]:
    """Return the pages that are images. A reduced copy is not one, unless a page of its own is larger or there is nothing else."""
    images: list[_Image] = []
    for page in pages:
        larger = [each for each in _sub_pages(page) if not each.subfiletype & (_REDUCED | _IS_MASK) and _area(each) > _area(page)]
        page = max(larger, key=_area, default=page)
        if page.subfiletype & _REDUCED:
            continue
        if not _is_mask(page):
            own_mask = [each for each in _sub_pages(page) if _is_mask(each) and _area(each) == _area(page)]
            images.append(_Image(page, *own_mask[:1]))
        elif images:
            images[-1] = images[-1]._replace(mask=page)
    return images or [_Image(page) for page in pages]


def _level(pages: list[Any], number: int) -> _Image:
    """Return a reduced copy of the first image: those of its own directory, of the format, or the reduced pages of the file."""
    first = _images(pages)[0]
    if number == 0:
        return first
    image = first.page
    copies = [level.pages[0].aspage() for level in image.parent.series[0].levels[1:]]
    copies = copies or [each for each in pages if each.subfiletype & _REDUCED]
    copies = sorted((each for each in copies if not _is_mask(each) and _area(each) < _area(image)), key=_area, reverse=True)
    if number > len(copies):
        raise ImageError(f"level {number} does not exist; the image has {len(copies)} reduced {'copy' if len(copies) == 1 else 'copies'}")
    return _Image(copies[number - 1], whole=image)


def _is_mask(page: Any) -> bool:
    return int(page.photometric) == _MASK or bool(page.subfiletype & _IS_MASK)


def _area(page: Any) -> int:
    return int(page.imagewidth * page.imagelength)


def _check(image: _Image, request: Request) -> None:
    """Raise ImageError unless a page and its mask can be decoded, by their tags."""
    for page in image[: 1 + (image.mask is not None)]:
        request.check_size(page.imagelength, page.imagewidth)
        if _PHOTOMETRIC not in page.tags:  # as libtiff assumes
            is_fax = int(page.compression) in segments.FAX
            page.photometric = type(page.photometric)(2 if page.samplesperpixel >= 3 else int(not is_fax))
        if int(page.compression) not in segments.COMPRESSIONS:
            raise ImageError(f"tiff compression {int(page.compression)} is not supported; save the image with deflate or LZW")
        if not (colors.is_supported(page) and segments.is_supported(page)):
            raise ImageError(f"tiff images of {_kind(page)} are not supported; convert them to RGB, or save them as .npy")
        segments.check_tiles(page)
        if _BITS not in page.tags and not request.salvage:
            _check_bits(page)
        segments.set_decoder(page)
        request.check_samples(prod(page.shaped))
    if image.mask is not None and (image.mask.imagelength, image.mask.imagewidth) != (image.page.imagelength, image.page.imagewidth):
        raise ImageError("tiff images with a mask of another size are not supported; save the mask as an alpha channel")


def _check_bits(page: Any) -> None:
    """Raise DamageError where the default of the number of bits, which is missing, contradicts the data."""
    is_bilevel = page.samplesperpixel == 1 and (int(page.compression) in segments.FAX or segments.has_declared_bits(page))
    if not is_bilevel:
        raise DamageError(f"tag {_BITS} is missing")


def _kind(page: Any) -> str:
    compression = "" if int(page.compression) == 1 else f", compression {int(page.compression)}"
    bits = f"{page.bitspersample} bits and sample format {int(page.sampleformat)}"
    return f"{page.samplesperpixel} channels, photometric {int(page.photometric)}{compression}, {bits}"


def _header(images: list[_Image]) -> Header:
    page, mask, whole = images[0]
    size = page.imagelength, page.imagewidth
    alpha = colors.alpha_index(page) is not None
    channels = colors.channels_of(page) + (mask is not None and not alpha)
    upright_size = size[::-1] if _orientation(page) > 4 else size
    has_alpha = alpha or mask is not None
    tags = (whole or page).tags
    dtype, measured, declares_missing = colors.dtype_of(page), any(tag in tags for tag in GDAL), NODATA in tags
    text = page.description or None
    if text and stacks.stack_of(page, len(images), channels):
        text, measured = stacks.recipe_in(text) or text, True
    return Header(
        "tiff",
        upright_size,
        channels,
        dtype,
        has_alpha,
        len(images),
        description=text,
        measured=measured,
        declares_missing=declares_missing,
    )


def _stays_premultiplied(image: _Image, request: Request) -> bool:
    """Return whether the colours of an image stay multiplied by alpha, as it stores them."""
    return request.premultiplied and colors.is_premultiplied(image.page)


def _frames(images: list[_Image], request: Request) -> Iterator[Raster]:
    for number, image in enumerate(images, 1):
        with image_errors("damaged tiff" + (f", page {number}" if len(images) > 1 else "")):
            _check(image, request)
            _check_depth(number, image.page, images[0].page)
            raster = _raster(image, request)
        stack = stacks.stack_of(images[0].page, len(images), raster.channels)
        yield replace(raster, metadata=raster.metadata._replace(stack=stack)) if stack else raster


def _check_depth(number: int, page: Any, first: Any) -> None:
    if DTYPES.index(colors.dtype_of(page)) > DTYPES.index(colors.dtype_of(first)):
        raise ImageError(f"page {number} is deeper than the first page; save it as a file of its own")


def _raster(image: _Image, request: Request) -> Raster:
    page, mask, _ = image
    premultiplied = _stays_premultiplied(image, request)
    pixels, alpha = colors.pixels_of(page, segments.samples_of(page, salvage=request.salvage), premultiplied=premultiplied)
    if mask is not None:
        pixels = colors.with_mask(pixels, alpha, segments.samples_of(mask, salvage=request.salvage)[..., :1], premultiplied=premultiplied)
    pixels = upright(pixels, _orientation(page))
    alpha = alpha or mask is not None
    metadata = _metadata(image, pixels.shape[:2], pixels.shape[2], alpha=alpha)
    return Raster(pixels, alpha, metadata, premultiplied=premultiplied)


def _rows(images: list[_Image], request: Request) -> Sequence[RowReader] | None:
    """Return the rows of each page; None where the rows of one are columns of the file. Raises ImageError as `_frames` does."""
    readers: list[RowReader] = []
    for number, image in enumerate(images, 1):
        page, mask, _ = image
        if _orientation(page) > 4:
            return None
        with image_errors("damaged tiff" + (f", page {number}" if len(images) > 1 else "")):
            _check(image, request)
            header = _header([image])._replace(premultiplied=_stays_premultiplied(image, request))
            _check_depth(number, page, images[0].page)
            metadata = _metadata(image, header.size, header.channels, alpha=header.alpha)
            stack = stacks.stack_of(images[0].page, len(images), header.channels)
            metadata = metadata._replace(stack=stack) if stack else metadata
            readers.append(TiffRows(page, mask, _orientation(page), header, metadata, salvage=request.salvage))
    return readers


def _metadata(image: _Image, size: tuple[int, int], channels: int, *, alpha: bool) -> Metadata:
    """Return the metadata of a page; those of a reduced copy are those of the image that it is of, adapted to its size."""
    page, whole = image.page, image.whole if image.whole is not None and _orientation(image.whole) == 1 else None
    if whole is None:
        metadata = of_tiff(page.parent.filehandle, page.offset, size, channels)
    else:
        whole_size = whole.imagelength, whole.imagewidth
        metadata = of_tiff(whole.parent.filehandle, whole.offset, whole_size, channels)
        down, across = (_step(cells, copies) for cells, copies in zip(whole_size, size, strict=True))
        sampling = Sampling(size, (down, across), (float(down - 1) / 2, float(across - 1) / 2))
        metadata = resampled(metadata, sampling, whole_size)
    is_rgb, colours = int(page.photometric) == colors.RGB, channels - alpha
    is_grey = int(page.photometric) in (colors.BLACK_IS_ZERO, colors.WHITE_IS_ZERO)
    rgb_bands = 0 if is_grey and colours > 2 else channels if is_rgb and colours > 3 else None
    return metadata._replace(rgb_bands=rgb_bands)


def _step(cells: int, copies: int) -> Fraction:
    """Return how many cells one cell of a reduced copy is made of: a power of two if a rest of them was left out."""
    power = 1 << (cells // copies).bit_length() - 1
    return Fraction(power) if cells // power == copies else Fraction(cells, copies)


def _orientation(page: Any) -> int:
    value = int(np.ravel(page.tags.valueof(_ORIENTATION, 1))[0])
    return value if 1 <= value <= 8 else 1


def _checked_directories(file: BinaryIO, loaded: Collection[int]) -> BinaryIO:
    """Return the file for tifffile: itself, or a copy where numbers of one byte have two, since tifffile gives bytes for them.

    `loaded` are the tags whose values are read with the directory. Raises ImageError for directories that no image needs: too many of
    them, too many entries, or values larger than the file. Damage is found by those who read the directories.
    """
    size = file.seek(0, 2)
    left, places = size + _SHARED, _MOST_PLACES
    entries, short = _MOST_ENTRIES, []
    for directory in _all_directories(file):
        entries -= max(len(directory), _FEWEST_ENTRIES)
        if entries < 0:
            raise ImageError(f"its directories have more than {_MOST_ENTRIES} entries; save its pages in several files")
        for tag, kind, count, place in directory:
            if (kind, count) == (_BYTE, 1) and tag in _NUMBERS:
                short.append(place)
            length = SIZES.get(kind, 0) * count
            if tag not in loaded or length > size:  # values beyond the end of the file are not read
                continue
            left, places = left - length, places - count * (tag in _PLACES)
            if left < 0 or places < 0 or (count > _MOST_NUMBERS and tag not in (*_PLACES, *_TEXTS)):
                raise ImageError(f"tag {tag} has {count} values, more than any image needs; save the image again")
    return _widened(file, short) if short else file


def _widened(file: BinaryIO, places: list[int]) -> BinaryIO:
    """Return a copy of a file in which the entries at some places have the type of 16 bits."""
    file.seek(0)
    data = bytearray(file.read())
    order, form = _HEADS[bytes(data[:4])]
    for place in places:
        at = place + struct.calcsize(order + form.entry)
        struct.pack_into(order + "H", data, place + 2, _SHORT)
        struct.pack_into(order + "H", data, at, data[at])
    return BytesIO(data)


def _all_directories(file: BinaryIO) -> Iterator[list[Entry]]:
    """Yield the entries of each directory of the chain, and of the directories of each; a loop ends the chain."""
    file.seek(0)
    head = file.read(16)
    if head[:4] not in _HEADS:
        return
    order, form = _HEADS[head[:4]]
    (offset,) = struct.unpack_from(order + form.offset, head.ljust(16, b"\0"), form.room)
    seen: set[int] = set()
    while offset and offset not in seen:
        seen.add(offset)
        directory, offset, others = _directory(file, offset, order, form)
        yield directory
        for other in others:
            yield _directory(file, other, order, form)[0]


def _directory(file: BinaryIO, offset: int, order: str, form: Form) -> tuple[list[Entry], int, Iterator[int]]:
    """Return the entries at `offset`, where the next directory is, and the offsets of the directories that belong to this one."""
    file.seek(offset)
    count = _number(file, order + form.number)
    if count > _MOST_IN_ONE:
        return [], 0, iter(())
    entry = struct.Struct(f"{order}{form.entry}{form.room}s")
    table = file.read(count * entry.size)
    entries = list(entry.iter_unpack(table[: len(table) - len(table) % entry.size]))
    following = _number(file, order + form.offset)
    others = [(kind, number, value) for tag, kind, number, value in entries if tag == _SUB_DIRECTORIES]
    first = offset + struct.calcsize(order + form.number)
    placed = [(tag, kind, number, first + index * entry.size) for index, (tag, kind, number, _) in enumerate(entries)]
    return placed, following, _offsets(file, *others[0], order, form) if others else iter(())


def _offsets(file: BinaryIO, kind: int, count: int, value: bytes, order: str, form: Form) -> Iterator[int]:
    """Yield the offsets in a tag of directories, one by one, since there may be more of them than are allowed."""
    number = struct.Struct(order + ("Q" if kind in _OF_8_BYTES else "I"))
    for index in range(count):
        data = value[index * number.size :]
        if count * number.size > len(value):
            file.seek(struct.unpack(order + form.offset, value)[0] + index * number.size)
            data = file.read(number.size)
        if len(data) < number.size:
            return
        yield number.unpack(data[: number.size])[0]


def _number(file: BinaryIO, code: str) -> int:
    data = file.read(struct.calcsize(code))
    return int(struct.unpack(code, data)[0]) if len(data) == struct.calcsize(code) else 0
