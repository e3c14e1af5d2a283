"""What a run says of itself: names as people know them, numbers of things, nothing said twice."""

import json
import re
import shutil

import pytest
from command import SAMPLES, imgconv, refused

CAMERA = SAMPLES / "camera.png"
TWO = CAMERA.read_bytes() * 2
MAPS = ("-k", "sobel_x", "-k", "sobel_y")


@pytest.fixture
def folder(tmp_path):
    for name in ("a.png", "b.png"):
        shutil.copy(CAMERA, tmp_path / name)
    return tmp_path


def test_maps_for_standard_output_need_no_words():
    done = imgconv("filter", "-", *MAPS, stdin=TWO)
    assert (done.code, done.err) == (0, "") and done.out.count(b"IEND") == 4


def test_standard_output_is_called_so():
    lines = imgconv("filter", "-", *MAPS, "-v", stdin=TWO).err.splitlines()
    assert [line.partition("  ")[0] for line in lines[-2:]] == [
        "standard input -> standard output",
        "standard input, image 2 -> standard output",
    ]
    assert imgconv("edge", "-", "--dry-run", stdin=TWO).err.startswith("standard input -> standard output (not written: dry run)\n")


def test_files_of_a_stream_are_named():
    done = imgconv("filter", "-", *MAPS, "-o", "out/", "--dry-run", stdin=CAMERA.read_bytes())
    assert done.err == "standard input -> out/stdin.sobel_x.png, out/stdin.sobel_y.png (not written: dry run)\n"


def test_a_summary_counts_files(folder):
    def summary(*words):
        return re.sub(r", \d+\.\d s$", "", imgconv("edge", folder, *words).err.splitlines()[-1])

    assert summary("--dry-run") == "2 of 2 images: 2 files would be written, 0 failed"
    (folder / "b.png").write_bytes(b"no image")
    assert summary() == "2 of 2 images: 1 file written, 1 failed"
    assert summary("--skip-existing") == "2 of 2 images: 0 files written, 1 skipped, 1 failed"


def test_a_batch_cannot_be_previewed(folder):
    words = ("run", folder, "-s", "max_pool 2", "--batch", "-o", folder / "all.npy")
    assert "--show previews images" in refused(2, *words, "--show")
    assert imgconv(*words).err == f"2 images -> {folder / 'all.npy'}\n"
    (folder / "b.png").unlink()
    assert imgconv(*words).err == f"1 image -> {folder / 'all.npy'}\n"


def test_one_frame_is_one_frame(tmp_path):
    words = ("explain", CAMERA, "--size", "512", "--animate", tmp_path / "a.gif")
    assert "--animate draws windows" in refused(1, *words)
    small = tmp_path / "small.pgm"
    small.write_bytes(b"P5 2 2 255 abcd")
    assert imgconv("explain", small, "--size", "2", "--animate", tmp_path / "a.gif").err == f"{tmp_path / 'a.gif'}: 1 frame\n"


@pytest.mark.parametrize(
    ("command", "how"),
    [
        (("edge",), "small, int16"),
        (("filter", "-k", "gaussian:sigma=3", "-k", "box:size=31"), "factors of 1, float32; running, int32"),
        (("run", "-s", "conv laplacian8 padding=1", "-s", "relu"), "tiles"),
    ],
)
def test_verbose_names_the_algorithm_of_plan(tmp_path, command, how):
    name, *options = command
    line = imgconv(name, CAMERA, *options, "-o", tmp_path / "out/", "-v").err.splitlines()[-1]
    assert line.split("  ")[2:3] == [how]
    steps = json.loads(imgconv("plan", CAMERA, *options, "--json").out)["steps"]
    assert "; ".join(step["algorithm"] for step in steps if step["algorithm"]) == how


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("photo.jpg",), "edge photo.jpg"),
        (("filter", "photo.jpg", "-k", "blur"), "kernels list --tag blur"),
        (("filter", "photo.jpg", "-k", "canny"), "imgconv canny"),
        (("pool", "photo.jpg", "--mode", "mean"), "use avg"),
    ],
)
def test_likely_mistakes_get_a_hint(words, hint):
    assert hint in refused(2, *words)


@pytest.mark.parametrize("words", [(), ("kernels",)])
def test_a_group_without_a_command_prints_its_help_and_no_error(words):
    done = imgconv(*words)
    assert (done.code, done.err) == (2, "") and b"Commands:" in done.out


@pytest.mark.parametrize("option", ["--color", "--colour"])
def test_both_spellings_of_colour_and_grey(tmp_path, option):
    for word, name in (("--gray", "grey.png"), (option, "colour.png")):
        assert imgconv("filter", CAMERA, "-k", "box", word, "-o", tmp_path / name).code == 0
    assert imgconv("edge", CAMERA, "--grey", "--gray", "-o", tmp_path / "e.png").code == 0
