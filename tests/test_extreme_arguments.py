"""Sizes beyond 64 bits, floating-point errors that the caller turns into exceptions, and the caller's warning filters."""

import warnings

import numpy as np
import pytest

import imgconv
from imgconv import gradients

PLANE = np.arange(16.0).reshape(4, 4)
ONES = np.ones((2, 2))
BEYOND = 2**70


@pytest.mark.parametrize(
    "call",
    [
        lambda n: imgconv.conv2d(PLANE, ONES, stride=n),
        lambda n: imgconv.conv2d(PLANE, ONES, padding=n),
        lambda n: imgconv.conv2d(PLANE, ONES, dilation=n),
        lambda n: imgconv.conv1d(PLANE, np.ones((1, 4, 2)), stride=n),
        lambda n: imgconv.conv_transpose2d(PLANE, ONES, stride=n),
        lambda n: imgconv.max_pool2d(PLANE, 2, stride=n, ceil_mode=True),
        lambda n: imgconv.avg_pool2d(PLANE, 2, divisor_override=n),
        lambda n: imgconv.median_pool2d(PLANE, n),
        lambda n: imgconv.adaptive_avg_pool2d(PLANE, n),
        lambda n: imgconv.unfold(PLANE[None], n, padding=n),
        lambda n: imgconv.fold(np.ones((4, 4)), (n, n), 2),
        lambda n: imgconv.kernel_matrix(ONES, (n, n)),
        lambda n: imgconv.filter(PLANE, "box", padding=n),
        lambda n: imgconv.pool(PLANE, 2, stride=n),
        lambda n: gradients.conv2d_input((1, 1, n, 2), np.ones((1, 1, 1, 1)), np.ones((1, 1, 2, 2))),
        lambda n: gradients.max_pool2d_input(PLANE, np.zeros((4, 4), np.int64), (n, 4)),
    ],
)
def test_sizes_beyond_64_bits_are_refused(call):
    for size in (BEYOND, 2**63, 2**64 + 1):
        with pytest.raises(ValueError, match=r"at most 2\*\*40|cells"):
            call(size)


@pytest.mark.parametrize("stride", [5, 2**31, 2**40])
def test_a_stride_beyond_the_input_gives_one_window(stride):
    for padding in (0, 1, "same"):
        result = imgconv.conv2d(PLANE, ONES, stride=stride, padding=padding)
        assert result.shape == (1, 1)
    np.testing.assert_array_equal(imgconv.conv2d(PLANE, ONES, stride=stride), [[10.0]])
    with pytest.raises(imgconv.DoesNotFit, match="cells"):
        imgconv.unfold(PLANE[None], 2**31, padding=2**31)


EXTREMES = np.array([[-1e4, -200, -90, 0, 1, 90, 200, 6e4]])


@pytest.mark.parametrize("dtype", [np.int64, np.float16, np.float32, np.float64])
@pytest.mark.parametrize(
    "call",
    [
        imgconv.relu,
        imgconv.leaky_relu,
        imgconv.sigmoid,
        imgconv.tanh,
        imgconv.softmax,
        lambda x: imgconv.linear(x, np.full((2, x.shape[1]), 1e30, np.float32)),
        lambda x: imgconv.conv2d(x, np.full((1, 2), 1e38, np.float32)),
        lambda x: imgconv.avg_pool2d(x, (1, 2)),
        lambda x: gradients.avg_pool2d_input(x, (2, 2 * x.shape[1]), (2, 2)),
        lambda x: imgconv.edge(x),
        lambda x: imgconv.canny(x),
        lambda x: imgconv.run(x, ["conv '1 1'", "sigmoid"]),
    ],
)
def test_errors_of_numpy_are_not_raised(call, dtype):
    values = EXTREMES.astype(dtype)
    if np.dtype(dtype).kind == "f":
        tiny = np.finfo(dtype).smallest_subnormal
        values = np.concatenate([values, np.array([[np.nan, np.inf, -np.inf, tiny, -tiny]], dtype)], axis=1)
    expected = call(values)
    with np.errstate(all="raise"), warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        np.testing.assert_array_equal(call(values), expected)


def test_warning_filters_of_the_process_stay():
    before = list(warnings.filters)
    imgconv.edge(PLANE)
    imgconv.canny(PLANE, low=0.5, high=0.9, quantiles=True)
    imgconv.run(PLANE, ["max_pool 2"])
    imgconv.conv2d(PLANE, ONES)
    assert warnings.filters == before
