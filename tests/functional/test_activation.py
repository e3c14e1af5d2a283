"""Activations, softmax and flatten: definitions, extremes, dtypes, and the arguments that they refuse."""

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
def test_softmax_has_the_default_axis_of_torch(shape, dim):
    values = np.random.default_rng(0).standard_normal(shape)
    np.testing.assert_array_equal(softmax(values), softmax(values, dim))


@pytest.mark.parametrize("call", [leaky_relu, sigmoid, tanh, lambda x: softmax(x, 0), relu])
def test_dtypes(call):
    for dtype in (np.uint8, np.int32, np.float16, np.float32, np.float64):
        values = np.array([0, 1, 2], dtype)
        got = call(values)
        expected = dtype if call is relu or dtype == np.float64 else np.float32
        assert got.dtype == expected and not np.shares_memory(got, values)


@pytest.mark.parametrize("call", [relu, leaky_relu, lambda x: leaky_relu(x, 1e9), sigmoid, tanh, softmax])
def test_float_errors_of_the_caller_are_not_raised(call):
    values = np.array([[-np.inf, -1e38, -1e-40, 3e38, np.inf, np.nan], [0, -1e4, 1e4, 88, -88, 104]], np.float32)
    with np.errstate(all="ignore"):
        expected = call(values)
    with np.errstate(all="raise"):
        np.testing.assert_array_equal(call(values), expected)


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


def test_flatten_returns_a_new_array_with_an_axis():
    values = np.zeros((2, 3))
    assert not np.shares_memory(flatten(values), values)
    assert flatten(np.array(3.0)).shape == (1,)


REFUSED = [
    (lambda: relu(np.zeros(2, bool)), ArgumentTypeError, "relu.*bools"),
    (lambda: softmax(np.zeros((2, 3)), 2), UsageError, "dim.*-2 to 1.*2 axes.*2"),
    (lambda: softmax(np.zeros((2, 3)), 1.0), ArgumentTypeError, "dim.*whole number.*1.0"),
    (lambda: flatten(np.zeros((2, 3)), 1, 0), UsageError, "start_dim 1.*end_dim 0"),
    (lambda: flatten(np.zeros((2, 3)), 0, 5), UsageError, "end_dim.*-2 to 1.*5"),
    (lambda: sigmoid([1.0]), ArgumentTypeError, "input.*numpy array"),
]


@pytest.mark.parametrize(("call", "error", "facts"), REFUSED)
def test_they_refuse(call, error, facts):
    with pytest.raises(error, match=facts):
        call()
