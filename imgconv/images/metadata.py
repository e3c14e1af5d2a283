"""Metadata of images: read them from files, correct them for the result, choose what a format holds, and describe how it was made."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from io import BytesIO
from math import isfinite
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from imgconv.images import boxes, iptc, jpeg_segments, pillow_info
from imgconv.images import exif as exif_of
from imgconv.images.formats import FORMATS
from imgconv.images.places import names_place
from imgconv.images.raster import Metadata, Raster
from imgconv.images.sampling import Sampling

if TYPE_CHECKING:  # few images have XMP or a profile, and each module takes time to import
    from fractions import Fraction

    from imgconv.images.transfer import Transfer

LONGEST_EXIF = 65_527  # bytes in one segment of a JPEG, without the prefix
_LONGEST_XMP = 65_502
_MOST_DPI = 65535  # JFIF stores it in 16 bits
_INCHES = {2: (1, 1), 3: (254, 100)}  # resolution unit -> units in an inch
_SPACES = {b"GRAY": (1, 2), b"RGB ": (3, 4)}  # colour space of an ICC profile -> channels that it fits
_OTHER_PARTS = ("XML:com.adobe.xmp", pillow_info.RAW_PROFILE)  # keywords of PNG; they hold XMP, EXIF and IPTC
_MOST_NAMED = 8
_CODES = b"cICP"
_COLOUR_CHUNKS = {_CODES: 4, b"mDCV": 24, b"cLLI": 8, b"gAMA": 4, b"cHRM": 32, b"sRGB": 1}  # PNG chunk -> bytes
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
_SRGB = 13  # code point of H.273
_DESCRIPTION, _RECIPE = "Description", "imgconv "  # keyword of a PNG; how the text with which imgconv describes a result begins
_SUB_DIRECTORIES, _C2PA = 330, 52545  # TIFF tags
_PRIVATE = 32768  # TIFF tags from this one on are of programs; those of ImageJ are read by `stacks`
_STACKS = (50838, 50839)
GDAL = frozenset((33550, 33922, 34264, 34735, 34736, 34737, 42112, 42113, 50844))  # those that `geotiff` reads
_NAMES = {
    "icc_profile": "ICC profile",
    "dpi": "resolution",
    "aspect": "pixel aspect ratio",
    "exif": "EXIF",
    "xmp": "XMP",
    "iptc": "IPTC",
    "colour": "colour space",
    "texts": "texts",
    "nodata": "nodata value",
    "ground": "georeference",
    "bands": "descriptions of bands",
    "cards": "FITS header",
    "stack": "axes of the stack",
    "grid": "axes and sizes of pixels",
}
CROP = "crop"  # entry of Pillow's `info`: left, top, width and height of the part of an image that is shown
_TURNED_BY_BOXES = ("avif",)  # ISO 23000-22; Pillow gives the orientation of the boxes as that of EXIF
_MOVING = ("ground", "cards", "stack", "grid")


def from_info(info: Mapping[Any, Any], orientation: int = 1, size: tuple[int, int] | None = None) -> Metadata:
    """Return the metadata in Pillow's `info`, for pixels of `size` (H, W) that were rotated upright from `orientation`."""
    block = pillow_info.exif_block(info)
    exif = exif_of.read(block) if block else None
    photoshop = info.get("photoshop")
    data = photoshop.get(0x0404) if isinstance(photoshop, dict) else info.get("iptc") or pillow_info.raw_profile(info, "iptc", "8bim")
    parts = Metadata(
        icc_profile=pillow_info.block(info.get("icc_profile")) or pillow_info.raw_profile(info, "icc", "icm"),
        dpi=_positive(info.get("dpi")) if info.get("jfif_unit", 1) != 0 else None,
        aspect=_positive(info.get("aspect") or (info.get("jfif_density") if info.get("jfif_unit") == 0 else None)),
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
        info["photoshop"] = {0x0404: jpeg_segments.resources_of(image)}  # Pillow looks into each segment alone, and keeps the last one
        if not info.get("jfif_unit"):
            info.pop("dpi", None)  # Pillow's guess where JFIF has none
    position = file.tell()
    try:
        if name == "tiff":
            return of_tiff(file, exif_of.directory_offset(file, image.tell()), size)
        metadata = from_info(info, orientation, size)
        if name in ("avif", "heif") and not metadata.icc_profile and (codes := boxes.colour_codes(file)):
            return metadata._replace(colour=((_CODES, codes),))
        if name == "jpeg2000":
            return _with_boxes(metadata, info, orientation, size)
        if name == "jpeg":
            return metadata._replace(dropped=(*metadata.dropped, *jpeg_segments.others(image, file)))
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
    from imgconv.images import geotiff

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
    from imgconv.images import xmp

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


def resampled(metadata: Metadata, sampling: Sampling, size: tuple[int, int]) -> Metadata:
    """Return the metadata of a result whose pixels are placed by `sampling` in an original of `size` (H, W)."""
    if metadata.bands and sampling.gain != 1:
        bands = metadata.bands.with_gain(sampling.gain)
        lost = ["scale and offset of bands"] if bands != metadata.bands and sampling.gain is None else []
        metadata = metadata._replace(bands=bands, dropped=(*metadata.dropped, *lost))
    if sampling != Sampling(size):
        moving = {name: part.moved(sampling) for name in _MOVING if (part := getattr(metadata, name)) is not None}
        metadata = metadata._replace(**moving) if moving else metadata
    if (sampling.size, sampling.stride) == (size, Sampling(size).stride):
        return metadata
    down, across = sampling.stride
    result = metadata._replace(
        dpi=_divided(metadata.dpi, across, down),
        aspect=_reduced(_divided(metadata.aspect, across, down)),
        exif=exif_of.resized(exif_of.moved(metadata.exif), sampling.size, sampling.stride) if metadata.exif else None,
    )
    if metadata.xmp is None:
        return result
    from imgconv.images import xmp

    packet, dropped = xmp.resampled(metadata.xmp, sampling.size, sampling.stride, moved=True)
    return result._replace(xmp=packet, dropped=(*result.dropped, *dropped))


def fitted(metadata: Metadata, name: str, channels: int, *, strip: bool = False, location: bool = True) -> Metadata:
    """Return the metadata that a file in the format `name` with `channels` can hold; `dropped` names the rest.

    Nothing with `strip`; no position unless `location`.
    """
    if strip or metadata == Metadata():
        return Metadata(rgb_bands=metadata.rgb_bands)
    dropped = list(metadata.dropped)
    if metadata.bands:
        metadata = metadata._replace(bands=metadata.bands.fitted(channels))
    if metadata.stack and metadata.stack.channels != channels:
        dropped.append(_NAMES["stack"])
        metadata = metadata._replace(stack=None)
    if not location:
        metadata = _without_location(metadata, dropped)
    if metadata.aspect and metadata.aspect[0] == metadata.aspect[1]:
        metadata = metadata._replace(aspect=None)  # square pixels of unknown size are what a file without the entry has
    in_exif = ("dpi", "aspect") if "exif" in FORMATS[name].metadata and metadata.exif and any(_exif_density(metadata.exif)) else ()
    held = FORMATS[name].metadata
    if "codes" in held:
        metadata, held = _with_codes_only(metadata, name, dropped), (*held, "colour")
    for part in _NAMES:
        if getattr(metadata, part) not in (None, ()) and part not in held:
            what = " ".join(chunk.decode() for chunk, _ in metadata.colour) if part == "colour" else _NAMES[part]
            dropped += [f"{what} (no place in {name})"] if part not in in_exif else []
            missing: Any = () if part in ("colour", "texts") else None
            metadata = metadata._replace(**{part: missing})
    if metadata.icc_profile and not profile_fits(metadata.icc_profile, channels):
        dropped.append(f"ICC profile ({metadata.icc_profile[16:20].decode('latin-1').strip()})")
        metadata = metadata._replace(icc_profile=None)
    if metadata.exif:
        if name == "tiff" and pillow_info.IMAGE_DESCRIPTION in metadata.exif.directories["image"]:
            dropped.append("image description")  # the recipe stands in its place
        dropped += [*metadata.exif.dropped, *exif_of.encode(metadata.exif, exif_limit(name))[1]]
    if metadata.xmp and name == "jpeg" and len(metadata.xmp) > _LONGEST_XMP:
        dropped.append("XMP (no room)")
        metadata = metadata._replace(xmp=None)
    return metadata._replace(dropped=tuple(dict.fromkeys(dropped)))


def _with_codes_only(metadata: Metadata, name: str, dropped: list[str]) -> Metadata:
    """Return the metadata with cICP, but none of the other chunks of a PNG about colours."""
    others = [chunk.decode() for chunk, _ in metadata.colour if chunk != _CODES]
    if others:
        dropped.append(f"{' '.join(others)} (no place in {name})")
    return metadata._replace(colour=tuple(chunk for chunk in metadata.colour if chunk[0] == _CODES))


def exif_limit(name: str) -> int | None:
    """Return the number of bytes that a format has for EXIF; None without a limit."""
    return LONGEST_EXIF if name == "jpeg" else None


def profile_fits(icc_profile: bytes | None, channels: int) -> bool:
    """Return whether an ICC profile fits an image of `channels`: an RGB profile does not fit a grey map, CMYK and Lab fit nothing."""
    return icc_profile is not None and channels in _SPACES.get(icc_profile[16:20], ())


def transfer_of(metadata: Metadata) -> "Transfer | None":
    """Return the transfer function that an image declares; None for sRGB, and without a declaration that is understood."""
    from imgconv.images import transfer

    chunks = dict(metadata.colour)
    if _CODES in chunks:
        return transfer.of_cicp(chunks[_CODES][1])
    if metadata.icc_profile:
        return transfer.of_profile(metadata.icc_profile)
    if b"sRGB" in chunks:
        return None
    if b"gAMA" in chunks:
        stored = int.from_bytes(chunks[b"gAMA"], "big")
        return transfer.gamma(100_000 / stored) if stored else None
    exponent = metadata.exif.fraction("exif", exif_of.GAMMA) if metadata.exif else None
    return transfer.gamma(float(exponent)) if exponent else None


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
            dpi, aspect = _exif_density(exif)
        packet = packet or (tags[exif_of.XMP].data if exif_of.XMP in tags else None)
        for tag in (exif_of.IPTC, exif_of.PHOTOSHOP):
            data = data or (_iptc(tags[tag].data) if tag in tags else None)
        if exif_of.PHOTOSHOP in tags:
            dropped += iptc.other_resources(tags[exif_of.PHOTOSHOP].data)
        exif = exif_of.resized(exif_of.upright(exif, orientation), size) if size else exif_of.upright(exif, orientation)
        exif = exif if any(exif.directories.values()) else None
    if packet is not None:
        from imgconv.images import xmp

        whole = size or (0, 0)
        packet, removed = xmp.resampled(packet, whole, (1, 1), moved=orientation > 1)
        dropped += removed
    icc = parts.icc_profile
    if icc and (len(icc) < 128 or icc[16:20] not in _SPACES):
        dropped.append(f"ICC profile ({icc[16:20].decode('latin-1').strip()})")
        icc = None
    return parts._replace(
        icc_profile=icc,
        dpi=dpi[::-1] if dpi and orientation > 4 else dpi,
        aspect=aspect[::-1] if aspect and orientation > 4 else aspect,
        exif=exif,
        xmp=packet,
        iptc=_cleaned(data, location=True),
        dropped=tuple(dropped),
    )


def _exif_density(exif: exif_of.Exif) -> tuple[tuple[float, float] | None, tuple[float, float] | None]:
    """Return dots per inch and per unknown unit that EXIF or a TIFF page declares."""
    x, y = (exif.fraction("image", tag) for tag in (exif_of.X_RESOLUTION, exif_of.Y_RESOLUTION))
    unit = (exif.numbers("image", exif_of.RESOLUTION_UNIT) or (2,))[0]
    if not x or not y:
        return None, None
    if unit in _INCHES:
        units, in_inches = _INCHES[unit]
        return _positive((x * units / in_inches, y * units / in_inches)), None
    return None, _reduced(_positive((x, y)))


def _with_png_chunks(metadata: Metadata, info: Mapping[Any, Any], file: BinaryIO) -> Metadata:
    """Return the metadata with the texts of a PNG, the chunks that Pillow does not keep, and what goes to no result.

    Keywords with a colon are of programs and about the file, such as `exif:PixelXDimension` and `Thumb::MTime`.
    """
    from imgconv.images import png_chunks

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


def _without_location(metadata: Metadata, dropped: list[str]) -> Metadata:
    exif, packet, data = metadata.exif, metadata.xmp, metadata.iptc
    if exif:
        if exif_of.MAKER_NOTE in exif.directories.get("exif", {}):
            dropped.append("maker note (may hold a position)")
        if exif.directories.get("gps"):
            dropped.append("GPS position")
        exif = exif_of.without_location(exif)
    if packet:
        from imgconv.images import xmp

        packet = xmp.without_location(packet)
        if packet is None:
            dropped.append("damaged XMP")
    if metadata.ground:
        dropped.append("georeference")
    texts = tuple((keyword, text) for keyword, text in metadata.texts if not names_place(keyword))
    if texts != metadata.texts:
        dropped.append("texts with a location")
    cards = metadata.cards and metadata.cards.without_location()
    bands = metadata.bands and metadata.bands.without_location()
    if (cards, bands) != (metadata.cards, metadata.bands):
        dropped.append("location in the header")
    return metadata._replace(exif=exif, xmp=packet, iptc=_cleaned(data, location=False), ground=None, texts=texts, cards=cards, bands=bands)


def _divided(density: tuple[float, float] | None, across: "int | Fraction", down: "int | Fraction") -> tuple[float, float] | None:
    return _positive((density[0] / float(across), density[1] / float(down))) if density else None


def _reduced(density: tuple[float, float] | None) -> tuple[float, float] | None:
    """Return the ratio of two densities in whole numbers that JFIF holds; None for one that they cannot express."""
    from fractions import Fraction

    if density is None or not 1 / _MOST_DPI <= density[0] / density[1] <= _MOST_DPI:
        return None
    ratio = density[0] / density[1]
    nearest = Fraction(ratio).limit_denominator(max(1, int(_MOST_DPI / max(ratio, 1))))
    return nearest.numerator or 1, nearest.denominator


def _positive(value: Any) -> tuple[float, float] | None:
    try:
        x, y = (float(number) for number in value)
    except (TypeError, ValueError, ArithmeticError):
        return None
    return (x, y) if isfinite(x) and isfinite(y) and min(x, y) > 0 and max(x, y) < _MOST_DPI else None


def _iptc(data: Any) -> bytes | None:
    """Return the IPTC data in Photoshop's resources."""
    return iptc.from_resources(data) if isinstance(data, bytes) else None


def _cleaned(data: bytes | None, *, location: bool) -> bytes | None:
    """Return IPTC data without previews, and without places unless `location`."""
    return None if data is None else iptc.cleaned(data, location=location)
