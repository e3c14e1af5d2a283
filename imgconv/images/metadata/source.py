"""Metadata that files declare: read them, and turn them upright together with the pixels."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from io import BytesIO
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from imgconv.images import boxes
from imgconv.images.metadata import exif as exif_of
from imgconv.images.metadata import iptc, pillow_info
from imgconv.images.raster import Metadata, Raster
from imgconv.images.sampling import exif_density, positive

SPACES = {b"GRAY": (1, 2), b"RGB ": (3, 4)}  # colour space of an ICC profile -> channels that it fits
_OTHER_PARTS = ("XML:com.adobe.xmp", pillow_info.RAW_PROFILE)  # keywords of PNG; they hold XMP, EXIF and IPTC
_MOST_NAMED = 8
CODES = b"cICP"
_COLOUR_CHUNKS = {CODES: 4, b"mDCV": 24, b"cLLI": 8, b"gAMA": 4, b"cHRM": 32, b"sRGB": 1}  # PNG chunk -> bytes
_PNG_CHUNKS = {
    b"IHDR",
    b"PLTE",
    b"tRNS",
    b"iCCP",
    b"pHYs",
    b"eXIf",
    b"tEXt",
    b"zTXt",
    b"iTXt",
    b"acTL",
    b"fcTL",
    b"caBX",
}  # others are named
_DESCRIPTION, _RECIPE = "Description", "imgconv "  # keyword of a PNG; how the text with which imgconv describes a result begins
_SUB_DIRECTORIES, _C2PA = 330, 52545  # TIFF tags
_PRIVATE = 32768  # TIFF tags from this one on are of programs; those of ImageJ are read by `stacks`
_STACKS = (50838, 50839)
GDAL = frozenset((33550, 33922, 34264, 34735, 34736, 34737, 42112, 42113, 50844))  # those that `geotiff` reads
CROP = "crop"  # entry of Pillow's `info`: left, top, width and height of the part of an image that is shown
_TURNED_BY_BOXES = ("avif",)  # ISO 23000-22; Pillow gives the orientation of the boxes as that of EXIF
_JFIF = 14  # bytes of a JFIF segment without a thumbnail
_SMALL_TRAILER = b"SEFT"  # the end of what Samsung's cameras append to a photograph
_SEGMENTS = (  # beginning of a JPEG segment, and its description if it is not copied to a result; others are named by their kind
    ("APP0", b"JFIF\0", ""),
    ("APP1", b"Exif\0", ""),
    ("APP1", pillow_info.XMP_SEGMENT, ""),
    ("APP2", b"ICC_PROFILE\0", ""),
    ("APP13", iptc.PHOTOSHOP, ""),
    ("APP14", b"Adobe", ""),
    ("COM", b"imgconv ", ""),
    ("COM", b"", "comment"),
    ("APP2", b"MPF\0", "further images (MPF)"),
    ("APP2", b"urn:iso:std:iso:ts:21496", "gain map"),
    ("APP11", b"JP", "C2PA manifest"),
    ("APP1", b"http://ns.adobe.com/xmp/extension/", "extended XMP"),
    ("APP1", b"FLIR\0", "thermal data"),
    ("APP0", b"JFXX\0", "thumbnail"),
)


def from_info(info: Mapping[Any, Any], orientation: int = 1, size: tuple[int, int] | None = None) -> Metadata:
    """Return the metadata in Pillow's `info`, for pixels of `size` (H, W) that were rotated upright from `orientation`."""
    block = pillow_info.exif_block(info)
    exif = exif_of.read(block) if block else None
    photoshop = info.get("photoshop")
    data = photoshop.get(0x0404) if isinstance(photoshop, dict) else info.get("iptc") or pillow_info.raw_profile(info, "iptc", "8bim")
    parts = Metadata(
        icc_profile=pillow_info.block(info.get("icc_profile")) or pillow_info.raw_profile(info, "icc", "icm"),
        dpi=positive(info.get("dpi")) if info.get("jfif_unit", 1) != 0 else None,
        aspect=positive(info.get("aspect") or (info.get("jfif_density") if info.get("jfif_unit") == 0 else None)),
        xmp=pillow_info.xmp_packet(info),
        iptc=_iptc(data),
        dropped=(*(("damaged EXIF",) if block and exif is None else ()), *pillow_info.comments(info)),
    )
    return _upright(parts, exif, orientation, size)


