"""Stacks of microscopes: the axes of the pages of a TIFF file and the size of its pixels, from OME-XML or ImageJ's text."""

import re
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from imgconv.images.sampling import Sampling

_TYPES = {"uint8": "uint8", "uint16": "uint16", "float32": "float", "float64": "double"}  # of OME
_PIXELS = re.compile(r"<(?:\w+:)?Pixels\b[^>]*>")
_FILE = re.compile(r"<(?:\w+:)?UUID\b[^>]*>[^<]*</(?:\w+:)?UUID>")  # the name of the file that a plane is in
_END = re.compile(r"</(?:\w+:)?OME>\s*$")
_COUNTS, _VALUES = 50838, 50839  # tags of ImageJ: the names of slices, colours and ranges
_RECIPE = re.compile(r"(?:<!-- |^)(imgconv [^\n]*?)(?: -->|$)", re.MULTILINE)


@dataclass(frozen=True)
class Stack:
    """The description of a stack of `pages` with `channels` each, in OME-XML or ImageJ's text.

    `density` are ImageJ's pixels per unit (x, y), `tags` its names and ranges. `stride` (x, y) is how many original pixels a pixel is wide.
    """

    text: str
    pages: int
    channels: int
    density: tuple[float, float] | None = None
    tags: tuple[tuple[int, int, int, Any, bool], ...] = ()
    stride: tuple[float, float] = (1.0, 1.0)

    @property
    def is_ome(self) -> bool:
        """Whether the description is OME-XML."""
        return not self.text.startswith("ImageJ=")

    def moved(self, sampling: Sampling) -> "Stack":
        """The same for a result whose pixels are placed by `sampling`."""
        (across, down), (y, x) = self.stride, sampling.stride
        density = None if self.density is None else (self.density[0] / float(x), self.density[1] / float(y))
        return replace(self, density=density, stride=(across * float(x), down * float(y)))

    def written(self, size: tuple[int, int], dtype: np.dtype[Any], recipe: str | None) -> str:
        """The text for pages of `size` (H, W) and `dtype`, with the recipe that made them."""
        if not self.is_ome:
            lines = [line for line in self.text.splitlines() if not line.startswith("imgconv ")]
            return "\n".join([*lines, *([recipe] if recipe else [])]) + "\n"
        text = _PIXELS.sub(lambda match: self._pixels(match[0], size, dtype), _FILE.sub("", _RECIPE.sub("", self.text)))
        comment = f"<!-- {recipe.replace('--', '- -')} -->" if recipe else ""
        return _END.sub(lambda match: comment + match[0], text)

    def _pixels(self, element: str, size: tuple[int, int], dtype: np.dtype[Any]) -> str:
        values = {"SizeX": str(size[1]), "SizeY": str(size[0]), "Type": _TYPES[dtype.name]}
        for name, stride in zip(("PhysicalSizeX", "PhysicalSizeY"), self.stride, strict=True):
            if match := re.search(rf'\b{name}="([^"]*)"', element):
                values[name] = repr(float(match[1]) * stride)
        for name, value in values.items():
            element = re.sub(rf'\b{name}="[^"]*"', f'{name}="{value}"', element)
        return element if f'Type="{_TYPES[dtype.name]}"' in element else re.sub(r'\s*SignificantBits="[^"]*"', "", element)


def stack_of(page: Any, pages: int, channels: int) -> Stack | None:
    """Return the stack whose first page is a page of tifffile; None for other files, and for several images in one OME file."""
    text = page.description or ""
    if text.startswith("ImageJ="):
        resolutions = [page.tags.valueof(tag) for tag in (282, 283)]
        density = tuple(value[0] / value[1] for value in resolutions if value and value[1])
        tags = tuple(_copied(page, page.tags[code]) for code in (_COUNTS, _VALUES) if code in page.tags)
        return Stack(text, pages, channels, (density[0], density[1]) if len(density) == 2 else None, tags)
    if _END.search(text) and len(_PIXELS.findall(text)) == 1:
        return Stack(text, pages, channels)
    return None


def _copied(page: Any, tag: Any) -> tuple[int, int, int, Any, bool]:
    """A tag as it is in the file, in its byte order."""
    file = page.parent.filehandle
    file.seek(tag.valueoffset)
    return tag.code, int(tag.dtype), tag.count, file.read(tag.valuebytecount), True


def recipe_in(text: str) -> str | None:
    """Return the recipe that imgconv wrote into the description of a stack.

    >>> recipe_in("ImageJ=1.54f\\nimages=2\\nimgconv 0.1.0 edge\\n")
    'imgconv 0.1.0 edge'
    """
    match = _RECIPE.search(text) if text.startswith("ImageJ=") or _END.search(text) else None
    return match[1] if match else None
