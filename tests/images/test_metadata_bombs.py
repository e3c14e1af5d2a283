"""Small files whose metadata would take minutes or gigabytes to read: each is refused, or the image is read without them."""

import gzip
import io
import struct
import tracemalloc
import zlib

import imagecodecs
import numpy as np
import pytest
from image_files import PHOTO, png, png_chunk, read, saved
from PIL import Image

from imgconv.errors import ImageError

PIXELS = np.arange(12, dtype=np.uint8).reshape(3, 4)
SIZES = {4: 4, 7: 1}
SUB = 330


def directory(start, extra=(), following=0):
    """A directory of a TIFF of 4x3 pixels at the offset 8, at the offset `start`, with extra entries (tag, type, count, offset)."""
    plain = {256: 4, 257: 3, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: 3, 279: 12}
    entries = sorted([(tag, 4, 1, value) for tag, value in plain.items() if tag not in [tag for tag, *_ in extra]] + list(extra))
    table = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return struct.pack("<H", len(entries)) + table + struct.pack("<I", following)


def tiff(*directories):
    """A TIFF of these parts, one after the other from the offset 20 on."""
    return b"II*\0" + struct.pack("<I", 20) + PIXELS.tobytes() + b"".join(directories)


@pytest.mark.parametrize("tag", [258, 273, 277, 279, 282, 320, SUB, 338, 339, 530])
@pytest.mark.parametrize("kind", [4, 7])
def test_no_tag_of_a_tiff_has_more_values_than_an_image_needs(tag, kind):
    count = (1 << 24) // SIZES[kind]
    data = tiff(directory(20, [(tag, kind, count, 200)])).ljust(200, b"\0") + bytes(1 << 24)
    with pytest.raises(ImageError, match=r"tag|damaged tiff"):
        read(data)


def test_values_that_pages_share_are_no_longer_than_the_file_together():
    text = (270, 2, 1 << 21, 8)
    first = len(directory(20, [text]))
    pages = [directory(20 + number * first, [text], 20 + (number + 1) * first) for number in range(40)]
    with pytest.raises(ImageError, match="tag 270 has 2097152 values"):
        read(tiff(*pages).ljust(1 << 21, b"\0") + bytes(1 << 12))


def test_a_tiff_has_no_more_directories_than_can_be_read_in_seconds():
    entries = struct.pack("<HHII", 256, 4, 1, 4) * 4000
    chain = (struct.pack("<H", 4000) + entries + struct.pack("<I", 20 + number * (len(entries) + 6)) for number in range(1, 300))
    with pytest.raises(ImageError, match="more than 1048576 entries"):
        read(tiff(*chain))


@pytest.mark.parametrize("code", ["I", "Q"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_directories_of_a_directory_count_too(order, code):
    many, is_big = 80_000, code == "Q"
    head = struct.pack(order + ("HHHQ" if is_big else "HI"), *((43, 8, 0, 16) if is_big else (42, 8)))
    start = len(head) + 2
    entry = struct.pack(order + ("QHHQQQ" if is_big else "HHHIII"), 1, SUB, 16 if is_big else 4, many, 100, 0)
    offsets = struct.pack(f"{order}{many}{code}", *[start] * many)
    with pytest.raises(ImageError, match="tag 330 has 80000 values"):
        read(((b"II" if order == "<" else b"MM") + head + entry).ljust(100, b"\0") + offsets)


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param([directory(20, following=20)], id="chain"),
        pytest.param([directory(20, [(SUB, 4, 1, 20)])], id="own directory"),
        pytest.param([directory(20, [(34665, 4, 1, 20), (34853, 4, 1, 20)])], id="EXIF and GPS"),
        pytest.param([directory(20, [(40000 + number, 2, 1 << 20, 8) for number in range(500)]), bytes(1 << 20)], id="unknown tags"),
    ],
)
def test_loops_and_unused_values_have_no_effect(parts):
    (raster,) = read(tiff(*parts))[1]
    assert np.array_equal(raster.pixels[..., 0], PIXELS)


