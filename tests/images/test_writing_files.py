"""Writing: images that a format holds are read back exactly, others are refused in one line, metadata is written where it applies."""

import io
import os

import imagecodecs
import numpy as np
import pytest
import tifffile
from image_files import read
from PIL import Image, ImageCms

from imgconv.errors import ImageError, UsageError
from imgconv.images import Encoding, Metadata, Raster, check_output, encode
from imgconv.images.formats import OUTPUTS
from imgconv.images.metadata import exif as exif_of
from imgconv.images.tiff import writer as tiff_writer

LOSSLESS = [
    (name, dtype, channels)
    for name, output in OUTPUTS.items()
    for dtype in output.dtypes
    for channels in output.channels or ((1, 3) if name == "npy" else ())
    if name not in ("jpeg", "avif", "npz", "zarr")
    and (name, dtype, channels) not in {("pnm", "float32", 2), ("pnm", "float32", 4)}
    and not (name == "jpeg2000" and dtype == "uint16" and channels > 1)
]
ANIMATIONS = [("png", "uint8", 3), ("png", "uint16", 1), ("webp", "uint8", 4), ("gif", "uint8", 1), ("gif", "uint8", 3)]
GREY_AS_COLOUR = ("webp",)  # formats that have no grey


def image(dtype="uint8", channels=3, size=(7, 11), seed=1, **metadata):
    rng = np.random.default_rng(seed)
    values = rng.normal(0, 100, (*size, channels)) if dtype.startswith("float") else rng.integers(0, np.iinfo(dtype).max, (*size, channels))
    if channels in (2, 4):
        values[0, :2, -1] = 0  # the colour of what is fully transparent must survive too
    return Raster(values.astype(dtype), channels in (2, 4), Metadata(**metadata))


def written(frames, name, **options):
    file = io.BytesIO()
    encode(frames, name, file, Encoding(**options))
    return file.getvalue()


def profile(space):
    if space == b"RGB ":
        return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return b"\0" * 16 + space + b"\0" * 108


@pytest.mark.parametrize(("name", "dtype", "channels"), LOSSLESS)
def test_written_images_are_read_back_exactly(name, dtype, channels):
    original = image(dtype, channels)
    header, (back,) = read(written([original], name))
    expected = original.pixels
    if name in GREY_AS_COLOUR and channels < 3:
        expected = np.concatenate([expected[..., :1]] * 3 + ([expected[..., 1:]] if channels == 2 else []), axis=2)
    assert header.format == name
    assert back.pixels.dtype == dtype
    np.testing.assert_array_equal(back.pixels, expected)
    assert back.alpha == (original.alpha and name != "npy")


@pytest.mark.parametrize("name", ["jpeg", "avif", "webp", "jpeg2000"])
def test_quality_trades_size_for_error(name):
    y, x = np.mgrid[:64, :80]
    original = Raster(np.stack([y * 3, x * 3, (x * y) % 256], axis=2).astype(np.uint8))
    errors, lengths = [], []
    for quality in (20, 95):
        data = written([original], name, quality=quality)
        errors.append(np.abs(read(data)[1][0].pixels.astype(int) - original.pixels).mean())
        lengths.append(len(data))
    assert errors[1] < errors[0]
    assert lengths[1] > lengths[0]


@pytest.mark.parametrize(
    ("name", "dtype", "channels", "message"),
    [
        ("jpeg", "uint16", 1, "jpeg cannot hold 16 bits a channel; write .png, .tiff or .npy"),
        ("jpeg", "uint8", 4, "jpeg cannot hold transparency; drop it with --alpha drop, or write .png, .tiff or .webp"),
        ("png", "float32", 1, "png cannot hold floats; write .tiff or .npy"),
        ("webp", "uint16", 3, "webp cannot hold 16 bits a channel; write .png, .tiff or .npy"),
        ("jpeg2000", "uint16", 3, "16-bit colour cannot be written as jpeg2000; write .png, .tiff or .npy"),
        ("pnm", "float32", 4, "pnm cannot hold floats with transparency; drop it with --alpha drop, or write .tiff or .npy"),
        ("qoi", "uint8", 1, "qoi cannot hold grey images; write .png"),
        ("bmp", "uint8", 4, "bmp cannot hold transparency; drop it with --alpha drop, or write .png, .tiff or .webp"),
        ("npz", "uint8", 3, "an .npz file holds one array for each kernel, not images"),
    ],
)
def test_images_that_a_format_cannot_hold_are_refused(name, dtype, channels, message):
    file = io.BytesIO()
    with pytest.raises(ImageError) as caught:
        encode([image(dtype, channels)], name, file)
    assert message in str(caught.value)
    assert file.getvalue() == b""


