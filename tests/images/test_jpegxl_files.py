"""JPEG XL: headers of every size and depth, pixels without loss, quality, metadata in boxes, and damage."""

import base64
import io

import imagecodecs
import numpy as np
import pytest
from exif_blocks import block
from image_files import photo, read, saved
from PIL import Image

from imgconv.errors import ImageError
from imgconv.images import Encoding, Metadata, Raster, encode, jpegxl, open_frames, read_header

# cjxl -d 0.3 of 16x16 pixels with the profile of Adobe RGB (1998): red rises across, green down, blue is half of red
LOSSY_WITH_PROFILE = base64.b85decode(
    "{|ZAu3a1PMW<VeSAV9Em9(V=FrF$qOnb+B~s%|sIg=)L`DH(n}2$yqE>4tVtngtqunGZqebj)IGCfM#K=<Xr-"
    "&PJJDDS^>ws|L?D8javd{0m&g0l$TWgGf`k@Z_4OhrmH2IAMmNaJ41)me_SX_<mtyCSIG76s%Mrb4L_VYhm(^YMM9B;Vgom9}eMzXc`cZ7|c@v8AVvogZRP$"
    "01}7*hyt&<NdW**p)$(2!OOXxFF$lxOxw85&{o?PmL!UdW0Q0Oha|C%+hr_<0p8&E%mLm!YMi^+Yt_mv-"
    "=)ilQ3;?z3gp6YB}x~g?j(|8jJy~*{!Yhqf;7S&|9Kz&c}!ER-I8RQ&k;xu*pKrMAL|*<!zBL=NbWz^JsQjtv)7y2Od<b>g3#C_9QM5v-"
    "02V=Y=pmIj>3F$f05!Vjt2-F"
)
SHAPES = [(8, 8), (8, 16), (20, 31), (5, 6), (300, 400), (256, 256), (1, 1), (600, 1), (90, 160), (1080, 1296), (2, 9000)]


def written(pixels, **options):
    file = io.BytesIO()
    encode([Raster(pixels, pixels.shape[2] in (2, 4), options.pop("metadata", Metadata()))], "jxl", file, Encoding(**options))
    return file.getvalue()


@pytest.mark.parametrize("container", [True, False])
@pytest.mark.parametrize("size", SHAPES)
def test_the_header_has_the_size(size, container):
    data = imagecodecs.jpegxl_encode(np.zeros(size, np.uint8), usecontainer=container, effort=1)
    assert read_header(data).size == size


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_files_of_another_writer_are_read_exactly(dtype, channels):
    pixels = np.random.default_rng(channels).integers(0, np.iinfo(dtype).max + 1, (20, 31, channels)).astype(dtype)
    header, (frame,) = read(imagecodecs.jpegxl_encode(pixels.squeeze(), lossless=True))
    assert (header.channels, header.alpha, header.dtype) == (channels, channels in (2, 4), dtype.__name__)
    np.testing.assert_array_equal(frame.pixels, pixels)
    for data in (imagecodecs.jpegxl_encode(pixels.squeeze(), level=90), imagecodecs.jpegxl_encode(pixels.squeeze(), distance=4)):
        assert read(data)[0] == header


@pytest.mark.parametrize("bits", [4, 6, 9, 10, 12, 14, 16])
def test_white_is_white_at_every_depth(bits):
    pixels = np.full((16, 17, 3), (1 << bits) - 1, np.uint8 if bits < 8 else np.uint16)
    pixels[3] = 0
    header, (frame,) = read(imagecodecs.jpegxl_encode(pixels, bitspersample=bits, lossless=True))
    assert header.dtype == ("uint8" if bits < 8 else "uint16")
    assert (frame.pixels[0] == np.iinfo(header.dtype).max).all() and (frame.pixels[3] == 0).all()


def test_floats_are_read():
    pixels = np.random.default_rng(0).random((20, 31, 3), np.float32)
    header, (frame,) = read(imagecodecs.jpegxl_encode(pixels, lossless=True))
    assert header.dtype == "float32"
    np.testing.assert_array_equal(frame.pixels, pixels)


def bits_of(number):
    """The bits of an enumerated value."""
    return [(number, 2)] if number < 2 else [(2, 2), (number - 2, 4)]


def header_of(*colour):
    """A header of 8x8 RGB without loss whose colour space is given by (value, bits)."""
    fields = [(1, 1), (0, 5), (1, 3), (0, 1), (0, 1), (0, 1), (0, 2), (1, 1), (0, 2), (0, 1), *colour]
    number = place = 0
    for value, count in fields:
        number |= value << place
        place += count
    return b"\xff\x0a" + number.to_bytes(64, "little")


