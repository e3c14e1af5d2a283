"""Metadata across formats: what each output holds, what is stripped, what is named, and the table in docs/reliability.md."""

import io
import re
import struct
import zlib
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from exif_blocks import NOTE, block, tags
from image_files import png, png_chunk, read, saved, tiff
from PIL import Image

from imgconv.images import Encoding, Metadata, Raster, Sampling, encode, fitted, resampled, transfer_of
from imgconv.images.fits_cards import Cards
from imgconv.images.formats import FORMATS, OUTPUTS
from imgconv.images.metadata import exif as exif_of
from imgconv.images.metadata.transfer import Transfer, of_cicp, of_profile
from imgconv.images.tiff.geotiff import Bands, Ground
from imgconv.images.tiff.stacks import Stack

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
PIXELS = np.random.default_rng(1).integers(0, 256, (8, 12, 3)).astype(np.uint8)
BLOCK = block({0x10F: (2, b"ACME\0\0"), 0x8298: (2, b"(c) Ann\0")}, {0x927C: (7, NOTE)}, {1: (2, b"N\0")}, order=">", note_at=300)
XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
    b'xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:rights>(c) Ann</dc:rights></rdf:Description></rdf:RDF></x:xmpmeta>'
)
NAME, CITY = b"\x1c\x02\x50\0\3Ann", b"\x1c\x02\x5a\0\5Paris"
PROFILE = b"\0" * 16 + b"RGB " + b"\0" * 108
EVERYTHING = Metadata(
    icc_profile=PROFILE,
    dpi=(300.0, 150.0),
    exif=exif_of.read(BLOCK),
    xmp=XMP,
    iptc=NAME + CITY,
    colour=((b"gAMA", struct.pack(">I", 45455)), (b"cHRM", bytes(32))),
    texts=(("Author", "Ann"),),
    nodata=-9999.0,
    ground=Ground((10.0, 10.0, 0.0), (0.0, 0.0, 0.0, 500.0, 900.0, 0.0), keys=(1, 1, 0, 1, 1024, 0, 1, 1)),
    bands=Bands("<GDALMetadata></GDALMetadata>", 3),
    cards=Cards("OBJECT  = 'M31     '"),
    stack=Stack("ImageJ=1.54f\nimages=1\n", 1, 3),
)


def written(metadata, name, pixels=PIXELS, **options):
    file = io.BytesIO()
    encode([Raster(pixels, metadata=metadata)], name, file, Encoding(**options))
    return file.getvalue()


@pytest.mark.parametrize(
    "name", [name for name, output in OUTPUTS.items() if output.writer not in (None, "npy", "zarr.writer") and 3 in output.channels]
)
def test_each_format_holds_what_it_declares(name):
    frame = read(written(EVERYTHING, name, description="a recipe"))[1][0]
    expected = set(OUTPUTS[name].metadata) - {"aspect", "codes"}
    assert {part for part in expected if getattr(frame.metadata, part)} == expected
    if frame.metadata.exif:
        result_tags = tags(exif_of.encode(frame.metadata.exif)[0])
        assert result_tags[0x8298] == b"(c) Ann\0"
        assert (result_tags["exif", 0x927C], result_tags["gps", 1], result_tags["order"]) == (NOTE, b"N\0", ">")
        assert result_tags["exif", "note at"] == 300
    if frame.metadata.xmp:
        assert b"(c) Ann" in frame.metadata.xmp
    assert frame.metadata.iptc in (None, NAME + CITY)
    assert frame.metadata.icc_profile in (None, PROFILE)
    named = " ".join(fitted(EVERYTHING, name, 3).dropped)
    for part, word in (("exif", "EXIF"), ("xmp", "XMP"), ("iptc", "IPTC"), ("icc_profile", "ICC"), ("dpi", "resolution")):
        assert (word in named) == (part not in OUTPUTS[name].metadata)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_exif_goes_to_tiff_and_back_in_its_byte_order(order, dtype):
    exif = block({0x8298: (2, b"(c) Ann\0"), 0x13B: (2, b"Ann\0")}, {0x829A: (5, [1, 250]), 0x927C: (7, NOTE)}, order=order, note_at=333)
    data = written(Metadata(exif=exif_of.read(exif)), "tiff", PIXELS.astype(dtype), description="a recipe")
    frame = read(data)[1][0]
    np.testing.assert_array_equal(frame.pixels, PIXELS.astype(dtype))
    result_tags = tags(exif_of.encode(frame.metadata.exif)[0])
    assert (result_tags[0x8298], result_tags[0x13B], result_tags["exif", 0x829A]) == (b"(c) Ann\0", b"Ann\0", [1, 250])
    assert (result_tags["exif", "note at"], result_tags["exif", 0x927C]) == (333, NOTE)
    with Image.open(io.BytesIO(written(Metadata(exif=exif_of.read(exif)), "tiff"))) as image:
        assert image.getexif()[0x8298] == "(c) Ann"
        assert float(image.getexif().get_ifd(0x8769)[0x829A]) == 1 / 250


