"""Images larger than --memory: every command writes the bytes that it writes of the whole image, whatever the memory and the threads."""

import io
import random
import shlex

import numpy as np
import pytest
import tifffile
from command import imgconv

SIZE = (301, 223)


def levels(channels, dtype="uint8", size=SIZE):
    """Smooth gradients with noise, so that every row differs."""
    generator = np.random.default_rng(channels)
    ramp = np.add.outer(np.arange(size[0]), np.arange(size[1]))[..., None] % 200
    noisy = ramp + generator.integers(0, 56, (*size, channels))
    if np.dtype(dtype).kind == "f":
        return (noisy / 255).astype(dtype)
    return (noisy * (257 if dtype == "uint16" else 1)).astype(dtype)


def tiff(pixels, **options):
    file = io.BytesIO()
    photometric = "rgb" if pixels.shape[2] in (3, 4) else "minisblack"
    if options.get("planarconfig") == "separate":
        pixels = np.moveaxis(pixels, 2, 0)
    elif pixels.shape[2] == 1:
        pixels = pixels[..., 0]
    extra = ["unassalpha"] if pixels.ndim == 3 and pixels.shape[2] in (2, 4) else None
    tifffile.imwrite(file, pixels, photometric=photometric, extrasamples=extra, **options)
    return file.getvalue()


def npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def pnm(kind, maxval, data, size=SIZE):
    return b"%s\n%d %d\n%s" % (kind, size[1], size[0], b"%d\n" % maxval if maxval else b"") + data


FILES = {
    "strips.tif": tiff(levels(3), rowsperstrip=16),
    "one_strip.tif": tiff(levels(1)),
    "lzw.tif": tiff(levels(3), rowsperstrip=7, compression="lzw", predictor=True),
    "tiles.tif": tiff(levels(3), tile=(32, 48), compression="zlib"),
    "deep.tif": tiff(levels(1, "uint16"), tile=(16, 16), compression="zstd", byteorder=">"),
    "planes.tif": tiff(levels(3), tile=(64, 64), planarconfig="separate"),
    "planar_strips.tif": tiff(levels(3), rowsperstrip=20, planarconfig="separate", compression="packbits"),
    "alpha.tif": tiff(levels(4), tile=(32, 32), bigtiff=True),
    "floats.tif": tiff(levels(1, "float32"), rowsperstrip=50, compression="zlib", predictor=3),
    "jpeg.tif": tiff(levels(3), tile=(64, 64), compression="jpeg"),
    "colour.npy": npy(levels(3)),
    "maps.npy": npy(np.moveaxis(levels(3, "float32"), 2, 0)),
    "fortran.npy": npy(np.asfortranarray(levels(1, "uint16")[..., 0])),
    "grey.pgm": pnm(b"P5", 255, levels(1).tobytes()),
    "deep.ppm": pnm(b"P6", 65535, levels(3, "uint16").astype(">u2").tobytes()),
    "bits.pbm": pnm(b"P4", 0, np.packbits(levels(1)[..., 0] > 99, axis=1).tobytes()),
    "floats.pfm": pnm(b"PF", 0, b"-1.0\n" + levels(3, "float32").astype("<f4").tobytes()),
}
COMMANDS = [
    "edge",
    "edge -k sobel --range minmax",
    "edge --overlay",
    "edge -k roberts --threshold 40 --invert",
    "edge -k kirsch --padding full --padding-mode reflect",
    "filter -k gaussian:sigma=2",
    "filter -k gaussian:sigma=6 --padding-mode circular",
    "filter -k box -k sobel_x --stride 2x3 --padding-mode zeros",
    "filter -k log:sigma=3 --dilation 2x1 --padding 9 --padding-mode symmetric",
    "filter -k motion:length=31,angle=20 --range offset",
    "filter -k sharpen8 --linear --grey",
    "filter -k emboss --padding valid --flip --alpha keep",
    "pool --size 3x2",
    "pool --size 5 --mode avg --stride 2 --padding 2",
    "pool --size 4 --mode median --ceil-mode",
    "pool --size 2 --mode min --dilation 3 --grey",
    "pool --size 2 --mode avg",
    "run -s 'conv laplacian8 padding=1' -s relu -s 'max_pool 2'",
    "run -s grey -s 'conv gaussian:sigma=2 padding=same padding_mode=replicate stride=2' -s abs -s 'avg_pool 3 stride=2 padding=1'",
    "run -s 'conv sobel_x padding=1 padding_mode=reflect' -s 'conv_transpose box:size=3 stride=2 padding=1' -s 'max_pool 3' --range minmax",
]


def outputs(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("large")
    for name, data in FILES.items():
        (folder / name).write_bytes(data)
    return folder


def compare(file, command, tmp_path, memory, threads, format):
    words = [*shlex.split(command), file, "--format", format]
    whole = imgconv(*words, "-o", tmp_path / "whole/")
    banded = imgconv(*words, "-o", tmp_path / "banded/", "--memory", memory, "-j", threads)
    assert (whole.code, whole.err.replace("whole/", "banded/").split(",")[0]) == (banded.code, banded.err.split(",")[0]), banded.err
    if whole.code == 0:
        assert outputs(tmp_path / "whole") == outputs(tmp_path / "banded")
    return whole.code


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_on_a_file_of_each_kind(inputs, tmp_path, command):
    choice = random.Random(command)
    done = 0
    for name in choice.sample(sorted(FILES), 2):
        memory, threads = choice.choice(["1M", "1.3M", "2M", "4M"]), choice.choice([1, 2, 3])
        format = choice.choice(["png", "tiff", "npy", "pnm"])
        done += compare(inputs / name, command, tmp_path / name, memory, threads, format) == 0
    assert done


@pytest.mark.parametrize("name", FILES)
def test_every_file_gives_its_rows(inputs, tmp_path, name):
    assert compare(inputs / name, "filter -k gaussian:sigma=1.5", tmp_path, "1M", 2, "tiff") == 0


@pytest.mark.exhaustive
@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("name", FILES)
def test_all_commands_on_all_files(inputs, tmp_path, name, command):
    for format in ("png", "tiff", "npy", "pnm"):
        compare(inputs / name, command, tmp_path / format, random.Random(name + command).choice(["1M", "3M"]), 2, format)
