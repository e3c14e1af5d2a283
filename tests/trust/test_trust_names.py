"""Names that shells and file systems allow, and entries of folders that are no images."""

import json
import os
import shutil
from pathlib import Path

import pytest
from command import SAMPLES, imgconv, refused
from processes import environment, many, names, started, wait_for

CAMERA = SAMPLES / "step_wedge.png"
STEMS = ["two words", "new\nline", "-dash", os.fsdecode(b"bad\xff\xfe"), "grüße-画像", "[a]*?", "quote'\"", " "]
ODD = [f"{stem}.png" for stem in STEMS]
DERIVED = sorted(f"{stem}.edge.png" for stem in STEMS)


@pytest.fixture
def here(tmp_path):
    for name in ODD:
        shutil.copy(CAMERA, tmp_path / name)
    return tmp_path


def test_odd_names_as_arguments(here):
    done = imgconv("edge", "-o", "out", "--", *ODD, cwd=here, env=environment())
    assert done.code == 0, done.err
    assert names(here / "out") == DERIVED


def test_odd_names_in_a_folder_and_in_json(here):
    done = imgconv("edge", here, "-o", here / "out", "--json", "-v")
    assert done.code == 0, done.err
    lines = [json.loads(line) for line in done.out.splitlines()]
    assert sorted(Path(line["source"]).name for line in lines) == sorted(ODD)
    assert names(here / "out") == DERIVED
    assert done.err.count("\n") == len(ODD) + 1 and "new\\nline.png" in done.err


def test_odd_names_from_a_list(here):
    listed = os.fsencode("\0".join(ODD))
    for end in (b"", b"\0"):
        done = imgconv("edge", "--files0-from", "-", "-o", "out", stdin=listed + end, cwd=here, env=environment())
        assert done.code == 0, done.err
        assert names(here / "out") == DERIVED
    (here / "list").write_bytes(listed)
    assert imgconv("edge", "--files0-from", here / "list", "-o", "out", cwd=here, env=environment()).code == 0


@pytest.mark.parametrize(
    "data, message", [(b"a.png\nb.png\n", "find -print0"), (b"a.png\0\0b.png", "empty name, number 2"), (b"", "no images in the list")]
)
def test_lists_in_another_format_are_refused(tmp_path, data, message):
    code = 1 if data == b"" else 2
    assert message in refused(code, "edge", "--files0-from", "-", stdin=data)
    assert "no such file" in refused(1, "edge", "--files0-from", tmp_path / "missing")


def test_a_dash_in_a_list_is_a_file(tmp_path):
    assert (
        "-: cannot be read: no such file"
        in imgconv("edge", "--files0-from", "-", "-o", "out", stdin=b"-", cwd=tmp_path, env=environment()).err
    )


def test_errors_name_odd_files_on_one_line(here):
    (here / "no\npicture\x1b[31m.png").write_bytes(b"text")
    assert "no\\npicture\\x1b[31m.png: not an image" in refused(1, "edge", here / "no\npicture\x1b[31m.png")


def test_names_of_250_bytes(tmp_path):
    fits, long = tmp_path / ("x" * 246 + ".png"), tmp_path / ("y" * 250 + ".png")
    for path in (fits, long):
        shutil.copy(CAMERA, path)
    done = imgconv("edge", tmp_path, "-o", tmp_path / "out")
    assert done.code == 1 and "the output's name would have 259 bytes, and 255 are allowed" in done.err
    assert names(tmp_path / "out") == ["x" * 246 + ".edge.png"]
    assert "file name too long" in refused(1, "edge", "z" * 300 + ".png")


def test_anything_but_regular_files_is_skipped(tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    shutil.copy(CAMERA, photos / "a.png")
    os.mkfifo(photos / "pipe.png")
    (photos / "device.png").symlink_to("/dev/zero")
    (photos / "loop.png").symlink_to("loop.png")
    (photos / "round").symlink_to(photos)
    (photos / "folder.png").mkdir()
    done = imgconv("edge", photos, "-o", tmp_path / "out")
    assert done.code == 0 and names(tmp_path / "out") == ["a.edge.png"]
    assert "symbolic links" in refused(1, "edge", photos / "loop.png").lower()


def test_files_that_vanish_are_reported_and_the_others_are_processed(tmp_path):
    photos, out = many(tmp_path / "photos", 120), tmp_path / "out"
    with started("edge", photos, "-o", out, "-j", "1") as process:
        wait_for(lambda: out.exists() and names(out))
        (photos / "118.jpg").unlink()
        (photos / "119.jpg").unlink()
        err = process.communicate(timeout=30)[1].decode()
    assert process.returncode == 1
    assert "118.jpg: cannot be read: no such file or directory" in err and "118 files written, 2 failed" in err
    assert len(names(out)) == 118


def test_an_empty_name_is_a_usage_error():
    assert "empty name" in refused(2, "edge", "")
    assert "empty name" in refused(2, "edge", CAMERA, "-o", "")
    assert "no input given" in refused(2, "edge")
