"""Grids of numbered cells drawn into pixel arrays (H, W, 3) uint8, with digits of its own. Knows nothing of what the numbers mean."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Colour = tuple[int, int, int]

_DIGITS = {  # 3x5 pixels, a row each octal digit
    **{"0": 0o75557, "1": 0o26227, "2": 0o71747, "3": 0o71717, "4": 0o55711, "5": 0o74717, "6": 0o74757, "7": 0o71122},
    **{"8": 0o75757, "9": 0o75717, "-": 0o00700, ".": 0o00002},
}
SCALE = 2  # screen pixels for each pixel of a digit
LETTER = 4 * SCALE  # a digit and the gap behind it
MARGIN = 4


def cell_size(texts: Sequence[str]) -> int:
    """Pixels along a side of square cells that hold each of `texts`.

    >>> cell_size(["255"])
    30
    """
    return max(24, max((len(text) for text in texts), default=1) * LETTER - SCALE + 2 * MARGIN)


def fill(image: Pixels, top: int, left: int, height: int, width: int, colour: Colour) -> None:
    """Paint a rectangle."""
    image[top : top + height, left : left + width] = colour


def frame(image: Pixels, top: int, left: int, height: int, width: int, colour: Colour, thickness: int = 3) -> None:
    """Paint the outline of a rectangle, inside it."""
    for line in (image[top : top + thickness, left : left + width], image[top + height - thickness : top + height, left : left + width]):
        line[...] = colour
    for line in (image[top : top + height, left : left + thickness], image[top : top + height, left + width - thickness : left + width]):
        line[...] = colour


def write(image: Pixels, text: str, top: int, left: int, size: int, colour: Colour) -> None:
    """Write digits in the middle of a square cell of `size` pixels."""
    x = left + (size - len(text) * LETTER + SCALE) // 2
    y = top + (size - 5 * SCALE) // 2
    for letter in text:
        for row in range(5):
            for column in range(3):
                if _DIGITS[letter] >> (14 - 3 * row - column) & 1:
                    at = y + row * SCALE, x + column * SCALE
                    image[at[0] : at[0] + SCALE, at[1] : at[1] + SCALE] = colour
        x += LETTER


def ink(paper: Colour) -> Colour:
    """Black or white, whichever is read better on `paper`.

    >>> ink((200, 200, 200))
    (0, 0, 0)
    """
    red, green, blue = paper
    return (0, 0, 0) if 0.299 * red + 0.587 * green + 0.114 * blue > 127 else (255, 255, 255)
