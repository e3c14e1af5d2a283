"""PIL images of every mode, to pixels and back."""

import numpy as np
import pytest
from image_files import photo, with_alpha
from PIL import Image

from imgconv.errors import ImageError
from imgconv.images import Raster, from_pil, to_pil

RGBA = Image.fromarray(with_alpha(photo()))
RGB = RGBA.convert("RGB")


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBX", "CMYK", "YCbCr", "LAB", "HSV", "LA", "RGBA", "PA"])
def test_modes_equal_the_conversion_of_pillow(mode):
    image = (RGBA if mode.endswith("A") else RGB).convert(mode)
    wanted = {"1": "L", "L": "L", "LA": "LA", "RGBA": "RGBA", "PA": "RGBA"}.get(mode, "RGB")
    raster = from_pil(image)
    expected = np.asarray(image.convert(wanted))
    np.testing.assert_array_equal(raster.pixels, expected.reshape(*expected.shape[:2], -1))
    assert raster.alpha == wanted.endswith("A")


@pytest.mark.parametrize(("mode", "straight"), [("La", "LA"), ("RGBa", "RGBA")])
def test_premultiplied_modes_become_straight(mode, straight):
    image = from_pil(RGBA.convert(straight).convert(mode))
    np.testing.assert_array_equal(image.pixels, np.asarray(RGBA.convert(straight).convert(mode).convert(straight)))
    assert image.alpha


@pytest.mark.parametrize("mode", ["I;16", "I;16L", "I;16B"])
def test_16_bit_modes_are_exact(mode):
    values = np.array([[0, 1, 258], [65535, 32768, 255]], np.uint16)
    image = Image.frombytes(mode, (3, 2), values.astype(">u2" if mode == "I;16B" else "<u2").tobytes())
    raster = from_pil(image)
    assert raster.pixels.dtype == np.uint16
    np.testing.assert_array_equal(raster.pixels[..., 0], values)


@pytest.mark.parametrize(
    ("values", "dtype"), [([0, 65535], "uint16"), ([-1, 5], "float32"), ([0, 65536], "float32"), ([0, 1 << 24], "float32")]
)
def test_mode_i_is_16_bits_where_it_fits(values, dtype):
    image = from_pil(Image.fromarray(np.array([values], np.int32)))
    assert image.pixels.dtype == dtype
    np.testing.assert_array_equal(image.pixels[0, :, 0], values)


def test_mode_i_with_inexact_values_is_refused():
    with pytest.raises(ImageError, match="16777216 do not fit float32"):
        from_pil(Image.fromarray(np.array([[0, (1 << 24) + 1]], np.int32)))


def test_large_colour_images_come_out_whole():
    pixels = np.random.default_rng(2).integers(0, 256, (1500, 2011, 3), np.uint8)
    np.testing.assert_array_equal(from_pil(Image.fromarray(pixels)).pixels, pixels)


def test_transparent_colours_become_alpha():
    image = Image.fromarray(np.array([[[1, 2, 3], [4, 5, 6]]], np.uint8))
    image.info["transparency"] = (4, 5, 6)
    np.testing.assert_array_equal(from_pil(image).pixels[0], [[1, 2, 3, 255], [4, 5, 6, 0]])
    sixteen = Image.fromarray(np.array([[7, 700]], np.uint16))
    sixteen.info["transparency"] = 700
    np.testing.assert_array_equal(from_pil(sixteen).pixels[0], [[7, 65535], [700, 0]])


MODES = [("uint8", 1, "L"), ("uint8", 2, "LA"), ("uint8", 3, "RGB"), ("uint8", 4, "RGBA"), ("uint16", 1, "I;16"), ("float32", 1, "F")]


@pytest.mark.parametrize(("dtype", "channels", "mode"), MODES)
def test_to_pil_and_back(dtype, channels, mode):
    pixels = (np.random.default_rng(0).random((5, 7, channels)) * 255).astype(dtype)
    image = to_pil(Raster(pixels, channels in (2, 4)))
    assert (image.mode, image.size) == (mode, (7, 5))
    np.testing.assert_array_equal(from_pil(image).pixels, pixels)


@pytest.mark.parametrize(("dtype", "channels"), [("uint16", 3), ("float32", 3), ("uint8", 5), ("uint8", 4)])
def test_rasters_without_a_mode_are_refused(dtype, channels):
    with pytest.raises(ImageError, match=f"no mode for {channels} channels of {dtype}"):
        to_pil(Raster(np.zeros((2, 2, channels), dtype)))


@pytest.mark.parametrize("pixels", [np.zeros((2, 2), np.uint8), np.zeros((0, 2, 1), np.uint8), np.zeros((2, 2, 1), np.int32)])
def test_other_arrays_are_not_rasters(pixels):
    with pytest.raises(ImageError, match=r"expected pixels of shape \(H, W, C\)"):
        Raster(pixels)


def test_metadata_survives_pil():
    icc = b"\0" * 16 + b"RGB " + b"\0" * 108
    image = RGB.copy()
    image.info |= {"icc_profile": icc, "dpi": (72, 96)}
    info = to_pil(from_pil(image)).info
    assert info == {"icc_profile": icc, "dpi": (72, 96)}
