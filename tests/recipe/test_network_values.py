"""What single steps make of stored values, against plain numpy and the oracles of the convolution family."""

import naive
import numpy as np
import pytest

import imgconv
from imgconv.images import Raster
from imgconv.process import process
from imgconv.process.network import results_of
from imgconv.recipe import network_recipe

RNG = np.random.default_rng(11)
COLOUR = RNG.integers(0, 256, (13, 18, 3), dtype=np.uint8)
SOBEL_X = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])
SOBEL_Y = SOBEL_X.T


def values(image, *steps, **options):
    (result,) = results_of([image], network_recipe(steps, **options).step)
    return result[0]


def planes(pixels):
    return pixels.transpose(2, 0, 1).astype(np.float64)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_steps_get_stored_values_without_alpha(dtype):
    pixels = (RNG.random((7, 9, 4)) * (1 if dtype == np.float32 else np.iinfo(dtype).max)).astype(dtype)
    assert np.array_equal(values(Raster(pixels, alpha=True), "scale 1"), pixels[..., :3].transpose(2, 0, 1).astype(np.float32))


def test_grey_first_is_pillows_luma_and_later_is_not_rounded():
    weights = np.array([19595, 38470, 7471])
    whole = (COLOUR.astype(np.int64) @ weights + 32768) >> 16
    assert np.array_equal(values(Raster(COLOUR), "grey")[0], whole)
    half = values(Raster(COLOUR), "scale 0.5", "grey")[0]
    assert np.allclose(half, COLOUR @ (weights / 65536 / 2), rtol=0, atol=1e-4)
    assert not np.array_equal(half, np.rint(half))


def test_several_kernels_give_maps_with_the_kernels_outermost():
    maps = values(Raster(COLOUR), "conv sobel_x sobel_y padding=1")
    singles = [
        naive.conv2d(plane[None, None], kernel[None, None], pads=((1, 1), (1, 1)))[0, 0]
        for kernel in (SOBEL_X, SOBEL_Y)
        for plane in planes(COLOUR)
    ]
    assert np.array_equal(maps, np.array(singles))


def test_a_transposed_kernel_is_applied_to_each_channel():
    maps = values(Raster(COLOUR), "conv_transpose '1 2; 3 4' stride=2 padding=1 output_padding=1")
    for result, plane in zip(maps, planes(COLOUR), strict=True):
        assert np.array_equal(result, naive.conv_transpose2d(plane[None, None], np.array([[[[1, 2], [3, 4]]]]), None, 2, 1, 1)[0, 0])


def test_flip_and_a_bias_in_numbers(tmp_path):
    np.save(tmp_path / "bias.npy", [10.0])
    maps = values(Raster(COLOUR), f"conv sobel_x flip=true bias={tmp_path / 'bias.npy'}")
    assert np.array_equal(maps[0], naive.conv2d(planes(COLOUR)[None, :1], SOBEL_X[None, None, ::-1, ::-1], np.array([10]))[0, 0])


@pytest.mark.parametrize(
    "mode, one", [("hypot", lambda m: np.sqrt((m**2).sum(0))), ("max", lambda m: np.abs(m).max(0)), ("sum", lambda m: np.abs(m).sum(0))]
)
def test_combine(mode, one):
    maps = values(Raster(COLOUR), "conv sobel_x sobel_y").astype(np.float64)
    combined = values(Raster(COLOUR), "conv sobel_x sobel_y", f"combine {mode}")
    assert combined.shape == (1, 11, 16)
    assert np.allclose(combined[0], one(maps), rtol=1e-6)


def test_nothing_is_rounded_between_steps():
    thirds = values(Raster(COLOUR), "conv '1 1 1 / 3'", "scale 3")
    exact = sum(planes(COLOUR)[:, :, n : n + 16] for n in range(3))
    assert np.allclose(thirds, exact, rtol=1e-6)


