"""conv1d and conv2d: torch's stored results, a float64 oracle, scipy's convolution, dtypes, layouts, memory and threads."""

import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import naive
import numpy as np
import pytest
from closeness import assert_agrees, layouts
from closeness import numbers as numbers_of
from examples import FLOATS, examples
from golden_cases import golden
from hypothesis import given
from hypothesis import strategies as st

from imgconv.engine import parallel
from imgconv.functional.conv import conv1d, conv2d
from imgconv.window import Window
from imgconv.windows import correlation, tiles

pytestmark = pytest.mark.sweep(4)
numbers = partial(numbers_of, dtype=FLOATS[-1])


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(("parameters", "arrays"), golden("conv2d") + golden("conv2d_padding_mode"))
def test_conv2d_golden(parameters, arrays, dtype):
    bias = arrays["bias"].astype(dtype) if "bias" in arrays else None
    assert_agrees(conv2d(arrays["input"].astype(dtype), arrays["weight"].astype(dtype), bias, **parameters), arrays["output"])


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(("parameters", "arrays"), golden("conv1d"))
def test_conv1d_golden(parameters, arrays, dtype):
    bias = arrays["bias"].astype(dtype) if "bias" in arrays else None
    assert_agrees(conv1d(arrays["input"].astype(dtype), arrays["weight"].astype(dtype), bias, **parameters), arrays["output"])


pairs = st.tuples(st.integers(1, 3), st.integers(1, 3))


@st.composite
def convolutions(draw):
    groups, depth, outputs = draw(st.integers(1, 3)), draw(st.integers(1, 3)), draw(st.integers(1, 6))
    kernel, dilation = draw(st.tuples(st.integers(1, 4), st.integers(1, 4))), draw(pairs)
    padding = draw(st.tuples(st.integers(0, 3), st.integers(0, 3)))
    smallest = [max(1, d * (k - 1) + 1 - 2 * p) for k, d, p in zip(kernel, dilation, padding, strict=True)]
    size = [draw(st.integers(n, n + 6)) for n in smallest]
    input = numbers(draw(st.integers(1, 2)), groups * depth, *size, seed=draw(st.integers(0, 99)))
    weight = numbers(groups * outputs, depth, *kernel, seed=1)
    return input, weight, {"stride": draw(pairs), "padding": padding, "dilation": dilation, "groups": groups}


@examples(60)
@given(convolutions(), st.sampled_from(FLOATS))
def test_conv2d_agrees_with_the_oracle(case, dtype):
    input, weight, parameters = case
    bias = numbers(len(weight), seed=2)
    (ph, pw), others = parameters["padding"], {name: v for name, v in parameters.items() if name != "padding"}
    arrays = [a.astype(dtype) for a in (input, weight, bias)]
    assert_agrees(conv2d(*arrays, **parameters), naive.conv2d(*arrays, pads=((ph, ph), (pw, pw)), **others))


@pytest.mark.parametrize("mode", ["zeros", "replicate", "reflect", "symmetric", "circular"])
@pytest.mark.parametrize("stride", [1, (2, 3)])
@pytest.mark.parametrize("padding", [(3, 2), "same", "full"])
def test_padding_modes_agree_with_the_oracle(mode, stride, padding):
    input, weight = numbers(2, 3, 7, 9), numbers(4, 3, 2, 4, seed=1)
    pads = Window.of((2, 4), stride, padding).pads((7, 9))
    assert_agrees(
        conv2d(input, weight, stride=stride, padding=padding, padding_mode=mode), naive.conv2d(input, weight, None, stride, pads, mode=mode)
    )


@pytest.mark.parametrize(
    ("ours", "scipys"), [("symmetric", "reflect"), ("reflect", "mirror"), ("replicate", "nearest"), ("circular", "wrap")]
)
def test_padding_modes_under_the_names_of_scipy(ours, scipys):
    ndimage = pytest.importorskip("scipy.ndimage")
    image, kernel = numbers(8, 11), numbers(5, 3, seed=1)
    assert_agrees(conv2d(image, kernel, padding="same", padding_mode=ours), ndimage.correlate(image, kernel, mode=scipys))


def test_a_constant_border_holds_its_value():
    padded = conv2d(np.zeros((1, 2, 2), np.float32), np.ones((1, 1, 3, 3), np.float32), padding=1, padding_mode=("constant", 2.5))
    np.testing.assert_array_equal(padded, np.full((1, 2, 2), 12.5))


