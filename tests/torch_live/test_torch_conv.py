"""Convolutions, transposed convolutions and gradients against an installed torch: results, and refused arguments."""

import numpy as np
import pytest
from closeness import numbers
from hypothesis import given, settings
from hypothesis import strategies as st

from imgconv import gradients
from imgconv.errors import ImgconvError
from imgconv.functional.conv import conv1d, conv2d
from imgconv.functional.conv_transpose import conv_transpose1d, conv_transpose2d
from imgconv.functional.matrix import linear
from imgconv.functional.padding import pad
from imgconv.functional.patches import fold, unfold

torch = pytest.importorskip("torch")
pytestmark = [pytest.mark.torch, pytest.mark.filterwarnings("ignore:Using padding='same'")]
functional = torch.nn.functional
TORCH_REFUSES = (RuntimeError, TypeError, ValueError, NotImplementedError, IndexError)
many = settings(max_examples=150, derandomize=True)


def tensors(values):
    return [torch.from_numpy(v) if isinstance(v, np.ndarray) else v for v in values]


def assert_same(call, reference, *arguments, **parameters):
    """Both return the same float64 numbers, or both refuse; torch does not check the arguments of some empty batches."""
    try:
        expected = reference(*tensors(arguments), **parameters).numpy()
    except TORCH_REFUSES:
        with pytest.raises(ImgconvError):
            call(*arguments, **parameters)
        return
    result = call(*arguments, **parameters)
    assert result.shape == expected.shape and result.dtype == expected.dtype
    np.testing.assert_allclose(result, expected, rtol=0, atol=2e-12 * np.abs(expected).max(initial=1e-300))


def one_or_two(lowest, highest):
    one = st.integers(lowest, highest)
    return one | st.tuples(one, one) | st.tuples(one)


@st.composite
def layers(draw, *, transposed=False):
    groups, depth, other = draw(st.integers(1, 3)), draw(st.integers(1, 3)), draw(st.sampled_from([1, 2, 3, 5, 17]))
    channels, kernel = groups * depth, (draw(st.integers(1, 4)), draw(st.integers(1, 4)))
    input = numbers(draw(st.integers(1, 3)), channels, draw(st.integers(1, 10)), draw(st.integers(1, 10)))
    weight = numbers(channels, other, *kernel, seed=1) if transposed else numbers(groups * other, depth, *kernel, seed=1)
    bias = draw(st.sampled_from([None, numbers(groups * other, seed=2)]))
    parameters = {"stride": draw(one_or_two(1, 3)), "dilation": draw(one_or_two(1, 3)), "groups": groups, "padding": draw(one_or_two(0, 3))}
    if transposed:
        parameters["output_padding"] = draw(one_or_two(0, 2))
    elif draw(st.booleans()):
        parameters["padding"] = draw(st.sampled_from(["same", "valid"]))
        parameters["stride"] = 1 if parameters["padding"] == "same" else parameters["stride"]
    return draw(st.sampled_from([input, input[0]])), weight, bias, parameters


def one_row(input, weight, parameters):
    """Return the same layer along one axis."""
    last = {name: (v[-1],) if isinstance(v, tuple) else v for name, v in parameters.items()}
    return input[..., 0, :].copy(), weight[:, :, 0].copy(), last


@many
@given(layers())
def test_convolutions(layer):
    input, weight, bias, parameters = layer
    assert_same(conv2d, functional.conv2d, input, weight, bias, **parameters)
    input, weight, parameters = one_row(input, weight, parameters)
    assert_same(conv1d, functional.conv1d, input, weight, bias, **parameters)


@many
@given(layers(transposed=True))
def test_transposed_convolutions(layer):
    input, weight, bias, parameters = layer
    assert_same(conv_transpose2d, functional.conv_transpose2d, input, weight, bias, **parameters)
    input, weight, parameters = one_row(input, weight, parameters)
    assert_same(conv_transpose1d, functional.conv_transpose1d, input, weight, bias, **parameters)


@pytest.mark.parametrize("transposed", [False, True], ids=["conv2d", "conv_transpose2d"])
@many
@given(data=st.data())
def test_gradients(transposed, data):
    input, weight, _, parameters = data.draw(layers(transposed=transposed))
    input = input if input.ndim == 4 else input[None]
    forward = functional.conv_transpose2d if transposed else functional.conv2d
    x, w = (torch.from_numpy(a).requires_grad_() for a in (input, weight))
    try:
        output = forward(x, w, None, **parameters)
    except TORCH_REFUSES:
        return
    grad = numbers(*output.shape, seed=3)
    expected_x, expected_w = (g.numpy() for g in torch.autograd.grad(output, (x, w), torch.from_numpy(grad)))
    by_input = getattr(gradients, f"{forward.__name__}_input")(input.shape, weight, grad, **parameters)
    by_weight = getattr(gradients, f"{forward.__name__}_weight")(input, weight.shape, grad, **parameters)
    np.testing.assert_allclose(by_input, expected_x, rtol=0, atol=1e-12 * np.abs(expected_x).max(initial=1))
    np.testing.assert_allclose(by_weight, expected_w, rtol=0, atol=1e-12 * np.abs(expected_w).max(initial=1))


