"""Pooling of images: exact against the oracle for every mode, dtype, padding and number of threads."""

from fractions import Fraction

import numpy as np
import pytest
from examples import FULL, examples
from hypothesis import given
from hypothesis import strategies as st
from naive_pooling import (
    deviation,
    largest,
    lower_median,
    mean,
    output_size,
    pool,
    ranked,
    rounded_deviation,
    rounded_mean,
    smallest,
    spread,
    taps,
)

from imgconv.errors import ArgumentTypeError, DoesNotFit, UsageError
from imgconv.filters.pool2d import pool_image
from imgconv.modes import PoolMode
from imgconv.window import Window

pytestmark = pytest.mark.sweep(4)

ORACLES = {"max": largest, "min": smallest, "median": lower_median, "avg": rounded_mean, "range": spread, "std": rounded_deviation}
FLOATING = {"avg": mean, "std": deviation}
MODES = [mode.typed.replace("P", "80") for mode in PoolMode]


def image(shape, dtype, seed=0):
    rng = np.random.default_rng(seed)
    if np.dtype(dtype).kind == "u":
        return rng.integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)
    return rng.standard_normal(shape).astype(dtype)


def places(size, kernel, stride, pads, dilation, ceil_mode):
    """(i, j, ys, xs) for paddings that may differ before and after; with ceil_mode they are the same."""
    counts = [
        output_size(n, k, s, p[0], d, True) if ceil_mode else output_size(n + sum(p), k, s, 0, d)
        for n, k, s, p, d in zip(size, kernel, stride, pads, dilation, strict=True)
    ]
    ys, xs = (
        [taps(i * s - p[0], k, d, n) for i in range(count)]
        for count, n, k, s, p, d in zip(counts, size, kernel, stride, pads, dilation, strict=True)
    )
    return [(i, j, y, x) for i, y in enumerate(ys) for j, x in enumerate(xs)]


def expected(pixels, mode, where):
    name, _, percent = mode.partition(":")
    oracle = ranked(float(percent)) if percent else FLOATING[mode] if name in FLOATING and pixels.dtype.kind == "f" else ORACLES[name]
    return pool(pixels.transpose(2, 0, 1)[None], where, oracle)[0].transpose(1, 2, 0)


def assert_pooled(pixels, window, mode, where):
    got = pool_image(pixels, window, mode)
    assert got.dtype == pixels.dtype and got.flags.c_contiguous
    if mode in FLOATING and pixels.dtype.kind == "f":
        np.testing.assert_allclose(got, expected(pixels, mode, where), 1e-5, 1e-5)
    else:
        np.testing.assert_array_equal(got, expected(pixels, mode, where))


@examples(40)
@given(
    st.sampled_from(MODES),
    st.sampled_from([np.uint8, np.float32]),
    st.tuples(st.integers(1, 4), st.integers(1, 4)),
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
    st.tuples(st.integers(1, 2), st.integers(1, 2)),
    st.sampled_from([1, 3]),
    st.booleans(),
    st.integers(0, 99),
)
def test_numbers_of_padding(mode, dtype, kernel, stride, dilation, channels, ceil_mode, seed):
    rng = np.random.default_rng(seed)
    size = tuple(int(n) for n in rng.integers(7, 16, 2))
    padding = tuple(int(rng.integers(0, k // 2 + 1)) for k in kernel)
    where = places(size, kernel, stride, [(p, p) for p in padding], dilation, ceil_mode)
    window = Window.of(kernel, stride, padding, dilation, ceil_mode=ceil_mode)
    assert_pooled(image((*size, channels), dtype, seed), window, mode, where)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("name", "kernel", "stride", "pads"),
    [
        ("valid", (3, 2), (3, 2), ((0, 0), (0, 0))),
        ("same", (4, 3), (1, 1), ((1, 2), (1, 1))),
        ("same", (3, 4), (2, 3), ((1, 1), (1, 1))),
        ("full", (3, 4), (2, 1), ((2, 2), (3, 3))),
        (2, (3, 5), (1, 2), ((2, 2), (2, 2))),
    ],
)
def test_named_padding(name, kernel, stride, pads, mode):
    pixels = image((9, 11, 3), np.uint8)
    where = places((9, 11), kernel, stride, pads, (1, 1), False)
    assert_pooled(pixels, Window.of(kernel, stride, name), mode, where)


@pytest.mark.sweep(6)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, pytest.param(np.float64, marks=pytest.mark.exhaustive)])
@pytest.mark.parametrize("mode", MODES)
def test_large_windows(mode, dtype):
    pixels = image((40, 37, 3), dtype)
    where = places((40, 37), (35, 33), (3, 2), ((17, 17), (16, 16)), (1, 1), False)
    assert_pooled(pixels, Window.of((35, 33), (3, 2), (17, 16)), mode, where)