@pytest.mark.parametrize("stride", [1, 2, 3, 5])
def test_same_gives_ceil_of_size_by_stride_and_the_odd_cell_after(stride):
    input, weight = numbers(1, 1, 7, 10), numbers(1, 1, 4, 3, seed=1)
    result = conv2d(input, weight, stride=stride, padding="same")
    assert result.shape[2:] == (-(-7 // stride), -(-10 // stride))
    if stride == 2:  # height: (4-1)*2 + 4 - 7 = 3, so 1 above and 2 below; width: (5-1)*2 + 3 - 10 = 1, so 0 and 1
        assert_agrees(result, naive.conv2d(input, weight, None, 2, ((1, 2), (0, 1))))


@pytest.mark.parametrize("mode", ["full", "same", "valid"])
def test_flip_gives_the_convolution_of_scipy(mode):
    signal = pytest.importorskip("scipy.signal")
    image, kernel = numbers(8, 11), numbers(5, 3, seed=1)
    assert_agrees(conv2d(image, kernel, padding=mode, flip=True), signal.convolve2d(image, kernel, mode))


def test_flip_rotates_only_the_spatial_axes():
    input, weight = numbers(2, 4, 9), numbers(3, 4, 5, seed=1)
    np.testing.assert_array_equal(conv1d(input, weight, flip=True, padding="full"), conv1d(input, weight[:, :, ::-1], padding=4))


@pytest.mark.parametrize(
    ("channels", "outputs", "groups", "size"), [(40, 32, 1, 5), (3, 8, 1, 60), (6, 6, 6, 40), (6, 12, 6, 33), (20, 30, 5, 12)]
)
def test_a_delta_kernel_is_the_identity_whatever_the_algorithm(channels, outputs, groups, size):
    input = numbers(2, channels, size, size + 3).astype(np.float32)
    weight = np.zeros((outputs, channels // groups, 3, 5), np.float32)
    for o in range(outputs):
        weight[o, o % (channels // groups), 1, 2] = 1
    result = conv2d(input, weight, padding=(1, 2), groups=groups)
    for o in range(outputs):
        group = o // (outputs // groups)
        np.testing.assert_array_equal(result[:, o], input[:, group * (channels // groups) + o % (channels // groups)])


@pytest.mark.parametrize("dtype", [np.bool_, np.uint8, np.int8, np.uint16, np.int32, np.int64, np.float16, np.float32])
def test_small_dtypes_give_float32(dtype):
    input = (np.arange(2 * 5 * 7).reshape(1, 2, 5, 7) % 11).astype(dtype)
    weight = np.array([[[[1, -2], [3, 4]]] * 2] * 3)
    result = conv2d(input, weight, np.array([1, 2, 3], np.uint8))
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result, naive.conv2d(input, weight, [1, 2, 3]))


@pytest.mark.parametrize("which", ["input", "weight", "bias"])
def test_any_float64_gives_float64(which):
    arrays = {"input": numbers_of(1, 2, 5, 7), "weight": numbers_of(3, 2, 2, 2, seed=1), "bias": numbers_of(3, seed=2)}
    mixed = {name: a if name == which else a.astype(np.float32) for name, a in arrays.items()}
    assert_agrees(conv2d(**mixed), naive.conv2d(**mixed))
    assert conv2d(**mixed).dtype == np.float64


def test_sums_of_integers_are_exact():
    input = np.random.default_rng(0).integers(0, 256, (1, 20, 9, 40), np.uint8)
    weight = np.random.default_rng(1).integers(-12, 13, (5, 20, 5, 5))
    np.testing.assert_array_equal(conv2d(input, weight), naive.conv2d(input, weight))


@pytest.mark.parametrize("outputs", [1, 5])
def test_long_sums_of_one_sign_keep_their_digits(outputs):
    input, weight = np.abs(numbers(1, 300, 18, 21)).astype(np.float32), np.abs(numbers(outputs, 300, 3, 4, seed=1)).astype(np.float32)
    assert_agrees(conv2d(input, weight), naive.conv2d(input, weight))


@pytest.mark.parametrize("name", layouts(np.zeros((1, 1))))
def test_every_layout_of_the_same_numbers(name):
    arrays = [a.astype(np.float32) for a in (numbers(2, 6, 9, 8), numbers(4, 3, 3, 2, seed=1), numbers(4, seed=2))]
    expected = conv2d(*arrays, stride=(2, 1), padding=1, groups=2)
    given_arrays = [layouts(a)[name] for a in arrays]
    before = [a.copy() for a in given_arrays]
    np.testing.assert_array_equal(conv2d(*given_arrays, stride=(2, 1), padding=1, groups=2), expected)
    for array, copy in zip(given_arrays, before, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_results_are_new_even_for_one_pointwise_tap():
    input = np.ones((1, 1, 3, 4), np.float32)
    result = conv2d(input, np.ones((1, 1, 1, 1), np.float32))
    result[...] = 7
    np.testing.assert_array_equal(input, 1)


@pytest.mark.parametrize(
    ("input", "weight", "output"), [((0, 3, 5, 6), (2, 3, 3, 3), (0, 2, 3, 4)), ((2, 0, 5, 6), (2, 0, 3, 3), (2, 2, 3, 4))]
)
def test_empty_batches_and_no_channels(input, weight, output):
    result = conv2d(np.zeros(input, np.float32), np.zeros(weight, np.float32), np.array([1, 2], np.float32))
    assert result.shape == output
    np.testing.assert_array_equal(result, np.broadcast_to(np.array([[[1.0]], [[2.0]]]), output))


def test_unbatched_and_plain_images():
    input, weight = numbers(3, 6, 7), numbers(2, 3, 3, 3, seed=1)
    np.testing.assert_array_equal(conv2d(input, weight), conv2d(input[None], weight)[0])
    np.testing.assert_array_equal(conv2d(input[0], weight[0, 0], np.array([2.0])), conv2d(input[:1], weight[:1, :1], np.array([2.0]))[0])


@pytest.mark.parametrize(("channels", "outputs"), [(1, 1), (4, 8), (64, 64)])
def test_infinity_and_nan_pass_through_every_tap_even_a_zero(channels, outputs):
    input = np.ones((1, channels, 6, 7), np.float32)
    input[0, 0, 2, 3] = np.inf
    expected = np.zeros((6, 7), bool)
    expected[1:4, 2:5] = True
    result = conv2d(input, np.zeros((outputs, channels, 3, 3), np.float32), padding=1)
    np.testing.assert_array_equal(np.isnan(result), np.broadcast_to(expected, result.shape))


def test_an_infinite_weight_meets_the_padding_as_in_torch():
    weight = np.ones((1, 1, 3, 3), np.float32)
    weight[0, 0, 0, 0] = np.inf
    result = conv2d(np.ones((1, 3, 4), np.float32), weight, padding=1)[0]
    assert np.isnan(result[0]).all() and np.isnan(result[:, 0]).all()
    assert np.isposinf(result[1:, 1:]).all()


SHAPES = [
    ((1, 3, 90, 70), (16, 3, 5, 5), 1),
    ((2, 64, 30, 30), (64, 64, 3, 3), 1),
    ((1, 128, 6, 6), (64, 128, 3, 3), 1),
    ((1, 48, 60, 61), (48, 1, 3, 3), 48),
]


@pytest.mark.parametrize(("input", "weight", "groups"), SHAPES)
def test_the_number_of_threads_changes_no_bit(monkeypatch, input, weight, groups):
    arrays = numbers(*input).astype(np.float32), numbers(*weight, seed=1).astype(np.float32)
    results = []
    for threads in (1, 2, 5):
        for module in (parallel, tiles):
            monkeypatch.setattr(module, "default_threads", lambda threads=threads: threads)
        results.append(conv2d(*arrays, stride=(1, 2), padding=1, groups=groups).tobytes())
    assert len(set(results)) == 1


def test_many_python_threads_at_once():
    cases = [(numbers(1, 8, 40 + i, 30).astype(np.float32), numbers(8, 8, 3, 3, seed=i).astype(np.float32)) for i in range(8)]
    alone = [conv2d(*case) for case in cases]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda case: conv2d(*case), cases * 4))
    for i, result in enumerate(together):
        np.testing.assert_array_equal(result, alone[i % 8])


@pytest.mark.parametrize("mode", ["zeros", ("constant", 2.0), "replicate", "reflect", "symmetric", "circular"])
@pytest.mark.parametrize(("padding", "stride"), [((1, 5), 1), ((0, 3), (1, 4)), ("full", (2, 1)), ("same", (1, 3))])
def test_wide_maps_are_computed_in_strips(monkeypatch, mode, padding, stride):
    input, weight = numbers(2, 4, 3, 11), numbers(6, 2, 2, 3, seed=1)
    parameters = {"padding": padding, "stride": stride, "dilation": (1, 2), "groups": 2, "padding_mode": mode}
    whole = conv2d(input, weight, **parameters)
    monkeypatch.setattr(correlation, "STRIP_COLUMNS", 2)
    assert_agrees(conv2d(input, weight, **parameters), whole)


LARGE = [
    ((3, 1500, 2000), (4, 3, 3, 3)),
    ((512, 64, 700), (8, 512, 3, 3)),
    ((1, 3, 3_000_000), (1, 1, 3, 3)),
    ((1, 3_000_000, 3), (1, 1, 3, 3)),
]


@pytest.mark.parametrize(("shape", "kernel"), LARGE)
def test_scratch_stays_small(shape, kernel):
    input, weight = np.zeros(shape, np.uint8), np.ones(kernel, np.float32)
    conv2d(input[:, :8, :8], weight)
    tracemalloc.start()
    result = conv2d(input, weight, padding=1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak - result.nbytes < 64e6


@pytest.mark.parametrize(
    ("shape", "weight", "options"),
    [
        ((1, 64, 57, 56), (66, 64, 3, 3), {"padding": 1}),
        ((1, 3, 225, 224), (64, 3, 7, 7), {"stride": 2, "padding": 3}),
        ((2, 64, 113, 112), (64, 1, 3, 3), {"groups": 64}),
        ((1, 1, 700, 701), (1, 1, 5, 5), {}),
        ((1, 700, 30, 31), (5, 700, 3, 3), {}),
    ],
)
def test_bits_do_not_depend_on_threads(monkeypatch, shape, weight, options):
    input, bank = (np.random.default_rng(1).standard_normal(size).astype(np.float32) for size in (shape, weight))
    results = []
    for threads in (1, 2, 3, 5, 16):
        monkeypatch.setattr(tiles, "default_threads", lambda threads=threads: threads)
        results.append(conv2d(input, bank, **options))
    assert all(np.array_equal(results[0], other) for other in results[1:])
