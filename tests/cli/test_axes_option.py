"""`--axes` decides what the three axes of an array are, in every command that reads arrays."""

import json

import numpy as np
import pytest
from command import imgconv, refused

import imgconv as ic

ARRAY = np.random.default_rng(0).integers(0, 256, (3, 20, 4)).astype(np.uint8)  # both 3 maps of 20x4, and 3x20 pixels of RGBA


@pytest.fixture
def array(tmp_path):
    np.save(tmp_path / "array.npy", ARRAY)
    return tmp_path / "array.npy"


def result(array, *words):
    assert imgconv(*words[:1], array, *words[1:], "-o", array.with_name("out.npy")).code == 0
    return np.load(array.with_name("out.npy"))


def planes(axes):
    return [np.ascontiguousarray(plane) for plane in (np.moveaxis(ARRAY, -1, 0) if axes == "HWC" else ARRAY)]


@pytest.mark.parametrize("axes", ["HWC", "CHW"])
def test_the_pixels_are_those_of_an_array_in_this_order(array, axes):
    pooled = [ic.pool(plane, (2, 1)) for plane in planes(axes)]
    np.testing.assert_array_equal(result(array, "pool", "--size", "2x1", "--axes", axes), pooled)
    filtered = [ic.filter(plane, "laplacian8", range="raw") for plane in planes(axes)]
    if axes == "HWC":
        filtered[-1] = ARRAY[..., -1]  # alpha stays as it is
    np.testing.assert_array_equal(result(array, "filter", "-k", "laplacian8", "--axes", axes), filtered)


@pytest.mark.parametrize(("axes", "shape"), [("HWC", [4, 3, 20]), ("CHW", [3, 20, 4])])
def test_run_plan_and_explain_agree(array, axes, shape):
    done = imgconv("run", array, "-s", "relu", "--axes", axes, "-o", array.with_name("out.npy"), "--json")
    channels = shape[0] - (axes == "HWC")  # a step drops alpha
    assert json.loads(done.out)["shapes"] == [[channels, *shape[1:]]]
    assert "x".join(map(str, shape)) in imgconv("plan", array, "-k", "sobel", "--axes", axes).out.decode()
    assert imgconv("explain", array, "-k", "box", "--at", f"{shape[2] - 1},0", "--axes", axes).code == 0
    assert f"{shape[2]} wide and {shape[1]} high" in refused(1, "explain", array, "-k", "box", "--at", f"{shape[2]},0", "--axes", axes)


def test_by_default_a_last_axis_of_four_is_colour_and_verbose_reports_it(array):
    done = imgconv("edge", array, "-o", array.with_name("out.npy"), "-v")
    assert "--axes CHW reads 3 maps" in done.err
    np.testing.assert_array_equal(np.load(array.with_name("out.npy")), result(array, "edge", "--axes", "HWC"))
    assert "not one of 'HWC', 'CHW'" in refused(2, "edge", array, "--axes", "WHC")
