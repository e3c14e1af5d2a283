"""PNM, PAM and PFM, value for value as in their specifications."""

import numpy as np
import pytest
from image_files import read

from imgconv.errors import ImageError
from imgconv.images import Request, open_frames


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"P1\n3 2\n101\n010", [[0, 255, 0], [255, 0, 255]]),
        (b"P1 # comment\n3 2\n1 0 1 # one\n0 1 0\n", [[0, 255, 0], [255, 0, 255]]),
        (b"P4 10 2 \xff\x80\x00\x40", [[0] * 9 + [255], [255] * 9 + [0]]),
        (b"P2 3 1 7 0 4 7", [[0, 146, 255]]),
        (b"P5 2 1 255 \x07\xff", [[7, 255]]),
        (b"P5\n# by hand\n2 1 # wide\n3\n\x01\x03", [[85, 255]]),
        (b"P5 2 1 65535 \x01\x02\xff\xff", [[258, 65535]]),
        (b"P5 2 1 1023 \x00\x01\x03\xff", [[64, 65535]]),
    ],
)
def test_grey_values_are_scaled_to_the_full_range(data, expected):
    header, (frame,) = read(data)
    np.testing.assert_array_equal(frame.pixels[..., 0], expected)
    assert header.dtype == ("uint16" if max(map(max, expected)) > 255 else "uint8")


def test_pfm_rows_go_from_bottom_to_top_in_either_byte_order():
    values = np.arange(12, dtype=np.float32).reshape(2, 2, 3) - 4.5
    for order, scale in (("<f4", b"-1.0"), (">f4", b"2.5")):
        _, (frame,) = read(b"PF\n2 2\n" + scale + b"\n" + values[::-1].astype(order).tobytes())
        np.testing.assert_array_equal(frame.pixels, values)


@pytest.mark.parametrize("head", [b"P5#c\n2 1\n255\n", b"P5 2#c\r1 255 ", b"P5 2 1 255#c\n", b"P5\n# a\n#b\n2 1\n255\n"])
def test_a_comment_with_its_line_end_is_white_space(head):
    """As in Netpbm, also after the last number of the header."""
    (frame,) = read(head + b"#\n")[1]
    assert frame.pixels.ravel().tolist() == [35, 10]
    assert frame.metadata.dropped == ("comment",)


@pytest.mark.parametrize("comment", [True, False])
@pytest.mark.parametrize(
    "head",
    [b"P4{} 2 1\n", b"P6 2{} 1 255\n", b"Pf 2 1 {}\n-1\n", b"P2 2 1 9 1 {} 2", b"P7\n{}WIDTH 2\nHEIGHT 1\nDEPTH 1\nMAXVAL 9\nENDHDR\n"],
)
def test_a_comment_is_named_as_dropped(head, comment):
    data = head.replace(b"{}", b"#c\n" if comment else b"") + (b"" if head.startswith(b"P2") else bytes(8))
    with open_frames(data, Request(by_rows=True)) as opened:
        (frame,) = opened
    with open_frames(data, Request(by_rows=True)) as opened:
        described = [each.metadata for each in opened.rows() or ()] or [frame.metadata]
    for metadata in (frame.metadata, *described):
        assert metadata.dropped == ("comment",) * comment


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
@pytest.mark.parametrize("kind", ["GRAYSCALE", "GRAYSCALE_ALPHA", "RGB", "RGB_ALPHA", "BLACKANDWHITE", "BLACKANDWHITE_ALPHA", "CMYK", ""])
def test_the_tuple_type_of_a_pam_fits_its_depth(kind, depth):
    pixels = np.arange(2 * depth, dtype=np.uint8)
    data = f"P7\nWIDTH 2\nHEIGHT 1\nDEPTH {depth}\nMAXVAL 255\nTUPLTYPE {kind}\nENDHDR\n".encode() + pixels.tobytes()
    known = {"GRAYSCALE": 1, "GRAYSCALE_ALPHA": 2, "RGB": 3, "RGB_ALPHA": 4, "BLACKANDWHITE": 1, "BLACKANDWHITE_ALPHA": 2, "": depth}
    if known.get(kind) == depth:
        header, (frame,) = read(data)
        assert frame.pixels.ravel().tolist() == pixels.tolist() and header.alpha == (depth in (2, 4))
        return
    with pytest.raises(ImageError, match=f"tuple type {kind} and depth {depth} is not supported"):
        read(data)


def test_consecutive_images_are_frames():
    header, frames = read(b"P5 1 1 255 aP5\n2 1 255 bcP6 1 1 255 xyz")
    assert header.frames == 3
    assert [frame.pixels.ravel().tolist() for frame in frames] == [[97], [98, 99], [120, 121, 122]]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"P5 2 2 255 abc", "unexpected end of data"),
        (b"P5 2 2", "unexpected end of data"),
        (b"P2 2 2 255 1 2 3", "unexpected end of data"),
        (b"P5 0 2 255 ", "an image of 0x2 has no pixels"),
        (b"P5 -3 2 255 abc", "an image of -3x2 has no pixels"),
        (b"P5 2 2 0 abcd", "the maxval must be at least 1"),
        (b"P5 2 2 70000 abcd", "pnm images with a maxval of 70000 are not supported"),
        (b"P5 2 1 9 \x05\x0a", "values above the maxval of 9"),
        (b"P2 2 1 9 1 -1", "negative values"),
        (b"P2 2 1 9 1 2 P2 2 1 9 3 4", "a PNM in decimal numbers holds one image"),
        (b"P5 two 1 9 \x05\x0a", "invalid literal for int"),
        (b"PF 1 1 0 abcdabcdabcd", "the scale of a PFM must not be 0"),
        (b"P7\nWIDTH 1\nHEIGHT 1\nENDHDR\n", "the PAM header lacks DEPTH, MAXVAL"),
        (b"P7\nWIDTH 1\nHEIGHT 1\nDEPTH 9\nMAXVAL 255\nENDHDR\n" + b"a" * 9, "expected a PAM depth of 1 to 4, got 9"),
        (b"P5 99999 99999 255 a", "99999x99999 is 9999800001 pixels"),
        (b"P5 " + b"#" * 9, "unexpected end of data"),
    ],
)
def test_invalid_files_are_refused_with_the_reason(data, reason):
    with pytest.raises(ImageError) as caught:
        read(data)
    assert reason in str(caught.value)


def test_salvage_fills_missing_pixels_with_0():
    _, (frame,) = read(b"P5 2 2 255 abc", salvage=True)
    assert frame.pixels.ravel().tolist() == [97, 98, 99, 0]
