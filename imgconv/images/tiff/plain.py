"""Plain TIFF files, read without tifffile, whose import takes half of the time of a small image: one page of grey or RGB in strips.

Whatever else a file has, and every damaged one, is read by `tiff`, which gives the same pixels for plain files too.
"""

import struct
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from math import ceil
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from imgconv.images import embedded, jpeg
from imgconv.images.damage import DECODER_ERRORS, TruncatedError
from imgconv.images.decoder import Decoder, Request
from imgconv.images.deflate import DeflateError, fast_zlib
from imgconv.images.metadata.exif import SIZES
from imgconv.images.metadata.source import of_tiff, upright
from imgconv.images.raster import Header, Raster
from imgconv.images.rows import RowReader

_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _DESCRIPTION, _OFFSETS, _ORIENTATION = 256, 257, 258, 259, 262, 270, 273, 274
_SAMPLES, _ROWS, _COUNTS, _PREDICTOR, _ALPHA, _TABLES = 277, 278, 279, 317, 338, 347
_SUBSAMPLING = 530
_ONES = {254: 0, 266: 1, 284: 1, 339: 1}  # tags that must have this value: subfile type, fill order, planes, sample format
_NUMBERS = frozenset((_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _OFFSETS, _ORIENTATION))
_NUMBERS |= frozenset((_SAMPLES, _ROWS, _COUNTS, _PREDICTOR, _ALPHA, *_ONES))
_NEEDED = frozenset((_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _OFFSETS, _COUNTS))
# tags that describe an image and change no pixel: names, dates, resolution, subsampling of a JPEG, XMP, IPTC, Photoshop, ICC, EXIF, GPS
_OTHERS = frozenset((269, _DESCRIPTION, 271, 272, 280, 281, 282, 283, 285, 296, 297, 305, 306, 315, 316, 318, 319, _TABLES))
_OTHERS |= frozenset((_SUBSAMPLING, 531, 532, 700, 33432, 33723, 34377, 34665, 34675, 34853))
_GREY, _RGB, _YCBCR = 1, 2, 6  # photometric interpretations
_NONE, _LZW, _JPEG, _DEFLATE = 1, 5, 7, (8, 32946)  # compressions
_UNASSOCIATED = (2,)
_INTEGERS, _TEXTS = {3: "H", 4: "I"}, {_DESCRIPTION: (2,), _TABLES: (7,)}  # types of tags
_MOST_TAGS, _MOST_VALUES = 64, 1 << 20
_FIRST_OFFSET = 8  # the header precedes it


class _Strips(NamedTuple):
    """How a page is stored: rows of a strip, offset and length of each, and the tables that all of them share if they are JPEG."""

    photometric: int
    compression: int
    predicted: bool
    rows: int
    places: tuple[tuple[int, int], ...]
    tables: bytes | None


class _Page(NamedTuple):
    """A plain page: byte order and offset of its directory, what its pixels are, and how they are stored. Alpha is the last sample."""

    order: str
    offset: int
    size: tuple[int, int]
    samples: int
    dtype: str
    alpha: bool
    orientation: int
    description: str | None
    strips: _Strips


def decoder(file: BinaryIO, request: Request) -> Decoder:
    """Return the decoder of a TIFF file: the one here for a plain file, else that of `tiff`. Raises ImageError for too many pixels."""
    page = None if request.salvage or request.level else _plain_page(file)
    if page is None:
        return _full_decoder(file, request)
    request.check_size(*page.size)
    size = page.size[::-1] if page.orientation > 4 else page.size
    header = Header("tiff", size, page.samples, page.dtype, page.alpha, description=page.description)
    return Decoder(header, partial(_frames, file, page, request), partial(_rows, file, request))


def _full_decoder(file: BinaryIO, request: Request) -> Decoder:
    from imgconv.images.tiff import reader

    file.seek(0)
    return reader.decoder(file, request)


def _rows(file: BinaryIO, request: Request) -> Sequence[RowReader] | None:
    rows = _full_decoder(file, request).rows
    return None if rows is None else rows()


def _frames(file: BinaryIO, page: _Page, request: Request) -> Iterator[Raster]:
    try:
        pixels = _pixels(file, page)
    except (*DECODER_ERRORS, DeflateError):  # a strip lacks bytes, or is not what the tags say
        yield from _full_decoder(file, request).frames()
        return
    pixels = upright(pixels, page.orientation)
    yield Raster(pixels, page.alpha, of_tiff(file, page.offset, pixels.shape[:2], pixels.shape[2]))


def _plain_page(file: BinaryIO) -> _Page | None:
    """Return the only page of a file, or None for anything that is not plain."""
    head = file.read(_FIRST_OFFSET)
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(head[:4])
    if order is None or len(head) < _FIRST_OFFSET:
        return None
    (offset,) = struct.unpack(order + "I", head[4:])
    try:
        tags = _tags(file, order, offset)
        return _page(file.seek(0, 2), order, offset, tags) if tags else None
    except (struct.error, LookupError, ValueError):
        return None