@pytest.mark.parametrize("name", ["png", "jpeg", "tiff"])
@pytest.mark.parametrize("aspect", [(2, 1), (1, 2), (3, 4)])
def test_pixel_aspect_ratios_survive_and_follow_unequal_strides(name, aspect):
    back = read(written(Metadata(aspect=aspect), name))[1][0].metadata
    assert (back.aspect, back.dpi) == (aspect, None)
    strided = resampled(back, Sampling((4, 12), (2, 1)), (8, 12)).aspect
    assert Fraction(*map(int, strided)) == Fraction(*aspect) * 2


def test_square_pixels_are_not_missed():
    assert fitted(Metadata(aspect=(1, 1)), "qoi", 3) == Metadata()


def test_resolution_follows_the_stride():
    assert resampled(Metadata(dpi=(300, 150)), Sampling((4, 4), (2, 3)), (8, 12)).dpi == (100, 75)


@pytest.mark.parametrize("name", ["png", "jpeg", "webp", "tiff", "avif"])
def test_without_a_location_nothing_else_is_lost(name):
    bare = fitted(EVERYTHING, name, 3, location=False)
    data = written(bare, name)
    assert b"(c) Ann" in data
    back = read(data)[1][0].metadata
    assert not back.exif.directories["gps"]
    assert b"Paris" not in data
    assert (b"Ann" in (back.iptc or b"")) == ("iptc" in OUTPUTS[name].metadata)
    assert "GPS position" in bare.dropped


@pytest.mark.parametrize("name", ["png", "jpeg", "tiff", "webp"])
def test_strip_leaves_pixels_only(name):
    data = written(fitted(EVERYTHING, name, 3, strip=True), name)
    assert not any(word in data for word in (b"(c) Ann", b"gAMA", b"RGB \0", b"ACME", b"Paris"))


