"""The positions of the pixels of a result in its original, from which formats correct their coordinates, and the resolution of images.

A resolution is in dots per inch or the ratio of a pixel's sides, as EXIF and JFIF declare it.
"""

from math import isfinite
from typing import TYPE_CHECKING, Any, NamedTuple

from imgconv.images.metadata import exif as exif_of

if TYPE_CHECKING:  # few files declare unknown units, and the module takes time to import
    from fractions import Fraction

_MOST_DPI = 65535  # JFIF stores it in 16 bits
_INCHES = {2: (1, 1), 3: (254, 100)}  # resolution unit -> units in an inch


class Sampling(NamedTuple):
    """Where the pixels of a result are in its original: `stride` (down, across) original pixels apart, the first one at `origin`.

    `size` is (H, W) of the result; coordinates are those of the centres of pixels. `gain` is the result for a constant image of level 1 if
    results are values of the original or their differences; None where levels have another meaning.
    """

    size: tuple[int, int]
    stride: "tuple[int | Fraction, int | Fraction]" = (1, 1)
    origin: tuple[float, float] = (0.0, 0.0)
    gain: float | None = 1.0


def exif_density(exif: exif_of.Exif) -> tuple[tuple[float, float] | None, tuple[float, float] | None]:
    """Return dots per inch and per unknown unit that EXIF or a TIFF page declares."""
    x, y = (exif.fraction("image", tag) for tag in (exif_of.X_RESOLUTION, exif_of.Y_RESOLUTION))
    unit = (exif.numbers("image", exif_of.RESOLUTION_UNIT) or (2,))[0]
    if not x or not y:
        return None, None
    if unit in _INCHES:
        units, in_inches = _INCHES[unit]
        return positive((x * units / in_inches, y * units / in_inches)), None
    return None, reduced(positive((x, y)))


def divided(density: tuple[float, float] | None, across: "int | Fraction", down: "int | Fraction") -> tuple[float, float] | None:
    """Return the density of a result of which a pixel covers so many of the original."""
    return positive((density[0] / float(across), density[1] / float(down))) if density else None


def reduced(density: tuple[float, float] | None) -> tuple[float, float] | None:
    """Return the ratio of two densities in whole numbers that JFIF holds; None for one that they cannot express."""
    from fractions import Fraction

    if density is None or not 1 / _MOST_DPI <= density[0] / density[1] <= _MOST_DPI:
        return None
    ratio = density[0] / density[1]
    nearest = Fraction(ratio).limit_denominator(max(1, int(_MOST_DPI / max(ratio, 1))))
    return nearest.numerator or 1, nearest.denominator


def positive(value: Any) -> tuple[float, float] | None:
    """Return a declared density, x and y; None for one that is not positive numbers of a sensible size."""
    try:
        x, y = (float(number) for number in value)
    except (TypeError, ValueError, ArithmeticError):
        return None
    return (x, y) if isfinite(x) and isfinite(y) and min(x, y) > 0 and max(x, y) < _MOST_DPI else None