@pytest.mark.parametrize("kernel", ["laplacian8", "gaussian:sigma=1", "emboss"])
def test_a_convolution_has_the_range_of_filter(kernel):
    bank = network_recipe([f"conv {kernel} padding=same padding_mode=replicate"])
    result = process(Raster(COLOUR), bank)[0].image.pixels.astype(int)
    if kernel == "emboss":  # its offset of 128 is for filter alone
        filtered = imgconv.filter(COLOUR, "-2 -1 0; -1 1 1; 0 1 2", range=bank.step.results[0].range)
    else:
        filtered = imgconv.filter(COLOUR, kernel)
    assert np.abs(result - filtered).max() <= (1 if kernel.startswith("gaussian") else 0)


@pytest.mark.parametrize(
    "steps, range_",
    [
        (["grey", "max_pool 2"], "clip"),
        (["conv gaussian", "relu"], "clip"),
        (["conv sobel", "combine"], "abs"),
        (["conv sobel_x", "conv gaussian"], "abs"),
        (["conv sobel_x gaussian:size=3,sigma=1"], "abs"),
        (["conv laplacian8", "sigmoid"], "minmax"),
        (["scale 1/255", "conv laplacian8"], "minmax"),
        (["pointwise '1 2 3'"], "minmax"),
        (["conv_transpose box:size=2 stride=2"], "minmax"),
    ],
)
def test_the_range_that_suits_the_steps(steps, range_):
    assert network_recipe(steps).step.results[0].range == range_
    assert network_recipe(steps, range="offset").step.results[0].range == "offset"


def test_minmax_stretches_each_map_and_leaves_no_nan():
    pixels = np.array([[1, 2], [3, np.nan]], np.float32)
    (result,) = process(Raster(pixels[..., None]), network_recipe(["scale 2"]))
    assert np.allclose(result.image.pixels[..., 0][:1], [[0, 0.5]]) and result.image.pixels[1, 0, 0] == 1
    (result,) = process(Raster(np.array([[[-np.inf], [2], [4], [np.inf]]], np.float32)), network_recipe(["scale 1"]))
    assert result.image.pixels[0, 1:3, 0].tolist() == [0, 1]
    flat = process(Raster(np.full((3, 3, 1), 7, np.uint8)), network_recipe(["scale 2"]))
    assert not flat[0].image.pixels.any()


@pytest.mark.parametrize(
    "range_, levels", [("clip", [0, 0, 200]), ("abs", [100, 0, 200]), ("offset", [28, 128, 255]), ("minmax", [0, 85, 255])]
)
def test_ranges(range_, levels):
    pixels = np.array([[[0], [50], [150]]], np.uint8)
    recipe = network_recipe(["normalize 50 0.5"], range=range_)
    assert process(Raster(pixels), recipe)[0].image.pixels.ravel().tolist() == levels


def test_a_sheet_holds_every_map_at_its_position():
    recipe = network_recipe(["conv sobel_x sobel_y laplacian4"], sheet=True, range="abs")
    singles = process(Raster(COLOUR), network_recipe(["conv sobel_x sobel_y laplacian4"], range="abs"))
    (sheet,) = process(Raster(COLOUR), recipe)
    pixels = sheet.image.pixels
    assert pixels.shape == (11 * 2 + 2, 16 * 2 + 2, 3)
    for result, (row, column) in zip(singles, [(0, 0), (0, 18), (13, 0)], strict=True):
        assert np.array_equal(pixels[row : row + 11, column : column + 16], result.image.pixels)
    assert not pixels[11:13].any() and not pixels[13:, 18:].any()


def test_run_in_python():
    edges = imgconv.run(COLOUR[..., 0], ["conv sobel_x sobel_y", "combine"], range="raw")
    assert edges.dtype == np.float32 and edges.shape == (11, 16)
    first, second = imgconv.run(COLOUR, ["grey", "conv sobel_x sobel_y"])
    assert first.dtype == second.dtype == np.uint8 and first.shape == (11, 16)
    vector = imgconv.run(COLOUR, ["adaptive_avg_pool 1", "flatten"])
    assert np.allclose(vector, COLOUR.mean((0, 1)), rtol=1e-6)
    maps, number = imgconv.run(COLOUR, ["grey", "adaptive_max_pool 1", "flatten"], keep=[1, "flatten"])
    assert maps.shape == (13, 18) and number.shape == (1,)
    with pytest.raises(ValueError, match=r"step 2 \(max_pool 30\): got 3x11x16"):
        imgconv.run(COLOUR, ["conv sobel_x", "max_pool 30"])
