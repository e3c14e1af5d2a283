"""A kernel for each algorithm of filters, of whole numbers and of fractions."""

from dataclasses import dataclass

import numpy as np

RNG = np.random.default_rng(11)


@dataclass(frozen=True)
class Kernel:
    taps: np.ndarray
    divisor: float = 1.0
    offset: float = 0.0
    bias: float = 0.0
    anchor: tuple[int, int] | None = None


def gauss(size, sigma):
    line = np.exp(-((np.arange(size) - size // 2) ** 2) / (2 * sigma**2))
    return line / line.sum()


def whole_line(size):
    return RNG.integers(-3, 4, size).astype(float) * 2 + 1


LAPLACIAN_OF_GAUSSIAN = np.outer(gauss(15, 2), np.gradient(np.gradient(gauss(15, 2))))
LAPLACIAN_OF_GAUSSIAN = LAPLACIAN_OF_GAUSSIAN + LAPLACIAN_OF_GAUSSIAN.T
WHOLE = {
    "small, int16": RNG.integers(-9, 10, (3, 3)).astype(float),
    "small, float32": RNG.integers(-99, 99, (3, 3)).astype(float),
    "product, float32": np.outer(whole_line(7), whole_line(7)),
    "factors of 1, float32": np.outer(whole_line(6), whole_line(15)),
    "running, int32": np.full((19, 22), 3.0),
    "fourier, float64": RNG.integers(-200, 200, (31, 29)).astype(float),
    "taps, float32": RNG.integers(-9, 10, (9, 7)).astype(float),
    "taps, int32": RNG.integers(90_000, 99_000, (4, 3)).astype(float),
    "taps, float64": RNG.integers(-9999, 9999, (4, 3)).astype(float) * 2**14 + 1,
}
REAL = {
    "small, float32": RNG.standard_normal((3, 3)),
    "product, float32": np.outer(gauss(9, 1), gauss(9, 1)),
    "factors of 1, float32": np.outer(gauss(17, 3), gauss(21, 3)),
    "factors of 2, float32": LAPLACIAN_OF_GAUSSIAN,
    "fourier, float64": RNG.standard_normal((27, 33)),
    "taps, float32": RNG.standard_normal((7, 7)),
}
