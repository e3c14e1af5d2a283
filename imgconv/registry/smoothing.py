"""Formulas of smoothing kernels, and of sharpening kernels that subtract a blur.

Every function returns (taps, divisor), so that integer kernels are exact. `generators` checks the parameters.
x points to the right and y down, both from the centre of the kernel; angles are clockwise, from x towards y.
"""

from math import ceil, comb, cos, radians, sin

import numpy as np

from imgconv.arrays import Array
from imgconv.errors import UsageError
from imgconv.registry.kernel import check_taps

Taps = tuple[Array, float]

EXACT = 2**53  # integers up to this one are exact in float64
CLOSE = 1e-9


def box(*, size: int) -> Taps:
    """The mean of size x size pixels."""
    check_taps((size, size), "box")
    return np.ones((size, size)), float(size * size)


def binomial(*, size: int) -> Taps:
    """Rows of Pascal's triangle, C(size-1, k) / 2**(size-1), as an outer product."""
    row, total = [comb(size - 1, k) for k in range(size)], 2 ** (size - 1)
    if total * total <= EXACT:
        return np.outer(row, row).astype(float), float(total * total)
    weights = np.array([number / total for number in row])
    return np.outer(weights, weights), 1.0


def tent(*, size: int) -> Taps:
    """The outer product of 1 2 3 ... 3 2 1 with itself: a box blurred by a box."""
    check_taps((size, size), "tent")
    row = np.minimum(np.arange(1.0, size + 1), np.arange(float(size), 0, -1))
    return np.outer(row, row), float(row.sum() ** 2)


def axis(size: int) -> Array:
    """Return the coordinates of `size` taps, relative to their centre."""
    return np.arange(float(size)) - (size - 1) / 2


def gaussian_row(sigma: float, size: int | None) -> Array:
    """Return a sampled Gaussian that sums to 1; without a size it extends ceil(4 sigma) taps to both sides."""
    size = 2 * ceil(4 * sigma) + 1 if size is None else size
    check_taps((size, size), f"of sigma {sigma:g}")
    row = np.exp(-0.5 * (axis(size) / sigma) ** 2)
    total = row.sum()
    return row / total if total else np.ones(size) / size


def gaussian(*, sigma: float, size: int | None = None) -> Taps:
    """e**(-(x*x + y*y) / (2 sigma**2)), scaled to sum 1."""
    row = gaussian_row(sigma, size)
    return np.outer(row, row), 1.0


def disk(*, radius: float) -> Taps:
    """The exact share of each pixel that a circle covers: the blur of a lens out of focus."""
    edge = np.arange(ceil(radius - 0.5) + 1) + 0.5
    edges = np.concatenate([-edge[::-1], edge])
    area = _quadrant_area(np.abs(edges)[:, None], np.abs(edges)[None, :], radius) * np.sign(edges)[:, None] * np.sign(edges)[None, :]
    covered = np.clip(np.round(np.diff(np.diff(area, axis=0), axis=1), 12), 0, 1)  # differences of areas have errors of 1e-14
    return covered, float(covered.sum())


def _quadrant_area(x: Array, y: Array, radius: float) -> Array:
    """Return the area of the circle within 0..x, 0..y: a rectangle up to where the arc falls below y, then the area under the arc."""
    x, y = np.minimum(x, radius), np.minimum(y, radius)
    corner = np.minimum(x, np.sqrt(radius**2 - y**2))
    return corner * y + _under_arc(x, radius) - _under_arc(corner, radius)


def _under_arc(x: Array, radius: float) -> Array:
    return 0.5 * (x * np.sqrt(np.maximum(radius**2 - x**2, 0)) + radius**2 * np.arcsin(np.minimum(x / radius, 1)))


def motion(*, length: float, angle: float) -> Taps:
    """A line of `length` pixels through the centre; a pixel weighs 1 minus its distance from the line, as in MATLAB's fspecial."""
    half = (length - 1) / 2
    along_x, along_y = cos(radians(angle)), sin(radians(angle))
    reach_x, reach_y = (ceil(half * abs(part) + 1 - CLOSE) - 1 for part in (along_x, along_y))
    check_taps((2 * reach_y + 1, 2 * reach_x + 1), "motion")
    x, y = axis(2 * reach_x + 1)[None, :], axis(2 * reach_y + 1)[:, None]
    nearest = np.clip(x * along_x + y * along_y, -half, half)
    distance = np.hypot(x - nearest * along_x, y - nearest * along_y)
    taps = np.where(distance > 1 - CLOSE, 0.0, 1 - np.where(distance < CLOSE, 0.0, distance))
    return taps, float(taps.sum())


def unsharp(*, sigma: float, amount: float, size: int | None = None) -> Taps:
    """(1 + amount) times the image minus amount times its Gaussian blur."""
    blur, _ = gaussian(sigma=sigma, size=size)
    if blur.shape[0] % 2 == 0:
        raise UsageError(f"kernel unsharp: size must be odd, not {size}; an even blur would be shifted")
    taps = -amount * blur
    taps[blur.shape[0] // 2, blur.shape[0] // 2] += 1 + amount
    return taps, 1.0


def highboost(*, amount: float) -> Taps:
    """amount times the image plus its Laplacian: the centre is amount + 8."""
    taps = -np.ones((3, 3))
    taps[1, 1] = amount + 8
    return taps, 1.0
