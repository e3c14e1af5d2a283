"""Colours weighed by their alpha, against fractions that nothing rounds; alpha that stays as it is."""

from fractions import Fraction

import numpy as np
import oracle_image as oracle
import pytest
from algorithm_kernels import Kernel

from imgconv.filters.filter2d import FilterArguments, Output, filter_image
from imgconv.modes import Range
from imgconv.window import Window
from imgconv.windows.borders import Border

RNG = np.random.default_rng(11)
BINOMIAL = np.outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1])
SHARPEN = np.array([[0, -1, 0], [-1, 5, -1], [0, -1, 0]])
LEVELS = {"uint8": 255, "uint16": 65535}
NO_PADS = ((0, 0), (0, 0))


def pixels(dtype, channels=4, height=12, width=15):
    """Some of it transparent, some opaque, and levels so few that quotients are often half of an odd number."""
    largest = LEVELS[dtype]
    image = RNG.integers(0, largest, (height, width, channels), dtype, endpoint=True)
    image[: height // 2, :, -1] = RNG.choice([0, 1, 2, largest], (height // 2, width))
    image[:5, :6, -1] = 0
    image[:, width // 2 :, :-1] = RNG.integers(0, 6, (height, width - width // 2, channels - 1))
    return image


def filtered(image, kernel, *, stride=1, output=None, threads=None, **rest):
    window = Window.of(kernel.taps.shape, stride, "valid")
    return filter_image(FilterArguments(image, [kernel], window, Border.of("replicate"), output or Output(), **rest), threads)


def half_even(value, largest):
    return min(max(round(value), 0), largest)


def expected(image, kernel, stride, range_):
    """Every pixel as a fraction, rounded once."""
    taps, largest = kernel.taps, int(np.iinfo(image.dtype).max)
    total, scale = int(taps.sum()), (largest + 1) // 256
    alpha = oracle.correlate(image[..., -1:].astype(np.int64), taps, stride=stride, pads=NO_PADS)
    colours = oracle.correlate(image[..., :-1].astype(np.int64) * image[..., -1:], taps, stride=stride, pads=NO_PADS)
    out = np.zeros((*alpha.shape[:2], image.shape[2]), image.dtype)
    for i, j in np.ndindex(alpha.shape[:2]):
        share = min(max(Fraction(int(alpha[i, j, 0]), total), 0), largest)
        for c in range(image.shape[2] - 1):
            value = Fraction(int(colours[i, j, c])) / (share * int(kernel.divisor)) + int(kernel.offset * scale) if share else 0
            added = (largest + 1) // 2 if range_ == "offset" else 0
            out[i, j, c] = half_even(abs(value) if range_ == "abs" else value + added, largest)
        out[i, j, -1] = half_even(share, largest)
    return out


KERNELS = [
    Kernel(np.ones((3, 3)), 9),
    Kernel(BINOMIAL, 256),
    Kernel(SHARPEN),
    Kernel(-SHARPEN, -1),
    Kernel(np.ones((3, 4)), 5, 3),
    Kernel(np.ones((11, 11)), -121, 128),
]


@pytest.mark.sweep(3)
@pytest.mark.parametrize(
    "kernel, stride, dtype, channels",
    [
        *((kernel, 1, "uint8", 4) for kernel in KERNELS),
        *((kernel, 1, "uint16", 4) for kernel in KERNELS[2:5]),
        (KERNELS[4], (2, 3), "uint8", 4),
        (KERNELS[4], (2, 3), "uint16", 2),
        (KERNELS[0], 1, "uint8", 2),
    ],
)
def test_every_pixel_is_the_fraction_rounded_once(kernel, stride, dtype, channels):
    image = pixels(dtype, channels)
    for range_ in ("clip", "abs", "offset"):
        got = filtered(image, kernel, stride=stride, output=Output(Range(range_)), alpha="filter")
        assert np.array_equal(got, expected(image, kernel, np.broadcast_to(stride, 2), range_))


@pytest.mark.parametrize("dtype, tolerance", [("uint8", 1e-6), ("float64", 1e-13)])
@pytest.mark.parametrize("size", [3, 29])  # in registers and, for whole numbers, by spectra
def test_values_of_real_taps_are_within_rounding(size, dtype, tolerance):
    image = pixels(dtype if dtype in LEVELS else "uint8", height=40, width=42)
    image = image if dtype in LEVELS else (image / 255).astype(dtype)
    taps = np.abs(np.random.default_rng(size).standard_normal((size, size)))
    got = filtered(image, Kernel(taps, taps.sum()), output=Output(Range.raw, rounded=False), alpha="filter")
    alpha = oracle.correlate(image[..., 3:].astype(float), taps, pads=NO_PADS) / taps.sum()
    colours = oracle.correlate(image[..., :3].astype(float) * image[..., 3:], taps, pads=NO_PADS) / taps.sum()
    values = np.concatenate([np.where(alpha > 0, colours / np.where(alpha > 0, alpha, 1), 0), alpha], axis=2)
    assert np.abs(got - values).max() <= tolerance * np.abs(values).max()


def test_transparent_pixels_stay_black_under_large_kernels():
    image = np.full((70, 70, 4), 200, np.uint8)
    image[:, :40, 3] = 0
    taps = np.abs(np.random.default_rng(1).standard_normal((31, 31)))
    got = filtered(image, Kernel(taps, taps.sum()), alpha="filter")
    assert not got[:, :10].any() and got[:, 10:, :3].min() == 200


@pytest.mark.parametrize("dtype", [*LEVELS, "float32"])
def test_threads_change_nothing(dtype):
    image = RNG.random((900, 800, 4), np.float32)
    image = image if dtype == "float32" else (image * LEVELS[dtype]).astype(dtype)
    for kernel, alpha in ((Kernel(BINOMIAL / 256), "filter"), (Kernel(np.array([[1.0, -1]])), "keep")):
        one = filtered(image, kernel, alpha=alpha, threads=1)
        assert np.array_equal(one, filtered(image, kernel, alpha=alpha, threads=4))
        if alpha == "keep":
            assert np.array_equal(one[..., 3], image[:, :-1, 3])
