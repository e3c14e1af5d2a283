"""Lines about whole commands, each a process of its own, and limits: seconds and megabytes that a command must stay under."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import folders
import numpy as np
import streams
from measure import Line, peer
from PIL import Image

import imgconv

IMGCONV = [sys.executable, "-m", "imgconv"]
PHOTO = Path(__file__).parent.parent / "sample_images" / "coffee.jpg"
BARE = """
import cv2, sys
grey = cv2.imread(sys.argv[1], cv2.IMREAD_GRAYSCALE)
cv2.imwrite(sys.argv[2], cv2.convertScaleAbs(cv2.Laplacian(grey, cv2.CV_16S, ksize=3)))
"""
VIPS_MASK = "3 3 1 0\n-1 -1 -1\n-1 8 -1\n-1 -1 -1\n"


@dataclass(frozen=True)
class Limit:
    """Something measured that has to stay under a limit."""

    name: str
    measured: float
    limit: float
    unit: str


def lines(folder: Path) -> Iterator[Line]:
    """A 12-megapixel and an 800x600 JPEG to an edge map in PNG, against scripts and tools that do the same."""
    big, small, out = photo(folder / "big.jpg", (4000, 3000)), photo(folder / "small.jpg", (800, 600)), folder / "out.png"
    bare = [sys.executable, "-c", BARE] if peer("cv2") else None
    yield Line("12-megapixel JPEG to edges in PNG", "bare OpenCV script", 1 / 1.15, edge(big, out), process(bare, big, out))
    yield Line("800x600 JPEG to edges in PNG", "bare OpenCV script", 1 / 1.6, edge(small, out), process(bare, small, out))
    yield Line(
        "800x600 JPEG to edges in PNG", "python -c 'import numba'", 1.0, edge(small, out), process([sys.executable, "-c", "import numba"])
    )
    yield of_photographs(folder / "photographs", 60)
    gm = [tool, "convert"] if (tool := shutil.which("gm")) else None
    matrix = ["-colorspace", "gray", "-convolve", "-1,-1,-1,-1,8,-1,-1,-1,-1"]
    yield Line("12-megapixel JPEG to edges in PNG", "GraphicsMagick", 3.3, edge(big, out), process(gm, big, *matrix, out))
    yield Line("12-megapixel JPEG to edges in PNG", "vips", 3.3, edge(big, out), vips(folder, big, out))
    convert = imagemagick()
    morphology = ["-colorspace", "gray", "-morphology", "Convolve", "3x3:-1,-1,-1,-1,8,-1,-1,-1,-1"]
    yield Line("12-megapixel JPEG to edges in PNG", "ImageMagick", 5.0, edge(big, out), process(convert, big, *morphology, out))


def limits(folder: Path) -> Iterator[Limit]:
    """Memory of a 100-megapixel image and of a large layer, and time of the very first command on a machine."""
    huge = folder / "huge.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 16, (10_000, 10_000), dtype=np.uint8)).save(huge, compress_level=1)
    used = peak_megabytes([*IMGCONV, "edge", huge, "-o", folder / "huge.edge.png", "-q"])
    yield Limit("`imgconv edge` of a 100-megapixel grey PNG, peak memory", used, 100 + 100 + 150, "MB")
    yield Limit("`conv2d` 3x3, 1 to 4 channels of 50 megapixels, memory beside its result", conv2d_scratch(), 64, "MB")
    yield Limit(
        "`imgconv edge -`, each frame of a stream of 1280x720, PPM to PGM", 1e3 * streams.seconds_per_frame(folder, 300), 1e3 / 150, "ms"
    )
    small = photo(folder / "small.jpg", (800, 600))
    with tempfile.TemporaryDirectory() as fresh:
        started = time.perf_counter()
        command = [*IMGCONV, "edge", small, "-o", folder / "first.png", "-q"]
        subprocess.run(command, check=True, env=os.environ | {"XDG_CACHE_HOME": fresh}, stdin=subprocess.DEVNULL)
        yield Limit("first `imgconv edge` on a machine, compiling its loops", time.perf_counter() - started, 6, "s")


def conv2d_scratch() -> float:
    """Megabytes that NumPy held at the most beside input and result; the unfolded matrix would be 1,800."""
    input, weight = np.zeros((1, 1, 5_000, 10_000), np.float32), np.ones((4, 1, 3, 3), np.float32)
    imgconv.conv2d(input[..., :64, :64], weight, padding=1)  # compiles and links the loop
    tracemalloc.start()
    result = imgconv.conv2d(input, weight, padding=1)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return (most - result.nbytes) / 1e6


def of_photographs(photos: Path, count: int) -> Line:
    """A folder of photographs of 1920x1440 to edges in PNG, against a script with cv2 in two threads."""
    folders.make_photographs(photos, count)
    photos.with_name("out").mkdir()
    programs = folders.programs(photos)
    theirs = process(programs.get("cv2, 2 threads"))
    return Line(
        f"{count} photographs of 1920x1440 to edges in PNG", "OpenCV script, 2 threads", 1.6, partial(run, programs["imgconv"]), theirs
    )


def edge(source: Path, out: Path) -> partial[None]:
    """Our whole command."""
    return partial(run, [*IMGCONV, "edge", source, "-o", out, "-q"])


def process(command: list[str] | None, *arguments: object) -> partial[None] | None:
    """A peer's whole command, None where it is not installed."""
    return partial(run, [*command, *arguments]) if command else None


def run(command: list[object]) -> None:
    # an installed program has its bytecode; a checkout is given the chance to keep its own
    keeping = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    subprocess.run([str(word) for word in command], check=True, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=keeping)


def vips(folder: Path, source: Path, out: Path) -> partial[None] | None:
    """vips takes one operation per command: grey, convolution and absolute value are three, joined by its own uncompressed files."""
    if not (tool := shutil.which("vips")):
        return None
    (folder / "laplacian8.mat").write_text(VIPS_MASK)
    grey, signed = folder / "grey.v", folder / "signed.v"
    steps = [
        f"'{tool}' colourspace '{source}' '{grey}' b-w",
        f"'{tool}' conv '{grey}' '{signed}' '{folder}/laplacian8.mat'",
        f"'{tool}' abs '{signed}' '{out}'",
    ]
    return partial(run, ["sh", "-c", " && ".join(steps)])


def imagemagick() -> list[str] | None:
    """ImageMagick 7's command or 6's, if it works as one."""
    for name in ("magick", "convert", "/usr/bin/convert"):
        tool = shutil.which(name)
        if tool and "ImageMagick" in subprocess.run([tool, "-version"], capture_output=True, text=True).stdout.partition("\n")[0][:30]:
            return [tool]
    return None


def peak_megabytes(command: list[object]) -> float:
    """The largest resident size of a process, started by a small one: Linux counts what the starting process held as well."""
    script = "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True)"
    script += "; print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    words = [sys.executable, "-c", script, *map(str, command)]
    return int(subprocess.run(words, check=True, stdin=subprocess.DEVNULL, capture_output=True, text=True).stdout) / 1024


def photo(path: Path, size: tuple[int, int]) -> Path:
    """A photograph scaled to `size`, as a JPEG file of quality 90."""
    if not path.exists():
        with Image.open(PHOTO) as opened:
            opened.resize(size, Image.Resampling.BICUBIC).save(path, quality=90)
    return path
