"""Steps of a network carry missing cells on: what is missing after each of them, and what the valid cells give."""

import numpy as np
import pytest

import imgconv

RNG = np.random.default_rng(29)
ARRAY = (RNG.random((19, 22)) * 100).astype(np.float32)
VALID = RNG.random((19, 22)) > 0.08
MASKED = np.ma.masked_array(ARRAY, ~VALID)
HOLED = np.where(VALID, ARRAY, np.nan)


@pytest.mark.parametrize("options, words", [({}, ""), ({"stride": (2, 3)}, "stride=2x3"), ({"dilation": 2}, "dilation=2")])
@pytest.mark.parametrize("missing", ["keep", "fill", "propagate"])
@pytest.mark.parametrize("kernel", ["gaussian:sigma=1", "sobel_x", "0 -1 0; -1 5 -1; 0 -1 0"])
def test_a_convolution_is_that_of_filter(kernel, missing, options, words):
    result = imgconv.run(MASKED, [f"conv '{kernel}' padding=same {words}"], range="raw", missing=missing)
    expected = imgconv.filter(MASKED, kernel, padding_mode="zeros", range="raw", missing=missing, **options)
    assert np.array_equal(result.mask, expected.mask)
    assert np.allclose(result.compressed(), expected.compressed(), rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("mode", ["max", "min", "avg", "median"])
def test_a_pool_is_that_of_pool(mode):
    result = imgconv.run(MASKED, [f"{mode}_pool 3 stride=2"], range="raw", min_valid=0.85)
    expected = imgconv.pool(MASKED, 3, mode, stride=2, min_valid=0.85)
    assert np.array_equal(result.mask, expected.mask) and 0 < result.mask.mean() < 0.5
    assert np.allclose(result.compressed(), expected.compressed(), rtol=1e-5)


@pytest.mark.parametrize("mode, reduce", [("avg", np.nanmean), ("max", np.nanmax)])
def test_adaptive_pools_reduce_the_valid_cells(mode, reduce):
    result = imgconv.run(MASKED[:18, :20], [f"adaptive_{mode}_pool 3x4"], range="raw")
    blocks = HOLED[:18, :20].reshape(3, 6, 4, 5).swapaxes(1, 2)
    assert np.allclose(result, reduce(blocks, axis=(2, 3)), rtol=1e-5)


def test_steps_on_each_value_keep_the_missing_cells():
    steps = ["normalize mean=3 std=2", "relu", "sigmoid", "tanh", "abs", "leaky_relu", "scale 3"]
    result = imgconv.run(MASKED, steps, range="raw")
    assert np.array_equal(result.mask, ~VALID)


def test_later_steps_use_the_results_of_earlier_ones():
    twice = imgconv.run(MASKED, ["conv gaussian:sigma=1 padding=same padding_mode=replicate"] * 2, range="raw")
    once = imgconv.filter(MASKED, "gaussian:sigma=1", range="raw")
    expected = imgconv.filter(once, "gaussian:sigma=1", range="raw")
    assert np.array_equal(twice.mask, ~VALID) and np.allclose(twice.compressed(), expected.compressed(), rtol=1e-5)


def test_colours_mix_where_all_of_them_are_valid():
    colour = np.ma.masked_array(np.full((6, 7, 3), 30, np.uint8), False)
    colour[2, 3, 1] = np.ma.masked
    for steps in (["grey"], ["combine sum"]):
        result = imgconv.run(colour, steps, range="raw")
        assert np.argwhere(result.mask).tolist() == [[2, 3]]


def test_a_vector_has_nan_where_a_number_is_missing():
    vector = imgconv.run(MASKED, ["max_pool 2 stride=2", "flatten"], missing="propagate")
    assert np.isnan(vector).sum() == imgconv.pool(MASKED, 2, missing="propagate").mask.sum() > 0
