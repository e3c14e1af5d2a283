"""What happens to sums on their way to pixels or values, as the numbers that the loops in `imgconv.loops.filters` ask for.

Several maps of one image made into one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from imgconv.filters.weights import FLOAT32_EXACT, Weights

ROUND_FLOAT32, ROUND_FLOAT64 = 1.5 * 2**23, 1.5 * 2**52  # added and taken away, they leave a whole number, half to even
LARGEST = {np.dtype(np.int16): 2**15, np.dtype(np.int32): 2**31}


class Finishing(NamedTuple):
    """`parameters` (divisor, offset, mirror, lowest, largest, magic) in the type to reckon in, and whether the divisor matters."""

    parameters: NDArray[Any]
    divided: int


def to_pixels(weights: Weights, offset: float, white: float, *, absolute: bool) -> Finishing:
    """Sums to whole numbers from 0 to `white`: divided, `offset` added, rounded once."""
    kept = weights.accumulator
    whole = LARGEST.get(kept, 0)
    if weights.divisor == 1 and float(offset).is_integer() and weights.bound + abs(offset) < whole:
        return Finishing(np.array([1, offset, -1 if absolute else 1, 0, white, 0], kept), 0)
    if _rounds_alike(weights, offset, white):
        return _finishing(weights, np.float32, offset, (-1 if absolute else 1, 0, white, ROUND_FLOAT32))
    return _finishing(weights, np.float64, offset, (-1 if absolute else 1, 0, white, ROUND_FLOAT64))


def to_values(weights: Weights, offset: float, dtype: np.dtype[Any], *, absolute: bool = False, most: float = np.inf) -> Finishing:
    """Sums to unrounded values, reckoned in `dtype` (floating); with a finite `most` held between 0 and that."""
    return _finishing(weights, dtype, offset, (-1 if absolute else 1, 0 if most < np.inf else -np.inf, most, 0))


def _finishing(weights: Weights, dtype: Any, offset: float, rest: tuple[float, float, float, float]) -> Finishing:
    return Finishing(np.array([weights.divisor, offset, *rest], dtype), int(weights.divisor != 1))


def _rounds_alike(weights: Weights, offset: float, white: float) -> bool:
    """Whether float32 rounds sum/divisor + offset to the same pixel as exact reckoning.

    Sums that are not exact have float32's rounding anyway. Quotients of whole numbers stay 1/(2*divisor) away from what would tie,
    or are ties that float32 holds.
    """
    if not weights.exact:
        return weights.accumulator == np.float32
    whole = weights.divisor.is_integer() and float(offset).is_integer()
    return whole and weights.bound < FLOAT32_EXACT and abs(weights.divisor) * (white + 1 + 2 * abs(offset)) < FLOAT32_EXACT / 2


@dataclass(frozen=True)
class Combination:
    """How the maps of several masks become one: none, hypot, max, sum, or projection on what the first `subspace` masks span."""

    name: str = "none"
    subspace: int = 0


def combine(maps: Sequence[NDArray[Any]], combination: Combination, top: float) -> NDArray[Any]:
    """One map of several of the same shape, whose memory it may take: of absolute values (`max`, `sum`) or squares (`hypot`, `projection`).

    `projection` gives top * sqrt(sum of the first `subspace` squares / sum of all), 0 where all are 0 (Frei and Chen 1977).
    """
    if combination.name == "none":
        return maps[0]
    if combination.name in ("max", "sum"):
        fold = np.maximum if combination.name == "max" else np.add
        return reduce(lambda made, m: fold(made, np.abs(m, out=m), out=made), maps[1:], np.abs(maps[0], out=maps[0]))
    squares = [np.square(m, out=m) for m in maps]
    inside = reduce(np.add, squares[: combination.subspace], np.zeros_like(squares[0]))
    whole = reduce(lambda made, m: np.add(made, m, out=made), squares[1:], squares[0])
    if combination.name == "hypot":
        return np.sqrt(whole, out=whole)
    return top * np.sqrt(np.divide(inside, whole, out=np.zeros_like(whole), where=whole > 0))
