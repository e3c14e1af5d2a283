"""Filtering of (H, W, C) images against an independent computation in int64 and float64."""

import numpy as np
import oracle_image as oracle
import pytest
from algorithm_kernels import Kernel
from examples import examples
from hypothesis import given
from hypothesis import strategies as st

from imgconv.filters import filter2d
from imgconv.filters.filter2d import FilterArguments, Output, filter_image
from imgconv.filters.output_range import Combination, combine
from imgconv.modes import CombineMode, Range
from imgconv.window import Window
from imgconv.windows.borders import Border

pytestmark = pytest.mark.sweep(4)

RNG = np.random.default_rng(7)
LAPLACIAN8 = [[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]]
MODES = ["zeros", "replicate", "reflect", "symmetric", "circular", ("constant", 9)]


def image(height, width, channels, dtype=np.uint8):
    return RNG.integers(0, np.iinfo(dtype).max, (height, width, channels), dtype=dtype, endpoint=True)


def filtered(pixels, kernel, *, stride=1, padding="same", dilation=1, mode="replicate", output=None, threads=None, **rest):
    window = Window.of(kernel.taps.shape[-2:], stride, padding, dilation)
    return filter_image(FilterArguments(pixels, [kernel], window, Border.of(mode), output or Output(), **rest), threads)


@examples(60)
@given(
    size=st.tuples(st.integers(4, 17), st.integers(4, 17)),
    channels=st.integers(1, 4),
    kernel=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    stride=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    dilation=st.tuples(st.integers(1, 2), st.integers(1, 2)),
    mode=st.sampled_from(MODES),
    range_=st.sampled_from(["clip", "abs", "offset", "minmax"]),
    divisor=st.sampled_from([1, 2, 9, 16, -3]),
    dtype=st.sampled_from([np.uint8, np.uint16]),
    seed=st.integers(0, 2**32 - 1),
)
def test_whole_taps_are_exact(size, channels, kernel, stride, dilation, mode, range_, divisor, dtype, seed):
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, np.iinfo(dtype).max, (*size, channels), dtype=dtype, endpoint=True)
    taps = rng.integers(-9, 10, kernel).astype(float)
    span = [d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True)]
    pads = oracle.same_pads(size, span, stride)
    if mode == "reflect" and max(max(p) for p in pads) >= min(size):
        return
    sums = oracle.correlate(pixels, taps, stride=stride, pads=pads, mode=mode, dilation=dilation)
    expected = oracle.to_pixels(sums, dtype, divisor=divisor, range_=range_)
    got = filtered(pixels, Kernel(taps, divisor), stride=stride, dilation=dilation, mode=mode, output=Output(Range(range_)))
    assert np.array_equal(got, expected)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("padding, pads", [("valid", ((0, 0), (0, 0))), ("full", ((2, 2), (4, 4))), ((1, 3), ((1, 1), (3, 3)))])
def test_paddings(padding, pads, dtype):
    pixels, taps = image(11, 13, 3, dtype), np.arange(15.0).reshape(3, 5) - 7
    expected = oracle.to_pixels(oracle.correlate(pixels, taps, pads=pads), dtype, range_="abs")
    assert np.array_equal(filtered(pixels, Kernel(taps), padding=padding, output=Output(Range.abs)), expected)


def test_offsets_follow_the_depth():
    for dtype, level in ((np.uint8, 128), (np.uint16, 32768)):
        flat = np.full((5, 6, 1), 77, dtype)
        assert (filtered(flat, Kernel(np.array(LAPLACIAN8), offset=128)) == level).all()
        assert (filtered(flat, Kernel(np.array(LAPLACIAN8)), output=Output(Range.offset)) == level).all()
    assert (filtered(np.full((5, 6, 1), 0.25, np.float32), Kernel(np.array(LAPLACIAN8), offset=128)) == 0.5).all()


