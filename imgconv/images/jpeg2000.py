"""JPEG 2000: depths, colour space and metadata in the boxes of a file, in any order, and the pixels of images that Pillow cannot hold.

Pillow narrows colour to 8 bits, its white is darker than white where a sample has another depth than 8 or 16 bits, and it knows no metadata
of the format: ICC profile, resolution, EXIF, XMP, IPTC and GeoTIFF keys.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from io import BytesIO
from math import ceil, log10
from typing import Any, BinaryIO
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from imgconv.errors import ImageError
from imgconv.images import boxes, modes
from imgconv.images.damage import DamageError, TruncatedError
from imgconv.images.metadata import exif as exif_of
from imgconv.images.raster import Metadata

_CODESTREAM = b"\xff\x4f\xff\x51"
_SIZE = ">HHIIIIIIIIH"  # of the SIZ segment, up to the number of components
_CMYK, _SRGB, _GREY, _SYCC = 12, 16, 17, 18
_IS_COLOUR, _IS_ALPHA, _IS_PREMULTIPLIED = 0, 1, 2  # kinds of components
_ENUMERATED, _PROFILES = b"\1", (b"\2", b"\3")  # methods of a colour specification
_PROFILE_SPACE = slice(3 + 16, 3 + 20)  # the colours of an ICC profile, after method, precedence and approximation
_FULL_SIZE = (1, 1)
_SUBSAMPLED = [[_FULL_SIZE, step, step] for step in ((2, 1), (2, 2))]  # distances of samples of YCbCr that OpenJPEG converts
_MOST_COMPONENTS = 16384
_PART_HEAD = 12  # bytes
_TILE_PART, _END = b"\xff\x90", b"\xff\xd9"
_EXIF = UUID("4a706754-6966-6645-7869-662d3e4a5032").bytes
_XMP = UUID("be7acfcb-97a9-42e8-9c71-999491e3afac").bytes
_IPTC = UUID("33c7a4d2-b81d-4723-a0ba-f1a3e097ad38").bytes
_GEOTIFF = UUID("b14bf8bd-083d-4b43-a5ae-8cd7d5a6ce03").bytes
_ENTRIES = {_EXIF: "exif", _XMP: "xmp", _IPTC: "iptc", _GEOTIFF: "geotiff"}
_IMAGE = ("jP  ", "ftyp", "jp2h", "jp2c", "free", "rreq")
_RESOLUTION = ">HHHHbb"  # down and across: numerators and denominators, then exponents of 10
_METRE = Fraction(10_000, 254)  # in inches
_LARGEST = 65535


@dataclass(frozen=True)
class Layout:
    """Depth of the components and of the pixels: `bits`, `signed`, whether all components have the same, and the colour space.

    `in_order` means that the components are red, green, blue (or grey) and alpha, as Pillow takes them whatever the file declares, and
    `full_size` that each has a sample for every pixel: Pillow shifts the others where a tile has an odd size.
    """

    components: int
    bits: int
    signed: bool
    uniform: bool
    space: int | None
    in_order: bool = True
    full_size: bool = True

    @property
    def is_plain(self) -> bool:
        """Whether Pillow reads the image correctly."""
        return self.uniform and self.bits == 8 and not self.signed and self.in_order and self.full_size

    @property
    def colours(self) -> int:
        """Number of colour components; one more is alpha."""
        if self.space == _CMYK:
            return 4
        return 1 if self.components < 3 else 3


def read_layout(file: BinaryIO) -> Layout:
    """Read the headers of a file. Raises DamageError without an image, ImageError for what neither Pillow nor OpenJPEG reads."""
    file.seek(0)
    space = palette = None
    in_order, start = True, 0
    if file.read(4) != _CODESTREAM:
        place = boxes.find(file, "jp2c")
        if place is None:
            raise DamageError("the image is missing")
        start = place[0]
        space = _space(file)
        palette = boxes.content(file, boxes.find(file, "jp2h/pclr"))
        in_order = _is_in_order(boxes.content(file, boxes.find(file, "jp2h/cdef")))
    file.seek(start)
    depths, steps = _components(file)
    if palette:
        depths = [_depth(byte) for byte in palette[3 : 3 + palette[2]]]
    if not depths:
        raise DamageError("it has no components")
    bits, signed = depths[0]
    layout = Layout(len(depths), bits, signed, len(set(depths)) == 1, space, in_order, set(steps) == {_FULL_SIZE})
    _check(layout, steps)
    return layout


def decode(data: bytes, layout: Layout, *, salvage: bool) -> NDArray[Any]:
    """Return the pixels (H, W, C), uint8, uint16 or float32, of an image that is not plain. White is white at every depth."""
    import imagecodecs

    if not salvage:
        check_complete(data)
    samples = imagecodecs.jpeg2k_decode(data)
    if samples.ndim == 2:
        samples = samples[..., None]
    if layout.signed:
        samples = (samples.astype(np.int64) + (1 << layout.bits - 1)).astype(np.uint32)
    if layout.bits > 16:
        return modes.exact_floats(samples, np.dtype(np.float32))
    pixels = modes.white_is_white(samples, layout.bits)
    if layout.space == _CMYK:
        pixels = np.concatenate([modes.rgb_of_cmyk(pixels[..., :4]), pixels[..., 4:]], axis=2)
    return pixels


def check_complete(data: bytes) -> None:
    """Raise TruncatedError unless a file, or a codestream alone, has all its parts of tiles.

    OpenJPEG stops without an error where a part would begin, and takes zeros for a part without details.
    """
    place = None if data.startswith(_CODESTREAM) else boxes.find(BytesIO(data), "jp2c")
    data = data[place[0] :] if place else data
    _, _, width, height, _, _, tile_width, tile_height, tile_left, tile_top, _ = struct.unpack_from(_SIZE, data, 4)
    at, tiles = 2, set[int]()
    while at < len(data) and data[at : at + 2] != _END:
        if data[at : at + 2] != _TILE_PART and not tiles:
            at += 2 + max(int.from_bytes(data[at + 2 : at + 4], "big"), 2)  # a segment of the main header
            continue
        if data[at : at + 2] != _TILE_PART or at + _PART_HEAD > len(data):
            raise TruncatedError
        number, length = struct.unpack_from(">HI", data, at + 4)
        end = at + length if length else data.find(_END, at)  # the last part can go on to the end mark, which no data contain
        if not at < end <= len(data) or data[at:end].endswith(_END):
            raise TruncatedError
        tiles.add(number)
        at = end
    across, down = -(-(width - tile_left) // max(tile_width, 1)), -(-(height - tile_top) // max(tile_height, 1))
    if len(tiles) < across * down:
        raise TruncatedError


def _components(file: BinaryIO) -> tuple[list[tuple[int, bool]], list[tuple[int, int]]]:
    """Return bits and sign of each component, and the distances of its samples."""
    head = file.read(4 + struct.calcsize(_SIZE))
    if not head.startswith(_CODESTREAM) or len(head) < 4 + struct.calcsize(_SIZE):
        raise DamageError("the image is missing")
    *_, count = struct.unpack(_SIZE, head[4:])
    data = file.read(3 * min(count, _MOST_COMPONENTS))
    triples = [data[at : at + 3] for at in range(0, len(data) - 2, 3)]
    return [_depth(byte) for byte, _, _ in triples], [(across, down) for _, across, down in triples]


def _depth(byte: int) -> tuple[int, bool]:
    """Return bits and sign of samples as JPEG 2000 stores them."""
    return (byte & 0x7F) + 1, byte > 0x7F


def _is_in_order(definition: bytes) -> bool:
    """Return whether the components of a file follow each other as colours and alpha, as they do without a definition.

    Raises ImageError for components that are neither, and for premultiplied alpha.
    """
    entries = list(struct.iter_unpack(">HHH", definition[2 : 2 + len(definition[2:]) // 6 * 6]))
    kinds = {kind for _, kind, _ in entries}
    if kinds - {_IS_COLOUR, _IS_ALPHA}:
        what = "premultiplied alpha" if _IS_PREMULTIPLIED in kinds else "components that are neither colours nor alpha"
        raise ImageError(f"jpeg2000 images with {what} are not supported; convert the image to .png or .tiff")
    colours = [place for component, kind, place in sorted(entries) if kind == _IS_COLOUR]
    alpha = [component for component, kind, _ in entries if kind == _IS_ALPHA]
    return colours == list(range(1, len(colours) + 1)) and alpha in ([], [len(colours)])


def _space(file: BinaryIO) -> int | None:
    """Return the number of the colour space, None where an ICC profile of grey or RGB, or nothing, defines it.

    The first definition counts whose method is known, as the standard says. Raises ImageError for a profile of other colours.
    """
    defined = False
    for name, start, end in boxes.boxes(file, *(boxes.find(file, "jp2h") or (0, 0))):
        colour = boxes.content(file, (start, end)) if name == "colr" else b""
        defined = defined or name == "colr"
        if colour[:1] == _ENUMERATED and len(colour) >= 7:
            return int.from_bytes(colour[3:7], "big")
        if colour[:1] in _PROFILES:
            _check_space(colour[_PROFILE_SPACE])
            return None
    if defined:
        _check_space(b"")
    return None


def _check_space(space: bytes) -> None:
    if space not in (b"RGB ", b"GRAY"):
        what = f"an ICC profile of {space.decode('ascii', 'backslashreplace').strip()} colours" if space else "an unknown colour space"
        raise ImageError(f"jpeg2000 images with {what} are not supported; convert the image to RGB of 8 or 16 bits")


def _check(layout: Layout, steps: list[tuple[int, int]]) -> None:
    what = None
    is_ycbcr = layout.space in (None, _SYCC) and steps in _SUBSAMPLED and replace(layout, full_size=True).is_plain
    is_for_pillow = layout.is_plain or is_ycbcr
    if not (is_for_pillow or (layout.uniform and layout.full_size)):
        what = "whose components differ in depth or size"
    elif layout.space not in (None, _CMYK, _SRGB, _GREY) and not (layout.space == _SYCC and is_for_pillow):
        what = f"in colour space {layout.space}"
    elif layout.bits > 24:
        what = f"of {layout.bits} bits"
    elif layout.components > layout.colours + 1 or (layout.space in (_SRGB, _GREY) and (layout.space == _GREY) != (layout.colours == 1)):
        what = f"of {layout.components} components"
    if what:
        raise ImageError(f"jpeg2000 images {what} are not supported; convert the image to RGB of 8 or 16 bits")


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
        if name == "colr" and content[:1] in _PROFILES:
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
        _write(result, name, _PROFILES[0] + bytes(2) + (metadata.icc_profile or b"") if is_profile else content[start:end])
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
