"""Metadata in the boxes of a JPEG 2000 file: ICC profile, resolution, EXIF, XMP, IPTC and GeoTIFF keys. Pillow knows none of them."""

import struct
from collections.abc import Iterator
from fractions import Fraction
from io import BytesIO
from math import ceil, log10
from typing import Any, BinaryIO
from uuid import UUID

from imgconv.images import boxes
from imgconv.images.metadata import exif as exif_of
from imgconv.images.raster import Metadata

_EXIF = UUID("4a706754-6966-6645-7869-662d3e4a5032").bytes
_XMP = UUID("be7acfcb-97a9-42e8-9c71-999491e3afac").bytes
_IPTC = UUID("33c7a4d2-b81d-4723-a0ba-f1a3e097ad38").bytes
_GEOTIFF = UUID("b14bf8bd-083d-4b43-a5ae-8cd7d5a6ce03").bytes
_ENTRIES = {_EXIF: "exif", _XMP: "xmp", _IPTC: "iptc", _GEOTIFF: "geotiff"}
_IMAGE = ("jP  ", "ftyp", "jp2h", "jp2c", "free", "rreq")
_PROFILES = (2, 3)  # methods of a colour specification that is an ICC profile
_RESOLUTION = ">HHHHbb"  # down and across: numerators and denominators, then exponents of 10
_METRE = Fraction(10_000, 254)  # in inches
_LARGEST = 65535


def info_of(file: BinaryIO) -> dict[str, Any]:
    """Return metadata under the names of Pillow's `info`; `geotiff` is a TIFF with positions, `other_boxes` is true of further boxes.

    A codestream without boxes has none.
    """
    info: dict[str, Any] = {}
    file.seek(0)
    if file.read(8)[4:] != b"jP  ":
        return info
    for name, start, end in boxes.boxes(file):
        if name == "jp2h":
            info |= _of_header(file, start, end)
        elif name == "uuid":
            entry = _ENTRIES.get(boxes.content(file, (start, min(start + 16, end))))
            if entry and entry not in info:
                info[entry] = boxes.content(file, (start + 16, end))
                continue
        if name not in _IMAGE:
            info["other_boxes"] = True
    return info


def with_metadata(data: bytes, metadata: Metadata) -> bytes:
    """Return a JPEG 2000 file with the boxes that hold its metadata."""
    file, result = BytesIO(data), BytesIO()
    for name, start, end in boxes.boxes(file):
        content = data[start:end]
        if name == "jp2c":
            for kind, block in _uuids(metadata):
                _write(result, "uuid", kind + block)
        _write(result, name, _header(content, metadata) if name == "jp2h" else content)
    return result.getvalue()


def _of_header(file: BinaryIO, start: int, end: int) -> dict[str, Any]:
    info: dict[str, Any] = {}
    for name, first, last in boxes.boxes(file, start, end):
        content = boxes.content(file, (first, last)) if name in ("colr", "res ") else b""
        if name == "colr" and content[:1] in [bytes([method]) for method in _PROFILES]:
            info.setdefault("icc_profile", content[3:])
        elif name == "res ":
            places = {inner: boxes.content(file, (at, stop)) for inner, at, stop in boxes.boxes(file, first, last)}
            dpi = _dpi(places.get("resd") or places.get("resc") or b"")  # for display, or of the scanner
            info |= {"dpi": dpi} if dpi else {}
    return info


def _dpi(content: bytes) -> tuple[float, float] | None:
    """Return dots per inch (x, y); None for an invalid box."""
    if len(content) < struct.calcsize(_RESOLUTION):
        return None
    down, down_parts, across, across_parts, *exponents = struct.unpack_from(_RESOLUTION, content)
    if not down_parts or not across_parts:
        return None
    values = (across / across_parts * 10.0 ** exponents[1], down / down_parts * 10.0 ** exponents[0])
    return values[0] / float(_METRE), values[1] / float(_METRE)


def _header(content: bytes, metadata: Metadata) -> bytes:
    """Return the contents of the header box with profile and resolution."""
    result = BytesIO()
    for name, start, end in boxes.boxes(BytesIO(content)):
        is_profile = name == "colr" and metadata.icc_profile
        _write(result, name, bytes((_PROFILES[0], 0, 0)) + (metadata.icc_profile or b"") if is_profile else content[start:end])
    if metadata.dpi:
        across, down = (_parts(dpi) for dpi in metadata.dpi)
        display = BytesIO()
        _write(display, "resd", struct.pack(_RESOLUTION, *down[:2], *across[:2], down[2], across[2]))
        _write(result, "res ", display.getvalue())
    return result.getvalue()


def _parts(dpi: float) -> tuple[int, int, int]:
    """Return numerator, denominator and exponent of 10 of dots per metre."""
    per_metre = Fraction(dpi) * _METRE
    exponent = max(0, ceil(log10(per_metre / _LARGEST))) if per_metre > _LARGEST else 0
    scaled = per_metre / 10**exponent
    nearest = scaled.limit_denominator(max(1, int(_LARGEST / max(scaled, 1))))
    return max(nearest.numerator, 1), nearest.denominator, exponent


def _uuids(metadata: Metadata) -> Iterator[tuple[bytes, bytes]]:
    if metadata.exif:
        yield _EXIF, exif_of.encode(metadata.exif)[0]
    if metadata.xmp:
        yield _XMP, metadata.xmp
    if metadata.iptc:
        yield _IPTC, metadata.iptc


def _write(stream: BinaryIO, name: str, data: bytes) -> None:
    stream.write((8 + len(data)).to_bytes(4, "big") + name.encode("latin-1") + data)
