"""`imgconv.filter`, `edge`, `pool`, `canny` and `run` on arrays, PIL images and paths."""

import zlib

import numpy as np
import oracle_image as oracle
import pytest
from closeness import layouts
from command import SAMPLES
from examples import each_once
from PIL import Image

import imgconv
from imgconv.filters.canny import canny_edges

RNG = np.random.default_rng(11)
LAPLACIAN8 = np.array([[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]])
STEP = np.repeat(np.array([[50, 50, 200, 200]], np.uint8), 4, axis=0)
PLANE = np.ones((1, 4, 4), np.float32)
DTYPES = [np.uint8, np.uint16, np.float32, np.float64]


def photo(dtype, shape=(13, 17, 3)):
    levels = RNG.random(shape)
    return levels.astype(dtype) if np.dtype(dtype).kind == "f" else (levels * np.iinfo(dtype).max).astype(dtype)


@pytest.mark.sweep(3)
@pytest.mark.parametrize(("shape", "dtype"), each_once([(13, 17), (13, 17, 1), (13, 17, 2), (13, 17, 3), (13, 17, 4)], DTYPES))
def test_results_of_arrays_have_their_dtype_and_axes(dtype, shape):
    pixels = photo(dtype, shape)
    assert imgconv.filter(pixels, "laplacian8").shape == shape
    for result in (imgconv.filter(pixels, "gaussian3"), imgconv.edge(pixels), imgconv.pool(pixels, 2, "avg")):
        assert result.dtype == dtype
    assert imgconv.filter(pixels, "sobel_x", range="raw").dtype == np.float32


def test_float64_is_computed_in_float64():
    pixels = photo(np.float64, (20, 31))
    expected = oracle.correlate(pixels[..., None], np.ones((5, 5)))[..., 0] / 25
    assert np.abs(imgconv.filter(pixels, "box:size=5") - expected).max() < 1e-14


@pytest.mark.parametrize("dtype", DTYPES)
def test_recipes_accept_every_dtype(dtype):
    pixels = photo(dtype, (8, 9))
    result = imgconv.run(pixels, ["conv laplacian8 padding=1", "relu"])
    assert result.dtype == dtype and result.shape == (8, 9)


@pytest.mark.parametrize("dtype", DTYPES)
def test_layout_in_memory_does_not_matter(dtype):
    pixels = photo(dtype)
    for call in (lambda image: imgconv.filter(image, LAPLACIAN8), lambda image: imgconv.pool(image, 3, "median"), imgconv.canny):
        expected = call(pixels)
        for layout, same in layouts(pixels).items():
            assert np.array_equal(call(same), expected), layout


WIDER = [bool, np.int8, np.int16, np.uint32, np.int32, np.int64, np.uint64, np.float16, np.dtype(">i4")]


@pytest.mark.parametrize("dtype", WIDER)
def test_other_real_dtypes_become_floats(dtype):
    levels = RNG.integers(0, 2 if np.dtype(dtype).kind == "b" else 100, (9, 8)).astype(dtype)
    floats = levels.astype(np.float32)
    for call in (
        lambda image: imgconv.filter(image, "sobel_x"),
        lambda image: imgconv.filter(image, "1 1; 1 1", padding="valid", range="raw"),
        imgconv.edge,
        lambda image: imgconv.pool(image, 2, "avg"),
        lambda image: imgconv.run(image, ["max_pool 2"]),
    ):
        result = call(levels)
        assert result.dtype == np.float32
        np.testing.assert_array_equal(result, call(floats))


@pytest.mark.parametrize(("value", "dtype"), [(2**24, np.float32), (-(2**24), np.float32), (2**24 + 1, np.float64), (-(2**53), np.float64)])
def test_whole_numbers_stay_exact(value, dtype):
    result = imgconv.pool(np.array([[value, value]]), (1, 2))
    assert result.dtype == dtype and int(result[0, 0]) == value


@pytest.mark.parametrize(("value", "dtype"), [(2**53 + 1, np.int64), (np.iinfo(np.int64).min, np.int64), (2**64 - 1, np.uint64)])
def test_whole_numbers_that_no_float_holds_are_refused(value, dtype):
    with pytest.raises(ValueError, match=str(abs(value))):
        imgconv.pool(np.array([[value, 0]], dtype), 1)


