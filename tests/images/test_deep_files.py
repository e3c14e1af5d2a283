"""JPEG 2000 and AVIF of every depth, sign and colour space, with their boxes anywhere: white is white, nothing is narrowed."""

import base64
import io
import struct

import imagecodecs
import numpy as np
import pytest
from image_files import read, saved
from PIL import Image

from imgconv.errors import ImageError
from imgconv.images.modes import rgb_of_cmyk

SIZE = (20, 31)
HALF_CHROMA = (
    b"AAAADGpQICANCocKAAAAFGZ0eXBqcDIgAAAAAGpwMiAAAAAtanAyaAAAABZpaGRyAAAACwAAAA8AAwcHAAAAAAAPY29scgEAAAAAABIAAAE6anAyY/9P/1EA"
    b"LwAAAAAADwAAAAsAAAAAAAAAAAAAAgAAAAIAAAAAAAAAAAAAAwcBAQcCAgcCAv9SAA0BAgABAAAEBAAAiP9cAAVCQAD/ZAAlAAFDcmVhdGVkIGJ5IE9wZW5K"
    b"UEVHIHZlcnNpb24gMi41LjD/kAAKAAAAAADAAAH/k8fTXYl7Q96Qk0LVdPBaAHD1vBYyxZ3VJ8lhyDW1xhcZiXqVYB+Xr2CFqsGPrgyOet9yKmh5Peggsk1U"
    b"yIMm55BJ6XBMKmmkFJOczuXrh9/vz9p3G65lvdVUkbapy8zgf8+smDkapmVUMQnyeTWDlI1WbpfKZNu3kF3HOl3uDcvSb2DMSM0biYc3z7CYNe8bNEXMvHsL"
    b"6HMrFvnyafkHt74akT2rUY0uBD9YCsVdUfaZR9//2Q=="
)


def samples(bits, channels, seed=0):
    """Random samples of some bits, with the darkest and the lightest among them."""
    values = np.random.default_rng(seed).integers(0, 1 << bits, (*SIZE, channels))
    values[0, 0], values[0, 1] = 0, (1 << bits) - 1
    return values.astype(np.uint8 if bits <= 8 else np.uint16 if bits <= 16 else np.uint32)


def scaled(values, bits):
    """What comes out: the whole range of 8 or 16 bits."""
    top = 255 if bits <= 8 else 65535
    return np.rint(values.astype(float) * top / ((1 << bits) - 1))


def encoded(values, bits, **options):
    return imagecodecs.jpeg2k_encode(values.squeeze(), bitspersample=bits, reversible=True, **options)


def with_trailing(box, data, start):
    """The file with a box before the one that begins at `start`."""
    return data[:start] + box + data[start:]


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("bits", [1, 2, 4, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16])
def test_jpeg2000_of_every_depth(bits, channels):
    values = samples(bits, channels)
    for container in ("jp2", "j2k"):
        header, (frame,) = read(encoded(values, bits, codecformat=container))
        assert (header.dtype, header.channels, header.alpha) == ("uint8" if bits <= 8 else "uint16", channels, channels == 4)
        assert frame.pixels.dtype == header.dtype
        np.testing.assert_allclose(frame.pixels, scaled(values, bits), rtol=0, atol=1)
        top = np.iinfo(header.dtype).max
        assert (frame.pixels[0, 0] == 0).all() and (frame.pixels[0, 1] == top).all()


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("bits", [8, 10, 12, 16])
def test_jpeg2000_with_signed_samples(bits, channels):
    values = samples(bits, channels).astype(np.int32)
    signed = (values - (1 << bits - 1)).astype(np.int8 if bits == 8 else np.int16)
    header, (frame,) = read(encoded(signed, bits))
    assert (header.channels, frame.pixels.dtype) == (channels, "uint8" if bits == 8 else "uint16")
    np.testing.assert_allclose(frame.pixels, scaled(values, bits), rtol=0, atol=1)


@pytest.mark.parametrize("bits", [8, 12, 16])
def test_jpeg2000_in_cmyk_becomes_rgb(bits):
    values = samples(bits, 4)
    header, (frame,) = read(encoded(values, bits, colorspace="CMYK"))
    assert (header.channels, header.alpha) == (3, False)
    light = 1 - values / ((1 << bits) - 1)
    expected = light[..., :3] * light[..., 3:] * (255 if bits == 8 else 65535)
    np.testing.assert_allclose(frame.pixels, expected, rtol=0, atol=2)


def test_jpeg2000_of_more_than_16_bits_is_float():
    values = samples(20, 1)
    header, (frame,) = read(encoded(values, 20))
    assert header.dtype == "float32"
    np.testing.assert_array_equal(frame.pixels, values.astype(np.float32))