def upright_raster(file: BinaryIO, name: str, image: Any, pixels: NDArray[Any], alpha: bool, duration: float | None = None) -> Raster:
    """Return the raster of the decoded pixels of `image`, which Pillow opened from `file`, with its orientation and metadata."""
    orientation = 1 if name == "tiff" else orientation_of(image.info, name)  # libtiff turns the pixels itself
    if CROP in image.info:
        left, top, width, height = image.info[CROP]
        pixels = pixels[top : top + height, left : left + width]
    return Raster(upright(pixels, orientation), alpha, of_image(image, file, name, orientation), duration)


def size_of(image: Any, name: str) -> tuple[int, int]:
    """Return the size (H, W) of the upright pixels of `image`, which Pillow opened."""
    width, height = image.info[CROP][2:] if CROP in image.info else image.size
    turned = name != "tiff" and orientation_of(image.info, name) > 4
    return (width, height) if turned else (height, width)


def of_image(image: Any, file: BinaryIO, name: str, orientation: int) -> Metadata:
    """Return the metadata of an image that Pillow opened from `file`, whose pixels were rotated upright from `orientation`."""
    stored = image.info[CROP][2:] if CROP in image.info else image.size
    size = stored[::-1] if orientation < 5 else stored
    info = dict(image.info)
    if name == "jpeg":
        info["photoshop"] = {0x0404: _resources_of(image)}  # Pillow looks into each segment alone, and keeps the last one
        if not info.get("jfif_unit"):
            info.pop("dpi", None)  # Pillow's guess where JFIF has none
    position = file.tell()
    try:
        if name == "tiff":
            return of_tiff(file, exif_of.directory_offset(file, image.tell()), size)
        metadata = from_info(info, orientation, size)
        if name in ("avif", "heif") and not metadata.icc_profile and (codes := boxes.colour_codes(file)):
            return metadata._replace(colour=((CODES, codes),))
        if name == "jpeg2000":
            return _with_boxes(metadata, info, orientation, size)
        if name == "jpeg":
            return metadata._replace(dropped=(*metadata.dropped, *_other_segments(image, file)))
        return _with_png_chunks(metadata, info, file) if name == "png" else metadata
    finally:
        file.seek(position)


def of_tiff(file: BinaryIO, offset: int, size: tuple[int, int], channels: int = 0) -> Metadata:
    """Return the metadata of the page of a TIFF file whose directory is at `offset`, for upright pixels of `size` (H, W)."""
    more = {exif_of.XMP, exif_of.IPTC, exif_of.PHOTOSHOP, exif_of.ICC_PROFILE, _SUB_DIRECTORIES, _C2PA, *GDAL}
    others: set[int] = set()

    def is_needed(tag: int) -> bool:
        needed = tag in exif_of.OF_TIFF or tag in more
        if not needed and tag >= _PRIVATE and tag not in _STACKS:
            others.add(tag)
        return needed

    position = file.tell()
    try:
        exif = exif_of.read_directories(file, offset, is_needed)
    finally:
        file.seek(position)
    if exif is None:
        return Metadata()
    tags = exif.directories["image"]
    dropped = [what for tag, what in ((_SUB_DIRECTORIES, "reduced copies"), (_C2PA, "C2PA manifest")) if tag in tags]
    dropped += [listed("TIFF tags", map(str, sorted(others)))] if others else []
    parts = Metadata(icc_profile=tags[exif_of.ICC_PROFILE].data if exif_of.ICC_PROFILE in tags else None, dropped=tuple(dropped))
    own = tags[pillow_info.IMAGE_DESCRIPTION].data.startswith(b"imgconv ") if pillow_info.IMAGE_DESCRIPTION in tags else False
    if GDAL & tags.keys():
        parts = _with_gdal(parts, exif, channels)
    exif = exif.without("image", (*([pillow_info.IMAGE_DESCRIPTION] if own else []), _C2PA, *GDAL))
    return _upright(parts, exif, exif.orientation, size)


