"""Missing cells of arrays and images in Python: values, masks and masked arrays."""

import numpy as np
import pytest
from examples import each_once
from PIL import Image

import imgconv
from imgconv.images import Raster
from imgconv.process import process
from imgconv.recipe import Postprocess, filter_recipe

RNG = np.random.default_rng(23)
ARRAY = (RNG.random((25, 27)) * 100).astype(np.float32)
VALID = RNG.random((25, 27)) > 0.1


def test_every_way_to_name_missing_cells_gives_the_same():
    expected = imgconv.filter(np.where(VALID, ARRAY, np.nan), "gaussian:sigma=2", nodata="nan")
    assert np.array_equal(np.isnan(expected), ~VALID)
    by_value = imgconv.filter(np.where(VALID, ARRAY, -1), "gaussian:sigma=2", nodata=-1)
    assert np.array_equal(by_value, np.where(VALID, expected, -1))
    for result in (
        imgconv.filter(ARRAY, "gaussian:sigma=2", mask=VALID),
        imgconv.filter(ARRAY, "gaussian:sigma=2", mask=Image.fromarray(VALID.astype(np.uint8))),
        imgconv.filter(np.ma.masked_array(ARRAY, ~VALID), "gaussian:sigma=2"),
    ):
        assert isinstance(result, np.ma.MaskedArray)
        assert np.array_equal(result.mask, ~VALID)
        assert np.array_equal(result.compressed(), expected[VALID])


@pytest.mark.sweep(3)
@pytest.mark.parametrize(
    ("dtype", "channels"),
    each_once(["uint8", "uint16", "int16", "int32", "int64", "float16", "float32", "float64"], [None, 2, 3, 4]),
)
def test_masked_arrays_of_every_dtype_come_back_masked(dtype, channels):
    shape = (25, 27) if channels is None else (25, 27, channels)
    image = np.ma.masked_array(np.full(shape, 50, dtype), RNG.random(shape) < 0.2, fill_value=7)
    image.data[image.mask] = 99
    result = imgconv.filter(image, "gaussian:sigma=1", alpha="none")  # of 2 or 4 channels too, each has missing cells of its own
    assert np.array_equal(result.mask, image.mask)
    assert np.abs(result.compressed() - 50.0).max() < 1e-4
    assert image.data[image.mask].min() == 99  # the argument does not change
    if result.dtype == image.dtype:
        assert result.fill_value == 7


def test_a_masked_array_without_missing_cells_is_as_an_array():
    plain = imgconv.filter(ARRAY, "sobel_x", range="raw")
    result = imgconv.filter(np.ma.masked_array(ARRAY), "sobel_x", range="raw")
    assert isinstance(result, np.ma.MaskedArray) and not result.mask.any()
    assert np.array_equal(result.data, plain)


@pytest.mark.parametrize("missing", ["keep", "fill", "propagate"])
@pytest.mark.parametrize("kernel", ["sharpen8", "sobel_x", "sobel", "log:sigma=5", "gaussian:sigma=1", "box:size=15"])
def test_what_missing_cells_hold_changes_no_result_of_a_filter(kernel, missing):
    expected = imgconv.filter(np.where(VALID, ARRAY, np.nan), kernel, nodata="nan", missing=missing)
    result = imgconv.filter(np.where(VALID, ARRAY, 3e38), kernel, nodata=3e38, missing=missing)
    assert np.array_equal(np.where(result == np.float32(3e38), np.float32(np.nan), result), expected, equal_nan=True)
    assert np.isfinite(expected).any() or missing == "propagate" or kernel == "log:sigma=5"


@pytest.mark.parametrize("mode", ["max", "min", "avg", "median", "range", "std"])
@pytest.mark.parametrize("window", [{"size": 2}, {"window": "disk:radius=2"}])
def test_what_missing_cells_hold_changes_no_result_of_a_pool(window, mode):
    expected = imgconv.pool(np.where(VALID, ARRAY, np.nan), mode=mode, nodata="nan", **window)
    result = imgconv.pool(np.where(VALID, ARRAY, 3e38), mode=mode, nodata=3e38, **window)
    assert np.array_equal(result, expected) and np.isfinite(expected).any()


def test_nan_propagates_where_nothing_is_declared():
    assert np.isnan(imgconv.filter(np.where(VALID, ARRAY, np.nan), "box:size=3")).sum() > (~VALID).sum()


def test_a_pil_image_becomes_transparent_where_its_mask_is_0():
    image = Image.fromarray(RNG.integers(0, 256, (25, 27, 3), np.uint8))
    result = imgconv.filter(image, "box:size=3", mask=VALID)
    assert result.mode == "RGBA"
    assert np.array_equal(np.asarray(result)[..., 3] == 0, ~VALID)


def test_grey_is_missing_where_a_colour_is():
    image = np.ma.masked_array(np.full((9, 9, 3), 50, np.uint8), False)
    image[4, 4, 1] = np.ma.masked
    result = imgconv.filter(image, "box:size=3", grey=True)
    assert np.argwhere(result.mask).tolist() == [[4, 4]]
    assert (result.compressed() == 50).all()


def test_a_threshold_and_inversion_leave_missing_cells_alone():
    image = np.where(VALID, ARRAY, -1).astype(np.float32)
    result = imgconv.filter(image, "box:size=3", nodata=-1, range="minmax")
    assert result[VALID].min() == 0 and result[VALID].max() == 1 and (result[~VALID] == -1).all()


@pytest.mark.parametrize(
    "options, fact",
    [({"nodata": "x"}, "'x'"), ({"missing": "drop"}, "propagate"), ({"min_valid": 2}, "min"), ({"mask": VALID[1:]}, "24x27")],
)
def test_wrong_arguments_are_value_errors(options, fact):
    with pytest.raises(ValueError, match=fact):
        imgconv.filter(ARRAY, "box:size=3", **options)


def test_canny_has_no_edge_at_a_hole():
    image = np.where(np.arange(27) < 20, ARRAY / 1000, 1).astype(np.float32)
    expected = imgconv.canny(np.ma.masked_array(image, ~VALID))
    assert np.array_equal(expected.mask, ~VALID) and expected.any()
    for result in (imgconv.canny(np.where(VALID, image, -9999), nodata=-9999), imgconv.canny(image, mask=VALID).filled(-9999)):
        assert np.array_equal(result, expected.filled(-9999))
    adjacent = np.zeros_like(VALID)
    adjacent[1:-1, 1:-1] = sum(~VALID[i : i + 23, j : j + 25] for i in range(3) for j in range(3)) > 0
    assert not expected.data[adjacent & VALID].any()


def test_an_overlay_is_as_opaque_as_the_valid_channels_are_bright():
    image = Raster(np.array([[[200, 90, 0], [200, 255, 255]]], np.uint8), valid=np.array([[[1, 1, 0], [1, 1, 1]]], np.uint8))
    recipe = filter_recipe(["identity"], missing="fill", postprocess=Postprocess(invert=True, overlay=True))
    (drawn,) = process(image, recipe)
    opacity = (255 - 90) / 255
    assert drawn.image.pixels[0, 0, :2].tolist() == [round(200 * (1 - opacity) + 255 * opacity), round(90 * (1 - opacity))]
