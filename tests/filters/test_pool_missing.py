"""Pools over images with missing cells: every mode against its definition, one window at a time."""

import numpy as np
import pytest
from examples import FULL, examples
from hypothesis import given
from hypothesis import strategies as st

from imgconv.filters.pool2d import pool_missing
from imgconv.modes import MissingMode, MissingRule
from imgconv.window import Footprint, Window
from imgconv.windows.borders import Border

pytestmark = pytest.mark.sweep(3)

DTYPES = ["uint8", "uint16", "float32", "float64"] if FULL else ["uint8", "float32"]  # each has loops of its own
REDUCTIONS = {
    "max": np.max,
    "min": np.min,
    "avg": np.mean,
    "median": lambda cells: np.sort(cells)[(len(cells) - 1) // 2],
    "rank:70": lambda cells: np.sort(cells)[int(len(cells) * 0.7)],
    "range": np.ptp,
    "std": np.std,
}


def naive(pixels, valid, window, mode, rule):
    """The results and NaN in missing ones, of one plane."""
    h_out, w_out = window.output_size(pixels.shape)
    out = np.full((h_out, w_out), np.nan)
    for i, j in np.ndindex(h_out, w_out):
        cells = []
        for u, v in ((row, first + cell) for row, first, count in window.runs for cell in range(count)):
            y, x = (
                at * s + tap * d - pad[0]
                for at, s, tap, d, pad in zip((i, j), window.stride, (u, v), window.dilation, window.pads(pixels.shape), strict=True)
            )
            if 0 <= y < pixels.shape[0] and 0 <= x < pixels.shape[1]:
                cells.append((pixels[y, x], valid[y, x]))
        values = np.array([value for value, known in cells if known], np.float64)
        enough = len(values) >= rule.min_valid * len(cells) - 1e-12
        if len(values) and enough and (rule.mode is not MissingMode.propagate or len(values) == len(cells)):
            out[i, j] = REDUCTIONS[mode](values)
    return np.rint(out) if pixels.dtype.kind == "u" else out


@st.composite
def _cases(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    kernel = draw(st.tuples(st.integers(1, 4), st.integers(1, 5)))
    padding = draw(st.sampled_from(["valid", "same", (kernel[0] // 2, kernel[1] // 2)]))
    strides = st.integers(1, 3)
    mask = rng.random(kernel) < draw(st.sampled_from([0.6, 1]))
    mask[kernel[0] // 2 :, kernel[1] // 2 :] = mask[: kernel[0] // 2 + 1, : kernel[1] // 2 + 1] = True  # so that all see a cell
    window = Window.of(
        Footprint.of(mask.tolist()), draw(st.tuples(strides, strides)), padding, draw(st.integers(1, 2)), ceil_mode=draw(st.booleans())
    )
    shape = draw(st.integers(9, 14)), draw(st.integers(9, 16)), draw(st.sampled_from([1, 3]))
    dtype = draw(st.sampled_from(DTYPES))
    valid = (rng.random(shape) > draw(st.sampled_from([0.0, 0.2, 0.8]))).astype(np.uint8)
    rule = MissingRule(MissingMode(draw(st.sampled_from(MissingMode.names()))), draw(st.sampled_from([0.0, 0.5, 1.0])))
    return (rng.random(shape) * 9 + (rng.random() < 0.5) * 200).astype(dtype) * valid, valid, window, rule


@pytest.mark.parametrize("mode", REDUCTIONS)
@examples(40)
@given(case=_cases())
def test_every_mode_follows_its_definition(mode, case):
    pixels, valid, window, rule = case
    result, valid_out = pool_missing(valid, rule, pixels, window, mode)
    expected = np.stack([naive(pixels[..., c], valid[..., c], window, mode, rule) for c in range(pixels.shape[2])], axis=-1)
    assert result.dtype == pixels.dtype
    assert np.array_equal(valid_out == 0, np.isnan(expected))
    assert np.allclose(result[valid_out == 1], expected[valid_out == 1], rtol=1e-6)


def test_nan_that_is_not_missing_propagates():
    pixels, valid = np.ones((4, 4, 1), np.float32), np.ones((4, 4, 1), np.uint8)
    pixels[0, 0], valid[1, 1] = np.nan, 0
    for mode in REDUCTIONS:
        result, _ = pool_missing(valid, MissingRule(), pixels, Window.of(2, 2), mode)
        assert np.isnan(result[0, 0, 0]) and (result[1:] == (mode not in ("range", "std"))).all()


@pytest.mark.parametrize("mode", REDUCTIONS)
@pytest.mark.parametrize("padding_mode", ["reflect", "circular", ("constant", 3.0)])
def test_padding_with_values_is_as_if_the_image_had_them(mode, padding_mode):
    rng = np.random.default_rng(1)
    pixels, valid = rng.integers(0, 256, (9, 10, 2), np.uint8), (rng.random((9, 10, 2)) > 0.3).astype(np.uint8)
    border, shape = Border.of(padding_mode), Footprint.of([[0, 1, 1], [1, 1, 0], [1, 0, 1]])
    name = {"circular": "wrap"}.get(border.mode, "reflect")
    how = [{"mode": "constant", "constant_values": value} if border.mode.fills else {"mode": name} for value in (3, 1)]
    padded, known = (np.pad(each, ((1, 1), (1, 1), (0, 0)), **way) for each, way in zip((pixels * valid, valid), how, strict=True))
    result, valid_out = pool_missing(valid, MissingRule(), pixels * valid, Window.of(shape, padding=1), mode, border=border)
    expected, expected_valid = pool_missing(known, MissingRule(), padded, Window.of(shape), mode)
    np.testing.assert_array_equal(valid_out, expected_valid)
    np.testing.assert_array_equal(result[valid_out == 1], expected[valid_out == 1])


@pytest.mark.parametrize("share", [0.002, 0.3])
@pytest.mark.parametrize("dtype, stride", [("uint8", 1), ("float32", (2, 1))])
def test_medians_of_large_images_are_those_of_the_valid_cells(dtype, stride, share):
    """They take another path: where few windows have a missing cell, those are sorted one by one."""
    rng = np.random.default_rng(5)
    pixels, valid = (rng.random((421, 337, 1)) * 250).astype(dtype), (rng.random((421, 337, 1)) > share).astype(np.uint8)
    valid[50:70, 60:90] = 0
    pixels *= valid
    if dtype == "float32":
        pixels[200, 200] = np.nan
        valid[200, 200] = 1
    window = Window.of(3, stride, 1, ceil_mode=True)
    result, valid_out = pool_missing(valid, MissingRule(), pixels, window, "median")
    expected = naive_medians(pixels[..., 0], valid[..., 0], window)
    known = valid_out[..., 0] != 0
    assert np.array_equal(known, np.isfinite(expected) | np.isnan(expected))
    np.testing.assert_array_equal(result[..., 0][known], expected[known])


def naive_medians(pixels, valid, window):
    """Lower medians of 3x3 windows with padding 1; infinity without a valid cell."""
    cells = np.pad(np.where(valid, pixels.astype(np.float64), np.inf), 1, constant_values=np.inf)
    views = np.lib.stride_tricks.sliding_window_view(cells, (3, 3))[:: window.stride[0], :: window.stride[1]]
    ordered = np.sort(views.reshape(*views.shape[:2], 9), axis=2)
    counts = np.isfinite(ordered).sum(axis=2) + np.isnan(ordered).sum(axis=2)
    picked = np.take_along_axis(ordered, np.maximum((counts - 1) // 2, 0)[..., None], axis=2)[..., 0]
    return np.where(np.isnan(ordered[..., -1]), np.nan, picked)


@pytest.mark.parametrize("stride, dtype, channels", [(1, np.uint8, 1), (2, np.float32, 3)])
def test_large_images_with_holes_have_the_same_ranks(stride, dtype, channels):
    """A network in registers, compiled for its window, takes what other loops do in smaller images."""
    rng = np.random.default_rng(stride)
    pixels, valid = rng.random((330, 340, channels)) * 250, (rng.random((330, 340, channels)) > 0.4).astype(np.uint8)
    pixels, window = pixels.astype(dtype) * valid, Window.of(Footprint.of([[0, 1, 0], [1, 1, 1], [0, 1, 0]]), stride, 1)
    result, valid_out = pool_missing(valid, MissingRule(), pixels, window, "rank:70")
    around = [slice(up, up + 330, stride) for up in range(3)], [slice(left, left + 340, stride) for left in range(3)]
    cells = np.pad(np.where(valid, pixels.astype(np.float64), np.nan), ((1, 1), (1, 1), (0, 0)), constant_values=np.nan)
    ordered = np.sort([cells[around[0][u], around[1][v]] for u, v in ((0, 1), (1, 0), (1, 1), (1, 2), (2, 1))], axis=0)  # NaN comes last
    places = ((~np.isnan(ordered)).sum(axis=0) * 0.7).astype(int)
    np.testing.assert_array_equal(np.where(valid_out, result, np.nan), np.take_along_axis(ordered, places[None], axis=0)[0])


def test_wide_signals_with_holes_have_the_averages_of_their_strips():
    signal = np.random.default_rng(5).random((1, 1 << 19, 1), np.float32)
    valid = (np.random.default_rng(6).random(signal.shape) > 0.5).astype(np.uint8)
    result, _ = pool_missing(valid, MissingRule(), signal * valid, Window.of((1, 3), (1, 2), (0, 1)), "avg")
    sums, counts = (np.pad(each[0, :, 0].astype(np.float64), 1) for each in (signal * valid, valid))
    sums, counts = (each[:-2:2] + each[1:-1:2] + each[2::2] for each in (sums, counts))
    np.testing.assert_allclose(result[0, :, 0], sums / np.maximum(counts, 1), rtol=1e-6)
