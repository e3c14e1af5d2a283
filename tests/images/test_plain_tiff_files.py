"""Plain TIFF files are read without tifffile: the pixels, headers and errors are those that tifffile and imagecodecs give."""

import io
import itertools
import random
import struct
import subprocess
import sys

import numpy as np
import pytest
from image_files import deep, photo, read, tiff, with_alpha
from PIL import Image

from imgconv.errors import ImageError
from imgconv.images.decoder import Request
from imgconv.images.tiff import reader as by_tifffile

SHAPES = {"grey": photo()[..., 1], "rgb": photo(), "rgba": with_alpha(photo())}
COMPRESSIONS = [(None, False), ("lzw", False), ("lzw", True), ("zlib", False), ("zlib", True), ("jpeg", False)]


def plain(shape, compression, predictor, order, depth, rows):
    """A TIFF that tifffile writes; None for what JPEG cannot hold."""
    if compression == "jpeg" and (depth == 16 or shape == "rgba"):
        return None
    pixels = SHAPES[shape] if depth == 8 else deep(np.atleast_3d(SHAPES[shape])).squeeze()
    options = {"photometric": "minisblack" if shape == "grey" else "rgb", "compression": compression, "byteorder": order}
    options |= {"extrasamples": ["unassalpha"]} if shape == "rgba" else {}
    return tiff(pixels, predictor=predictor, rowsperstrip=rows, description="a cat", resolution=(300, 150), **options)


def by_pillow(mode, **options):
    file = io.BytesIO()
    Image.fromarray(photo()).convert(mode).save(file, "TIFF", **options)
    return file.getvalue()


def matrix():
    """Files by name."""
    kinds = itertools.product(SHAPES, COMPRESSIONS, "<>", (8, 16), (16, 64))
    files = {
        f"{shape}-{compression}-{predictor}-{order}-{depth}-{rows}": plain(shape, compression, predictor, order, depth, rows)
        for shape, (compression, predictor), order, depth, rows in kinds
    }
    for mode, compression in itertools.product(("L", "RGB", "RGBA"), (None, "tiff_lzw", "tiff_adobe_deflate", "jpeg")):
        if (mode, compression) != ("RGBA", "jpeg"):
            files[f"pillow-{mode}-{compression}"] = by_pillow(mode, compression=compression, dpi=(72, 72), icc_profile=None)
    for orientation in range(1, 9):
        files[f"orientation-{orientation}"] = tiff(photo(), photometric="rgb", extratags=[(274, 3, 1, orientation, True)])
    return {name: data for name, data in files.items() if data is not None}


def of_tifffile(data, **options):
    decoder = by_tifffile.decoder(io.BytesIO(data), Request(**options))
    return decoder.header, list(decoder.frames())


def outcome(function, data, **options):
    """Header, pixels and metadata of a file, or the error."""
    try:
        header, frames = function(data, **options)
    except ImageError as error:
        return str(error)
    return header, [(frame.pixels.tobytes(), frame.alpha, frame.metadata) for frame in frames]


MATRIX = matrix()


@pytest.mark.parametrize("name", MATRIX)
def test_the_result_is_that_of_tifffile(name):
    assert outcome(read, MATRIX[name]) == outcome(of_tifffile, MATRIX[name])
    assert outcome(read, MATRIX[name], max_pixels=99) == outcome(of_tifffile, MATRIX[name], max_pixels=99)


def test_no_plain_file_needs_tifffile(tmp_path):
    names = [name for name in MATRIX if not name.startswith("pillow-RGB-jpeg")]
    for name in names:
        tmp_path.joinpath(name).write_bytes(MATRIX[name])
    script = """
import pathlib, sys
sys.modules["tifffile"] = None
from imgconv.images import open_frames
for path in map(pathlib.Path, sys.argv[1:]):
    with open_frames(path) as images:
        list(images)
"""
    ended = subprocess.run([sys.executable, "-c", script, *map(str, tmp_path.iterdir())], capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.parametrize("name", [name for name in MATRIX if name.endswith("-16")])
@pytest.mark.parametrize("fraction", [0.2, 0.5, 0.9, 0.97])
def test_a_strip_that_lacks_bytes_is_an_error(name, fraction):
    whole = MATRIX[name]
    order, (offset,) = ("<", struct.unpack("<I", whole[4:8])) if whole[:2] == b"II" else (">", struct.unpack(">I", whole[4:8]))
    entries = struct.unpack_from(order + "H", whole, offset)[0]
    data = bytearray(whole)
    for at in range(offset + 2, offset + 2 + 12 * entries, 12):
        tag, kind, _, place = struct.unpack_from(order + "HHII", whole, at)
        if tag == 279:
            code = order + {3: "H", 4: "I"}[kind]
            place += struct.calcsize(code)
            struct.pack_into(code, data, place, max(1, int(struct.unpack_from(code, whole, place)[0] * fraction)))
    with pytest.raises(ImageError, match="damaged tiff: strip 2 of 3: "):
        read(bytes(data))
    assert outcome(read, bytes(data), salvage=True) == outcome(of_tifffile, bytes(data), salvage=True)


@pytest.mark.parametrize("name", ["grey-None-False-<-8-16", "rgb-lzw-True->-8-16", "rgba-zlib-True-<-16-64", "rgb-jpeg-False-<-8-16"])
def test_damage_anywhere_gives_the_result_of_tifffile(name):
    rng = random.Random(name)
    for _ in range(40):
        data = bytearray(MATRIX[name])
        tags = struct.unpack((">" if data[:1] == b"M" else "<") + "I", data[4:8])[0]
        for _ in range(rng.choice((1, 1, 2))):
            position = rng.randrange(tags, min(tags + 200, len(data))) if rng.random() < 0.8 else rng.randrange(len(data))
            data[position] = rng.choice((0, 1, 2, 255, data[position] ^ 1, rng.randrange(256)))
        assert outcome(read, bytes(data)) == outcome(of_tifffile, bytes(data))
