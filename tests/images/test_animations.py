"""Animations are shown as GIF89a and the APNG specification say, for every kind of pixel, disposal and blending."""

import io
from itertools import product

import numpy as np
import pytest
from image_files import png_chunk, read
from moving import PALETTE, PALETTE_ALPHA, SIZE, Drawn, Kind, apng, gif, gif_rgba, png_rows, shown
from PIL import Image

from imgconv.errors import ImageError
from imgconv.images import Encoding, Raster, encode, read_header
from imgconv.images.animation import WholeUnits, fraction_of_a_second

ANIMATED = Encoding(animated=True)
KINDS = {
    "grey": Kind(0, 8),
    "grey of 1 bit": Kind(0, 1),
    "grey of 4 bits with a key": Kind(0, 4, key=(5,)),
    "grey with a key": Kind(0, 8, key=(100,)),
    "grey of 16 bits": Kind(0, 16),
    "grey of 16 bits with a key": Kind(0, 16, key=(777,)),
    "rgb": Kind(2, 8),
    "rgb with a key": Kind(2, 8, key=(0, 200, 1)),
    "rgb of 16 bits": Kind(2, 16),
    "rgb of 16 bits with a key": Kind(2, 16, key=(258, 259, 260)),
    "palette": Kind(3, 8),
    "palette of 2 bits": Kind(3, 2),
    "palette with alpha": Kind(3, 8, palette_alpha=PALETTE_ALPHA),
    "grey and alpha": Kind(4, 8),
    "grey and alpha of 16 bits": Kind(4, 16),
    "rgba": Kind(6, 8),
    "rgba of 16 bits": Kind(6, 16),
}
APNG_DISPOSALS = ("keep", "clear", "restore")
GIF_DISPOSALS = ("keep", "keep", "clear", "restore")


def as_rgba(raster):
    """The pixels of a raster as RGBA from 0 to 1, transparent ones without their colour."""
    pixels = raster.pixels / np.iinfo(raster.pixels.dtype).max
    colours = pixels[..., : pixels.shape[2] - raster.alpha]
    alpha = pixels[..., -1:] if raster.alpha else np.ones((*raster.size, 1))
    return visible(np.concatenate([np.broadcast_to(colours, (*raster.size, 3)), alpha], axis=2))


def visible(rgba):
    return np.where(rgba[..., 3:] == 0, 0, rgba)


def drawn(kind, rng, disposal, blending, first=False):
    height, width = SIZE if first else rng.integers(1, (SIZE[0] + 1, SIZE[1] + 1))
    top, left = rng.integers(0, (SIZE[0] - height + 1, SIZE[1] - width + 1))
    return Drawn(kind.values(rng, height, width), left, top, disposal, blending)


@pytest.mark.parametrize("name", KINDS)
def test_apng_frames_are_those_of_the_specification(name):
    kind, rng = KINDS[name], np.random.default_rng(len(name))
    steps = list(product(range(3), range(2)))
    for _ in range(6):
        order = rng.permutation(len(steps))
        frames = [drawn(kind, rng, *steps[step], first=number == 0) for number, step in enumerate(order)]
        header, rasters = read(apng(kind, frames))
        depth = 16 if kind.depth == 16 else 8
        assert (header.frames, header.size, header.animated, header.dtype) == (len(frames), SIZE, True, f"uint{depth}")
        # several blends one after the other: each result is rounded to the depth of the file
        tolerance = (1.01 if "alpha" not in name else 3) / (2**depth - 1)
        for raster, expected in zip(rasters, shown(frames, [kind.rgba(f.values) for f in frames], APNG_DISPOSALS), strict=True):
            assert (raster.channels, raster.alpha) == (header.channels, header.alpha)
            alpha = expected[..., 3:]
            np.testing.assert_allclose(as_rgba(raster) * alpha, visible(expected) * alpha, rtol=0, atol=tolerance)


@pytest.mark.parametrize("seed", range(12))
def test_gif_frames_are_those_of_the_specification(seed):
    rng = np.random.default_rng(seed)
    frames = []
    for disposal in rng.permutation([0, 1, 2, 3, 0, 2, 3]):
        height, width = rng.integers(1, (SIZE[0] + 3, SIZE[1] + 3))
        top, left = rng.integers(0, (SIZE[0] + 2, SIZE[1] + 2))
        frames.append(Drawn(rng.integers(0, 4, (height, width)), left, top, disposal, blending=1, delay=(int(rng.integers(0, 9)), 100)))
        frames[-1].transparent = rng.choice([None, 0, 3])
        frames[-1].interlaced = bool(rng.integers(2))
        frames[-1].palette = rng.choice([None, 1]) and rng.integers(0, 256, (4, 3)).astype(np.uint8)
    header, rasters = read(gif(frames))
    assert (header.frames, header.size, header.channels) == (len(frames), SIZE, 3 + header.alpha)
    for raster, frame, expected in zip(rasters, frames, shown(frames, map(gif_rgba, frames), GIF_DISPOSALS), strict=True):
        np.testing.assert_allclose(as_rgba(raster), visible(expected), rtol=0, atol=1e-9)
        assert raster.duration == frame.delay[0] * 10


