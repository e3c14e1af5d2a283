"""The strips and tiles of a TIFF page: read, decoded, and refused where bytes are missing."""

import struct
import zlib
from collections.abc import Iterator
from contextlib import suppress
from io import BytesIO
from math import ceil, prod
from typing import Any

import imagecodecs
import numpy as np
import tifffile
from numpy.typing import NDArray

from imgconv.errors import ImageError, reason
from imgconv.images import embedded, jpeg, jpeg2000, plugins, webp
from imgconv.images.damage import DECODER_ERRORS, DamageError, TruncatedError

FAX = (2, 3, 4)  # CCITT Group 3 and 4, which libtiff decodes
_JPEG = (7, 33007, 34892)
_JPEG_2000, _JPEG_XR = (33003, 33004, 33005, 34712), (22610, 34934)
_BYTES = (1, 5, 8, 32773, 32946, 34925, 34926, 50000)  # of bytes in any meaning: none, LZW, deflate, PackBits, LZMA, Zstandard
_DEFLATE = (8, 32946)
_KINDS: dict[embedded.Kind, tuple[int, ...]] = {  # of images that a segment can be
    "JPEG": _JPEG,
    "JPEG 2000": _JPEG_2000,
    "JPEG XR": _JPEG_XR,
    "JPEG XL": (50002, 52546),
    "PNG": (34933,),
    "WebP": (50001, 34927),
    "LERC": (34887,),
}
_EMBEDDED = {compression: kind for kind, compressions in _KINDS.items() for compression in compressions}
COMPRESSIONS = (*FAX, *_BYTES, *_EMBEDDED)

_GREY, _RGB, _YCBCR = 1, 2, 6  # photometric interpretations
_LSB_FIRST = 2  # fill order
_ROWS_PER_STRIP = 278  # tag
_FIRST_OFFSET = 8  # the header precedes it
_LARGEST_TILE = 1 << 24  # pixels; a larger one must not exceed the image four times
_PACKBITS_RUN = 130  # bytes; an incomplete run is dropped

_XR_OFFSET, _XR_LENGTH = 0xBCC0, 0xBCC1  # tags of a JPEG XR file
_XR_TAGS = {*range(0xBC01, 0xBC05), *range(0xBC80, 0xBC84), *range(0xBCC0, 0xBCC6)}
_XR_SIGNATURE = b"WMPHOTO\0"
_XR_DEPTHS = {1: (0, 1, 15), 2: (2, 3, 4), 4: (6, 7)}  # bytes of a sample -> codes of depths
_MOST_ZEROS = 128  # bytes for each channel: the last blocks of a flat image take 30, those of noise with a flat right edge 80

_FILL_ORDER, _GROUP_3, _GROUP_4, _OFFSET = 266, 292, 293, 273  # tags
_FAX_OPTIONS = {3: _GROUP_3, 4: _GROUP_4}  # compression -> the tag of its options
_LONG = 4  # the type of a tag
# Codes of black pixels that can follow a fax: they change no pixel of a complete one.
_FAX_TAILS = [bytes.fromhex(pattern) * 64 for pattern in ("ff", "26b4d69ad3", "355535aa6d", "0137a9c45b6e")]
_MOST_UNUSED_FAX = 32  # bytes after the last row; end marks take up to 10


