"""Pools by windows of any shape: SciPy's results with a footprint, by every algorithm, border, stride and number of threads."""

import numpy as np
import pytest
from examples import FULL
from scipy import ndimage

import imgconv
from imgconv.errors import DoesNotFit, UsageError
from imgconv.filters.pool2d import pool_algorithm, pool_image
from imgconv.window import Footprint, Window
from imgconv.windows.borders import Border

pytestmark = pytest.mark.sweep(4)

BORDERS = {"symmetric": "reflect", "replicate": "nearest", "reflect": "mirror", "circular": "wrap", "constant": "constant"}
DTYPES = (np.uint8, np.uint16, np.float32, np.float64 if FULL else np.float32, np.uint8)  # one for each border, each with its own loops
DISK = np.hypot(*np.mgrid[-4:5, -4:5]) <= 4.2
SHAPES = {
    "cross": np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], bool),
    "disk": DISK,
    "ring": DISK & (np.hypot(*np.mgrid[-4:5, -4:5]) > 2.5),
    "slope": np.eye(7, dtype=bool),
    "one-sided": np.array([[1, 1, 0, 0, 0], [1, 1, 1, 0, 1], [0, 0, 0, 0, 0]], bool),
    "square": np.ones((5, 5), bool),
}
SCIPY = {
    "max": ndimage.maximum_filter,
    "min": ndimage.minimum_filter,
    "median": lambda image, footprint, **how: ndimage.rank_filter(image, (footprint.sum() - 1) // 2, footprint=footprint, **how),
    "rank:90": lambda image, footprint, **how: ndimage.percentile_filter(image, 90, footprint=footprint, **how),
    "range": lambda image, **how: ndimage.maximum_filter(image, **how) - ndimage.minimum_filter(image, **how),
    "avg": lambda image, **how: ndimage.generic_filter(image.astype(float), np.mean, **how),
    "std": lambda image, **how: ndimage.generic_filter(image.astype(float), np.std, **how),
}


def make_image(shape, dtype, seed=0):
    rng = np.random.default_rng(seed)
    if np.dtype(dtype).kind == "f":
        return rng.standard_normal(shape).astype(dtype)
    return rng.integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


def window(mask, *arguments, **options):
    return Window.of(Footprint.of(mask.tolist()), *arguments, **options)


def assert_same(got, expected, mode):
    if mode not in ("avg", "std"):
        np.testing.assert_array_equal(got, expected)
    elif got.dtype.kind == "f":
        np.testing.assert_allclose(got, expected, 1e-5, 1e-5)
    else:
        np.testing.assert_array_equal(got, np.rint(expected))


@pytest.mark.parametrize("mode", SCIPY)
@pytest.mark.parametrize("shape", SHAPES)
def test_scipy_with_a_footprint(shape, mode):
    mask = SHAPES[shape]
    for (ours, theirs), dtype in zip(BORDERS.items(), DTYPES, strict=True):
        image = make_image((23, 31), dtype)
        border = Border.of(("constant", 7) if ours == "constant" else ours)
        got = pool_image(image[..., None], window(mask, 1, "same"), mode, border=border)[..., 0]
        assert_same(got, SCIPY[mode](image, footprint=mask, mode=theirs, cval=7), mode)


@pytest.mark.parametrize(
    ("mode", "shape", "dtype"),
    [("median", "square", np.uint8), ("median", "cross", np.uint16), ("rank:90", "one-sided", np.float32), ("min", "disk", np.uint8)],
)
def test_large_images(mode, shape, dtype):
    """Networks of wide instructions in the middle, and counted windows at the border, where they lack cells."""
    image, mask = make_image((301, 270, 3), dtype), SHAPES[shape]
    got = pool_image(image, window(mask, 1, "same"), mode, threads=1)
    np.testing.assert_array_equal(pool_image(image, window(mask, 1, "same"), mode, threads=3), got)
    small = image[:40, :50]
    np.testing.assert_array_equal(got[:36, :46], pool_image(small, window(mask, 1, "same"), mode)[:36, :46])
    for channel in range(3):
        expected = SCIPY[mode](image[..., channel], footprint=mask)
        np.testing.assert_array_equal(got[4:-4, 4:-4, channel], expected[4:-4, 4:-4])
    strided = pool_image(image, window(mask, (2, 3), "valid"), mode)
    np.testing.assert_array_equal(strided, pool_image(image, window(mask, 1, "valid"), mode)[::2, ::3])


def test_nan_in_a_large_image_stays_in_its_windows():
    image = make_image((260, 270, 1), np.float32)
    image[100, 0], image[0, 5] = np.nan, np.nan
    for shape in ("cross", "disk"):
        got = pool_image(image, window(SHAPES[shape], 1, "same"), "median")
        expected = ndimage.maximum_filter(np.isnan(image[..., 0]), footprint=SHAPES[shape], mode="constant")
        np.testing.assert_array_equal(np.isnan(got[..., 0]), expected)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("radius", [6, 26])
def test_large_shapes(radius, dtype):
    """Counted cells, or a histogram that slides along."""
    mask = np.hypot(*np.mgrid[-radius : radius + 1, -radius : radius + 1]) <= radius
    image = make_image((61, 70), dtype)
    got = pool_image(image[..., None], window(mask, 1, "same"), "rank:30", border=Border.of("symmetric"))[..., 0]
    np.testing.assert_array_equal(got, ndimage.percentile_filter(image, 30, footprint=mask))
    assert pool_algorithm("median", window(mask, 1, "same"), image.shape, image.dtype) == (
        "counting" if mask.sum() * image.itemsize <= 2000 else "histogram"
    )


@pytest.mark.parametrize("mode", SCIPY)
def test_a_rectangle_is_a_size(mode):
    image = make_image((20, 21, 4), np.uint8)
    by_shape = imgconv.pool(image, window=np.ones((3, 4)), mode=mode, alpha="none")
    np.testing.assert_array_equal(by_shape, imgconv.pool(image, (3, 4), mode, stride=1, padding="same", alpha="none"))


def test_defaults_and_refusals_in_python():
    image = make_image((9, 11), np.uint8)
    assert imgconv.pool(image, window="disk:radius=2", mode="min").shape == image.shape
    assert imgconv.pool(image, window="cross", stride=2, padding="valid").shape == (4, 5)
    with pytest.raises(UsageError, match="either a size or a window"):
        imgconv.pool(image, 3, window="cross")
    with pytest.raises(UsageError, match="either a size or a window"):
        imgconv.pool(image)
    with pytest.raises(UsageError, match="rank:P"):
        imgconv.pool(image, 3, "rank")
    with pytest.raises(UsageError, match="from 0 to 100"):
        imgconv.pool(image, 3, "rank:101")
    with pytest.raises(DoesNotFit, match=r"only padding.*padding_mode="):
        imgconv.pool(image, window=[[1, 0, 0], [0, 0, 0], [0, 0, 0]] @ np.eye(3))
    with pytest.raises(DoesNotFit, match="constant 300"):
        imgconv.pool(image, window="cross", padding_mode=("constant", 300))


def test_ceil_mode_with_values_beyond_the_edge():
    image = make_image((10, 10), np.uint8)
    step = {"stride": 3, "padding": 1, "ceil_mode": True}
    padded = np.pad(image, 1, mode="edge")
    expected = [[padded[i : i + 3, j : j + 3].max() for j in range(0, 12, 3)] for i in range(0, 12, 3)]
    np.testing.assert_array_equal(imgconv.pool(image, 3, padding_mode="replicate", **step), expected)


@pytest.mark.parametrize(("stride", "dilation", "channels"), [((1, 1), (1, 1), 1), ((3, 2), (1, 2), 3), ((40, 1), (1, 1), 2)])
@pytest.mark.parametrize("mode", ["median", "rank:0", "rank:100", "rank:70"])
def test_large_rectangles_of_bytes(stride, dilation, channels, mode):
    """Histograms of columns give what counting gives for 16 bits, at the border too."""
    image = make_image((70, 90, channels), np.uint8)
    image[20:50, 10:60] //= 9  # results in few and in many bins
    by = Window.of((17, 15), stride, "same", dilation)
    assert pool_algorithm(mode, by, (70, 90), np.dtype(np.uint8)) == "column histograms"
    np.testing.assert_array_equal(pool_image(image, by, mode), pool_image(image.astype(np.uint16), by, mode))
