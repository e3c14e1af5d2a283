"""Half an image is an error in every format, even with its end put right and whatever the host program tells Pillow."""

import io
import struct
import zlib
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from image_files import every_file, exact_files, photo, png, png_chunk, read, saved, tiff
from PIL import Image, ImageFile
from tifffile import TiffFile, TiffWriter

from imgconv.errors import ImageError

pytestmark = pytest.mark.sweep(2)

END = b"\xff\xd9"
GREY, RGB = photo()[..., 1], photo()
LARGE = np.kron(RGB, np.ones((4, 4, 1), np.uint8)) + np.random.default_rng(0).integers(0, 9, (188, 244, 3)).astype(np.uint8) // 2
JPEGS = {
    "baseline": ("RGB", {}),
    "no subsampling": ("RGB", {"subsampling": 0}),
    "restarts": ("RGB", {"restart_marker_blocks": 4}),
    "grey": ("L", {}),
    "optimized": ("L", {"optimize": True}),
    "cmyk": ("CMYK", {}),
    "progressive": ("RGB", {"progressive": True}),
    "progressive grey": ("L", {"progressive": True}),
    "low quality": ("RGB", {"quality": 5}),
}
ARITHMETIC = Path(__file__).parents[1] / "data" / "awkward" / "arithmetic_codes.jpg"  # LARGE, by cjpeg; Pillow writes no such file


@pytest.fixture(params=[False, True], ids=["strict", "lenient"])
def host(request, monkeypatch):
    """A program that lets Pillow read truncated images, or not."""
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", request.param)


def jpeg(name):
    if name == "arithmetic":
        return ARITHMETIC.read_bytes()
    mode, options = JPEGS[name]
    return saved(Image.fromarray(LARGE).convert(mode), "JPEG", **options)


