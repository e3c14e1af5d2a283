"""Layers: a LeNet with the losses of torch's, gradients against differences, and initial weights."""

from pathlib import Path

import numpy as np
import pytest

from imgconv.errors import UsageError
from imgconv.functional.activation import softmax
from imgconv.layers import AvgPool2d, Conv2d, ConvTranspose2d, Flatten, Linear, MaxPool2d, ReLU, Sequential

LENET = Path(__file__).parents[1] / "data" / "lenet.npz"


def lenet():
    """The network of tests/data/make_lenet.py."""
    return Sequential(
        Conv2d(1, 4, 5, padding=2, padding_mode="reflect"),
        ReLU(),
        MaxPool2d(2),
        Conv2d(4, 8, 5, groups=2),
        ReLU(),
        AvgPool2d(2),
        ConvTranspose2d(8, 4, 3, stride=2, padding=1, output_padding=1),
        ReLU(),
        MaxPool2d(3, stride=2, padding=1),
        Flatten(),
        Linear(100, 24),
        ReLU(),
        Linear(24, 10),
    )


def cross_entropy(scores, classes):
    """The mean loss and its gradient."""
    chances, rows = softmax(scores, 1), np.arange(len(classes))
    grad = chances.copy()
    grad[rows, classes] -= 1
    return -np.log(chances[rows, classes]).mean(), grad / len(classes)


def test_lenet_has_the_losses_of_torch():
    with np.load(LENET) as file:
        golden = dict(file)
    net = lenet()
    for number, (value, gradient) in enumerate(net.parameters()):
        assert value.shape == golden[f"parameter{number}"].shape and gradient is None
        value[:] = golden[f"parameter{number}"]
    losses = []
    for _ in golden["losses"]:
        loss, grad = cross_entropy(net(golden["images"]), golden["classes"])
        losses.append(loss)
        net.backward(grad)
        for value, gradient in net.parameters():
            value -= golden["rate"] * gradient
    assert losses[-1] < 0.9 * losses[0]
    np.testing.assert_allclose(losses, golden["losses"], rtol=0, atol=1e-4)
    for number, (value, _) in enumerate(net.parameters()):
        np.testing.assert_allclose(value, golden[f"trained{number}"], rtol=0, atol=1e-4)


LAYERS = {
    "conv same": (lambda: Conv2d(4, 6, (3, 2), (2, 1), "same", (1, 2), 2, generator=1), (2, 4, 7, 6)),
    "conv full": (lambda: Conv2d(2, 3, 3, 1, "full", bias=False, generator=1), (2, 2, 5, 6)),
    "conv circular": (lambda: Conv2d(2, 3, (2, 3), 1, (1, 2), padding_mode="circular", generator=1), (2, 2, 5, 6)),
    "conv replicate same": (lambda: Conv2d(1, 2, (4, 3), 2, "same", padding_mode="replicate", generator=1), (1, 1, 6, 7)),
    "conv unbatched": (lambda: Conv2d(2, 3, 3, padding=1, padding_mode="reflect", generator=1), (2, 5, 6)),
    "transposed": (lambda: ConvTranspose2d(4, 6, (3, 2), (2, 3), (1, 0), (1, 0), 2, dilation=(1, 2), generator=1), (2, 4, 3, 4)),
    "linear": (lambda: Linear(5, 3, generator=1), (4, 5)),
    "linear without bias": (lambda: Linear(5, 3, bias=False, generator=1), (2, 4, 5)),
    "max pool": (lambda: MaxPool2d((3, 2), (2, 1), (1, 0), (1, 2), ceil_mode=True), (2, 3, 8, 7)),
    "avg pool": (lambda: AvgPool2d((3, 2), (2, 1), 1, True, False), (2, 3, 8, 7)),
    "relu": (ReLU, (3, 4)),
    "flatten": (lambda: Flatten(1, 2), (2, 3, 4, 5)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_gradients_are_differences(name):
    """Along a random direction, in float64; differences of piecewise linear layers are exact but for rounding."""
    make, shape = LAYERS[name]
    layer, rng = make(), np.random.default_rng(0)
    if hasattr(layer, "weight"):
        layer.weight = layer.weight.astype(np.float64)
        layer.bias = None if layer.bias is None else layer.bias.astype(np.float64)
    x = rng.permutation(np.prod(shape)).reshape(shape) / 7.0 - 3.03  # no ties, no zeros
    grad_output = rng.standard_normal(layer.forward(x).shape)
    grad_x = layer.backward(grad_output)
    assert grad_x.shape == x.shape
    for value, gradient in ((x, grad_x), *list(layer.parameters())):
        assert gradient.shape == value.shape
        step, original = rng.standard_normal(value.shape) * 1e-4, value.copy()
        value += step
        after = np.vdot(layer.forward(x), grad_output)
        value[...] = original - step
        before = np.vdot(layer.forward(x), grad_output)
        value[...] = original
        np.testing.assert_allclose((after - before) / 2, np.vdot(gradient, step), rtol=1e-7, atol=1e-11)


def test_initial_weights():
    layer, same, other = (Conv2d(4, 600, (3, 5), groups=2, generator=g) for g in (3, 3, 4))
    np.testing.assert_array_equal(layer.weight, same.weight)
    assert not np.array_equal(layer.weight, other.weight)
    bound = 1 / np.sqrt(2 * 3 * 5)
    for parameter in (layer.weight, layer.bias):
        assert parameter.dtype == np.float32
        assert 0.98 * bound < np.abs(parameter).max() <= bound
        np.testing.assert_allclose(parameter.std(), bound / np.sqrt(3), rtol=0.1)
    generator = np.random.default_rng(0)
    assert not np.array_equal(Linear(3, 2, generator=generator).weight, Linear(3, 2, generator=generator).weight)
    assert ConvTranspose2d(4, 6, 3, groups=2, bias=False).bias is None


REFUSED = [
    (lambda: MaxPool2d(2).backward(np.zeros((1, 1, 1))), "MaxPool2d.*forward"),
    (lambda: Conv2d(3, 4, 3, groups=2), "groups 2.*3"),
    (lambda: ConvTranspose2d(4, 5, 3, groups=2), "groups 2.*5"),
    (lambda: Conv2d(1, 1, 3, padding_mode="mirror"), "'mirror'"),
    (lambda: Conv2d(1, 1, 0), "kernel_size.*at least 1"),
    (lambda: ConvTranspose2d(1, 1, 3, padding_mode="reflect"), "padding_mode.*'zeros'.*'reflect'"),
]


@pytest.mark.parametrize(("call", "facts"), REFUSED)
def test_they_refuse(call, facts):
    with pytest.raises(UsageError, match=facts):
        call()


def test_arguments_have_the_order_of_torch():
    values, indices = MaxPool2d(2, 2, 0, 1, True, True)(np.arange(15.0).reshape(1, 3, 5))
    assert values.shape == (1, 2, 3)
    np.testing.assert_array_equal(indices[0], [[6, 8, 9], [11, 13, 14]])
    ConvTranspose2d(1, 2, 2, 1, 0, 0, 1, True, 1, "zeros")
    values_in = np.array([-1.0, 2.0])
    np.testing.assert_array_equal(ReLU(inplace=True)(values_in), [0, 2])
    np.testing.assert_array_equal(values_in, [-1, 2])


def test_relu_keeps_its_own_copy():
    layer = ReLU()
    layer.forward(np.ones(2))[:] = -1
    np.testing.assert_array_equal(layer.backward(np.ones(2)), [1, 1])
