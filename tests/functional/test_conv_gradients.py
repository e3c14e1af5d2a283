"""Gradients of convolution, unfold, fold and linear: torch's stored results, and the dot-product identity of an adjoint."""

import numpy as np
import pytest
from closeness import assert_agrees, numbers
from examples import FLOATS, examples
from golden_cases import golden
from hypothesis import given
from hypothesis import strategies as st

from imgconv import gradients
from imgconv.engine import dispatch
from imgconv.functional.conv import conv1d, conv2d
from imgconv.functional.conv_transpose import conv_transpose1d, conv_transpose2d
from imgconv.functional.matrix import linear
from imgconv.functional.patches import fold, unfold
from imgconv.windows import correlation, tiles

pytestmark = pytest.mark.sweep(5)


@pytest.mark.sweep(9)
@pytest.mark.parametrize("patch_cells", [dispatch.PATCH_CELLS, 40], ids=["whole", "by small blocks"])
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(("parameters", "arrays"), golden("conv2d"))
def test_conv2d_gradients_golden(monkeypatch, parameters, arrays, dtype, patch_cells):
    monkeypatch.setattr(dispatch, "PATCH_CELLS", patch_cells)
    input, weight, grad = (arrays[name].astype(dtype) for name in ("input", "weight", "grad_output"))
    assert_agrees(gradients.conv2d_input(input.shape, weight, grad, **parameters), arrays["grad_input"])
    assert_agrees(gradients.conv2d_weight(input, weight.shape, grad, **parameters), arrays["grad_weight"])
    if "grad_bias" in arrays:
        assert_agrees(gradients.conv2d_bias(grad), arrays["grad_bias"])


FORWARD = {
    "conv1d": (conv1d, (2, 4, 11), (6, 2, 3), {"stride": 2, "padding": 1, "dilation": 2, "groups": 2}),
    "conv2d": (conv2d, (2, 4, 9, 8), (6, 2, 3, 2), {"stride": (2, 1), "padding": (1, 2), "dilation": (1, 2), "groups": 2}),
    "conv2d same": (conv2d, (1, 3, 8, 9), (2, 3, 4, 3), {"stride": 2, "padding": "same"}),
    "conv2d full": (conv2d, (1, 3, 4, 5), (2, 3, 2, 3), {"padding": "full"}),
    "conv_transpose1d": (conv_transpose1d, (2, 4, 6), (4, 3, 3), {"stride": 2, "padding": 1, "output_padding": 1, "groups": 2}),
    "conv_transpose2d": (conv_transpose2d, (2, 4, 3, 5), (4, 2, 3, 2), {"stride": (2, 3), "output_padding": (1, 2), "groups": 2}),
    "conv_transpose2d dilated": (conv_transpose2d, (1, 2, 4, 5), (2, 3, 2, 3), {"output_padding": 1, "dilation": 2}),
}


@pytest.mark.parametrize(("forward", "input", "weight", "parameters"), FORWARD.values(), ids=FORWARD)
def test_each_gradient_is_an_adjoint(forward, input, weight, parameters):
    x, w = numbers(*input), numbers(*weight, seed=1)
    output = forward(x, w, **parameters)
    grad = numbers(*output.shape, seed=2)
    name, expected = forward.__name__, (output * grad).sum()
    back = getattr(gradients, f"{name}_input")(list(input), w, grad, **parameters)
    grad_weight = getattr(gradients, f"{name}_weight")(x, weight, grad, **parameters)
    bias = getattr(gradients, f"{name}_bias")(grad)
    np.testing.assert_allclose((back * x).sum(), expected, rtol=1e-12)
    np.testing.assert_allclose((grad_weight * w).sum(), expected, rtol=1e-12)
    np.testing.assert_allclose(bias, np.moveaxis(grad, 1, 0).reshape(len(bias), -1).sum(1), rtol=1e-12)
    assert back.shape == x.shape and grad_weight.shape == w.shape


@examples(30)
@given(st.integers(1, 3), st.integers(1, 3), st.integers(0, 2), st.integers(1, 2), st.integers(5, 9), st.integers(5, 9))
def test_unfold_and_fold_are_each_others_gradients(kernel, stride, padding, dilation, height, width):
    window = {"kernel_size": (kernel, 2), "stride": stride, "padding": padding, "dilation": (dilation, 1)}
    x = numbers(2, 3, height, width)
    patches = unfold(x, **window)
    grad = numbers(*patches.shape, seed=1)
    np.testing.assert_allclose((patches * grad).sum(), (x * gradients.unfold_input(grad, x.shape, **window)).sum(), rtol=1e-11)
    images = fold(grad, (height, width), **window)
    np.testing.assert_allclose((images * x).sum(), (grad * gradients.fold_input(x, **window)).sum(), rtol=1e-11)


def test_linear_gradients_are_adjoints():
    x, w = numbers(2, 3, 5), numbers(4, 5, seed=1)
    grad = numbers(2, 3, 4, seed=2)
    expected = (linear(x, w) * grad).sum()
    np.testing.assert_allclose((gradients.linear_input(x.shape, w, grad) * x).sum(), expected, rtol=1e-12)
    np.testing.assert_allclose((gradients.linear_weight(x, w.shape, grad) * w).sum(), expected, rtol=1e-12)
    np.testing.assert_allclose(gradients.linear_bias(grad), grad.sum((0, 1)), rtol=1e-12)