def _tags(file: BinaryIO, order: str, offset: int) -> dict[int, Any] | None:
    """Return the numbers, and the bytes of other tags, of a directory; None if another one follows, or a tag is not one of a plain page."""
    file.seek(offset)
    (count,) = struct.unpack(order + "H", file.read(2))
    table = file.read(12 * count)
    if count > _MOST_TAGS or file.read(4) != bytes(4):
        return None
    tags: dict[int, Any] = {}
    for tag, kind, length, place in struct.iter_unpack(order + "HHI4s", table):
        kinds = _INTEGERS if tag in _NUMBERS else _TEXTS.get(tag, SIZES)
        if tag in tags or tag not in (_NUMBERS | _OTHERS) or length > _MOST_VALUES or kind not in kinds:
            return None
        value = place[: length * SIZES[kind]]
        if length * SIZES[kind] > len(place):
            (start,) = struct.unpack(order + "I", place)
            file.seek(start)
            value = file.read(length * SIZES[kind]) if start >= _FIRST_OFFSET else b""
        if len(value) < length * SIZES[kind]:
            return None
        tags[tag] = struct.unpack(f"{order}{length}{_INTEGERS[kind]}", value) if tag in _NUMBERS else value
    return tags if tags.keys() >= _NEEDED else None


def _page(file_size: int, order: str, offset: int, tags: dict[int, Any]) -> _Page | None:
    """Return the page that numbers describe, or None if it is not plain. Raises ValueError for several values where one is expected."""
    (height,), (width,), (compression,), (photometric,) = (tags[tag] for tag in (_HEIGHT, _WIDTH, _COMPRESSION, _PHOTOMETRIC))
    (samples,), (predictor,), (orientation,) = (tags.get(tag, (1,)) for tag in (_SAMPLES, _PREDICTOR, _ORIENTATION))
    rows = min(tags.get(_ROWS, (height,))[0], height)
    bits, alpha = tags[_BITS], tags.get(_ALPHA, ())
    colours = 1 if photometric == _GREY else 3
    text = tags.get(_DESCRIPTION, b"").rstrip(b"\0").decode("ascii")
    places = tuple(zip(tags[_OFFSETS], tags[_COUNTS], strict=True))
    is_plain = (
        width > 0
        and rows > 0
        and all(set(tags.get(tag, (value,))) == {value} for tag, value in _ONES.items())
        and photometric in ((_GREY, _YCBCR) if compression == _JPEG else (_GREY, _RGB))
        and compression in (_NONE, _LZW, _JPEG, *_DEFLATE)
        and len(bits) == samples == colours + len(alpha)
        and alpha in ((), _UNASSOCIATED)
        and set(bits) <= ({8} if compression == _JPEG else {8, 16})
        and len(set(bits)) == 1
        and predictor in ((1, 2) if compression in (_LZW, *_DEFLATE) else (1,))
        and 1 <= orientation <= 8
        and text == text.strip()
        and "\0" not in text
        and not text.startswith("ImageJ=")
        and not text.endswith("OME>")  # stacks of microscopes, also those of a single page
        and not (_SUBSAMPLING in tags if compression != _JPEG else alpha)
        and len(places) == ceil(height / rows)
        and all(start >= _FIRST_OFFSET and 0 < length <= file_size - start for start, length in places)
    )
    if not is_plain:
        return None
    strips = _Strips(photometric, compression, predictor == 2, rows, places, tags.get(_TABLES))
    return _Page(order, offset, (height, width), samples, f"uint{bits[0]}", bool(alpha), orientation, text or None, strips)


def _pixels(file: BinaryIO, page: _Page) -> NDArray[Any]:
    """Return the pixels (H, W, C) of a page. Raises an error of a decoder where a strip is damaged or lacks bytes."""
    height, width = page.size
    pixels = np.empty((height, width, page.samples), page.dtype)
    decode = _decode_jpeg if page.strips.compression == _JPEG else _decode_bytes
    for index, (offset, length) in enumerate(page.strips.places):
        file.seek(offset)
        target = pixels[index * page.strips.rows : (index + 1) * page.strips.rows]
        target[...] = decode(file.read(length), page, target.shape)
    return pixels


def _decode_bytes(data: bytes, page: _Page, shape: tuple[int, ...]) -> NDArray[Any]:
    """Return the samples of a strip that is stored as it is, or compressed as bytes."""
    dtype = np.dtype(page.dtype).newbyteorder(page.order)  # type: ignore[arg-type]
    size = int(np.prod(shape)) * dtype.itemsize
    plain = _decompressed(data, page.strips.compression, size)
    if len(plain) < size:
        raise TruncatedError
    samples = np.frombuffer(plain, dtype, int(np.prod(shape))).reshape(shape)
    return np.add.accumulate(samples, axis=1, dtype=page.dtype) if page.strips.predicted else samples


def _decompressed(data: bytes, compression: int, size: int) -> bytes:
    if compression == _NONE:
        return data
    if compression == _LZW:
        import imagecodecs

        return bytes(imagecodecs.lzw_decode(data, out=size))
    inflater = fast_zlib.decompressobj()
    plain: bytes = inflater.decompress(data, size + 1)  # one more, so that its end is reached and its checksum compared
    if not inflater.eof:
        raise TruncatedError
    return plain


def _decode_jpeg(data: bytes, page: _Page, shape: tuple[int, ...]) -> NDArray[Any]:
    """Return the samples of a strip that is a JPEG, of which tables can stand in a tag. Raises TruncatedError for a part of one."""
    import imagecodecs

    embedded.check_size("JPEG", data, shape[0], shape[1])
    outcolorspace = _RGB if page.strips.photometric == _YCBCR else None
    decode: Callable[[bytes], NDArray[Any]] = partial(imagecodecs.jpeg8_decode, tables=page.strips.tables, outcolorspace=outcolorspace)
    segment = decode(data)
    jpeg.check_complete(data, segment, decode, page.strips.tables)
    if segment.shape[:2] != shape[:2]:
        raise TruncatedError
    return segment.reshape(shape)
