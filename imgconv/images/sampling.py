"""The positions of the pixels of a result in its original, from which formats correct the coordinates that they declare."""

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from fractions import Fraction


class Sampling(NamedTuple):
    """Where the pixels of a result are in its original: `stride` (down, across) original pixels apart, the first one at `origin`.

    `size` is (H, W) of the result; coordinates are those of the centres of pixels. `gain` is the result for a constant image of level 1 if
    results are values of the original or their differences; None where levels have another meaning.
    """

    size: tuple[int, int]
    stride: "tuple[int | Fraction, int | Fraction]" = (1, 1)
    origin: tuple[float, float] = (0.0, 0.0)
    gain: float | None = 1.0
