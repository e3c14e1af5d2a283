"""Standard streams: closed, full, a terminal, cut off by the reader, empty, or not what was expected."""

import io
import json
import os
import pty
import shutil
import subprocess
import sys

import pytest
from command import PHOTO, SAMPLES, imgconv, refused
from PIL import Image
from processes import IMGCONV, environment, finished, many, names, started

CAMERA = (SAMPLES / "camera.png").read_bytes()


def shell(line, cwd):
    """Run a line of shell in which `imgconv` is the command; exit codes of the pipe's parts are its own business."""
    script = f'imgconv() {{ {sys.executable} -m imgconv "$@"; }}; {line}'
    done = subprocess.run(["bash", "-c", script], cwd=cwd, env=environment(), capture_output=True, timeout=60, check=False)
    assert b"Traceback" not in done.stderr and b"Exception" not in done.stderr, done.stderr
    return done


@pytest.mark.parametrize(
    "command",
    ["imgconv edge photo.jpg -o -", "imgconv edge photos --json -o out", "imgconv edge - < photo.jpg", "imgconv kernels list"],
)
def test_a_reader_that_closes_early_ends_it_quietly(tmp_path, command):
    shutil.copy(PHOTO, tmp_path / "photo.jpg")
    many(tmp_path / "photos", 30)
    done = shell(f"{command} | head -c 10 > /dev/null; echo ${{PIPESTATUS[0]}}", tmp_path)
    assert (done.stdout, done.stderr) == (b"0\n", b"")


@pytest.mark.parametrize(
    "line, code, message",
    [
        ("imgconv edge photo.jpg -o - >&-", 2, "standard output is closed"),
        ("imgconv edge photo.jpg --json >&-", 2, "standard output is closed"),
        ("imgconv edge photo.jpg >&-", 0, "photo.edge.png"),
        ("imgconv edge photo.jpg 2>&-", 0, ""),
        ("imgconv edge missing.jpg 2>&-", 1, ""),
        ("imgconv edge photo.jpg 2>/dev/full", 0, ""),
        ("imgconv edge - <&-", 2, "standard input is closed"),
        ("imgconv edge photo.jpg -o - >/dev/full", 1, "no space left on device"),
        ("imgconv edge photo.jpg --json -q >/dev/full", 1, "no space left on device"),
        ("imgconv --version >/dev/full", 1, "no space left on device"),
        ("imgconv edge - </dev/null", 1, "standard input: contains no data"),
        ("head -c 999 /dev/urandom | imgconv edge -", 1, "standard input: not an image of a known format"),
    ],
)
def test_streams_that_are_closed_full_or_empty(tmp_path, line, code, message):
    shutil.copy(PHOTO, tmp_path / "photo.jpg")
    done = shell(line, tmp_path)
    assert done.returncode == code, done.stderr
    assert message in done.stderr.decode() and done.stderr.count(b"\n") == bool(message)


@pytest.mark.parametrize("words, expected", [(["edge", "-"], "an image"), (["edge", "--files0-from", "-"], "names")])
def test_a_terminal_as_input_is_refused_with_a_remedy(words, expected):
    leader, follower = pty.openpty()
    try:
        done = subprocess.run(
            [*IMGCONV, *words], stdin=follower, env=environment(), capture_output=True, text=True, timeout=20, check=False
        )
    finally:
        os.close(leader)
        os.close(follower)
    assert done.returncode == 2 and f"standard input is a terminal; send it {expected}" in done.stderr


def test_an_image_followed_by_garbage(tmp_path):
    done = imgconv("edge", "-", "-o", tmp_path, stdin=CAMERA + b"garbage")
    assert done.code == 1
    assert "standard input, image 2: cannot be read: expected a PNM, PNG or npy image" in done.err
    with Image.open(tmp_path / "stdin.edge.png") as image:
        assert image.size == (512, 512)


def test_several_images_have_files_of_their_own(tmp_path):
    done = imgconv("edge", "-", "-o", f"{tmp_path}/out/", stdin=CAMERA * 3)
    assert done.code == 0
    assert names(tmp_path / "out") == ["stdin-2.edge.png", "stdin-3.edge.png", "stdin.edge.png"]
    line = imgconv("edge", "-", "-o", tmp_path / "one.png", stdin=CAMERA * 2)
    assert line.code == 1 and "image 2: standard input holds several images" in line.err and "-o" in line.err
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "out" / "stdin.edge.png").read_bytes()


def test_frames_before_a_broken_one_are_written_and_the_error_has_its_number():
    frames = [b"P5 40 30 255\n" + bytes([shade]) * 1200 for shade in (10, 20, 30)]
    done = imgconv("filter", "-", "-k", "identity", stdin=b"".join(frames)[:-100])
    assert done.code == 1
    assert done.err == "imgconv: standard input, image 3: cannot be read: unexpected end of data\n"
    assert len(done.out) == 2 * len(b"P5\n40 30\n255\n" + bytes(1200))


@pytest.mark.parametrize("format, length", [("pnm", len(b"P5\n40 30\n255\n") + 1200), ("npy", 128 + 4 * 1200)])
def test_each_frame_is_written_before_the_next_one_arrives(format, length):
    frame = b"P5 40 30 255\n" + bytes(1200)
    with started("filter", "-", "-k", "identity", "--format", format) as process:
        for _ in range(3):
            process.stdin.write(frame)
            process.stdin.flush()
            assert len(process.stdout.read(length)) == length
        assert finished(process) == (0, b"", "")


def test_nothing_but_the_image_goes_to_standard_output(tmp_path):
    done = imgconv("edge", "-", "-v", stdin=CAMERA)
    with Image.open(io.BytesIO(done.out)) as image:
        image.load()
    assert done.out.endswith(b"IEND\xaeB`\x82")


def test_json_comes_line_by_line_while_the_run_goes_on(tmp_path):
    photos = many(tmp_path / "photos", 100)
    with started("edge", photos, "-o", tmp_path / "out", "--json", "-q") as process:
        first = json.loads(process.stdout.readline())
        assert process.poll() is None
        rest = [json.loads(line) for line in process.stdout]
    lines = [first, *rest]
    assert [line["source"] for line in lines] == [str(photos / f"{number:03}.jpg") for number in range(100)]
    assert all(line["outputs"] and line["error"] is None and line["seconds"] > 0 and line["shapes"] == [[1, 400, 600]] for line in lines)


def test_standard_input_is_either_an_image_or_a_list():
    assert "both" in refused(2, "edge", "-", "--files0-from", "-", "-o", "out/")
