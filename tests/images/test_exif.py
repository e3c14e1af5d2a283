"""EXIF: what stays is the bytes of the file, what a filter changes is right, thumbnails are gone, damage is harmless."""

import io
import struct
import time
from fractions import Fraction

import numpy as np
import pytest
import tifffile
from exif_blocks import NOTE, THUMBNAIL, block, tags
from hypothesis import given
from hypothesis import strategies as st
from image_files import png, read, saved
from PIL import Image

from imgconv.images import from_pil
from imgconv.images.metadata import exif as exif_of
from imgconv.images.raster import Metadata
from imgconv.images.tiff import writer as tiff_writer

ORDERS = ("<", ">")
RESOLUTION = {0x11A: (5, [300, 1]), 0x11B: (5, [150, 1]), 0x128: (3, [2])}


def rebuilt(data, size=(10, 20), stride=(1, 1)):
    return exif_of.encode(exif_of.resized(exif_of.read(data), size, stride))[0]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("kind", [3, 4])
def test_sizes_are_those_of_the_image(order, kind):
    data = block({0x100: (kind, [80]), 0x101: (kind, [48])}, {0xA002: (kind, [80]), 0xA003: (kind, [48])}, order=order)
    result_tags = tags(rebuilt(data, (70000, 20)))
    assert [result_tags[0x100], result_tags[0x101], result_tags["exif", 0xA002], result_tags["exif", 0xA003]] == [
        [20],
        [70000],
        [20],
        [70000],
    ]
    assert result_tags["order"] == order


@pytest.mark.parametrize("order", ORDERS)
def test_resolutions_follow_the_stride(order):
    sensor = {0xA20E: (5, [4000, 3]), 0xA20F: (5, [4000, 3])}
    result_tags = tags(rebuilt(block(RESOLUTION, sensor, order=order), stride=(2, 3)))
    assert (result_tags[0x11A], result_tags[0x11B]) == ([100, 1], [75, 1])
    assert (result_tags["exif", 0xA20E], result_tags["exif", 0xA20F]) == ([4000, 9], [2000, 3])


@pytest.mark.parametrize("number", [Fraction(1, 3), Fraction(10**12), Fraction(2**32 - 1), Fraction(1, 2**40), Fraction(0)])
def test_rationals_fit_32_bits(number):
    numerator, denominator = struct.unpack(">II", exif_of.rational(">", number).data)
    assert abs(Fraction(numerator, denominator) - min(number, 2**32 - 1)) < Fraction(1, 2**30)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("kind", [1, 3, 4, 6, 8, 9])
def test_orientation_has_any_integer_type(order, kind):
    image = Image.new("L", (4, 2))
    image.info["exif"] = b"Exif\0\0" + block({0x112: (kind, [6])}, order=order)
    raster = from_pil(image)
    assert raster.size == (4, 2)
    assert tags(exif_of.encode(raster.metadata.exif)[0])[0x112] == [1]


@pytest.mark.parametrize("order", ORDERS)
def test_axes_are_exchanged_with_the_image(order):
    data = block({0x112: (3, [8]), **RESOLUTION, 0x100: (4, [4]), 0x101: (4, [2])}, {0x9214: (3, [1, 2])}, order=order)
    image = Image.new("L", (4, 2))
    image.info["exif"] = data
    result_tags = tags(exif_of.encode(from_pil(image).metadata.exif)[0])
    assert (result_tags[0x11A], result_tags[0x11B], result_tags[0x100], result_tags[0x101]) == ([150, 1], [300, 1], [2], [4])
    assert ("exif", 0x9214) not in result_tags  # its numbers are pixels of the image as it was


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("note_at", [12, 400, 999, 40_000])
def test_maker_notes_stay_where_they_are(order, note_at):
    if note_at == 12:
        note_at = 8 + 2 + 24 + 4 + 2 + 36 + 4 + 300  # soon after the directories
    exif = {0x927C: (7, NOTE), 0x9003: (2, b"2026:11:29 09:00:00\0"), 0x9286: (7, b"ASCII\0\0\0" + b"x" * 99)}
    data = block({0x10F: (2, b"ACME\0\0")}, exif, order=order, thumbnail=None, note_at=note_at)
    result_tags = tags(rebuilt(data))
    assert (result_tags["exif", "note at"], result_tags["exif", 0x927C]) == (note_at, NOTE)
    assert result_tags["exif", 0x9286].endswith(b"x" * 99)