@many
@given(st.integers(0, 2), st.integers(1, 8), st.integers(1, 8), one_or_two(1, 4), one_or_two(1, 2), one_or_two(0, 2), one_or_two(1, 3))
def test_unfold_and_fold(images, height, width, kernel_size, dilation, padding, stride):
    input = numbers(images, 3, height, width)
    assert_same(unfold, functional.unfold, input, kernel_size, dilation, padding, stride)
    columns = numbers(images, 12, (height - 1) * (width - 1), seed=1)
    assert_same(fold, functional.fold, columns, (height, width), 2)
    assert_same(fold, functional.fold, columns, (height, width), kernel_size, dilation, padding, stride)


@many
@given(st.lists(st.integers(1, 4), min_size=1, max_size=5), st.lists(st.integers(-2, 4), max_size=7), st.data())
def test_pad(shape, padding, data):
    mode = data.draw(st.sampled_from(["constant", "reflect", "replicate", "circular"]))
    if mode == "circular" and min(padding, default=0) < 0:
        return  # torch reads uninitialised memory when it wraps and crops one axis
    value = data.draw(st.sampled_from([None, 0.0, 1.5]))
    if mode == "replicate" and len(padding) == 6 and len(shape) == 5:
        value = None
        padding = [max(p, 0) for p in padding]  # torch does not refuse an empty result here
    assert_same(pad, functional.pad, numbers(*shape), padding, mode, value)


@many
@given(
    st.sampled_from([(), (3,), (0,), (2, 3)]),
    st.sampled_from([0, 1, 4]),
    st.sampled_from([(5,), (), (0,)]),
    st.sampled_from([None, (5,), (1,), (2, 5), (3, 5)]),
)
def test_linear(batch, features, outputs, bias):
    shift = None if bias is None else numbers(*bias, seed=2)
    assert_same(linear, functional.linear, numbers(*batch, features), numbers(*outputs, features, seed=1), shift)
    assert_same(linear, functional.linear, numbers(*batch, features), numbers(*outputs, features + 1, seed=1), shift)


@pytest.mark.parametrize("mode", ["zeros", "reflect", "replicate", "circular"])
@pytest.mark.parametrize("padding", [(2, 1), "same"])
def test_padding_modes_of_the_module(mode, padding):
    layer = torch.nn.Conv2d(3, 4, (3, 4), padding=padding, padding_mode=mode, dilation=(1, 2), dtype=torch.float64)
    input = numbers(2, 3, 8, 9)
    with torch.no_grad():
        expected = layer(torch.from_numpy(input)).numpy()
    weight, bias = layer.weight.detach().numpy(), layer.bias.detach().numpy()
    result = conv2d(input, weight, bias, padding=padding, padding_mode=mode, dilation=(1, 2))
    np.testing.assert_allclose(result, expected, rtol=0, atol=1e-13)


def named(wrong):
    return " ".join(f"{name} {value.shape if isinstance(value, np.ndarray) else value!r}" for name, value in wrong.items())


WRONG = [
    {"stride": 0},
    {"stride": -1},
    {"stride": 1.0},
    {"stride": (1, 1, 1)},
    {"stride": ()},
    {"stride": None},
    {"padding": -1},
    {"padding": "SAME"},
    {"padding": 1.5},
    {"dilation": 0},
    {"groups": 0},
    {"groups": -2},
    {"groups": 3},
    {"groups": 8},
    {"groups": 2.0},
    {"groups": (2,)},
    {"bias": numbers(3)},
    {"bias": numbers(4, 1)},
    {"weight": numbers(4, 2, 0, 3)},
    {"weight": numbers(4, 2, 3)},
    {"weight": numbers(2, 2, 3, 3), "input": numbers(1, 8, 5, 5)},
    {"input": numbers(1, 4, 0, 5)},
    {"input": numbers(1, 1, 4, 5, 5)},
    {"input": numbers(4, 5)},
]
WRONG_FOR_CONV = [{"weight": numbers(4, 2, 6, 3)}, {"weight": numbers(4, 3, 3, 3)}, {"weight": numbers(0, 2, 3, 3)}]
WRONG_FOR_TRANSPOSED = [{"weight": numbers(4, 0, 3, 3)}, {"output_padding": 1}, {"output_padding": -1}, {"padding": 4}, {"padding": "same"}]


@pytest.mark.parametrize("wrong", WRONG + WRONG_FOR_CONV, ids=named)
def test_conv2d_refuses(wrong):
    assert_both_refuse(conv2d, functional.conv2d, wrong)


@pytest.mark.parametrize("wrong", WRONG + WRONG_FOR_TRANSPOSED, ids=named)
def test_conv_transpose2d_refuses(wrong):
    assert_both_refuse(conv_transpose2d, functional.conv_transpose2d, wrong)


def assert_both_refuse(call, reference, wrong):
    arguments = {"input": numbers(1, 4, 5, 5), "weight": numbers(4, 2, 3, 3), "bias": None, "groups": 2} | wrong
    with pytest.raises(TORCH_REFUSES):
        reference(**dict(zip(arguments, tensors(arguments.values()), strict=True)))
    with pytest.raises(ImgconvError):
        call(**arguments)
