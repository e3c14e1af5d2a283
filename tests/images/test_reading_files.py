"""Reading: every format, depth and kind of alpha is exact, upright, and matches its header."""

import io
import sys

import numpy as np
import pytest
from image_files import every_file, exact_files, photo, png, read, saved, tiff, with_alpha
from odd_files import few_bits
from PIL import Image, ImageOps

from imgconv.errors import ImageError, MissingExtra
from imgconv.images import Raster, open_frames, read_header
from imgconv.images.metadata import exif as exif_of

EXACT = exact_files()
EVERY = every_file()


@pytest.mark.parametrize("name", EXACT)
def test_lossless_files_give_back_every_pixel(name):
    data, expected = EXACT[name]
    _, frames = read(data)
    assert len(frames) == 1
    assert frames[0].pixels.dtype == expected.dtype
    np.testing.assert_array_equal(frames[0].pixels, expected)


@pytest.mark.parametrize("name", EVERY)
def test_the_header_matches_the_frames(name):
    header, frames = read(EVERY[name])
    assert read_header(EVERY[name]) == header
    assert header.frames == len(frames)
    for frame in frames:
        assert (header.size, header.channels, header.dtype, header.alpha) == (
            frame.size,
            frame.channels,
            frame.pixels.dtype.name,
            frame.alpha,
        )
        assert frame.pixels.flags.c_contiguous
        assert (frame.duration is not None) == header.animated


