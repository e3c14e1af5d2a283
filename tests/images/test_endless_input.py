"""Pipes and files that do not end: content is recognised by its first bytes, and no more is read than an image of its size needs."""

from io import BytesIO, RawIOBase

import numpy as np
import pytest
from command import SAMPLES
from PIL import Image

from imgconv.errors import ImageError
from imgconv.images import Request, open_frames, read_stream, read_whole

MEGABYTE = 1 << 20


class Endless(RawIOBase):
    """A stream of `head`, and then of `rest` again and again; `given` counts its bytes."""

    def __init__(self, head, rest=b"\0"):
        super().__init__()
        self.head, self.rest, self.given = head, rest, 0

    def readable(self):
        return True

    def read(self, length=-1):
        assert 0 <= length <= 64 * MEGABYTE, "the whole stream is read at once"
        data, self.head = self.head[:length], self.head[length:]
        missing = length - len(data)
        data += (self.rest * (missing // len(self.rest) + 1))[:missing] if missing else b""
        self.given += length
        return data


def decoded(stream):
    for images in read_stream(stream):
        list(images)


def first_bytes(name, count):
    return (SAMPLES / name).read_bytes()[:count]


UNKNOWN = {"zeros": (b"\0", b"\0"), "text": (b"", b"garbage\n"), "white space": (b"", b"\n"), "zip": (b"PK\3\4", b"\0")}
ENDLESS = {
    "jpeg": (first_bytes("coffee.jpg", None), b"\0"),
    "png in a chunk": (first_bytes("camera.png", 200), b"\0"),
    "png of chunks": (first_bytes("camera.png", 33), b"\0\0\xff\xffteST" + bytes(65539)),
    "unnamed chunks": (first_bytes("camera.png", 33), b"\0"),
    "tiff": (b"II*\0\x08\0\0\0", b"\0"),
    "bmp": (b"BM", b"\0"),
    "gif": (b"GIF89a\1\0\1\0", b"\0"),
    "qoi": (b"qoif\0\0\0\1\0\0\0\1\3\0", b"\0"),
    "npy": (b"\x93NUMPY\2\0\xff\xff\xff\xff", b" "),
    "comment": (b"P5 #", b"a"),
    "number": (b"P5 ", b"1"),
    "text": (b"P2 3 3 255 ", b"1 "),
    "fields": (b"P7\n", b"WIDTH 3\n"),
}


@pytest.mark.parametrize("head, rest", UNKNOWN.values(), ids=UNKNOWN)
def test_data_that_are_not_an_image_are_refused_after_their_first_bytes(head, rest):
    stream = Endless(head, rest)
    with pytest.raises(ImageError, match=r"not an image of a known format|white space precede"):
        decoded(stream)
    assert stream.given <= 1 << 17


@pytest.mark.parametrize("head, rest", ENDLESS.values(), ids=ENDLESS)
def test_an_endless_image_is_refused_when_its_size_explains_no_more_bytes(head, rest):
    stream = Endless(head, rest)
    with pytest.raises(ImageError):
        decoded(stream)
    assert stream.given < 80 * MEGABYTE


def test_a_pipe_that_ends_gives_all_its_bytes():
    data = first_bytes("coffee.jpg", None)
    assert read_whole(BytesIO(data)) == data
    assert read_whole(BytesIO(b"")) == b""


def test_an_image_larger_than_the_free_bytes_is_read_whole():
    file = BytesIO()
    Image.fromarray(np.zeros((4000, 6000, 3), np.uint8)).save(file, "bmp")
    assert len(file.getvalue()) > 64 * MEGABYTE and read_whole(BytesIO(file.getvalue())) == file.getvalue()


@pytest.mark.parametrize("name", ["gif", "png", "tiff", "webp"])
def test_the_limit_on_pixels_counts_all_frames(name):
    frames, file = [Image.new("RGB", (30, 20), (0, 50 * n, 250 - 50 * n)) for n in range(5)], BytesIO()
    frames[0].save(file, name, save_all=True, append_images=frames[1:])
    with open_frames(file.getvalue(), Request(max_pixels=3000)) as images:
        assert images.header.frames == 5
    with pytest.raises(ImageError, match="5 frames of 30x20 are 3000 pixels, more than the limit of 2999; raise it with --max-pixels"):
        open_frames(file.getvalue(), Request(max_pixels=2999))
