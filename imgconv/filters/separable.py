"""Kernels as sums of outer products of a column and a row."""

from functools import lru_cache, reduce
from math import gcd
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Taps = NDArray[np.float64]
LARGEST_RANK = 8
ROUNDING = 2.0**-26  # of the sum of absolute taps: a quarter of what float32 rounds


class Factors(NamedTuple):
    """taps[u, v] = sum over p of down[p, u] * across[p, v]; `down` (P, kh), `across` (P, kw)."""

    down: NDArray[Any]
    across: NDArray[Any]


def factors(taps: Taps, *, exact: bool, single: bool = False) -> Factors | None:
    """The outer products that make `taps` (kh, kw), None where more than a few are needed; with `single` where one is not enough.

    `exact` asks for a single one of whole numbers. A tap of 0 is a factor of exactly 0 where one product is enough.

    >>> factors(np.array([[1.0, 0, -1], [2, 0, -2], [1, 0, -1]]), exact=True)
    Factors(down=array([[1., 2., 1.]]), across=array([[ 1.,  0., -1.]]))
    """
    return _found(np.ascontiguousarray(taps, np.float64).tobytes(), (taps.shape[0], taps.shape[1]), exact, single)


@lru_cache(maxsize=64)  # for the next image of a folder: the decomposition of 101x101 taps takes as long as filtering a small one
def _found(content: bytes, shape: tuple[int, int], exact: bool, single: bool) -> Factors | None:
    taps = np.frombuffer(content).reshape(shape)
    product = _whole_product(taps) if exact else _product(taps)
    if product is not None or exact or single:
        return product
    down, sizes, across = np.linalg.svd(taps, full_matrices=False)
    for rank in range(2, min(LARGEST_RANK, len(sizes)) + 1):
        left = down[:, :rank] * sizes[:rank]
        if _is_close(left @ across[:rank], taps):
            return Factors(np.ascontiguousarray(left.T), np.ascontiguousarray(across[:rank]))
    return None


def _product(taps: Taps) -> Factors | None:
    """Through the largest tap, so that nothing is divided by next to nothing."""
    i, j = np.unravel_index(np.argmax(np.abs(taps)), taps.shape)
    if taps[i, j] == 0:
        return None
    down, across = taps[:, j], taps[i] / taps[i, j]
    return Factors(down[None], across[None]) if _is_close(np.outer(down, across), taps) else None


def _whole_product(taps: Taps) -> Factors | None:
    """Rows of a whole product are whole multiples of one row without a common divisor."""
    i, j = np.unravel_index(np.argmax(np.abs(taps)), taps.shape)
    divisor = reduce(gcd, (int(tap) for tap in taps[i]))
    if divisor == 0:
        return None
    across = taps[i] / divisor
    down = taps[:, j] / across[j]
    return Factors(down[None], across[None]) if np.array_equal(np.outer(down, across), taps) else None


def _is_close(made: Taps, taps: Taps) -> bool:
    return float(np.abs(made - taps).sum()) <= ROUNDING * float(np.abs(taps).sum())