def segment(marker, data=b""):
    return b"\xff" + bytes([marker]) + struct.pack(">H", len(data) + 2) + data


@pytest.mark.parametrize(
    "many", [segment(0xE1, b"Exif\0\0II*\0") * 100, segment(0xFE) * 20_000, b"\xff" * 20_000], ids=["EXIF", "comments", "fill"]
)
@pytest.mark.parametrize("behind_frame", [False, True])
def test_a_jpeg_has_no_more_segments_than_pillow_reads_in_a_second(many, behind_frame):
    data = saved(Image.fromarray(PIXELS), "JPEG")
    at = data.index(b"\xff\xc4") if behind_frame else 2
    with pytest.raises(ImageError, match="16384 segments, or 64 of EXIF"):
        read(data[:at] + many + data[at:])


@pytest.mark.parametrize("chunk", [png_chunk(b"tEXt", b"a\0b"), png_chunk(b"IDAT"), png_chunk(b"abCd")], ids=["text", "IDAT", "other"])
def test_a_png_has_no_more_small_chunks_than_are_read_in_a_second(chunk):
    data = png(4, 3, 8, 0, PIXELS)
    at = data.index(b"IDAT") - 4
    with pytest.raises(ImageError, match="65536 of its chunks are small"):
        read(data[:at] + chunk * 70_000 + data[at:])


@pytest.mark.parametrize("name", ["AVIF", "JPEG2000", "jpegxl"])
def test_a_file_has_no_more_boxes_than_are_read_in_a_second(name):
    photo = Image.open(PHOTO).crop((0, 0, 64, 48))
    data = imagecodecs.jpegxl_encode(np.asarray(photo), usecontainer=True) if name == "jpegxl" else saved(photo, name)
    at = 12 if name != "AVIF" else int.from_bytes(data[:4], "big")
    with pytest.raises(ImageError, match="65536 others"):
        read(data[:at] + b"\0\0\0\x08free" * 70_000 + data[at:])


def test_times_of_an_avif_are_no_more_than_its_frames(tmp_path):
    photo = Image.open(PHOTO).crop((0, 0, 64, 48))
    data = bytearray(saved(photo, "AVIF", save_all=True, append_images=[photo.rotate(90), photo.rotate(180)], duration=40))
    at = data.index(b"stts")
    struct.pack_into(">I", data, at + 12, (1 << 32) - 1)  # the frames of the first entry
    header, rasters = read(bytes(data))
    assert (header.frames, [raster.duration for raster in rasters]) == (3, [40.0] * 3)


def gif(parts):
    return b"GIF89a" + struct.pack("<HH", 4, 3) + b"\x80\0\0" + bytes(6) + parts + b";"


def test_data_of_a_gif_are_no_more_than_its_pixels_need():
    frame = b"," + struct.pack("<HHHH", 0, 0, 4, 3) + b"\0\x02"
    with pytest.raises(ImageError, match="more data follow than its pixels need"):
        read(gif(frame + b"\1a" * 1_000_000 + b"\0"))


def test_a_gif_of_more_frames_than_any_film_is_refused():
    with pytest.raises(ImageError, match="65536 frames"):
        read(gif((b"," + struct.pack("<HHHH", 0, 0, 1, 1) + b"\0\x02\x02\x44\x01\0") * 66_000))


@pytest.mark.parametrize(
    "packed", [b"Exif" + imagecodecs.brotli_encode(bytes(1 << 26)), b"Exifdamage", b"xml "], ids=["huge", "damaged", "empty"]
)
def test_compressed_boxes_of_a_jpegxl_that_are_huge_or_damaged_are_left_out(packed):
    data = imagecodecs.jpegxl_encode(PIXELS, usecontainer=True)
    (raster,) = read(data + (struct.pack(">I", 8 + len(packed)) + b"brob" + packed) * 5000)[1]
    assert np.array_equal(raster.pixels[..., 0], PIXELS)