def samples_of(page: Any, *, salvage: bool) -> NDArray[Any]:
    """Return the samples (H, W, S) of a page as they are stored, in native byte order; colours that JPEG compresses are RGB.

    A sparse strip or tile, with offset and length 0, has the page's nodata value. Raises DamageError for one that lacks bytes; with
    `salvage` its readable part is used, and 0 for the rest.
    """
    planes = page.shaped[0]
    pixels = np.zeros(page.shaped, page.dtype)
    if page.nodata and 0 in page.databytecounts:
        pixels[...] = page.nodata
    for index in range(needed_segments(page, salvage)):
        offset, length = page.dataoffsets[index], page.databytecounts[index]
        if not offset and not length:
            continue
        try:
            segment, (plane, _, top, left, _) = decoded(page, index, stored(page, offset, length), salvage)
        except DECODER_ERRORS as error:
            if salvage:
                continue
            raise DamageError(f"{place_of(page, index)}: {reason(error)}") from error
        target = pixels[plane, 0, top : top + segment.shape[0], left : left + segment.shape[1]]
        target[...] = segment[: target.shape[0], : target.shape[1]]
    pixels = highest_byte_first(page, pixels)
    return pixels[0, 0] if planes == 1 else np.moveaxis(pixels[:, 0, ..., 0], 0, -1)


