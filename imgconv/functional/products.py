"""Matrix products whose bits do not depend on how many threads BLAS runs."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

SUM_BLOCK = 256  # OpenBLAS cuts sums of more than some 300 terms where one thread would not have cut them (0.3.30, 2026-11)


def matrix_product(left: NDArray[Any], right: NDArray[Any]) -> NDArray[Any]:
    """`left` (..., M, K) @ `right` (..., K, N), summed over at most SUM_BLOCK terms at a time, which also keeps float32's last digits.

    >>> matrix_product(np.ones((2, 300)), np.ones((300, 1)))
    array([[300.],
           [300.]])
    """
    terms = left.shape[-1]
    parts = max(-(-terms // SUM_BLOCK), 1)
    step = max(-(-terms // parts), 1)
    result = np.matmul(left[..., :step], right[..., :step, :])
    part = np.empty_like(result)
    for first in range(step, terms, step):
        some = slice(first, first + step)
        result += np.matmul(left[..., some], right[..., some, :], out=part)
    return result
