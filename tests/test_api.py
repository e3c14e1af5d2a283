"""`imgconv.filter`, `edge`, `pool`, `canny` and `run` on arrays, PIL images and paths."""

import numpy as np
import oracle_image as oracle
import pytest
from command import SAMPLES
from PIL import Image

import imgconv
from imgconv.filters.canny import canny_edges

RNG = np.random.default_rng(11)
LAPLACIAN8 = np.array([[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]])
DTYPES = [np.uint8, np.uint16, np.float32, np.float64]


def photo(dtype, shape=(13, 17, 3)):
    levels = RNG.random(shape)
    return levels.astype(dtype) if np.dtype(dtype).kind == "f" else (levels * np.iinfo(dtype).max).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(13, 17), (13, 17, 1), (13, 17, 2), (13, 17, 3), (13, 17, 4)])
def test_arrays_come_back_in_their_dtype_and_layout(dtype, shape):
    pixels = photo(dtype, shape)
    assert imgconv.filter(pixels, "laplacian8").shape == shape
    for made in (imgconv.filter(pixels, "gaussian3"), imgconv.edge(pixels), imgconv.pool(pixels, 2, "avg")):
        assert made.dtype == dtype
    assert imgconv.filter(pixels, "sobel_x", range="raw").dtype == np.float32


def test_float64_stays_float64():
    pixels = photo(np.float64, (20, 31))
    expected = oracle.correlate(pixels[..., None], np.ones((5, 5)))[..., 0] / 25
    assert np.abs(imgconv.filter(pixels, "box:size=5") - expected).max() < 1e-14


@pytest.mark.parametrize("dtype", DTYPES)
def test_recipes_take_every_dtype(dtype):
    pixels = photo(dtype, (8, 9))
    made = imgconv.run(pixels, ["conv laplacian8 padding=1", "relu"])
    assert made.dtype == dtype and made.shape == (8, 9)


@pytest.mark.parametrize("dtype", DTYPES)
def test_layout_in_memory_does_not_matter(dtype):
    pixels = photo(dtype)
    expected = imgconv.filter(pixels, LAPLACIAN8)
    frozen = pixels.copy()
    frozen.flags.writeable = False
    spread = np.zeros((26, 17, 6), dtype)[::2, :, ::2]
    spread[...] = pixels
    swapped = pixels.astype(pixels.dtype.newbyteorder(">"))
    for same in (np.asfortranarray(pixels), frozen, spread, swapped):
        assert np.array_equal(imgconv.filter(same, LAPLACIAN8), expected)


@pytest.mark.parametrize("given", [np.zeros((3, 3), bool), np.zeros((3, 3), np.int16), np.zeros((3, 3), complex), [[1, 2]], None])
def test_a_value_that_is_not_an_image_is_a_type_error(given):
    with pytest.raises(TypeError):
        imgconv.edge(given)


@pytest.mark.parametrize("shape", [(5,), (0, 4), (2, 3, 4, 5)])
def test_shapes_that_are_not_images_are_value_errors(shape):
    with pytest.raises(ValueError, match="shape"):
        imgconv.edge(np.zeros(shape, np.uint8))


def test_a_pil_image_comes_back_for_one():
    colour = Image.fromarray(photo(np.uint8))
    assert imgconv.edge(colour).mode == "L"
    assert imgconv.filter(colour, "gaussian3").mode == "RGB"
    assert imgconv.filter(colour.convert("L"), "sobel_x", range="raw").mode == "F"
    with pytest.raises(OSError, match="use an array"):
        imgconv.filter(colour, "sobel_x", range="raw")


@pytest.mark.parametrize("kernel", [None, 5, [[1, 2]]])
def test_a_value_that_is_not_a_kernel_is_a_type_error(kernel):
    with pytest.raises(TypeError, match="kernel is a"):
        imgconv.filter(photo(np.uint8), kernel)


@pytest.mark.parametrize("threads", [0, -2])
def test_threads_are_at_least_one(threads):
    with pytest.raises(ValueError, match="threads must be at least 1"):
        imgconv.edge(photo(np.uint8), threads=threads)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("channels", [5, 9])
def test_channels_that_are_not_colours_have_no_luma(channels, dtype):
    pixels = photo(dtype, (6, 7, channels))
    for call in (lambda: imgconv.edge(pixels), lambda: imgconv.pool(pixels, 2, grey=True)):
        with pytest.raises(ValueError, match=f"{channels} channels has no luma"):
            call()
    assert imgconv.edge(pixels, grey=False).shape == pixels.shape


@pytest.mark.parametrize("dtype, value", [(np.uint8, 256), (np.uint8, -1), (np.uint8, 12.5), (np.uint16, 65536), (np.uint8, float("nan"))])
def test_constants_outside_the_levels_are_refused(dtype, value):
    for linear in (False, True):
        with pytest.raises(ValueError, match="no level of this image; use a whole number from 0 to"):
            imgconv.edge(photo(dtype), padding_mode=("constant", value), linear=linear)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("options", [{}, {"sigma": 0.8}, {"low": 0.6, "high": 0.9, "quantiles": True}])
def test_canny_on_arrays_is_what_its_loops_trace(dtype, options):
    pixels = photo(dtype, (40, 31, 3))
    made = imgconv.canny(pixels, **options)
    grey = imgconv.filter(pixels, "identity", grey=True)
    assert made.dtype == dtype and made.any() and np.array_equal(made, canny_edges(grey[..., None], **options)[..., 0])


def test_canny_on_paths_and_pil_images_and_its_alpha():
    with Image.open(SAMPLES / "camera.png") as camera:
        edges = np.asarray(imgconv.canny(camera, sigma=2))
    assert np.array_equal(edges, imgconv.canny(SAMPLES / "camera.png", sigma=2, threads=1))
    clear = photo(np.uint8, (9, 9, 4))
    assert np.array_equal(imgconv.canny(clear, alpha="keep")[..., 1], clear[..., 3]) and imgconv.canny(clear).shape == (9, 9)


@pytest.mark.parametrize(
    "options, text",
    [({"low": 0.5, "quantiles": True}, "need both thresholds"), ({"sigma": -1}, "sigma must be"), ({"low": 60}, "above the high one, 51")],
)
def test_thresholds_of_canny_are_checked(options, text):
    with pytest.raises(ValueError, match=text):
        imgconv.canny(photo(np.uint8), **options)
