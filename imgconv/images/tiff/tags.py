"""Metadata tags of a TIFF page, which tifffile writes, and the directories of EXIF and GPS, which it does not."""

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

from imgconv.images.metadata import exif as exif_of
from imgconv.images.metadata import iptc
from imgconv.images.raster import Metadata

_BYTE, _LONG, _UNDEFINED, _LONG_8 = 1, 4, 7, 16
# tifffile refuses the tags 34665 and 34853, since it writes no such directories; these stand for them until the page is written
_STAND_INS = {"exif": (34664, 34665), "gps": (34852, 34853)}
_WRITTEN = frozenset((exif_of.ORIENTATION, exif_of.X_RESOLUTION, exif_of.Y_RESOLUTION, exif_of.RESOLUTION_UNIT, 0x0100, 0x0101))
Tag = tuple[int, int, int, Any, bool]


def byte_order(metadata: Metadata) -> Literal["<", ">"]:
    """Return the byte order of a file: that of its first page's EXIF, so that a maker note can be read."""
    return ">" if metadata.exif and metadata.exif.order == ">" else "<"


def nodata_tags(metadata: Metadata) -> list[Tag]:
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
