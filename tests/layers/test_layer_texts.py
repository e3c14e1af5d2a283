"""Layers show themselves as torch's do, and their summary has the shapes, parameters and work of a forward pass."""

import json

import numpy as np
import pytest
from layer_texts import TEXTS

import imgconv
from imgconv.layers import AvgPool2d, Conv2d, ConvTranspose2d, Flatten, Layer, Linear, MaxPool2d, ReLU, Sequential


@pytest.mark.parametrize("code", TEXTS)
def test_texts_are_those_of_torch(code):
    assert repr(eval(code, vars(imgconv.layers))) == TEXTS[code]


class Residual(Layer):
    """A layer of a user, with a layer inside it."""

    def __init__(self):
        self.body = Conv2d(2, 2, 3, padding=1, bias=False)

    def forward(self, x):
        return x + self.body.forward(x)

    def parameters(self):
        yield from self.body.parameters()


def test_layers_of_users_show_the_layers_inside():
    assert repr(Residual()) == f"Residual(\n  (body): {Conv2d(2, 2, 3, padding=1, bias=False)!r}\n)"


def nets():
    """Networks and inputs: odd sizes, groups, nesting, every kind of layer, with and without a batch."""
    convolutions = Sequential(
        Conv2d(2, 6, (3, 2), stride=(2, 1), padding=(1, 0), dilation=(1, 2), groups=2),
        ReLU(),
        Sequential(MaxPool2d(2, ceil_mode=True), Conv2d(6, 2, 3, padding="same", padding_mode="circular", bias=False)),
        ConvTranspose2d(2, 4, (3, 2), stride=2, padding=1, output_padding=(1, 0), groups=2),
        AvgPool2d((2, 3), 1),
        MaxPool2d(2, return_indices=True),
    )
    yield convolutions, (3, 2, 13, 18)
    yield convolutions, (2, 13, 18)
    yield Sequential(Flatten(), Linear(24, 5), ReLU(), Linear(5, 2, bias=False)), (7, 2, 3, 4)
    yield Linear(6, 2), (4, 3, 6)
    yield Linear(6, 2), (6,)
    yield Flatten(0, 1), (2, 3, 4)
    yield Sequential(Residual(), ReLU()), (1, 2, 5, 6)
    yield Sequential(), (2, 3)


@pytest.mark.parametrize("net, size", list(nets()))
def test_a_summary_has_the_shapes_of_a_forward_pass(net, size):
    summary = net.summary(size)
    output = net.forward(np.zeros(size, np.float32))
    assert summary.output_size == np.shape(output[0] if isinstance(output, tuple) else output)
    assert summary.parameters == sum(parameter.size for parameter, _ in net.parameters())
    assert [row.input_size for row in summary.layers[1:]] == [row.output_size for row in summary.layers[:-1]]
    assert json.loads(json.dumps(summary.to_dict())) == summary.to_dict() and "<table" in summary._repr_html_()


def test_the_work_of_layers():
    net = Sequential(Conv2d(1, 6, 5, padding=2), ReLU(), MaxPool2d(2), ConvTranspose2d(6, 3, 2, stride=2), Flatten(), Linear(2352, 10))
    rows = net.summary((2, 1, 28, 28)).layers
    conv, transposed, scores = rows[0], rows[3], rows[5]
    assert (conv.parameters, conv.multiply_adds) == (6 * 25 + 6, 2 * 6 * 28 * 28 * 25)
    assert (transposed.parameters, transposed.multiply_adds) == (6 * 3 * 4 + 3, 2 * 6 * 14 * 14 * 3 * 4)
    assert (scores.parameters, scores.multiply_adds) == (23520 + 10, 2 * 23520)
    assert [row.multiply_adds for row in rows if row.layer in ("ReLU", "MaxPool2d", "Flatten")] == [0, 0, 0]


def test_the_table_of_a_network():
    text = str(Sequential(Conv2d(1, 2, 3), Sequential(ReLU(), Flatten())).summary((4, 1, 6, 7)))
    assert text.splitlines()[0] == "Sequential   input 4x1x6x7"
    assert [line.split() for line in text.splitlines()[3:6]] == [
        ["0", "Conv2d", "4x2x4x5", "20", "1,440"],
        ["1.0", "ReLU", "4x2x4x5", "0", "0"],
        ["1.1", "Flatten", "4x40", "0", "0"],
    ]


def test_a_summary_does_not_touch_the_last_forward_pass():
    net = Sequential(Conv2d(1, 2, 3, generator=0), ReLU())
    output = net.forward(np.ones((1, 1, 5, 5), np.float32))
    net.summary((9, 1, 8, 8))
    assert net.backward(np.ones_like(output)).shape == (1, 1, 5, 5)


@pytest.mark.parametrize(
    "size, facts", [((1, 3, 8, 8), r"layer 1\.0 \(Conv2d\): got 1x3x8x8: .*3 channels"), ((1, 1, 2, 2), r"layer 1\.0 .*2x2")]
)
def test_a_layer_that_does_not_fit_is_named(size, facts):
    with pytest.raises(imgconv.DoesNotFit, match=facts):
        Sequential(ReLU(), Sequential(Conv2d(1, 2, 3))).summary(size)


def test_an_image_without_a_batch_does_not_fit_a_classifier():
    with pytest.raises(ValueError, match=r"layer 1 .*got 3x16: .*in_features=48.*for a batch of one image, give input_size=\(1, 3, 4, 4\)"):
        Sequential(Flatten(), Linear(48, 10)).summary((3, 4, 4))


def test_a_network_takes_layers_alone():
    with pytest.raises(TypeError, match="one after the other, not a list"):
        Sequential([ReLU(), Flatten()])


@pytest.mark.parametrize("size", [(1, 0, 3, 3), (1, 2.5)])
def test_sizes_are_whole_numbers_above_zero(size):
    with pytest.raises((ValueError, TypeError), match="input_size"):
        ReLU().summary(size)