@pytest.mark.parametrize(
    ("white", "primaries", "transfer", "chunks"),
    [
        (1, 1, 13, ()),
        (1, 11, 13, ((b"cICP", bytes((12, 13, 0, 1))),)),
        (11, 11, 17, ((b"cICP", bytes((11, 17, 0, 1))),)),
        (1, 9, 16, ((b"cICP", bytes((9, 16, 0, 1))),)),
        (1, 1, 8, ((b"cICP", bytes((1, 8, 0, 1))),)),
        (10, 1, 13, None),
        (1, 1, 2, None),
    ],
)
def test_the_colour_space_is_declared_as_in_png(white, primaries, transfer, chunks):
    colour = [(0, 1), (0, 1), *bits_of(0), *bits_of(white), *bits_of(primaries), (0, 1), *bits_of(transfer)]
    layout = jpegxl.read_layout(io.BytesIO(header_of(*colour)))
    assert layout.colour == chunks and (layout.warning is None) == (chunks is not None)


@pytest.mark.parametrize(("primaries", "chunks"), [(1, ((b"gAMA", (45455).to_bytes(4, "big")),)), (11, None)])
def test_a_gamma_is_declared_as_in_png(primaries, chunks):
    colour = [(0, 1), (0, 1), *bits_of(0), *bits_of(1), *bits_of(primaries), (1, 1), (4545500, 24)]
    assert jpegxl.read_layout(io.BytesIO(header_of(*colour))).colour == chunks


def test_profiles_are_named_in_every_run():
    layout = jpegxl.read_layout(io.BytesIO(header_of((0, 1), (1, 1), *bits_of(0))))
    assert layout.has_profile and "its ICC profile cannot be read" in layout.warning


def test_colours_with_loss_and_a_profile_are_those_of_srgb():
    """libjxl gives linear light for them."""
    header, (frame,) = read(LOSSY_WITH_PROFILE)
    assert header.dtype == "uint8" and frame.metadata.dropped == ("ICC profile (converted to sRGB)",)
    levels = np.linspace(0, 255, 32).astype(np.uint8)[::2] / 255.0
    green, red = np.meshgrid(levels, levels, indexing="ij")
    light = np.stack([red, green, np.floor(red * 255 / 2) / 255], axis=2) ** (563 / 256)
    to_srgb = np.array([[1.39836, -0.39836, 0], [0, 1, 0], [0, -0.04293, 1.04293]])  # both have the white D65
    light = np.clip(light @ to_srgb.T, 0, 1)
    expected = 255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    assert np.abs(frame.pixels - expected).mean() < 3


def test_quality_trades_size_for_error():
    original = photo()
    files = [written(original, quality=quality) for quality in (10, 60, 95, 100)]
    errors = [np.abs(read(data)[1][0].pixels.astype(int) - original).mean() for data in files]
    assert errors == sorted(errors, reverse=True) and errors[-1] == 0
    assert [len(data) for data in files] == sorted(len(data) for data in files)


def test_exif_and_xmp_go_along():
    exif = Image.Exif()
    exif[0x010F] = "maker"
    with Image.open(io.BytesIO(saved(Image.fromarray(photo()), "JPEG", exif=exif, xmp=b"<x:xmpmeta/>"))) as image:
        source = io.BytesIO(saved(image, "PNG", exif=exif))
    with open_frames(source.getvalue()) as frames:
        (frame,) = frames
    (back,) = read(written(frame.pixels, metadata=frame.metadata))[1]
    assert back.metadata.exif.directories["image"][0x010F].data.startswith(b"maker")


@pytest.mark.parametrize("container", [True, False])
@pytest.mark.parametrize("part", [0.02, 0.3, 0.6, 0.9, 0.98])
def test_half_an_image_is_an_error(part, container):
    for options in ({"lossless": True}, {"level": 80}):
        data = imagecodecs.jpegxl_encode(photo(), usecontainer=container, **options)
        with pytest.raises(ImageError, match="damaged jpegxl"):
            read(data[: int(len(data) * part)])


def test_a_header_that_claims_too_much_is_refused_before_anything_is_decoded():
    data = imagecodecs.jpegxl_encode(np.zeros((20000, 9001), np.uint8), effort=1)
    with pytest.raises(ImageError, match=r"180020000 pixels.*--max-pixels"):
        read_header(data)


def test_animations_are_refused():
    with pytest.raises(ImageError, match="animated jpegxl images are not supported"):
        read(imagecodecs.jpegxl_encode(np.zeros((3, 20, 31, 3), np.uint8), lossless=True))


@pytest.mark.parametrize("name", [b"Exif", b"xml "])
def test_compressed_metadata_are_read(name):
    text = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>" if name == b"xml " else bytes(4) + block({0x110: (2, b"Camera\0")})
    packed = name + imagecodecs.brotli_encode(text)
    data = imagecodecs.jpegxl_encode(np.zeros((3, 4), np.uint8), usecontainer=True)
    metadata = read(data + (8 + len(packed)).to_bytes(4, "big") + b"brob" + packed)[1][0].metadata
    contents = metadata.xmp if name == b"xml " else metadata.exif.directories["image"][0x110].data
    assert contents in (text, b"Camera\0")


def test_metadata_that_a_result_does_not_have_are_named():
    data = imagecodecs.jpegxl_encode(np.zeros((3, 4), np.uint8), usecontainer=True)
    (raster,) = read(data + b"\0\0\0\x0cjhgm1234" + b"\0\0\0\x10brobjumb1234")[1]
    assert raster.metadata.dropped == ("gain map", "C2PA manifest")
