"""Formulas of shapes: kernels whose taps are 1 inside of a figure and 0 outside, for windows of pools and as averages over the figure.

Every function returns (taps, divisor), the divisor being the number of cells. `generators` checks the parameters. Angles are clockwise,
from x to the right towards y down.
"""

from math import cos, floor, radians, sin

import numpy as np

from imgconv.arrays import Array
from imgconv.errors import UsageError
from imgconv.registry.kernel import check_taps

Taps = tuple[Array, float]

CLOSE = 1e-9


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
