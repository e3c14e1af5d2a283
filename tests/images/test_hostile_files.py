"""Damaged, inconsistent and foreign files give an image or an error of one line, and nothing on stderr."""

import io
import struct
import subprocess
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from examples import examples
from hypothesis import given
from hypothesis import strategies as st
from image_files import every_file, exact_files, photo, png, png_chunk, read, saved, tiff
from PIL import Image

from imgconv.errors import ImageError, ImgconvError
from imgconv.images import Request, open_frames, read_header, read_stream
from imgconv.images.damage import image_errors

FILES = every_file()
NUMBERS = ("pbm_plain", "ppm_plain")  # a truncated number is another number
ENDS_IN_PADDING = ("bmp", "tga", "tiff", "jpeg2000")  # the last bytes of these hold no pixels


@pytest.mark.parametrize("name", [name for name in FILES if name not in NUMBERS])
@pytest.mark.parametrize("part", [0.02, 0.3, 0.6, 0.9, 0.98])
def test_truncated_files_are_errors(name, part):
    data = FILES[name]
    if part == 0.98 and name.startswith(ENDS_IN_PADDING):
        part = 0.9
    with pytest.raises(ImageError) as caught:
        read(data[: int(len(data) * part)])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["png_rgb", "gif", "gif_moving", "apng", "qoi_rgb", "webp", "pam_rgba", "npy_grey", "png16_rgb"])
def test_one_missing_byte_at_the_end_is_an_error(name):
    with pytest.raises(ImageError, match=r"truncated|end|decode"):
        read(FILES[name][:-1])


@pytest.mark.parametrize("name", ["jpeg", "png_rgb", "png16_rgb", "gif", "bmp_rgb", "tga_rgb", "tiff_bigtiff", "pam16_rgb"])
def test_salvage_gives_the_readable_part(name):
    data = FILES[name]
    whole = read(data)[1][0].pixels
    _, frames = read(data[: int(len(data) * 0.8)], salvage=True)
    assert frames[0].pixels.shape == whole.shape
    same = (frames[0].pixels == whole).all(axis=2).mean(axis=1) > 0.5
    assert same.mean() > 0.4


@pytest.mark.parametrize("name", ["gif_moving", "apng"])
def test_salvage_keeps_the_frames_before_the_damage(name):
    data = FILES[name]
    _, frames = read(data[: int(len(data) * 0.7)], salvage=True)
    np.testing.assert_array_equal(frames[0].pixels, read(data)[1][0].pixels)


@pytest.mark.parametrize("name", FILES)
@examples(12)
@given(st.data())
def test_changed_bytes_give_an_image_or_one_line(name, data):
    damaged = bytearray(FILES[name])
    for _ in range(data.draw(st.integers(1, 4))):
        reach = data.draw(st.sampled_from([40, 400, len(damaged)]))
        damaged[data.draw(st.integers(0, min(reach, len(damaged)) - 1))] = data.draw(st.integers(0, 255))
    try:
        read(bytes(damaged), max_pixels=10**6, salvage=data.draw(st.booleans()))
    except ImgconvError as error:
        assert "\n" not in str(error)


@pytest.mark.parametrize("chunk", [b"IHDR", b"IDAT", b"IEND", b"iTXt"])
def test_wrong_checksums_are_errors(chunk):
    data = bytearray(png(2, 1, 8, 0, [b"ab"], extra=[(b"iTXt", b"Description\0\0\0\0\0text")]))
    at = data.index(chunk)
    data[at + 4 + int.from_bytes(data[at - 4 : at], "big")] ^= 1
    with pytest.raises(ImageError, match=r"damaged png: .*(checksum|CRC)"):
        read(bytes(data))


