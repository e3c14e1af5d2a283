"""Repeated calls with the same sizes, which reuse cached layouts, give the results of their own arrays."""

import numpy as np
import pytest
from scipy import ndimage

import imgconv

RNG = np.random.default_rng(8)


def random(*shape):
    return RNG.standard_normal(shape).astype(np.float32)


def expected(images, weight, bias):
    """The sums of scipy's correlations over channels, with zeros around."""
    planes = [
        [sum(ndimage.correlate(c, k, mode="constant") for c, k in zip(image, kernels, strict=True)) for kernels in weight]
        for image in images.astype(np.float64)
    ]
    return np.array(planes) + bias[:, None, None]


INPUTS = {
    "floats": lambda: random(2, 3, 40, 33),
    "columns of a wider one": lambda: random(2, 3, 40, 50)[..., 7:40],
    "channels last": lambda: random(2, 40, 33, 3).transpose(0, 3, 1, 2),
    "bytes": lambda: RNG.integers(0, 256, (2, 3, 40, 33), np.uint8),
    "other byte order": lambda: random(2, 3, 40, 33).astype(">f4"),
    "not aligned": lambda: np.frombuffer(b"-" + random(2, 3, 40, 33).tobytes(), np.float32, offset=1).reshape(2, 3, 40, 33),
    "doubles": lambda: random(2, 3, 40, 33).astype(np.float64),
}


@pytest.mark.parametrize("seed", range(3))
def test_convolutions_of_one_size_one_after_the_other(seed):
    for name in np.random.default_rng(seed).permutation([*INPUTS, *INPUTS]):
        images, weight, bias = INPUTS[name](), random(5, 3, 3, 3), random(5)
        result = imgconv.conv2d(images, weight, bias, padding=1)
        np.testing.assert_allclose(
            result, expected(images, weight, bias), rtol=1e-4, atol=1e-5 * max(np.abs(images).max(), 1), err_msg=name
        )


def test_the_last_result_is_not_overwritten_by_the_next():
    weight = random(5, 3, 3, 3)
    results = [imgconv.conv2d(np.full((1, 3, 40, 33), value, np.float32), weight, padding=1) for value in (1, 2, 3)]
    np.testing.assert_allclose(results[1], 2 * results[0], rtol=1e-5)
    np.testing.assert_allclose(results[2], 3 * results[0], rtol=1e-5)


SHAPES = ((600, 400), (600, 401), (601, 400), (601, 401, 3), (5, 7), (3000, 2000))


@pytest.mark.sweep(5)
@pytest.mark.parametrize("mode", ["max", "avg", "min"])
@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [np.uint8, np.float32, pytest.param(np.uint16, marks=pytest.mark.exhaustive)])
def test_pools_band_by_band(dtype, shape, size, mode):
    image = RNG.integers(0, 256, shape).astype(dtype)
    high, wide = shape[0] // size, shape[1] // size
    windows = image[: high * size, : wide * size].reshape(high, size, wide, size, *shape[2:]).astype(np.float64)
    direct = {"max": windows.max, "min": windows.min, "avg": windows.mean}[mode](axis=(1, 3))
    result = imgconv.pool(image, size, mode)
    if np.dtype(dtype).kind == "u":
        np.testing.assert_array_equal(result, np.rint(direct))
    else:
        np.testing.assert_allclose(result, direct, rtol=1e-6)