def test_real_taps_are_within_rounding_of_float64():
    pixels, taps = image(40, 31, 3), RNG.standard_normal((7, 5))
    sums = oracle.correlate(pixels, taps)
    raw = filtered(pixels, Kernel(taps), output=Output(Range.raw))
    assert raw.dtype == np.float32
    assert np.abs(raw - sums).max() <= 1e-5 * 2 * np.abs(sums).max()
    assert np.abs(filtered(pixels, Kernel(taps)).astype(int) - oracle.to_pixels(sums, np.uint8)).max() <= 1


@pytest.mark.parametrize("dtype, tolerance", [(np.float32, 1e-5), (np.float64, 1e-12)])
def test_float_images_stay_float_and_are_not_cut(dtype, tolerance):
    pixels = (RNG.standard_normal((12, 9, 3)) * 3).astype(dtype)
    got = filtered(pixels, Kernel(np.array(LAPLACIAN8)))
    expected = oracle.correlate(pixels, LAPLACIAN8)
    assert got.dtype == dtype
    assert np.abs(got - expected).max() <= tolerance * 2 * np.abs(expected).max()


def test_nan_reaches_every_output_under_the_kernel_even_below_zero_taps():
    pixels = np.zeros((7, 7, 1), np.float32)
    pixels[3, 3] = np.nan
    got = filtered(pixels, Kernel(np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]])))
    assert np.isnan(got[2:5, 2:5]).all()
    assert np.isfinite(got).sum() == 49 - 9


def test_flip_is_the_mathematical_convolution():
    pixels, taps = image(9, 10, 1), np.arange(6.0).reshape(2, 3)
    flipped = filtered(pixels, Kernel(taps), padding="full", mode="zeros", flip=True, output=Output(Range.raw))
    turned = filtered(pixels, Kernel(taps[::-1, ::-1]), padding="full", mode="zeros", output=Output(Range.raw))
    assert np.array_equal(flipped, turned)
    assert flipped[0, 0, 0] == taps[0, 0] * pixels[0, 0, 0]


def test_the_anchor_is_on_the_pixel():
    pixels = np.zeros((9, 9, 1), np.uint8)
    pixels[4, 4] = 100
    for anchor in ((0, 0), (1, 2), (2, 1)):
        taps = np.zeros((3, 3))
        taps[anchor] = 1
        assert np.array_equal(filtered(pixels, Kernel(taps, anchor=anchor)), pixels)


def test_weights_across_channels_are_summed():
    pixels, taps = image(8, 9, 3), RNG.integers(-4, 5, (3, 3, 3)).astype(float)
    expected = sum(oracle.correlate(pixels[..., c : c + 1], taps[c], stride=(2, 1)) for c in range(3))
    got = filtered(pixels, Kernel(taps), stride=(2, 1), output=Output(Range.raw))
    assert got.shape == (4, 9, 1)
    assert np.array_equal(got, expected)


@pytest.mark.parametrize("threads", [2, 3, 7])
@pytest.mark.parametrize("range_", ["clip", "minmax", "raw"])
def test_threads_change_nothing(threads, range_):
    pixels, taps = image(301, 257, 3), RNG.standard_normal((5, 5))
    one = filtered(pixels, Kernel(taps), output=Output(Range(range_)), threads=1)
    assert np.array_equal(one, filtered(pixels, Kernel(taps), output=Output(Range(range_)), threads=threads))


def rgba(height=12, width=15):
    pixels = image(height, width, 4)
    pixels[:4, :, 3], pixels[4:8, :, 3] = 0, 255
    return pixels


def test_copied_alpha_is_that_under_the_anchor():
    pixels = rgba()
    got = filtered(pixels, Kernel(np.array(LAPLACIAN8)), stride=(2, 3), padding="valid", alpha="keep", output=Output(Range.abs))
    assert np.array_equal(got[..., 3], pixels[1:-1:2, 1:-1:3, 3])
    colours = filtered(
        np.ascontiguousarray(pixels[..., :3]), Kernel(np.array(LAPLACIAN8)), stride=(2, 3), padding="valid", output=Output(Range.abs)
    )
    assert np.array_equal(got[..., :3], colours)


