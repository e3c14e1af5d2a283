"""Metadata of images: EXIF, ICC profile and resolution for upright pixels, and the description that states how an image was made."""

import re
import struct
from collections.abc import Iterator, Mapping
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imgconv.images.raster import Metadata

_ORIENTATION = 0x0112
_EXIF_PREFIX = b"Exif\0\0"
_XMP_ORIENTATION = re.compile(rb'tiff:Orientation(?:="|>)([1-8])')
_MOST_DPI = 65535  # JFIF stores it in 16 bits
_SPACES = {b"GRAY": (1, 2), b"RGB ": (3, 4)}  # colour space of an ICC profile -> channels that it fits
_IMAGE_DESCRIPTION = 270  # TIFF tag
_XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:description><rdf:Alt>'
    '<rdf:li xml:lang="x-default">{}</rdf:li></rdf:Alt></dc:description></rdf:Description></rdf:RDF></x:xmpmeta>'
)
_XMP_TEXT = re.compile(r"<dc:description>.*?<rdf:li[^>]*>(.*?)</rdf:li>", re.DOTALL)


def from_info(info: Mapping[Any, Any], orientation: int = 1) -> Metadata:
    """Return the metadata in Pillow's `info`, for pixels that were rotated upright from `orientation`."""
    dpi = _dpi(info.get("dpi"))
    icc = info.get("icc_profile")
    return Metadata(
        icc_profile=icc if isinstance(icc, bytes) and len(icc) >= 128 and icc[16:20] in _SPACES else None,
        dpi=dpi[::-1] if dpi and orientation > 4 else dpi,
        exif=_upright_exif(info),
    )


def orientation_of(info: Mapping[Any, Any]) -> int:
    """Return the EXIF orientation, 1 to 8, from Pillow's `info` of a loaded image; 1 where it is missing or invalid."""
    tiff = _tiff_part(info)
    for order, offset in _orientation_fields(tiff):
        value = int(struct.unpack_from(order + "H", tiff, offset)[0])
        return value if 1 <= value <= 8 else 1
    xmp = info.get("xmp") or info.get("XML:com.adobe.xmp") or b""
    match = _XMP_ORIENTATION.search(xmp.encode() if isinstance(xmp, str) else bytes(xmp))
    return int(match[1]) if match else 1


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


def profile_fits(icc_profile: bytes | None, channels: int) -> bool:
    """Return whether an ICC profile fits an image of `channels`: an RGB profile does not fit a grey map, CMYK and Lab fit nothing."""
    return icc_profile is not None and channels in _SPACES.get(icc_profile[16:20], ())


def description_of(image: Image.Image) -> str | None:
    """Return the description in an opened image, None without one."""
    text: Any = image.info.get("Description") or image.info.get("comment")
    if not text and hasattr(image, "tag_v2"):
        text = str(image.tag_v2.get(_IMAGE_DESCRIPTION, "")).encode("latin-1", "replace")
    if not text and "xmp" in image.info:
        import html  # a large table of names, needed for few files

        xmp = _text(image.info["xmp"])
        match = _XMP_TEXT.search(xmp)
        text = html.unescape(match[1]) if match else None
    return _text(text) if text else None


def save_options(name: str, text: str | None) -> dict[str, Any]:
    """Return the keyword arguments of Pillow's `save` that write `text` into a file of format `name`; empty if it stores no text."""
    if text and name in ("jpeg", "jpeg2000"):
        return {"comment": text.encode()}
    if text and name in ("webp", "avif"):
        import html

        return {"xmp": _XMP.format(html.escape(text, quote=False)).encode()}
    return {}


def _dpi(value: Any) -> tuple[float, float] | None:
    try:
        x, y = (float(number) for number in value)
    except (TypeError, ValueError, ArithmeticError):
        return None
    return (x, y) if isfinite(x) and isfinite(y) and min(x, y) > 0 and max(x, y) < _MOST_DPI else None


def _tiff_part(info: Mapping[Any, Any]) -> bytearray:
    exif = info.get("exif") or _raw_profile(info.get("Raw profile type exif"))
    return bytearray(exif).removeprefix(_EXIF_PREFIX) if isinstance(exif, bytes) else bytearray()


def _raw_profile(text: Any) -> bytes | None:
    """Return EXIF from the text of a PNG, as ImageMagick wrote it before 2017: a name, a length, and hexadecimal digits."""
    try:
        return bytes.fromhex("".join(text.split()[2:])) if isinstance(text, str) else None
    except ValueError:
        return None


def _directory(tiff: bytearray) -> tuple[str, int, int] | None:
    """Return byte order, offset and number of entries of the first directory; None if there is none."""
    order = {b"II": "<", b"MM": ">"}.get(bytes(tiff[:2]))
    if order is None or len(tiff) < 10:
        return None
    (offset,) = struct.unpack_from(order + "I", tiff, 4)
    if offset + 2 > len(tiff):
        return None
    (entries,) = struct.unpack_from(order + "H", tiff, offset)
    return (order, offset, entries) if offset + 2 + 12 * entries + 4 <= len(tiff) else None


def _orientation_fields(tiff: bytearray) -> Iterator[tuple[str, int]]:
    """Yield byte order and offset of each orientation value (a 16-bit number) in the first directory."""
    directory = _directory(tiff)
    if directory:
        order, offset, entries = directory
        for entry in range(offset + 2, offset + 2 + 12 * entries, 12):
            tag, kind, count = struct.unpack_from(order + "HHI", tiff, entry)
            if tag == _ORIENTATION and kind == 3 and count == 1:
                yield order, entry + 8


def _upright_exif(info: Mapping[Any, Any]) -> bytes | None:
    """Return EXIF with orientation 1 and without a link to the thumbnail, which shows the original image; None for invalid EXIF."""
    tiff = _tiff_part(info)
    directory = _directory(tiff)
    if not directory:
        return None
    for order, offset in _orientation_fields(tiff):
        struct.pack_into(order + "H", tiff, offset, 1)
    order, offset, entries = directory
    struct.pack_into("I", tiff, offset + 2 + 12 * entries, 0)
    return bytes(tiff)


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
