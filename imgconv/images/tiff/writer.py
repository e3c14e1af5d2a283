"""Write TIFF: strips for images of usual size, tiles for large ones, and BigTIFF where offsets need more than 32 bits."""

import struct
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from io import BytesIO
from itertools import chain
from math import lcm
from typing import Any, BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray

from imgconv.ahead import in_order
from imgconv.errors import ImageError
from imgconv.images.deflate import LEVEL, fast_zlib
from imgconv.images.layout import Layout, half
from imgconv.images.metadata import exif as exif_of
from imgconv.images.metadata import iptc
from imgconv.images.metadata.result import fitted, profile_fits
from imgconv.images.raster import DEFAULT_ENCODING, Encoding, Metadata
from imgconv.images.rows import BandedImage, StoredRows, regrouped

_STRIP = 1 << 18  # bytes of a strip before it is deflated
_LARGEST_FILE = (1 << 32) - (1 << 25)  # bytes: offsets have 32 bits, and the rest is for tags
_LARGE = 1 << 28  # bytes of an image from which on it gets tiles, so that viewers can show a part of it
_TILE = 256
_NAMES = {"deflate": "adobe_deflate", "zstd": "zstd", "none": None}
_BYTE, _LONG, _UNDEFINED, _LONG_8 = 1, 4, 7, 16
# tifffile refuses the tags 34665 and 34853, since it writes no such directories; these stand for them until the page is written
_STAND_INS = {"exif": (34664, 34665), "gps": (34852, 34853)}
_WRITTEN = frozenset((exif_of.ORIENTATION, exif_of.X_RESOLUTION, exif_of.Y_RESOLUTION, exif_of.RESOLUTION_UNIT, 0x0100, 0x0101))
Tag = tuple[int, int, int, Any, bool]


def encode(pages: Iterable[BandedImage], stream: BinaryIO, encoding: Encoding = DEFAULT_ENCODING) -> None:
    """Write pages of 8 or 16 bits, float32 or float64, of any number of bands, with or without alpha, each one as soon as it is available.

    ICC profile and resolution are written where they apply. The first page decides whether offsets have 64 bits. Raises ImageError where
    the file would exceed 4 GB without them.

    >>> file = BytesIO()
    >>> encode([BandedImage((2, 3, 3), np.dtype(np.float32), [np.zeros((2, 3, 3), np.float32)])], file)
    >>> file.getvalue()[:4]
    b'II*\\x00'
    """
    import tifffile

    layout = encoding.layout or Layout()
    file = stream if stream.seekable() and stream.readable() else BytesIO()  # links to EXIF are written when a page is finished
    handle = tifffile.FileHandle(file, mode="wb", name="output.tiff", size=0)
    start = file.tell()
    remaining = iter(pages)
    first = next(remaining)
    order = byte_order(first.metadata)
    is_big = first.nbytes * (4 / 3 if layout.pyramid else 1) > _LARGEST_FILE
    with tifffile.TiffWriter(handle, byteorder=order, bigtiff=is_big) as writer:
        for page in chain([first], remaining):
            text = _text_of(page, encoding.description, is_first=page is first)
            options = _page_options(page, layout, text)
            metadata = fitted(page.metadata, "tiff", page.channels)
            most = None if is_big else start + _LARGEST_FILE
            levels, nodata = list(_levels(page, layout)), _nodata_tags(metadata)
            with ExitStack() as spools, directories(metadata, handle, order, text, is_big=is_big) as tags:
                options |= {"extratags": tags, "subifds": len(levels)} if levels else {"extratags": tags}
                for level in [*levels, None]:
                    spool = None if level is None else spools.enter_context(tempfile.TemporaryFile())
                    if spool is not None:
                        page.bands = halved(replace(page), spool)
                    writer.write(_within(_segments(page, layout, order), file.tell, most), **options)
                    if level is not None and spool is not None:
                        spool.seek(0)
                        page = replace(level, bands=_spooled(level, spool))
                        options = _page_options(page, layout, None) | {"subfiletype": 1, "extratags": nodata}
    if isinstance(file, BytesIO) and file is not stream:
        stream.write(file.getvalue())


def stored(page: BandedImage, layout: Layout | None, order: Literal["<", ">"]) -> StoredRows:
    """Return some rows of a page, which is one of a file of this byte order; they begin at a multiple of `unit_of(page, layout)`."""
    layout, spool = layout or Layout(), BytesIO()
    if next(_levels(page, layout), None) is not None:
        page = replace(page, bands=halved(replace(page), spool))
    return StoredRows(list(_segments(page, layout, order)), spool.getvalue())