@pytest.mark.parametrize(
    ("drawn", "opaque"),  # each: whole canvas or part, transparent colour or not, disposal
    [
        ([("whole", 0, 0), ("part", 1, 0), ("part", 0, 1)], True),
        ([("whole", 0, 1), ("part", 1, 3), ("part", 1, 1)], True),
        ([("whole", 0, 2), ("whole", 0, 2)], True),
        ([("whole", 0, 0), ("part", 0, 2), ("part", 0, 0)], True),
        ([("whole", 1, 0), ("whole", 0, 0)], False),
        ([("part", 0, 0), ("whole", 0, 0)], False),
        ([("whole", 0, 2), ("part", 0, 0)], False),
        ([("whole", 0, 3), ("part", 0, 0)], False),
    ],
)
def test_an_animated_gif_has_alpha_only_if_a_part_is_transparent(drawn, opaque):
    sizes = {"whole": SIZE, "part": (2, 3)}
    values = [np.zeros(sizes[size], int) for size, _, _ in drawn]
    frames = [Drawn(each, disposal=rule, transparent=1 if clear else None) for each, (_, clear, rule) in zip(values, drawn, strict=True)]
    header, rasters = read(gif(frames))
    assert (header.alpha, header.channels) == (not opaque, 3 if opaque else 4)
    assert all(raster.channels == header.channels for raster in rasters)


def test_a_single_gif_image_larger_than_its_screen_is_whole():
    values = np.arange(4 * 9).reshape(4, 9) % 4
    for size in ((0, 0), (2, 3)):
        _, (raster,) = read(gif([Drawn(values)], size=size))
        np.testing.assert_array_equal(raster.pixels, PALETTE[values])