COLOUR = {
    "cICP": (b"cICP", bytes([1, 13, 0, 1])),
    "sRGB": (b"sRGB", b"\0"),
    "gAMA": (b"gAMA", struct.pack(">I", 50000)),
    "cHRM": (b"cHRM", struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)),
}


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("names", [("gAMA",), ("cHRM", "gAMA"), ("sRGB",), ("cICP",), tuple(COLOUR)])
def test_colour_chunks_of_png_survive(names, depth):
    extra = [COLOUR[name] for name in names]
    data = png(2, 1, depth, 2, [bytes(6 * depth // 8)], extra=extra)
    again = written(read(data)[1][0].metadata, "png")
    for name in names:
        assert png_chunk(*COLOUR[name]) in again


def test_cut_and_long_colour_chunks_are_left_out():
    data = png(2, 1, 8, 0, [b"ab"], extra=[(b"cICP", b"abc"), (b"gAMA", bytes(4))])
    assert read(data)[1][0].metadata.colour == ((b"gAMA", bytes(4)),)


@pytest.mark.parametrize("extra", [(b"cHRM", b"abc"), (b"pHYs", b""), (b"iCCP", b"a\0\1abc"), (b"zTXt", b"a\0\1abc"), (b"iCCP", b"a")])
def test_a_png_with_a_damaged_chunk_is_read_without_it(extra):
    header, (frame,) = read(png(2, 1, 8, 0, [b"ab"], extra=[extra]))
    assert "damaged" in header.warning and frame.pixels.ravel().tolist() == [97, 98]


@pytest.mark.parametrize(
    "chunk, text",
    [
        ((b"tEXt", b"Author\0J\xfcrg"), ("Author", "J\xfcrg")),
        ((b"zTXt", b"Comment\0\0" + zlib.compress(b"long " * 999)), ("Comment", "long " * 999)),
        ((b"iTXt", "Title\0\0\0\0\0\u65e5\u672c".encode()), ("Title", "\u65e5\u672c")),
        ((b"tEXt", b"Description\0imgconv 1 edge"), None),
        ((b"tEXt", b"exif:PixelXDimension\x004000"), None),
    ],
    ids=lambda value: value[0] if value else "left-out",
)
def test_texts_of_a_png_go_along_unless_they_are_about_the_file(chunk, text):
    for data in (png(2, 1, 8, 0, [b"ab"], extra=[chunk]), png(2, 1, 8, 0, [b"ab"])[:-12] + png_chunk(*chunk) + png_chunk(b"IEND")):
        _, (frame,) = read(data)
        assert frame.metadata.texts == ((text,) if text else ())
        assert frame.metadata.dropped == (("texts about the file",) if b":" in chunk[1][:6] else ())
        assert read(written(frame.metadata, "png"))[1][0].metadata.texts == frame.metadata.texts
        assert "texts (no place in jpeg)" in fitted(frame.metadata, "jpeg", 1).dropped or not text
        assert not fitted(frame.metadata, "png", 1, strip=True).texts


def test_metadata_after_the_pixels_of_a_png_count():
    data = png(2, 1, 8, 0, [b"ab"])
    trailing = png_chunk(b"eXIf", block({274: (3, [6])})) + png_chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0<x/>")
    header, (frame,) = read(data[:-12] + trailing + data[-12:])
    assert header.size == frame.size == (2, 1) and frame.metadata.xmp == b"<x/>"


def profile(names, curve, space):
    start = 132 + 12 * len(names)
    entries = b"".join(name + struct.pack(">II", start, len(curve)) for name in names)
    return bytes(16) + space + bytes(108) + struct.pack(">I", len(names)) + entries + curve


SRGB_CURVE = b"para\0\0\0\0\0\3\0\0" + struct.pack(">5i", *(round(65536 * x) for x in (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)))


@pytest.mark.parametrize("space", [b"RGB ", b"GRAY"])
def test_curves_of_profiles(space):
    names = (b"kTRC",) if space == b"GRAY" else (b"rTRC", b"gTRC", b"bTRC")
    assert of_profile(profile(names, b"curv" + bytes(8), space)).name == "linear"
    assert of_profile(profile(names, b"curv\0\0\0\0\0\0\0\1" + struct.pack(">H", 563), space)).parameters[0] == pytest.approx(2.2, abs=1e-3)
    samples = of_profile(profile(names, b"curv\0\0\0\0\0\0\0\3" + struct.pack(">3H", 0, 16384, 65535), space)).samples
    assert samples == pytest.approx((0, 0.25, 1), abs=1e-4)
    assert of_profile(profile(names, SRGB_CURVE, space)).parameters == pytest.approx((2.4, 0.948, 0.052, 0.0774, 0.04045, 0, 0), abs=1e-3)
    for broken in (b"", b"curv", b"para\0\0\0\0\0\x09", b"curv\0\0\0\0\xff\xff\xff\xff", b"curv\0\0\0\0\0\0\0\2\xff\xff\0\0"):
        assert of_profile(profile(names, broken, space)) is None


def test_declarations_rank_as_in_png():
    gamma, srgb, linear = COLOUR["gAMA"], COLOUR["sRGB"], (b"cICP", bytes([1, 8, 0, 1]))
    assert transfer_of(Metadata(colour=(gamma,))).parameters[0] == 2
    assert transfer_of(Metadata(colour=(gamma, srgb))) is None
    assert transfer_of(Metadata(colour=(gamma, srgb, linear))) == Transfer("linear")
    assert (
        transfer_of(Metadata(icc_profile=profile((b"rTRC", b"gTRC", b"bTRC"), b"curv" + bytes(8), b"RGB "), colour=(gamma,))).name
        == "linear"
    )
    assert transfer_of(Metadata()) is None
    assert of_cicp(13) is None and of_cicp(16).name == "PQ"


def test_a_jpeg_names_metadata_that_are_not_copied():
    whole = saved(Image.fromarray(PIXELS), "JPEG")
    segments = b""
    for marker, content in (
        (b"\xe2", b"MPF\0" + bytes(20)),
        (b"\xeb", b"JP\0\1" + bytes(9)),
        (b"\xe5", b"RMETA\0" + bytes(9)),
        (b"\xfe", b"by hand"),
        (b"\xe1", b"http://ns.adobe.com/xmp/extension/\0abc"),
    ):
        segments += b"\xff" + marker + struct.pack(">H", len(content) + 2) + content
    frame = read(whole[:2] + segments + whole[2:] + b"film" + b"SEFT")[1][0]
    others = {"APP5 segment", "comment"}
    assert set(frame.metadata.dropped) == {"further images (MPF)", "C2PA manifest", "extended XMP", "motion photo", *others}


def bmp_with_profile():
    pixels = PIXELS[::-1, :, ::-1].tobytes()
    head = struct.pack("<IiiHHIIiiII", 124, 12, 8, 1, 24, 0, len(pixels), 0, 0, 0, 0) + bytes(16) + b"DEBM"
    head = head.ljust(112, b"\0") + struct.pack("<III", 124 + len(pixels), len(PROFILE), 0)
    return b"BM" + struct.pack("<I4xI", 138 + len(pixels) + len(PROFILE), 138) + head + pixels + PROFILE


def gif_with(kind, data):
    head = saved(Image.fromarray(PIXELS).quantize(4), "GIF")
    end = head.index(b",", 13 + 3 * 4)
    return head[:end] + b"!" + kind + bytes([len(data)]) + data + b"\0" + head[end:]


@pytest.mark.parametrize("file", [bmp_with_profile(), gif_with(b"\xff\x0bICCRGBG1012", PROFILE)], ids=["bmp", "gif"])
def test_profiles_of_gif_and_bmp_are_kept(file):
    assert read(file)[1][0].metadata.icc_profile == PROFILE


def thumbnail_in_jfif():
    data = saved(Image.fromarray(PIXELS), "JPEG")
    assert data[18:20] == b"\0\0"
    return data[:4] + b"\0\x13" + data[6:18] + b"\1\1RGB" + data[20:]


@pytest.mark.parametrize(
    ("file", "dropped"),
    [
        (gif_with(b"\xfe", b"by Ann"), "comment"),
        (saved(Image.fromarray(PIXELS), "JPEG2000", comment="by Ann"), "comment"),
        (saved(Image.fromarray(PIXELS), "TGA", id_section=b"by Ann"), "comment"),
        (thumbnail_in_jfif(), "thumbnail"),
        (png(12, 8, 8, 2, PIXELS.reshape(8, -1), extra=[(b"oFFs", bytes(9)), (b"tIME", bytes(7))]), "chunks oFFs tIME"),
        (tiff(PIXELS, photometric="rgb", extratags=[(65000, 2, 0, "by Ann", True), (40000, 3, 1, 1, True)]), "TIFF tags 40000 65000"),
    ],
    ids=str,
)
def test_parts_that_no_result_has_are_named(file, dropped):
    assert fitted(read(file)[1][0].metadata, "png", 3).dropped == (dropped,)


def test_keywords_items_and_cards_about_the_place_are_left_out():
    texts = (("GPSLatitude", "48.2"), ("City", "Paris"), ("Location", "Louvre"), ("Author", "Ann"))
    png_parts = fitted(Metadata(texts=texts), "png", 3, location=False)
    assert (png_parts.texts, png_parts.dropped) == ((("Author", "Ann"),), ("texts with a location",))
    kept = ["OBJECT  = 'M31'", "CRVAL1  = 10.5", "ALTITUDE= 31.0", "LATPOLE = 90.0"]
    lost = ["SITELAT = 48.2", "LONG-OBS= 12.0", "OBSGEO-X= 1.0", "HIERARCH ESO TEL GEOLON = -70.4", "GPS-LAT = 48.2"]
    cards = fitted(Metadata(cards=Cards("\n".join(kept + lost), "\n".join(lost + kept))), "fits", 1, location=False)
    assert cards.cards == Cards("\n".join(kept), "\n".join(kept)) and cards.dropped == ("location in the header",)
    items = Bands('<Item name="SENSOR">A</Item><Item name="CENTER_LATITUDE">48</Item>', 3)
    assert fitted(Metadata(bands=items), "tiff", 3, location=False).bands == Bands('<Item name="SENSOR">A</Item>', 3)


def test_the_table_of_formats_is_that_of_the_code():
    rows = dict(re.findall(r"^\| ([a-z0-9]+) \| (.*) \|$", PAGE.read_text(), re.MULTILINE))
    assert {name: rows.get(name) for name in FORMATS} == {name: expected_row(name) for name in FORMATS}


def expected_row(name):
    """Reads, writes, depths written, metadata written."""
    record = FORMATS[name]
    writes = name in OUTPUTS
    depths = ", ".join({"uint8": "8", "uint16": "16", "float32": "float"}.get(dtype, dtype) for dtype in record.dtypes) if writes else "-"
    words = {"icc_profile": "ICC", "dpi": "resolution", "aspect": "pixel aspect", "exif": "EXIF", "xmp": "XMP", "iptc": "IPTC"}
    words |= {"colour": "gAMA, cHRM, sRGB, cICP", "codes": "cICP", "nodata": "nodata", "ground": "georeference", "bands": "names of bands"}
    words |= {"texts": "texts", "cards": "header cards", "stack": "axes of stacks", "grid": "axes of OME-Zarr"}
    several = [word for word, has in (("animation", record.animation), ("pages", record.pages)) if has and writes]
    held = ", ".join(words[part] for part in record.metadata) or "-"
    return " | ".join(("yes" if record.reader else "no", "yes" if writes else "no", depths, ", ".join(several) or "-", held))


@pytest.mark.parametrize("text", ["A cup", "K\xe4ffchen \u65e5\u672c", "long " * 999], ids=["short", "beyond Latin-1", "packed"])
def test_a_description_of_the_file_stays_in_every_further_run(text):
    metadata = Metadata(texts=(("Description", text), ("Author", "Ann")))
    for recipe in ("imgconv 1 filter box", "imgconv 1 edge"):
        file = io.BytesIO()
        encode([Raster(PIXELS[..., :3], metadata=metadata)], "png", file, Encoding(description=recipe))
        header, (frame,) = read(file.getvalue())
        metadata = frame.metadata
        assert header.description == recipe and dict(metadata.texts) == {"Description": text, "Author": "Ann"}