@pytest.mark.parametrize("end", ["END", "COMMENT"])
def test_a_fits_header_has_no_more_cards_than_astropy_reads_in_a_second(end):
    first = ["SIMPLE  =                    T", "BITPIX  =                    8", "NAXIS   =                    2"]
    text = [
        *first,
        "NAXIS1  =                    4",
        "NAXIS2  =                    3",
        "KEY     = 'a&'",
        *["CONTINUE  'a&'"] * 14_000,
        end,
    ]
    head, image = ("".join(card.ljust(80) for card in cards).encode() for cards in (text, [*text[:5], "END"]))
    pixels = PIXELS.tobytes().ljust(2880, b"\0")
    further = head.replace(b"SIMPLE  =                    T", b"XTENSION= 'IMAGE   '".ljust(30))
    for parts in ((head, pixels), (image, pixels, further, pixels)):
        with pytest.raises(ImageError, match="1048576 bytes of a header"):
            read(b"".join(part.ljust(-(-len(part) // 2880) * 2880, b" ") for part in parts))


@pytest.mark.exhaustive
def test_a_fits_file_has_no_more_units_than_astropy_reads_in_a_second():
    from astropy.io import fits

    file = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(PIXELS), fits.ImageHDU()]).writeto(file)
    data = file.getvalue()
    with pytest.raises(ImageError, match="4096 units"):
        read(data[:5760] + data[5760:] * 4100)


def packed_fits(*units, rest=b""):
    """A FITS file of units, each with how many zeros follow its header, compressed with gzip."""
    from astropy.io import fits

    file = io.BytesIO()
    for header, zeros in units:
        cards = fits.Header(header).tostring().encode()
        file.write(cards + bytes(-(-zeros // 2880) * 2880))
    return gzip.compress(file.getvalue() + rest, 1)


PLAIN_FITS = [("SIMPLE", True), ("BITPIX", 8), ("NAXIS", 2), ("NAXIS1", 60), ("NAXIS2", 48)]
EMPTY_FITS = b"".join(card.ljust(80) for card in (b"XTENSION= 'IMAGE   '", b"BITPIX  = 8", b"NAXIS   = 0", b"END")).ljust(2880)
FITS_TABLE = [("XTENSION", "BINTABLE"), ("BITPIX", 8), ("NAXIS", 2), ("NAXIS1", 1 << 12), ("NAXIS2", 1 << 13), ("PCOUNT", 0), ("GCOUNT", 1)]
FITS_TABLE += [("TFIELDS", 1), ("TFORM1", "4096B")]


@pytest.mark.parametrize(
    ("units", "rest", "message"),
    [
        ([(PLAIN_FITS, 2880), (FITS_TABLE, 1 << 25)], b"", None),
        ([(PLAIN_FITS, 2880)], bytes(1 << 25), "after its last unit"),
        ([([*PLAIN_FITS[:3], ("NAXIS1", 1 << 15), ("NAXIS2", 1 << 10)], 1 << 25)], b"", "33554432 pixels, more than the limit"),
        (
            [
                ([*PLAIN_FITS[:3], ("NAXIS1", 1000), ("NAXIS2", 999)], 999000),
                ([("XTENSION", "IMAGE"), *PLAIN_FITS[1:], ("PCOUNT", 0), ("GCOUNT", 1)], 2880),
            ],
            b"",
            "more pixels than the limit",
        ),
        ([([*PLAIN_FITS[:3], ("NAXIS1", 1 << 15), ("NAXIS2", -5)], 0)], b"", "negative size"),
        ([(PLAIN_FITS, 2880)], EMPTY_FITS * 4096, "4096 units"),
    ],
    ids=["table", "rest", "image", "images", "negative", "units"],
)
def test_a_packed_fits_is_inflated_as_far_as_images_need(units, rest, message):
    data = packed_fits(*units, rest=rest)
    read(packed_fits((PLAIN_FITS, 2880)))  # loads astropy
    tracemalloc.start()
    try:
        if message:
            with pytest.raises(ImageError, match=message):
                read(data, max_pixels=1_000_000)
        else:
            assert read(data)[1][0].size == (48, 60)
        assert tracemalloc.get_traced_memory()[1] < 1 << 24
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("offset", [352, 2 << 20])
def test_a_packed_nifti_is_read_no_further_than_its_pixels(offset):
    import nibabel

    data = bytearray(nibabel.Nifti1Image(PIXELS, np.eye(4)).to_bytes())
    struct.pack_into("<f", data, 108, offset)  # where the pixels begin
    file = gzip.compress(bytes(data) + bytes(1 << 25), 1)
    if offset > 352:
        with pytest.raises(ImageError, match="header of 2097152 bytes"):
            read(file)
        return
    tracemalloc.start()
    (raster,) = read(file)[1]
    assert np.array_equal(raster.pixels[..., 0], PIXELS.T) and tracemalloc.get_traced_memory()[1] < 1 << 23
    tracemalloc.stop()


def test_a_packed_nifti_with_a_wrong_checksum_is_an_error():
    import nibabel

    data = bytearray(gzip.compress(nibabel.Nifti1Image(PIXELS, np.eye(4)).to_bytes()))
    data[-8] ^= 1
    with pytest.raises(ImageError, match="CRC"):
        read(bytes(data))


def test_a_long_header_of_an_array_is_refused_in_plain_words():
    head = b"{'descr': '|u1', 'fortran_order': False, 'shape': (2, 2), }".ljust(20_000) + b"\n"
    with pytest.raises(ImageError, match="the header claims 20001 bytes"):
        read(b"\x93NUMPY\1\0" + struct.pack("<H", len(head)) + head + bytes(4))


DICOM_START = bytes(128) + b"DICM"
DICOM_PIXELS = b"".join(
    [
        struct.pack("<HH2sHH", 0x28, 2, b"US", 2, 1),
        struct.pack("<HH2sH12s", 0x28, 4, b"CS", 12, b"MONOCHROME2 "),
        *(struct.pack("<HH2sHH", 0x28, tag, b"US", 2, value) for tag, value in ((16, 3), (17, 4), (256, 8), (257, 8), (259, 0))),
    ]
) + struct.pack("<HH2sHL", 0x7FE0, 16, b"OB", 0, 12)
ELEMENT = struct.pack("<HH2sHH", 9, 0x1010, b"US", 2, 1)


def in_sequences(elements):
    """A sequence of an item of undefined length for each element."""
    item, end = struct.pack("<HHL", 0xFFFE, 0xE000, 0xFFFFFFFF), struct.pack("<HHL", 0xFFFE, 0xE00D, 0)
    start = struct.pack("<HH2sHL", 9, 0x1000, b"SQ", 0, 0xFFFFFFFF)
    return start + (item + elements + end) * 70_000 + struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)


def dicom(elements, deflated=False):
    """A DICOM file of 4x3 pixels with these elements before those of its pixels."""
    syntax = b"1.2.840.10008.1.2.1.99" if deflated else b"1.2.840.10008.1.2.1\0"
    meta = struct.pack("<HH2sH", 2, 16, b"UI", len(syntax)) + syntax
    data = elements + DICOM_PIXELS + PIXELS.tobytes()
    if deflated:
        deflating = zlib.compressobj(1, wbits=-15)
        data = deflating.compress(data) + deflating.flush()
    return DICOM_START + struct.pack("<HH2sHL", 2, 0, b"UL", 4, len(meta)) + meta + data


@pytest.mark.parametrize("deflated, elements", [(False, ELEMENT * 270_000), (True, in_sequences(ELEMENT))])
def test_a_dicom_file_has_no_more_elements_than_images_have(deflated, elements):
    assert np.array_equal(read(dicom(ELEMENT * 1000, deflated))[1][0].pixels[..., 0], PIXELS)
    with pytest.raises(ImageError, match="more than 131072 elements"):
        read(dicom(elements, deflated))


def test_a_dicom_file_inflates_to_no_more_than_images_take():
    large = struct.pack("<HH2sHL", 9, 0x1010, b"OB", 0, 1 << 27) + bytes(1 << 27)
    with pytest.raises(ImageError, match="more than 134217728 bytes"):
        read(dicom(large, deflated=True))
