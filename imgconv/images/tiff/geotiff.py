"""GDAL's tags in TIFF files: the position of an image on the ground, the value of missing cells, and descriptions of bands."""

import re
import struct
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from imgconv.images.metadata.places import names_place
from imgconv.images.sampling import Sampling

if TYPE_CHECKING:
    from imgconv.images.metadata.exif import Directory

_SCALE, _TIE_POINTS, _TRANSFORMATION = 33550, 33922, 34264
_KEYS, _DOUBLES, _TEXTS = 34735, 34736, 34737
_METADATA, NODATA = 42112, 42113
_RATIONAL = 50844
_RASTER_TYPE, _IS_POINT = 1025, 2  # a geo key, and its value where coordinates are those of the centres of pixels
_STRUCTS = {3: "H", 12: "d"}
_STATISTICS = re.compile(r'[ \t]*<Item name="STATISTICS_[^>]*>[^<]*</Item>\s*')
_OF_LEVELS = re.compile(r'([ \t]*<Item [^>]*role="(scale|offset|unittype)"[^>]*>)([^<]*)(</Item>\s*)')
_ITEM = re.compile(r'[ \t]*<Item [^>]*?name="([^"]*)"[^>]*>[^<]*</Item>\s*')
_OF_BAND = re.compile(r'[ \t]*<Item [^>]*sample="(\d+)"[^>]*>[^<]*</Item>\s*')


@dataclass(frozen=True)
class Ground:
    """Where pixels lie on the ground: the GeoTIFF tags, as numbers.

    A point of the raster is at `tie_points`, (column, row, 0, x, y, z) each, and further ones are `scale` apart; or `transformation`, 4x4
    by rows, maps it. `keys`, `doubles` and `texts` describe the coordinates. `rational` are the polynomials of a satellite's sensor:
    numbers 2 and 7 are the offset and scale of rows, 3 and 8 those of columns, counted from the centre of the first pixel.
    """

    scale: tuple[float, ...] = ()
    tie_points: tuple[float, ...] = ()
    transformation: tuple[float, ...] = ()
    keys: tuple[int, ...] = ()
    doubles: tuple[float, ...] = ()
    texts: bytes = b""
    rational: tuple[float, ...] = ()

    @property
    def is_point(self) -> bool:
        """Whether whole numbers are the centres of pixels rather than their corners."""
        return any(self.keys[i] == _RASTER_TYPE and self.keys[i + 3] == _IS_POINT for i in range(4, len(self.keys) - 3, 4))

    def moved(self, sampling: Sampling) -> "Ground":
        """The same for a result whose pixels are placed by `sampling`.

        >>> Ground((10.0, 10.0, 0.0), (0.0, 0.0, 0.0, 500.0, 900.0, 0.0)).moved(Sampling((4, 4), (2, 2), (0.5, 0.5))).scale
        (20.0, 20.0, 0.0)
        """
        (down, across), corner = map(float, sampling.stride), 0.0 if self.is_point else 0.5
        # coordinates of the original are stride * those of the result + shift
        right, below = (origin + corner - corner * stride for origin, stride in ((sampling.origin[1], across), (sampling.origin[0], down)))
        ties = list(self.tie_points)
        for i in range(0, len(ties) - 5, 6):
            ties[i], ties[i + 1] = (ties[i] - right) / across, (ties[i + 1] - below) / down
        matrix = list(self.transformation)
        for row in range(0, len(matrix) - 3, 4):
            x, y, _, constant = matrix[row : row + 4]
            matrix[row], matrix[row + 1], matrix[row + 3] = x * across, y * down, constant + x * right + y * below
        scale = (self.scale[0] * across, self.scale[1] * down, *self.scale[2:]) if len(self.scale) > 1 else self.scale
        rational = list(self.rational)
        for axis, (origin, stride) in enumerate(zip(sampling.origin, sampling.stride, strict=True) if len(rational) > 8 else ()):
            rational[2 + axis], rational[7 + axis] = (rational[2 + axis] - origin) / stride, rational[7 + axis] / stride
        return replace(self, scale=scale, tie_points=tuple(ties), transformation=tuple(matrix), rational=tuple(rational))


