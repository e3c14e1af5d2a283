"""Convolutions by tiles: those of one output of each group, which are computed by rows, and weights in any order."""

import numpy as np
import pytest

from imgconv import conv2d, gradients

pytestmark = pytest.mark.sweep(5)

RNG = np.random.default_rng(12)


def whole(*shape):
    """Whole numbers, whose sums are exact in any order."""
    return RNG.integers(-9, 10, shape).astype(np.float32)


@pytest.mark.parametrize("height", [1, 2, 3, 4, 5, 8])
@pytest.mark.parametrize(("stride", "dilation"), [(1, 1), ((2, 1), 1), (3, (1, 2)), (1, 2), (2, 2), ((4, 1), (2, 1))])
@pytest.mark.parametrize("shape", [(3, 2, 9, 8), (2, 2, 23, 40), (1, 4, 40, 15)])
@pytest.mark.parametrize("border", ["zeros", "reflect"])
def test_one_output_of_each_group_equals_that_of_several(shape, stride, dilation, height, border):
    channels = shape[1]
    input, weight, bias = whole(*shape), whole(2 * channels, 1, height, 3), whole(2 * channels)
    options = {"stride": stride, "dilation": dilation, "padding": (height // 2, 1), "groups": channels, "padding_mode": border}
    both = conv2d(input, weight, bias, **options)
    np.testing.assert_array_equal(conv2d(input, weight[::2], bias[::2], **options), both[:, ::2])
    np.testing.assert_array_equal(conv2d(input.astype(np.int16), weight[1::2], bias[1::2], **options), both[:, 1::2])


@pytest.mark.parametrize("padding", [0, 1])
@pytest.mark.parametrize(("shape", "outputs", "kernel"), [((1, 3, 40, 61), 64, 5), ((2, 2, 20, 25), 32, 7), ((1, 8, 33, 34), 48, 3)])
def test_many_outputs_of_wide_kernels(shape, outputs, kernel, padding):
    """Whose planes are copied for each column of the kernel, since much of a row would be computed in vain."""
    input, weight = whole(*shape), whole(outputs, shape[1], kernel, kernel)
    cells = np.pad(input, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    windows = np.lib.stride_tricks.sliding_window_view(cells, (kernel, kernel), (2, 3))
    np.testing.assert_array_equal(conv2d(input, weight, padding=padding), np.einsum("nchwuv,ocuv->nohw", windows, weight, optimize=True))


def test_values_that_are_not_finite_change_only_the_windows_over_them():
    input, weight = whole(1, 1, 30, 33), whole(1, 1, 5, 3)
    input[0, 0, 12, 17] = np.nan
    reached = np.isnan(conv2d(input, weight, padding=(2, 1)))[0, 0]
    assert reached[10:15, 16:19].all() and reached.sum() == 15


@pytest.mark.parametrize(("outputs", "groups"), [(3, 1), (70, 1), (12, 3), (6, 6)])
def test_the_gradient_of_the_input_has_the_weights_of_every_group(outputs, groups):
    input, weight = whole(2, 6, 25, 27), whole(outputs, 6 // groups, 4, 3)
    output = conv2d(input, weight, stride=(2, 1), padding=1, groups=groups)
    grad = whole(*output.shape)
    back = gradients.conv2d_input(input.shape, weight, grad, stride=(2, 1), padding=1, groups=groups)
    assert (back.astype(np.float64) * input).sum() == (output.astype(np.float64) * grad).sum()