def test_gif_codes_longer_than_the_palette_needs():
    codes = [1 << 11, 2, 0, 3, 1, 2, 2, 1, 3]  # of 12 bits; the first one begins a table, and a last one ends it
    head = b"GIF89a\3\0\2\0\xf1\0\0" + PALETTE.tobytes() + b",\0\0\0\0\3\0\2\0\0\x0b"

    def stored(codes):
        bits = sum(code << 12 * i for i, code in enumerate(codes)).to_bytes(-(-len(codes) * 12 // 8), "little")
        return head + bytes([len(bits)]) + bits + b"\0;"

    _, (raster,) = read(stored([*codes[:7], (1 << 11) + 1]))
    np.testing.assert_array_equal(raster.pixels, PALETTE[np.reshape(codes[1:7], (2, 3))])
    undefined = [*codes[:4], (1 << 11) + 99, 2, 0]
    for damaged in (codes[:5], undefined):
        with pytest.raises(ImageError, match="damaged gif"):
            read(stored(damaged))


def test_the_still_image_of_an_apng_is_not_a_frame():
    kind, rng = KINDS["rgb"], np.random.default_rng(0)
    frames = [drawn(kind, rng, 0, 1) for _ in range(3)]  # the first one need not fill the canvas
    header, rasters = read(apng(kind, frames, still=kind.values(rng, *SIZE), plays=7))
    assert (header.frames, header.alpha, header.loop) == (3, True, 7)
    for raster, expected in zip(rasters, shown(frames, [kind.rgba(f.values) for f in frames], APNG_DISPOSALS), strict=True):
        np.testing.assert_allclose(as_rgba(raster), visible(expected), rtol=0, atol=1e-9)


def replaced_chunk(data, name, number, change):
    """The file with the data of one chunk changed, and its checksum right again; `change` gives None for a chunk left out."""
    parts, at, chunk_count = [data[:8]], 8, 0
    while at < len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        chunk, content = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        if chunk == name:
            content = change(content) if chunk_count == number else content
            chunk_count += 1
        parts.append(b"" if content is None else png_chunk(chunk, content))
        at += 12 + length
    return b"".join(parts)


def at(position, value):
    return lambda data: data[:position] + value + data[position + len(value) :]


BROKEN = {
    "a frame is missing": (b"fcTL", 2, lambda data: None),
    "a part of a frame is missing": (b"fdAT", 1, lambda data: None),
    "a frame ends early": (b"fdAT", 3, lambda data: data[:-8]),
    "a frame is not deflated": (b"fdAT", 0, lambda data: data[:4] + b"xxxx"),
    "a wrong number in the order": (b"fcTL", 1, at(0, b"\0\0\0\x09")),
    "a frame beyond the canvas": (b"fcTL", 1, at(12, b"\0\0\0\x07")),
    "a frame of no size": (b"fcTL", 1, at(4, b"\0\0\0\0")),
    "an unknown disposal": (b"fcTL", 1, at(24, b"\3")),
    "an unknown blending": (b"fcTL", 1, at(25, b"\2")),
    "a short control chunk": (b"fcTL", 1, lambda data: data[:20]),
    "more frames declared": (b"acTL", 0, at(0, b"\0\0\0\x09")),
    "no frames declared": (b"acTL", 0, at(0, b"\0\0\0\0")),
    "a declaration after the pixels": (b"acTL", 0, lambda data: None),
}


@pytest.mark.parametrize("separate", [True, False])
@pytest.mark.parametrize("damage", BROKEN)
def test_a_broken_animation_gives_its_still_image_with_a_warning(damage, separate):
    kind, rng = KINDS["rgb"], np.random.default_rng(1)
    frames = [drawn(kind, rng, 1, 1, first=number == 0) for number in range(3)]
    still = kind.values(rng, *SIZE) if separate else None
    header, (raster,) = read(replaced_chunk(apng(kind, frames, still=still), *BROKEN[damage]))
    assert (header.frames, header.animated) == (1, False)
    assert damage == "a declaration after the pixels" or "animation is damaged" in header.warning
    np.testing.assert_array_equal(raster.pixels, frames[0].values if still is None else still)


def test_a_wrong_checksum_in_an_animation_gives_its_still_image():
    kind, rng = KINDS["rgba of 16 bits"], np.random.default_rng(2)
    frames = [drawn(kind, rng, 0, 0, first=True) for _ in range(2)]
    data = bytearray(apng(kind, frames))
    data[-14] ^= 1  # in the checksum of the last frame
    header, (raster,) = read(bytes(data))
    assert "checksum of the fdAT chunk is wrong" in header.warning
    np.testing.assert_array_equal(raster.pixels, frames[0].values)


def test_a_broken_still_image_is_an_error_whatever_the_animation():
    kind, rng = KINDS["rgb"], np.random.default_rng(3)
    data = apng(kind, [drawn(kind, rng, 0, 0, first=True) for _ in range(2)], still=kind.values(rng, *SIZE))
    half = png_rows(kind.values(rng, 2, SIZE[1]), 8)
    for broken in (replaced_chunk(data, b"IDAT", 0, lambda _: half), replaced_chunk(data, b"IDAT", 0, lambda _: None)):
        broken = replaced_chunk(broken, b"acTL", 0, at(0, b"\0\0\0\x09"))
        with pytest.raises(ImageError, match="damaged png"):
            read(broken)


def test_an_apng_that_ends_too_early_is_an_error_unless_salvaged():
    kind, rng = KINDS["rgb"], np.random.default_rng(5)
    frames = [drawn(kind, rng, 0, 0, first=True) for _ in range(3)]
    data = apng(kind, frames)[:-40]
    with pytest.raises(ImageError, match="end of data"):
        read(data)
    np.testing.assert_array_equal(read(data, salvage=True)[1][0].pixels, frames[0].values)


DELAYS = [(40, 1000), (1, 10), (7, 0), (0, 5), (100, 1), (65535, 1), (1001, 30000), (1001, 24000), (1, 3), (1, 60), (1, 65535), (5, 10000)]


@pytest.mark.parametrize("delay", DELAYS)
def test_an_apng_keeps_every_delay_exactly(delay):
    kind = KINDS["grey"]
    frames = [Drawn(np.full((*SIZE, 1), value), delay=delay) for value in (0, 9)]
    _, rasters = read(apng(kind, frames))
    assert rasters[0].duration == pytest.approx(1000 * delay[0] / (delay[1] or 100), rel=1e-12)
    numerator, denominator = fraction_of_a_second(rasters[0].duration)
    assert numerator * (delay[1] or 100) == delay[0] * denominator
    file = io.BytesIO()
    encode(rasters, "png", file, ANIMATED)
    assert [raster.duration for raster in read(file.getvalue())[1]] == [raster.duration for raster in rasters]


@pytest.mark.parametrize(("duration", "fraction"), [(1e-9, (1, 65535)), (1e12, (65535, 1)), (None, (1, 10)), (655_350.5, (63569, 97))])
def test_delays_beyond_a_fraction_of_16_bits_come_as_near_as_it_can(duration, fraction):
    assert fraction_of_a_second(duration) == fraction


@pytest.mark.parametrize(("name", "unit"), [("gif", 10), ("webp", 1)])
@pytest.mark.parametrize("duration", [1000 / 60, 1001 / 30, 1001 / 24, 1000 / 3, 14.9, 15, 25])
def test_the_total_time_stays_where_delays_are_rounded(name, unit, duration):
    frames = [Raster(np.full((*SIZE, 1), value, np.uint8), duration=duration) for value in range(60)]
    file = io.BytesIO()
    encode(frames, name, file, ANIMATED)
    durations = [raster.duration for raster in read(file.getvalue())[1]]
    assert abs(sum(durations) - 60 * duration) <= unit / 2
    assert all(abs(each - duration) <= unit for each in durations)


@pytest.mark.parametrize(("name", "shortest"), [("gif", 10), ("webp", 1)])
def test_short_frames_do_not_become_0_and_long_ones_are_as_long_as_can_be(name, shortest):
    frames = [Raster(np.full((*SIZE, 3), n, np.uint8), duration=duration) for n, duration in enumerate((0.2, 0.2, 0, 100, 700_000))]
    file = io.BytesIO()
    encode(frames, name, file, ANIMATED)
    durations = [raster.duration for raster in read(file.getvalue())[1]]
    assert durations[:3] == [shortest, shortest, 0]
    assert durations[4] == (655350 if name == "gif" else 700_000)


def test_time_is_not_owed_by_a_frame_longer_than_the_format_can_hold():
    units = WholeUnits(10, 65535)
    assert [units.next(duration) for duration in (700_000, 50, 50)] == [65535, 5, 5]


@pytest.mark.parametrize("plays", [0, 1, 2, 7])
def test_a_gif_counts_how_often_it_plays(plays):
    frames = [Drawn(np.full(SIZE, value)) for value in (0, 1)]
    assert read_header(gif(frames, plays=plays)).loop == plays


@pytest.mark.parametrize("part", ["end code", "end mark"])
def test_half_a_gif_frame_is_an_error_unless_salvaged(part):
    values = np.arange(SIZE[0] * SIZE[1]).reshape(SIZE) % 4
    data = gif([Drawn(values), Drawn(values[:2].repeat(2, axis=0)[:2])])
    if part == "end mark":
        data = data[:-1]
    else:
        half = gif([Drawn(values[:2])])
        start = half.rindex(b",") + 10
        data = gif([Drawn(values)], end=b"")
        data = data[: data.rindex(b",") + 10] + half[start:]
    with pytest.raises(ImageError, match="damaged gif"):
        read(data)
    np.testing.assert_array_equal(read(data, salvage=True)[1][0].pixels[:2], PALETTE[values[:2]])


@pytest.mark.parametrize("seed", range(12))
def test_a_webp_shows_what_its_frames_leave_open_as_transparent(seed):
    """Its frames are opaque, and no flag of the file says that it has alpha."""
    random = np.random.default_rng(seed)
    canvas, chunks, alphas = np.zeros((8, 12), np.uint8), [], []
    for _ in range(4):
        y, x = 2 * random.integers(0, 2, 2) if random.random() < 0.6 or not seed % 3 else (0, 0)
        part = canvas[y:, x:] if random.random() < 0.7 else canvas[y : y + 4, x : x + 6]
        disposes = random.random() < 0.5
        part[:] = 255
        alphas.append(canvas.copy())
        places = [x // 2, y // 2, part.shape[1] - 1, part.shape[0] - 1, 100]
        flags = bytes([disposes + 2 * random.integers(0, 2)])
        chunks.append(riff_chunk(b"ANMF", b"".join(int(n).to_bytes(3, "little") for n in places) + flags + webp_pixels(part.shape, random)))
        if disposes:
            part[:] = 0
    head = riff_chunk(b"VP8X", bytes([2, 0, 0, 0, 11, 0, 0, 7, 0, 0])) + riff_chunk(b"ANIM", bytes(6))
    body = b"WEBP" + head + b"".join(chunks)
    rasters = read(riff_chunk(b"RIFF", body))[1]
    is_open = any((alpha == 0).any() for alpha in alphas)
    assert [raster.alpha for raster in rasters] == [is_open] * 4
    if is_open:
        assert all(np.array_equal(raster.pixels[..., -1], alpha) for raster, alpha in zip(rasters, alphas, strict=True))


def riff_chunk(name, data):
    return name + len(data).to_bytes(4, "little") + data + bytes(len(data) % 2)


def webp_pixels(size, random):
    """The chunk of an opaque image."""
    file = io.BytesIO()
    Image.fromarray(random.integers(0, 256, (*size, 3), dtype=np.uint8)).save(file, "webp", lossless=True)
    return file.getvalue()[12:]
