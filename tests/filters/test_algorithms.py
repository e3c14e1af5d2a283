"""Every algorithm for images: that it is chosen, and that results do not depend on it."""

from fractions import Fraction

import numpy as np
import oracle_image as oracle
import pytest
from algorithm_kernels import LAPLACIAN_OF_GAUSSIAN, REAL, WHOLE, Kernel, gauss
from examples import each_once, examples
from hypothesis import given
from hypothesis import strategies as st

from imgconv.filters import filter2d as images
from imgconv.filters.algorithms import algorithm_of
from imgconv.filters.filter2d import FilterArguments, Output, filter_image
from imgconv.filters.output_range import to_pixels
from imgconv.filters.separable import factors
from imgconv.filters.weights import Weights
from imgconv.modes import Range
from imgconv.window import Window
from imgconv.windows.borders import Border

pytestmark = pytest.mark.sweep(4)

RNG = np.random.default_rng(11)


UINT8 = np.dtype(np.uint8)


def image(height, width, channels, dtype=np.uint8):
    return RNG.integers(0, np.iinfo(dtype).max, (height, width, channels), dtype=dtype, endpoint=True)


def filtered(pixels, kernel, *, stride=1, dilation=1, output=None, threads=None, mode="reflect"):
    window = Window.of(kernel.taps.shape, stride, "same", dilation)
    return filter_image(FilterArguments(pixels, [kernel], window, Border.of(mode), output or Output()), threads)


@pytest.mark.parametrize("name, taps", [*WHOLE.items(), *REAL.items()])
def test_the_algorithm_is_chosen(name, taps):
    assert algorithm_of(Kernel(taps), Window.of(taps.shape), UINT8, 1) == name


RANGES = (("abs", 1), ("clip", 1), ("clip", 7), ("offset", 640), ("minmax", 1), ("abs", -32))


@pytest.mark.sweep(11)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("how", RANGES)
@pytest.mark.parametrize("name", WHOLE)
def test_whole_taps_are_exact(name, how, channels):
    range_, divisor = how
    pixels = image(47, 45, channels)
    sums = oracle.correlate(pixels, WHOLE[name], mode="reflect")
    expected = oracle.to_pixels(sums, UINT8, divisor=divisor, range_=range_)
    assert np.array_equal(filtered(pixels, Kernel(WHOLE[name], divisor), output=Output(Range(range_))), expected)


@pytest.mark.parametrize("name", WHOLE)
def test_whole_taps_are_exact_over_16_bits_where_every_pixel_is_white(name):
    pixels, taps = np.full((40, 44, 1), 65535, np.uint16), np.abs(WHOLE[name])
    expected = oracle.to_pixels(oracle.correlate(pixels, taps), np.uint16, divisor=taps.sum())
    assert (expected == 65535).all()
    assert np.array_equal(filtered(pixels, Kernel(taps, taps.sum())), expected)


@pytest.mark.parametrize(("name", "channels"), each_once(REAL, [1, 3]))
def test_real_taps_are_within_rounding_of_float64(name, channels):
    pixels = image(51, 43, channels)
    sums = oracle.correlate(pixels, REAL[name], mode="reflect")
    raw = filtered(pixels, Kernel(REAL[name]), output=Output(Range.raw))
    assert (np.abs(raw - sums) <= 1e-5 * (np.abs(sums) + np.abs(sums).max())).all()
    assert np.abs(filtered(pixels, Kernel(REAL[name])).astype(int) - oracle.to_pixels(sums, UINT8)).max() <= 1


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("band_bytes", [1, 40_000, 1 << 30])
@pytest.mark.parametrize("name, taps", [*WHOLE.items(), *REAL.items()])
def test_bands_and_threads_change_nothing(name, taps, band_bytes, threads, monkeypatch):
    pixels = np.random.default_rng(3).integers(0, 256, (260, 33, 1), dtype=np.uint8)
    expected = filtered(pixels, Kernel(taps), output=Output(Range.raw), threads=1)
    monkeypatch.setattr(images, "BAND_BYTES", band_bytes)
    monkeypatch.setattr(images, "COPIED_BYTES", band_bytes)
    assert np.array_equal(filtered(pixels, Kernel(taps), output=Output(Range.raw), threads=threads), expected)


@pytest.mark.parametrize("stride, dilation", [((2, 3), (1, 1)), ((1, 1), (2, 1)), ((3, 2), (1, 2)), ((1, 2), (2, 3))])
@pytest.mark.parametrize("name", ["small, int16", "product, float32", "factors of 1, float32", "running, int32"])
def test_strides_and_dilations_are_exact(name, stride, dilation):
    pixels, taps = image(71, 83, 3), WHOLE[name]
    span = [d * (k - 1) + 1 for d, k in zip(dilation, taps.shape, strict=True)]
    pads = oracle.same_pads(pixels.shape[:2], span, stride)
    expected = oracle.correlate(pixels, taps, stride=stride, pads=pads, mode="reflect", dilation=dilation)
    got = filtered(pixels, Kernel(taps), stride=stride, dilation=dilation, output=Output(Range.raw))
    assert np.array_equal(got, expected)