@pytest.mark.parametrize("bits", [8, 12, 16])
@pytest.mark.parametrize("large", [100, 90_000])
@pytest.mark.parametrize("wide", [False, True])
def test_the_boxes_of_jpeg2000_can_stand_anywhere(bits, large, wide):
    values = samples(bits, 3)
    data = encoded(values, bits)
    payload = b"<x/>" * (large // 4)
    box = struct.pack(">I4sQ", 1, b"xml ", 16 + len(payload)) if wide else struct.pack(">I4s", 8 + len(payload), b"xml ")
    for before in (b"jp2h", b"jp2c"):
        _, (frame,) = read(with_trailing(box + payload, data, data.index(before) - 4))
        np.testing.assert_allclose(frame.pixels, scaled(values, bits), rtol=0, atol=1)


@pytest.mark.parametrize("bits", [8, 12])
@pytest.mark.parametrize("space", [0, 1, 11, 13, 14, 15, 18, 20, 24, 99])
def test_jpeg2000_in_a_colour_space_that_is_not_read_is_refused(space, bits):
    data = encoded(samples(bits, 3), bits)
    at = data.index(b"colr") + 7
    if (space, bits) == (18, 8):
        return  # sYCC of 8 bits is read
    with pytest.raises(ImageError, match=f"colour space {space} are not supported"):
        read(data[:at] + struct.pack(">I", space) + data[at + 4 :])


@pytest.mark.parametrize(("channels", "space"), [(3, 17), (1, 16), (4, 17)])
def test_jpeg2000_of_more_or_fewer_components_than_its_colours_is_refused(channels, space):
    data = encoded(samples(8, channels), 8)
    at = data.index(b"colr") + 7
    with pytest.raises(ImageError, match=f"of {channels} components are not supported"):
        read(data[:at] + struct.pack(">I", space) + data[at + 4 :])


@pytest.mark.parametrize(
    ("colour", "match"),
    [
        (b"\2\0\0" + bytes(16) + b"CMYK" + bytes(108), "ICC profile of CMYK colours"),
        (b"\2\0\0" + bytes(16) + b"Lab " + bytes(108), "ICC profile of Lab colours"),
        (b"\2\0\0" + bytes(16) + b"RGB " + bytes(108), None),
        (b"\4\0\0" + bytes(40), "unknown colour space"),
    ],
)
@pytest.mark.parametrize("bits", [8, 16])
def test_colours_of_jpeg2000_that_a_profile_or_another_method_defines(colour, match, bits):
    values = samples(bits, 4)
    data = encoded(values, bits)
    start, header = data.index(b"colr") - 4, data.index(b"jp2h") - 4
    box = struct.pack(">I4s", 8 + len(colour), b"colr") + colour
    length = struct.unpack_from(">I", data, header)[0] + len(box) - 15
    file = data[:header] + struct.pack(">I", length) + data[header + 4 : start] + box + data[start + 15 :]
    if match:
        with pytest.raises(ImageError, match=match):
            read(file)
    else:
        np.testing.assert_allclose(read(file)[1][0].pixels, scaled(values, bits), rtol=0, atol=1)


def test_chroma_of_jpeg2000_at_half_size_in_a_tile_of_odd_size():
    """Pillow shifts it. libvips made the file, of 15x11 pixels with steps of 5 or 6 levels; it spoils the last row and column."""
    (frame,) = read(base64.b64decode(HALF_CHROMA))[1]
    y, x = np.mgrid[:10, :14]
    assert frame.pixels.shape == (11, 15, 3)
    assert np.abs(frame.pixels[:10, :14] - np.stack([100 + 6 * y, 100 + 5 * x, 200 - 6 * y], axis=2)).max() < 12


@pytest.mark.parametrize("step", [2, 3])
def test_components_of_jpeg2000_that_are_all_smaller_than_the_image_are_refused(step):
    data = bytearray(imagecodecs.jpeg2k_encode(np.zeros((8, 8, 3), np.uint8), codecformat="j2k", reversible=True))
    struct.pack_into(">II", data, 8, 8 * step, 8 * step)
    for place in range(42, 51, 3):
        data[place + 1 : place + 3] = step, step
    with pytest.raises(ImageError, match="differ in depth or size"):
        read(bytes(data))


def test_half_a_jpeg2000_with_its_lengths_right_is_an_error():
    for bits in (8, 12, 16):
        data = encoded(samples(bits, 3), bits, codecformat="j2k")
        start = data.index(b"\xff\x90")
        half = bytearray(data[: len(data) // 2])
        struct.pack_into(">I", half, start + 6, len(half) - start)
        with pytest.raises(ImageError, match="damaged jpeg2000"):
            read(bytes(half) + b"\xff\xd9")


def jp2_of(pixels, definition, more=b""):
    """A JPEG 2000 file whose components have these (kind, place)."""

    def box(name, data):
        return struct.pack(">I", 8 + len(data)) + name + data

    space = 17 if len(definition) < 3 else 16
    entries = b"".join(struct.pack(">HHH", number, *each) for number, each in enumerate(definition))
    head = box(b"ihdr", struct.pack(">IIHBBBB", *pixels.shape, pixels.itemsize * 8 - 1, 7, 0, 0))
    head += box(b"colr", b"\1\0\0" + struct.pack(">I", space)) + more + box(b"cdef", struct.pack(">H", len(definition)) + entries)
    stream = imagecodecs.jpeg2k_encode(pixels.squeeze(), codecformat="j2k", reversible=True, mct=False)
    start = b"\0\0\0\x0cjP  \r\n\x87\n" + box(b"ftyp", b"jp2 \0\0\0\0jp2 ")
    return start + box(b"jp2h", head) + box(b"jp2c", stream)


COLOUR, ALPHA = 0, (1, 0)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("order", [(1, 2, 3), (3, 2, 1), (1, 2, 3, 0), (0, 1, 2, 3), (0, 3, 1, 2), (1, 0), (0, 1)], ids=str)
def test_components_of_jpeg2000_stand_in_any_order(order, dtype):
    """0 is alpha, the others are red, green and blue, or grey."""
    pixels = np.random.default_rng(0).integers(0, np.iinfo(dtype).max + 1, (20, 31, len(order))).astype(dtype)
    header, (frame,) = read(jp2_of(pixels, [(COLOUR, place) if place else ALPHA for place in order]))
    places = [order.index(place) for place in (*range(1, max(order) + 1), *([0] if 0 in order else []))]
    np.testing.assert_array_equal(frame.pixels, pixels[..., places])
    assert header.alpha == (0 in order)


def test_colours_of_a_palette_of_jpeg2000_stand_in_any_order():
    numbers = np.random.default_rng(0).integers(0, 4, (20, 31, 1)).astype(np.uint8)
    palette = np.arange(12, dtype=np.uint8).reshape(4, 3) * 20
    entries = struct.pack(">HB", 4, 3) + bytes([7] * 3) + palette.tobytes()
    columns = b"".join(struct.pack(">HBB", 0, 1, column) for column in range(3))
    more = struct.pack(">I", 8 + len(entries)) + b"pclr" + entries + struct.pack(">I", 8 + len(columns)) + b"cmap" + columns
    (frame,) = read(jp2_of(numbers, [(COLOUR, 3), (COLOUR, 2), (COLOUR, 1)], more))[1]
    np.testing.assert_array_equal(frame.pixels, palette[numbers[..., 0]][..., ::-1])


@pytest.mark.parametrize(("kind", "match"), [(2, "premultiplied alpha"), (65535, "neither colours nor alpha")])
def test_other_components_of_jpeg2000_are_refused(kind, match):
    with pytest.raises(ImageError, match=match):
        read(jp2_of(np.zeros((4, 5, 4), np.uint8), [(COLOUR, 1), (COLOUR, 2), (COLOUR, 3), (kind, 0)]))


def avif(bits, channels, **options):
    values = samples(bits, channels) if channels == 1 else smooth(bits, channels)
    data = imagecodecs.avif_encode(values.squeeze(), level=100, bitspersample=bits, codec="aom", **options)
    return values, data


def smooth(bits, channels):
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    top = (1 << bits) - 1
    ramps = [top * x / x.max(), top * y / y.max(), top * (x + y) / (x + y).max(), top - top * x / x.max() / 2]
    return np.stack(ramps[:channels], axis=2).astype(np.uint8 if bits == 8 else np.uint16)


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("bits", [8, 10, 12])
@pytest.mark.parametrize("padding", [0, 90_000])
def test_avif_of_every_depth_wherever_its_boxes_stand(bits, channels, padding):
    values, data = avif(bits, channels, pixelformat="yuv444")
    header, (frame,) = read(data)
    assert (header.channels, header.dtype) == (channels, "uint8" if bits == 8 else "uint16")
    np.testing.assert_allclose(frame.pixels, scaled(values, bits), rtol=0, atol=np.iinfo(header.dtype).max / 60)
    if padding:
        with_free = behind_meta(data, padding)
        again, (other,) = read(with_free)
        assert again == header
        np.testing.assert_array_equal(other.pixels, frame.pixels)


def behind_meta(data, padding):
    """The file with a large box before its `meta` box, and the offsets of its items moved along."""
    at = data.index(b"meta") - 4
    moved = bytearray(data[:at] + struct.pack(">I4s", 8 + padding, b"free") + bytes(padding) + data[at:])
    iloc = moved.index(b"iloc") + 4
    sizes, base, count = moved[iloc + 4], moved[iloc + 5] >> 4, int.from_bytes(moved[iloc + 6 : iloc + 8], "big")
    assert (moved[iloc], sizes, base) == (0, 0x44, 0)  # version 0, offsets and lengths of 4 bytes
    for item in range(count):
        place = iloc + 8 + item * 14 + 6
        struct.pack_into(">I", moved, place, struct.unpack_from(">I", moved, place)[0] + 8 + padding)
    return bytes(moved)


def test_grey_avif_of_10_bits():
    values = smooth(10, 1)
    data = imagecodecs.avif_encode(values[..., 0], level=100, bitspersample=10, codec="aom", pixelformat="yuv400")
    header, (frame,) = read(data)
    assert (header.dtype, frame.channels) == ("uint16", header.channels)
    np.testing.assert_allclose(frame.pixels, np.broadcast_to(scaled(values, 10), frame.pixels.shape), rtol=0, atol=1200)


def test_an_avif_animation_keeps_the_time_of_its_frames():
    frames = [Image.new("RGB", (16, 16), (40 * n, 0, 0)) for n in range(3)]
    data = saved(frames[0], "AVIF", save_all=True, append_images=frames[1:], duration=[40, 50, 1001])
    assert [frame.duration for frame in read(data)[1]] == [40, 50, 1001]
    header = data.index(b"mdhd") + 4
    at = header + (20 if data[header] == 1 else 12)  # the time scale: 1001 of 30000 rather than milliseconds
    changed = data[:at] + struct.pack(">I", 30000) + data[at + 4 :]
    assert read(changed)[1][2].duration == pytest.approx(1001 / 30, rel=1e-12)


def test_cmyk_without_ink_is_white():
    for dtype in (np.uint8, np.uint16):
        assert (rgb_of_cmyk(np.zeros((1, 1, 4), dtype)) == np.iinfo(dtype).max).all()


def test_half_an_avif_or_webp_is_an_error():
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    for name in ("AVIF", "WEBP"):
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, name)
        with pytest.raises(ImageError):
            read(file.getvalue()[: len(file.getvalue()) // 2])


@pytest.mark.parametrize("bits", [8, 10, 12, 16])
@pytest.mark.parametrize("channels", [1, 3])
def test_jpeg_without_loss_of_every_depth(bits, channels):
    values = samples(bits, channels)
    header, (frame,) = read(imagecodecs.jpeg8_encode(values.squeeze(), bitspersample=bits, lossless=True))
    assert (header.dtype, header.channels) == ("uint8" if bits == 8 else "uint16", channels)
    np.testing.assert_allclose(frame.pixels, scaled(values, bits), rtol=0, atol=1)


@pytest.mark.parametrize("channels", [1, 3])
def test_jpeg_of_12_bits(channels):
    ramp = np.broadcast_to(np.linspace(0, 4095, 64)[None, :, None], (40, 64, channels)).astype(np.uint16)
    data = imagecodecs.jpeg8_encode(np.ascontiguousarray(ramp.squeeze()), bitspersample=12, level=98)
    header, (frame,) = read(data)
    assert (header.dtype, header.channels, header.size) == ("uint16", channels, (40, 64))
    np.testing.assert_allclose(frame.pixels, scaled(ramp, 12), rtol=0, atol=400)
    for position in range(len(data) // 2, len(data) - 20, 40):
        for end in (b"", b"\xff\xd9"):
            with pytest.raises(ImageError, match="damaged jpeg"):
                read(data[:position] + end)


@pytest.mark.parametrize("marker", [0xC5, 0xC7, 0xCB, 0xCF, 0xF7])
def test_other_kinds_of_jpeg_are_not_supported_and_never_damaged(marker):
    data = saved(Image.new("L", (9, 9)), "JPEG")
    with pytest.raises(ImageError, match="not supported"):
        read(data.replace(b"\xff\xc0", bytes([0xFF, marker])))


@pytest.mark.parametrize(
    "segment", [b"\xff\xe0\x00\x10JFIF\0\1\1\0\0\1\0\1\0\0", b"\xff\xee\x00\x0eAdobe\0d\0\0\0\0\1", b"\xff\xfe\x00\x06Lavc"]
)
def test_a_jpeg_without_loss_is_rgb_or_refused(segment):
    values = samples(8, 3)
    data = imagecodecs.jpeg8_encode(values, lossless=True)
    adobe = b"\xff\xee\x00\x0eAdobe\0d\0\0\0\0\0"
    assert data[2:].startswith(adobe)
    np.testing.assert_array_equal(read(data)[1][0].pixels, values)
    with pytest.raises(ImageError, match="YCbCr"):
        read(data[:2] + segment + data[2 + len(adobe) :])
