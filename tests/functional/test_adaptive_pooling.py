"""Adaptive pools against an oracle, and the arguments that they refuse."""

import numpy as np
import pytest
from examples import examples
from hypothesis import given
from hypothesis import strategies as st
from naive_pooling import adaptive_windows, first_largest, largest, mean, pool

from imgconv.errors import ArgumentTypeError, DoesNotFit, UsageError
from imgconv.functional.pooling import adaptive_avg_pool2d, adaptive_max_pool2d

SIDES = st.tuples(st.integers(1, 12), st.integers(1, 12))


@examples(40)
@given(SIDES, SIDES, st.integers(0, 99))
def test_adaptive_pools_equal_the_oracle(size, out, seed):
    batch = np.random.default_rng(seed).standard_normal((2, 2, *size))
    positions = list(adaptive_windows(size, out))
    np.testing.assert_allclose(adaptive_avg_pool2d(batch, out), pool(batch, positions, mean), 1e-12, 1e-12)
    got, indices = adaptive_max_pool2d(batch, out, return_indices=True)
    np.testing.assert_array_equal(got, pool(batch, positions, largest))
    np.testing.assert_array_equal(indices, pool(batch, positions, first_largest, np.int64))


@pytest.mark.parametrize("dtype", [np.bool_, np.uint8, np.float16, np.float32, np.float64])
def test_adaptive_dtypes(dtype):
    batch = (np.random.default_rng(0).random((1, 3, 7, 8)) * 2).astype(dtype)
    average = adaptive_avg_pool2d(batch, 3)
    assert average.dtype == (np.float64 if dtype == np.float64 else np.float32)
    np.testing.assert_allclose(average, pool(batch, adaptive_windows((7, 8), (3, 3)), mean, np.float64), 1e-6)
    largest_cells = adaptive_max_pool2d(batch, 3)
    assert largest_cells.dtype == dtype
    np.testing.assert_array_equal(largest_cells, pool(batch, adaptive_windows((7, 8), (3, 3)), largest))


def test_adaptive_sizes():
    batch = np.arange(120.0).reshape(2, 5, 3, 4)
    assert adaptive_avg_pool2d(batch, (None, 2)).shape == adaptive_max_pool2d(batch, (None, 2)).shape == (2, 5, 3, 2)
    assert adaptive_avg_pool2d(batch[0], 1).shape == (5, 1, 1)
    assert adaptive_avg_pool2d(batch, (0, 2)).shape == adaptive_max_pool2d(batch, (0, 2)).shape == (2, 5, 0, 2)
    assert adaptive_avg_pool2d(batch[:0], 2).shape == adaptive_max_pool2d(batch[:0], 2).shape == (0, 5, 2, 2)
    assert adaptive_avg_pool2d(batch[:, :0], 2).shape == (2, 0, 2, 2)


@pytest.mark.parametrize("call", [adaptive_avg_pool2d, adaptive_max_pool2d])
@pytest.mark.parametrize(
    ("error", "facts", "shape", "output_size"),
    [
        (UsageError, "output_size.*at least 0.*-1", (1, 4, 4), -1),
        (UsageError, "or a pair", (1, 4, 4), (2,)),
        (UsageError, "or a pair", (1, 4, 4), None),
        (ArgumentTypeError, "output_size.*whole number.*2.5", (1, 4, 4), 2.5),
        (DoesNotFit, "no cells", (1, 0, 4), 2),
        (DoesNotFit, r"input.*\(4,\)", (4,), 2),
    ],
)
def test_adaptive_pools_refuse(call, error, facts, shape, output_size):
    with pytest.raises(error, match=facts):
        call(np.zeros(shape), output_size)


def test_adaptive_max_refuses_no_channels():
    with pytest.raises(DoesNotFit, match="no cells"):
        adaptive_max_pool2d(np.zeros((2, 0, 4, 4)), 2)
    assert adaptive_max_pool2d(np.zeros((0, 4, 4)), 2).shape == (0, 2, 2)  # as torch, for which the first axis is the batch
