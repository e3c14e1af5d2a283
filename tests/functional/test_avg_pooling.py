"""Average pools: oracle, torch's stored results, exact sums, divisors, and the arguments that they refuse."""

import numpy as np
import pytest
from examples import examples
from golden_cases import golden
from hypothesis import given
from hypothesis import strategies as st
from naive_pooling import mean, pool, windows

import imgconv.engine.parallel
from imgconv.errors import ArgumentTypeError, DoesNotFit, UsageError
from imgconv.functional.avg_pooling import avg_pool1d, avg_pool2d

pytestmark = pytest.mark.sweep(4)

TOLERANCE = {np.float32: 1e-5, np.float64: 1e-12}  # of |r| + max|r|


def assert_near(got, expected, dtype=np.float32):
    assert got.dtype == dtype
    np.testing.assert_allclose(got, expected, TOLERANCE[dtype], TOLERANCE[dtype] * np.abs(expected).max(initial=0))


@pytest.mark.parametrize(("parameters", "arrays"), golden("avg_pool2d"))
def test_avg_pool2d_equals_torch(parameters, arrays):
    assert_near(avg_pool2d(arrays["input"], **parameters), arrays["output"])
    assert_near(avg_pool2d(arrays["input"].astype(np.float64), **parameters), arrays["output"], np.float64)


@examples(40)
@given(
    st.tuples(st.integers(1, 5), st.integers(1, 5)),
    st.tuples(st.integers(1, 4), st.integers(1, 4)),
    st.tuples(st.integers(5, 13), st.integers(5, 13)),
    st.booleans(),
    st.integers(0, 99),
)
def test_averages_equal_the_oracle(kernel_size, stride, size, ceil_mode, seed):
    batch = np.random.default_rng(seed).standard_normal((2, 2, *size)).astype(np.float32)
    padding = tuple(k // 2 for k in kernel_size)
    positions = list(windows(size, kernel_size, stride, padding, ceil_mode=ceil_mode))
    assert_near(
        avg_pool2d(batch, kernel_size, stride, padding, ceil_mode, count_include_pad=False), pool(batch, positions, mean, np.float64)
    )
    sums = pool(batch, positions, lambda cells, _: cells.astype(np.float64).sum(), np.float64)
    assert_near(avg_pool2d(batch, kernel_size, stride, padding, ceil_mode, divisor_override=-3), sums / -3)
    padded = np.pad(batch, ((0, 0), (0, 0), *((p, p) for p in padding)))
    whole = list(windows(padded.shape[2:], kernel_size, stride))
    assert_near(avg_pool2d(batch, kernel_size, stride, padding), pool(padded, whole, mean, np.float64))


@pytest.mark.parametrize("dtype", [np.bool_, np.uint8, np.int16, np.uint16, np.int64, np.float16, np.float32, np.float64])
def test_dtypes(dtype):
    rng = np.random.default_rng(3)
    batch = rng.integers(0, 2 if dtype == np.bool_ else 120, (1, 2, 8, 9)).astype(dtype)
    expected = pool(batch, windows((8, 9), (3, 2), (2, 2)), mean, np.float64)
    assert_near(avg_pool2d(batch, (3, 2), 2), expected, np.float64 if dtype == np.float64 else np.float32)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int64])
def test_sums_of_whole_numbers_are_exact(dtype):
    top = min(np.iinfo(dtype).max, 2**40)
    batch = np.random.default_rng(5).integers(0, top, (1, 260, 261), dtype, endpoint=True)
    got = avg_pool2d(batch, (260, 260), 1, divisor_override=1)
    sums = np.stack([batch[:, :, at : at + 260].astype(object).sum(axis=(1, 2)) for at in (0, 1)], axis=-1)
    np.testing.assert_array_equal(got[:, 0], sums.astype(np.float64).astype(np.float32))


