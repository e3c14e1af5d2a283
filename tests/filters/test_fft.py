"""Sums through Fourier transforms of tiles: how exact they are, and which values they depend on."""

import naive
import numpy as np
import pytest

from imgconv.filters.fft import LARGEST, FourierTiles, tile_side

RNG = np.random.default_rng(3)


@pytest.mark.parametrize(("size", "bound"), [(9, 255 * 81), (151, 2.0**31)])
def test_the_error_is_below_its_bound(size, bound):
    """Values of one sign and taps that are alike add up as far as they can."""
    taps = np.full((size, size), bound / 255 / size**2) * RNG.choice([0.999, 1.0], (size, size))
    tiles = FourierTiles(taps, 1, np.dtype(np.float64), rounded=False)
    values = np.where(RNG.random((size + 1, 600)) < 0.9, 255, 0).astype(np.uint8)
    expected = naive.conv2d(values[None, None], taps[None, None])[0, 0]
    for first, begin, sums in tiles.sums(values):
        error = np.abs(sums - expected[first : first + len(sums), begin : begin + sums.shape[1]]).max()
        assert error <= 4e-14 * tile_side(size) * bound
    assert bound * 4e-14 * 4096 < 0.5


def test_a_tile_keeps_its_sums_whatever_its_neighbour_contains():
    taps = RNG.standard_normal((21, 21))
    tiles = FourierTiles(taps, 1, np.dtype(np.float64), rounded=False)
    values = RNG.standard_normal((30, 500))
    with_nan = values.copy()
    with_nan[4, 450], with_nan[5, 460] = np.nan, 4 * LARGEST
    (_, _, plain), (_, _, got) = next(tiles.sums(values)), next(tiles.sums(with_nan))
    assert np.abs(plain - got)[:, : tiles.rows].max() <= 1e-13
    assert np.isnan(got).any() and not np.isnan(got[:, : tiles.rows]).any()
