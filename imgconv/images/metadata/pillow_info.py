"""What Pillow's `info` of an image holds under the names of its format: EXIF, XMP, descriptions, and profiles in texts of a PNG."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from PIL import Image

from imgconv.images.metadata import exif as exif_of

RAW_PROFILE = "Raw profile type "  # how keywords of such texts begin
_KINDS = ("exif", "APP1", "xmp", "iptc", "8bim", "icc", "icm")
XMP_SEGMENT = b"http://ns.adobe.com/xap/1.0/\0"  # the beginning of a segment of a JPEG
_COMMENTS = ("imgconv ", "Created by OpenJPEG")
IMAGE_DESCRIPTION = 270  # TIFF tag


def exif_block(info: Mapping[Any, Any]) -> bytes | None:
    """Return EXIF, None without it."""
    return block(info.get("exif")) or raw_profile(info, "exif") or raw_profile(info, "APP1", beginning=exif_of.PREFIX)


def xmp_packet(info: Mapping[Any, Any]) -> bytes | None:
    """Return XMP, None without it."""
    packet = info.get("xmp") or info.get("XML:com.adobe.xmp")
    if packet:
        return packet.encode() if isinstance(packet, str) else block(packet)
    packet = raw_profile(info, "xmp") or raw_profile(info, "APP1", beginning=XMP_SEGMENT)
    return packet.removeprefix(XMP_SEGMENT) if packet else None


def raw_profile(info: Mapping[Any, Any], *kinds: str, beginning: bytes = b"") -> bytes | None:
    """Return a profile with this beginning from the texts of a PNG: lines of a name, a length and hexadecimal digits.

    ImageMagick and exiftool write them.
    """
    for kind in kinds:
        text = info.get(RAW_PROFILE + kind)
        with suppress(ValueError):
            profile = bytes.fromhex("".join(text.strip().split("\n")[2:])) if isinstance(text, str) else b""
            if profile and profile.startswith(beginning):
                return profile
    return None


def unknown_profiles(info: Mapping[Any, Any]) -> list[str]:
    """Return the kinds of the profiles in texts of a PNG that are not read."""
    kinds = [str(key).removeprefix(RAW_PROFILE) for key in info if str(key).startswith(RAW_PROFILE)]
    return [kind for kind in kinds if kind not in _KINDS]


def comments(info: Mapping[Any, Any]) -> list[str]:
    """Return the names of comments that no result has; those of imgconv and of OpenJPEG are not named."""
    comment = info.get("comment")
    return ["comment"] if comment and not _text(comment).startswith(_COMMENTS) else []


def block(value: Any) -> bytes | None:
    """Return an entry if it is bytes, None for anything else and for nothing."""
    return value if isinstance(value, bytes) and value else None


def description_of(image: Image.Image) -> str | None:
    """Return the description in an opened image, None without one."""
    if hasattr(image, "tag_v2") and (text := str(image.tag_v2.get(IMAGE_DESCRIPTION, ""))):
        return _text(text.encode("latin-1", "replace"))
    return description_in(image.info)


def description_in(info: Mapping[Any, Any]) -> str | None:
    """Return the description in Pillow's `info`, None without one."""
    text: Any = info.get("Description") or info.get("comment")
    if not text and "xmp" in info:
        from imgconv.images.metadata import xmp

        text = xmp.description(info["xmp"])
    return _text(text) if text else None


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
