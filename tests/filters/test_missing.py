"""Filters over images with missing cells: every algorithm against the definition, and against astropy."""

import warnings

import naive_missing
import numpy as np
import pytest
from algorithm_kernels import REAL, WHOLE, Kernel, gauss
from examples import each_once, examples
from hypothesis import given
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view

from imgconv.filters import missing
from imgconv.filters.algorithms import algorithm_of
from imgconv.filters.filter2d import FilterArguments, Output, filter_image
from imgconv.filters.output_range import Combination
from imgconv.filters.weights import anchor_of, pads_of
from imgconv.modes import CombineMode, MissingMode, MissingRule, Range
from imgconv.window import Window
from imgconv.windows.borders import Border

pytestmark = pytest.mark.sweep(4)

RNG = np.random.default_rng(17)
SOBEL = np.array([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]])
SHARP = np.array([[0.0, -1, 0], [-1, 5, -1], [0, -1, 0]])
KERNELS = {
    **{f"whole {name}": taps for name, taps in WHOLE.items()},
    **{f"real {name}": taps for name, taps in REAL.items()},
    "zero sum": SOBEL,
    "sharpen": SHARP,
    "positive fourier": RNG.random((27, 33)),
    "negative": -np.ones((3, 3)),
    "one tap": np.array([[0.0, 0, 2], [0, 0, 0]]),
}


def filter_missing(valid, rule, *arguments, **options):
    return missing.filter_missing(valid, rule, FilterArguments(*arguments, **options))


