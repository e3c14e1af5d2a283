"""Whole networks give torch's numbers: golden data of tests/data/networks/make_networks.py, weights by file and name."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imgconv.images import from_pil
from imgconv.process.network import results_of
from imgconv.recipe import network_recipe

DATA = Path(__file__).parents[1] / "data" / "networks"
LENET = DATA / "lenet.safetensors"
LENET_STEPS = (
    "scale 1/255",
    f"conv {LENET}:conv1",
    "max_pool 2",
    "relu",
    f"conv {LENET}:conv2",
    "max_pool 2",
    "relu",
    "flatten",
    f"linear {LENET}:fc",
)
STEM = f"conv {DATA / 'first_layers.safetensors'}:stem.0 stride=2 padding=3"
FIRST_LAYERS = (
    "scale 1/255",
    "normalize 0.485,0.456,0.406 0.229,0.224,0.225",
    STEM,
    "relu",
    "max_pool 3 stride=2 padding=1",
    f"depthwise {DATA / 'first_layers.safetensors'}:block.0 padding=2 dilation=2 padding_mode=reflect",
    "leaky_relu 0.1",
    f"pointwise {DATA / 'first_layers.safetensors'}:block.2",
    "tanh",
    f"conv {DATA / 'first_layers.safetensors'}:grouped stride=2x1 padding=1x0 groups=4",
)
AUTOENCODER = (
    f"conv {DATA / 'autoencoder.npz'}:0 stride=2 padding=1",
    "relu",
    f"conv_transpose {DATA / 'autoencoder.npz'}:2 stride=2x3 padding=1x0 output_padding=1x2 groups=2",
    "relu",
    f"pointwise {DATA / 'autoencoder.npz'}:4",
    "sigmoid",
)
REDUCTIONS = (
    "avg_pool 3 stride=2 padding=1 ceil_mode=true count_include_pad=false",
    "max_pool 2x3 stride=1x2 padding=1x0 dilation=2x1 ceil_mode=true",
    "avg_pool 2 stride=1 divisor_override=3",
    "adaptive_avg_pool 7xnone",
    "adaptive_max_pool 3x2",
)


@pytest.fixture(scope="module")
def expected():
    with np.load(DATA / "expected.npz") as arrays:
        return dict(arrays)


def images(*names):
    out = []
    for name in names:
        with Image.open(DATA / name) as image:
            out.append(from_pil(image))
    return out


def results(steps, *names, keep=()):
    return results_of(images(*names), network_recipe(steps, keep=keep).step)


def assert_torch(result, golden):
    """Within 1e-5 of the largest number: the order of sums is not specified."""
    assert result.dtype == np.float32
    assert result.shape == golden.shape
    assert np.abs(result - golden).max() <= 1e-5 * max(1, np.abs(golden).max())


def test_lenet(expected):
    (logits,) = results(LENET_STEPS, *(f"digit_{n}.png" for n in range(10)))
    assert_torch(logits, expected["lenet"])
    assert logits.argmax(1).tolist() == list(range(10))


def test_lenet_with_softmax_and_an_inner_layer(expected):
    maps, odds = results((*LENET_STEPS, "softmax"), "digit_7.png", keep=["2", "softmax"])
    assert_torch(maps[0], expected["lenet.conv1"])
    assert_torch(odds[0], expected["lenet.softmax"][7])


def test_first_layers_of_a_model_in_safetensors(expected):
    stem, last = results(FIRST_LAYERS, "crop.png", keep=["max_pool", "10"])
    assert_torch(stem[0], expected["first_layers.stem"])
    assert_torch(last[0], expected["first_layers"])


def test_an_autoencoder(expected):
    assert_torch(results(AUTOENCODER, "crop.png")[0][0], expected["autoencoder"])


def test_every_pool(expected):
    for number, (result,) in enumerate(results(REDUCTIONS, "crop.png", keep="12345"), 1):
        assert_torch(result, expected[f"reductions.{number}"])


@pytest.mark.parametrize(
    "steps, name", [(LENET_STEPS, "digit_3.png"), (FIRST_LAYERS, "crop.png"), (AUTOENCODER, "crop.png"), (REDUCTIONS, "crop.png")]
)
def test_traced_shapes_are_the_shapes_of_results(steps, name):
    (image,) = images(name)
    network = network_recipe(steps, keep=[str(n) for n, _ in enumerate(steps, 1)]).step
    traced = network.trace_steps((image.channels, *image.size))
    assert [result.shape[1:] for result in results_of([image], network)] == traced


def test_a_batch_gives_the_results_of_its_images():
    names = [f"digit_{n}.png" for n in range(10)]
    (together,) = results(LENET_STEPS, *names)
    alone = np.concatenate([results(LENET_STEPS, name)[0] for name in names])
    assert np.allclose(together, alone, rtol=0, atol=1e-5 * np.abs(alone).max())