@dataclass(frozen=True)
class Bands:
    """The contents of GDAL's XML about a file and each of its bands, such as their names."""

    xml: str = ""
    channels: int = 0

    def with_gain(self, gain: float | None) -> "Bands":
        """The same for results with this `Sampling.gain`: physical values are scale * level + offset, and offsets count as often as levels.

        >>> Bands('<Item name="OFFSET" sample="0" role="offset">-273</Item>', 1).with_gain(0.0).xml
        '<Item name="OFFSET" sample="0" role="offset">0</Item>'
        """

        def changed(item: "re.Match[str]") -> str:
            if gain is None:
                return ""
            with suppress(ValueError):
                return f"{item[1]}{float(item[3]) * gain + 0.0:.17g}{item[4]}" if item[2] == "offset" else item[0]
            return ""

        return replace(self, xml=_OF_LEVELS.sub(changed, self.xml))

    def without_location(self) -> "Bands":
        """The same without items about the place of the image.

        >>> Bands('<Item name="LATITUDE">48</Item><Item name="SENSOR">A</Item>').without_location().xml
        '<Item name="SENSOR">A</Item>'
        """
        return replace(self, xml=_ITEM.sub(lambda item: "" if names_place(item[1]) else item[0], self.xml))

    def fitted(self, channels: int) -> "Bands":
        """The same for a result of `channels`: statistics are those of the original, and other channels are other bands."""
        xml = _STATISTICS.sub("", self.xml)
        return Bands(xml if channels == self.channels else _OF_BAND.sub("", xml), channels)


@dataclass(frozen=True)
class Declared:
    """The fields of `Metadata` that the tags of GDAL fill."""

    ground: Ground | None = None
    nodata: float | None = None
    bands: Bands | None = None


def read(directory: "Directory", order: str, channels: int) -> Declared:
    """Return what the directory of a page, in byte order `order`, declares; what is damaged counts as missing."""
    scale, tie_points, transformation, doubles, rational = (
        _numbers(directory, tag, order) for tag in (_SCALE, _TIE_POINTS, _TRANSFORMATION, _DOUBLES, _RATIONAL)
    )
    keys = tuple(int(key) for key in _numbers(directory, _KEYS, order))
    texts = directory[_TEXTS].data if _TEXTS in directory else b""
    ground = Ground(scale, tie_points, transformation, keys, doubles, texts, rational)
    nodata = None
    with suppress(ValueError):
        nodata = float(_text(directory, NODATA).replace("1.#QNAN", "nan"))
    xml = _text(directory, _METADATA)
    has_place = ground.keys or ground.tie_points or ground.transformation or ground.rational
    return Declared(ground if has_place else None, nodata, Bands(xml, channels) if xml else None)


def tags_of(ground: Ground | None, nodata: float | None, bands: Bands | None) -> list[tuple[int, int, int, Any, bool]]:
    """Return the tags of a page for tifffile."""
    values: dict[int, tuple[int, Any]] = {}
    if ground:
        values |= {_SCALE: (12, ground.scale), _TIE_POINTS: (12, ground.tie_points), _TRANSFORMATION: (12, ground.transformation)}
        values |= {_KEYS: (3, ground.keys), _DOUBLES: (12, ground.doubles), _TEXTS: (2, ground.texts), _RATIONAL: (12, ground.rational)}
    if bands:
        values[_METADATA] = 2, bands.xml.encode() + b"\0"
    if nodata is not None:
        values[NODATA] = 2, nodata_text(nodata).encode() + b"\0"
    return [(tag, kind, len(value), value, True) for tag, (kind, value) in values.items() if value]


def nodata_text(value: float) -> str:
    """A nodata value as GDAL writes it.

    >>> nodata_text(-9999.0), nodata_text(float("nan"))
    ('-9999', 'nan')
    """
    return str(int(value)) if value.is_integer() and abs(value) < 1 << 53 else repr(value)


def _numbers(directory: "Directory", tag: int, order: str) -> tuple[float, ...]:
    value = directory.get(tag)
    letter = _STRUCTS.get(value.kind) if value else None
    if value is None or letter is None:
        return ()
    return struct.unpack(f"{order}{len(value.data) // struct.calcsize(letter)}{letter}", value.data)


def _text(directory: "Directory", tag: int) -> str:
    return directory[tag].data.split(b"\0")[0].decode("utf-8", "replace").strip() if tag in directory else ""
