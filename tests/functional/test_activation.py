"""Activations: their definitions, extremes, dtypes and what they refuse."""

import numpy as np
import pytest

from imgconv.errors import ArgumentTypeError, UsageError
from imgconv.functional.activation import flatten, leaky_relu, relu, sigmoid, softmax, tanh

EXTREMES = np.array([-np.inf, -1e4, -1.0, -0.0, 0.0, 1.0, 1e4, np.inf, np.nan], np.float32)


def test_extremes():
    np.testing.assert_array_equal(relu(EXTREMES), [0, 0, 0, 0, 0, 1, 1e4, np.inf, np.nan])
    np.testing.assert_array_equal(leaky_relu(EXTREMES, 0.25), [-np.inf, -2500, -0.25, 0, 0, 1, 1e4, np.inf, np.nan])
    np.testing.assert_array_equal(leaky_relu(EXTREMES, 0)[[0, 7]], [np.nan, np.inf])
    np.testing.assert_allclose(sigmoid(EXTREMES), [0, 0, 1 / (1 + np.e), 0.5, 0.5, np.e / (1 + np.e), 1, 1, np.nan], 1e-6)
    np.testing.assert_allclose(tanh(EXTREMES), np.tanh(EXTREMES.astype(np.float64)), 1e-6)


def test_softmax():
    rows = np.array([[0.0, 1.0, 2.0], [1e4, 1e4, -1e4], [3.0, -np.inf, 3.0]])
    powers = np.exp(np.arange(3.0))
    np.testing.assert_allclose(softmax(rows, 1), [powers / powers.sum(), [0.5, 0.5, 0], [0.5, 0, 0.5]], 1e-12)
    np.testing.assert_allclose(softmax(rows.T, -2).T, softmax(rows, -1))
    assert np.isnan(softmax(np.array([np.inf, 1.0]), 0)).all()
    assert softmax(np.array(3.0), 0) == 1
    assert softmax(np.zeros((0, 3)), 1).shape == (0, 3)


@pytest.mark.parametrize(("shape", "dim"), [((4,), 0), ((2, 3), 1), ((2, 3, 4), 0), ((2, 3, 4, 5), 1)])
def test_softmax_without_an_axis_takes_torchs(shape, dim):
    values = np.random.default_rng(0).standard_normal(shape)
    np.testing.assert_array_equal(softmax(values), softmax(values, dim))


@pytest.mark.parametrize("call", [leaky_relu, sigmoid, tanh, lambda x: softmax(x, 0), relu])
def test_dtypes(call):
    for dtype in (np.uint8, np.int32, np.float16, np.float32, np.float64):
        values = np.array([0, 1, 2], dtype)
        got = call(values)
        kept = dtype if call is relu or dtype == np.float64 else np.float32
        assert got.dtype == kept and not np.shares_memory(got, values)


@pytest.mark.parametrize("call", [leaky_relu, sigmoid, tanh, softmax, relu])
def test_results_are_in_c_order(call):
    values = np.arange(6.0).reshape(2, 3)
    result = call(np.asfortranarray(values))
    assert result.flags.c_contiguous
    np.testing.assert_array_equal(result, call(values))


@pytest.mark.parametrize(
    ("dims", "shape"), [((), (120,)), ((1,), (2, 60)), ((1, 2), (2, 12, 5)), ((-2,), (2, 3, 20)), ((0, 0), (2, 3, 4, 5))]
)
def test_flatten(dims, shape):
    values = np.arange(120).reshape(2, 3, 4, 5)
    got = flatten(np.asfortranarray(values), *dims)
    assert got.shape == shape and got.flags.c_contiguous
    np.testing.assert_array_equal(got.ravel(), np.arange(120))


def test_flatten_makes_a_new_array_and_an_axis():
    values = np.zeros((2, 3))
    assert not np.shares_memory(flatten(values), values)
    assert flatten(np.array(3.0)).shape == (1,)


def test_refused():
    values = np.zeros((2, 3))
    with pytest.raises(ArgumentTypeError, match="not bools"):
        relu(np.zeros(2, bool))
    with pytest.raises(UsageError, match="dim must be from -2 to 1 for 2 axes, not 2"):
        softmax(values, 2)
    with pytest.raises(ArgumentTypeError, match="dim must be a whole number"):
        softmax(values, 1.0)
    with pytest.raises(UsageError, match="start_dim 1 comes after end_dim 0"):
        flatten(values, 1, 0)
    with pytest.raises(UsageError, match="end_dim must be from -2"):
        flatten(values, 0, 5)
    with pytest.raises(ArgumentTypeError, match="numpy array"):
        sigmoid([1.0])