def unit_of(page: BandedImage, layout: Layout | None) -> int:
    """Return how many rows are stored together, and averaged together for a reduced copy."""
    layout = layout or Layout()
    tile = _tile_of(page, layout)
    rows = tile[0] if tile else _rows_per_strip(page)
    return lcm(rows, _TILE) if layout.pyramid else rows


def _tile_of(page: BandedImage, layout: Layout) -> tuple[int, int] | None:
    """Return the size of the tiles of a page; None for strips."""
    is_tiled = layout.compression is not None or layout.pyramid or page.nbytes > _LARGE
    return layout.tile or ((_TILE, _TILE) if is_tiled else None)


def _levels(page: BandedImage, layout: Layout) -> Iterator[BandedImage]:
    """Yield the reduced copies of a page, without their bands."""
    (height, width, channels), tile = page.shape, _tile_of(page, layout) or (_TILE, _TILE)
    while layout.pyramid and (height > tile[0] or width > tile[1]) and min(height, width) > 1:
        height, width = height // 2, width // 2
        yield BandedImage((height, width, channels), page.dtype, (), page.alpha, Metadata(nodata=page.metadata.nodata))


def halved(page: BandedImage, spool: BinaryIO) -> Iterator[NDArray[Any]]:
    """Yield the bands of a page, and write their averages over 2x2 pixels into a file; an odd last row or column is left out."""
    if page.are_stored:
        for rows in page.bands:
            spool.write(rows.averages)
            yield rows
        return
    for band in regrouped(page.bands, _TILE):
        spool.write(half(band, page.metadata.nodata, alpha=page.alpha).tobytes())
        yield band


def _spooled(page: BandedImage, spool: BinaryIO) -> Iterator[NDArray[Any]]:
    for first in range(0, page.shape[0], _TILE):
        rows = min(_TILE, page.shape[0] - first)
        yield np.frombuffer(spool.read(rows * page.row_bytes), page.dtype).reshape(rows, *page.shape[1:])


def _text_of(page: BandedImage, description: str | None, *, is_first: bool) -> str | None:
    """Return the description of a page: of the first one of a stack its axes with the recipe, of the others of a stack none."""
    stack = page.metadata.stack
    if stack is None:
        return description
    return stack.written((page.shape[0], page.shape[1]), page.dtype, description) if is_first else None


def _page_options(page: BandedImage, layout: Layout, description: str | None) -> dict[str, Any]:
    """Return the keyword arguments of `TiffWriter.write` for a page whose strips or tiles are compressed already."""
    metadata, colours, tile = page.metadata, page.channels - page.alpha, _tile_of(page, layout)
    is_rgb = (colours == 3 and metadata.rgb_bands != 0) or metadata.rgb_bands == page.channels
    bands = colours - (3 if is_rgb else 1)
    extra = ["unspecified"] * bands + ["unassalpha"] * page.alpha
    stacked = metadata.stack.density if metadata.stack else None
    density = metadata.dpi or stacked or metadata.aspect
    scale = 1_000_000 if stacked else 1000
    return {
        "shape": page.shape if page.channels > 1 else page.shape[:2],
        "dtype": page.dtype,
        **({"tile": tile} if tile else {"rowsperstrip": _rows_per_strip(page)}),
        "photometric": "rgb" if is_rgb else "minisblack",
        "planarconfig": "contig" if page.channels > 1 else None,
        "extrasamples": extra or None,
        "compression": _NAMES[layout.compression or "deflate"],
        "description": description.encode() if description else None,
        "resolution": [(round(value * scale), scale) for value in density] if density else None,
        "resolutionunit": ("inch" if metadata.dpi else "none") if density else None,
        "iccprofile": metadata.icc_profile if profile_fits(metadata.icc_profile, page.channels) else None,
        "software": False,
        "metadata": None,
    }