@pytest.mark.parametrize("size", [(6, 8), (7, 9), (2, 2)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_two_by_two(size, dtype):
    """The most common pool has a loop of its own."""
    batch = np.random.default_rng(0).standard_normal((2, 3, *size)).astype(dtype)
    assert_near(avg_pool2d(batch, 2), pool(batch, windows(size, (2, 2), (2, 2)), mean, np.float64), dtype)
    assert_near(avg_pool2d(batch, 2, divisor_override=1), 4 * avg_pool2d(batch, 2), dtype)
    padded = np.pad(batch, ((0, 0), (0, 0), (1, 1), (1, 1)))
    assert_near(avg_pool2d(batch, 2, padding=1), avg_pool2d(padded, 2), dtype)
    assert avg_pool2d(batch, 2, ceil_mode=True).shape[2:] == tuple(-(-n // 2) for n in size)
    batch[0, 0, 0, 0], batch[1, 2, 0, 1] = np.nan, np.inf
    got = avg_pool2d(batch, 2)
    assert np.isnan(got[0, 0, 0, 0]) and got[1, 2, 0, 0] == np.inf and np.isfinite(got).sum() == got.size - 2


def test_tall_windows_stay_accurate():
    """0.1 added 3000 times in float32 is off by 5e-5 of itself."""
    column = np.full((1, 3000, 2), 0.1, np.float32)
    assert_near(avg_pool2d(column, (3000, 1)), np.full((1, 1, 2), np.float64(np.float32(0.1))))
    assert_near(avg_pool1d(np.ascontiguousarray(column[..., 0]), 3000), np.full((1, 1), np.float64(np.float32(0.1))))


def test_nan_and_infinity_stay_in_their_windows():
    batch = np.zeros((1, 1, 3, 9), np.float32)
    batch[0, 0, 1, [1, 4]] = np.nan, np.inf
    np.testing.assert_array_equal(avg_pool2d(batch, 3)[0, 0, 0], [np.nan, np.inf, 0])
    np.testing.assert_array_equal(avg_pool2d(batch, 3, 1)[0, 0, 0, -2:], [0, 0])


def test_one_dimension_is_a_plane_of_height_one():
    signal = np.random.default_rng(1).standard_normal((2, 3, 14))
    expected = avg_pool2d(signal[:, :, None], (1, 4), (1, 3), (0, 2), True, False)
    np.testing.assert_array_equal(avg_pool1d(signal, 4, 3, 2, True, False), expected[:, :, 0])
    np.testing.assert_array_equal(avg_pool1d(signal[1], (4,), (3,), (2,), True, False), expected[1, :, 0])


def test_threads_and_memory_change_nothing(monkeypatch):
    batch = np.random.default_rng(2).standard_normal((3, 5, 400, 301)).astype(np.float32)
    expected = avg_pool2d(batch, (5, 3), 1, 1)
    monkeypatch.setattr(imgconv.engine.parallel, "default_threads", lambda: 1)
    np.testing.assert_array_equal(avg_pool2d(batch, (5, 3), 1, 1), expected)
    np.testing.assert_array_equal(avg_pool2d(np.asfortranarray(batch[:, :, ::-1])[:, :, ::-1], (5, 3), 1, 1), expected)
    assert expected.flags.c_contiguous and expected.flags.writeable


def test_empty_batch():
    got = avg_pool2d(np.zeros((0, 3, 6, 7), np.uint8), 2)
    assert (got.shape, got.dtype) == ((0, 3, 3, 3), np.float32)


@pytest.mark.parametrize(
    ("error", "facts", "shape", "arguments"),
    [
        (DoesNotFit, r"input.*\(6,\)", (6,), (2,)),
        (DoesNotFit, "no cells", (3, 0, 6, 6), (2,)),
        (DoesNotFit, "kernel 8x8.*6x6", (1, 6, 6), (8, 2, 0, True)),
        (UsageError, "padding 2 .*half .*kernel_size 3", (1, 6, 6), (3, 1, 2)),
        (UsageError, "divisor_override.*0", (1, 6, 6), (2, 1, 0, False, True, 0)),
        (ArgumentTypeError, "divisor_override.*whole number.*2.5", (1, 6, 6), (2, 1, 0, False, True, 2.5)),
        (ArgumentTypeError, "stride.*whole number.*1.5", (1, 6, 6), (2, 1.5)),
    ],
)
def test_average_pools_refuse(error, facts, shape, arguments):
    with pytest.raises(error, match=facts):
        avg_pool2d(np.zeros(shape), *arguments)
    with pytest.raises(UsageError, match=r"2 numbers; give one$"):
        avg_pool1d(np.zeros((1, 6)), (2, 2))