@pytest.mark.parametrize("alpha", [False, True])
@pytest.mark.parametrize("channels", [2, 4, 5, 13])
def test_any_number_of_bands_goes_into_tiff_and_arrays_only(channels, alpha):
    bands = np.random.default_rng(channels).integers(0, 65536, (3, 5, channels)).astype(np.uint16)
    header, (back,) = read(written([Raster(bands, alpha)], "tiff"))
    assert (header.channels, header.alpha, back.alpha) == (channels, alpha, alpha)
    np.testing.assert_array_equal(back.pixels, bands)
    assert read(written([Raster(bands)], "npy"))[0].channels == channels
    if channels > 4:
        with pytest.raises(ImageError, match=rf"png cannot hold {channels} channels; write .tiff or .npy"):
            check_output("png", channels, "uint16", alpha)


@pytest.mark.parametrize("name", ["jpeg", "bmp", "jpeg2000", "qoi", "tga"])
def test_several_pages_need_a_format_that_has_them(name):
    with pytest.raises(ImageError, match=rf"{name} cannot hold several pages; write \.tiff or \.npy"):
        written([image(), image()], name)
    with pytest.raises(ImageError, match=rf"{name} cannot hold an animation; write \.png, \.webp or \.gif"):
        written([image(), image()], name, animated=True)


def test_no_frames_and_wrong_qualities_are_refused():
    with pytest.raises(ImageError, match="at least one image"):
        written([], "png")
    for name, quality in (("png", 90), ("jpeg", 101), ("webp", -1)):
        with pytest.raises(UsageError, match=f"quality {quality} .*{name}.* 0 to 100 with jpeg, webp"):
            written([image()], name, quality=quality)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("space", [b"GRAY", b"RGB ", b"CMYK"])
@pytest.mark.parametrize("name", ["png", "tiff", "jpeg"])
def test_profiles_are_written_where_they_apply(name, space, channels):
    icc = profile(space)
    back = read(written([image(channels=channels, icc_profile=icc)], name))[1][0].metadata.icc_profile
    assert back == (icc if space == {1: b"GRAY", 3: b"RGB "}[channels] else None)


@pytest.mark.parametrize("name", ["png", "tiff", "jpeg", "bmp"])
def test_resolution_survives(name):
    x, y = read(written([image(dpi=(300, 150))], name))[1][0].metadata.dpi
    assert (x, y) == pytest.approx((300, 150), rel=1e-4)  # PNG and BMP count dots per metre


@pytest.mark.parametrize("name", ["png", "jpeg", "webp"])
def test_exif_survives(name):
    exif = Image.Exif()
    exif[0x0112], exif[0x0110] = 1, "camera"
    back = read(written([image(exif=exif_of.read(exif.tobytes()))], name))[1][0].metadata.exif
    loaded = Image.Exif()
    loaded.load(exif_of.encode(back)[0])
    assert (loaded[0x0112], loaded[0x0110]) == (1, "camera")


@pytest.mark.parametrize("name", ["png", "tiff", "jpeg", "gif", "webp", "avif", "jpeg2000"])
def test_descriptions_survive(name):
    text = "imgconv 1.0: conv 'laplacian8' <é> &lt; & more"
    assert read(written([image()], name, description=text))[0].description == text


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_other_libraries_read_the_png(channels):
    for dtype in ("uint8", "uint16"):
        original = image(dtype, channels)
        data = written([original], "png", description="x")
        np.testing.assert_array_equal(imagecodecs.png_decode(data).reshape(original.pixels.shape), original.pixels)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_other_libraries_read_the_tiff(dtype, channels):
    pages = [image(dtype, channels, size=(300, 401), seed=seed, dpi=(72, 72)) for seed in (1, 2)]
    with tifffile.TiffFile(io.BytesIO(written(pages, "tiff", description="odd"))) as file:
        assert len(file.pages) == 2
        assert file.pages[0].description == "odd"
        for page, original in zip(file.pages, pages, strict=True):
            np.testing.assert_array_equal(page.asarray().reshape(original.pixels.shape), original.pixels)


def test_a_tiff_has_no_date_and_no_program():
    with tifffile.TiffFile(io.BytesIO(written([image()], "tiff"))) as file:
        assert not {"DateTime", "Software"} & {tag.name for tag in file.pages[0].tags}


@pytest.mark.parametrize("seekable", [True, False])
def test_a_tiff_goes_into_any_stream_page_by_page(seekable, tmp_path):
    path, lengths = tmp_path / "pages.tiff", []

    def pages(stream):
        for seed in range(3):
            stream.flush()
            lengths.append(path.stat().st_size)
            yield image("uint16", 4, size=(90, 101), seed=seed)

    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT), "w+b") as stream:  # its name is a number
        target = stream if seekable else Unseekable(stream)
        encode(pages(stream), "tiff", target)
    assert read(path)[0].frames == 3
    assert (lengths[2] > 0) == seekable  # two pages are checked before the first one is written


class Unseekable(io.BufferedIOBase):
    """A pipe."""

    def __init__(self, stream):
        self.write = stream.write


