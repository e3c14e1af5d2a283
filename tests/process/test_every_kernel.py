"""Every built-in kernel and bank on an image, against an independent computation."""

import numpy as np
import oracle_image as oracle
import pytest

import imgconv
from imgconv.registry import Bank

pytestmark = pytest.mark.sweep(4)

PIXELS = np.random.default_rng(8).integers(0, 256, (23, 31, 1), dtype=np.uint8)
COMBINED = {
    "max": lambda maps: np.abs(maps).max(axis=0),
    "sum": lambda maps: np.abs(maps).sum(axis=0),
    "hypot": lambda maps: np.sqrt((maps**2).sum(axis=0)),
    "projection": lambda maps: 255 * np.sqrt((maps[:4] ** 2).sum(axis=0) / (maps**2).sum(axis=0)),
}


def values(kernel):
    """Weighted sums (23, 31, 1) of one kernel over the replicated border, its anchor on the pixel."""
    row, column = kernel.anchor or ((n - 1) // 2 for n in kernel.kernel_size)
    height, width = kernel.kernel_size
    pads = ((row, height - 1 - row), (column, width - 1 - column))
    return oracle.correlate(PIXELS, kernel.taps, pads=pads) / kernel.divisor + kernel.offset


@pytest.mark.parametrize("name", imgconv.kernels())
def test_built_in_kernels_on_an_image(name):
    known = imgconv.kernel(name)
    if isinstance(known, Bank):
        maps = [values(kernel) for kernel in known.kernels]
        expected = maps if known.combine == "none" else [COMBINED[known.combine](np.array(maps))]
    else:
        expected = [values(known)]
    result = imgconv.filter(PIXELS, name, range="abs")
    for got, exact in zip(result if isinstance(result, list) else [result], expected, strict=True):
        assert np.abs(got - np.clip(np.abs(exact), 0, 255)).max() <= 0.5 + 1e-3  # rounded; float taps come within 1e-5 of a tie
