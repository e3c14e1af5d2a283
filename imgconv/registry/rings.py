"""Turning a square kernel by steps of 45 degrees: every square ring of taps around the centre moves on by an eighth of its length."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray


def ring_cells(radius: int) -> list[tuple[int, int]]:
    """(row, column) offsets from the centre of the 8*radius cells at that distance, clockwise from the top left corner.

    >>> ring_cells(1)
    [(-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1)]
    """
    top = [(-radius, x) for x in range(-radius, radius)]
    right = [(y, radius) for y in range(-radius, radius)]
    return top + right + [(-y, -x) for y, x in top + right]


def turned(taps: NDArray[Any], eighths: int) -> NDArray[Any]:
    """`taps`, an odd square, turned clockwise by `eighths` times 45 degrees.

    Multiples of two are exact quarter turns of the picture; odd ones are the compass masks' ring rotation (Kirsch, 1971).

    >>> import numpy as np
    >>> turned(np.array([[1, 1, 1], [0, 0, 0], [-1, -1, -1]]), 1).tolist()
    [[0, 1, 1], [-1, 0, 1], [-1, -1, 0]]
    """
    result = taps.copy()
    centre = taps.shape[0] // 2
    for radius in range(1, centre + 1):
        cells = ring_cells(radius)
        for position, (y, x) in enumerate(cells):
            to_y, to_x = cells[(position + eighths * radius) % len(cells)]
            result[centre + to_y, centre + to_x] = taps[centre + y, centre + x]
    return result