def test_a_distant_maker_note_moves_and_this_is_reported():
    data = block({}, {0x927C: (7, NOTE)}, note_at=1 << 20)
    rewritten, dropped = exif_of.encode(exif_of.read(data))
    assert tags(rewritten)["exif", 0x927C] == NOTE
    assert len(rewritten) < 2000
    assert "maker note" in dropped[0]


@pytest.mark.parametrize("order", ORDERS)
def test_no_byte_of_a_thumbnail_stays(order):
    exif = {0x927C: (7, NOTE + THUMBNAIL + b"end"), 0x9286: (7, bytes(8) + THUMBNAIL)}
    data = block({0x8298: (2, b"(c) Ann\0"), 0x501B: (1, THUMBNAIL)}, exif, order=order, thumbnail=THUMBNAIL)
    parsed = exif_of.read(data)
    rewritten = rebuilt(data)
    assert THUMBNAIL[10:50] not in rewritten
    result_tags = tags(rewritten)
    assert result_tags[0x8298] == b"(c) Ann\0"
    assert result_tags["exif", 0x927C] == NOTE + bytes(len(THUMBNAIL)) + b"end"
    assert {"thumbnail", "preview in the maker note"} <= set(parsed.dropped)


def test_metadata_that_exceed_a_jpeg_segment_are_named():
    image = {0x8298: (2, b"(c) Ann\0")}
    data = block(image, {0x9286: (7, bytes(8) + b"y" * 70_000), 0x927C: (7, NOTE)})
    rewritten, dropped = exif_of.encode(exif_of.read(data), 65_527)
    assert tags(rewritten)[0x8298] == b"(c) Ann\0"
    assert tags(rewritten)["exif", 0x927C] == NOTE
    assert dropped[0] == "EXIF user comment (no room)"


@pytest.mark.parametrize("order", ORDERS)
def test_storage_of_pixels_is_left_out(order):
    image = {0x102: (3, [8, 8, 8]), 0x106: (3, [2]), 0x111: (4, [8]), 0x117: (4, [99]), 0x14A: (4, [9]), 0x10F: (2, b"ACME\0\0")}
    assert set(tags(rebuilt(block(image, order=order)))) == {0x10F, "order"}


@pytest.mark.parametrize("order", ORDERS)
def test_the_other_byte_order_has_the_same_values(order):
    exif = {0x927C: (7, NOTE), 0x829A: (5, [1, 250]), 0xA002: (4, [20]), 0x9003: (2, b"2026\0\0")}
    data = block({0x112: (3, [1]), **RESOLUTION}, exif, {0: (1, [2, 3, 0, 0])}, order=order)
    original, other = tags(data), tags(exif_of.encode(exif_of.swapped(exif_of.read(data)))[0])
    assert original.pop("order") != other.pop("order")
    for result_tags in (original, other):
        for key in (0x8769, 0x8825, ("exif", "note at")):
            result_tags.pop(key, None)
    assert other == original


def test_loops_and_huge_counts_end_at_once():
    entry = struct.pack("<HHI", 0x8769, 4, 1)
    loop = b"II*\0\x08\0\0\0" + struct.pack("<H", 2) + struct.pack("<HHI4s", 0x10F, 2, 4, b"abc\0") + entry
    loop += struct.pack("<I", 8) + struct.pack("<I", 8)
    huge = b"II*\0\x08\0\0\0" + struct.pack("<H", 4096)
    huge += struct.pack("<HHII", 0x10F, 2, 60_000, 8) * 4096 + bytes(60_000)
    count = b"II*\0\x08\0\0\0\1\0" + struct.pack("<HHII", 0x10F, 12, 0xFFFFFFFF, 8) + bytes(4)
    started = time.process_time()
    for data in (loop, huge, count, *(struct.pack("<2sHIH", b"II", 42, 8, 65535) + bytes(n) for n in (0, 12, 800_000))):
        parsed = exif_of.read(data)
        if parsed is not None:
            rewritten, _ = exif_of.encode(parsed)
            assert len(rewritten) <= len(data) + 100
            assert parsed.dropped in ((), ("damaged EXIF entries",), ("thumbnail",), ("thumbnail", "damaged EXIF entries"))
    assert time.process_time() - started < 5


