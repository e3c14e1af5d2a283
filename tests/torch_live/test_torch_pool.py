"""Pools, activations and layers against an installed torch: values, indices, gradients, shapes and refused arguments."""

import itertools

import numpy as np
import pytest
from layer_texts import TEXTS

import imgconv
from imgconv import gradients, layers

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch
functional = torch.nn.functional

KERNELS = [(1, 1), (2, 2), (3, 2), (2, 5), (4, 3)]
STRIDES = [None, (1, 1), (2, 3), (3, 1)]
SIZES = [(7, 9), (8, 6)]
PLACES = list(itertools.product(KERNELS, STRIDES, SIZES))


def random_values(shape, dtype=np.float32, seed=0):
    """Values with ties, a NaN and both infinities."""
    values = (np.random.default_rng(seed).integers(-9, 9, shape) / 2).astype(dtype)
    values[..., 3, 4], values[..., 0, 0], values[..., -1, -1] = np.nan, -np.inf, np.inf
    return values


def outcome(call, *arguments, **options):
    """Return the result as arrays, or "refused" for an error."""
    try:
        result = call(*arguments, **options)
    except (ValueError, TypeError, RuntimeError, IndexError):
        return "refused"
    return [np.asarray(r) for r in (result if isinstance(result, tuple) else (result,))]


def assert_same(ours, torchs, tolerance=0.0):
    if "refused" in (ours, torchs):
        assert ours == torchs
        return
    for mine, theirs in zip(ours, torchs, strict=True):
        assert (mine.shape, mine.dtype) == (theirs.shape, theirs.dtype)
        np.testing.assert_allclose(mine, theirs, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(("kernel", "stride", "size"), PLACES)
@pytest.mark.parametrize("ceil_mode", [False, True])
def test_max_pool2d(kernel, stride, size, ceil_mode):
    x = random_values((2, 3, *size))
    for padding, dilation in itertools.product([0, 1, (0, 1), 2], [1, (1, 2), 3]):
        arguments = (kernel, stride, padding, dilation, ceil_mode, True)
        torchs = outcome(functional.max_pool2d, torch.from_numpy(x), *arguments)
        if torchs != "refused" and np.isneginf(torchs[0][torchs[1] >= size[0] * size[1]]).any():
            continue  # a window without cells, for which torch's index lies outside the plane
        assert_same(outcome(imgconv.max_pool2d, x, *arguments), torchs)


@pytest.mark.parametrize(("kernel", "stride", "size"), PLACES)
@pytest.mark.parametrize("ceil_mode", [False, True])
def test_avg_pool2d(kernel, stride, size, ceil_mode):
    x = random_values((2, 3, *size))
    for padding, counted, divisor in itertools.product([0, 1, (0, 1), 2], [False, True], [None, 3, -2, 0]):
        arguments = (kernel, stride, padding, ceil_mode, counted, divisor)
        assert_same(outcome(imgconv.avg_pool2d, x, *arguments), outcome(functional.avg_pool2d, torch.from_numpy(x), *arguments), 1e-6)


@pytest.mark.parametrize("shape", [(2, 3, 11), (3, 11), (0, 3, 11), (2, 0, 11), (11,)])
@pytest.mark.parametrize(
    ("kernel", "stride", "padding"), [(2, None, 0), (3, 2, 1), ((4,), (1,), (2,)), (5, 1, 3), (12, 1, 0), ((2, 2), 1, 0)]
)
def test_one_dimension(shape, kernel, stride, padding):
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    tensor = torch.from_numpy(x)
    for ceil_mode, flag in itertools.product([False, True], repeat=2):
        ours = outcome(imgconv.max_pool1d, x, kernel, stride, padding, 1, ceil_mode, flag)
        assert_same(ours, outcome(functional.max_pool1d, tensor, kernel, stride, padding, 1, ceil_mode, flag))
        arguments = [kernel, *([] if stride is None else [stride, padding, ceil_mode, flag])]
        assert_same(outcome(imgconv.avg_pool1d, x, *arguments), outcome(functional.avg_pool1d, tensor, *arguments), 1e-6)


@pytest.mark.parametrize("output_size", [1, 3, 12, (2, 5), (None, 4), (3, None), (0, 2), (2,), -1])
@pytest.mark.parametrize("shape", [(2, 3, 8, 7), (3, 8, 7), (0, 3, 8, 7), (2, 0, 8, 7), (2, 3, 0, 7)])
def test_adaptive(output_size, shape):
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    tensor = torch.from_numpy(x)
    if output_size == 1 and 0 in shape[-2:]:
        return  # torch averages all cells here, without its own checks
    assert_same(outcome(imgconv.adaptive_avg_pool2d, x, output_size), outcome(functional.adaptive_avg_pool2d, tensor, output_size), 1e-6)
    ours = outcome(imgconv.adaptive_max_pool2d, x, output_size, True)
    assert_same(ours, outcome(functional.adaptive_max_pool2d, tensor, output_size, True))


@pytest.mark.parametrize("output_size", [None, (7, 7), (5, 7), (8, 8), (4, 4), (2, 3, 7, 6), (7, 7, 7)])
def test_unpooling(output_size):
    x = np.random.default_rng(0).standard_normal((2, 3, 6, 6)).astype(np.float32)
    values, indices = imgconv.max_pool2d(x, 2, return_indices=True)
    for shift, kernel, stride, padding in itertools.product([0, -1, 30], [2, (3, 2)], [None, 2, (3, 2)], [0, 1]):
        arguments = (kernel, stride, padding, output_size)
        torchs = outcome(functional.max_unpool2d, torch.from_numpy(values), torch.from_numpy(indices + shift), *arguments)
        assert_same(outcome(imgconv.max_unpool2d, values, indices + shift, *arguments), torchs)


@pytest.mark.parametrize("shape", [(2, 3, 7, 9), (3, 7, 9), (0, 3, 7, 9), (2, 0, 7, 9), (2, 3, 0, 9), (1, 2, 3, 7, 9)])
@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float32, np.float64])
def test_shapes_and_dtypes(shape, dtype):
    x = np.random.default_rng(0).integers(0, 99, shape).astype(dtype)
    assert_same(outcome(imgconv.max_pool2d, x, 3, 2, 1), outcome(functional.max_pool2d, torch.from_numpy(x), 3, 2, 1))
    if x.dtype.kind == "f":
        assert_same(outcome(imgconv.avg_pool2d, x, 3, 2, 1), outcome(functional.avg_pool2d, torch.from_numpy(x), 3, 2, 1), 1e-6)


