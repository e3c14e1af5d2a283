"""Max, min and median pools and unpooling: oracle, torch's stored results, dtypes, and the arguments that they refuse."""

import numpy as np
import pytest
from examples import each_once, examples
from golden_cases import golden
from hypothesis import given
from hypothesis import strategies as st
from naive_pooling import first_largest, first_smallest, largest, lower_median, pool, smallest, windows

from imgconv.errors import ArgumentTypeError, DoesNotFit, UsageError
from imgconv.functional.pooling import max_pool1d, max_pool2d, max_unpool2d, median_pool2d, min_pool2d

pytestmark = pytest.mark.sweep(4)

DTYPES = [np.bool_, np.uint8, np.int16, np.uint16, np.int64, np.float16, np.float32, np.float64]


def values(shape, dtype=np.float32, seed=0):
    """Random values of a dtype's whole range, floats with ties."""
    rng = np.random.default_rng(seed)
    if np.dtype(dtype).kind in "iu":
        limits = np.iinfo(dtype)
        return rng.integers(limits.min, limits.max, shape, dtype, endpoint=True)
    return (rng.integers(-8, 8, shape) / 4).astype(dtype)


@st.composite
def geometries(draw, dilated=True):
    """Windows with unequal sizes, strides and paddings that torch accepts."""
    kernel = draw(st.tuples(st.integers(1, 5), st.integers(1, 5)))
    dilation = draw(st.tuples(st.integers(1, 3), st.integers(1, 3))) if dilated else (1, 1)
    span = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    padding = tuple(draw(st.integers(0, k // 2)) for k in kernel)
    size = tuple(draw(st.integers(s, s + 9)) for s in span)
    stride = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    return size, {"kernel_size": kernel, "stride": stride, "padding": padding, "dilation": dilation}


@pytest.mark.parametrize(("parameters", "arrays"), golden("max_pool2d"))
def test_max_pool2d_equals_torch(parameters, arrays):
    output, indices = max_pool2d(arrays["input"], **parameters, return_indices=True)
    np.testing.assert_array_equal(output, arrays["output"].astype(np.float32))
    np.testing.assert_array_equal(indices, arrays["indices"])
    np.testing.assert_array_equal(max_pool2d(arrays["input"], **parameters), output)


@examples(60)
@given(geometries(), st.booleans(), st.sampled_from([np.float32, np.uint8]), st.integers(0, 99))
def test_extremes_equal_the_oracle(geometry, ceil_mode, dtype, seed):
    size, window = geometry
    batch = values((2, 1, *size), dtype, seed)
    for call, value, index in ((max_pool2d, largest, first_largest), (min_pool2d, smallest, first_smallest)):
        got, indices = call(batch, **window, ceil_mode=ceil_mode, return_indices=True)
        np.testing.assert_array_equal(got, pool(batch, windows(size, **window, ceil_mode=ceil_mode), value))
        np.testing.assert_array_equal(indices, pool(batch, windows(size, **window, ceil_mode=ceil_mode), index, np.int64))
        np.testing.assert_array_equal(call(batch, **window, ceil_mode=ceil_mode), got)


@examples(40)
@given(geometries(dilated=False), st.sampled_from([np.float32, np.uint8, np.int16]), st.integers(0, 99))
def test_medians_equal_the_oracle(geometry, dtype, seed):
    size, window = geometry
    window.pop("dilation")
    batch = values((1, 2, *size), dtype, seed)
    np.testing.assert_array_equal(median_pool2d(batch, **window), pool(batch, windows(size, **window), lower_median))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kernel_size", [(3, 2), (17, 15)])
def test_median_of_small_and_large_windows(dtype, kernel_size):
    batch = values((2, 1, 20, 23), dtype)
    window = {"kernel_size": kernel_size, "stride": (2, 1), "padding": (kernel_size[0] // 2, 1)}
    got = median_pool2d(batch, **window)
    assert got.dtype == dtype
    np.testing.assert_array_equal(got, pool(batch, windows((20, 23), **window), lower_median))


@pytest.mark.parametrize(("dtype", "call"), each_once(DTYPES, [max_pool2d, min_pool2d]))
def test_extremes_keep_the_dtype(call, dtype):
    batch = values((1, 2, 7, 9), dtype)
    got, indices = call(batch, (2, 3), 2, (1, 1), return_indices=True)
    assert (got.dtype, indices.dtype) == (dtype, np.int64)
    oracle = largest if call is max_pool2d else smallest
    np.testing.assert_array_equal(got, pool(batch, windows((7, 9), (2, 3), (2, 2), (1, 1)), oracle))
    np.testing.assert_array_equal(call(batch, (2, 3), 2, (1, 1)), got)


@pytest.mark.parametrize("kernel_size", [3, 16])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_nan_and_infinity(dtype, kernel_size):
    batch = values((1, 1, 21, 20), dtype)
    batch[0, 0, 4, 5], batch[0, 0, 18, 18], batch[0, 0, 0, 0] = np.nan, np.inf, -np.inf
    positions = list(windows((21, 20), (kernel_size,) * 2, (1, 1), (1, 1)))
    for call, oracle in ((max_pool2d, largest), (min_pool2d, smallest), (median_pool2d, lower_median)):
        np.testing.assert_array_equal(call(batch, kernel_size, 1, 1), pool(batch, positions, oracle))
    indices = max_pool2d(batch, kernel_size, 1, 1, return_indices=True)[1]
    np.testing.assert_array_equal(indices, pool(batch, positions, first_largest, np.int64))


def test_all_nan_and_constant_planes():
    assert np.isnan(median_pool2d(np.full((1, 17, 17), np.nan), 17)).all()
    np.testing.assert_array_equal(median_pool2d(np.full((1, 17, 17), 2.5), 17), [[[2.5]]])
    lowest = np.full((1, 1, 4, 4), -np.inf)
    np.testing.assert_array_equal(max_pool2d(lowest, 3, 1, 1, return_indices=True)[1][0, 0, 0], [0, 0, 1, 2])


def test_window_without_cells():
    """torch gives the lowest value too, but an index outside the plane."""
    got, indices = max_pool2d(np.ones((1, 1, 1)), 2, 1, 1, 2, return_indices=True)
    assert got == -np.inf and indices == -1
    assert min_pool2d(np.ones((1, 1, 1), np.uint8), 2, 1, 1, 2) == 255


def test_one_dimension_is_a_plane_of_height_one():
    signal = values((2, 3, 14))
    got, indices = max_pool1d(signal, 3, 2, 1, 2, True, True)
    flat, flat_indices = max_pool2d(signal[:, :, None], (1, 3), (1, 2), (0, 1), (1, 2), True, True)
    np.testing.assert_array_equal(got, flat[:, :, 0])
    np.testing.assert_array_equal(indices, flat_indices[:, :, 0])
    np.testing.assert_array_equal(max_pool1d(signal[0], (3,), (2,), (1,), (2,), True), got[0])


@pytest.mark.parametrize("call", [max_pool2d, min_pool2d, median_pool2d])
def test_layouts_of_memory(call):
    batch = values((2, 3, 9, 8), np.float32)
    expected = call(batch, 3, 2, 1)
    read_only = batch.copy()
    read_only.flags.writeable = False
    flipped = batch[:, :, ::-1, ::-1].copy()[:, :, ::-1, ::-1]
    swapped = batch.astype(batch.dtype.newbyteorder())
    for same in (np.asfortranarray(batch), read_only, flipped, np.repeat(batch, 2, axis=3)[..., ::2], swapped):
        np.testing.assert_array_equal(call(same, 3, 2, 1), expected)
    assert expected.flags.c_contiguous and expected.flags.writeable
    np.testing.assert_array_equal(call(batch[1], 3, 2, 1), expected[1])


@pytest.mark.parametrize("call", [max_pool2d, min_pool2d, median_pool2d])
def test_results_are_new(call):
    batch = values((1, 4, 4), np.float32)
    before = batch.copy()
    got = call(batch, 1)
    np.testing.assert_array_equal(got, batch)
    got[:] = 0
    np.testing.assert_array_equal(batch, before)


@pytest.mark.parametrize("call", [max_pool2d, min_pool2d, median_pool2d])
def test_empty_batch(call):
    got = call(np.zeros((0, 3, 6, 7), np.uint8), 2)
    assert (got.shape, got.dtype) == ((0, 3, 3, 3), np.uint8)


def test_empty_batch_with_indices():
    assert max_pool2d(np.zeros((0, 3, 6, 7)), 2, return_indices=True)[1].shape == (0, 3, 3, 3)


@pytest.mark.parametrize("stride", [None, (), []])
def test_the_default_stride_is_the_kernel_size(stride):
    batch = values((1, 1, 7, 9))
    np.testing.assert_array_equal(max_pool2d(batch, (2, 3), stride), max_pool2d(batch, (2, 3), (2, 3)))


@pytest.mark.parametrize(
    ("error", "facts", "shape", "arguments"),
    [
        (DoesNotFit, r"input.*\(6,\)", (6,), (2,)),
        (DoesNotFit, "no cells", (3, 0, 6, 6), (2,)),
        (DoesNotFit, "no cells", (3, 2, 0, 6), (2,)),
        (DoesNotFit, "kernel 7x7.*6x6", (1, 6, 6), (7,)),
        (UsageError, "padding 2 .*half .*kernel_size 2", (1, 6, 6), (2, 1, 2)),
        (UsageError, r"padding 1 .*half .*kernel_size \(1, 3\)", (1, 6, 6), ((1, 3), 1, 1)),
        (UsageError, "padding.*at least 0.*-1", (1, 6, 6), (2, 1, -1)),
        (UsageError, "kernel_size.*at least 1.*0", (1, 6, 6), (0,)),
        (UsageError, "stride.*at least 1.*0", (1, 6, 6), (2, 0)),
        (UsageError, "has 3 numbers", (1, 6, 6), ((2, 2, 2),)),
        (ArgumentTypeError, "kernel_size.*whole number", (1, 6, 6), (2.0,)),
        (ArgumentTypeError, "padding of a pool.*whole number.*'same'", (1, 6, 6), (2, 1, "same")),
    ],
)
@pytest.mark.parametrize("call", [max_pool2d, min_pool2d, median_pool2d])
def test_they_refuse(call, error, facts, shape, arguments):
    with pytest.raises(error, match=facts):
        call(np.zeros(shape), *arguments)


def test_max_pools_refuse_dilation_and_dtype():
    with pytest.raises(UsageError, match=r"dilation.*at least 1"):
        max_pool2d(np.zeros((1, 6, 6)), 2, dilation=0)
    with pytest.raises(ArgumentTypeError, match="complex64"):
        max_pool2d(np.zeros((1, 6, 6), np.complex64), 2)
    with pytest.raises(DoesNotFit, match=r"\(N,C,L\)"):
        max_pool1d(np.zeros(6), 2)


@pytest.mark.parametrize("call", [max_pool2d, min_pool2d, median_pool2d])
def test_arrays_need_not_be_aligned(call):
    aligned = values((1, 2, 5, 6))
    shifted = np.frombuffer(b"-" + aligned.tobytes(), np.float32, offset=1).reshape(aligned.shape)
    np.testing.assert_array_equal(call(shifted, 2), call(aligned, 2))


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_unpooling_puts_values_back(dtype):
    batch = np.random.default_rng(0).permutation(2 * 3 * 7 * 8).reshape(2, 3, 7, 8).astype(dtype)
    pooled, indices = max_pool2d(batch, 2, return_indices=True)
    back = max_unpool2d(pooled, indices, 2, output_size=(7, 8))
    assert back.dtype == dtype
    restored = back != 0
    np.testing.assert_array_equal(back[restored], batch[restored])
    np.testing.assert_array_equal(max_pool2d(back, 2), pooled)
    np.testing.assert_array_equal(max_unpool2d(pooled[1], indices[1], 2, output_size=(2, 3, 7, 8)), back[1])


def test_unpooled_size():
    values, indices = np.ones((1, 1, 3, 4)), np.zeros((1, 1, 3, 4), np.int64)
    assert max_unpool2d(values, indices, (3, 2), (2, 1), (1, 0)).shape == (1, 1, 5, 5)
    assert max_unpool2d(values, indices, 2, output_size=[7, 9]).shape == (1, 1, 7, 9)
    assert max_unpool2d(values[:0], indices[:0], 2).shape == (0, 1, 6, 8)


def test_the_last_of_several_values_for_one_cell_is_written():
    assert max_unpool2d(np.array([[[1.0, 2.0]]]), np.zeros((1, 1, 2), np.int64), 2)[0, 0, 0] == 2


@pytest.mark.parametrize(
    ("error", "facts", "change"),
    [
        (UsageError, "indices.*0 to 35.*36", {"indices": np.full((1, 3, 3), 36)}),
        (UsageError, "indices.*-1", {"indices": np.full((1, 3, 3), -1)}),
        (ArgumentTypeError, "indices.*int64.*int32", {"indices": np.zeros((1, 3, 3), np.int32)}),
        (DoesNotFit, r"indices.*\(1, 3, 3\).*\(1, 2, 3\)", {"indices": np.zeros((1, 2, 3), np.int64)}),
        (DoesNotFit, r"output_size \(8, 8\).*stride \(2, 2\).*\(6, 6\)", {"output_size": (8, 8)}),
        (DoesNotFit, "less than one stride", {"output_size": (4, 6)}),
        (UsageError, "output_size.*2 numbers, or 4", {"output_size": (7, 7, 7)}),
        (UsageError, "output_size.*2 numbers, or 4", {"output_size": 7}),
        (UsageError, "stride.*at least 1", {"stride": 0}),
        (UsageError, r"kernel_size \(2,\).*1 number", {"kernel_size": (2,)}),
    ],
)
def test_unpooling_refuses(error, facts, change):
    arguments = {"input": np.ones((1, 3, 3)), "indices": np.zeros((1, 3, 3), np.int64), "kernel_size": 2, **change}
    with pytest.raises(error, match=facts):
        max_unpool2d(**arguments)
