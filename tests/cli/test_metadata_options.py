"""--strip, --strip-location, and the names of metadata that a result does not have."""

import json

import numpy as np
import pytest
from command import imgconv
from exif_blocks import THUMBNAIL, block
from PIL import Image


@pytest.fixture
def photo(tmp_path):
    exif = block({0x8298: (2, b"(c) Ann\0")}, {0xA002: (4, [12])}, {1: (2, b"N\0"), 29: (2, b"2026:11:29\0")}, thumbnail=THUMBNAIL)
    pixels = np.random.default_rng(1).integers(0, 256, (8, 12, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "photo.jpg", exif=b"Exif\0\0" + exif, dpi=(300, 300))
    return tmp_path / "photo.jpg"


COMMANDS = [("filter", "-k", "box"), ("edge",), ("pool",), ("canny",), ("run", "-s", "max_pool 2")]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_strip_and_strip_location(photo, command):
    name, *options = command
    out = photo.with_name("out.png")
    assert imgconv(name, photo, *options, "-o", out).code == 0
    data = out.read_bytes()
    assert b"(c) Ann" in data and b"2026:11:29" in data and b"pHYs" in data
    assert imgconv(name, photo, *options, "-o", out, "--strip-location").code == 0
    data = out.read_bytes()
    assert b"(c) Ann" in data and b"2026:11:29" not in data
    assert imgconv(name, photo, *options, "-o", out, "--strip").code == 0
    data = out.read_bytes()
    assert not any(word in data for word in (b"(c) Ann", b"pHYs", b"eXIf", b"tEXt", b"iTXt"))


def test_dropped_metadata_are_named(photo):
    out = photo.with_name("out.png")
    record = json.loads(imgconv("edge", photo, "-o", out, "--json").out)
    assert record["dropped"] == ["thumbnail"]
    assert "without thumbnail" in imgconv("edge", photo, "-o", out, "-v").err
    assert "without" not in imgconv("edge", photo, "-o", out).err


def test_the_json_line_has_what_a_quiet_run_does_not_say(tmp_path):
    file, out = tmp_path / "a.png", tmp_path / "out.png"
    first, second = (Image.new("RGB", (4, 3), colour) for colour in ("red", "blue"))
    first.save(file, save_all=True, append_images=[second], default_image=True)
    data = bytearray(file.read_bytes())
    data[-14] ^= 1  # in the checksum of the last frame
    file.write_bytes(data)
    finished = imgconv("edge", file, "-o", out, "-q", "--json")
    assert (finished.code, finished.err) == (0, "")
    assert "its animation is damaged" in json.loads(finished.out)["note"]
