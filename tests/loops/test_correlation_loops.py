"""The loops of image filters as plain Python, and compiled: the same numbers, and those of a sum written out."""

import numpy as np
import pytest

from imgconv.engine import compiled
from imgconv.engine.tiles import row_sums_one_by_one
from imgconv.filters.taps import tap_runs
from imgconv.loops.filters import correlate_factors, correlate_product, correlate_small, correlate_tiles, row_sums, sliding_sums

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
@pytest.mark.parametrize("size, stride, down", [((1, 1), 1, 1), ((3, 3), 1, 1), ((3, 2), 1, 3), ((2, 3), 2, 1)])
def test_small_kernels(size, stride, down, parameters, kind, channels):
    height, width = size
    source = RNG.integers(0, 256, (4 * stride + 1 + (height - 1) * down, (7 + width - 1) * channels), dtype=np.uint8)
    weights, target = RNG.integers(-5, 6, size).astype(kind), np.zeros((5, 7 * channels), np.uint8)
    constants = {"height": height, "width": width, "divided": int(parameters[0] != 1), "apart": int((stride, down) != (1, 1))}
    expected = written_out(source, weights, target.shape, parameters, stride=stride, columns=channels, rows=down)
    for filled in both_ways(correlate_small, constants, source, weights, stride, down, channels, parameters, target, 0, target=target):
        assert np.array_equal(filled, expected)


@pytest.mark.parametrize("dtype, kind", [(np.uint8, np.int16), (np.uint16, np.int32), (np.float32, np.float32), (np.uint8, np.float64)])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("shape", [(1, 1), (2, 2), (1, 3), (7, 2), (5, 3)])
def test_tiles(shape, stride, dtype, kind):
    source, weights = RNG.integers(0, 256, (23, 42)).astype(dtype), RNG.integers(-5, 6, shape)
    target = np.zeros(((23 - shape[0]) // stride + 1, 42 - shape[1] + 1), np.uint8)
    rows, columns = (index.ravel() for index in np.indices(shape))
    apart, reach, (height, width) = 29, shape[1] - 1, (4, 8)
    taps, runs = tap_runs(rows, columns, stride, apart)
    cells, sums = np.zeros((7 * stride + shape[0]) * apart, kind), np.zeros(height * 2 * width, kind)
    parameters = np.append(TO_PIXELS[:5].astype(float), 1.5 * 2**52) if kind == np.float64 else TO_PIXELS
    expected = written_out(source, weights, target.shape, parameters, stride=stride)
    arguments = (source, taps, runs, weights.astype(kind).ravel(), cells, apart, reach, sums, parameters, target, stride, 0)
    for filled in both_ways(correlate_tiles, {"height": height, "width": width, "divided": 1}, *arguments, target=target):
        assert np.array_equal(filled, expected)


def test_row_sums_one_by_one_are_those_of_vectors():
    cells, weights = RNG.integers(-9, 9, 90), RNG.integers(-9, 9, 6)
    taps, runs = tap_runs(np.array([0, 1, 2, 0, 1, 0]), np.array([0, 0, 0, 1, 1, 3]), 1, 20)
    assert runs.tolist() == [1, 2, 3]
    results = np.zeros((2, 40), np.int64)
    for sums, fill in zip(results, (row_sums, row_sums_one_by_one), strict=True):
        fill(cells, 1, 20, taps, runs, weights, 0, 5, sums, 2, 17, 2, 16)
    assert results.any() and np.array_equal(*results)


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
