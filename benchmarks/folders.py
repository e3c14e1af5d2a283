"""A folder of photographs to edge maps: imgconv, a Python script with cv2 in a pool of 2 threads, and `gm mogrify`.

    python benchmarks/folders.py [--images 60] [--rounds 3]

Photographs of 1920x1440 are laid out of the sample photographs (their detail, not enlarged) and saved as JPEG. Every program starts
as a process of its own, reads the same files, and writes PNGs of the 8-neighbour Laplacian of the grey image into an empty folder.
The best of some rounds counts. A program that is not installed is named and left out.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

SAMPLES = Path(__file__).parents[1] / "sample_images"
HEIGHT, WIDTH = 1440, 1920

CV2 = """
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
import cv2
import numpy as np

folder, out = map(Path, sys.argv[1:])
kernel = np.array([[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]], np.float32)
cv2.setNumThreads(1)


def edge(path):
    grey = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    edges = cv2.convertScaleAbs(cv2.filter2D(grey, cv2.CV_16S, kernel, borderType=cv2.BORDER_REPLICATE))
    cv2.imwrite(str(out / f"{path.stem}.edge.png"), edges)


with ThreadPoolExecutor(2) as pool:
    list(pool.map(edge, sorted(folder.glob("*.jpg"))))
"""


def main() -> None:
    """Make the photographs, time the three, and print seconds and ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        photos = Path(work) / "photos"
        make_photographs(photos, asked.images)
        seconds = {name: best(command, photos, asked.rounds) for name, command in programs(photos).items()}
    for name in {"cv2, 2 threads", "gm mogrify"} - set(seconds):
        print(f"{name}: not installed")
    ours = seconds["imgconv"]
    for name, taken in seconds.items():
        print(f"{name:20} {taken:7.2f} s  {asked.images / taken:7.1f} images/s  {taken / ours:5.2f} times imgconv's time")


def make_photographs(folder: Path, count: int) -> None:
    """`count` photographs of 1920x1440, each another layout of the sample photographs."""
    folder.mkdir()
    tiles = [np.asarray(Image.open(SAMPLES / name).convert("RGB")) for name in ("astronaut.jpg", "chelsea.jpg", "coffee.jpg")]
    random = np.random.default_rng(1)
    for number in range(count):
        image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        for top in range(0, HEIGHT, 240):
            for left in range(0, WIDTH, 320):
                tile = tiles[random.integers(len(tiles))]
                row, column = random.integers(tile.shape[0] - 239), random.integers(tile.shape[1] - 319)
                image[top : top + 240, left : left + 320] = tile[row : row + 240, column : column + 320]
        Image.fromarray(image).save(folder / f"photo{number:03}.jpg", quality=90)


def programs(photos: Path) -> dict[str, list[str]]:
    """The command line of each program that is installed, to be run in the folder of the photographs."""
    out = photos.with_name("out")
    found = {"imgconv": [sys.executable, "-m", "imgconv", "edge", str(photos), "-o", str(out), "-q", "-j", "2"]}
    if subprocess.run([sys.executable, "-c", "import cv2"], capture_output=True, check=False).returncode == 0:
        found["cv2, 2 threads"] = [sys.executable, "-c", CV2, str(photos), str(out)]
    if shutil.which("gm"):
        matrix = "-1,-1,-1,-1,8,-1,-1,-1,-1"
        words = ["-colorspace", "gray", "-convolve", matrix, "-format", "edge.png", "-output-directory", str(out)]
        found["gm mogrify"] = ["gm", "mogrify", *words, *(path.name for path in sorted(photos.glob("*.jpg")))]
    return found


def best(command: list[str], photos: Path, rounds: int) -> float:
    """Seconds of the fastest of some rounds; one more comes first and is not counted."""
    out, taken = photos.with_name("out"), []
    for _ in range(rounds + 1):
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()
        started = time.perf_counter()
        subprocess.run(command, cwd=photos, check=True)
        taken.append(time.perf_counter() - started)
    return min(taken[1:])


if __name__ == "__main__":
    main()
