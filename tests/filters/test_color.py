"""Grey of colour, at every depth, against Pillow and the formula written out."""

import numpy as np
import pytest
from PIL import Image

from imgconv.engine import compiled
from imgconv.filters.color import LUMA, from_linear, luma, to_linear
from imgconv.loops.filters import luma_rows

RNG = np.random.default_rng(2)


def colours(channels, dtype):
    """Random pixels, with black, white and transparent ones among them."""
    white = np.iinfo(dtype).max
    pixels = RNG.integers(0, white, (23, 31, channels), dtype=dtype, endpoint=True)
    pixels[:4], pixels[4:8], pixels[8:10, :, -1] = white, 0, 0
    return pixels


def test_grey_is_pillows():
    pixels = colours(3, np.uint8)
    assert np.array_equal(luma(pixels, alpha=False)[..., 0], np.asarray(Image.fromarray(pixels).convert("L")))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels, alpha", [(2, True), (3, False), (4, True)])
def test_grey_over_black(channels, alpha, dtype):
    pixels, white = colours(channels, dtype), int(np.iinfo(dtype).max)
    whole = pixels.astype(np.int64)
    if alpha:
        whole = (whole[..., :-1] * whole[..., -1:] + white // 2) // white
    expected = (whole * (LUMA if whole.shape[2] == 3 else 65536)).sum(axis=2) + 32768 >> 16
    assert np.array_equal(luma(pixels, alpha=alpha)[..., 0], expected)
    assert np.array_equal(luma(pixels, alpha=alpha, threads=3)[..., 0], expected)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels, alpha", [(2, 1), (3, 0), (4, 1)])
def test_the_loop_as_plain_python(channels, alpha, dtype):
    rows = colours(channels, dtype)[5:12].reshape(7, -1)
    weights = np.array([*LUMA, 32768], np.uint32)
    constants = {"channels": channels, "alpha": alpha, "largest": int(np.iinfo(dtype).max)}
    output = [np.zeros((7, 31), dtype) for _ in range(2)]
    luma_rows(**constants)(rows, weights, output[0])
    compiled.loop(luma_rows, **constants)(rows, weights, output[1])
    assert np.array_equal(*output)


def test_grey_of_floats_is_not_rounded():
    pixels = RNG.random((5, 6, 4)).astype(np.float32)
    expected = (pixels[..., :3].astype(float) * pixels[..., 3:]) @ (np.array(LUMA) / 65536)
    assert np.allclose(luma(pixels, alpha=True)[..., 0], expected, rtol=1e-6)


def test_grey_stays_as_it_is():
    pixels = colours(1, np.uint8)
    assert luma(pixels, alpha=False) is pixels


@pytest.mark.parametrize("dtype, white", [(np.uint8, 255), (np.uint16, 65535)])
def test_linear_light_and_back(dtype, white):
    levels = np.arange(white + 1).astype(dtype)
    linear = to_linear(levels, levels.dtype)
    assert linear[0] == 0 and linear[-1] == white and (np.diff(linear) > 0).all()
    assert np.array_equal(np.rint(from_linear(linear, white)), levels)
