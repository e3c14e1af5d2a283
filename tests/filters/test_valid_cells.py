"""Valid cells that channels share: every filter and pool gives what it gives if each channel has its own."""

import numpy as np
import pytest
from algorithm_kernels import Kernel, gauss

from imgconv.filters.filter2d import FilterArguments, Output
from imgconv.filters.missing import filter_missing
from imgconv.filters.pool2d import pool_missing
from imgconv.filters.valid_cells import for_channels, repeated, without_missing
from imgconv.images import Raster
from imgconv.modes import MissingMode, MissingRule, PoolMode
from imgconv.window import Window
from imgconv.windows.borders import Border

pytestmark = pytest.mark.sweep(8)

RNG = np.random.default_rng(19)
SHAPE = (41, 39, 3)
KERNELS = {
    "small": np.array([[1.0, 2, 1], [2, 5, 2], [1, 2, 1]]),
    "both signs": np.array([[0.0, -1, 0], [-1, 5, -1], [0, -1, 0]]),
    "zero sum": np.array([[-1.0, 0, 1]]),
    "factors": np.outer(gauss(25, 3), gauss(25, 3)),
    "all channels": RNG.random((3, 3, 3)),
}


def masks():
    """A mask that all channels share, and the same with cells of its own for each channel."""
    cells = (RNG.random((*SHAPE[:2], 1)) > 0.2).astype(np.uint8)
    cells[4:18, 3:20] = 0
    return for_channels(cells, 3), repeated(cells, 3)


@pytest.mark.parametrize("min_valid", [0.0, 0.6])
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@pytest.mark.parametrize("taps", KERNELS.values(), ids=KERNELS)
def test_filters(taps, dtype, min_valid):
    pixels = (RNG.random(SHAPE) * 250).astype(dtype)
    shared, own = masks()
    rule, kernel = MissingRule(MissingMode.fill, min_valid), Kernel(taps, taps.sum() or 1.0)
    settings = [kernel], Window.of(taps.shape[-2:], 1, "same"), Border.of("reflect"), Output()
    (result, valid_out), (expected, expected_valid) = (
        filter_missing(valid, rule, FilterArguments(without_missing(pixels, valid), *settings)) for valid in (shared, own)
    )
    np.testing.assert_array_equal(valid_out, expected_valid)
    np.testing.assert_array_equal(result * valid_out, expected * valid_out)


@pytest.mark.parametrize("rule", [MissingRule(), MissingRule(MissingMode.propagate), MissingRule(MissingMode.keep, 0.6)])
@pytest.mark.parametrize("mode", [mode.value for mode in PoolMode if mode is not PoolMode.rank])
def test_pools(mode, rule):
    pixels = (RNG.random(SHAPE) * 250).astype(np.uint8)
    shared, own = masks()
    (result, valid_out), (expected, expected_valid) = (
        pool_missing(valid, rule, without_missing(pixels, valid), Window.of(3, 2, 1), mode) for valid in (shared, own)
    )
    np.testing.assert_array_equal(valid_out, expected_valid)
    np.testing.assert_array_equal(result * valid_out, expected * valid_out)


@pytest.mark.parametrize("alpha", [False, True])
def test_missing_cells_are_counted_for_each_channel(alpha):
    shared, own = masks()
    counts = {Raster(np.zeros(SHAPE, np.uint8), alpha=alpha, valid=valid).missing for valid in (shared, own)}
    assert counts == {int((own[..., : 3 - alpha] == 0).sum())}
