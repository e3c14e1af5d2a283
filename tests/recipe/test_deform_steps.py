"""The steps deform_conv and pad: the values of the functional calls, and what they refuse."""

import numpy as np
import pytest

import imgconv
from imgconv.errors import DoesNotFit, UsageError
from imgconv.images import Raster
from imgconv.process.network import results_of
from imgconv.recipe import Shape, network_recipe

RNG = np.random.default_rng(8)
IMAGES = [Raster(RNG.integers(0, 256, (9, 12, 3), np.uint8)) for _ in range(2)]
BATCH = np.stack([image.pixels.transpose(2, 0, 1) for image in IMAGES]).astype(np.float32)
ARRAYS = {
    "w": (4, 3, 2, 3),
    "b": (4,),
    "moves": (12,),
    "field": (12, 4, 5),
    "moving": (36, 3, 2, 3),
    "shares": (6,),
    "masking": (18, 3, 2, 3),
}


@pytest.fixture
def arrays(tmp_path, monkeypatch):
    """Arrays in files of the current folder."""
    monkeypatch.chdir(tmp_path)
    arrays_by_name = {name: RNG.standard_normal(shape).astype(np.float32) for name, shape in ARRAYS.items()}
    for name, array in arrays_by_name.items():
        np.save(f"{name}.npy", array)
    return arrays_by_name


def run(step):
    (result,) = results_of(IMAGES, network_recipe([step]).step)
    return result


def everywhere(numbers):
    """Numbers of one cell, for each of 4x5 cells of two images."""
    return np.broadcast_to(numbers.reshape(1, -1, 1, 1), (2, numbers.size, 4, 5)).copy()


@pytest.mark.parametrize("offset", ["moves", "field", "moving"])
@pytest.mark.parametrize("mask", [None, "shares", "masking"])
def test_offsets_and_masks(arrays, offset, mask):
    geometry = {"stride": (2, 2), "dilation": (1, 1)}
    known = {name: imgconv.conv2d(BATCH, arrays[name], **geometry) for name in ("moving", "masking")}
    known |= {"moves": everywhere(arrays["moves"]), "field": np.stack([arrays["field"]] * 2), "shares": everywhere(arrays["shares"])}
    known["masking"] = imgconv.sigmoid(known["masking"])
    if mask and (mask == "masking") != (offset == "moving"):
        return  # as many groups of channels in both
    expected = imgconv.deform_conv2d(BATCH, known[offset], arrays["w"], arrays["b"], **geometry, mask=known[mask] if mask else None)
    words = f"deform_conv weights=w.npy bias=b.npy offset={offset}.npy stride=2" + (f" mask={mask}.npy" if mask else "")
    assert np.array_equal(run(words), expected)


def test_plain_kernels_go_over_each_channel(arrays):
    np.save("two.npy", np.array([[[1, 2, 3], [4, 5, 6]], [[1, 0, 0], [0, 0, 2]]], np.float32))
    result = run("deform_conv two.npy offset=moves.npy stride=2")
    offset = np.concatenate([everywhere(arrays["moves"])] * 3)
    weight = np.array([[[[1, 2, 3], [4, 5, 6]]], [[[1, 0, 0], [0, 0, 2]]]], np.float32)
    maps = imgconv.deform_conv2d(BATCH.reshape(6, 1, 9, 12), offset, weight, stride=2)
    assert np.array_equal(result, maps.reshape(2, 3, 2, 4, 5).swapaxes(1, 2).reshape(2, 6, 4, 5))


def test_without_offsets_it_is_a_convolution(arrays):
    np.save("none.npy", np.zeros(12, np.float32))
    np.testing.assert_allclose(
        run("deform_conv weights=w.npy offset=none.npy padding=1"), run("conv weights=w.npy padding=1"), rtol=1e-5, atol=1e-3
    )


@pytest.mark.parametrize(
    "words, error, text",
    [
        ("w.npy", UsageError, "offset is missing; give a file with 12 numbers"),
        ("weights=w.npy offset=b.npy", UsageError, "offset 4 does not match a kernel 2x3; give 12 numbers"),
        ("weights=w.npy offset=moves.npy mask=b.npy", UsageError, "mask 4 does not match a kernel 2x3; give 6 numbers"),
        ("weights=w.npy offset=moves.npy padding=same", UsageError, "padding 'same' is not possible"),
        ("weights=w.npy offset=field.npy", DoesNotFit, "needs offsets for its output, 8x10; they are 4x5"),
        ("box:size=2 offset=moving.npy", UsageError, "offset 36x3x2x3 does not match a kernel 2x2"),
    ],
)
def test_recipes_that_do_not_match_are_refused_before_any_pixel(arrays, words, error, text):
    with pytest.raises(error, match=text):
        network_recipe([f"deform_conv {words}"]).trace(Shape(9, 12, 3))


def test_offsets_that_are_computed_need_their_channels(arrays):
    with pytest.raises(UsageError, match="needs 3 channels; the weight of its offset is 36x3x2x3"):
        network_recipe(["grey", "deform_conv '1 2 3; 4 5 6' offset=moving.npy"]).trace(Shape(9, 12, 3))


@pytest.mark.parametrize("mode, name, value", [("reflect", "reflect", None), ("constant:5", "constant", 5), ("zeros", "constant", 0)])
def test_pad(mode, name, value):
    assert np.array_equal(run(f"pad 2x1 {mode}"), imgconv.pad(BATCH, (1, 1, 2, 2), name, value))
    assert network_recipe(["pad 2x1"]).trace(Shape(9, 12, 3))[0][1] == Shape(13, 14, 3)


def test_padding_that_a_mode_cannot_fill_is_refused():
    with pytest.raises(DoesNotFit, match="padding of at most 8 for padding_mode reflect, not 9"):
        network_recipe(["pad 9x1 reflect"]).trace(Shape(9, 12, 3))