@pytest.mark.parametrize(("stride", "dilation"), [(1, 2), (2, 3), (3, 2), (4, 2), (40, 1)])
def test_large_dilated_medians(stride, dilation):
    """Windows that a histogram slides to in steps of several columns, or not at all."""
    pixels = image((50, 61, 2), np.uint8)
    where = places((50, 61), (13, 15), (5, stride), ((6, 6), (7, 7)), (dilation, dilation), False)
    assert_pooled(pixels, Window.of((13, 15), (5, stride), (6, 7), dilation), "median", where)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("kernel", [(2, 1), (2, 2), (3, 2), (2, 5), (4, 4), (181, 182), (260, 258)])
def test_averages_round_half_to_even(dtype, kernel):
    """Windows whose sums lie at every half and just beside it, where a quotient's error would show."""
    taps, most = kernel[0] * kernel[1], int(np.iinfo(dtype).max)
    rng = np.random.default_rng(0)
    sums = [taps * int(m) + taps // 2 + d for m in rng.integers(0, most, 40) for d in (-1, 0, 1)]
    blocks = []
    for total in sums:
        cells = np.full(taps, total // taps, np.int64)
        cells[: total % taps] += 1
        blocks.append(cells.reshape(kernel))
    pixels = np.concatenate(blocks, axis=1).astype(dtype)[..., None]
    got = pool_image(pixels, Window.of(kernel, kernel), "avg")
    assert got.ravel().tolist() == [round(Fraction(total, taps)) for total in sums]


@pytest.mark.sweep(3)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5])
def test_average_of_two_by_two(channels, dtype):
    """The commonest pool has a loop of its own, which must not take windows that only look like it."""
    pixels = image((13, 17, channels), dtype)
    pixels[:4] = np.iinfo(dtype).max
    alike = [((1, 1), (1, 1), False), ((0, 0), (1, 2), False), ((0, 0), (1, 1), True)] if FULL or channels in (1, 5) else []
    for padding, dilation, ceil_mode in [((0, 0), (1, 1), False), *alike]:
        where = places((13, 17), (2, 2), (2, 2), [(p, p) for p in padding], dilation, ceil_mode)
        assert_pooled(pixels, Window.of(2, 2, padding, dilation, ceil_mode=ceil_mode), "avg", where)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kernel", [3, 19])
def test_nan_stays_in_its_windows(mode, kernel):
    pixels = image((30, 32, 3), np.float32)
    pixels[15, 2, 1] = np.nan
    got = pool_image(pixels, Window.of(kernel, 1, "same"), mode)
    half = kernel // 2
    broken = np.zeros(got.shape, bool)
    broken[15 - half : 16 + half, max(2 - half, 0) : 3 + half, 1] = True
    np.testing.assert_array_equal(np.isnan(got), broken)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kernel", [3, 17])
def test_threads_and_memory_change_nothing(mode, kernel):
    pixels = image((700, 611, 3), np.uint8)
    window = Window.of(kernel, 1, "same")
    alone = pool_image(pixels, window, mode, threads=1)
    np.testing.assert_array_equal(pool_image(pixels, window, mode, threads=3), alone)
    frozen = np.asfortranarray(pixels[::-1])[::-1]
    frozen.flags.writeable = False
    np.testing.assert_array_equal(pool_image(frozen, window, mode), alone)
    cut = pool_image(pixels[100:300, 50:400], window, mode)
    edge = kernel // 2
    np.testing.assert_array_equal(cut[edge:-edge, edge:-edge], alone[100 + edge : 300 - edge, 50 + edge : 400 - edge])


def test_one_pixel_windows_copy():
    pixels = image((5, 6, 3), np.uint8)
    for mode in MODES:
        got = pool_image(pixels, Window.of(1), mode)
        np.testing.assert_array_equal(got, np.zeros_like(pixels) if mode in ("range", "std") else pixels)
        assert not np.shares_memory(got, pixels)


@pytest.mark.parametrize(
    ("error", "text", "shape", "dtype", "window", "mode"),
    [
        (UsageError, "pool mode 'middle' is unknown; use one of max, avg, min, median", (4, 4, 1), np.uint8, Window.of(2), "middle"),
        (UsageError, "dtype int32 cannot be pooled", (4, 4, 1), np.int32, Window.of(2), "max"),
        (ArgumentTypeError, "complex64", (4, 4, 1), np.complex64, Window.of(2), "max"),
        (DoesNotFit, "pixels must have 3 dimensions", (4, 4), np.uint8, Window.of(2), "max"),
        (DoesNotFit, "has nothing to pool", (4, 4, 0), np.uint8, Window.of(2), "max"),
        (DoesNotFit, "does not fit the padded input 4x4", (4, 4, 1), np.uint8, Window.of(5), "max"),
        (DoesNotFit, "only padding", (4, 4, 1), np.uint8, Window.of(2, 1, 3), "avg"),
        (DoesNotFit, "only padding", (1, 4, 1), np.uint8, Window.of(2, 1, "full", 2), "max"),
    ],
)
def test_refused(error, text, shape, dtype, window, mode):
    with pytest.raises(error, match=text):
        pool_image(np.zeros(shape, dtype), window, mode)
