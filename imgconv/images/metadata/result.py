"""Metadata of results: corrected for what a filter changes, and restricted to what the format of a file can hold."""

from typing import TYPE_CHECKING, Any

from imgconv.images.formats import FORMATS
from imgconv.images.metadata import exif as exif_of
from imgconv.images.metadata import pillow_info
from imgconv.images.metadata.places import names_place
from imgconv.images.metadata.source import CODES, SPACES, cleaned_iptc
from imgconv.images.raster import Metadata
from imgconv.images.sampling import Sampling, divided, exif_density, reduced

if TYPE_CHECKING:  # few images have a profile, and each module takes time to import
    from imgconv.images.metadata.transfer import Transfer

LONGEST_EXIF = 65_527  # bytes in one segment of a JPEG, without the prefix
_LONGEST_XMP = 65_502
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
_MOVING = ("ground", "cards", "stack", "grid")


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
        dpi=divided(metadata.dpi, across, down),
        aspect=reduced(divided(metadata.aspect, across, down)),
        exif=exif_of.resized(exif_of.moved(metadata.exif), sampling.size, sampling.stride) if metadata.exif else None,
    )
    if metadata.xmp is None:
        return result
    from imgconv.images.metadata import xmp

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
    in_exif = ("dpi", "aspect") if "exif" in FORMATS[name].metadata and metadata.exif and any(exif_density(metadata.exif)) else ()
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


def transfer_of(metadata: Metadata) -> "Transfer | None":
    """Return the transfer function that an image declares; None for sRGB, and without a declaration that is understood."""
    from imgconv.images.metadata import transfer

    chunks = dict(metadata.colour)
    if CODES in chunks:
        return transfer.of_cicp(chunks[CODES][1])
    if metadata.icc_profile:
        return transfer.of_profile(metadata.icc_profile)
    if b"sRGB" in chunks:
        return None
    if b"gAMA" in chunks:
        stored = int.from_bytes(chunks[b"gAMA"], "big")
        return transfer.gamma(100_000 / stored) if stored else None
    exponent = metadata.exif.fraction("exif", exif_of.GAMMA) if metadata.exif else None
    return transfer.gamma(float(exponent)) if exponent else None


def profile_fits(icc_profile: bytes | None, channels: int) -> bool:
    """Return whether an ICC profile fits an image of `channels`: an RGB profile does not fit a grey map, CMYK and Lab fit nothing."""
    return icc_profile is not None and channels in SPACES.get(icc_profile[16:20], ())


def exif_limit(name: str) -> int | None:
    """Return the number of bytes that a format has for EXIF; None without a limit."""
    return LONGEST_EXIF if name == "jpeg" else None


def _with_codes_only(metadata: Metadata, name: str, dropped: list[str]) -> Metadata:
    """Return the metadata with cICP, but none of the other chunks of a PNG about colours."""
    others = [chunk.decode() for chunk, _ in metadata.colour if chunk != CODES]
    if others:
        dropped.append(f"{' '.join(others)} (no place in {name})")
    return metadata._replace(colour=tuple(chunk for chunk in metadata.colour if chunk[0] == CODES))


def _without_location(metadata: Metadata, dropped: list[str]) -> Metadata:
    exif, packet, data = metadata.exif, metadata.xmp, metadata.iptc
    if exif:
        if exif_of.MAKER_NOTE in exif.directories.get("exif", {}):
            dropped.append("maker note (may hold a position)")
        if exif.directories.get("gps"):
            dropped.append("GPS position")
        exif = exif_of.without_location(exif)
    if packet:
        from imgconv.images.metadata import xmp

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
    return metadata._replace(
        exif=exif, xmp=packet, iptc=cleaned_iptc(data, location=False), ground=None, texts=texts, cards=cards, bands=bands
    )
