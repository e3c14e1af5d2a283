"""Formats by name and by content, and the sample images."""

import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
from image_files import every_file, read

from imgconv.errors import UsageError
from imgconv.images import IMAGE_EXTENSIONS, format_for
from imgconv.images.formats import OUTPUTS, SIGNATURE_LENGTH, sniff

SAMPLES = Path(__file__).parents[2] / "sample_images"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.PNG", "png"),
        ("b/c.d.jpeg", "jpeg"),
        (Path("x.tif"), "tiff"),
        (".webp", "webp"),
        ("jp2", "jpeg2000"),
        ("JPEG", "jpeg"),
        ("pam", "pnm"),
        ("maps.npz", "npz"),
    ],
)
def test_formats_by_name(name, expected):
    assert format_for(name) == expected


@pytest.mark.parametrize("name", ["a.xyz", "plain", "", "a.png.txt", ".hidden", "png/"])
def test_unknown_formats_list_the_known_ones(name):
    with pytest.raises(UsageError, match=r"unknown image format '.*'.*\.png, \.jpg, \.tif"):
        format_for(name)


def test_the_content_decides_the_format():
    for name, data in every_file().items():
        wanted = name.split("_")[0].rstrip("16")
        wanted = {"apng": "png", "pgm": "pnm", "ppm": "pnm", "pam": "pnm", "pbm": "pnm", "pfm": "pnm"}.get(wanted, wanted)
        assert sniff(data[:SIGNATURE_LENGTH]) == wanted, name


@pytest.mark.parametrize(("at", "value"), [(1, 2), (2, 4), (2, 1), (3, 1), (12, 0), (14, 0), (16, 12), (17, 0xC0), (17, 0x40)])
def test_a_tga_needs_a_valid_header(at, value):
    head = bytearray([0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 0, 7, 0, 24, 0x20])
    assert sniff(bytes(head)) == "tga"
    head[at] = value
    assert sniff(bytes(head)) is None


def test_extensions_of_images_exclude_arrays():
    assert {".jpg", ".png", ".pbm", ".heic"} <= IMAGE_EXTENSIONS
    assert not IMAGE_EXTENSIONS & {".npy", ".npz", ".txt", ""}
    assert all(extension.startswith(".") for output in OUTPUTS.values() for extension in output.extensions)


def test_the_cards_match_their_script(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["make_cards.py", str(tmp_path)])
    runpy.run_path(str(SAMPLES / "make_cards.py"), run_name="__main__")
    names = sorted(path.name for path in tmp_path.iterdir())
    assert len(names) == 7
    for name in names:
        (header, frames), (committed, expected) = read(tmp_path / name), read(SAMPLES / name)
        assert header == committed
        for frame, wanted in zip(frames, expected, strict=True):
            np.testing.assert_allclose(frame.pixels.astype(float), wanted.pixels, atol=2 if name.endswith("jpg") else 0)  # libjpegs differ


def test_the_sample_images_are_small_and_listed():
    listed = (SAMPLES / "README.md").read_text()
    files = [path for path in SAMPLES.iterdir() if path.suffix in IMAGE_EXTENSIONS]
    assert len(files) >= 11
    assert sum(path.stat().st_size for path in files) < 1_500_000
    for path in files:
        header, frames = read(path)
        height, width = header.size
        assert f"| `{path.name}` |" in listed
        assert f"{width} x {height}" in listed or header.frames > 1
        assert len(frames) == header.frames


def test_the_rotated_card_shows_an_arrow_that_points_up():
    _, (frame,) = read(SAMPLES / "rotated_exif6.jpg")
    red = frame.pixels[..., 0].astype(int) - frame.pixels[..., 2] > 80
    assert red[20].sum() < red[60].sum() > red[120].sum() > 0