WHOLE = block(
    {0x112: (3, [6]), **RESOLUTION, 0x8298: (2, b"(c) Ann\0")},
    {0x927C: (7, NOTE), 0xA002: (4, [80]), 0xA003: (4, [48])},
    {0: (1, [2, 3, 0, 0])},
    order=">",
    thumbnail=THUMBNAIL,
)


@given(st.lists(st.tuples(st.integers(0, 250), st.integers(0, 255)), max_size=6), st.integers(0, len(WHOLE)))
def test_any_damage_gives_a_block_or_nothing(changes, end):
    data = bytearray(WHOLE)
    for position, value in changes:
        data[position] = value
    parsed = exif_of.read(bytes(data[:end]))
    if parsed is not None:
        resized = exif_of.resized(exif_of.upright(parsed, parsed.orientation), (3, 4), (Fraction(2), Fraction(3, 2)))
        rewritten, _ = exif_of.encode(resized, 65_527)
        assert exif_of.read(rewritten) is None or exif_of.read(rewritten).directories == resized.directories or parsed.dropped


def test_damage_is_named_and_the_image_is_read():
    data = png(2, 1, 8, 0, [b"ab"], extra=[(b"eXIf", b"II*\0\xff\xff\xff\xff")])
    _, (frame,) = read(data)
    assert frame.pixels.ravel().tolist() == [97, 98]
    assert frame.metadata.exif is None
    assert "damaged EXIF" in frame.metadata.dropped


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "AVIF"])
def test_a_photograph_without_size_tags_gets_none(name):
    data = saved(Image.fromarray(np.zeros((8, 8, 3), np.uint8)), name, exif=b"Exif\0\0" + block({0x10F: (2, b"ACME\0\0")}))
    result_tags = tags(exif_of.encode(read(data)[1][0].metadata.exif)[0])
    assert set(result_tags) - {0x112, 0x8769} == {0x10F, "order"}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("big", [False, True])
def test_a_page_of_either_kind_of_tiff_has_the_directories_of_exif_and_gps(order, big):
    note = {0x927C: (7, NOTE), 0x9004: (2, b"2026:01:01\0")}
    data = block(RESOLUTION, note, {0: (1, [2, 3, 0, 0]), 2: (5, [51, 1, 30, 1, 0, 1])}, order=order, note_at=900)
    exif = exif_of.read(data)
    file = io.BytesIO()
    handle = tifffile.FileHandle(file, mode="wb", name="o.tif", size=0)
    with (
        tifffile.TiffWriter(handle, byteorder=order, bigtiff=big) as writer,
        tiff_writer.directories(Metadata(exif=exif), handle, order, None, is_big=big) as extra,
    ):
        writer.write(np.zeros((4, 6), np.uint8), extratags=extra, metadata=None)
    with tifffile.TiffFile(io.BytesIO(file.getvalue())) as opened:
        page = opened.pages[0]
        assert (opened.is_bigtiff, page.tags["ExifTag"].value["DateTimeDigitized"]) == (big, "2026:01:01")
        assert page.tags["GPSTag"].value["GPSLatitude"] == (51, 1, 30, 1, 0, 1)
    (raster,) = read(file.getvalue())[1]
    directories = raster.metadata.exif.directories
    assert (directories["exif"], directories["gps"]) == (exif.directories["exif"], exif.directories["gps"])
    assert raster.metadata.exif.note_offset == 900


@pytest.mark.parametrize("kind", [4, 13, 16, 18])
@pytest.mark.parametrize("order", ORDERS)
def test_a_bigtiff_points_to_directories_with_every_type(order, kind):
    text = struct.pack(order + "QHHQ8sQ", 1, 0x9004, 2, 4, b"abc\0", 0)
    pointer = struct.pack(order + ("I" if kind in (4, 13) else "Q"), 64).ljust(8, b"\0")
    image = struct.pack(order + "QHHQ8sQ", 1, 0x8769, kind, 1, pointer, 0)
    head = (b"II" if order == "<" else b"MM") + struct.pack(order + "HHHQ", 43, 8, 0, 16)
    assert exif_of.read((head + image).ljust(64, b"\0") + text).directories["exif"][0x9004].data == b"abc\0"