def _with_gdal(parts: Metadata, exif: exif_of.Exif, channels: int) -> Metadata:
    """Return the metadata with what GDAL declares; the place of pixels that are turned upright is lost."""
    from imgconv.images.tiff import geotiff

    declared = geotiff.read(exif.directories["image"], exif.order, channels)
    turned = declared.ground is not None and exif.orientation != 1
    dropped = (*parts.dropped, "georeference of a turned image") if turned else parts.dropped
    return parts._replace(nodata=declared.nodata, ground=None if turned else declared.ground, bands=declared.bands, dropped=dropped)


def orientation_of(info: Mapping[Any, Any], name: str = "") -> int:
    """Return the EXIF orientation, 1 to 8, from Pillow's `info` of an image in the format `name`; 1 where it is missing or invalid.

    Without EXIF's, that of XMP counts, as in Pillow's `ImageOps.exif_transpose`, unless boxes of the format turn the image.
    """
    block = pillow_info.exif_block(info)
    orientation = exif_of.read_orientation(block) if block else None
    if orientation is not None:
        return orientation
    packet = None if name in _TURNED_BY_BOXES else pillow_info.xmp_packet(info)
    if not packet:
        return 1
    from imgconv.images.metadata import xmp

    return xmp.orientation(packet)


def upright(pixels: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Return upright pixels (H, W, C), C-contiguous; a copy unless orientation is 1."""
    pixels = np.ascontiguousarray(pixels)
    if orientation == 1:
        return pixels
    whole = pixels.view(np.dtype((np.void, pixels.itemsize * pixels.shape[2])))[..., 0]  # one item per pixel: twice as fast
    transposed = whole.T if orientation > 4 else whole
    down, right = {2: (1, -1), 3: (-1, -1), 4: (-1, 1), 6: (1, -1), 7: (-1, -1), 8: (-1, 1)}.get(orientation, (1, 1))
    result = np.ascontiguousarray(transposed[::down, ::right])
    return result.view(pixels.dtype).reshape(*result.shape, -1)


def is_recipe(text: object) -> bool:
    """Return whether a text is the one with which imgconv describes a result."""
    return isinstance(text, str) and text.startswith(_RECIPE)


def _upright(parts: Metadata, exif: exif_of.Exif | None, orientation: int, size: tuple[int, int] | None) -> Metadata:
    """Return the metadata of upright pixels: what EXIF holds of other kinds goes to its place, and sizes are those of the pixels."""
    dropped = list(parts.dropped)
    dpi, aspect = parts.dpi, parts.aspect
    packet, data = parts.xmp, parts.iptc
    if exif is not None:
        tags = exif.directories["image"]
        if dpi is None and aspect is None:
            dpi, aspect = exif_density(exif)
        packet = packet or (tags[exif_of.XMP].data if exif_of.XMP in tags else None)
        for tag in (exif_of.IPTC, exif_of.PHOTOSHOP):
            data = data or (_iptc(tags[tag].data) if tag in tags else None)
        if exif_of.PHOTOSHOP in tags:
            dropped += iptc.other_resources(tags[exif_of.PHOTOSHOP].data)
        exif = exif_of.resized(exif_of.upright(exif, orientation), size) if size else exif_of.upright(exif, orientation)
        exif = exif if any(exif.directories.values()) else None
    if packet is not None:
        from imgconv.images.metadata import xmp

        whole = size or (0, 0)
        packet, removed = xmp.resampled(packet, whole, (1, 1), moved=orientation > 1)
        dropped += removed
    icc = parts.icc_profile
    if icc and (len(icc) < 128 or icc[16:20] not in SPACES):
        dropped.append(f"ICC profile ({icc[16:20].decode('latin-1').strip()})")
        icc = None
    return parts._replace(
        icc_profile=icc,
        dpi=dpi[::-1] if dpi and orientation > 4 else dpi,
        aspect=aspect[::-1] if aspect and orientation > 4 else aspect,
        exif=exif,
        xmp=packet,
        iptc=cleaned_iptc(data, location=True),
        dropped=tuple(dropped),
    )


def _with_png_chunks(metadata: Metadata, info: Mapping[Any, Any], file: BinaryIO) -> Metadata:
    """Return the metadata with the texts of a PNG, the chunks that Pillow does not keep, and what goes to no result.

    Keywords with a colon are of programs and about the file, such as `exif:PixelXDimension` and `Thumb::MTime`.
    """
    from imgconv.images.png import chunks as png_chunks

    colour, others_named, dropped = [], set[str](), list(metadata.dropped)
    texts = {key: str(text) for key, text in info.items() if isinstance(text, str) and not key.startswith(_OTHER_PARTS)}
    others = {key: text for key, text in texts.items() if ":" not in key and not is_recipe(text)}
    dropped += [f"profile of the type {kind}" for kind in pillow_info.unknown_profiles(info)]
    if any(":" in key for key in texts):
        dropped.append("texts about the file")
    file.seek(0)
    with suppress(ValueError, OSError):  # damage is found elsewhere
        for name, length in png_chunks.chunks(file):
            if name == b"IDAT":
                break
            if _COLOUR_CHUNKS.get(name) == length:
                colour.append((name, file.read(length)))
            elif name == b"caBX":
                dropped.append("C2PA manifest")
            elif name not in _PNG_CHUNKS:
                others_named.add(name.decode("latin-1"))
            elif name in png_chunks.TEXTS and _DESCRIPTION in texts and _DESCRIPTION not in others:  # of several, Pillow keeps the last
                text = png_chunks.entry_of(name, file.read(min(length, png_chunks.LONGEST_TEXT)))[0].get(_DESCRIPTION, _RECIPE)
                others = others if is_recipe(text) else {_DESCRIPTION: text, **others}
    dropped += [listed("chunks", sorted(others_named))] if others_named else []
    return metadata._replace(colour=tuple(colour), texts=tuple(others.items()), dropped=tuple(dropped))


def listed(kind: str, names: Iterable[str]) -> str:
    """Return a text with the first of several names.

    >>> listed("tags", "abcdefghij")
    'tags a b c d e f g h and others'
    """
    names = list(names)
    return f"{kind} {' '.join(names[:_MOST_NAMED])}{' and others' if len(names) > _MOST_NAMED else ''}"


def _with_boxes(metadata: Metadata, info: Mapping[Any, Any], orientation: int, size: tuple[int, int]) -> Metadata:
    """Return the metadata with the position in a box of a JPEG 2000; further boxes are named."""
    dropped = (*metadata.dropped, "XML and further boxes") if "other_boxes" in info else metadata.dropped
    metadata = metadata._replace(dropped=dropped)
    if "geotiff" not in info:
        return metadata
    if orientation != 1:
        return metadata._replace(dropped=(*dropped, "georeference of a turned image"))
    file = BytesIO(info["geotiff"])
    declared = of_tiff(file, exif_of.directory_offset(file, 0), size)
    return metadata._replace(ground=declared.ground, nodata=declared.nodata)


def _iptc(data: Any) -> bytes | None:
    """Return the IPTC data in Photoshop's resources."""
    return iptc.from_resources(data) if isinstance(data, bytes) else None


def cleaned_iptc(data: bytes | None, *, location: bool) -> bytes | None:
    """Return IPTC data without previews, and without places unless `location`."""
    return None if data is None else iptc.cleaned(data, location=location)


def _other_segments(image: Any, file: BinaryIO) -> list[str]:
    """Return the names of the parts of a JPEG that are neither the image nor metadata that are copied."""
    names = [name for kind, data in getattr(image, "applist", []) if (name := _name_of_segment(kind, data))]
    names += iptc.other_resources(_resources_of(image))
    with suppress(OSError):
        file.seek(-len(_SMALL_TRAILER), 2)
        if file.read() == _SMALL_TRAILER:
            names.append("motion photo")
    return names


def _resources_of(image: Any) -> bytes:
    """Return Photoshop's image resources, which can go on from one segment of a JPEG to the next."""
    parts = [data for kind, data in getattr(image, "applist", []) if kind == "APP13" and data.startswith(iptc.PHOTOSHOP)]
    return b"".join(data.removeprefix(iptc.PHOTOSHOP) for data in parts)


def _name_of_segment(kind: str, data: bytes) -> str:
    """Return the name of a segment of a JPEG, an empty text for one that results have too."""
    if kind == "APP0" and data.startswith(b"JFIF\0") and len(data) > _JFIF:
        return "thumbnail"
    names = (name for app, beginning, name in _SEGMENTS if app == kind and data.startswith(beginning))
    return next(names, f"{kind} segment")