def _rows_per_strip(page: BandedImage) -> int:
    return max(1, min(page.shape[0], _STRIP // page.row_bytes))


def _segments(page: BandedImage, layout: Layout, order: Literal["<", ">"]) -> Iterator[bytes]:
    """Yield the strips or tiles of a page as they are stored."""
    if page.are_stored:
        for stored_rows in page.bands:
            yield from stored_rows.segments
        return
    tile, dtype = _tile_of(page, layout), page.dtype.newbyteorder(order)
    if tile is None:
        for rows in regrouped(page.bands, _rows_per_strip(page)):
            yield fast_zlib.compress(np.ascontiguousarray(rows, dtype), LEVEL)
        return
    tiles = (each for rows in regrouped(page.bands, tile[0]) for each in _tiles_of(rows, tile, dtype))
    match layout.compression:
        case "none":
            yield from tiles
        case "zstd":
            from imagecodecs import zstd_encode

            yield from in_order(lambda data: bytes(zstd_encode(data, 1)), tiles)
        case _:
            yield from in_order(lambda data: fast_zlib.compress(data, LEVEL), tiles)


def _tiles_of(rows: NDArray[Any], tile: tuple[int, int], dtype: np.dtype[Any]) -> Iterator[bytes]:
    """Yield the tiles of a row of them; the last pixels are repeated where a tile reaches beyond the image."""
    high, wide = tile
    for left in range(0, rows.shape[1], wide):
        part = rows[:, left : left + wide]
        missing = ((0, high - part.shape[0]), (0, wide - part.shape[1]), (0, 0))
        if part.shape[:2] != tile:
            part = np.pad(part, missing, mode="edge")
        yield part.astype(dtype, copy=False).tobytes()  # a copy, since tiles are compressed while the next rows arrive


def _within(segments: Iterator[bytes], position: Callable[[], int], most: int | None) -> Iterator[bytes]:
    for segment in segments:
        if most is not None and position() + len(segment) > most:
            raise ImageError("a TIFF file of several pages holds at most 4 GB; write .npy, or a file for each page")
        yield segment


def byte_order(metadata: Metadata) -> Literal["<", ">"]:
    """Return the byte order of a file: that of its first page's EXIF, so that a maker note can be read."""
    return ">" if metadata.exif and metadata.exif.order == ">" else "<"


def _nodata_tags(metadata: Metadata) -> list[Tag]:
    """The tags of a reduced copy."""
    if metadata.nodata is None:
        return []
    from imgconv.images.tiff import geotiff

    return geotiff.tags_of(None, metadata.nodata, None)


@contextmanager
def directories(metadata: Metadata, handle: Any, order: str, description: str | None, *, is_big: bool = False) -> Iterator[list[Tag]]:
    """Write the directories of EXIF and GPS at the end of a file, and give the tags of the page that the block writes after them."""
    tags: list[Tag] = []
    if metadata.xmp:
        tags.append((exif_of.XMP, _BYTE, len(metadata.xmp), metadata.xmp, True))
    if metadata.iptc:
        data = metadata.iptc
        tags.append((exif_of.IPTC, _UNDEFINED, len(data), data, True))
        resources = iptc.resources(data)
        tags.append((exif_of.PHOTOSHOP, _BYTE, len(resources), resources, True))
    if metadata.nodata is not None or metadata.ground or metadata.bands:
        from imgconv.images.tiff import geotiff

        tags += geotiff.tags_of(metadata.ground, metadata.nodata, metadata.bands)
    if metadata.stack:
        tags += metadata.stack.tags
    if metadata.exif is None:
        yield tags
        return
    exif = metadata.exif if metadata.exif.order == order else exif_of.swapped(metadata.exif)
    skipped = {*_WRITTEN, *([exif_of.IMAGE_DESCRIPTION] if description else []), *(tag for tag, *_ in tags)}
    for tag, (kind, data) in exif.directories["image"].items():
        if tag in exif_of.OF_TIFF and tag not in skipped:
            tags.append((tag, kind, 1, data, True))
    form = exif_of.BIG_TIFF if is_big else exif_of.CLASSIC
    block = exif_of.lay_out(exif, _even(handle), embedded=True, form=form)
    handle.write(bytes(block.data))
    for name, (stand_in, _) in _STAND_INS.items():
        if name in block.offsets:
            tags.append((stand_in, _LONG_8 if is_big else _LONG, 1, block.offsets[name], True))
    position = _even(handle)
    yield tags
    _name_directories(handle, position, order, form)


def _even(handle: Any) -> int:
    """Fill a file up to an even offset, where TIFF has directories, and return it."""
    if handle.tell() % 2:
        handle.write(b"\0")
    return int(handle.tell())


def _name_directories(handle: Any, position: int, order: str, form: exif_of.Form) -> None:
    """Write the numbers of the tags for which others stand into the directory at `position`."""
    end = handle.tell()
    handle.seek(position)
    (count,) = struct.unpack(order + form.number, handle.read(struct.calcsize(order + form.number)))
    first, length = handle.tell(), form.length(1) - form.length(0)
    table = handle.read(length * count)
    numbers = dict(_STAND_INS.values())
    for entry in range(count):
        (tag,) = struct.unpack_from(order + "H", table, length * entry)
        if tag in numbers:
            handle.seek(first + length * entry)
            handle.write(struct.pack(order + "H", numbers[tag]))
    handle.seek(end)
