"""OME-Zarr: the resolutions, axes, sizes of pixels and colours that the attributes of a group describe (versions 0.1 to 0.5)."""

from dataclasses import dataclass, replace
from math import prod
from typing import Any

from imgconv.errors import ImageError
from imgconv.images.sampling import Sampling

OLD_AXES = ("t", "c", "z", "y", "x")  # before version 0.3
_COLOURS = ["FF0000", "00FF00", "0000FF"]
_WHITE = "FFFFFF"
_ALPHA = "alpha"
_READ = ("ome", "multiscales", "version")
_INCH = {"meter": 0.0254, "millimeter": 25.4, "micrometer": 25400.0, "nanometer": 25400000.0}  # in an inch
_TYPES = {"t": "time", "c": "channel", "z": "space", "y": "space", "x": "space"}


@dataclass(frozen=True)
class Axis:
    """An axis of an image: its name, type and unit, its number of cells, their size and the place of the first one."""

    name: str
    type: str | None = None
    unit: str | None = None
    size: int = 1
    scale: float = 1.0
    start: float = 0.0

    def described(self) -> dict[str, str]:
        """Return the axis as OME-Zarr has it."""
        return {"name": self.name, **({"type": self.type} if self.type else {}), **({"unit": self.unit} if self.unit else {})}

    def measured(self) -> dict[str, Any]:
        """Return the axis with its scale, for an array without a group."""
        return {**self.described(), "scale": self.scale, "translation": self.start}

    @classmethod
    def of(cls, axis: Any, size: int = 1) -> "Axis":
        """Return an axis as it is written: in OME-Zarr before 0.4 as a name."""
        if isinstance(axis, str):
            return cls(axis, _TYPES.get(axis), size=size)
        scale, start = float(axis.get("scale", 1)), float(axis.get("translation", 0))
        return cls(str(axis["name"]), axis.get("type"), axis.get("unit"), size, scale, start)


@dataclass(frozen=True)
class Grid:
    """The axes of a stack: those of its `pages` in the order of the array, then `y` and `x`."""

    pages: tuple[Axis, ...]
    y: Axis
    x: Axis

    @property
    def page_count(self) -> int:
        """Number of pages."""
        return prod(axis.size for axis in self.pages)

    @property
    def dpi(self) -> tuple[float, float] | None:
        """Pixels per inch (x, y), where both units are known lengths."""
        if self.x.unit in _INCH and self.y.unit in _INCH and self.x.scale > 0 and self.y.scale > 0:
            return _INCH[self.x.unit] / self.x.scale, _INCH[self.y.unit] / self.y.scale
        return None

    def moved(self, sampling: Sampling) -> "Grid":
        """The same for a result whose pixels are placed by `sampling`."""
        (down, across), (top, left) = sampling.stride, sampling.origin
        y = replace(self.y, start=self.y.start + top * self.y.scale, scale=self.y.scale * float(down))
        return replace(self, y=y, x=replace(self.x, start=self.x.start + left * self.x.scale, scale=self.x.scale * float(across)))

    @classmethod
    def of_dpi(cls, dpi: tuple[float, float] | None) -> "Grid":
        """The axes of an image of which no more is known than its pixels per inch."""
        y, x = Axis("y", "space"), Axis("x", "space")
        if dpi is None:
            return cls((), y, x)
        across, down = (_INCH["micrometer"] / density for density in dpi)
        return cls((), replace(y, unit="micrometer", scale=down), replace(x, unit="micrometer", scale=across))


@dataclass(frozen=True)
class Multiscale:
    """The image of a group: the paths of its resolutions, its axes, and how many channels its colours have, 0 for none.

    `others` are the names of the attributes that are not read.
    """

    paths: tuple[str, ...]
    axes: tuple[Axis, ...]
    transformations: tuple[Any, ...]
    colours: int
    others: tuple[str, ...] = ()

    @classmethod
    def of(cls, attributes: dict[str, Any]) -> "Multiscale | None":
        """Return what the attributes of a group describe; None for a group that is not a multiscale image."""
        ome = attributes.get("ome", attributes)
        if not ome.get("multiscales"):
            return None
        image = ome["multiscales"][0]
        axes = tuple(Axis.of(each) for each in image.get("axes") or OLD_AXES)
        datasets = image["datasets"]
        own = tuple([*each.get("coordinateTransformations", ()), *image.get("coordinateTransformations", ())] for each in datasets)
        colours = _colour_channels(ome)
        read = (*_READ, "omero") if colours else _READ
        others = tuple(key for key in {**attributes, **ome} if key not in read)
        return cls(tuple(each["path"] for each in datasets), axes, own, colours, others)

    def path_of(self, level: int) -> str:
        """Return the path of a resolution. Raises ImageError for one that does not exist."""
        if level >= len(self.paths):
            copies = len(self.paths) - 1
            raise ImageError(f"level {level} does not exist; the image has {copies} reduced {'copy' if copies == 1 else 'copies'}")
        return self.paths[level]

    def axes_of(self, level: int, shape: tuple[int, ...]) -> tuple[Axis, ...]:
        """Return the axes of a resolution of `shape`."""
        axes = [replace(axis, size=size) for axis, size in zip(self.axes, shape, strict=True)]
        for each in self.transformations[level]:
            for number, value in enumerate(each.get(each.get("type"), ())):
                axis = axes[number]
                if each["type"] == "scale":
                    axes[number] = replace(axis, scale=axis.scale * float(value), start=axis.start * float(value))
                elif each["type"] == "translation":
                    axes[number] = replace(axis, start=axis.start + float(value))
        return tuple(axes)


def attributes(axes: tuple[Axis, ...], levels: int, version: int, colours: int, alpha: bool) -> dict[str, Any]:
    """Return the attributes of a group whose arrays `0`, `1`, ... each have half the rows and columns of the one before."""
    datasets = []
    for level in range(levels):
        factor = 1 << level
        scale = [axis.scale * (factor if axis.name in "yx" else 1) for axis in axes]
        start = [axis.start + (axis.scale * (factor - 1) / 2 if axis.name in "yx" else 0) for axis in axes]
        transformations = [{"type": "scale", "scale": scale}, {"type": "translation", "translation": start}]
        datasets.append({"path": str(level), "coordinateTransformations": transformations})
    image = {"axes": [axis.described() for axis in axes], "datasets": datasets, "type": "mean"}
    named = {1: {"grey": _WHITE}, 3: dict(zip(("red", "green", "blue"), _COLOURS, strict=True))}.get(colours, {})
    labels = {**named, _ALPHA: _WHITE} if alpha else named
    channels = [{"label": label, "color": color, "active": True} for label, color in labels.items()]
    omero = {"omero": {"channels": channels}} if len(channels) > 1 else {}
    if version == 3:
        return {"ome": {"version": "0.5", "multiscales": [image], **omero}}
    return {"multiscales": [{"version": "0.4", **image}], **omero}


def channel_axis(size: int) -> Axis:
    """Return the axis of channels."""
    return Axis("c", _TYPES["c"], size=size)


def _colour_channels(ome: dict[str, Any]) -> int:
    """Return 3 or 4 for channels that are red, green, blue and perhaps alpha, 2 for grey and alpha, 0 for others."""
    channels: list[Any] = (ome.get("omero") or {}).get("channels") or []
    colours = [str(each.get("color", "")).upper() for each in channels]
    is_last_alpha = bool(channels) and str(channels[-1].get("label", "")).lower() == _ALPHA
    if colours[:3] == _COLOURS and len(channels) == 3 + is_last_alpha:
        return len(channels)
    return 2 if is_last_alpha and len(channels) == 2 else 0