@pytest.mark.parametrize("name", [*JPEGS, "arithmetic"])
def test_a_jpeg_cut_short_and_closed_is_an_error(name, host):
    data = jpeg(name)
    start = data.index(b"\xff\xda") + 20
    for part in (0.01, 0.3, 0.5, 0.9, 0.99):
        cut = data[: start + int((len(data) - start) * part)]
        for tail in (END, b""):
            with pytest.raises(ImageError, match="damaged jpeg"):
                read(cut + tail)
    assert read(data[: len(data) // 2] + END, salvage=True)[0].size == LARGE.shape[:2]


@pytest.mark.parametrize("name", JPEGS)
def test_a_jpeg_that_lacks_its_last_bytes_is_an_error(name):
    data = jpeg(name)
    for missing in range(2, 12):
        for end in (b"", END):
            with pytest.raises(ImageError, match="damaged jpeg"):
                read(data[: -len(END) - missing] + end)


@pytest.mark.parametrize("name", JPEGS)
@pytest.mark.parametrize("tail", ["cut", "zeros", "ones", "random", "hole"])
def test_a_jpeg_whose_end_is_other_data_is_an_error(name, tail):
    if tail in ("random", "hole") and "progressive" in name:
        return  # what libjpeg makes of them cannot be told from an image
    data, rng = jpeg(name), np.random.default_rng(0)
    start = data.index(b"\xff\xda") + 20
    for position in rng.integers(start, len(data) - 200, 12):
        length = len(data) - position
        noise = bytes(rng.integers(0, 255, length).astype(np.uint8))
        other = {"cut": b"", "zeros": bytes(length), "ones": b"\xff" * length, "random": noise}
        other["hole"] = bytes(99) + data[position + 99 :]
        for end in (b"", END) if tail != "random" else (END,):  # without an end mark, what follows can be a trailer
            with pytest.raises(ImageError, match="damaged jpeg"):
                read(data[:position] + other[tail] + end)


@pytest.mark.parametrize("name", [*JPEGS, "arithmetic"])
@pytest.mark.parametrize(
    "tail",
    [
        b"",
        END,
        b"\xff" * 999 + END,
        bytes(999) + END,
        b"\x55" * 50 + END,
        END + END,
        END + b"\0" * 999,
        b"\0\0\1\x0aImage_UTC_Data" + bytes(range(128)) + b"SEFT",
    ],
)
def test_a_jpeg_with_all_its_rows_is_read_whatever_follows(name, tail, host):
    data = jpeg(name)
    _, (frame,) = read(data.removesuffix(END) + tail)
    np.testing.assert_array_equal(frame.pixels, read(data)[1][0].pixels)


@pytest.mark.parametrize("interval", [1, 3])
@pytest.mark.parametrize(
    ("mode", "options"), [("RGB", {"subsampling": 0}), ("RGB", {"subsampling": 2}), ("RGB", {"progressive": True}), ("L", {}), ("CMYK", {})]
)
def test_a_jpeg_that_lacks_a_part_between_restart_marks_is_an_error(mode, options, interval):
    """libjpeg warns, which Pillow ignores, and puts other parts in the place of the missing one."""
    data = saved(Image.fromarray(RGB).convert(mode), "JPEG", restart_marker_blocks=interval, **options)
    assert read(data)[0].size == RGB.shape[:2]
    first, second = (data.find(b"\xff" + bytes([mark]), data.index(b"\xff\xda")) for mark in (0xD2, 0xD3))
    for damaged in (data[:first] + data[second:], data[:first] + data[first + 2 :], data[:second] + data[first:]):
        with pytest.raises(ImageError, match=r"damaged jpeg: (restart marks|data follow|unexpected end)"):
            read(damaged)
        if "subsampling" in options:
            with pytest.raises(ImageError, match="damaged tiff"):
                read(tiff_of_one_strip(damaged, RGB, 7))


def test_restart_marks_need_not_be_reached():
    assert read(saved(Image.fromarray(RGB), "JPEG", restart_marker_blocks=1000))[0].size == RGB.shape[:2]


def test_a_jpeg_whose_height_follows_is_not_supported():
    data = saved(Image.fromarray(RGB), "JPEG")
    at = data.index(b"\xff\xc0") + 5
    with pytest.raises(ImageError, match="DNL"):
        read(data[:at] + bytes(2) + data[at + 2 : -2] + b"\xff\xdc\0\4" + RGB.shape[0].to_bytes(2, "big") + END)


def test_arithmetic_codes_that_end_in_an_even_area_are_whole():
    """An encoder leaves out zeros at the end."""
    path = ARITHMETIC.with_name("arithmetic_even_end.jpg")
    np.testing.assert_array_equal(read(path.read_bytes())[1][0].pixels, np.asarray(Image.open(path)))


def test_arithmetic_codes_are_read_however_many_blocks_of_pillow_they_take():
    data = jpeg("arithmetic")
    longer = data[:2] + (b"\xff\xfe" + struct.pack(">H", 60_002) + bytes(60_000)) * 3 + data[2:]
    np.testing.assert_array_equal(read(longer)[1][0].pixels, np.asarray(Image.open(ARITHMETIC)))
    assert read(longer[: -len(data) // 2], salvage=True)[0].size == LARGE.shape[:2]


def test_end_marks_in_a_maker_note_are_not_the_end():
    data = jpeg("baseline")
    note = b"Maker\0" + (END + b"\xff\xd8\xff") * 50
    with_note = data[:2] + b"\xff\xea" + struct.pack(">H", len(note) + 2) + note + data[2:]
    np.testing.assert_array_equal(read(with_note)[1][0].pixels, read(data)[1][0].pixels)


def rows(pixels, depth=8):
    return b"".join(b"\0" + np.ascontiguousarray(row, ">u2" if depth == 16 else "u1").tobytes() for row in pixels)


def png_of(packed, depth, colour_type):
    head = png_chunk(b"IHDR", struct.pack(">IIBBBBB", GREY.shape[1], GREY.shape[0], depth, colour_type, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + png_chunk(b"IDAT", packed) + png_chunk(b"IEND")


@pytest.mark.parametrize("black", [False, True])
@pytest.mark.parametrize(("depth", "colour_type"), [(8, 0), (16, 0), (8, 2), (16, 2)])
def test_a_png_whose_data_end_early_is_an_error(depth, colour_type, black, host):
    pixels = (GREY if colour_type == 0 else RGB) * (not black)
    raw = rows(pixels, depth)
    read(png_of(zlib.compress(raw), depth, colour_type))
    one_row = len(raw) // len(pixels)
    for missing in (1, one_row, len(raw) // 2, len(raw) - 1):
        data = png_of(zlib.compress(raw[:-missing]), depth, colour_type)
        with pytest.raises(ImageError, match="damaged png"):
            read(data)
        assert read(data, salvage=True)[0].size == GREY.shape
    with pytest.raises(ImageError, match="damaged png"):
        read(png_of(zlib.compress(raw)[: -len(zlib.compress(raw)) // 2], depth, colour_type))


def test_an_interlaced_png_is_counted_in_its_passes(host):
    passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
    lines = [row.tobytes() for y, x, down, right in passes for row in RGB[y::down, x::right]]
    size = RGB.shape[1::-1]
    np.testing.assert_array_equal(read(png(*size, 8, 2, lines, interlace=1))[1][0].pixels, RGB)
    for cut_at in (-1, len(lines) // 2):
        with pytest.raises(ImageError, match="damaged png"):
            read(png(*size, 8, 2, lines[:cut_at], interlace=1))


FILES = every_file()
EASILY_CUT = [name for name in FILES if name not in ("pbm_plain", "ppm_plain") and not name.startswith(("tiff", "npy"))]


@pytest.mark.parametrize("name", EASILY_CUT)
def test_half_of_any_file_is_an_error(name, host):
    with pytest.raises(ImageError):
        read(FILES[name][: len(FILES[name]) // 2])


@pytest.mark.parametrize("lossless", [True, False])
def test_a_webp_cut_short_with_its_lengths_right_is_an_error(lossless, host):
    data = saved(Image.fromarray(LARGE), "WEBP", lossless=lossless)
    half = data[: len(data) // 4 * 2]
    half = half[:4] + struct.pack("<I", len(half) - 8) + half[8:16] + struct.pack("<I", len(half) - 20) + half[20:]
    with pytest.raises(ImageError, match="damaged webp"):
        read(half)


@pytest.mark.parametrize(("format", "options"), [("WEBP", {"lossless": True}), ("WEBP", {}), ("AVIF", {})])
@pytest.mark.parametrize("count", [1, 3])
def test_compressed_pixels_whose_end_is_zeros_are_an_error(format, options, count, host):
    frames = [Image.fromarray(np.roll(LARGE, 9 * number, axis=1)) for number in range(count)]
    data = saved(frames[0], format, append_images=frames[1:], save_all=count > 1, **options)
    for part in (0.3, 0.6, 0.9):
        cut_at = int(len(data) * part)
        with pytest.raises(ImageError, match=f"damaged {format.lower()}"):
            read(data[:cut_at] + bytes(len(data) - cut_at))


def test_zeros_can_be_the_pixels_of_an_even_webp():
    data = saved(Image.new("RGB", (4000, 4000), "white"), "WEBP")
    assert data.endswith(bytes(64)) and (read(data)[1][0].pixels == 255).all()


@pytest.mark.parametrize("name", ["tga_rle", "qoi_rgb"])
def test_runs_cut_short_with_their_end_put_right_are_an_error(name, host):
    data, _ = exact_files()[name]
    end = bytes(8) + b"TRUEVISION-XFILE.\0" if name == "tga_rle" else b"\0\0\0\0\0\0\0\1"
    with pytest.raises(ImageError, match="damaged"):
        read(data[: len(data) // 2] + end)


@pytest.mark.parametrize("options", [{"lossless": True}, {"quality": 80}], ids=str)
def test_a_webp_in_a_tiff_whose_end_is_zeros_is_an_error(options):
    data = saved(Image.fromarray(LARGE), "WEBP", **options)
    assert read(tiff_of_one_strip(data, LARGE, 50001))[0].size == LARGE.shape[:2]
    for part in (0.3, 0.9):
        cut_at = int(len(data) * part)
        with pytest.raises(ImageError, match="damaged tiff"):
            read(tiff_of_one_strip(data[:cut_at] + bytes(len(data) - cut_at), LARGE, 50001))


def tiff_of_one_strip(data, pixels, compression):
    file = io.BytesIO()
    with TiffWriter(file) as writer:
        writer.write(
            iter([data]), shape=pixels.shape, dtype=pixels.dtype, photometric="rgb", compression=compression, rowsperstrip=len(pixels)
        )
    return file.getvalue()


@pytest.mark.parametrize("kind", ["j2k", "jp2"])
def test_a_jpeg2000_cut_short_and_closed_is_an_error(kind, host):
    for pixels in (LARGE, LARGE.astype(np.uint16) << 8):
        data = imagecodecs.jpeg2k_encode(pixels, codecformat=kind, reversible=True)
        first, after_mark = data.index(b"\xff\x90"), data.index(b"\xff\x90") + 2  # of the part of the only tile
        for other in (data[: len(data) // 2] + END, data[:after_mark], data[:first] + END, data[: len(data) // 2].ljust(len(data), b"\0")):
            with pytest.raises(ImageError, match="damaged jpeg2000"):
                read(other)
        half = data[: len(data) // 2]
        with pytest.raises(ImageError, match="damaged tiff"):
            read(tiff_of_one_strip(half.ljust(len(data), b"\0"), pixels, 34712))


def test_reading_changes_no_state_of_the_host_program():
    import gc
    import signal
    import warnings

    def state():
        numbers = [signal.SIGINT, signal.SIGTERM]
        filters = [*warnings.filters]
        pillow = Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES, ImageFile.MAXBLOCK
        return filters, pillow, gc.get_threshold(), gc.isenabled(), [signal.getsignal(number) for number in numbers]

    before = state()
    for data in FILES.values():
        for options in ({}, {"salvage": True}, {"max_pixels": None}, {"luma": "also"}):
            read(data, **options)
            assert state() == before
        with pytest.raises(ImageError):
            read(data[: len(data) // 3])
    assert state() == before


def test_a_program_that_makes_bomb_warnings_errors_keeps_them(monkeypatch):
    import warnings

    import imgconv

    file = io.BytesIO(saved(Image.new("1", (200, 100)), "PNG"))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 15_000)
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        assert imgconv.edge(Image.fromarray(RGB)).size == RGB.shape[1::-1]
        with pytest.raises(Image.DecompressionBombWarning):
            Image.open(file)


@pytest.mark.parametrize("options", [{"rowsperstrip": 188}, {"tile": (96, 128)}, {"rowsperstrip": 47}], ids=str)
@pytest.mark.parametrize("part", [0.3, 0.6, 0.9])
def test_a_jpeg_in_a_tiff_whose_end_is_zeros_is_an_error(options, part):
    data = tiff(LARGE, photometric="rgb", compression="jpeg", **options)
    with TiffFile(io.BytesIO(data)) as file:
        offset, length = file.pages[0].dataoffsets[-1], file.pages[0].databytecounts[-1]
    cut_at = offset + int(length * part)
    assert read(data)[0].size == LARGE.shape[:2]
    with pytest.raises(ImageError, match="damaged tiff"):
        read(data[:cut_at] + bytes(offset + length - cut_at) + data[offset + length :])
    with pytest.raises(ImageError, match="zeros take the place"):
        read(data[: cut_at - 100] + bytes(99) + data[cut_at - 1 :])


def even_jpeg(zeros):
    """A grey JPEG of 256x512 pixels, all of whose codes are zeros: two bits for each block of 8x8 pixels, 512 bytes in all."""

    def segment(marker, *values):
        return b"\xff" + bytes([marker]) + (2 + len(bytes(values))).to_bytes(2, "big") + bytes(values)

    tables = [segment(0xC4, kind, 1, *bytes(15), 0) for kind in (0x00, 0x10)]
    frame = segment(0xC0, 8, 1, 0, 2, 0, 1, 1, 0x11, 0)
    parts = [segment(0xDB, 0, *[16] * 64), frame, *tables, segment(0xDA, 1, 1, 0, 0, 63, 0)]
    return b"\xff\xd8" + b"".join(parts) + bytes(zeros) + END


def test_zeros_can_be_the_data_of_an_even_area():
    data, file = even_jpeg(512), io.BytesIO()
    with TiffWriter(file) as writer:
        layout = {"rowsperstrip": 256, "compression": "jpeg", "photometric": "minisblack"}
        writer.write(iter([data]), shape=(256, 512), dtype=np.uint8, **layout)
    assert (read(data)[1][0].pixels == 128).all() and (read(file.getvalue())[1][0].pixels == 128).all()
    for zeros in (500, 511, 600):
        with pytest.raises(ImageError, match="damaged jpeg"):
            read(even_jpeg(zeros))


def bmp_of_runs(*rows, size=(3, 6), colours=256, runs=1):
    greys = b"".join(bytes([v, v, v, 0]) for v in range(colours))
    stored = b"".join(rows)
    head = struct.pack("<IiiHHIIiiII", 40, size[1], size[0], 1, 8, runs, len(stored), 0, 0, colours, 0)
    at = 54 + len(greys)
    return b"BM" + struct.pack("<IHHI", at + len(stored), 0, 0, at) + head + greys + stored


ROW, END_OF_ROW, END_OF_RUNS = b"\6\x20", b"\0\0", b"\0\1"


@pytest.mark.parametrize(
    "rows",
    [
        (ROW, END_OF_ROW, ROW, END_OF_RUNS),
        (ROW, END_OF_ROW, ROW, END_OF_ROW, b"\5\x20", END_OF_RUNS),
        (ROW, END_OF_ROW, b"\3\x20", END_OF_ROW, ROW, END_OF_RUNS),
        (ROW, END_OF_ROW, b"\0\2\0\1", ROW, END_OF_RUNS),
        (b"\x09\x20", END_OF_ROW, ROW, END_OF_ROW, ROW, END_OF_RUNS),
        (ROW, ROW, ROW, END_OF_RUNS),
        (b"\0\x09123456789\0", b"\3\x20", END_OF_ROW, ROW, END_OF_RUNS),
        (ROW, END_OF_ROW, ROW, END_OF_ROW, b"\0\x06123"),
        (b"\0\2\0\x09", ROW, ROW, ROW),
    ],
    ids=["half", "row", "short-row", "step", "long", "no-ends", "single", "cut", "outside"],
)
def test_runs_of_a_bmp_that_leave_out_pixels_or_the_image_are_an_error(rows, host):
    for ending in (END_OF_RUNS, b""):
        assert (read(bmp_of_runs(ROW, END_OF_ROW, ROW, END_OF_ROW, ROW, ending))[1][0].pixels == 32).all()
    with pytest.raises(ImageError, match="damaged bmp"):
        read(bmp_of_runs(*rows))
    assert read(bmp_of_runs(*rows), salvage=True)[0].size == (3, 6)


def test_runs_of_a_bmp_fill_rows_up_to_whole_words_as_in_imagemagick():
    for filled in (b"\x08\x20", b"\6\x20\2\0", b"\7\x20\1\0"):
        _, (frame,) = read(bmp_of_runs(*[filled, END_OF_ROW] * 3, END_OF_RUNS))
        assert (frame.pixels == 32).all()


@pytest.mark.parametrize("colours", [0, 32])
@pytest.mark.parametrize("runs", [0, 1])
def test_colour_numbers_of_a_bmp_beyond_its_palette_are_damage(colours, runs):
    rows = [ROW, END_OF_ROW] * 3 if runs else [b"\x20" * 6 + b"\0\0"] * 3
    data = bmp_of_runs(*rows, colours=colours, runs=runs)
    with pytest.raises(ImageError, match=f"damaged bmp: colour number 32 is beyond the {colours} colours"):
        read(data)
    assert read(data, salvage=True)[0].size == (3, 6)
    assert (read(bmp_of_runs(*rows, colours=33, runs=runs))[1][0].pixels == 32).all()
