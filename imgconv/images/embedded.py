"""Images inside other files, such as the strips of a TIFF and the frames of a DICOM: the size that each declares itself."""

from io import BytesIO
from typing import Literal

from imgconv.images import jpeg
from imgconv.images.damage import DamageError

Kind = Literal["JPEG", "JPEG 2000", "JPEG XL", "JPEG XR", "PNG", "WebP", "LERC"]
_CODESTREAM = b"\xff\x4f\xff\x51"  # of JPEG 2000
_LERC = b"Lerc2 "
_XR_WIDTH, _XR_HEIGHT = 0xBC80, 0xBC81  # tags of a JPEG XR file
_BLOCK = 16  # pixels, to a multiple of which some programs fill up a JPEG


def check_size(kind: Kind, data: bytes, rows: int, columns: int) -> None:
    """Raise DamageError for an image that is larger than its place, before a decoder reserves memory for it."""
    height, width = _size(kind, data)
    if height > -(-rows // _BLOCK) * _BLOCK or width > -(-columns // _BLOCK) * _BLOCK:
        raise DamageError(f"its {kind} image has {width}x{height} pixels in a place of {columns}x{rows}")


def _size(kind: Kind, data: bytes) -> tuple[int, int]:
    """Return height and width; (0, 0) where the header is damaged, which its decoder reports."""
    match kind:
        case "JPEG":
            header = jpeg.frame_header(BytesIO(data))
            return (0, 0) if header is None else jpeg.size_in(BytesIO(data), header[0])
        case "JPEG 2000":
            at = data.find(_CODESTREAM) + 8
            return (_big(data, at + 4, 4) - _big(data, at + 12, 4), _big(data, at, 4) - _big(data, at + 8, 4)) if at > 7 else (0, 0)
        case "JPEG XL":
            from imgconv.images import jpegxl

            return jpegxl.read_layout(BytesIO(data)).size
        case "JPEG XR":
            entries = xr_entries(data)
            return entries.get(_XR_HEIGHT, 0), entries.get(_XR_WIDTH, 0)
        case "PNG":
            return _big(data, 20, 4), _big(data, 16, 4)
        case "WebP":
            from imgconv.images import webp

            return webp.canvas(BytesIO(data))
        case "LERC":
            at = len(_LERC) + 8 if data.startswith(_LERC) else len(data)  # after the version and a checksum
            return int.from_bytes(data[at : at + 4], "little"), int.from_bytes(data[at + 4 : at + 8], "little")


def xr_entries(data: bytes) -> dict[int, int]:
    """Return the entries of the directory of a JPEG XR file, which is that of a TIFF; those of strings are their places."""
    directory = int.from_bytes(data[4:8], "little")
    count = int.from_bytes(data[directory : directory + 2], "little")
    places = range(directory + 2, directory + 2 + 12 * count, 12)
    return {int.from_bytes(data[at : at + 2], "little"): int.from_bytes(data[at + 8 : at + 12], "little") for at in places}


def _big(data: bytes, at: int, length: int) -> int:
    return int.from_bytes(data[at : at + length], "big")
