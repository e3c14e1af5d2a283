"""Formulas of computed kernels: smoothing and sharpening, derivatives and textures, and shapes.

Every function returns (taps, divisor), so that integer kernels are exact; the taps of a shape are 1 inside of it, and their number is the
divisor. `generators` checks the parameters. x points to the right and y down, both from the centre of the kernel; angles are clockwise,
from x towards y.
"""

from math import ceil, comb, cos, floor, pi, radians, sin

import numpy as np

from imgconv.arrays import Array
from imgconv.errors import UsageError
from imgconv.registry.kernel import check_taps

Taps = tuple[Array, float]

EXACT = 2**53  # integers up to this one are exact in float64
CLOSE = 1e-9
LAWS_ROWS = {"l5": (1, 4, 6, 4, 1), "e5": (-1, -2, 0, 2, 1), "s5": (-1, 0, 2, 0, -1), "w5": (-1, 2, 0, -2, 1), "r5": (1, -4, 6, -4, 1)}


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


def square(*, size: int) -> Taps:
    """A square of size x size cells."""
    check_taps((size, size), "square")
    return _filled(np.ones((size, size), bool))


def cross(*, size: int) -> Taps:
    """The middle row and the middle column of size x size cells."""
    if size % 2 == 0:
        raise UsageError(f"kernel cross: size must be odd, not {size}; an even cross has no middle")
    y, x = _offsets(size // 2)
    return _filled((x == 0) | (y == 0))


def diamond(*, radius: int) -> Taps:
    """The cells that at most `radius` steps up, down, left or right lead to."""
    y, x = _offsets(radius)
    return _filled(np.abs(x) + np.abs(y) <= radius)


def ring(*, radius: int) -> Taps:
    """The cells whose distance from the centre rounds to `radius`."""
    y, x = _offsets(radius)
    return _filled(np.rint(np.hypot(x, y)) == radius)


def segment(*, length: float, angle: float) -> Taps:
    """A digital line of about `length` cells through the centre, one cell in every column or every row."""
    half = (length - 1) / 2
    reach_x, reach_y = _rounded(half * cos(radians(angle))), _rounded(half * sin(radians(angle)))
    steps = max(abs(reach_x), abs(reach_y))
    mask = np.zeros((2 * abs(reach_y) + 1, 2 * abs(reach_x) + 1), bool)
    for step in range(-steps, steps + 1):
        share = step / max(steps, 1)
        mask[abs(reach_y) + _rounded(share * reach_y), abs(reach_x) + _rounded(share * reach_x)] = True
    return _filled(mask)


def _offsets(radius: int) -> tuple[Array, Array]:
    """Rows and columns relative to the centre of a square that reaches `radius` cells to each side."""
    check_taps((2 * radius + 1, 2 * radius + 1), f"of radius {radius}")
    cells = np.arange(-radius, radius + 1)
    return cells[:, None], cells[None, :]


def _rounded(number: float) -> int:
    """The nearest whole number, halves away from zero, so that both ends of a line are alike; cosines have errors of 1e-16."""
    return floor(abs(number) + 0.5 + CLOSE) * (1 if number >= 0 else -1)


def _filled(mask: Array) -> Taps:
    return mask.astype(np.float64), float(mask.sum())
