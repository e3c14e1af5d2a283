"""Several maps of one picture made into one."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray


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