BOMBS = {
    "png": png(60000, 60000, 8, 0, []),
    "png16": png(60000, 60000, 16, 2, []),
    "gif": b"GIF89a" + struct.pack("<HH", 60000, 60000) + b"\0\0\0,\0\0\0\0" + struct.pack("<HH", 60000, 60000) + b"\0\x08\0;",
    "bmp": b"BM" + struct.pack("<IHHIIiiHHIIiiII", 54, 0, 0, 54, 40, 60000, 60000, 1, 24, 0, 0, 0, 0, 0, 0),
    "tga": struct.pack("<BBBHHBHHHHBB", 0, 0, 2, 0, 0, 0, 0, 0, 60000, 60000, 24, 0) + bytes(20),
    "qoi": b"qoif" + struct.pack(">IIBB", 60000, 60000, 3, 0) + bytes(20),
    "pnm": b"P5 60000 60000 255 a",
    "webp": b"RIFF\x22\0\0\0WEBPVP8X" + struct.pack("<IBBBB", 10, 0, 0, 0, 0) + b"\x5f\xea\0\x5f\xea\0" + bytes(8),
    "npy": b"\x93NUMPY\x01\x00v\x00" + b"{'descr': '|u1', 'fortran_order': False, 'shape': (60000, 60000), }".ljust(117) + b"\n",
}


@pytest.mark.parametrize("name", BOMBS)
def test_headers_that_claim_too_much_are_refused_before_anything_is_decoded(name):
    with pytest.raises(ImageError, match=r"3600000000 pixels.* limit of 178956970.*--max-pixels"):
        open_frames(BOMBS[name])


def test_the_limit_can_be_set_and_lifted_without_pillow():
    data = saved(Image.new("1", (20000, 9001)), "PNG")
    with pytest.raises(ImageError, match=r"180020000 pixels.* limit of 178956970"):
        read_header(data)
    assert read_header(data, Request(max_pixels=None)).size == (9001, 20000)
    assert read_header(data, Request(max_pixels=180_020_000)).size == (9001, 20000)
    with pytest.raises(ImageError, match="limit of 100"):
        read(FILES["jpeg"], max_pixels=100)


def test_large_images_below_the_limit_raise_no_warning():
    data = saved(Image.new("1", (10000, 9001)), "PNG")  # Pillow warns above 89 megapixels; warnings are errors here
    assert read_header(data).size == (9001, 10000)


@pytest.mark.parametrize("shape", [(1, 1), (1, 30000), (30000, 1)])
@pytest.mark.parametrize("name", ["PNG", "TIFF", "BMP", "PPM"])
def test_thin_and_tiny_images(name, shape):
    pixels = np.random.default_rng(0).integers(0, 255, shape).astype(np.uint8)
    np.testing.assert_array_equal(read(saved(Image.fromarray(pixels), name))[1][0].pixels[..., 0], pixels)


FOREIGN = {
    "eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
    "script": b"#!/bin/sh\nrm -rf /\n",
    "font": b"\0\x01\0\0\0\x10\x01\0\0\x04\0\0OS/2" + bytes(90),
    "zeros": bytes(4096),
    "text": b"hello, world\n" * 20,
    "svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    "mvg": b"push graphic-context\nimage over 0,0 0,0 'https://127.0.0.1/'\n",
}


@pytest.mark.parametrize("name", FOREIGN)
def test_other_files_are_not_opened_whatever_their_name(name, tmp_path):
    path = tmp_path / "photo.jpg"
    path.write_bytes(FOREIGN[name])
    with pytest.raises(ImageError, match="not an image of a known format"):
        open_frames(path)


