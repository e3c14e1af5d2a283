"""conv_transpose1d and conv_transpose2d: torch's stored results, an oracle, and the adjoint identity with conv2d."""

import naive
import numpy as np
import pytest
from closeness import assert_agrees, layouts, numbers
from examples import FLOATS, examples
from golden_cases import golden
from hypothesis import given
from hypothesis import strategies as st

from imgconv.functional.conv import conv2d
from imgconv.functional.conv_transpose import conv_transpose1d, conv_transpose2d
from imgconv.functional.matrix import kernel_matrix

pytestmark = pytest.mark.sweep(4)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(("parameters", "arrays"), golden("conv_transpose2d"))
def test_conv_transpose2d_golden(parameters, arrays, dtype):
    bias = arrays["bias"].astype(dtype) if "bias" in arrays else None
    assert_agrees(conv_transpose2d(arrays["input"].astype(dtype), arrays["weight"].astype(dtype), bias, **parameters), arrays["output"])


pairs = st.tuples(st.integers(1, 3), st.integers(1, 3))


@examples(60)
@given(st.data())
def test_conv_transpose2d_agrees_with_the_oracle(data):
    groups, stride, dilation, kernel = data.draw(st.integers(1, 3)), data.draw(pairs), data.draw(pairs), data.draw(pairs)
    extra = tuple(data.draw(st.integers(0, max(s, d) - 1)) for s, d in zip(stride, dilation, strict=True))
    size = data.draw(st.tuples(st.integers(1, 6), st.integers(1, 6)))
    whole = [(n - 1) * s + d * (k - 1) + 1 + e for n, s, d, k, e in zip(size, stride, dilation, kernel, extra, strict=True)]
    padding = tuple(data.draw(st.integers(0, min(2, (n - 1) // 2))) for n in whole)
    input = numbers(data.draw(st.integers(1, 2)), groups * data.draw(st.integers(1, 3)), *size)
    weight = numbers(input.shape[1], data.draw(st.integers(1, 3)), *kernel, seed=1)
    parameters = {"stride": stride, "padding": padding, "output_padding": extra, "groups": groups, "dilation": dilation}
    bias = numbers(groups * weight.shape[1], seed=2)
    assert_agrees(conv_transpose2d(input, weight, bias, **parameters), naive.conv_transpose2d(input, weight, bias, **parameters))


def test_conv_transpose1d_is_one_row_of_conv_transpose2d():
    input, weight, bias = numbers(2, 4, 7), numbers(4, 3, 5, seed=1), numbers(6, seed=2)
    parameters = {"stride": 3, "padding": 2, "output_padding": 1, "groups": 2, "dilation": 2}
    expected = conv_transpose2d(input[:, :, None], weight[:, :, None], bias, (1, 3), (0, 2), (0, 1), 2, (1, 2))[:, :, 0]
    np.testing.assert_array_equal(conv_transpose1d(input, weight, bias, **parameters), expected)
    np.testing.assert_array_equal(conv_transpose1d(input[0], weight, bias, **parameters), expected[0])


@examples(40)
@given(st.integers(1, 3), st.integers(1, 3), st.integers(0, 2), st.integers(1, 2), st.integers(3, 9), st.integers(3, 9))
def test_it_is_the_adjoint_of_conv2d(down, across, padding, dilation, height, width):
    parameters = {"stride": (down, across), "padding": padding, "dilation": dilation, "groups": 2}
    x, weight = numbers(2, 4, height + 3, width + 3), numbers(6, 2, 3, 2, seed=1)
    output = conv2d(x, weight, **parameters)
    y = numbers(*output.shape, seed=2)
    remainder = [(n + 2 * padding - dilation * (k - 1) - 1) % s for n, k, s in zip(x.shape[2:], (3, 2), (down, across), strict=True)]
    back = conv_transpose2d(y, weight, output_padding=remainder, **parameters)
    assert back.shape == x.shape
    np.testing.assert_allclose((output * y).sum(), (x * back).sum(), rtol=1e-11)


def test_it_is_the_transposed_kernel_matrix():
    weight, grad = numbers(3, 2), numbers(3, 3, seed=1)
    expected = (kernel_matrix(weight, (6, 4), stride=(2, 1), padding=(1, 0)).T @ grad.ravel()).reshape(6, 4)
    result = conv_transpose2d(grad[None], weight[None, None], stride=(2, 1), padding=(1, 0), output_padding=(1, 0))
    np.testing.assert_allclose(result[0], expected, atol=1e-14)


def test_infinite_weights_are_not_multiplied_with_padding():
    weight = np.ones((1, 1, 3, 3))
    weight[0, 0, 0, 0] = np.inf
    result = conv_transpose2d(np.ones((1, 2, 2)), weight, stride=2)[0]
    np.testing.assert_array_equal(np.isinf(result), [[1, 0, 1, 0, 0], [0] * 5, [1, 0, 1, 0, 0], [0] * 5, [0] * 5])
    assert not np.isnan(result).any()


@pytest.mark.parametrize("name", layouts(np.zeros((1, 1))))
def test_every_layout_of_the_same_numbers(name):
    arrays = [a.astype(np.float32) for a in (numbers(2, 6, 4, 5), numbers(6, 2, 3, 2, seed=1), numbers(4, seed=2))]
    expected = conv_transpose2d(*arrays, stride=2, groups=2)
    np.testing.assert_array_equal(conv_transpose2d(*(layouts(a)[name] for a in arrays), stride=2, groups=2), expected)


def test_plain_images_take_plain_kernels():
    image, kernel = numbers(4, 5), numbers(2, 3, seed=1)
    expected = conv_transpose2d(image[None, None], kernel[None, None], np.array([2.0]), 2)[0, 0]
    np.testing.assert_array_equal(conv_transpose2d(image, kernel, np.array([2.0]), 2), expected)
    with pytest.raises(ValueError, match=r"\(N,C,H,W\)"):
        conv_transpose2d(image, kernel[None, None])


def test_integers_give_float32_and_empty_batches_work():
    result = conv_transpose2d(np.full((0, 2, 3, 4), 7, np.uint8), np.ones((2, 3, 2, 2), np.int32), stride=2)
    assert result.shape == (0, 3, 6, 8) and result.dtype == np.float32


REFUSED = [
    ({"output_padding": 2}, ValueError, "output_padding 2.*stride 2.*dilation 1"),
    ({"output_padding": -1}, ValueError, "output_padding.*at least 0.*-1"),
    ({"padding": "same"}, TypeError, "padding of a transposed convolution.*whole number.*'same'"),
    ({"padding": 9}, ValueError, r"\(3, 4\).*-11 by -9 cells.*less padding"),
    ({"groups": 3}, ValueError, "groups 3.*4 channels"),
    ({"bias": np.zeros(3)}, ValueError, r"bias.*\(4,\)"),
    ({"weight": np.zeros((4, 0, 3, 3))}, ValueError, r"weight \(4, 0, 3, 3\).*output channels"),
    ({"weight": np.zeros((2, 2, 3, 3))}, ValueError, r"input.*4 channels.*weight \(2, 2, 3, 3\).*2"),
]


@pytest.mark.parametrize(("argument", "error", "facts"), REFUSED)
def test_it_refuses(argument, error, facts):
    with pytest.raises(error, match=facts):
        conv_transpose2d(**{"input": np.zeros((1, 4, 3, 4)), "weight": np.zeros((4, 2, 3, 3)), "stride": 2, "groups": 2} | argument)
