"""Unusual depths, palettes, tilings, packings and byte orders are read right."""

import struct

import numpy as np
import pytest
from image_files import SIZE, photo, png, read, saved, tiff
from odd_files import odd_files
from PIL import Image

from imgconv.errors import ImageError
from imgconv.images.formats import INPUTS

ODD = odd_files()


@pytest.mark.parametrize("name", ODD)
def test_unusual_files_give_the_right_pixels(name):
    data, expected, tolerance = ODD[name]
    header, frames = read(data)
    pixels = frames[0].pixels
    assert (header.size, header.channels, header.dtype) == (expected.shape[:2], expected.shape[2], expected.dtype)
    assert (pixels.shape, pixels.dtype) == (expected.shape, expected.dtype)
    difference = np.abs(pixels.astype(np.float64) - expected)
    assert difference.max() <= tolerance


def test_every_format_has_unusual_files():
    # QOI has no variants; the others have tests of their own
    assert {name.partition("_")[0] for name in ODD} == set(INPUTS) - {"qoi", "raw", "npz", "fits", "dicom", "nifti", "zarr"}


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_orientation_as_imagemagick_wrote_it_into_a_png(orientation):
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\1\x01\x12\0\3\0\0\0\1\0" + bytes([orientation]) + bytes(6)
    text = f"\nexif\n{len(exif):8}\n{exif[:10].hex()}\n{exif[10:].hex()}\n"
    chunk = (b"tEXt", b"Raw profile type exif\0" + text.encode())
    _, (frame,) = read(png(*SIZE[::-1], 8, 2, photo().reshape(SIZE[0], -1), extra=[chunk]))
    np.testing.assert_array_equal(frame.pixels, np.rot90(photo(), {1: 0, 3: 2, 6: 3, 8: 1}[orientation]))


def test_an_invalid_raw_profile_is_ignored():
    for text in (b"", b"\nexif\n", b"\nexif\n 3\nzz\n", b"\nexif\n 3\n454\n"):
        _, (frame,) = read(png(2, 1, 8, 0, [b"ab"], extra=[(b"tEXt", b"Raw profile type exif\0" + text)]))
        assert frame.pixels.ravel().tolist() == [97, 98]


@pytest.mark.parametrize(
    ("array", "options", "reason"),
    [
        (np.zeros((4, 5), np.complex64), {}, "64 bits and sample format 6 are not supported"),
        (np.zeros((4, 5), np.uint8), {"photometric": 32844}, "photometric 32844.* not supported"),
    ],
)
def test_unsupported_tiffs_are_named(array, options, reason):
    with pytest.raises(ImageError, match=reason):
        read(tiff(array, **options))


@pytest.mark.parametrize("down", [False, True], ids=["up", "down"])
@pytest.mark.parametrize("header", [40, 52, 56, 108, 124])
@pytest.mark.parametrize(
    "bits, masks",
    [
        (16, (0xF800, 0x07E0, 0x001F)),
        (16, (0x0003, 0x001C, 0x0020)),
        (16, (0x0F00, 0x00F0, 0x000F, 0xF000)),
        (32, (0xFF0000, 0xFF00, 0xFF)),
        (32, (0xFF000000, 0xFF0000, 0xFF00, 0xFF)),
        (32, (0x3F, 0xFC0, 0x3F000)),
        (32, (0xFFE00000, 0x1FFC00, 0x3FF)),
    ],
    ids=lambda value: "-".join(f"{mask:x}" for mask in value) if isinstance(value, tuple) else None,
)
def test_a_bmp_has_any_bits_of_colours(bits, masks, header, down):
    words = np.random.default_rng(bits).integers(0, 1 << bits, (5, 7), np.uint32)
    rows = b"".join(row.tobytes().ljust(-(-7 * bits // 32) * 4, b"\0") for row in words.astype(f"<u{bits // 8}")[:: 1 if down else -1])
    about = struct.pack(
        "<IiiHHIIiiII", header, 7, -5 if down else 5, 1, bits, 3 if header > 40 or len(masks) < 4 else 6, 0, 3937, 3937, 0, 0
    )
    about = (about + struct.pack(f"<{len(masks)}I", *masks)).ljust(header, b"\0")
    _, (frame,) = read(b"BM" + struct.pack("<IHHI", 0, 0, 0, 14 + len(about)) + about + rows)
    masks = masks if header != 52 else masks[:3]  # without one of alpha
    white = 65535 if max(mask.bit_count() for mask in masks) > 8 else 255
    expected = np.stack([np.rint((words & mask).astype(float) / mask * white) for mask in masks], axis=2)
    np.testing.assert_array_equal(frame.pixels, expected)
    assert frame.alpha == (len(masks) == 4) and frame.metadata.dpi == pytest.approx((100, 100), abs=0.01)


@pytest.mark.parametrize(("position", "value"), [(30, 4), (30, 5), (28, 2)], ids=["JPEG in BMP", "PNG in BMP", "2 bits"])
def test_kinds_of_bmp_that_pillow_lacks_are_not_supported_and_never_damaged(position, value):
    data = bytearray(saved(Image.new("RGB", (9, 7)), "BMP"))
    data[position] = value
    with pytest.raises(ImageError, match="bmp images of this kind are not supported") as caught:
        read(bytes(data))
    assert "damaged" not in str(caught.value)