@pytest.mark.parametrize("taps", [np.ones((3, 3)) / 9, np.ones((4, 6)) / 24, np.outer([1, 2, 1], [1, 2, 1]) / 16, np.eye(3) * 0.1])
def test_multiples_of_one_fraction_are_exact(taps):
    unit = taps[taps > 0].min()
    whole = np.rint(taps / unit)
    pixels = image(30, 31, 1)
    assert Weights.of(Kernel(taps), UINT8, 1).exact
    expected = oracle.to_pixels(oracle.correlate(pixels, whole, mode="reflect"), UINT8, divisor=np.rint(1 / unit))
    assert np.array_equal(filtered(pixels, Kernel(taps)), expected)


@pytest.mark.parametrize("name, taps", [*REAL.items(), ("running, int32", WHOLE["running, int32"])])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_float_images_keep_nan_and_infinity_where_they_belong(name, taps, bad):
    pixels = RNG.standard_normal((44, 41, 1)).astype(np.float32)
    pixels[20, 17] = bad
    with np.errstate(invalid="ignore"):
        expected = oracle.correlate(pixels, taps, mode="reflect")
    got = filtered(pixels, Kernel(taps))
    finite = np.isfinite(expected)
    assert np.array_equal(got[~finite], expected[~finite].astype(np.float32), equal_nan=True)
    assert np.abs(got[finite] - expected[finite]).max() <= 1e-5 * 2 * np.abs(expected[finite]).max()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_float_images_meet_no_sums_of_products(dtype):
    taps = REAL["factors of 2, float32"]
    assert algorithm_of(Kernel(taps), Window.of(taps.shape), np.dtype(dtype), 1) == f"taps, {np.dtype(dtype)}"


@pytest.mark.parametrize("dtype, tolerance", [(np.float32, 1e-5), (np.float64, 1e-12)])
def test_spectra_keep_large_values_of_float_images_where_they_belong(dtype, tolerance):
    taps = REAL["fourier, float64"]
    assert algorithm_of(Kernel(taps), Window.of(taps.shape), np.dtype(dtype), 1) == "fourier, float64"
    pixels = np.random.default_rng(5).standard_normal((70, 300, 2)).astype(dtype)
    plain = oracle.correlate(pixels, taps, mode="reflect")
    pixels[30, 20, 0], pixels[40, 40, 1] = np.finfo(dtype).max / 1e3, np.nan
    with np.errstate(invalid="ignore"):
        sums = oracle.correlate(pixels, taps, mode="reflect")
    got = filtered(pixels, Kernel(taps), threads=1)
    reached = (sums != plain) | np.isnan(sums)
    assert 0 < reached[..., 0].sum() <= taps.size
    assert np.abs((got - plain)[~reached]).max() <= tolerance * 2 * np.abs(plain).max()
    assert np.array_equal(np.isnan(got), np.isnan(sums))
    assert np.array_equal(got, filtered(pixels, Kernel(taps), threads=3), equal_nan=True)


def test_a_zero_factor_over_infinity_is_nan_as_a_zero_tap_is():
    pixels = np.zeros((9, 9, 1), np.float32)
    pixels[4, 4] = np.inf
    taps = np.outer([1.0, 2, 0, 1, 3, 1, 1], [1.0, 0, 1, 2, 1, 0, 1])
    assert algorithm_of(Kernel(taps), Window.of(7), np.dtype(np.float32), 1).startswith("product")
    with np.errstate(invalid="ignore"):
        expected = oracle.correlate(pixels, taps)
    assert np.array_equal(filtered(pixels, Kernel(taps), mode="replicate"), expected, equal_nan=True)


def test_large_sums_come_back_whole_from_spectra():
    taps = RNG.integers(-16000, 16000, (31, 31)).astype(float)
    assert 2**30 < np.abs(taps).sum() * 255 < 2**31
    assert algorithm_of(Kernel(taps), Window.of(31), UINT8, 1).startswith("fourier")
    pixels = np.where(RNG.random((40, 52, 1)) < 0.5, 255, 0).astype(np.uint8)
    sums = oracle.correlate(pixels, taps, mode="reflect")
    got = filtered(pixels, Kernel(taps, 65537), output=Output(Range.clip))
    assert np.array_equal(got, oracle.to_pixels(sums, UINT8, divisor=65537))
    beyond = algorithm_of(Kernel(taps * 3), Window.of(31), UINT8, 1)
    assert beyond == "taps, float64"


