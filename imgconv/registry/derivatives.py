"""Formulas of derivative and texture kernels.

Every function returns (taps, divisor). `generators` checks the parameters.
x points to the right and y down, both from the centre of the kernel; angles are clockwise, from x towards y.
"""

from math import ceil, cos, pi, radians, sin

import numpy as np

from imgconv.arrays import Array
from imgconv.errors import UsageError
from imgconv.registry.kernel import check_taps
from imgconv.registry.smoothing import Taps, axis, gaussian_row

LAWS_ROWS = {
    "l5": (1, 4, 6, 4, 1),
    "e5": (-1, -2, 0, 2, 1),
    "s5": (-1, 0, 2, 0, -1),
    "w5": (-1, 2, 0, -2, 1),
    "r5": (1, -4, 6, -4, 1),
}


def log(*, sigma: float, size: int | None = None) -> Taps:
    """Laplacian of a Gaussian, positive in the centre: -(x*x+y*y-2s*s)/(2 pi s**6) * e**(-(x*x+y*y)/2s*s), minus its mean."""
    size = 2 * ceil(4 * sigma) + 1 if size is None else size
    check_taps((size, size), f"log of sigma {sigma:g}")
    square = (axis(size)[None, :] ** 2 + axis(size)[:, None] ** 2) / sigma**2
    taps = -(square - 2) / (2 * pi * sigma**4) * np.exp(-0.5 * square)
    return taps - taps.mean(), 1.0


def dog(*, sigma1: float, sigma2: float | None = None, size: int | None = None) -> Taps:
    """A narrow Gaussian minus a wide one, each summing to 1; sigma2 is 1.6 sigma1 by default."""
    sigma2 = 1.6 * sigma1 if sigma2 is None else sigma2
    if sigma1 == sigma2:
        raise UsageError(f"kernel dog: sigma1 and sigma2 are both {sigma1:g}, which gives a kernel of zeros; use two different values")
    size = 2 * ceil(4 * max(sigma1, sigma2)) + 1 if size is None else size
    narrow, wide = gaussian_row(sigma1, size), gaussian_row(sigma2, size)
    return np.outer(narrow, narrow) - np.outer(wide, wide), 1.0


def gauss_dx(*, sigma: float, order: int, size: int | None = None) -> Taps:
    """Derivative along x of a Gaussian that sums to 1; order 1 is -x/sigma**2 * G, order 2 (x*x/sigma**4 - 1/sigma**2) * G."""
    return np.outer(gaussian_row(sigma, size), _derivative_row(sigma, size, order)), 1.0


def gauss_dy(*, sigma: float, order: int, size: int | None = None) -> Taps:
    """The transpose of `gauss_dx`."""
    taps, divisor = gauss_dx(sigma=sigma, order=order, size=size)
    return taps.T, divisor


def gauss_dxy(*, sigma: float, size: int | None = None) -> Taps:
    """Mixed derivative of a Gaussian, x*y/sigma**4 * G."""
    row = _derivative_row(sigma, size, 1)
    return np.outer(row, row), 1.0


def _derivative_row(sigma: float, size: int | None, order: int) -> Array:
    """Return the derivative of a Gaussian by its Hermite polynomial, corrected to sum to zero, so that a constant input gives zero."""
    row = gaussian_row(sigma, size)
    x = axis(len(row)) / sigma
    polynomial = np.polynomial.hermite_e.hermeval(x, [0.0] * order + [1.0])
    derivative = (-1 / sigma) ** order * polynomial * row
    balanced: Array = derivative - derivative.sum() * row
    return balanced


def gabor(*, sigma: float, angle: float, wavelength: float, phase: float, aspect: float, size: int | None = None) -> Taps:
    """e**(-(x'**2 + aspect**2 y'**2) / 2 sigma**2) * cos(2 pi x' / wavelength + phase); the wave travels along `angle`."""
    size = 2 * ceil(4 * sigma * max(1, 1 / aspect)) + 1 if size is None else size
    check_taps((size, size), f"gabor of sigma {sigma:g}")
    x, y = axis(size)[None, :], axis(size)[:, None]
    theta = radians(angle)
    along, across = x * cos(theta) + y * sin(theta), -x * sin(theta) + y * cos(theta)
    envelope = np.exp(-0.5 * (along**2 + (aspect * across) ** 2) / sigma**2)
    return envelope * np.cos(2 * pi * along / wavelength + radians(phase)), 1.0


def laws() -> dict[str, Array]:
    """The 25 outer products of Laws' level, edge, spot, wave and ripple rows: the first letter is vertical, the second horizontal."""
    return {f"{down}{across}": np.outer(LAWS_ROWS[down], LAWS_ROWS[across]).astype(float) for down in LAWS_ROWS for across in LAWS_ROWS}
