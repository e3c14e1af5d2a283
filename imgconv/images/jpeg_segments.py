"""The segments of a JPEG that Pillow does not take apart: Photoshop's resources, and those that no result has."""

from contextlib import suppress
from typing import Any, BinaryIO

from imgconv.images.metadata import iptc, pillow_info

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


def others(image: Any, file: BinaryIO) -> list[str]:
    """Return the names of the parts of a JPEG that are neither the image nor metadata that are copied."""
    names = [name for kind, data in getattr(image, "applist", []) if (name := _name_of_segment(kind, data))]
    names += iptc.other_resources(resources_of(image))
    with suppress(OSError):
        file.seek(-len(_SMALL_TRAILER), 2)
        if file.read() == _SMALL_TRAILER:
            names.append("motion photo")
    return names


def resources_of(image: Any) -> bytes:
    """Return Photoshop's image resources, which can go on from one segment of a JPEG to the next."""
    parts = [data for kind, data in getattr(image, "applist", []) if kind == "APP13" and data.startswith(iptc.PHOTOSHOP)]
    return b"".join(data.removeprefix(iptc.PHOTOSHOP) for data in parts)


def _name_of_segment(kind: str, data: bytes) -> str:
    """Return the name of a segment of a JPEG, an empty text for one that results have too."""
    if kind == "APP0" and data.startswith(b"JFIF\0") and len(data) > _JFIF:
        return "thumbnail"
    names = (name for app, beginning, name in _SEGMENTS if app == kind and data.startswith(beginning))
    return next(names, f"{kind} segment")