def test_a_tiff_beyond_4_gb_has_offsets_of_64_bits_and_several_small_pages_are_refused(monkeypatch):
    monkeypatch.setattr(tiff_writer, "_LARGEST_FILE", 200_000)  # so that a small file exceeds it
    large = image(size=(400, 300))
    data = written([large], "tiff")
    assert data[:4] == b"II+\0"
    np.testing.assert_array_equal(read(data)[1][0].pixels, large.pixels)
    with pytest.raises(ImageError, match="at most 4 GB"):
        written([image(size=(200, 300), seed=seed) for seed in (1, 2)], "tiff")


def test_a_large_image_gets_tiles(monkeypatch):
    monkeypatch.setattr(tiff_writer, "_LARGE", 200_000)
    large = image(size=(400, 300))
    data = written([large], "tiff")
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        assert (file.pages[0].tilelength, file.pages[0].tilewidth) == (256, 256)
    np.testing.assert_array_equal(read(data)[1][0].pixels, large.pixels)


def test_float_maps_become_pages_that_may_differ_in_size():
    pages = [image("float32", 1, size=(5, 6)), image("float32", 1, size=(9, 4))]
    header, back = read(written(iter(pages), "tiff"))
    assert header.frames == 2
    for frame, original in zip(back, pages, strict=True):
        np.testing.assert_array_equal(frame.pixels, original.pixels)


@pytest.mark.parametrize(("name", "dtype", "channels"), ANIMATIONS)
@pytest.mark.parametrize("loop", [0, 1, 3])
def test_animations_keep_frames_durations_and_loops(name, dtype, channels, loop):
    originals = [image(dtype, channels, seed=seed) for seed in range(3)]
    for each in originals:
        each.pixels[..., -1] |= 1  # a WebP animation forgets the colour of what is fully transparent
    frames = [Raster(each.pixels, each.alpha, duration=duration) for each, duration in zip(originals, (40, 100, 250), strict=True)]
    header, back = read(written(frames, name, animated=True, loop=loop))
    assert (header.frames, header.animated, header.loop) == (3, True, loop)
    assert [frame.duration for frame in back] == [40, 100, 250]
    for frame, original in zip(back, originals, strict=True):
        np.testing.assert_array_equal(frame.pixels[..., :channels], original.pixels)


def few_colours(count, seed=0, size=(61, 83)):
    """An image with every one of `count` colours."""
    rng = np.random.default_rng(seed)
    palette = np.stack([np.arange(count) % 256, rng.integers(0, 256, count), np.arange(count) // 256], axis=1).astype(np.uint8)
    numbers = np.concatenate([np.arange(count), rng.integers(0, count, size[0] * size[1] - count)])
    return Raster(palette[rng.permutation(numbers)].reshape(*size, 3))


@pytest.mark.parametrize("count", [1, 2, 3, 16, 17, 255, 256])
def test_a_gif_has_the_exact_colours(count):
    original = few_colours(count)
    data = written([original], "gif", description="y" * 700)
    header, (back,) = read(data)
    np.testing.assert_array_equal(back.pixels, original.pixels)
    np.testing.assert_array_equal(imagecodecs.gif_decode(data), original.pixels)
    assert header.description == "y" * 700


def test_every_frame_of_a_gif_has_256_colours_of_its_own():
    frames = [few_colours(256, seed) for seed in (1, 2, 2, 3)]  # equal ones stay two
    data = written(frames, "gif", animated=True)
    header, back = read(data)
    assert header.frames == 4
    for frame, other, original in zip(back, imagecodecs.gif_decode(data), frames, strict=True):
        np.testing.assert_array_equal(frame.pixels, original.pixels)
        np.testing.assert_array_equal(other, original.pixels)


@pytest.mark.parametrize("frames", [[few_colours(257)], [few_colours(9), few_colours(257)]])
def test_a_gif_of_more_colours_is_refused(frames):
    file = io.BytesIO()
    with pytest.raises(ImageError) as caught:
        encode(frames, "gif", file, Encoding(animated=True))
    assert "256 colours" in str(caught.value) and "257" in str(caught.value)
    assert file.getvalue() == b""


def test_arrays_of_frames_and_pnm_streams():
    frames = [image("uint16", 3, seed=seed) for seed in range(4)]
    for name in ("npy", "pnm"):
        header, back = read(written(frames, name))
        assert header.frames == 4
        for frame, original in zip(back, frames, strict=True):
            np.testing.assert_array_equal(frame.pixels, original.pixels)


@pytest.mark.parametrize("name", ["png", "npy", "gif"])
def test_frames_of_different_sizes_are_refused_in_one_image(name):
    with pytest.raises(ImageError, match=r"must have one size"):
        written([image(), image(size=(8, 11))], name, animated=True)


def test_the_same_image_gives_the_same_bytes():
    for name in ("png", "tiff", "npy", "pnm"):
        assert written([image()], name) == written([image()], name)
