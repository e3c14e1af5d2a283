"""XMP and IPTC: rights go along, sizes and orientation are right, previews and places are left out."""

import struct
from fractions import Fraction

import pytest
from image_files import read, saved
from PIL import Image

from imgconv.images.metadata import iptc, xmp

HEAD = '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
SPACES = (
    'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:tiff="http://ns.adobe.com/tiff/1.0/" xmlns:exif="http://ns.adobe.com/exif/1.0/" '
    'xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:xmpGImg="http://ns.adobe.com/xap/1.0/g/img/" xmlns:photoshop="http://ns.adobe.com/'
    'photoshop/1.0/" xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" xmlns:GCamera="http://ns.google.com/photos/1.0/camera/" '
    'xmlns:mwg-rs="http://www.metadataworkinggroup.com/schemas/regions/" xmlns:drone="http://www.dji.com/drone-dji/1.0/" '
    'xmlns:dcterms="http://purl.org/dc/terms/"'
)
ONE = (Fraction(1), Fraction(1))


def packet(elements="", attributes="", wrapped=False):
    text = f'{HEAD}<rdf:Description rdf:about="" {SPACES} {attributes}>{elements}</rdf:Description></rdf:RDF></x:xmpmeta>'
    if wrapped:
        text = f'<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n{text}\n{" " * 100}<?xpacket end="w"?>'
    return text.encode()


RIGHTS = "<dc:rights>(c) Ann é &lt;</dc:rights>"


@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize("as_attributes", [False, True])
def test_sizes_resolution_and_orientation_are_those_of_the_result(wrapped, as_attributes):
    old = {"tiff:ImageWidth": 80, "tiff:ImageLength": 48, "exif:PixelXDimension": 80, "exif:PixelYDimension": 48, "tiff:Orientation": 6}
    old |= {"tiff:XResolution": "300/1", "tiff:YResolution": "300/1"}
    attributes = " ".join(f'{name}="{value}"' for name, value in old.items()) if as_attributes else ""
    elements = "" if as_attributes else "".join(f"<{name}>{value}</{name}>" for name, value in old.items())
    data, dropped = xmp.resampled(packet(RIGHTS + elements, attributes, wrapped), (12, 20), (Fraction(2), Fraction(4)), moved=True)
    text = data.decode()
    expected = [20, 12, 20, 12, 1, "75/1", "150/1"]
    for name, value in zip(old, expected, strict=True):
        assert (f'{name}="{value}"' if as_attributes else f"<{name}>{value}</{name}>") in text
    assert "(c) Ann é &lt;" in text
    assert dropped == ()
    assert text.startswith("<?xpacket begin") == wrapped


@pytest.mark.parametrize(
    ("elements", "attributes", "what"),
    [
        ("<xmp:Thumbnails><rdf:Alt><rdf:li><xmpGImg:image>SECRET</xmpGImg:image></rdf:li></rdf:Alt></xmp:Thumbnails>", "", "thumbnail"),
        ("", 'hdrgm:Version="SECRET"', "gain map"),
        ("<hdrgm:GainMapMax>SECRET</hdrgm:GainMapMax>", "", "gain map"),
        ("", 'GCamera:MotionPhoto="1" GCamera:MotionPhotoPresentationTimestampUs="SECRET"', "motion photo"),
        ("", 'GCamera:MicroVideoOffset="SECRET"', "motion photo"),
        ("<dcterms:provenance>SECRET</dcterms:provenance>", "", "C2PA manifest"),
    ],
)
def test_properties_that_no_longer_hold_are_left_out_and_named(elements, attributes, what):
    data, dropped = xmp.resampled(packet(RIGHTS + elements, attributes), (4, 4), ONE, moved=False)
    assert b"SECRET" not in data
    assert b"(c) Ann" in data
    assert dropped == (what,)


def test_regions_in_the_image_hold_until_it_is_moved():
    faces = "<mwg-rs:Regions>faces</mwg-rs:Regions>"
    assert b"faces" in xmp.resampled(packet(faces), (4, 4), ONE, moved=False)[0]
    data, dropped = xmp.resampled(packet(faces), (4, 4), ONE, moved=True)
    assert b"faces" not in data and dropped == ("positions in XMP",)


@pytest.mark.parametrize(
    "place",
    [
        'exif:GPSLatitude="SECRET"',
        'exif:GPSAltitude="SECRET"',
        'photoshop:City="SECRET"',
        'photoshop:State="SECRET"',
        'photoshop:Country="SECRET"',
        'drone:GpsLongtitude="SECRET"',
        'xmlns:I="http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/" I:CountryCode="SECRET"',
        'xmlns:I="http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/" I:Location="SECRET"',
        'xmlns:g="http://www.w3.org/2003/01/geo/wgs84_pos#" g:lat="SECRET"',
    ],
)
def test_places_are_left_out(place):
    created = '<L:LocationCreated xmlns:L="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"><rdf:Bag><rdf:li>SECRET</rdf:li></rdf:Bag></L:LocationCreated>'
    data = xmp.without_location(packet(RIGHTS + created, place))
    assert b"SECRET" not in data
    assert b"(c) Ann" in data


