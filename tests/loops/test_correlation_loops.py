"""The loops of image filters as plain Python, and compiled: the same numbers, and those of a sum written out."""

import numpy as np
import pytest

from imgconv.engine import compiled
from imgconv.loops.filters import correlate_factors, correlate_product, correlate_small, correlate_taps, sliding_sums

pytestmark = pytest.mark.sweep(5)

RNG = np.random.default_rng(5)
ROUND = 1.5 * 2**23
TO_PIXELS = np.array([4, 3, -1, 0, 255, ROUND], np.float32)  # |sum / 4 + 3|, rounded
TO_WHOLE = np.array([1, 3, 1, 0, 255, 0], np.int32)


def written_out(source, taps, shape, parameters, *, stride=1, columns=1, rows=1):
    """One sum per output element, in float64."""
    sums = np.zeros(shape)
    for i, j in np.ndindex(shape):
        for u, v in np.ndindex(taps.shape):
            sums[i, j] += taps[u, v] * float(source[i * stride + u * rows, j + v * columns])
    divisor, offset, mirror, lowest, largest = (float(p) for p in parameters[:5])
    values = sums / divisor + offset
    return np.rint(np.clip(np.maximum(values, mirror * values), lowest, largest))


def both_ways(template, constants, *arguments, target):
    """What the Python function and the compiled one fill `target` with."""
    output = []
    for loop in (template(**constants), compiled.loop(template, **constants)):
        filled = np.zeros_like(target)
        loop(*(filled if a is target else a for a in arguments))
        output.append(filled)
    return output


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("parameters, kind", [(TO_PIXELS, np.float32), (TO_PIXELS, np.int16), (TO_WHOLE, np.int32)])
@pytest.mark.parametrize("size", [3, 5])
def test_small_kernels(size, parameters, kind, channels):
    source = RNG.integers(0, 256, (5 + size - 1, (7 + size - 1) * channels), dtype=np.uint8)
    weights, target = RNG.integers(-5, 6, (size, size)).astype(kind), np.zeros((5, 7 * channels), np.uint8)
    constants = {"height": size, "width": size, "divided": int(parameters[0] != 1)}
    expected = written_out(source, weights, target.shape, parameters, columns=channels)
    for filled in both_ways(correlate_small, constants, source, weights, channels, parameters, target, 0, target=target):
        assert np.array_equal(filled, expected)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("shape", [(1, 1), (2, 2), (1, 3), (3, 2), (3, 3)])
def test_taps(shape, stride, dtype):
    source, taps = RNG.integers(0, 256, (9, 12)).astype(dtype), RNG.integers(-5, 6, shape)
    target = np.zeros(((9 - shape[0]) // stride + 1, 12 - shape[1] + 1), np.uint8)
    rows, columns = (np.ascontiguousarray(index.ravel()) for index in np.indices(shape))
    weights, sums = taps.astype(np.float32).ravel(), np.empty(target.shape[1], np.float32)
    expected = written_out(source, taps, target.shape, TO_PIXELS, stride=stride)
    arguments = (source, rows, columns, weights, sums, TO_PIXELS, target, stride)
    for filled in both_ways(correlate_taps, {"divided": 1}, *arguments, target=target):
        assert np.array_equal(filled, expected)


@pytest.mark.parametrize("products", [1, 3])
@pytest.mark.parametrize("height, width", [(1, 6), (5, 2), (4, 9)])
def test_factors_with_gaps_between_rows(height, width, products):
    source = RNG.integers(0, 256, (18, 20), dtype=np.uint8)
    down, across = (RNG.integers(-3, 4, (products, size)).astype(np.float32) for size in (height, width))
    target = np.zeros(((18 - 2 * height + 1) // 2 + 1, 20 - width + 1), np.uint8)
    middle, sums = np.empty(20, np.float32), np.empty(target.shape[1], np.float32)
    arguments = (source, down, np.arange(height) * 2, across, np.arange(width), middle, sums, TO_PIXELS, target, 2, 0)
    expected = written_out(source, down.T @ across, target.shape, TO_PIXELS, stride=2, rows=2)
    for filled in both_ways(correlate_factors, {"divided": 1}, *arguments, target=target):
        assert np.array_equal(filled, expected)


@pytest.mark.parametrize("channels", [1, 4])
def test_one_product_in_registers(channels):
    source = RNG.integers(0, 256, (11, 15 * channels), dtype=np.uint8)
    down, across = (RNG.integers(-3, 4, 7).astype(np.float32) for _ in range(2))
    target, middle = np.zeros((5, 9 * channels), np.uint8), np.empty(15 * channels, np.float32)
    constants = {"size": 7, "divided": 1}
    expected = written_out(source, np.outer(down, across), target.shape, TO_PIXELS, columns=channels)
    for filled in both_ways(correlate_product, constants, source, down, across, channels, middle, TO_PIXELS, target, 0, target=target):
        assert np.array_equal(filled, expected)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("height, width", [(1, 1), (4, 2), (3, 7), (2, 12)])
def test_sliding_sums(height, width, channels):
    source = RNG.integers(0, 256, (6 + height - 1, (5 + width - 1) * channels), dtype=np.uint8)
    target, columns = np.zeros((6, 5 * channels), np.uint8), np.empty(source.shape[1], np.int32)
    wider, weight = np.empty((2, source.shape[1]), np.int32), np.array([2], np.int32)
    bits = np.array([int(digit) for digit in f"{width:b}"[1:]], np.intp)
    parameters = np.array([8 * height * width, 3, 1, 0, 255, ROUND], np.float32)
    arguments = (source, weight, height, bits, channels, columns, wider, parameters, target)
    expected = written_out(source, np.full((height, width), 2), target.shape, parameters, columns=channels)
    for filled in both_ways(sliding_sums, {"divided": 1}, *arguments, target=target):
        assert np.array_equal(filled, expected)
