"""Gradients of pools: torch's stored results, adjoint identities, and the arguments that they refuse."""

import numpy as np
import pytest
from examples import examples
from golden_cases import golden
from hypothesis import given
from hypothesis import strategies as st

from imgconv.errors import ArgumentTypeError, DoesNotFit, UsageError
from imgconv.functional.avg_pooling import avg_pool1d, avg_pool1d_input, avg_pool2d, avg_pool2d_input
from imgconv.functional.pooling import (
    adaptive_max_pool2d,
    max_pool1d,
    max_pool1d_input,
    max_pool2d,
    max_pool2d_input,
)


@pytest.mark.parametrize(("parameters", "arrays"), golden("max_pool2d"))
def test_max_pool2d_gradients_equal_torch(parameters, arrays):
    got = max_pool2d_input(arrays["grad_output"], arrays["indices"], arrays["input"].shape)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, arrays["grad_input"], 1e-5, 1e-5)


@pytest.mark.parametrize(("parameters", "arrays"), golden("avg_pool2d"))
def test_avg_pool2d_gradients_equal_torch(parameters, arrays):
    got = avg_pool2d_input(arrays["grad_output"], arrays["input"].shape, **parameters)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, arrays["grad_input"], 1e-5, 1e-5)


@examples(30)
@given(
    st.tuples(st.integers(1, 5), st.integers(1, 5)),
    st.tuples(st.integers(1, 6), st.integers(1, 6)),
    st.tuples(st.integers(5, 12), st.integers(5, 12)),
    st.booleans(),
    st.booleans(),
    st.integers(0, 99),
)
def test_averaging_and_its_gradient_are_adjoint(kernel_size, stride, size, ceil_mode, count_include_pad, seed):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((2, 3, *size))
    how = (kernel_size, stride, tuple(k // 2 for k in kernel_size), ceil_mode, count_include_pad)
    pooled = avg_pool2d(x, *how)
    y = rng.standard_normal(pooled.shape)
    np.testing.assert_allclose(np.vdot(pooled, y), np.vdot(x, avg_pool2d_input(y, x.shape, *how)), 1e-11, 1e-11)


@pytest.mark.parametrize(
    "pool", [lambda x: max_pool2d(x, (3, 2), 1, 1, 2, return_indices=True), lambda x: adaptive_max_pool2d(x, (4, 11), True)]
)
def test_selecting_and_its_gradient_are_adjoint(pool):
    """With its choice of cells fixed, a max pool is linear: it gathers."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, 3, 8, 9))
    pooled, indices = pool(x)
    y, other = rng.standard_normal(pooled.shape), rng.standard_normal(x.shape)
    gathered = np.take_along_axis(other.reshape(2, 3, -1), indices.reshape(2, 3, -1), axis=2)
    np.testing.assert_allclose(np.vdot(gathered, y), np.vdot(other, max_pool2d_input(y, indices, x.shape)), 1e-12)


def test_one_dimension_and_no_batch():
    signal = np.random.default_rng(0).standard_normal((3, 11))
    pooled, indices = max_pool1d(signal, 3, 1, return_indices=True)
    expected = max_pool2d_input(pooled[:, None], indices[:, None], (3, 1, 11))
    np.testing.assert_array_equal(max_pool1d_input(pooled, indices, (3, 11)), expected[:, 0])
    means = avg_pool1d(signal, 4, 2, 2, True, False)
    expected = avg_pool2d_input(means[:, None], (3, 1, 11), (1, 4), (1, 2), (0, 2), True, False)
    np.testing.assert_array_equal(avg_pool1d_input(means, (3, 11), 4, 2, 2, True, False), expected[:, 0])


def test_a_window_without_a_cell_has_gradient_zero():
    x = np.arange(14.0).reshape(1, 2, 7, 1)
    values, indices = max_pool2d(x, (2, 2), 3, (0, 1), (1, 2), True, True)  # columns -1 and 1 of planes with one column
    assert np.isneginf(values).all() and (indices == -1).all()
    np.testing.assert_array_equal(max_pool2d_input(np.ones_like(values), indices, x.shape), np.zeros_like(x))
    indices[0, 1, 0, 0] = 3
    back = max_pool2d_input(np.ones_like(values), indices, x.shape)
    assert back[0, 1, 3, 0] == back.sum() == 1


def test_layouts_and_empty_batches():
    grad = np.random.default_rng(0).standard_normal((2, 3, 4, 5)).astype(np.float32)
    indices = np.arange(120).reshape(2, 3, 4, 5) % 7
    expected = max_pool2d_input(grad, indices, (2, 3, 3, 3))
    np.testing.assert_array_equal(max_pool2d_input(np.asfortranarray(grad), np.asfortranarray(indices), (2, 3, 3, 3)), expected)
    assert max_pool2d_input(grad[:0], indices[:0], (0, 3, 3, 3)).shape == (0, 3, 3, 3)
    assert avg_pool2d_input(grad[:0], (0, 3, 8, 10), 2).shape == (0, 3, 8, 10)


@pytest.mark.parametrize(
    ("error", "facts", "arguments"),
    [
        (UsageError, "indices.*0 to 15.*16", (np.ones((1, 2, 2)), np.full((1, 2, 2), 16), (1, 4, 4))),
        (UsageError, "indices.*-2", (np.ones((1, 2, 2)), np.full((1, 2, 2), -2), (1, 4, 4))),
        (DoesNotFit, r"indices.*\(1, 2, 2\).*\(1, 2, 1\)", (np.ones((1, 2, 2)), np.zeros((1, 2, 1), np.int64), (1, 4, 4))),
        (DoesNotFit, r"input_size \(2, 4, 4\).*\(1, 2, 2\)", (np.ones((1, 2, 2)), np.zeros((1, 2, 2), np.int64), (2, 4, 4))),
        (ArgumentTypeError, "indices.*whole numbers", (np.ones((1, 2, 2)), np.zeros((1, 2, 2)), (1, 4, 4))),
    ],
)
def test_max_gradients_refuse(error, facts, arguments):
    with pytest.raises(error, match=facts):
        max_pool2d_input(*arguments)


def test_avg_gradients_refuse():
    with pytest.raises(DoesNotFit, match=r"grad_output \(1, 3, 2\).*\(2, 2\)"):
        avg_pool2d_input(np.ones((1, 3, 2)), (1, 4, 4), 2)
    with pytest.raises(UsageError, match=r"padding 2 .*half"):
        avg_pool2d_input(np.ones((1, 2, 2)), (1, 4, 4), 2, padding=2)
