"""Frames of animations as they are shown, and metadata in unusual positions."""

import io
import os
import struct
import threading
from pathlib import Path

import numpy as np
import pytest
import tifffile
from image_files import exact_files, photo, read, saved
from PIL import Image, ImageSequence

from imgconv.errors import ImageError
from imgconv.images import from_pil
from imgconv.images.metadata import exif as exif_of


def moving(mode="RGBA"):
    """Three frames of which the later ones cover only a part."""
    frames = [Image.new("RGBA", (31, 21), (200, 30, 30, 255))]
    for step in (1, 2):
        frame = Image.new("RGBA", (31, 21), (0, 0, 0, 0))
        frame.paste((30, 200, 30 * step, 255), (5 * step, 3, 5 * step + 8, 12))
        frames.append(frame)
    return [frame.convert(mode) for frame in frames]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("GIF", {"disposal": 1}),
        ("PNG", {"disposal": 1, "blend": 1}),
        ("PNG", {"disposal": 0, "blend": 1}),
        ("PNG", {"disposal": 2, "blend": 0}),
        ("WEBP", {"lossless": True}),
    ],
)
def test_frames_equal_those_of_pillow(name, options):
    first, *rest = moving()
    data = saved(first, name, save_all=True, append_images=rest, duration=[40, 50, 60], **options)
    with Image.open(io.BytesIO(data)) as image:
        expected = [(np.asarray(frame.convert("RGBA")), frame.info["duration"]) for frame in ImageSequence.Iterator(image)]
    header, frames = read(data)
    assert header.animated
    for frame, (pixels, duration) in zip(frames, expected, strict=True):
        np.testing.assert_array_equal(frame.pixels, pixels[..., : header.channels])
        assert header.alpha or (pixels[..., 3] == 255).all()
        assert frame.duration == duration


def test_a_gif_frame_beyond_the_limit_is_refused():
    data = bytearray(saved(Image.new("L", (9, 7), 80), "GIF"))
    at = data.index(b",")
    data[at + 5 : at + 9] = struct.pack("<HH", 60000, 60000)
    with pytest.raises(ImageError, match=r"exceeds limit|more than the limit"):
        read(bytes(data))


def test_a_later_page_that_is_deeper_is_not_narrowed():
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        writer.write(photo(), photometric="rgb", metadata=None)
        writer.write(exact_files()["tiff16_rgb"][1], photometric="rgb", metadata=None)
    with pytest.raises(ImageError, match="deeper than the first page"):
        read(file.getvalue())


def test_a_later_page_with_less_depth_has_its_own_levels():
    file, deep = io.BytesIO(), exact_files()["tiff16_rgb"][1]
    with tifffile.TiffWriter(file) as writer:
        for pixels, kind in ((deep, "rgb"), (photo(), "rgb"), (photo()[..., 0], "miniswhite"), (photo()[..., 0] > 99, "minisblack")):
            writer.write(pixels, photometric=kind, metadata=None)
    _, frames = read(file.getvalue())
    expected = [deep, photo(), 255 - photo()[..., :1], np.where(photo()[..., :1] > 99, 255, 0).astype(np.uint8)]
    for frame, pixels in zip(frames, expected, strict=True):
        assert frame.pixels.dtype == pixels.dtype
        np.testing.assert_array_equal(frame.pixels, pixels)


@pytest.mark.parametrize("order", ["<", ">"])
def test_exif_keeps_all_but_orientation_and_thumbnail(order):
    entries = struct.pack(order + "HHI4s", 0x010F, 2, 4, b"abc\0") + struct.pack(order + "HHIHH", 0x0112, 3, 1, 6, 0)
    mark = b"II" if order == "<" else b"MM"
    exif = mark + struct.pack(order + "HIH", 42, 8, 2) + entries + struct.pack(order + "I", 1234)
    image = Image.new("L", (4, 2))
    image.info["exif"] = b"Exif\0\0" + exif
    raster = from_pil(image)
    assert raster.size == (4, 2)
    wanted = bytearray(exif)
    wanted[30:32] = struct.pack(order + "H", 1)
    wanted[-4:] = bytes(4)
    assert exif_of.encode(raster.metadata.exif) == (bytes(wanted), ())


@pytest.mark.parametrize("exif", [b"", b"Exif\0\0", b"Exif\0\0MM\0*\0\0\0\xff", b"Exif\0\0II*\0\x08\0\0\0\xff\xff", b"junk" * 9])
def test_broken_exif_is_dropped(exif):
    image = Image.new("L", (4, 2))
    image.info["exif"] = exif
    assert (from_pil(image).size, from_pil(image).metadata.exif) == ((2, 4), None)


@pytest.mark.parametrize("value", [0, 9, 65535])
def test_invalid_orientations_mean_upright(value):
    exif = Image.Exif()
    exif[0x0112] = value
    assert read(saved(Image.new("L", (4, 2)), "JPEG", exif=exif))[0].size == (2, 4)


@pytest.mark.parametrize(("name", "size"), [("JPEG", (4, 2)), ("AVIF", (2, 4))])  # only boxes turn an AVIF
def test_orientation_in_xmp(name, size):
    xmp = b'<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    header, (frame,) = read(saved(Image.new("L", (4, 2)), name, xmp=xmp))
    assert header.size == frame.size == size


@pytest.mark.parametrize("dpi", [(0, 0), (float("nan"), 72), ("a", "b"), 72, None])
def test_invalid_resolutions_are_dropped(dpi):
    image = Image.new("L", (4, 2))
    image.info["dpi"] = dpi
    assert from_pil(image).metadata.dpi is None


def test_a_named_pipe_is_read(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    data = exact_files()["png_rgb"][0]
    writer = threading.Thread(target=Path(path).write_bytes, args=[data])
    writer.start()
    np.testing.assert_array_equal(read(path)[1][0].pixels, photo())
    writer.join()


def test_a_truncated_pil_image_is_an_error():
    with (
        Image.open(io.BytesIO(saved(Image.fromarray(photo()), "JPEG")[:900])) as image,
        pytest.raises(ImageError, match=r"the PIL image cannot be read: .*truncated"),
    ):
        from_pil(image)
