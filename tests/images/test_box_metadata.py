"""Metadata in boxes: colour codes of AVIF and HEIC, and everything that JPEG 2000 files hold beside their pixels."""

import base64
import io
import struct
from uuid import UUID

import numpy as np
import pytest
from image_files import png, read, saved
from PIL import Image

from imgconv.errors import ImageError
from imgconv.images import Encoding, Metadata, Raster, boxes, encode, fitted, jpeg2000
from imgconv.images.metadata import exif as exif_of

PIXELS = np.random.default_rng(1).integers(0, 256, (8, 12, 3)).astype(np.uint8)
PROFILE = b"\0" * 16 + b"RGB " + b"\0" * 108
GEOTIFF = UUID("b14bf8bd-083d-4b43-a5ae-8cd7d5a6ce03").bytes
P3, PQ = (b"cICP", bytes((12, 13, 0, 1))), (b"cICP", bytes((9, 16, 0, 1)))

# avifenc --crop 8,4,32,20 --irot 1 of 48x32 pixels: 60 above row 16 and 200 below; red is 20 left of column 16, blue 250 from column 32 on
CROPPED = base64.b64decode(
    "AAAAIGZ0eXBhdmlmAAAAAGF2aWZtaWYxbWlhZk1BMUEAAAElbWV0YQAAAAAAAAAoaGRscgAAAAAAAAAAcGljdAAAAAAAAAAAAAAAAGxpYmF2aWYAAAAADnBp"
    "dG0AAAAAAAEAAAAeaWxvYwAAAABEAAABAAEAAAABAAABTQAAAFkAAAAoaWluZgAAAAAAAQAAABppbmZlAgAAAAABAABhdjAxQ29sb3IAAAAAnWlwcnAAAAB8"
    "aXBjbwAAABRpc3BlAAAAAAAAADAAAAAgAAAAEHBpeGkAAAAAAwgICAAAAAxhdjFDgSAAAAAAABNjb2xybmNseAABAA0ABoAAAAAoY2xhcAAAACAAAAABAAAA"
    "FAAAAAEAAAAAAAAAAf////4AAAABAAAACWlyb3QBAAAAGWlwbWEAAAAAAAAAAQABBgECgwSFhgAAAGFtZGF0EgAKCTgVL/sICGg0gDJKEAAA21Abw8BoZvVk"
    "rrKbwLGrhGbuLwgM4QSA8Bm7OCcyiCjS4+w4vik2SU9SP2nSKFSFP69l8bLEnSM/q0SGaKvhVCzGxU60C4A="
)


def written(metadata, name, pixels=PIXELS):
    file = io.BytesIO()
    encode([Raster(pixels, metadata=metadata)], name, file, Encoding())
    return file.getvalue()


def box(name, data):
    return struct.pack(">I", 8 + len(data)) + name + data


def in_front_of_the_pixels(data, more):
    start, _ = boxes.find(io.BytesIO(data), "jp2c")
    return data[: start - 8] + more + data[start - 8 :]


@pytest.mark.parametrize("codes", [P3, PQ, (b"cICP", bytes((1, 8, 0, 1)))], ids=["p3", "pq", "linear"])
@pytest.mark.parametrize("to", ["avif", "png"])
def test_colour_codes_of_avif_stay(codes, to):
    source = written(Metadata(colour=(codes,)), "avif")
    described = read(source)[1][0].metadata
    assert described.colour == (codes,)
    assert read(written(described, to))[1][0].metadata.colour == (codes,)
    assert fitted(described, "jpeg", 3).dropped == ("cICP (no place in jpeg)",)


def test_the_crop_of_an_avif_is_applied_before_it_is_turned():
    header, (frame,) = read(CROPPED)
    whole = np.full((32, 48, 3), 60)
    whole[16:] = 200
    whole[:, :16, 0], whole[:, 32:, 2] = 20, 250
    assert header.size == (32, 20)
    assert np.abs(frame.pixels - np.rot90(whole[4:24, 8:40])).max() < 12
    for place, wrong in ((4, b"\0\0\0\0"), (0, b"\0\0\0\x63")):  # a denominator of 0, and a width beyond the image
        at = CROPPED.index(b"clap") + 4 + place
        with pytest.raises(ImageError, match="its crop is"):
            read(CROPPED[:at] + wrong + CROPPED[at + 4 :])