@pytest.mark.parametrize("image", [np.zeros((3, 3), complex), np.zeros((3, 3), "U1"), np.zeros((3, 3), np.longdouble), [[1, 2]], None])
def test_other_values_are_a_type_error(image):
    with pytest.raises(TypeError):
        imgconv.edge(image)


@pytest.mark.parametrize(
    "call",
    [
        lambda image: imgconv.conv2d(image, np.ones((2, 2))),
        lambda image: imgconv.conv2d(np.ones((4, 4)), image),
        lambda image: imgconv.max_pool2d(image[None], 2),
        lambda image: imgconv.relu(image),
    ],
)
def test_masked_arrays_are_refused_where_missing_cells_have_no_meaning(call):
    with pytest.raises(TypeError, match=r"masked.*filled"):
        call(np.ma.masked_array(np.ones((4, 4)), mask=np.eye(4, dtype=bool)))


def test_a_path_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(OSError, match=r"nope\.jpg.*no such file"):
        imgconv.edge(tmp_path / "nope.jpg")
    (tmp_path / "text.png").write_text("text")
    with pytest.raises(OSError, match=r"text\.png.*known format"):
        imgconv.pool(str(tmp_path / "text.png"), 2)


@pytest.mark.parametrize("shape", [(5,), (0, 4), (2, 3, 4, 5)])
def test_other_shapes_are_a_value_error(shape):
    with pytest.raises(ValueError, match="shape"):
        imgconv.edge(np.zeros(shape, np.uint8))


def test_a_pil_image_gives_a_pil_image():
    colour = Image.fromarray(photo(np.uint8))
    assert imgconv.edge(colour).mode == "L"
    assert imgconv.filter(colour, "gaussian3").mode == "RGB"
    assert imgconv.filter(colour.convert("L"), "sobel_x", range="raw").mode == "F"
    with pytest.raises(OSError, match="use an array"):
        imgconv.filter(colour, "sobel_x", range="raw")


@pytest.mark.parametrize("kernel", [None, 5, [[1, 2]]])
def test_other_kernels_are_a_type_error(kernel):
    with pytest.raises(TypeError, match="kernel is of type"):
        imgconv.filter(photo(np.uint8), kernel)


@pytest.mark.parametrize("threads", [0, -2])
def test_threads_are_at_least_one(threads):
    with pytest.raises(ValueError, match=r"threads.*at least 1"):
        imgconv.edge(photo(np.uint8), threads=threads)


@pytest.mark.parametrize(("channels", "dtype"), [(5, np.uint8), (9, np.float32)])
def test_channels_other_than_colours_have_no_luma(channels, dtype):
    pixels = photo(dtype, (6, 7, channels))
    for call in (lambda: imgconv.edge(pixels), lambda: imgconv.pool(pixels, 2, grey=True)):
        with pytest.raises(ValueError, match=f"{channels} channels has no luma"):
            call()
    assert imgconv.edge(pixels, grey=False).shape == pixels.shape


@pytest.mark.parametrize("dtype, value", [(np.uint8, 256), (np.uint8, -1), (np.uint8, 12.5), (np.uint16, 65536), (np.uint8, float("nan"))])
def test_constants_that_are_not_levels_of_the_image_are_refused(dtype, value):
    for linear in (False, True):
        with pytest.raises(ValueError, match=r"whole number from 0 to"):
            imgconv.edge(photo(dtype), padding_mode=("constant", value), linear=linear)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("options", [{}, {"sigma": 0.8}, {"low": 0.6, "high": 0.9, "quantiles": True}])
def test_canny_on_arrays_equals_its_loops(dtype, options):
    pixels = photo(dtype, (40, 31, 3))
    result = imgconv.canny(pixels, **options)
    grey = imgconv.filter(pixels, "identity", grey=True)
    assert result.dtype == dtype and result.any() and np.array_equal(result, canny_edges(grey[..., None], **options)[..., 0])


def test_canny_on_paths_and_pil_images_and_its_alpha():
    with Image.open(SAMPLES / "camera.png") as camera:
        edges = np.asarray(imgconv.canny(camera, sigma=2))
    assert np.array_equal(edges, imgconv.canny(SAMPLES / "camera.png", sigma=2, threads=1))
    transparent = photo(np.uint8, (9, 9, 4))
    assert np.array_equal(imgconv.canny(transparent, alpha="keep")[..., 1], transparent[..., 3]) and imgconv.canny(transparent).shape == (
        9,
        9,
    )