def test_factors():
    whole = np.outer([2.0, 4, -6], [3.0, 0, 9])
    down, across = factors(whole, exact=True)
    assert np.array_equal(down.T @ across, whole)
    assert np.array_equal(down, np.rint(down))
    assert np.array_equal(across, np.rint(across))
    assert factors(whole + np.eye(3), exact=True) is None
    assert factors(np.zeros((3, 4)), exact=True) is None
    assert factors(RNG.standard_normal((20, 20)), exact=False) is None
    down, across = factors(LAPLACIAN_OF_GAUSSIAN, exact=False)
    assert len(down) == 2
    assert np.abs(down.T @ across - LAPLACIAN_OF_GAUSSIAN).sum() <= 2**-26 * np.abs(LAPLACIAN_OF_GAUSSIAN).sum()


@examples(200)
@given(
    sums=st.lists(st.integers(-(2**22), 2**22), min_size=1, max_size=20),
    divisor=st.integers(1, 40_000),
    offset=st.integers(-300, 300),
    largest=st.sampled_from([255, 65535]),
)
def test_quotients_round_half_to_even_and_once(sums, divisor, offset, largest):
    sums += [divisor * 7 + divisor // 2, divisor * 8 + divisor // 2]
    dtype = np.dtype(np.uint8 if largest == 255 else np.uint16)
    weights = Weights.of(Kernel(np.array([[2**22 // 255 if largest == 255 else 64.0]]), divisor), dtype, 1)
    parameters = to_pixels(weights, offset, largest, absolute=False)
    kind = parameters.values.dtype.type
    divided, added, _, lowest, largest, magic = parameters.values
    for total in sums:
        value = min(max(kind(total) / divided + added, lowest), largest) + magic - magic
        assert int(value) == min(max(round(Fraction(total, divisor) + offset), 0), largest)


@pytest.mark.parametrize(("name", "scale"), each_once(REAL, [1e-310, 1e-40, 1e-3, 1e20, 1e45, 1e290]))
def test_the_scale_of_taps_and_divisor_does_not_matter(name, scale):
    pixels = image(40, 41, 1)
    taps = REAL[name]
    if scale == 1e-310:  # taps this small have lost their digits
        taps = np.ones((5, 3))
    plain, scaled = (filtered(pixels, Kernel(taps * s, s * 3)) for s in (1.0, scale))
    assert np.abs(plain.astype(int) - scaled).max() <= 1


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("shape", [(1, 1), (3, 3), (4, 9), (40, 40)])
def test_nothing_but_zeros_gives_zeros(shape, dtype):
    assert not filtered(image(9, 8, 3, dtype), Kernel(np.zeros(shape)), mode="replicate").any()


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (40, 1), (2, 3)])
@pytest.mark.parametrize("name", ["small, int16", "product, float32", "running, int32", "fourier, float64"])
def test_images_smaller_than_the_kernel(name, size):
    pixels = image(*size, 3)
    expected = oracle.correlate(pixels, WHOLE[name])
    assert np.array_equal(filtered(pixels, Kernel(WHOLE[name]), mode="replicate", output=Output(Range.raw)), expected)


def test_ties_between_whole_sums_from_spectra_go_to_even():
    pixels, taps = image(60, 50, 1), np.where(RNG.random((31, 31)) < 0.5, 1.0, -1.0)
    assert algorithm_of(Kernel(taps), Window.of(31), UINT8, 1).startswith("fourier")
    expected = oracle.to_pixels(oracle.correlate(pixels, taps, mode="reflect"), UINT8, divisor=2, range_="offset")
    assert np.array_equal(filtered(pixels, Kernel(taps, 2), output=Output(Range.offset)), expected)


@pytest.mark.parametrize(("name", "size"), each_once(["int16", "float32", "int32"], [(3, 3), (5, 5), (2, 3), (7, 7), (9, 10), (40, 40)]))
def test_sums_are_exact_on_both_sides_of_the_limit_of_a_type(name, size):
    most = {"int16": 2**15, "float32": 2**24, "int32": 2**31}[name]
    pixels = np.full((4, 5, 1), 255, np.uint8)
    for total in (most // 255 - 1, most // 255 + 1, 2 * most // 255 - 1):
        taps = np.ones(size)
        taps[0, 0] = total + (total + 1) % 2 - (taps.size - 1)  # an odd sum, which float32 cannot hold beyond 2**24
        whole = 255 * int(taps.sum())
        got = filtered(pixels, Kernel(taps, bias=100 - whole), mode="replicate")
        assert (got == 100).all()


def test_taps_that_are_nearly_a_product_are_not_factored():
    taps = np.outer(gauss(17, 3), gauss(17, 3))
    assert factors(taps * (1 + 1e-5 * RNG.standard_normal(taps.shape)), exact=False) is None
