"""Images from pipes: one after the other, each before the next has arrived, with bounded reading and numbered errors."""

import io
import os
import threading

import numpy as np
import pytest
from image_files import every_file, npy, png, read, saved, tiff
from PIL import Image

from imgconv.errors import ImageError
from imgconv.images import Request, read_stream

FILES = every_file()
PNG = png(2, 1, 8, 0, [b"ab"])
FOLLOWING = {
    "pgm": b"P5\n2 1\n255\nab",
    "ppm16": b"P6 1 1 65535 abcdef",
    "pam": b"P7\nWIDTH 2\nHEIGHT 1\nDEPTH 2\nMAXVAL 255\nENDHDR\nabcd",
    "pfm": b"Pf 1 1 -1 abcd",
    "pbm": b"P4 3 1 \x40",
    "png": PNG,
    "npy": npy(np.arange(6, dtype=np.uint8).reshape(2, 3)),
}


class Pipe(io.RawIOBase):
    """A stream that cannot seek, and returns a few bytes at a time."""

    def __init__(self, data, at_once=3):
        self._data = io.BytesIO(data)
        self._at_once = at_once
        self.consumed = 0

    def readable(self):
        return True

    def readinto(self, buffer):
        data = self._data.read(min(self._at_once, len(buffer)))
        buffer[: len(data)] = data
        self.consumed += len(data)
        return len(data)


def frames_of(stream, **options):
    return [frame.pixels for images in read_stream(stream, Request(**options)) for frame in images]


@pytest.mark.parametrize("name", FILES)
def test_every_file_can_come_through_a_pipe(name):
    expected = [frame.pixels for frame in read(FILES[name])[1]]
    for stream in (Pipe(FILES[name], 1000), io.BytesIO(FILES[name])):
        for got, wanted in zip(frames_of(stream), expected, strict=True):
            np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize("name", FOLLOWING)
def test_each_image_is_read_to_its_end_and_no_further(name):
    data = FOLLOWING[name]
    pipe = Pipe(data * 3)
    for number, images in enumerate(read_stream(pipe), 1):
        assert len(list(images)) == 1
        assert pipe.consumed == number * len(data)
    assert number == 3


def test_kinds_may_follow_each_other_with_white_space_between():
    everything = b"\n ".join(FOLLOWING.values())
    assert len(frames_of(Pipe(everything))) == len(FOLLOWING)


def test_unused_images_are_skipped():
    stack = npy(np.zeros((4, 2, 3, 5), np.float32))
    headers = [images.header for images in read_stream(Pipe(stack + FOLLOWING["pgm"] * 2))]
    assert [(header.format, header.frames) for header in headers] == [("npy", 4), ("pnm", 1), ("pnm", 1)]


@pytest.mark.parametrize("name", FOLLOWING)
def test_the_first_is_available_while_the_pipe_stays_open(name):
    inner, outer = os.pipe()
    received = threading.Event()

    def feed():
        os.write(outer, FOLLOWING[name])
        received.wait(20)
        os.write(outer, FOLLOWING[name])
        os.close(outer)

    feeder = threading.Thread(target=feed)
    feeder.start()
    with os.fdopen(inner, "rb") as stream:
        images = read_stream(stream)
        assert len(list(next(images))) == 1
        was_open = not received.is_set()
        received.set()
        assert len(list(next(images))) == 1
        assert next(images, None) is None
    feeder.join()
    assert was_open


@pytest.mark.parametrize(
    ("tail", "reason"),
    [
        (FOLLOWING["pgm"][:-1], "image 3 of the stream: cannot be read: unexpected end of data"),
        (PNG[:-5], "image 3 of the stream: cannot be read: unexpected end of data"),
        (PNG[:-20] + b"?" + PNG[-19:], "image 3 of the stream: damaged png: the checksum of the IDAT chunk is wrong"),
        (b"garbage", "image 3 of the stream: cannot be read: expected a PNM, PNG or npy image"),
        (saved(Image.new("L", (2, 2)), "JPEG"), "image 3 of the stream: cannot be read: expected a PNM, PNG or npy image"),
        (b"P5 9999 9999 255 a", "image 3 of the stream: 9999x9999 is 99980001 pixels"),
    ],
)
def test_a_broken_last_image_is_numbered_after_the_good_ones(tail, reason):
    good = []
    with pytest.raises(ImageError) as caught:
        for images in read_stream(Pipe(FOLLOWING["pgm"] * 2 + tail), Request(max_pixels=1000)):
            good += list(images)
    assert len(good) == 2
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("data", "reason"), [(b"", "no data"), (b"hello", "not an image of a known format"), (b"P5 2 2 255 a", "end of data")]
)
def test_a_stream_without_an_image(data, reason):
    with pytest.raises(ImageError, match=reason):
        frames_of(Pipe(data))


def test_several_jpegs_are_refused():
    with pytest.raises(ImageError, match="several jpeg images"):
        frames_of(Pipe(FILES["jpeg"] * 2))
    with_preview = io.BytesIO()
    photo = Image.open(io.BytesIO(FILES["jpeg"]))
    photo.save(with_preview, "MPO", save_all=True, append_images=[photo.resize((16, 8))])
    assert [frame.shape[:2] for frame in frames_of(Pipe(with_preview.getvalue()))] == [photo.size[::-1]]
    strips = tiff(np.asarray(photo), photometric="rgb", compression="jpeg", rowsperstrip=16)
    assert b"\xff\xd9\xff\xd8\xff" in strips and len(frames_of(Pipe(strips))) == 1


def test_luma_and_salvage_reach_the_images():
    assert frames_of(Pipe(FILES["jpeg"]), luma="only")[0].shape[2] == 1
    assert frames_of(Pipe(FOLLOWING["pgm"][:-1]), salvage=True)[0].ravel().tolist() == [97, 0]