@pytest.mark.parametrize(
    "arguments", [(0,), (-1,), (2, 0), (2, -1), (2, 1, -1), (2, 1, 2), ((2, 2, 2),), ("2",), (2.0,), (2, 1.5), (2, ()), ((2,),), (9,)]
)
def test_sizes_that_torch_accepts_or_refuses(arguments):
    x = np.random.default_rng(0).standard_normal((1, 2, 7, 8)).astype(np.float32)
    for ours, torchs in ((imgconv.max_pool2d, functional.max_pool2d), (imgconv.avg_pool2d, functional.avg_pool2d)):
        assert_same(outcome(ours, x, *arguments), outcome(torchs, torch.from_numpy(x), *arguments), 1e-6)


@pytest.mark.parametrize(("kernel", "stride", "padding", "ceil_mode"), [((3, 2), (1, 2), 1, False), (4, 3, 2, True), (2, None, 0, True)])
def test_gradients(kernel, stride, padding, ceil_mode):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, 3, 8, 9))
    tensor = torch.from_numpy(x).requires_grad_()
    pooled, indices = functional.max_pool2d(tensor, kernel, stride, padding, 1, ceil_mode, True)
    grad = rng.standard_normal(pooled.shape)
    (expected,) = torch.autograd.grad(pooled, tensor, torch.from_numpy(grad))
    np.testing.assert_allclose(gradients.max_pool2d_input(grad, indices.numpy(), x.shape), expected, 1e-12, 1e-12)
    for counted, divisor in itertools.product([False, True], [None, 5]):
        averaged = functional.avg_pool2d(tensor, kernel, stride, padding, ceil_mode, counted, divisor)
        (expected,) = torch.autograd.grad(averaged, tensor, torch.from_numpy(grad))
        got = gradients.avg_pool2d_input(grad, x.shape, kernel, stride, padding, ceil_mode, counted, divisor)
        np.testing.assert_allclose(got, expected, 1e-12, 1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(4, 5), (2, 4, 5), (2, 3, 4, 5)])
