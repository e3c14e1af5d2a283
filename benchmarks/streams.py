"""Frames of 1280x720 through a pipe: how many a second `imgconv edge -` takes from standard input and puts on standard output.

    python benchmarks/streams.py [--frames 300] [--video CLIP]

Without a video, frames are laid out of a sample photograph and poured through a pipe by `cat`. With one, the real ffmpeg decodes it
into the pipe, and encodes the edges at the other end; the whole then is as fast as the slowest of the three.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

SAMPLE = Path(__file__).parents[1] / "sample_images" / "coffee.jpg"
HEIGHT, WIDTH = 720, 1280
EDGE = f"{sys.executable} -m imgconv edge -"


def main() -> None:
    """Time the pipes and print frames per second."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--video", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        print(f"PPM to PGM: {1 / seconds_per_frame(Path(work), asked.frames):.0f} frames/s")
        if asked.video:
            made = Path(work) / "edges.mp4"
            source = f"ffmpeg -v error -i {asked.video} -f image2pipe -c:v ppm -"
            seconds = timed(f"{source} | {EDGE} | ffmpeg -v error -y -f image2pipe -c:v pgm -i - {made}")
            frames = frames_of(made)
            print(f"video to video: {frames / seconds:.0f} frames/s")


def seconds_per_frame(folder: Path, count: int) -> float:
    """The best of three runs over `count` frames, start-up included."""
    stream = folder / "frames.ppm"
    write_frames(stream, count)
    seconds = min(timed(f"cat {stream} | {EDGE} > /dev/null") for _ in range(3))
    stream.unlink()
    return seconds / count


def write_frames(path: Path, count: int) -> None:
    """A stream of `count` PPM images of 1280x720, each a little further along a photograph."""
    with Image.open(SAMPLE) as image:
        photo = np.asarray(image.convert("RGB"))
    wide = np.tile(photo, (-(-HEIGHT // photo.shape[0]), -(-WIDTH // photo.shape[1]) + 1, 1))[:HEIGHT]
    with path.open("wb") as file:
        for number in range(count):
            file.write(b"P6 %d %d 255\n" % (WIDTH, HEIGHT))
            file.write(np.roll(wide, -2 * number, axis=1)[:, :WIDTH].tobytes())


def timed(line: str) -> float:
    """Seconds that a line of shell took, start-up included."""
    started = time.perf_counter()
    subprocess.run(["bash", "-o", "pipefail", "-c", line], check=True)
    return time.perf_counter() - started


def frames_of(video: Path) -> int:
    """Frames in a video."""
    words = ["-count_frames", "-show_entries", "stream=nb_read_frames", "-of", "csv=p=0"]
    return int(subprocess.run(["ffprobe", "-v", "error", *words, video], capture_output=True, check=True).stdout)


if __name__ == "__main__":
    main()