def place_of(page: Any, index: int) -> str:
    """Return which strip or tile it is, and where: in the rows and columns of tiles, from 1."""
    total = prod(page.chunked)
    if not page.is_tiled:
        return f"strip {index + 1} of {total}"
    down, across = -(-page.imagelength // page.tilelength), -(-page.imagewidth // page.tilewidth)
    return f"tile {index + 1} of {total} (row {index // across % down + 1}, column {index % across + 1})"


def highest_byte_first(page: Any, samples: NDArray[Any]) -> NDArray[Any]:
    """Return decoded samples, those of 24 bits as GDAL and tifffile write them in files of either byte order; tifffile swaps the other."""
    is_swapped = page.bitspersample == 24 and samples.dtype.kind == "u" and page.parent.byteorder == ">"
    return samples.byteswap() if is_swapped else samples


def stores_ycbcr(page: Any) -> bool:
    """Return whether the samples of a page are YCbCr: JPEG colours are RGB as soon as they are decoded."""
    return int(page.photometric) == _YCBCR and int(page.compression) not in _JPEG


def is_supported(page: Any) -> bool:
    """Return whether the segments of a page can be decoded, by its tags."""
    bits, predicted = page.bitspersample, int(page.predictor) != 1
    if predicted and page.compression in _BYTES and bits not in (8, 16, 32, 64):
        return False  # no program writes them, and the libraries disagree
    if stores_ycbcr(page) and (page.compression not in _BYTES or predicted or bits not in (8, 16)):
        return False
    if int(page.compression) in FAX and (bits != 1 or prod(page.shaped[4:]) != 1):
        return False
    if int(page.photometric) == _YCBCR and page.planarconfig != 1:
        return False
    if stores_ycbcr(page) and page.samplesperpixel != 3:
        return False
    return bool(page.shaped[1] == 1)


def check_tiles(page: Any) -> None:
    """Raise ImageError for tiles that are far larger than the image: each of them is decoded as a whole."""
    if page.is_tiled and _is_far_larger(page, page.tilelength, page.tilewidth):
        tile, image = f"{page.tilewidth}x{page.tilelength}", f"{page.imagewidth}x{page.imagelength}"
        raise ImageError(f"tiles of {tile} are not supported in a tiff of {image}; save the image in strips")


def _is_far_larger(page: Any, rows: int, columns: int) -> bool:
    return bool(rows * columns > max(4 * page.imagewidth * page.imagelength, _LARGEST_TILE))


def set_decoder(page: Any) -> None:
    """Let tifffile make the decoder of JPEG data that are samples as they are: it takes three of them for YCbCr, and planes for RGB."""
    if int(page.compression) not in _JPEG or int(page.photometric) == _YCBCR:
        return
    is_planar = page.planarconfig != 1
    if is_planar or page.samplesperpixel == 3:
        declared = page.photometric, page.extrasamples
        page.photometric, page.extrasamples = type(page.photometric)(_GREY if is_planar else _RGB), ()
        _ = page.decode  # made at the first access, and kept
        page.photometric, page.extrasamples = declared


def needed_segments(page: Any, salvage: bool) -> int:
    """Return the number of segments; raise DamageError unless each of them is inside the file, or sparse."""
    needed = prod(page.chunked)
    kind = "tiles" if page.is_tiled else "strips"
    entries = list(zip(page.dataoffsets, page.databytecounts, strict=False))[:needed]
    if salvage:
        return len(entries)
    if len(entries) < needed:
        raise DamageError(f"expected {needed} {kind}, got {len(entries)}")
    size = page.parent.filehandle.size
    outside = [(offset or length) and not _FIRST_OFFSET <= offset < size for offset, length in entries]
    if any(outside):
        raise DamageError(f"{sum(outside)} of {needed} {kind} are outside the file; the first one is {place_of(page, outside.index(True))}")
    if any(offset and not length for offset, length in entries):
        raise DamageError(f"some of the {kind} are empty")
    return needed


def has_declared_bits(page: Any) -> bool:
    """Return whether the first strip or tile holds as many bytes as the page's bits of a sample make."""
    compression, size = int(page.compression), _most_bytes(page)
    with suppress(*DECODER_ERRORS):
        data = _turned(page, stored(page, page.dataoffsets[0], page.databytecounts[0]))
        return compression in _BYTES and len(_decompressed(compression, data, size + 1)) == size
    return False


def stored(page: Any, offset: int, length: int) -> bytes:
    """Return the bytes of a segment as they are in the file; fewer where the file ends before."""
    file = page.parent.filehandle
    file.seek(offset)
    data: bytes = file.read(max(0, min(length, file.size - offset)))
    return data


def decoded(page: Any, index: int, data: bytes, salvage: bool) -> tuple[NDArray[Any], tuple[int, ...]]:
    """Return a segment as (rows, columns, samples), and its position in the page: plane, depth, row, column, sample."""
    compression = int(page.compression)
    if stores_ycbcr(page):
        page.subsampling = (1, 1)  # else tifffile refuses to give the position
        _, position, shape = page.decode(None, index)
        return _upsampled(page, _bytes_of(page, data, shape, salvage), shape), position
    if compression in FAX:
        segment, position = _decoded_fax(page, index, data, salvage)
        return segment[0], position
    if compression in _EMBEDDED:
        rows, columns = _segment_size(page)
        declared = int(page.tags.valueof(_ROWS_PER_STRIP, rows))
        if not page.is_tiled and not _is_far_larger(page, declared, columns):
            rows = max(rows, declared)  # some programs do not cut the last strip
        embedded.check_size(_EMBEDDED[compression], data, rows, columns)
    options = {"jpegtables": page.jpegtables, "jpegheader": page.jpegheader} if compression in _JPEG else {}
    if compression in _JPEG_XR:
        _check_jpeg_xr(data, page.dtype.itemsize, page.samplesperpixel, salvage)
    try:
        segment, position, _ = page.decode(data, index, **options)
    except DECODER_ERRORS:
        if compression not in _BYTES:
            raise
        _, position, shape = page.decode(None, index)
        segment = page.decode(_packed_again(page, _bytes_of(page, data, shape, salvage)), index)[0]
    if not salvage:
        _check_complete(page, index, data, segment, options)
    return segment[0], position


def _check_complete(page: Any, index: int, data: bytes, segment: NDArray[Any], options: dict[str, Any]) -> None:
    """Raise TruncatedError for a segment whose decoder fills in what is missing without an error.

    The pixels of a complete segment do not depend on the bytes that follow it.
    """
    compression = int(page.compression)
    if compression in _JPEG_2000:
        jpeg2000.check_complete(data)
    if compression in _JPEG:
        if len(data) < page.databytecounts[index]:  # the file ends before
            raise TruncatedError
        jpeg.check_complete(data, segment, lambda other: page.decode(other, index, **options)[0], page.jpegtables)
    if compression in _KINDS["WebP"] and (other := webp.with_other_end(data)):
        again = None
        with suppress(*DECODER_ERRORS):  # the other data are damage where they are pixels
            again = page.decode(other, index)[0]
        if again is not None and np.array_equal(again, segment):
            raise TruncatedError


def _check_jpeg_xr(data: bytes, itemsize: int, channels: int, salvage: bool) -> None:
    """Raise DamageError for a JPEG XR file that jxrlib does not refuse: it writes to stderr, crashes, or fills in what is missing.

    More zeros at its end than codes end with are not data.
    """
    entries = embedded.xr_entries(data)
    start = entries.get(_XR_OFFSET, 0)
    stream = data[start : start + entries.get(_XR_LENGTH, 0)]
    if not entries.keys() <= _XR_TAGS or not stream.startswith(_XR_SIGNATURE) or stream[11:12] == b"":
        raise DamageError("the header of its JPEG XR image is wrong")
    if stream[11] & 15 not in _XR_DEPTHS.get(itemsize, ()):
        raise DamageError("the depth of its JPEG XR image differs from that of the page")
    if not salvage and (len(stream) < entries[_XR_LENGTH] or len(stream) - len(stream.rstrip(b"\0")) > _MOST_ZEROS * channels):
        raise TruncatedError


def _bytes_of(page: Any, data: bytes, shape: tuple[int, ...], salvage: bool) -> bytes:
    """Return the bytes of a segment of `shape` without their compression. Raises TruncatedError where some are missing."""
    _, rows, columns, _ = shape
    size = _byte_count(page, rows, columns)
    most = _most_bytes(page)
    data = _turned(page, data)
    plain = _readable(int(page.compression), data, most) if salvage else _decompressed(int(page.compression), data, most)
    if len(plain) < size and not salvage:
        raise TruncatedError
    return plain[:size].ljust(size, b"\0")


def _most_bytes(page: Any) -> int:
    """Return the bytes of the first segment, which is as large as any other."""
    return _byte_count(page, *_segment_size(page))


def _segment_size(page: Any) -> tuple[int, int]:
    """Return rows and columns of the first segment."""
    if page.is_tiled:
        return page.tilelength, page.tilewidth
    return min(page.rowsperstrip, page.imagelength), page.imagewidth


def _byte_count(page: Any, rows: int, columns: int) -> int:
    bits = int(page.bitspersample)
    if not stores_ycbcr(page):
        return rows * ceil(columns * (page.samplesperpixel if page.planarconfig == 1 else 1) * bits / 8)
    across, down = _subsampling(page)
    return ceil(rows / down) * ceil(columns / across) * (across * down + 2) * bits // 8


def _decompressed(compression: int, data: bytes, most: int) -> bytes:
    return data if compression == 1 else bytes(tifffile.TIFF.DECOMPRESSORS[compression](data, out=most))


def _readable(compression: int, data: bytes, most: int) -> bytes:
    """Return the bytes of a damaged segment that precede the damage."""
    if compression in _DEFLATE:
        return b"".join(_inflated(data, most))
    for dropped in range(_PACKBITS_RUN):
        with suppress(*DECODER_ERRORS):
            return _decompressed(compression, data[: len(data) - dropped], most)
    return b""


def _inflated(data: bytes, most: int) -> Iterator[bytes]:
    inflater, size = zlib.decompressobj(), 0
    with suppress(zlib.error):
        for first in range(0, len(data), 64):
            part = inflater.decompress(data[first : first + 64], most - size)
            size += len(part)
            yield part
            if size >= most:
                return


def _packed_again(page: Any, plain: bytes) -> bytes:
    """Return the bytes of a segment as the page stores them, for its decoder."""
    data = plain if page.compression == 1 else bytes(tifffile.TIFF.COMPRESSORS[page.compression](plain))
    return _turned(page, data)


def _turned(page: Any, data: bytes) -> bytes:
    """Return bytes with their bits the other way round where a page stores the lowest one first."""
    return bytes(imagecodecs.bitorder_decode(data)) if page.fillorder == _LSB_FIRST else data


def _subsampling(page: Any) -> tuple[int, int]:
    """Return how many luma samples a chroma sample covers, across and down."""
    across, down = page.tags.valueof(530, (2, 2))
    if across not in (1, 2, 4) or down not in (1, 2, 4):
        raise ImageError(f"chroma subsampling {across}x{down} is not supported; use 1, 2 or 4")
    return int(across), int(down)


def _upsampled(page: Any, plain: bytes, shape: tuple[int, ...]) -> NDArray[Any]:
    """Return YCbCr (rows, columns, 3) of units that hold a block of luma samples and the two chroma samples of the block."""
    _, rows, columns, _ = shape
    across, down = _subsampling(page)
    dtype = page.dtype.newbyteorder(page.parent.byteorder)
    units = np.frombuffer(plain, dtype).reshape(ceil(rows / down), ceil(columns / across), -1)
    luma = units[..., :-2].reshape(*units.shape[:2], down, across).swapaxes(1, 2).reshape(units.shape[0] * down, -1)
    chroma = units[..., -2:].repeat(down, axis=0).repeat(across, axis=1)
    return np.concatenate([luma[..., None], chroma], axis=2)[:rows, :columns].astype(page.dtype)


def _decoded_fax(page: Any, index: int, data: bytes, salvage: bool) -> tuple[NDArray[Any], tuple[int, ...]]:
    """Return a fax as (1, rows, columns, 1) bool, and its position in the page, as tifffile does.

    Raises DamageError for one that is damaged or lacks bytes, unless it is salvaged.
    """
    _, position, (_, rows, columns, _) = page.decode(None, index)
    if page.is_tiled:
        rows, columns = page.tilelength, page.tilewidth
    pixels = _decode_fax(page, data, rows, columns, salvage)
    if not salvage:
        _check_ends_of_fax(page, data, pixels)
    return pixels[None, ..., None], position


def _check_ends_of_fax(page: Any, data: bytes, pixels: NDArray[Any]) -> None:
    """Raise DamageError unless the pixels depend on the last bytes of the data, and on none that follow."""

    def is_enough(part: bytes) -> bool:
        return all(np.array_equal(_decode_fax(page, part + tail, *pixels.shape), pixels) for tail in _FAX_TAILS)

    if not is_enough(data):
        raise TruncatedError
    with suppress(OSError):
        if is_enough(data.rstrip(b"\0")[:-_MOST_UNUSED_FAX]):
            raise DamageError("data follow the last row")


def _decode_fax(page: Any, data: bytes, rows: int, columns: int, salvage: bool = False) -> NDArray[Any]:
    """Return the pixels of a fax, in which 0 is a white one. Raises OSError for the damage that libtiff reports."""
    image = plugins.open_image(BytesIO(_fax_file(page, data, rows, columns)), "tiff")
    plugins.load(image, salvage)
    if plugins.report.text and not salvage:
        raise OSError(plugins.report.text)
    return np.asarray(image)


def _fax_file(page: Any, data: bytes, rows: int, columns: int) -> bytes:
    """Return a TIFF of one strip, with the tags that libtiff needs."""
    compression = int(page.compression)
    tags = {256: columns, 257: rows, 258: 1, 259: compression, 262: 1, _FILL_ORDER: int(page.fillorder)}
    tags |= {_OFFSET: 0, 277: 1, 278: rows, 279: len(data)}
    if compression in _FAX_OPTIONS:
        tags[_FAX_OPTIONS[compression]] = int(page.tags.valueof(_FAX_OPTIONS[compression], 0))
    tags[_OFFSET] = 8 + 2 + 12 * len(tags) + 4
    entries = b"".join(struct.pack("<HHII", tag, _LONG, 1, value) for tag, value in sorted(tags.items()))
    return struct.pack("<4sIH", b"II*\0", 8, len(tags)) + entries + bytes(4) + data
