"""Adaptive pools and unpooling: against the oracle, and what they refuse."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive_pooling import adaptive_windows, first_largest, largest, mean, pool

from imgconv.errors import ArgumentTypeError, DoesNotFit, UsageError
from imgconv.functional.adaptive_pooling import adaptive_avg_pool2d, adaptive_max_pool2d
from imgconv.functional.pooling import max_pool2d, max_unpool2d

SIDES = st.tuples(st.integers(1, 12), st.integers(1, 12))


@settings(deadline=None, max_examples=40)
@given(SIDES, SIDES, st.integers(0, 99))
def test_adaptive_pools_are_the_oracles(size, out, seed):
    batch = np.random.default_rng(seed).standard_normal((2, 2, *size))
    places = list(adaptive_windows(size, out))
    np.testing.assert_allclose(adaptive_avg_pool2d(batch, out), pool(batch, places, mean), 1e-12, 1e-12)
    got, indices = adaptive_max_pool2d(batch, out, return_indices=True)
    np.testing.assert_array_equal(got, pool(batch, places, largest))
    np.testing.assert_array_equal(indices, pool(batch, places, first_largest, np.int64))


@pytest.mark.parametrize("dtype", [np.bool_, np.uint8, np.float16, np.float32, np.float64])
def test_adaptive_dtypes(dtype):
    batch = (np.random.default_rng(0).random((1, 3, 7, 8)) * 2).astype(dtype)
    average = adaptive_avg_pool2d(batch, 3)
    assert average.dtype == (np.float64 if dtype == np.float64 else np.float32)
    np.testing.assert_allclose(average, pool(batch, adaptive_windows((7, 8), (3, 3)), mean, np.float64), 1e-6)
    most = adaptive_max_pool2d(batch, 3)
    assert most.dtype == dtype
    np.testing.assert_array_equal(most, pool(batch, adaptive_windows((7, 8), (3, 3)), largest))


def test_adaptive_sizes():
    batch = np.arange(120.0).reshape(2, 5, 3, 4)
    assert adaptive_avg_pool2d(batch, (None, 2)).shape == adaptive_max_pool2d(batch, (None, 2)).shape == (2, 5, 3, 2)
    assert adaptive_avg_pool2d(batch[0], 1).shape == (5, 1, 1)
    assert adaptive_avg_pool2d(batch, (0, 2)).shape == adaptive_max_pool2d(batch, (0, 2)).shape == (2, 5, 0, 2)
    assert adaptive_avg_pool2d(batch[:0], 2).shape == adaptive_max_pool2d(batch[:0], 2).shape == (0, 5, 2, 2)
    assert adaptive_avg_pool2d(batch[:, :0], 2).shape == (2, 0, 2, 2)


@pytest.mark.parametrize("call", [adaptive_avg_pool2d, adaptive_max_pool2d])
@pytest.mark.parametrize(
    ("error", "text", "shape", "output_size"),
    [
        (UsageError, "output_size must be at least 0, not -1", (1, 4, 4), -1),
        (UsageError, "or a pair", (1, 4, 4), (2,)),
        (UsageError, "or a pair", (1, 4, 4), None),
        (ArgumentTypeError, "output_size must be a whole number", (1, 4, 4), 2.5),
        (DoesNotFit, "no cells", (1, 0, 4), 2),
        (DoesNotFit, "input must have the shape", (4, 4), 2),
    ],
)
def test_adaptive_refused(call, error, text, shape, output_size):
    with pytest.raises(error, match=text):
        call(np.zeros(shape), output_size)


def test_adaptive_max_refuses_no_channels():
    with pytest.raises(DoesNotFit, match="no cells"):
        adaptive_max_pool2d(np.zeros((2, 0, 4, 4)), 2)
    assert adaptive_max_pool2d(np.zeros((0, 4, 4)), 2).shape == (0, 2, 2)  # as torch takes the first axis for a batch's


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_unpooling_puts_values_back(dtype):
    batch = np.random.default_rng(0).permutation(2 * 3 * 7 * 8).reshape(2, 3, 7, 8).astype(dtype)
    pooled, indices = max_pool2d(batch, 2, return_indices=True)
    back = max_unpool2d(pooled, indices, 2, output_size=(7, 8))
    assert back.dtype == dtype
    kept = back != 0
    np.testing.assert_array_equal(back[kept], batch[kept])
    np.testing.assert_array_equal(max_pool2d(back, 2), pooled)
    np.testing.assert_array_equal(max_unpool2d(pooled[1], indices[1], 2, output_size=(2, 3, 7, 8)), back[1])


def test_unpooled_size():
    values, indices = np.ones((1, 1, 3, 4)), np.zeros((1, 1, 3, 4), np.int64)
    assert max_unpool2d(values, indices, (3, 2), (2, 1), (1, 0)).shape == (1, 1, 5, 5)
    assert max_unpool2d(values, indices, 2, output_size=[7, 9]).shape == (1, 1, 7, 9)
    assert max_unpool2d(values[:0], indices[:0], 2).shape == (0, 1, 6, 8)


def test_the_last_of_values_for_one_place_stays():
    assert max_unpool2d(np.array([[[1.0, 2.0]]]), np.zeros((1, 1, 2), np.int64), 2)[0, 0, 0] == 2


@pytest.mark.parametrize(
    ("error", "text", "change"),
    [
        (UsageError, "indices must be from 0 to 35, the cells of a plane, not 36", {"indices": np.full((1, 3, 3), 36)}),
        (UsageError, "not -1", {"indices": np.full((1, 3, 3), -1)}),
        (ArgumentTypeError, "indices must be int64", {"indices": np.zeros((1, 3, 3), np.int32)}),
        (DoesNotFit, "must have the input's shape", {"indices": np.zeros((1, 2, 3), np.int64)}),
        (DoesNotFit, "less than a stride", {"output_size": (8, 8)}),
        (DoesNotFit, "less than a stride", {"output_size": (4, 6)}),
        (UsageError, "output_size must be 2 numbers, or 4", {"output_size": (7, 7, 7)}),
        (UsageError, "output_size must be 2 numbers, or 4", {"output_size": 7}),
        (UsageError, "stride must be at least 1", {"stride": 0}),
        (UsageError, "kernel_size (2,) has 1 number; give an int or two", {"kernel_size": (2,)}),
    ],
)
def test_unpooling_refused(error, text, change):
    arguments = {"input": np.ones((1, 3, 3)), "indices": np.zeros((1, 3, 3), np.int64), "kernel_size": 2, **change}
    with pytest.raises(error) as caught:
        max_unpool2d(**arguments)
    assert text in str(caught.value)