LARGE = [  # input, weight and options of gradients that are computed by tiles
    ((2, 12, 25, 23), (9, 12, 3, 3), {"padding": 1}),
    ((3, 16, 40, 41), (5, 16, 4, 3), {"stride": 2, "padding": (2, 0)}),
    ((2, 12, 33, 30), (8, 6, 3, 7), {"stride": (1, 2), "dilation": (2, 1), "groups": 2}),
    ((1, 32, 60, 50), (4, 32, 2, 2), {"dilation": 2, "stride": 2, "padding": 1}),
    ((2, 40, 31, 35), (40, 1, 3, 5), {"groups": 40, "padding": (3, 2)}),
    ((1, 16, 3, 2100), (4, 16, 3, 3), {"padding": (0, 4)}),
    ((17, 1, 13, 12), (5, 1, 5, 5), {"padding": 2}),
    ((5, 6, 21, 38), (9, 2, 3, 4), {"stride": (2, 3), "dilation": (1, 2), "groups": 3, "padding": (1, 5)}),
    ((2, 1, 300, 1100), (1, 1, 2, 1), {}),
    ((3, 40, 9, 8), (2, 40, 3, 3), {"stride": 2}),
    ((2, 24, 33, 30), (48, 1, 5, 3), {"stride": (2, 3), "dilation": (2, 1), "groups": 24, "padding": (2, 1)}),
]


@pytest.mark.parametrize(("shape", "weight", "options"), LARGE)
def test_tiles_give_the_gradients_of_products_whatever_the_threads(monkeypatch, shape, weight, options):
    x, w = (np.random.default_rng(0).integers(-9, 9, size).astype(np.float32) for size in (shape, weight))
    grad = np.sign(conv2d(x, w, **options))
    results = []
    for threads in (1, 3):
        monkeypatch.setattr(tiles, "default_threads", lambda threads=threads: threads)
        results.append((gradients.conv2d_input(shape, w, grad, **options), gradients.conv2d_weight(x, weight, grad, **options)))
    monkeypatch.setattr(correlation, "takes_tiles", lambda size, phases: False)
    monkeypatch.setattr(correlation, "spreads", lambda channels, stride: False)
    for name in ("takes_tiles_of_channels", "takes_planes"):
        monkeypatch.setattr(correlation, name, lambda size: False)
    results.append((gradients.conv2d_input(shape, w, grad, **options), gradients.conv2d_weight(x, weight, grad, **options)))
    for first, second in results[1:]:
        np.testing.assert_array_equal(first, results[0][0])
        np.testing.assert_array_equal(second, results[0][1])


def test_an_infinite_weight_meets_only_its_own_cells_in_the_gradient_of_many():
    weight, grad = np.ones((1, 1, 3, 3), np.float32), np.ones((1, 1, 40, 40), np.float32)
    weight[0, 0, 0, 0] = np.inf
    for stride in (1, 2):  # with 2, zeros between the outputs would meet it
        expected = np.zeros((39 * stride + 3,) * 2, bool)
        expected[: 40 * stride : stride, : 40 * stride : stride] = True
        result = gradients.conv2d_input((1, 1, *expected.shape), weight, grad, stride=stride)[0, 0]
        np.testing.assert_array_equal(np.isinf(result), expected)
        assert not np.isnan(result).any()


@pytest.mark.parametrize("value", [np.inf, np.nan])
def test_an_infinite_cell_meets_its_own_windows_in_the_gradient_of_the_weight(value):
    x, grad = np.ones((2, 1, 9, 20), np.float32), np.ones((2, 1, 7, 18), np.float32)
    x[0, 0, 4, 0] = value  # no window has its middle or right column there
    assert np.isfinite(gradients.conv2d_weight(x, (1, 1, 3, 3), grad)[0, 0]).tolist() == [[False, True, True]] * 3


def test_gradients_of_many_cells_keep_float32_accuracy():
    x, grad = np.abs(numbers(1, 2, 300, 400)).astype(np.float32), np.abs(numbers(1, 3, 298, 398, seed=1)).astype(np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(x[0].astype(np.float64), grad.shape[2:], axis=(1, 2))
    expected = np.einsum("cuvij,oij->ocuv", windows, grad[0].astype(np.float64), optimize=True)
    assert_agrees(gradients.conv2d_weight(x, (3, 2, 3, 3), grad), expected)
    assert_agrees(gradients.conv2d_bias(grad), grad.sum((0, 2, 3), np.float64))


def test_empty_batches_have_gradients():
    assert gradients.conv2d_input((0, 3, 5, 5), np.ones((2, 3, 3, 3)), np.ones((0, 2, 3, 3))).shape == (0, 3, 5, 5)
    np.testing.assert_array_equal(
        gradients.conv2d_weight(np.ones((0, 3, 5, 5)), (2, 3, 3, 3), np.ones((0, 2, 3, 3))), np.zeros((2, 3, 3, 3))
    )


def test_shapes_that_do_not_match_are_refused():
    weight, grad = np.ones((2, 3, 3, 3)), np.ones((1, 2, 3, 4))
    with pytest.raises(ValueError, match=r"grad_output.*\(1, 2, 3, 3\).*\(1, 2, 3, 4\)"):
        gradients.conv2d_input((1, 3, 5, 5), weight, grad)
    with pytest.raises(ValueError, match=r"grad_output.*\(2, 2, 3, 4\).*\(1, 2, 3, 4\)"):
        gradients.conv2d_weight(np.ones((2, 3, 5, 6)), weight.shape, grad)
    with pytest.raises(TypeError, match=r"input_size.*4 whole numbers.*\(5, 6\)"):
        gradients.conv2d_input((5, 6), weight, grad)
    with pytest.raises(ValueError, match=r"input_size.*4 channels.*weight"):
        gradients.conv2d_input((1, 4, 5, 6), weight, grad)
    with pytest.raises(ValueError, match=r"grad_output.*4 dimensions"):
        gradients.conv2d_input((1, 3, 5, 6), weight, grad[0])
