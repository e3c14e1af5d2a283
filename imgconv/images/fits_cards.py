"""The header of a FITS image, and its world coordinates adapted to a result."""

import re
from dataclasses import dataclass, replace
from typing import Any

from imgconv.errors import optional_library
from imgconv.images.sampling import Sampling

_REFERENCE = re.compile(r"CRPIX([12])[A-Z]?")
_STEP = re.compile(r"CDELT([12])([A-Z]?)")
_MATRIX = re.compile(r"(?:CD|PC)\d_([12])([A-Z]?)")
_DISTORTION = re.compile(r"([AB])P?_(\d)_(\d)")


@dataclass(frozen=True)
class Cards:
    """The header cards of an image, and those of the file's first header if that has no image of its own; both as text."""

    own: str
    primary: str | None = None
    leading: tuple[int, ...] = ()

    def moved(self, sampling: Sampling) -> "Cards":
        """The same for a result whose pixels are placed by `sampling`: the world coordinates of a point stay."""
        fits = library()
        header = fits.Header.fromstring(self.own, sep="\n")
        strides = float(sampling.stride[1]), float(sampling.stride[0])
        origins = sampling.origin[1], sampling.origin[0]
        rotated = {match[2] for match in map(_MATRIX.fullmatch, header) if match}
        for name in list(header):
            value = header[name]
            if isinstance(value, str | bool) or not isinstance(value, int | float):
                continue
            if match := _REFERENCE.fullmatch(name):
                axis = int(match[1]) - 1
                header[name] = (value - 1 - origins[axis]) / strides[axis] + 1
            elif (match := _MATRIX.fullmatch(name)) or ((match := _STEP.fullmatch(name)) and match[2] not in rotated):
                header[name] = value * strides[int(match[1]) - 1]
            elif match := _DISTORTION.fullmatch(name):
                axis = "AB".index(match[1])
                header[name] = value * strides[0] ** int(match[2]) * strides[1] ** int(match[3]) / strides[axis]
        for letter in rotated:  # a missing element of the diagonal is 1
            for axis in (1, 2):
                if f"PC{axis}_{axis}{letter}" not in header and f"CD1_1{letter}" not in header and f"CD1_2{letter}" not in header:
                    header[f"PC{axis}_{axis}{letter}"] = strides[axis - 1]
        return replace(self, own=header.tostring(sep="\n"))


def library() -> Any:
    """Return `astropy.io.fits`. Raises MissingExtra without astropy."""
    return optional_library("astropy.io.fits", "FITS images", "fits", "astropy")
