"""The memory estimate against the measured peak, for every format, depth and kind of step: `python -m pytest -s tests/load/memory.py`."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from command import SAMPLES
from PIL import Image

from imgconv.images import Encoding, Raster, encode

ROOT = Path(__file__).parents[2]
SIZES = {"small": (24, 32), "large": (3000, 4000)}
FEW = 10_000_000  # bytes
FRAMES = {"small": (24, 32), "large": (900, 1200)}
DEPTHS = {"8": (np.uint8, 1), "16": (np.uint16, 257), "float": (np.float32, 1 / 255)}
INPUTS = {  # name: format, channels, depth
    **{
        f"{format}_{channels}": (format, channels, "8")
        for format in ("png", "tiff", "webp", "jpeg2000", "jpegxl", "avif", "tga")
        for channels in (1, 3, 4)
    },
    **{f"{format}_{channels}": (format, channels, "8") for format in ("jpeg", "bmp", "pnm", "npy", "fits") for channels in (1, 3)},
    **{f"qoi_{channels}": ("qoi", channels, "8") for channels in (3, 4)},
    "gif_1": ("gif", 1, "8"),
    **{f"{format}_{channels}_16": (format, channels, "16") for format in ("png", "tiff", "pnm", "npy", "jpegxl") for channels in (1, 3)},
    **{f"{format}_{channels}_float": (format, channels, "float") for format in ("tiff", "npy", "pnm", "fits") for channels in (1, 3)},
}
OUTPUTS = ("png", "jpg", "webp", "avif", "jp2", "jxl", "gif", "fits", "tiff", "bmp", "ppm", "tga", "qoi", "npy", "npz")
ANIMATIONS = ("png", "webp", "avif", "tiff", "npy")
STEPS = (
    "conv laplacian8 padding=1",
    "conv_transpose bilinear4 stride=2",
    "max_pool 2",
    "avg_pool 3 stride=1 padding=1",
    "median_pool 3",
    "relu",
    "leaky_relu",
    "sigmoid",
    "tanh",
    "abs",
    "scale factor=0.5",
    "normalize mean=1 std=2",
    "grey",
    "combine max",
    "pad 5 padding_mode=reflect",
    "depthwise box:size=5 padding=2",
    "dilate disk:radius=3",
    "gradient disk:radius=3",
    "tophat square:size=5",
    "adaptive_avg_pool 100",
    "softmax",
)
OPTIONS = (
    ("filter", "-k", "sobel"),
    ("filter", "-k", "box", "--linear"),
    ("filter", "-k", "box", "--range", "minmax"),
    ("filter", "-k", "laplacian8", "--threshold", "20"),
    ("filter", "-k", "box", "--alpha", "drop"),
    ("edge", "--overlay"),
    ("pool", "--mode", "max"),
    ("pool", "--mode", "median", "--size", "5", "--stride", "1", "--padding", "same"),
    ("canny",),
)


def photo(height, width, channels, depth, turn=0):
    """A photograph of any size, of `channels`, turned by so many pixels."""
    with Image.open(SAMPLES / "coffee.jpg") as image:
        tile = np.asarray(image.convert("RGB"))
    tiled = np.tile(tile, (-(-height // tile.shape[0]), -(-width // tile.shape[1]), 1))[:height, :width]
    pixels = {1: tiled[..., :1], 3: tiled, 4: np.dstack([tiled, tiled[..., 0]])}[channels]
    dtype, factor = DEPTHS[depth]
    return Raster(np.ascontiguousarray((np.roll(pixels, turn, axis=1) * dtype(factor)).astype(dtype)), channels == 4)


def written(folder, format, channels, depth, frames=1):
    """A small and a large file of a format."""
    files = []
    for name, size in (SIZES if frames == 1 else FRAMES).items():
        files.append(folder / f"{name}.{format}")
        with files[-1].open("wb") as stream:
            rasters = (photo(*size, channels, depth, 7 * n) for n in range(frames))
            encode(rasters, format, stream, Encoding(animated=frames > 1))
    return files


def measured(files, *words):
    """The estimate, and what the command took, in bytes."""
    command = [sys.executable, ROOT / "tests" / "measured_memory.py", *files, *words, "-q", "--memory", "8G"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(list(map(str, command)), env=environment, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    estimate, measured_bytes = map(int, done.stdout.split())
    ratio, command_line = estimate / measured_bytes, " ".join(map(str, words))
    sys.stdout.write(f"{estimate / 1e6:6.0f} MB estimated, {measured_bytes / 1e6:6.0f} used, {ratio:.2f}: {command_line}\n")
    return estimate, measured_bytes


def check(files, *words):
    """Fail unless the estimate is within 1.3 times of what is taken, or at most a few megabytes away.

    The first attempt may compile a loop that only large images need.
    """
    attempts = []
    for _ in range(2):
        estimate, measured_bytes = measured(files, *words)
        if 1 / 1.3 <= estimate / measured_bytes <= 1.3 or abs(estimate - measured_bytes) < FEW:
            return
        attempts.append((estimate, measured_bytes))
    raise AssertionError(f"estimated and taken bytes: {attempts}")


@pytest.mark.parametrize("name", INPUTS)
@pytest.mark.parametrize("words", [("edge",), ("filter", "-k", "box")])
def test_inputs(tmp_path, name, words):
    format, channels, depth = INPUTS[name]
    output = tmp_path / ("o.tiff" if depth == "float" else "o.npy" if format == "npy" and channels > 1 else "o.png")
    output = output.with_suffix(".tiff") if format == "fits" else output
    if words == ("edge",) and (depth == "float" or format == "npy"):
        pytest.skip("edge needs levels")
    check(written(tmp_path, format, channels, depth), *words, "{}", "-o", output)


@pytest.mark.parametrize("extension", OUTPUTS)
@pytest.mark.parametrize("words", [("edge",), ("filter", "-k", "box")])
def test_outputs(tmp_path, extension, words):
    if (words, extension) in ((("edge",), "qoi"), (("filter", "-k", "box"), "gif")):
        pytest.skip("qoi has no grey, and gif has too few colours")
    check(written(tmp_path, "jpeg", 3, "8"), *words, "{}", "-o", tmp_path / f"o.{extension}")


@pytest.mark.parametrize("extension", ANIMATIONS)
@pytest.mark.parametrize("words", [("edge",), ("filter", "-k", "box")])
def test_animations(tmp_path, extension, words):
    check(written(tmp_path, "png", 3, "8", frames=16), *words, "{}", "-o", tmp_path / f"o.{extension}")


@pytest.mark.parametrize(("format", "channels"), [("gif", 1), ("webp", 3), ("webp", 4), ("avif", 3), ("tiff", 3)])
def test_animated_inputs(tmp_path, format, channels):
    check(written(tmp_path, format, channels, "8", frames=16), "edge", "{}", "-o", tmp_path / "o.tiff")


@pytest.mark.parametrize("words", OPTIONS, ids=" ".join)
@pytest.mark.parametrize("channels", [3, 4])
def test_options(tmp_path, channels, words):
    check(written(tmp_path, "png", channels, "8"), words[0], "{}", "-o", tmp_path / "o.png", *words[1:])


@pytest.mark.parametrize("step", STEPS)
def test_steps(tmp_path, step):
    check(written(tmp_path, "jpeg", 3, "8"), "run", "{}", "-o", tmp_path / "o.png", "-s", step)
