"""TGA: every kind of pixels, palette and order of rows, as it is and in runs that go on in the next row."""

import struct

import numpy as np
import pytest
from image_files import read

from imgconv.errors import ImageError
from imgconv.images import Request, open_frames

HEIGHT, WIDTH, FIRST, COLOURS = 5, 7, 3, 12
BGRA = [2, 1, 0, 3]
RNG = np.random.default_rng(0)
KINDS = ["palette15", "palette16", "palette24", "palette32", "wide", "15", "16", "161", "24", "32", "grey", "grey and alpha"]


def in_runs(pixels):
    """Runs of up to 128 pixels, equal or not, whatever rows they are in."""
    coded, at = b"", 0
    while at < len(pixels):
        end = at + 1
        while end < len(pixels) and end - at < 128 and pixels[end] == pixels[at]:
            end += 1
        if end - at > 1:
            coded += bytes([0x80 | (end - at - 1)]) + pixels[at]
        else:
            while end < len(pixels) and end - at < 128 and pixels[end] != pixels[end - 1]:
                end += 1
            coded += bytes([end - at - 1]) + b"".join(pixels[at:end])
        at = end
    return coded


def fives(words):
    return np.rint(np.stack([(words >> place & 31) for place in (10, 5, 0)], axis=-1) * 255 / 31)


def stored(kind):
    """Kind, bits and descriptor of the header, bits and bytes of the palette, pixels as bytes, and what they show."""
    if kind.startswith("palette") or kind == "wide":
        bits = 24 if kind == "wide" else int(kind.removeprefix("palette"))
        numbers = RNG.integers(FIRST, FIRST + COLOURS, (HEIGHT, WIDTH)).astype("<u2" if kind == "wide" else "u1")
        words, entries = RNG.integers(0, 1 << 16, COLOURS), RNG.integers(0, 256, (COLOURS, 4)).astype(np.uint8)
        colours = fives(words) if bits < 24 else entries[:, : bits // 8]
        data = words.astype("<u2").tobytes() if bits < 24 else entries[:, BGRA[: bits // 8]].tobytes()
        return 1, 8 * numbers.itemsize, 0, bits, data, [each.tobytes() for each in numbers.ravel()], colours[numbers - FIRST]
    if kind in ("15", "16", "161"):
        words = RNG.integers(0, 1 << 16, (HEIGHT, WIDTH))
        shown = fives(words) if kind != "161" else np.concatenate([fives(words), np.where(words >> 15, 0, 255)[..., None]], axis=2)
        return 2, int(kind[:2]), int(kind == "161"), 0, b"", [each.tobytes() for each in words.astype("<u2").ravel()], shown
    channels = {"24": 3, "32": 4, "grey": 1, "grey and alpha": 2}[kind]
    shown = RNG.integers(0, 3, (HEIGHT, WIDTH, channels)).astype(np.uint8) * 100
    pixels = shown if channels < 3 else shown[..., BGRA[:channels]]
    return 2 + (channels < 3), 8 * channels, 0, 0, b"", [each.tobytes() for each in pixels.reshape(-1, channels)], shown


def tga(kind, order, *, runs, text=b"name"):
    number, bits, alpha_bits, entry_bits, palette, pixels, shown = stored(kind)
    numbers = (FIRST, COLOURS, entry_bits) if palette else (0, 0, 0)
    head = struct.pack(
        "<BBBHHBHHHHBB", len(text), bool(palette), number + 8 * runs, *numbers, 0, 0, WIDTH, HEIGHT, bits, order << 4 | alpha_bits
    )
    expected = shown[:: 1 if order & 2 else -1, :: -1 if order & 1 else 1]
    return head + text + palette + (in_runs(pixels) if runs else b"".join(pixels)), expected


@pytest.mark.parametrize("runs", [False, True])
@pytest.mark.parametrize("order", range(4))
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_pixels_is_read(kind, order, runs):
    data, expected = tga(kind, order, runs=runs)
    header, (frame,) = read(data)
    np.testing.assert_array_equal(frame.pixels, expected)
    assert (header.channels, header.alpha) == (expected.shape[2], kind in ("palette32", "161", "32", "grey and alpha"))


@pytest.mark.parametrize("runs", [False, True])
def test_a_part_of_the_pixels_is_an_error(runs):
    data, expected = tga("24", 2, runs=runs)
    with pytest.raises(ImageError, match="damaged tga: unexpected end of data"):
        read(data[:-9])
    with open_frames(data[:-9], Request(salvage=True)) as opened:
        (frame,) = opened
    np.testing.assert_array_equal(frame.pixels[:4], expected[:4])


def test_runs_that_leave_the_image_and_numbers_without_a_colour_are_errors():
    data, _ = tga("grey", 2, runs=True)
    with pytest.raises(ImageError, match="damaged tga"):
        read(data[:22] + b"\xff\0")
    data, _ = tga("palette24", 2, runs=False)
    with pytest.raises(ImageError, match="not in its palette"):
        read(data[:-1] + b"\xff")


def test_runs_longer_than_pillow_expands_are_refused_before_they_are_read():
    data = struct.pack("<BBBHHBHHHHBB", 0, 0, 10, 0, 0, 0, 0, 0, 13000, 13000, 32, 8) + b"\xff\0\0\0\0"
    with pytest.raises(ImageError, match="in runs are not supported"):
        read(data)
