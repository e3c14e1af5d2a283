"""Camera raw files: developed with rawpy, refused without it, and never replaced by their preview."""

import io
import sys

import numpy as np
import pytest
import tifffile
from image_files import deep, photo, read, tiff

from imgconv.errors import ImageError, MissingExtra
from imgconv.images import raw
from imgconv.images.decoder import Request
from imgconv.images.formats import sniff
from imgconv.images.tiff import reader as tiff_reader

SIZE = (96, 128)
IDENTITY = [number for row in np.eye(3, dtype=int) for value in row for number in (value, 1)]
DNG = [  # version, model, colour filter array, colours of the camera under D65
    (50706, 1, 4, (1, 4, 0, 0), True),
    (50708, 2, 0, "Test", True),
    (33421, 3, 2, (2, 2), True),
    (33422, 1, 4, (0, 1, 1, 2), True),
    (50721, 10, 9, IDENTITY, True),
    (50778, 3, 1, 21, True),
]
VENDORS = {
    "fuji": b"FUJIFILMCCD-RAW 0201FF129502",
    "sigma": b"FOVb\0\0\2\0",
    "minolta": b"\0MRM\0\0\0\0",
    "olympus": b"IIRO\x08\0\0\0",
    "panasonic": b"IIU\0\x08\0\0\0",
    "canon": b"II\x1a\0\0\0HEAPCCDR",
    "canon cr2": b"II*\0\x10\0\0\0CR\2\0",
    "phase one": b"II*\0\x08\0\0\0IIIITwaR",
    "phase one, big-endian": b"MM\0*\0\0\0\x08MMMMRawT",
    "canon cr3": b"\0\0\0\x18ftypcrx \0\0\0\1crx isom",
}


def dng(turned=1):
    """A DNG whose brightness grows to the right and down."""
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        extra = [*DNG, (274, 3, 1, turned, True)]
        writer.write((x * 300 + y * 100).astype(np.uint16), photometric="cfa", extratags=extra, metadata=None)
    return file.getvalue()


def with_preview(subfiletype, make=((271, 2, 0, "Test", True),)):
    """A photograph of a camera with a smaller preview in front."""
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        writer.write(photo(), photometric="rgb", subifds=1, subfiletype=subfiletype, extratags=make, metadata=None)
        writer.write(np.tile(deep(photo())[..., 0], (2, 2)), photometric="cfa", metadata=None)
    return file.getvalue()


@pytest.mark.parametrize(("turned", "size"), [(1, SIZE), (6, SIZE[::-1])])
def test_a_raw_file_is_developed_upright_at_16_bits(turned, size):
    pytest.importorskip("rawpy")
    header, (frame,) = read(dng(turned))
    assert (header.format, header.size, header.channels, header.dtype) == ("raw", size, 3, "uint16")
    assert (frame.size, frame.pixels.dtype) == (size, np.uint16)
    assert frame.pixels[:20].mean() < frame.pixels[-20:].mean()  # also when turned, which puts the left side on top


@pytest.mark.parametrize("data", [dng(), with_preview(0), with_preview(1), *VENDORS.values()])
def test_without_rawpy_the_extra_is_named(monkeypatch, data):
    monkeypatch.setitem(sys.modules, "rawpy", None)
    with pytest.raises(MissingExtra, match=r"imgconv\[raw\]"):
        read(data)


@pytest.mark.parametrize("subfiletype", [0, 1])
def test_a_preview_is_not_the_image(subfiletype):
    pytest.importorskip("rawpy")
    height, width = photo().shape[:2]
    assert read(with_preview(subfiletype))[0].size == (2 * height, 2 * width)


def test_a_colour_filter_array_of_no_camera_is_not_supported():
    for data in (with_preview(0, make=()), tiff(deep(photo())[..., 0], photometric="cfa")):
        with pytest.raises(ImageError, match="without the name of its camera is not supported"):
            read(data)


@pytest.mark.parametrize("name", VENDORS)
def test_raw_files_are_recognised_by_their_content(name):
    assert sniff(VENDORS[name]) == "raw"


@pytest.mark.parametrize("bytes_missing", [1, 2 * SIZE[1], SIZE[0] * SIZE[1]])
@pytest.mark.parametrize("decoder", [raw.decoder, tiff_reader.decoder])  # as of a format of its own, and as of a TIFF
def test_a_raw_file_cut_short_is_damaged(bytes_missing, decoder):
    pytest.importorskip("rawpy")
    cut = io.BytesIO(dng()[:-bytes_missing])
    with pytest.raises(ImageError, match="damaged camera raw"):
        list(decoder(cut, Request()).frames())
    if bytes_missing == 1:  # LibRaw gives an error by itself only where more is missing
        assert [frame.size for frame in decoder(cut, Request(salvage=True)).frames()] == [SIZE]