NOT_READ = {
    "video, mp4": (b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41" + bytes(60), "ffmpeg"),
    "video, mov": (b"\0\0\0\x14ftypqt  \0\0\2\0qt  " + bytes(60), "ffmpeg"),
    "video, old mov": (b"\0\0\0\x08wide\0\0\0\0mdat" + bytes(60), "ffmpeg"),
    "video, mkv": (b"\x1aE\xdf\xa3\x01\0\0\0" + bytes(60), "ffmpeg"),
    "video, avi": (b"RIFF\0\1\0\0AVI LIST" + bytes(60), "ffmpeg"),
    "video, wmv": (b"0&\xb2u\x8ef\xcf\x11" + bytes(60), "ffmpeg"),
    "video, ogv": (b"OggS\0\2" + bytes(60), "ffmpeg"),
    "video, ts": (b"G@\0\x10\0\0\xb0\r\0\1" + bytes(60), "ffmpeg"),
    "video, m2ts": (b"\0\0\0\0G@\0\x10\0\0\xb0\r" + bytes(60), "ffmpeg"),
    "video, y4m": (b"YUV4MPEG2 W32 H32 F5:1\n" + bytes(60), "ffmpeg"),
    "video, mpg": (b"\0\0\1\xba" + bytes(60), "ffmpeg"),
    "Photoshop document": (b"8BPS\0\1" + bytes(60), ".png or .tiff"),
    "PDF document": (b"%PDF-1.7\n1 0 obj", ".png or .tiff"),
    "OpenEXR": (b"v/1\1\2\0\0\0", ".tiff"),
    "Radiance": (b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n", ".tiff"),
    "icon": (b"\0\0\x01\0\x01\0\x10\x10" + bytes(90), ".png or .tiff"),
}


@pytest.mark.parametrize("name", NOT_READ)
def test_files_of_other_kinds_are_named_with_a_remedy_and_not_reported_as_damaged(name):
    data, remedy = NOT_READ[name]
    for opened in (lambda: open_frames(data), lambda: next(read_stream(io.BytesIO(data)))):
        with pytest.raises(ImageError) as caught:
            opened()
        assert name.partition(",")[0] in str(caught.value) and remedy in str(caught.value)
        assert "damaged" not in str(caught.value) and "cannot be read" not in str(caught.value)


def test_missing_and_empty_files_and_folders(tmp_path):
    (tmp_path / "empty.png").touch()
    for path, reason in (
        (tmp_path / "none.png", "no such file or directory"),
        (tmp_path, "is a directory"),
        (tmp_path / "empty.png", "no data"),
    ):
        with pytest.raises(ImageError, match=reason):
            open_frames(path)


def test_an_endless_gif_is_decoded_frame_by_frame():
    head, frame = b"GIF89a\x02\0\x02\0\x80\0\0\0\0\0\xff\xff\xff", b",\0\0\0\0\x02\0\x02\0\0\x02\x03\x44\x02\x05\0"
    with open_frames(head + frame * 50_000 + b";") as images:
        assert images.header.frames == 50_000
        frames = iter(images)
        assert [next(frames).size for _ in range(3)] == [(2, 2)] * 3


@pytest.mark.parametrize("name", [b"iTXt", b"zTXt", b"iCCP"])
@pytest.mark.parametrize("megabytes", [2, 16])
def test_long_texts_of_a_png_are_read_and_bombs_left_out(name, megabytes):
    packed = zlib.compress(b"x" * (megabytes << 20))
    data = b"Description\0\1\0\0\0" + packed if name == b"iTXt" else b"Description\0\0" + packed
    header, (frame,) = read(png(2, 1, 8, 0, [b"ab"], extra=[(name, data)]))
    assert frame.pixels.ravel().tolist() == [97, 98]
    assert (header.warning is None) == (megabytes == 2)
    assert name == b"iCCP" or len(header.description or "") == (2 << 20 if megabytes == 2 else 0)


def test_many_texts_of_a_png_together_inflate_no_more_than_a_few():
    packed = b"Comment\0\0" + zlib.compress(bytes(4 << 20))
    header, (frame,) = read(png(2, 1, 8, 0, [b"ab"], extra=[(b"zTXt", packed)] * 5000))
    assert header.warning is not None and frame.pixels.ravel().tolist() == [97, 98]


def test_a_webp_beyond_the_limit_of_pillow_is_not_called_damaged(monkeypatch):
    data = saved(Image.fromarray(photo()), "WEBP")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 500)
    with pytest.raises(ImageError, match="61x47 pixels are not supported"):
        read(data, max_pixels=None)


def test_many_threads_decode_at_once():
    expected = {name: pixels for name, (_, pixels) in exact_files().items()}
    names = [name for name in expected for _ in range(4)]
    with ThreadPoolExecutor(8) as pool:
        for name, (_, frames) in zip(names, pool.map(lambda name: read(FILES[name]), names), strict=True):
            np.testing.assert_array_equal(frames[0].pixels, expected[name])


def test_salvage_in_one_thread_does_not_change_another():
    data = FILES["png_rgb"]
    cut = data[: len(data) // 2]

    def attempt(salvage):
        try:
            return len(read(cut, salvage=salvage)[1])
        except ImageError:
            return 0

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(attempt, [True, False] * 100)) == [1, 0] * 100


def test_files_are_closed(tmp_path):
    path = tmp_path / "cut.tiff"
    path.write_bytes(FILES["tiff16_rgb"][:-100])
    for _ in range(3):
        with pytest.raises(ImageError), open_frames(path) as images:
            list(images)  # an unclosed file is a ResourceWarning, and that is an error here


def test_libraries_do_not_write_to_stderr(tmp_path):
    data = bytearray(saved(Image.fromarray(photo()), "TIFF", compression="tiff_lzw"))
    data[60:400] = bytes(340)
    (tmp_path / "a.tiff").write_bytes(data)
    (tmp_path / "b.tiff").write_bytes(tiff(photo().astype(np.float32), photometric="rgb")[:-3000])
    program = """
import sys
from pathlib import Path
from imgconv.errors import ImageError
from imgconv.images import open_frames
for name in sys.argv[1:]:
    try:
        with open_frames(Path(name)) as images:
            print(len(list(images)))
    except ImageError as error:
        print("refused")
"""
    command = [sys.executable, "-c", program, str(tmp_path / "a.tiff"), str(tmp_path / "b.tiff")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert done.stdout == "refused\nrefused\n"


def test_a_preview_in_a_jpeg_is_not_a_frame():
    first, second = (Image.fromarray(photo()).rotate(angle) for angle in (0, 90))
    file = io.BytesIO()
    first.save(file, "MPO", save_all=True, append_images=[second])
    header, frames = read(file.getvalue())
    assert (header.format, len(frames)) == ("jpeg", 1)


def test_a_png_without_its_last_chunk_is_an_error():
    whole = png(2, 1, 8, 0, [b"ab"])
    end = png_chunk(b"IEND")
    with pytest.raises(ImageError, match=r"damaged png: .*end of data"):
        read(whole.removesuffix(end))


def test_every_page_is_checked_against_the_limit():
    pages = [Image.new("L", (20, 10)), Image.new("L", (40, 30))]
    data = saved(pages[0], "TIFF", save_all=True, append_images=pages[1:])
    with open_frames(data, Request(max_pixels=1000)) as images:
        frames = iter(images)
        assert next(frames).size == (10, 20)
        with pytest.raises(ImageError, match=r"40x30 .* limit of 1000"):
            next(frames)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ValueError("Two\n  lines."), "two lines"),
        (OSError(28, "No space left on device"), "no space left on device"),
        (EOFError(), "EOFError in its data"),
        (struct.error("unpack requires 4 bytes"), "unpack requires 4 bytes"),
        (UserWarning("Truncated File Read"), "truncated File Read"),
    ],
)
def test_any_error_of_a_decoder_becomes_one_line(error, reason):
    with pytest.raises(ImageError) as caught, image_errors("damaged tiff"):
        raise error
    assert str(caught.value) == f"damaged tiff: {reason}"
    assert caught.value.__cause__ is error


def test_too_little_memory_is_not_called_damage():
    with pytest.raises(ImageError, match=r"^not enough memory"), image_errors("damaged tiff"):
        raise MemoryError