def test_filtered_alpha_weighs_the_colours():
    pixels, taps = rgba(), np.array([[1.0, 2, 1], [2, 4, 2], [1, 2, 1]])
    alpha = oracle.correlate(pixels[..., 3:], taps) / 16
    colour = oracle.correlate(pixels[..., :3].astype(np.int64) * pixels[..., 3:], taps) / 16
    safe_alpha = np.where(alpha > 0, alpha, 1)
    expected = np.concatenate([np.rint(colour / safe_alpha) * (alpha > 0), np.rint(alpha)], axis=2)
    assert np.array_equal(filtered(pixels, Kernel(taps, 16), alpha="filter"), expected)


@pytest.mark.parametrize("taps, divisor", [(np.ones((3, 3)), 9), (np.ones((3, 3)), 1), ([[0, -1, 0], [-1, 5, -1], [0, -1, 0]], 1)])
def test_opaque_images_stay_opaque_and_have_the_colours_of_rgb(taps, divisor):
    pixels = rgba()
    pixels[..., 3] = 255
    got = filtered(pixels, Kernel(np.array(taps, float), divisor), alpha="filter")
    assert (got[..., 3] == 255).all()
    assert np.array_equal(got[..., :3], filtered(np.ascontiguousarray(pixels[..., :3]), Kernel(np.array(taps, float), divisor)))


def test_linear_light_averages_light():
    pixels = np.zeros((1, 2, 1), np.uint8)
    pixels[0, 1] = 255
    got = filtered(pixels, Kernel(np.array([[1.0, 1.0]]), 2), padding="valid", output=Output(linear=True))
    assert got[0, 0, 0] == 188  # half the light of white, as sRGB (IEC 61966-2-1)
    flat = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
    assert np.array_equal(filtered(flat, Kernel(np.array([[1.0]])), output=Output(linear=True)), flat)


@pytest.mark.parametrize(
    "combination, expected",
    [
        (Combination(CombineMode.max), [[4, 2, 0]]),
        (Combination(CombineMode.sum), [[7, 3, 0]]),
        (Combination(CombineMode.hypot), [[5, 5**0.5, 0]]),
        (Combination(CombineMode.projection, 1), [[153, 255 * (1 / 5) ** 0.5, 0]]),
    ],
)
def test_combinations(combination, expected):
    maps = [np.array([[3.0, -1.0, 0.0]]), np.array([[-4.0, 2.0, 0.0]])]
    assert np.allclose(combine(maps, combination, 255), expected, rtol=1e-15)


@pytest.mark.parametrize("name", ["max", "sum", "hypot"])
@pytest.mark.parametrize("scale, dtype", [(1, np.uint8), (1_000_003, np.uint8), (1, np.uint16)])
def test_combined_whole_maps_are_exact_however_large(name, scale, dtype):
    pixels = image(97, 131, 1, dtype)
    taps = [RNG.integers(-1, 2, (3, 3)) * float(scale) for _ in range(3)]
    maps = [np.abs(oracle.correlate(pixels, t)).astype(object) for t in taps]
    combined = {"max": lambda: np.maximum.reduce(maps), "sum": lambda: sum(maps), "hypot": lambda: sum(m * m for m in maps)}[name]()
    expected = np.sqrt(combined.astype(float)) if name == "hypot" else combined.astype(float)
    kernels = [Kernel(t, offset=0.0) for t in taps]
    window, combination = Window.of(3, 1, "same"), Combination(CombineMode(name))
    got = filter_image(FilterArguments(pixels, kernels, window, Border.of("replicate"), Output(Range.abs), combination))
    assert np.array_equal(got, oracle.to_pixels(expected, dtype))


