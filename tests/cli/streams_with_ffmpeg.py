"""Videos through pipes with the real ffmpeg. Run by name: `python -m pytest tests/cli/streams_with_ffmpeg.py`; fails without ffmpeg."""

import io
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from processes import IMGCONV, environment

import imgconv
from imgconv.images import read_stream

FRAMES = 40


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """A video of which every frame is another, without loss."""
    path = tmp_path_factory.mktemp("video") / "clip.mp4"
    source = f"testsrc2=size=320x180:rate=20:duration={FRAMES / 20}"
    subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", source, "-c:v", "libx264", "-qp", "0", path], check=True)
    return path


def frames_of(data):
    return [np.array(frame.pixels) for images in read_stream(io.BytesIO(data)) for frame in images]


def decoded(clip, *options):
    command = ["ffmpeg", "-v", "error", "-i", clip, "-f", "image2pipe", *options, "-"]
    return subprocess.run(command, capture_output=True, check=True).stdout


def filtered(data, *words):
    return subprocess.run([*IMGCONV, *words], input=data, env=environment(), capture_output=True, timeout=60, check=False)


def test_the_pipe_of_the_readme(clip, tmp_path):
    line = (
        f"ffmpeg -v error -i {clip} -f image2pipe -c:v ppm - | {sys.executable} -m imgconv edge - | tee {tmp_path}/edges.pgm | "
        f"ffmpeg -v error -f image2pipe -framerate 20 -c:v pgm -i - {tmp_path}/edges.mp4"
    )
    subprocess.run(["bash", "-o", "pipefail", "-c", line], env=environment(), check=True, timeout=120)
    count = ["ffprobe", "-v", "error", "-count_frames", "-show_entries", "stream=nb_read_frames", "-of", "csv=p=0", tmp_path / "edges.mp4"]
    assert int(subprocess.run(count, capture_output=True, check=True).stdout) == FRAMES
    before, after = frames_of(decoded(clip, "-c:v", "ppm")), frames_of((tmp_path / "edges.pgm").read_bytes())
    assert len(after) == FRAMES
    for original, output in zip(before, after, strict=True):
        assert np.array_equal(imgconv.edge(original), output[..., 0])


@pytest.mark.parametrize(
    "options, dtype, channels",
    [
        (["-c:v", "png"], np.uint8, 3),
        (["-c:v", "pgm"], np.uint8, 1),
        (["-c:v", "pam", "-pix_fmt", "rgba"], np.uint8, 4),
        (["-c:v", "ppm", "-pix_fmt", "rgb48be"], np.uint16, 3),
        (["-c:v", "png", "-pix_fmt", "gray16be"], np.uint16, 1),
    ],
)
def test_every_kind_of_stream(clip, options, dtype, channels):
    data = decoded(clip, *options, "-frames:v", "5")
    done = filtered(data, "filter", "-", "-k", "identity", "--format", "png" if "png" in options else "pnm")
    assert done.returncode == 0, done.stderr
    before, after = frames_of(data), frames_of(done.stdout)
    assert [frame.shape for frame in after] == [(180, 320, channels)] * 5
    assert all(output.dtype == dtype and np.array_equal(original, output) for original, output in zip(before, after, strict=True))


@pytest.mark.parametrize("codec", ["ppm", "png"])
def test_a_video_that_is_cut_short(clip, codec):
    data = decoded(clip, "-c:v", codec)
    done = filtered(data[:-1000], "edge", "-")
    assert done.returncode == 1 and f"image {FRAMES}: ".encode() in done.stderr and done.stderr.count(b"\n") == 1
    assert len(frames_of(done.stdout)) == FRAMES - 1


def test_frames_into_a_folder(clip, tmp_path):
    done = filtered(decoded(clip, "-c:v", "ppm"), "edge", "-", "-o", f"{tmp_path}/frames/", "-q")
    assert done.returncode == 0
    assert len(list((tmp_path / "frames").iterdir())) == FRAMES
    with Image.open(tmp_path / "frames" / f"stdin-{FRAMES}.edge.png") as last:
        assert last.size == (320, 180)
