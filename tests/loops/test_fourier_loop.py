"""The loop of Fourier transforms as plain Python, and compiled: circular correlation of two tiles."""

import naive
import numpy as np
import pytest

from imgconv.engine import compiled
from imgconv.filters.fft import pass_factors
from imgconv.filters.output_range import ROUND_FLOAT64
from imgconv.loops.fourier import correlate_pair

RNG = np.random.default_rng(3)


def spectrum(taps, side):
    """The factor of every frequency, in the order of the loop."""
    reverse = [int(np.base_repr(n, 4).zfill(side.bit_length() // 2)[::-1], 4) for n in range(side)]
    full = np.conj(np.fft.fft2(taps, (side, side)))[reverse][:, reverse].T / side**2
    return np.ascontiguousarray(np.hstack([full.real, full.imag]))


@pytest.mark.parametrize("side", [16, 64])  # an even and an odd number of passes
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_a_pair_of_tiles_that_overlap(side, dtype):
    taps, values = RNG.integers(-9, 10, (3, 5)).astype(float), RNG.integers(0, 256, (side - 1, 2 * side)).astype(dtype)
    wide, expected = side - 4, naive.conv2d(values[None, None], taps[None, None])[0, 0, :, : 2 * (side - 4)]
    places = np.array([(0, side, 0, wide), (wide, side, wide, wide)])
    for loop in (correlate_pair(side), compiled.loop(correlate_pair, side=side)):
        scratch = np.full((side, 2 * side + 8), np.nan), np.full((4, 2 * side), np.nan), np.full(2 * side, np.nan)
        target = np.full(expected.shape, np.nan)
        loop(values, places, spectrum(taps, side), pass_factors(side), *scratch, np.array([ROUND_FLOAT64]), target)
        assert np.array_equal(target, expected)


def test_factors_are_roots_of_unity():
    real, imaginary = np.split(pass_factors(1024)[0], 2)
    angles = 2 * np.pi / 1024 * np.outer([1, 2, 3, 0], np.arange(256)).ravel()
    assert np.abs(real - np.cos(angles)).max() <= 1e-15
    assert np.abs(imaginary + np.sin(angles)).max() <= 1e-15
    assert np.abs(np.hypot(real, imaginary) - 1).max() <= 2.3e-16
