"""Kernels as sums of outer products of a column and a row."""

from functools import lru_cache, reduce
from math import gcd
from typing import NamedTuple

import numpy as np

from imgconv.arrays import Array
from imgconv.filters.weights import Taps

LARGEST_RANK = 8
ROUNDING = 2.0**-26  # of the sum of absolute taps: a quarter of float32's rounding
FLOAT64_ROUNDING = 2.0**-46  # the same for sums in float64; outer products have some of their own


class Factors(NamedTuple):
    """taps[u, v] = sum over p of down[p, u] * across[p, v]; `down` (P, kh), `across` (P, kw)."""

    down: Array
    across: Array


def factors(taps: Taps, *, exact: bool, single: bool = False, rounding: float = ROUNDING) -> Factors | None:
    """The outer products whose sum is `taps` (kh, kw); None if more than a few are needed, or with `single` more than one.

    Their sum differs from `taps` by at most `rounding`, as a share of the sum of absolute taps.

    `exact` allows only a single product of whole numbers. Where one product does, a tap of 0 has a factor of exactly 0.

    >>> factors(np.array([[1.0, 0, -1], [2, 0, -2], [1, 0, -1]]), exact=True)
    Factors(down=array([[1., 2., 1.]]), across=array([[ 1.,  0., -1.]]))
    """
    return _factors(np.ascontiguousarray(taps, np.float64).tobytes(), (taps.shape[0], taps.shape[1]), exact, single, rounding)


@lru_cache(maxsize=64)  # for the next image of a folder: decomposing 101x101 taps takes as long as filtering a small image
def _factors(content: bytes, shape: tuple[int, int], exact: bool, single: bool, rounding: float) -> Factors | None:
    taps = np.frombuffer(content).reshape(shape)
    product = _whole_product(taps) if exact else _product(taps, rounding)
    if product is not None or exact or single:
        return product
    down, sizes, across = np.linalg.svd(taps, full_matrices=False)
    for rank in range(2, min(LARGEST_RANK, len(sizes)) + 1):
        left = down[:, :rank] * sizes[:rank]
        if _is_close(left @ across[:rank], taps, rounding):
            return Factors(np.ascontiguousarray(left.T), np.ascontiguousarray(across[:rank]))
    return None


def _product(taps: Taps, rounding: float) -> Factors | None:
    """One outer product, from the row and column of the largest tap, so that no divisor is near 0."""
    i, j = np.unravel_index(np.argmax(np.abs(taps)), taps.shape)
    if taps[i, j] == 0:
        return None
    down, across = taps[:, j], taps[i] / taps[i, j]
    return Factors(down[None], across[None]) if _is_close(np.outer(down, across), taps, rounding) else None


def _whole_product(taps: Taps) -> Factors | None:
    """The rows of a product of whole numbers are multiples of one row without a common divisor."""
    i, j = np.unravel_index(np.argmax(np.abs(taps)), taps.shape)
    divisor = reduce(gcd, (int(tap) for tap in taps[i]))
    if divisor == 0:
        return None
    across = taps[i] / divisor
    down = taps[:, j] / across[j]
    return Factors(down[None], across[None]) if np.array_equal(np.outer(down, across), taps) else None


def _is_close(product: Taps, taps: Taps, rounding: float) -> bool:
    return float(np.abs(product - taps).sum()) <= rounding * float(np.abs(taps).sum())