def test_srgb_needs_no_codes_and_a_profile_precedes_them():
    assert read(written(Metadata(), "avif"))[1][0].metadata.colour == ()
    both = read(written(Metadata(colour=(P3,), icc_profile=PROFILE), "avif"))[1][0].metadata
    assert (both.colour, both.icc_profile) == ((), PROFILE)
    others = ((b"gAMA", bytes(4)), P3)
    assert fitted(Metadata(colour=others), "avif", 3).dropped == ("gAMA (no place in avif)",)


def test_colour_codes_of_heic_stay():
    heif = pytest.importorskip("pillow_heif")
    file = io.BytesIO()
    heif.from_pillow(Image.fromarray(PIXELS)).save(file, color_primaries=12, transfer_characteristic=13)
    assert read(file.getvalue())[1][0].metadata.colour == (P3,)


@pytest.mark.parametrize("dpi", [(300.0, 150.0), (72.0, 72.0), (0.5, 9000.0)])
def test_resolutions_of_jpeg2000_stay(dpi):
    again = read(written(Metadata(dpi=dpi), "jpeg2000"))[1][0].metadata
    assert again.dpi == pytest.approx(dpi, rel=1e-4)


def test_a_place_in_a_jpeg2000_is_read_and_other_boxes_are_named():
    keys = struct.pack("<8H", 1, 1, 0, 1, 1024, 0, 1, 1)
    scale, tie = struct.pack("<3d", 10, 10, 0), struct.pack("<6d", 0, 0, 0, 500, 900, 0)
    parts = [(33550, 12, 3, scale), (33922, 12, 6, tie), (34735, 3, 8, keys)]
    place, entries, data = 8 + 2 + 12 * len(parts) + 4, b"", b""
    for tag, kind, count, content in parts:
        entries += struct.pack("<HHII", tag, kind, count, place + len(data))
        data += content
    tiff = b"II*\0" + struct.pack("<IH", 8, len(parts)) + entries + bytes(4) + data
    source = in_front_of_the_pixels(saved(Image.fromarray(PIXELS), "JPEG2000"), box(b"uuid", GEOTIFF + tiff) + box(b"xml ", b"<gml/>"))
    described = read(source)[1][0].metadata
    assert described.ground.scale == (10, 10, 0)
    assert described.dropped == ("XML and further boxes",)


def test_a_codestream_without_boxes_and_damaged_boxes_are_read():
    file = io.BytesIO()
    Image.fromarray(PIXELS).save(file, "JPEG2000", no_jp2=True)
    assert read(file.getvalue())[1][0].metadata == Metadata()
    whole = saved(Image.fromarray(PIXELS), "JPEG2000")
    for content in (b"", bytes(15), GEOTIFF, GEOTIFF + b"II*\0"):
        assert read(in_front_of_the_pixels(whole, box(b"uuid", content)))[1][0].metadata.ground is None
    assert jpeg2000.info_of(io.BytesIO(b"")) == {}


@pytest.mark.parametrize(
    ("keyword", "content", "part"),
    [
        ("iptc", b"8BIM\4\4\0\0" + struct.pack(">I", 8) + b"\x1c\x02\x50\0\3Ann", "iptc"),
        ("8bim", b"8BIM\4\4\0\0" + struct.pack(">I", 8) + b"\x1c\x02\x50\0\3Ann", "iptc"),
        ("APP1", b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta xmlns:x='adobe:ns:meta/'/>", "xmp"),
        ("APP1", exif_of.PREFIX + b"II*\0\x08\0\0\0\1\0\x0f\1\2\0\4\0\0\0Ann\0\0\0\0\0", "exif"),
        ("icc", PROFILE, "icc_profile"),
    ],
)
@pytest.mark.parametrize("name", ["{}", "{} profile"])
def test_profiles_in_texts_of_a_png_are_read(keyword, content, part, name):
    """ImageMagick writes one word as the name of a profile, exiftool two."""
    text = f"\n{name.format(keyword)}\n{len(content):8}\n{content.hex()}\n"
    extra = [(b"tEXt", f"Raw profile type {keyword}\0{text}".encode())]
    assert getattr(read(png(2, 1, 8, 0, [b"ab"], extra=extra))[1][0].metadata, part)


def test_profiles_of_other_types_in_a_png_are_named():
    extra = [(b"tEXt", b"Raw profile type generic\0\ngeneric\n 1\n00\n")]
    assert read(png(2, 1, 8, 0, [b"ab"], extra=extra))[1][0].metadata.dropped == ("profile of the type generic",)