@pytest.mark.parametrize(
    "broken",
    [
        b"tiff:Orientation junk",
        packet("<tiff:ImageWidth>3")[:-30],
        b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]><x tiff:y="&b;"/>',
        b"\xff\xfe" + "<tiff:x/>".encode("utf-16-le") + b"tiff:",
        packet("tiff:" + "<a>" * 100_000),
        packet("tiff:" + "<a>" * 50_000 + "</a>" * 50_000),
        packet("tiff:" + "<a/>" * 140_000),
        packet("tiff:", " ".join(f'tiff:a{i}="1"' for i in range(140_000))),
    ],
    ids=range(8),
)
def test_broken_packets_are_dropped_with_a_word(broken):
    data, dropped = xmp.resampled(broken, (4, 4), ONE, moved=False)
    assert data is None or b"tiff" in data
    assert dropped == (() if data else ("damaged XMP",))


def test_a_description_is_added_to_an_existing_packet():
    text = "imgconv 1.0 filter '<é> &'"
    both = xmp.with_description(packet("<dc:description><rdf:Alt><rdf:li>A cat</rdf:li></rdf:Alt></dc:description>"), text)
    assert b"A cat" in both
    assert xmp.description(both) == text
    assert xmp.description(xmp.with_description(None, text)) == text
    assert xmp.with_description(b"junk", text) is None


def data_set(record, number, value):
    return struct.pack(">BBBH", 0x1C, record, number, len(value)) + value


NAME, CITY, PREVIEW = data_set(2, 80, b"Ann"), data_set(2, 90, b"Paris"), data_set(2, 202, b"\xff\xd8\xff preview")


def test_iptc_goes_without_previews_and_places():
    data = data_set(1, 90, b"\x1b%G") + NAME + CITY + PREVIEW + data_set(8, 10, b"object")
    assert iptc.cleaned(data) == data_set(1, 90, b"\x1b%G") + NAME + CITY
    assert iptc.cleaned(data, location=False) == data_set(1, 90, b"\x1b%G") + NAME
    assert iptc.cleaned(NAME + b"\x1c\x02\x50\x80\x04\0\0\0\2ab" + CITY[:-1]) == NAME + b"\x1c\x02\x50\x80\x04\0\0\0\2ab"
    assert iptc.cleaned(b"junk") is None


@pytest.mark.parametrize("length", [2, 3, 70_000])
def test_iptc_survives_its_wrapping(length):
    data = NAME + b"\x1c\x02\x78\x80\x04" + struct.pack(">I", length) + bytes(length)
    other = b"8BIM\x04\x0c\0\0\0\0\0\3abc\0" + b"8BIM\x03\xed\4name\0\0\0\0\2xy"
    assert iptc.from_resources(iptc.PHOTOSHOP + other + iptc.resources(data)) == data
    assert iptc.from_resources(other) is None
    segments, joined = iptc.segments(data), b""
    while segments:
        (size,) = struct.unpack(">H", segments[2:4])
        assert segments[:2] == b"\xff\xed"
        joined += segments[4 : 2 + size].removeprefix(iptc.PHOTOSHOP)
        segments = segments[2 + size :]
    assert iptc.from_resources(joined) == data


@pytest.mark.parametrize("broken", [b"8BIM", b"8BIM\x04\x04\xff", b"8BIM\x04\x04\0\0\xff\xff\xff\xff", b"", b"junk" * 9])
def test_broken_resources_have_no_iptc(broken):
    assert not iptc.from_resources(broken)


def with_segments(*segments, trailer=b""):
    """A JPEG with segments of Photoshop's resources."""
    plain = saved(Image.new("L", (4, 2)), "JPEG")
    parts = [struct.pack(">BBH", 0xFF, 0xED, len(part) + 16) + iptc.PHOTOSHOP + part for part in segments]
    return plain[:2] + b"".join(parts) + plain[2:] + trailer


CREDIT, COLOURS = data_set(2, 110, b"Agency"), b"8BIM\x03\xf5\0\0\0\0\0\2ab"


@pytest.mark.parametrize(
    ("segments", "expected", "dropped"),
    [
        ((iptc.resources(NAME)[:15], iptc.resources(NAME)[15:]), NAME, ()),
        ((iptc.resources(NAME + CITY), iptc.resources(CREDIT)), NAME + CITY + CREDIT, ()),
        ((COLOURS + iptc.resources(NAME) + iptc.resources(CREDIT),), NAME + CREDIT, ("Photoshop resources",)),
        ((iptc.resources(NAME), b"AgHg\4\0\0\0\0\0\0\0" + iptc.resources(CREDIT)), NAME + CREDIT, ("Photoshop resources",)),
        ((b"8BIM\4\x0c\0\0\0\0\0\2ab",), None, ("thumbnail",)),
    ],
)
def test_all_iptc_of_a_jpeg_goes_along_and_other_resources_are_named(segments, expected, dropped):
    _, (frame,) = read(with_segments(*segments))
    assert (frame.metadata.iptc, frame.metadata.dropped) == (expected, dropped)


@pytest.mark.parametrize(("trailer", "dropped"), [(b"", ()), (bytes(99), ()), (b"AXS!" + NAME, ("data after the image",))])
def test_data_after_a_jpeg_are_named(trailer, dropped):
    assert read(with_segments(trailer=trailer))[1][0].metadata.dropped == dropped


def test_iptc_in_big_endian_words_of_a_tiff():
    data = data_set(2, 80, b"Ann Lee")
    assert iptc.from_resources(b"".join(data[at : at + 4][::-1] for at in range(0, len(data), 4))) == data