@pytest.mark.parametrize(
    "options, text",
    [({"low": 0.5, "quantiles": True}, "needs both thresholds"), ({"sigma": -1}, "sigma must be"), ({"low": 60}, "above the high one, 51")],
)
def test_thresholds_of_canny_are_checked(options, text):
    with pytest.raises(ValueError, match=text):
        imgconv.canny(photo(np.uint8), **options)


@pytest.mark.parametrize(
    "call, facts",
    [
        (lambda: imgconv.filter(STEP, "sobel_x", flip="yes"), "flip must be True or False, not 'yes'"),
        (lambda: imgconv.edge(STEP, grey=1), "grey must be True or False, not 1"),
        (lambda: imgconv.pool(STEP, 2, 3), "mode must be text, not 3"),
        (lambda: imgconv.canny(STEP, quantiles=None), "quantiles must be True or False, not None"),
        (lambda: imgconv.run(STEP, ["abs"], keep=1.5), "keep takes a step's number or op"),
        (lambda: imgconv.plan(STEP, stride=STEP), r"stride must be a whole number or a sequence of them, not array"),
        (lambda: imgconv.explain(STEP, html=b"a.html"), "html must be a path, not b'a.html'"),
        (lambda: imgconv.learn(STEP, STEP, max_pixels="many"), "max_pixels must be a whole number, not 'many'"),
        (lambda: imgconv.conv2d(PLANE[0], PLANE[0], flip="no"), "flip must be True or False, not 'no'"),
        (lambda: imgconv.max_pool2d(PLANE, 2, ceil_mode="no"), "ceil_mode must be True or False"),
        (lambda: imgconv.adaptive_max_pool2d(PLANE, 2, return_indices=PLANE), "return_indices must be True or False"),
        (lambda: imgconv.avg_pool1d(PLANE[0], 2, count_include_pad=0), "count_include_pad must be True or False, not 0"),
        (lambda: imgconv.leaky_relu(PLANE, [None]), "negative_slope must be a number"),
        (lambda: imgconv.layers.Conv2d("3", 4, 3), "in_channels must be a whole number, not '3'"),
        (lambda: imgconv.layers.Linear(3, 4, bias=0), "bias must be True or False, not 0"),
        (lambda: imgconv.layers.Linear(3, 4, generator=1.5), "generator must be a numpy Generator or a seed"),
        (lambda: imgconv.layers.ReLU().summary(3), "input_size must be a sequence of whole numbers, not 3"),
        (lambda: imgconv.gradients.avg_pool2d_input(PLANE, 3, 2), "input_size must be a sequence of whole numbers, not 3"),
    ],
)
def test_arguments_of_another_type_are_refused_by_name(call, facts):
    with pytest.raises(imgconv.ArgumentTypeError, match=facts):
        call()


def test_numpy_scalars_are_flags_and_numbers():
    expected = imgconv.edge(STEP, "sobel_x", stride=2, flip=True, grey=False)
    options = {"stride": np.int64(2), "flip": np.True_, "grey": np.False_}
    np.testing.assert_array_equal(imgconv.edge(STEP, "sobel_x", **options), expected)
    np.testing.assert_array_equal(imgconv.canny(STEP, sigma=np.float32(1)), imgconv.canny(STEP, sigma=1.0))
    assert imgconv.layers.Conv2d(np.int64(1), 2, 3, bias=np.False_).bias is None


@pytest.mark.parametrize("call", [lambda file: imgconv.edge(file), lambda file: imgconv.explain(file)])
def test_a_warning_points_to_the_line_of_the_caller(tmp_path, call):
    file = tmp_path / "moving.png"
    frames = [Image.new("L", (9, 9), level) for level in (0, 99)]
    frames[0].save(file, save_all=True, append_images=frames[1:])
    data = bytearray(file.read_bytes())
    chunk = data.index(b"fdAT") - 4
    data[chunk + 7 + 4] = 77  # another number in the sequence, and its checksum
    length = int.from_bytes(data[chunk : chunk + 4])
    data[chunk + 8 + length : chunk + 12 + length] = zlib.crc32(data[chunk + 4 : chunk + 8 + length]).to_bytes(4)
    file.write_bytes(data)
    with pytest.warns(UserWarning, match="animation is damaged") as caught:
        call(file)
    assert caught[0].filename == __file__