def test_a_combined_bank_is_exact():
    pixels = image(21, 34, 1)
    x, y = np.array([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]]), np.array([[-1.0, -2, -1], [0, 0, 0], [1, 2, 1]])
    window = Window.of(3, 1, "same")
    combination = Combination(CombineMode.hypot)
    got = filter_image(FilterArguments(pixels, [Kernel(x), Kernel(y)], window, Border.of("replicate"), Output(Range.abs), combination))
    expected = np.sqrt(oracle.correlate(pixels, x) ** 2.0 + oracle.correlate(pixels, y) ** 2.0)
    assert np.array_equal(got, oracle.to_pixels(expected, np.uint8))


def test_inputs_are_not_touched():
    pixels = rgba()
    before = pixels.copy()
    for alpha in ("keep", "filter"):
        filtered(pixels, Kernel(np.ones((3, 3)), 9), alpha=alpha, output=Output(linear=True))
    pixels.flags.writeable = False
    filtered(pixels, Kernel(np.ones((3, 3)), 9))
    assert np.array_equal(pixels, before)


def test_copied_alpha_is_that_under_the_anchor_of_a_flipped_kernel():
    pixels, roberts = rgba(), Kernel(np.array([[1.0, 0], [0, -1]]), anchor=(0, 0))
    got = filtered(pixels, roberts, flip=True, alpha="keep", output=Output(Range.abs))
    assert np.array_equal(got[..., 3], pixels[..., 3])
    got = filtered(pixels, roberts, flip=True, padding="valid", alpha="keep", output=Output(Range.abs))
    assert np.array_equal(got[..., 3], pixels[1:, 1:, 3])


def test_linear_light_keeps_floats_beyond_black_and_white():
    pixels = np.linspace(-1, 4, 24, dtype=np.float32).reshape(4, 6, 1)
    got = filtered(pixels, Kernel(np.array([[1.0]])), output=Output(linear=True))
    assert np.allclose(got, pixels, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("threads", [1, 3])
def test_minmax_stretches_finite_values(threads):
    pixels = RNG.random((700, 900, 1)).astype(np.float32)
    pixels[0, 0], pixels[650, 3], pixels[350, 800] = np.nan, np.inf, -np.inf
    got = filtered(pixels, Kernel(np.array([[1.0]])), output=Output(Range.minmax), threads=threads)
    finite = np.isfinite(pixels)
    assert np.array_equal(np.isfinite(got), finite)
    assert got[finite].min() == 0 and got[finite].max() == 1


def test_minmax_of_nothing_finite_is_no_error():
    assert np.isnan(filtered(np.full((3, 4, 1), np.nan, np.float32), Kernel(np.array([[1.0]])), output=Output(Range.minmax))).all()


def test_raw_maps_are_float32_at_every_depth():
    for dtype in (np.uint8, np.uint16, np.float32, np.float64):
        assert filtered(np.ones((3, 4, 1), dtype), Kernel(np.array([[-7.0]])), output=Output(Range.raw)).dtype == np.float32


@pytest.mark.parametrize("padding", ["same", "full", (2, 3)])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("channels, alpha, size", [(1, "none", 3), (3, "none", 3), (4, "keep", 3), (3, "none", 9)])
def test_the_sides_of_an_image_are_like_those_of_padded_rows(channels, alpha, size, mode, padding, monkeypatch):
    taps = [[1.0, -2, 3], [0, 4, -1], [2, 2, -5]] if size == 3 else np.outer(np.arange(1, 8), np.arange(-3, 6))
    pixels, kernel = image(23, 61 if size == 3 else 600, channels), Kernel(np.array(taps), anchor=(0, 2))
    copied = filtered(pixels, kernel, padding=padding, mode=mode, alpha=alpha)
    monkeypatch.setattr(filter2d, "COPIED_BYTES", 0)
    assert np.array_equal(filtered(pixels, kernel, padding=padding, mode=mode, alpha=alpha), copied)