def test_activations(shape, dtype):
    x = random_values(shape, dtype)
    tensor = torch.from_numpy(x)
    for name in ("relu", "leaky_relu"):
        assert_same(outcome(getattr(imgconv, name), x), outcome(getattr(functional, name), tensor))
    for name in ("sigmoid", "tanh"):
        assert_same(outcome(getattr(imgconv, name), x), outcome(getattr(torch, name), tensor), 1e-6)
    for dim in range(-5, 5):
        assert_same(outcome(imgconv.softmax, x, dim), outcome(functional.softmax, tensor, dim), 1e-6)
        for end in range(-5, 5):
            assert_same(outcome(imgconv.flatten, x, dim, end), outcome(torch.flatten, tensor, dim, end))


CONVOLUTIONS = [
    ("Conv2d", (4, 6, (3, 2), 1, "same", (1, 2), 2, True, "circular")),
    ("Conv2d", (2, 3, 3, 2, 1, 1, 1, False, "reflect")),
    ("Conv2d", (2, 3, (3, 4), (2, 1), (1, 2), 1, 1, True, "replicate")),
    ("Conv2d", (2, 3, 3, 1, "valid", 2)),
    ("ConvTranspose2d", (4, 6, (3, 2), (2, 3), (1, 0), (1, 0), 2, True, (1, 2))),
    ("Linear", (9, 5, False)),
    ("MaxPool2d", ((3, 2), 2, 1)),
    ("AvgPool2d", (3, 2, 1, True, False)),
    ("Flatten", (1, 2)),
    ("ReLU", ()),
]


@pytest.mark.parametrize(("name", "arguments"), CONVOLUTIONS)
def test_layers(name, arguments):
    theirs, ours = getattr(torch.nn, name)(*arguments), getattr(layers, name)(*arguments)
    parameters = list(theirs.parameters())
    for (value, _), tensor in zip(ours.parameters(), parameters, strict=True):
        value[...] = tensor.detach().numpy()
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, arguments[0] if name.startswith("Conv") else 3, 8, 9)).astype(np.float32)
    tensor = torch.from_numpy(x).requires_grad_()
    output = theirs(tensor)
    assert_same([ours(x)], [output.detach().numpy()], 1e-5)
    grad = rng.standard_normal(output.shape).astype(np.float32)
    expected = torch.autograd.grad(output, [tensor, *parameters], torch.from_numpy(grad))
    got = [ours.backward(grad), *(gradient for _, gradient in ours.parameters())]
    assert_same(got, [e.numpy() for e in expected], 1e-4)


def test_a_lenet_has_the_losses_of_torch():
    sizes = [("Conv2d", (1, 6, 5)), ("ReLU", ()), ("MaxPool2d", (2,)), ("Conv2d", (6, 16, 5)), ("ReLU", ()), ("MaxPool2d", (2,))]
    sizes += [("Flatten", ()), ("Linear", (256, 120)), ("ReLU", ()), ("Linear", (120, 84)), ("ReLU", ()), ("Linear", (84, 10))]
    torch.manual_seed(1)
    theirs = torch.nn.Sequential(*(getattr(torch.nn, name)(*arguments) for name, arguments in sizes))
    ours = layers.Sequential(*(getattr(layers, name)(*arguments) for name, arguments in sizes))
    for (value, _), tensor in zip(ours.parameters(), theirs.parameters(), strict=True):
        value[...] = tensor.detach().numpy()
    images, classes = torch.randn(32, 1, 28, 28), torch.randint(0, 10, (32,))
    for _ in range(8):
        loss = functional.cross_entropy(theirs(images), classes)
        theirs.zero_grad()
        loss.backward()
        with torch.no_grad():
            for tensor in theirs.parameters():
                tensor -= 0.1 * tensor.grad
        probabilities = imgconv.softmax(ours(images.numpy()), 1)
        selected = (np.arange(32), classes.numpy())
        np.testing.assert_allclose(-np.log(probabilities[selected]).mean(), loss.item(), rtol=0, atol=1e-4)
        probabilities[selected] -= 1
        ours.backward(probabilities / 32)
        for value, gradient in ours.parameters():
            value -= 0.1 * gradient


@pytest.mark.parametrize("code", TEXTS)
def test_layers_show_themselves_as_torch_does(code):
    assert repr(eval(code, vars(torch.nn))) == TEXTS[code]
