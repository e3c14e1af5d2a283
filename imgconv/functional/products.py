"""Matrix products spread over our own threads, so that their bits do not depend on how many BLAS would run."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from imgconv.engine.bands import run_bands
from imgconv.engine.blas import one_blas_thread

BAND_WORK = 2**22  # multiply-adds that are worth handing to another thread
LEAST_BAND = 128  # rows or columns below which BLAS packs its operands for too little work


def matrix_product(left: NDArray[Any], right: NDArray[Any]) -> NDArray[Any]:
    """`left` (G, M, K) @ `right` (G, K, N), or both without G, in bands of matrices, of rows or of columns, whichever are most.

    >>> matrix_product(np.ones((2, 300)), np.ones((300, 1)))
    array([[300.],
           [300.]])
    """
    result = np.empty((*left.shape[:-1], right.shape[-1]), left.dtype)
    (rows, terms), columns = left.shape[-2:], right.shape[-1]
    count = result.shape[0] if result.ndim == 3 else 1
    total, least = (count, 1) if count > 1 else (max(rows, columns), LEAST_BAND)

    def work(first: int, last: int) -> None:
        some = slice(first, last)
        if count > 1:
            np.matmul(left[some], right[some], out=result[some])
        elif rows >= columns:
            np.matmul(left[..., some, :], right, out=result[..., some, :])
        else:
            np.matmul(left, right[..., some], out=result[..., some])

    with one_blas_thread:
        run_bands(work, total, max(BAND_WORK * total // max(count * rows * terms * columns, 1), least))
    return result