def test_a_path_and_its_bytes_are_the_same(tmp_path):
    path = tmp_path / "wrong-name.txt"
    path.write_bytes(EVERY["jpeg"])
    np.testing.assert_array_equal(read(path)[1][0].pixels, read(EVERY["jpeg"])[1][0].pixels)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_images_come_upright(name, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if name == "WEBP" else {"quality": 95} if name == "JPEG" else {}
    data = saved(Image.fromarray(photo()), name, exif=exif, **options)
    with Image.open(io.BytesIO(data)) as image:
        expected = np.asarray(ImageOps.exif_transpose(image))
    header, (frame,) = read(data)
    assert header.size == expected.shape[:2]
    np.testing.assert_array_equal(frame.pixels, expected)
    if frame.metadata.exif:
        exif = Image.Exif()
        exif.load(exif_of.encode(frame.metadata.exif)[0])
        assert exif[0x0112] == 1


@pytest.mark.parametrize("orientation", [2, 5, 6, 8])
def test_deep_tiffs_come_upright(orientation):
    stored = EXACT["tiff16_rgb"][1]
    header, (frame,) = read(tiff(stored, photometric="rgb", extratags=[(274, 3, 1, orientation, True)]))
    indices = np.arange(stored.shape[0] * stored.shape[1], dtype=np.int32).reshape(stored.shape[:2])
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = Image.fromarray(indices)
    image.info["exif"] = exif.tobytes()
    expected = np.asarray(ImageOps.exif_transpose(image))
    np.testing.assert_array_equal(frame.pixels, stored.reshape(-1, 3)[expected])
    assert header.size == expected.shape


def test_luma_is_that_of_the_jpeg(tmp_path):
    header, (frame,) = read(EVERY["jpeg"], luma="only")
    with Image.open(io.BytesIO(EVERY["jpeg"])) as image:
        image.draft("L", image.size)
        expected = np.asarray(image)
    assert header.channels == 3
    np.testing.assert_array_equal(frame.pixels[..., 0], expected)


@pytest.mark.parametrize("orientation", [1, 3, 6])
@pytest.mark.parametrize("progressive", [False, True])
def test_luma_comes_with_the_colours_and_upright(orientation, progressive):
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = saved(Image.fromarray(photo()), "JPEG", exif=exif, progressive=progressive)
    (both,), (colours,), (grey,) = (read(data, luma=luma)[1] for luma in ("also", "no", "only"))
    np.testing.assert_array_equal(both.pixels, colours.pixels)
    np.testing.assert_array_equal(both.luma, grey.pixels)
    assert both.metadata == colours.metadata and colours.luma is None and grey.luma is None


def test_a_salvaged_jpeg_has_its_luma():
    data = EVERY["jpeg"][: len(EVERY["jpeg"]) // 2]
    (both,), (grey,) = (read(data, luma=luma, salvage=True)[1] for luma in ("also", "only"))
    np.testing.assert_array_equal(both.luma, grey.pixels)
    with pytest.raises(ImageError, match="damaged jpeg"):
        read(data, luma="also")


@pytest.mark.parametrize("luma", ["only", "also"])
@pytest.mark.parametrize("name", ["png_rgb", "webp_rgb", "jpeg_cmyk", "jpeg_grey", "tiff16_rgb"])
def test_other_images_have_no_luma(name, luma):
    (frame,) = read(EVERY[name], luma=luma)[1]
    np.testing.assert_array_equal(frame.pixels, read(EVERY[name])[1][0].pixels)
    assert frame.luma is None


def test_luma_of_another_size_is_refused():
    with pytest.raises(ImageError, match=r"luma of shape \(2, 3, 1\) .* got \(2, 2, 1\)"):
        Raster(np.zeros((2, 3, 3), np.uint8), luma=np.zeros((2, 2, 1), np.uint8))


@pytest.mark.parametrize(("depth", "key"), [(1, 1), (2, 3), (4, 7), (8, 200), (16, 65534)])
def test_a_transparent_grey_becomes_alpha_at_every_depth(depth, key):
    values = np.arange(16) * (2**depth - 1) // 15
    values[5] = key
    bits = "".join(f"{value:0{depth}b}" for value in values)
    row = int(bits, 2).to_bytes(len(bits) // 8, "big")
    _, (frame,) = read(png(16, 1, depth, 0, [row], extra=[(b"tRNS", key.to_bytes(2, "big"))]))
    full = 65535 if depth == 16 else 255
    np.testing.assert_array_equal(frame.pixels[0, :, 0], values * (full // (2**depth - 1)))
    np.testing.assert_array_equal(frame.pixels[0, :, 1], np.where(values == key, 0, full))
    assert frame.alpha


def test_a_transparent_16_bit_colour_is_compared_in_full():
    row = np.array([[1, 2, 3], [1, 2, 4], [257, 2, 3]], ">u2")
    _, (frame,) = read(png(3, 1, 16, 2, [row.tobytes()], extra=[(b"tRNS", row[0].tobytes())]))
    np.testing.assert_array_equal(frame.pixels[0], [[1, 2, 3, 0], [1, 2, 4, 65535], [257, 2, 3, 65535]])


@pytest.mark.parametrize("colour_type", [2, 4, 6])
def test_interlaced_16_bit_colour_is_exact(colour_type):
    channels = {2: 3, 4: 2, 6: 4}[colour_type]
    pixels = np.random.default_rng(3).integers(0, 65536, (9, 11, channels)).astype(np.uint16)
    passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]  # Adam7: y, x, dy, dx
    rows = [row.astype(">u2").tobytes() for y, x, dy, dx in passes for row in pixels[y::dy, x::dx] if row.size]
    _, (frame,) = read(png(11, 9, 16, colour_type, rows, interlace=1))
    np.testing.assert_array_equal(frame.pixels, pixels)


def test_palettes_with_transparency_become_rgba():
    image = Image.fromarray(photo()).quantize(9)
    expected = np.asarray(image.convert("RGB"))
    _, (frame,) = read(saved(image, "PNG", transparency=2))
    np.testing.assert_array_equal(frame.pixels[..., :3], expected)
    np.testing.assert_array_equal(frame.pixels[..., 3], np.where(np.asarray(image) == 2, 0, 255))


def test_a_premultiplied_deep_tiff_gives_straight_colour():
    straight = np.array([[[40000, 20000, 0], [65535, 1, 7]]], np.uint16)
    cover = np.array([[[32768], [65535]]], np.uint16)
    stored = np.rint(straight * (cover / 65535)).astype(np.uint16)
    _, (frame,) = read(tiff(np.concatenate([stored, cover], axis=2), photometric="rgb", extrasamples=["assocalpha"]))
    assert frame.alpha
    assert np.abs(frame.pixels[..., :3].astype(int) - straight).max() <= 2  # two roundings: when stored, when divided
    np.testing.assert_array_equal(frame.pixels[..., 3:], cover)


def test_white_is_0_is_inverted():
    stored = np.array([[0, 1, 65535]], np.uint16).reshape(1, 3)
    _, (frame,) = read(
        tiff(np.stack([stored, stored], axis=-1), photometric="miniswhite", planarconfig="contig", extrasamples=["unassalpha"])
    )
    np.testing.assert_array_equal(frame.pixels[0, :, 0], [65535, 65534, 0])
    np.testing.assert_array_equal(frame.pixels[0, :, 1], [0, 1, 65535])


def test_avif_of_10_bits_keeps_them():
    _, (frame,) = read(EVERY["avif_10bit"])
    assert frame.pixels.dtype == np.uint16
    assert len(np.unique(frame.pixels >> 6)) > 256
    error = np.abs(frame.pixels.astype(int) - photo().astype(int) * 4 * 65535 // 1023)
    assert error.mean() < 1000  # of 65535: AVIF is lossy


def test_cmyk_loses_its_profile_and_grey_deep_images_keep_theirs():
    profile = b"\0" * 16 + b"CMYK" + b"\0" * 108
    data = saved(Image.fromarray(photo()).convert("CMYK"), "JPEG", icc_profile=profile)
    assert read(data)[1][0].metadata.icc_profile is None
    grey = b"\0" * 16 + b"GRAY" + b"\0" * 108
    matching = read(tiff(np.zeros((3, 4, 2), np.uint16), photometric="minisblack", planarconfig="contig", iccprofile=grey))
    assert matching[1][0].metadata.icc_profile == grey


def test_resolution_turns_with_the_image():
    exif = Image.Exif()
    exif[0x0112] = 6
    data = saved(Image.fromarray(photo()), "JPEG", exif=exif, dpi=(300, 150))
    assert read(data)[1][0].metadata.dpi == (150, 300)


def test_heic_names_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif.as_plugin", None)
    with pytest.raises(MissingExtra, match=r"pip install 'imgconv\[heif\]'"):
        open_frames(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0" * 99)


def test_pages_of_different_sizes_and_integers_too_large():
    rgb = with_alpha(photo())
    pages = [Image.fromarray(rgb[: 20 + page, : 30 - page, :3]) for page in range(3)]
    header, frames = read(saved(pages[0], "TIFF", save_all=True, append_images=pages[1:]))
    assert [frame.size for frame in frames] == [(20, 30), (21, 29), (22, 28)]
    assert (header.frames, header.animated) == (3, False)
    with pytest.raises(ImageError, match="do not fit float64"):
        read(tiff(np.full((2, 2), (1 << 53) + 1, np.uint64)))


def test_12_bits_fill_the_range_and_survive_a_shift():
    twelve = EXACT["tiff16_rgb"][1] >> 4
    for stored in (twelve, twelve[..., 0]):
        _, (frame,) = read(few_bits(stored, 12))
        np.testing.assert_array_equal(frame.pixels >> 4, stored.reshape(frame.pixels.shape))
        np.testing.assert_array_equal(frame.pixels & 15, frame.pixels >> 12)


def test_deep_cmyk_becomes_rgb_by_its_definition():
    inks = np.array([[[0, 0, 0, 0], [65535, 0, 32768, 0], [1000, 2000, 3000, 40000]]], np.uint16)
    header, (frame,) = read(tiff(inks, photometric="separated", iccprofile=b"\0" * 16 + b"CMYK" + b"\0" * 108))
    light = (1 - inks[..., :3] / 65535) * (1 - inks[..., 3:] / 65535)
    np.testing.assert_array_equal(frame.pixels, np.rint(light * 65535))
    assert (header.channels, frame.metadata.icc_profile) == (3, None)


def test_deep_tiffs_without_a_meaning_are_refused():
    deep = EXACT["tiff16_rgb"][1]
    with pytest.raises(ImageError, match=r"3 channels, photometric 10, .*not supported"):
        read(tiff(deep, photometric="itulab"))
    damaged = bytearray(tiff(deep, photometric="rgb", bigtiff=True))
    damaged[4] = 4
    with pytest.raises(ImageError, match="damaged tiff: "):
        read(bytes(damaged))