def holes(height, width, channels=1, share=0.2, rng=RNG):
    """A mask with single holes, and one as large as a kernel."""
    valid = (rng.random((height, width, channels)) > share).astype(np.uint8)
    valid[4 : 4 + height // 3, 3 : 3 + width // 2] = 0
    return valid


def filtered(pixels, valid, taps, *, stride=1, dilation=1, padding="same", mode="replicate", rule="keep", min_valid=0.0, **options):
    """The result with NaN in missing cells, unrounded, and what the definition gives."""
    kernel, window = Kernel(taps, **options.pop("kernel", {})), Window.of(taps.shape[-2:], stride, padding, dilation)
    pixels = np.where(valid, pixels, 0).astype(pixels.dtype)
    rule_ = MissingRule(MissingMode(rule), min_valid)
    result, valid_out = filter_missing(valid, rule_, pixels, [kernel], window, Border.of(mode), Output(Range.raw), **options)
    assert np.isfinite(result[valid_out == 1]).all()
    planes = [
        naive_missing.filter_missing(
            pixels[..., c],
            valid[..., c] > 0,
            taps,
            stride=stride,
            dilation=dilation,
            pads=pads_of(kernel, window, pixels.shape[:2]),
            mode=mode,
            anchor=anchor_of(kernel),
            rule=rule,
            min_valid=min_valid,
        )
        for c in range(pixels.shape[2])
    ]
    return np.where(valid_out, result, np.nan), np.stack(planes, axis=-1) / kernel.divisor


def assert_close(result, expected, relative=1e-5):
    assert np.array_equal(np.isnan(result), np.isnan(expected))
    # a quotient of sums that nearly cancel may exceed the values by far: float32 then holds seven digits of it
    scale = np.nanmax(np.abs(expected), initial=1.0)
    assert np.nanmax(np.abs(result - expected), initial=0) <= relative * scale


@pytest.mark.parametrize(("name", "dtype"), each_once(KERNELS, ["uint8", "uint16", "float32", "float64"]))
def test_every_algorithm_and_depth_follows_the_definition(name, dtype):
    pixels = (RNG.random((37, 33, 1)) * 250).astype(dtype)
    assert_close(*filtered(pixels, holes(37, 33), KERNELS[name]))


@pytest.mark.parametrize("rule", MissingMode.names())
@pytest.mark.parametrize("name", ["whole running, int32", "real factors of 1, float32", "real fourier, float64", "zero sum", "sharpen"])
def test_every_rule_follows_the_definition(name, rule):
    pixels = (RNG.random((35, 34, 2)) * 250).astype(np.float32)
    assert_close(*filtered(pixels, holes(35, 34, 2, 0.02), KERNELS[name], rule=rule))


@st.composite
def _cases(draw):
    kh, kw = draw(st.integers(1, 5)), draw(st.integers(1, 6))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    height, width, channels = draw(st.integers(6, 17)), draw(st.integers(6, 19)), draw(st.integers(1, 4))
    dilation = draw(st.tuples(st.integers(1, 2), st.integers(1, 2)))
    fits = all(d * (k - 1) < n for d, k, n in zip(dilation, (kh, kw), (height, width), strict=True))
    padding = draw(st.sampled_from(["same", "valid", "full", (1, 0)] if fits else ["same", "full"]))
    mode = draw(st.sampled_from(["zeros", "replicate", "reflect", "symmetric", "circular"]))
    if not fits:
        mode = draw(st.sampled_from(["zeros", "replicate"]))
    taps = rng.integers(-2, 4, (kh, kw)).astype(float) if draw(st.booleans()) else rng.random((kh, kw)) - draw(st.sampled_from([0, 0.3]))
    options = {"stride": draw(st.tuples(st.integers(1, 3), st.integers(1, 3))), "dilation": dilation, "padding": padding, "mode": mode}
    options |= {"rule": draw(st.sampled_from(MissingMode.names())), "min_valid": draw(st.sampled_from([0.0, 0.3, 0.5, 1.0]))}
    valid = holes(height, width, channels, draw(st.sampled_from([0.0, 0.1, 0.6])), rng)
    if draw(st.booleans()):
        options["kernel"] = {"anchor": (int(rng.integers(kh)), int(rng.integers(kw)))}
    dtype = draw(st.sampled_from(["uint8", "uint16", "float32", "float64"]))
    return (rng.random((height, width, channels)) * 200).astype(dtype), valid, taps, options


@examples(80)
@given(_cases())
def test_any_window_follows_the_definition(case):
    pixels, valid, taps, options = case
    result, expected = filtered(pixels, valid, taps, **options)
    assert np.array_equal(np.isnan(result), np.isnan(expected))
    assert np.nanmax(np.abs(result - expected) / (np.abs(expected) + 200), initial=0) < 1e-5


@pytest.mark.parametrize("boundary, mode", [("fill", "zeros"), ("extend", "replicate"), ("wrap", "circular")])
@pytest.mark.parametrize("preserved, rule", [(True, "keep"), (False, "fill")])
@pytest.mark.parametrize("taps", [np.outer(gauss(25, 3), gauss(25, 3)), RNG.random((5, 3)), RNG.random((31, 27)), np.ones((9, 9))])
def test_astropy_agrees(taps, boundary, mode, preserved, rule):
    from astropy.convolution import convolve

    rng = np.random.default_rng(taps.size)
    pixels, valid = rng.random((60, 70)).astype(np.float32) * 100, rng.random((60, 70)) > 0.3
    valid[10:45, 20:60] = False
    taps = taps / taps.sum()
    # astropy convolves: it turns the kernel
    with warnings.catch_warnings():  # some windows have no valid cell
        warnings.simplefilter("ignore")
        expected = convolve(np.where(valid, pixels, np.nan), taps[::-1, ::-1], boundary=boundary, preserve_nan=preserved)
    result, _ = filtered(pixels[..., None], valid[..., None].astype(np.uint8), taps, mode=mode, rule=rule)
    assert_close(result[..., 0], expected)


@pytest.mark.parametrize(("name", "dtype"), each_once(KERNELS, ["uint8", "uint16", "float32", "float64"]))
def test_a_constant_image_stays_constant_under_kernels_of_sum_one(name, dtype):
    taps = KERNELS[name]
    if abs(taps.sum()) < 1e-3 * np.abs(taps).sum():
        taps = np.abs(taps)
    result, _ = filtered(np.full((36, 32, 1), 200, dtype), holes(36, 32, share=0.4), taps, kernel={"divisor": taps.sum()}, rule="fill")
    assert np.nanmax(np.abs(result - 200)) < 2e-3
    assert (~np.isnan(result)).mean() > 0.3


@pytest.mark.parametrize("taps", [np.ones((3, 3)) / 9, gauss(5, 1)[None], np.array([[1, 2.5, 1]])])
def test_float64_keeps_its_digits(taps):
    pixels, valid = RNG.random((20, 24, 1)), holes(20, 24)
    _, expected = filtered(pixels, valid, taps)
    arguments = np.where(valid, pixels, 0), [Kernel(taps)], Window.of(taps.shape, padding="same"), Border.of("replicate")
    result, valid_out = filter_missing(valid, MissingRule(MissingMode.keep), *arguments, Output(Range.raw, rounded=False))
    np.testing.assert_allclose(result[valid_out == 1], expected[valid_out == 1], rtol=1e-12)


@pytest.mark.parametrize(
    ("taps", "min_valid"),
    [
        (np.outer(gauss(17, 2), gauss(17, 2)), 1.0),
        (np.full((7, 7), 0.1), 0.7),
        (np.outer(range(1, 8), range(1, 8)) / 7, 0.5),
        (RNG.random((27, 33)).round(2), 0.3),
    ],
    ids=["tails", "tenths", "product", "fourier"],
)
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_rounding_does_not_decide_at_the_least_valid_share(taps, min_valid, dtype):
    valid = np.ones((40, 41, 1), np.uint8)
    valid[-1, -1] = 0  # under the smallest tap of one window
    valid[:, 20:24] = valid[18:20] = 0  # windows of all shares in steps of a row or a column
    assert_close(*filtered((RNG.random(valid.shape) * 250).astype(dtype), valid, taps, rule="fill", min_valid=min_valid))


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize(
    "taps, divisor, offset",
    [
        (np.outer([1.0, 2, 1], [1, 2, 1]), 16, 0),
        (np.ones((3, 3)), 9, 7),
        (np.ones((3, 3)), 2.5, 0),
        (SHARP, 1, 0),
        (np.ones((17, 17)), 289, 0),
    ],
)
def test_whole_numbers_are_rounded_once(taps, divisor, offset, dtype):
    """Also quotients half way between two levels, whatever the type of the arithmetic."""
    largest = np.iinfo(dtype).max
    pixels, valid = RNG.integers(0, largest + 1, (60, 60, 1)).astype(dtype), holes(60, 60, share=0.4)
    pixels *= valid
    windows = [sliding_window_view(np.pad(each[..., 0].astype(float), len(taps) // 2, "edge"), taps.shape) for each in (pixels, valid)]
    sums, weights = ((each * taps).sum(axis=(2, 3)) for each in windows)
    kernel, window = Kernel(taps, divisor, offset), Window.of(taps.shape, 1, "same")
    result, valid_out = filter_missing(valid, MissingRule(), pixels, [kernel], window, Border.of("replicate"), Output())
    known = valid_out[..., 0] == 1
    quotients = (taps.sum() * sums)[known] / (weights * divisor)[known] + offset * ((largest + 1) // 256)
    assert result.dtype == dtype and known.any()
    assert np.array_equal(result[..., 0][known], np.rint(np.clip(quotients, 0, largest)))


def test_a_bank_is_missing_where_one_of_its_maps_is():
    pixels = (RNG.random((31, 33, 2)) * 100).astype(np.float32)
    valid, window, border = holes(31, 33, 2, 0.02), Window.of(3, 1, "same"), Border.of("symmetric")
    settings = (window, border, Output(Range.raw))
    pixels *= valid
    bank = [Kernel(SOBEL), Kernel(SHARP)]
    both, valid_both = filter_missing(valid, MissingRule(), pixels, bank, *settings, combination=Combination(CombineMode.sum))
    maps = [filter_missing(valid, MissingRule(), pixels, [kernel], *settings) for kernel in bank]
    assert np.array_equal(valid_both, maps[0][1] & maps[1][1])
    total = sum(np.abs(each[0]) for each in maps)
    assert np.allclose(both[valid_both == 1], total[valid_both == 1], rtol=1e-5)


def test_missing_cells_do_not_stretch_minmax():
    pixels = np.linspace(50, 150, 400, dtype=np.float32).reshape(20, 20, 1)
    valid, kernel, window = holes(20, 20), Kernel(np.ones((3, 3)), 9), Window.of(3, 1, "same")
    arguments = pixels * valid, [kernel], window, Border.of("replicate"), Output(Range.minmax)
    result, valid_out = filter_missing(valid, MissingRule(), *arguments)
    assert (result[valid_out == 1].min(), result[valid_out == 1].max()) == (0, 1)


@pytest.mark.parametrize("least", [0, -0.4])  # with taps of both signs, the weight of some windows is near 0
def test_weights_across_channels_use_the_valid_cells_of_each(least):
    pixels, valid = (RNG.random((18, 21, 3)) * 100).astype(np.float32), holes(18, 21, 3, 0.1)
    taps, window = RNG.random((3, 3, 3)) + least, Window.of(3, 1, "valid")
    result, valid_out = filter_missing(
        valid, MissingRule(MissingMode.fill), pixels * valid, [Kernel(taps)], window, Border.of("zeros"), Output(Range.raw)
    )
    for i, j in np.ndindex(16, 19):
        values, present = pixels[i : i + 3, j : j + 3].transpose(2, 0, 1), valid[i : i + 3, j : j + 3].transpose(2, 0, 1) > 0
        assert valid_out[i, j, 0] == present.any()
        if present.any():
            expected = (taps * values)[present].sum() / taps[present].sum() * taps.sum()
            assert result[i, j, 0] == pytest.approx(expected, rel=1e-5, abs=1e-3)


def test_nan_under_a_tap_of_0_propagates_whatever_the_weight_of_the_window():
    pixels, valid = np.ones((5, 6, 1), np.float32), np.ones((5, 6, 1), np.uint8)
    pixels[2, 3], valid[2, 1], pixels[2, 1] = np.nan, 0, 0
    taps = np.array([[3.3, -0.1, 0.0]])
    result, valid_out = filter_missing(
        valid,
        MissingRule(MissingMode.fill),
        pixels,
        [Kernel(taps)],
        Window.of((1, 3), 1, "same"),
        Border.of("replicate"),
        Output(Range.raw),
    )
    assert valid_out.all() and np.isnan(result[2, 2:5]).all()
    assert result[2, 1] == pytest.approx(3.2)  # 3.3 * 3.2 / 3.3


@pytest.mark.parametrize("alpha", ["keep", "filter"])
def test_colours_weigh_as_much_as_they_are_opaque(alpha):
    pixels = RNG.integers(1, 256, (24, 26, 4), dtype=np.uint8)
    valid = np.repeat(holes(24, 26), 4, axis=2)
    pixels *= valid
    taps, window = np.ones((3, 3)), Window.of(3, 1, "same")
    result, valid_out = filter_missing(
        valid, MissingRule(MissingMode.fill), pixels, [Kernel(taps, 9.0)], window, Border.of("replicate"), Output(), alpha=alpha
    )
    cells, known = (np.pad(each.astype(float), ((1, 1), (1, 1), (0, 0)), "edge") for each in (pixels, valid))
    for i, j in np.argwhere(valid_out[..., 0]):
        patch, present = cells[i : i + 3, j : j + 3], known[i : i + 3, j : j + 3, 0] > 0
        opacity = patch[present][:, 3:] if alpha == "filter" else np.ones((present.sum(), 1))
        colour = (patch[present][:, :3] * opacity).sum(axis=0) / opacity.sum()
        assert np.abs(result[i, j, :3] - colour).max() <= 0.51
        if alpha == "filter":
            assert abs(result[i, j, 3] - patch[present][:, 3].mean()) <= 0.51


def test_the_kernels_take_every_path():
    names = {
        algorithm_of(Kernel(taps), Window.of(taps.shape), np.dtype(np.uint8), 1).split(",")[0].split(" of")[0] for taps in KERNELS.values()
    }
    assert names == {"small", "product", "factors", "running", "fourier", "taps"}


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@pytest.mark.parametrize(
    "taps", [np.array([[1.0, 2, 1], [2, 5, 2], [1, 2, 1]]), 3 * np.outer(gauss(25, 3), gauss(25, 3)), np.ones((31, 9))]
)
def test_windows_without_missing_cells_are_as_without_any(taps, dtype):
    """To the last bit, in bands with missing cells and in those without."""
    pixels, valid = (RNG.random((1200, 500, 1)) * 250).astype(dtype), np.ones((1200, 500, 1), np.uint8)
    valid[200:205, 3:7] = 0
    far = np.ones(pixels.shape, bool)
    far[200 - taps.shape[0] : 205 + taps.shape[0], : 7 + taps.shape[1]] = False
    arguments = [Kernel(taps, 3.0)], Window.of(taps.shape, 1, "same"), Border.of("replicate"), Output()
    result, _ = filter_missing(valid, MissingRule(), pixels * valid, *arguments)
    np.testing.assert_array_equal(result[far], filter_image(FilterArguments(pixels, *arguments))[far])
