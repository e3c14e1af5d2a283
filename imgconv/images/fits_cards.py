"""The header of a FITS image, and its world coordinates adapted to a result."""

import re
from dataclasses import dataclass, replace
from typing import Any

from imgconv.errors import optional_library
from imgconv.images.metadata.places import card_names_place
from imgconv.images.sampling import Sampling

_WORLD = re.compile(r"(?:(?:CTYPE|CRVAL|CRPIX|CDELT)[12]|(?:CD|PC)\d_[12])([A-Z]?)")
_REFERENCE = re.compile(r"CRPIX([12])[A-Z]?|LTV([12])")
_STEP = re.compile(r"CDELT([12])([A-Z]?)")
_MATRIX = re.compile(r"(?:CD|PC)\d_([12])([A-Z]?)")
_PHYSICAL = re.compile(r"LTM([12])_[12]")  # IRAF: a pixel of this image is LTM times one of the detector, plus LTV
_DISTORTION = re.compile(r"([AB])P?_(\d)_(\d)")


@dataclass(frozen=True)
class Cards:
    """The header cards of an image, and those of the file's first header if that has no image of its own; both as text."""

    own: str
    primary: str | None = None
    leading: tuple[int, ...] = ()

    def moved(self, sampling: Sampling) -> "Cards":
        """The same for a result whose pixels are placed by `sampling`: the world coordinates of a point stay."""
        if sampling.stride == (1, 1) and sampling.origin == (0, 0):
            return self
        header = library().Header.fromstring(self.own, sep="\n")
        strides = float(sampling.stride[1]), float(sampling.stride[0])
        origins = sampling.origin[1], sampling.origin[0]
        rotated = {match[2] for match in map(_MATRIX.fullmatch, header) if match}
        _add_defaults(header, rotated)
        for name in list(header):
            value = header[name]
            if isinstance(value, str | bool) or not isinstance(value, int | float):
                continue
            if match := _REFERENCE.fullmatch(name):
                axis = int(match[1] or match[2]) - 1
                header[name] = (value - 1 - origins[axis]) / strides[axis] + 1
            elif (match := _MATRIX.fullmatch(name)) or ((match := _STEP.fullmatch(name)) and match[2] not in rotated):
                header[name] = value * strides[int(match[1]) - 1]
            elif match := _PHYSICAL.fullmatch(name):
                header[name] = value / strides[int(match[1]) - 1]
            elif match := _DISTORTION.fullmatch(name):
                axis = "AB".index(match[1])
                header[name] = value * strides[0] ** int(match[2]) * strides[1] ** int(match[3]) / strides[axis]
        return replace(self, own=header.tostring(sep="\n"))

    def without_location(self) -> "Cards":
        """The same without the place of the observatory."""
        texts = [text and "\n".join(card for card in text.split("\n") if not card_names_place(card)) for text in (self.own, self.primary)]
        return replace(self, own=texts[0] or "", primary=texts[1])


def _add_defaults(header: Any, rotated: set[str]) -> None:
    """Add the cards that are to be adapted and that a header leaves out, with the values that the standard gives them."""
    for letter in {match[1] for match in map(_WORLD.fullmatch, header) if match}:
        has_matrix = any(f"CD{row}_{axis}{letter}" in header for row in (1, 2) for axis in (1, 2))
        for axis in (1, 2):
            header.setdefault(f"CRPIX{axis}{letter}", 0.0)
            if not has_matrix:
                header.setdefault(f"PC{axis}_{axis}{letter}" if letter in rotated else f"CDELT{axis}{letter}", 1.0)
    for axis in (1, 2) if "LTV1" in header or "LTV2" in header else ():
        header.setdefault(f"LTM{axis}_{axis}", 1.0)


def library() -> Any:
    """Return `astropy.io.fits`. Raises MissingExtra without astropy."""
    return optional_library("astropy.io.fits", "FITS images", "fits", "astropy")
