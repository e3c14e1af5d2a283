"""Runs over folders: shares, existing outputs, order, progress, and that no number of workers changes a byte."""

import json
import os
import pty
import re
import shutil
import subprocess
import time

import numpy as np
import pytest
from command import PHOTO, SAMPLES, imgconv, refused
from PIL import Image
from processes import IMGCONV, environment, many

from imgconv.batch.outcome import Outcome
from imgconv.cli import console
from imgconv.recipe import filter_recipe


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def samples(tmp_path):
    """All sample images, some in a folder of the folder."""
    photos = tmp_path / "photos"
    (photos / "deep").mkdir(parents=True)
    for number, path in enumerate(sorted(SAMPLES.glob("*.*g*"))):
        shutil.copy(path, photos / ("deep" if number % 3 == 0 else ".") / f"{number}{path.suffix}")
    return photos


def test_the_number_of_workers_changes_no_byte(samples, tmp_path):
    for jobs in ("1", "2", "7"):
        assert imgconv("filter", samples, "-k", "gaussian:sigma=2", "-k", "sobel", "-o", tmp_path / jobs, "-j", jobs).code == 0
    assert contents(tmp_path / "1") == contents(tmp_path / "2") == contents(tmp_path / "7") != {}


def test_shares_together_give_the_results_of_one_run_in_any_order(samples, tmp_path):
    files = sorted(str(path) for path in samples.rglob("*.*"))
    assert imgconv("edge", *files, "-o", tmp_path / "whole").code == 0
    calls = []
    for share in (1, 2, 3):
        order = files[::-1] if share == 2 else [*files[4:], *files[:4]]
        done = imgconv(
            "edge", "--files0-from", "-", "-o", tmp_path / "shares", "--shard", f"{share}/3", "--json", stdin="\0".join(order).encode()
        )
        assert done.code == 0
        calls.append([json.loads(line)["source"] for line in done.out.splitlines()])
    assert sorted(source for share in calls for source in share) == files and max(map(len, calls)) - min(map(len, calls)) <= 1
    assert contents(tmp_path / "shares") == contents(tmp_path / "whole")


def test_a_share_of_a_folder_does_not_count_what_other_shares_wrote_there(samples):
    inputs = contents(samples)
    for share in (1, 2):
        assert imgconv("edge", samples, "--shard", f"{share}/2").code == 0
    assert len(contents(samples)) == 2 * len(inputs)


@pytest.mark.parametrize("through_a_pipe", [False, True])
def test_every_frame_and_every_kernel(tmp_path, through_a_pipe):
    moving = SAMPLES / "animated.gif"
    words = ["filter", "-k", "identity", "-k", "sobel", "-o", f"{tmp_path}/out/"]
    done = imgconv(*words, "-", stdin=moving.read_bytes()) if through_a_pipe else imgconv(*words, moving)
    assert done.code == 0, done.err
    stem = "stdin" if through_a_pipe else "animated"
    with Image.open(moving) as before:
        for name in ("identity", "sobel"):
            with Image.open(tmp_path / "out" / f"{stem}.{name}.png") as after:
                assert after.n_frames == before.n_frames > 1
                last = before.n_frames - 1
                before.seek(last)
                after.seek(last)
                same = np.array_equal(np.array(before.convert("RGB")), np.array(after.convert("RGB")))
                assert same == (name == "identity")


def test_a_share_checks_the_whole_list_and_may_be_empty(tmp_path):
    for name in ("a.png", "b.png", "B.png"):
        shutil.copy(SAMPLES / "step_wedge.png", tmp_path / name)
    assert "would both write" in refused(2, "edge", tmp_path, "--shard", "1/3")
    (tmp_path / "B.png").unlink()
    done = imgconv("edge", tmp_path, "--shard", "3/3")
    assert done.code == 0 and not list(tmp_path.glob("*.edge.png"))


def test_files_that_differ_in_the_extension_alone_keep_it(tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    for name in ("IMG_1.JPG", "IMG_1.png", "img_2.jpg"):
        shutil.copy(PHOTO if name.lower().endswith("jpg") else SAMPLES / "camera.png", photos / name)
    for folder in ("out", "out"):  # the second run has the same names
        done = imgconv("edge", photos, "-o", tmp_path / folder)
        assert done.code == 0 and "IMG_1.JPG and" in done.err and "differ in the extension alone" in done.err
        assert sorted(contents(tmp_path / folder)) == ["IMG_1.JPG.edge.png", "IMG_1.png.edge.png", "img_2.edge.png"]
    for _ in range(2):  # results next to their inputs are not inputs of the next run
        assert imgconv("edge", photos, "-q").err == ""
        assert len(contents(photos)) == 6
    assert imgconv("edge", photos / "IMG_1.JPG", photos / "IMG_1.png", "-o", tmp_path / "two", "-q").code == 0
    assert len(contents(tmp_path / "two")) == 2


def test_images_without_an_extension_are_recognised_by_content(tmp_path):
    shutil.copy(PHOTO, tmp_path / "photo")
    (tmp_path / "README").write_text("BMW and P6 are no images")
    (tmp_path / "bits").write_bytes(b"BM" + bytes(60))
    (tmp_path / "empty").touch()
    assert imgconv("edge", tmp_path).code == 0
    assert sorted(contents(tmp_path)) == ["README", "bits", "empty", "photo", "photo.edge.png"]


def test_results_that_are_older_than_the_input_are_computed_again(tmp_path):
    photo, result = tmp_path / "photo.png", tmp_path / "photo.edge.png"
    shutil.copy(SAMPLES / "step_wedge.png", photo)
    assert imgconv("edge", photo).code == 0
    before = result.read_bytes()
    shutil.copy(SAMPLES / "camera.png", photo)
    os.utime(result, ns=(0, photo.stat().st_mtime_ns - 1))
    done = imgconv("edge", photo, "--skip-existing")
    assert done.code == 0 and "the input is newer" in done.err and result.read_bytes() != before
    assert "exists" not in imgconv("edge", photo, "--skip-existing", "-v").err.replace("skipped", "")
    after = result.stat()
    assert imgconv("edge", photo, "--skip-existing").code == 0 and result.stat().st_ino == after.st_ino


@pytest.mark.parametrize("ending", ["png", "jpg", "tiff", "webp", "npy", "npz", "bmp"])
def test_only_whole_outputs_are_passed_over(tmp_path, ending):
    shutil.copy(PHOTO, tmp_path / "photo.jpg")
    words = ("edge", tmp_path / "photo.jpg", "--format", ending, "--skip-existing")
    assert imgconv(*words).code == 0
    out = tmp_path / f"photo.edge.{ending}"
    whole, before = out.read_bytes(), out.stat().st_mtime_ns
    assert imgconv(*words).code == 0 and out.stat().st_mtime_ns == before
    for part in (len(whole) // 2, len(whole) - 3, 0):
        out.write_bytes(whole[:part])
        assert imgconv(*words).code == 0
        assert out.read_bytes() == whole


def test_an_output_of_another_recipe_is_not_replaced_and_is_reported(tmp_path):
    shutil.copy(PHOTO, tmp_path / "photo.jpg")
    assert imgconv("edge", tmp_path, "-k", "sobel").code == 0
    before = contents(tmp_path)
    done = imgconv("edge", tmp_path, "--skip-existing")
    assert done.code == 0 and "made by another recipe" in done.err
    assert "exists; leave out --no-clobber" in refused(1, "edge", tmp_path, "--no-clobber")
    assert contents(tmp_path) == before
    assert imgconv("edge", tmp_path).code == 0 and contents(tmp_path) != before


def test_a_second_run_does_not_take_the_outputs_of_the_first_for_inputs(samples):
    assert imgconv("edge", samples).code == 0
    once = contents(samples)
    assert imgconv("edge", samples).code == 0
    assert contents(samples) == once


def on_a_terminal(*words, cwd):
    """What `imgconv` writes to standard error when that is a terminal."""
    leader, follower = pty.openpty()
    env = environment(TERM="xterm", COLUMNS="120")
    with subprocess.Popen([*IMGCONV, *map(str, words)], cwd=cwd, env=env, stdout=subprocess.DEVNULL, stderr=follower) as process:
        os.close(follower)
        parts = []
        while True:
            try:
                parts.append(os.read(leader, 65536))
            except OSError:  # the other end is closed
                break
    os.close(leader)
    return process.returncode, b"".join(parts).decode()


def test_a_terminal_shows_a_bar_with_failures_rate_and_time_left(tmp_path):
    photos = many(tmp_path / "photos", 80)
    (photos / "004.jpg").unlink()
    (photos / "004.jpg").write_bytes(b"no image")
    code, text = on_a_terminal(
        "filter", photos, "-k", "gaussian:sigma=4", "-k", "unsharp5", "-o", tmp_path / "out", "-j", "1", cwd=tmp_path
    )
    assert code == 1
    assert re.search(r"\d+/80 1 failed \d+\.\d/s \d:\d\d:\d\d", re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", text)), text[-2000:]
    assert "158 files written, 1 failed" in text


def test_elsewhere_there_are_plain_lines_now_and_then(monkeypatch, capsys):
    monkeypatch.setattr(console, "PLAIN_PAUSE", 0.05)
    with console.Reporter(3, filter_recipe(["laplacian8"])) as reporter:
        for number in range(3):
            time.sleep(0.06)
            reporter.add(Outcome(f"{number}.jpg", error="damaged" if number == 0 else None))
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "imgconv: 0.jpg: damaged"
    assert re.fullmatch(r"1 of 3 images, 1 failed, \d+\.\d/s, \d+ s left", lines[1])
    assert re.fullmatch(r"3 of 3 images: 0 files written, 1 failed, 0\.\d s", lines[-1]) and len(lines) == 4


def test_a_large_image_gets_lines_with_the_time_left(monkeypatch, capsys):
    monkeypatch.setattr(console, "PLAIN_PAUSE", 0.01)
    with console.Reporter(1, filter_recipe(["laplacian8"])) as reporter:
        time.sleep(0.02)
        reporter.show_part(0.25)
    assert re.fullmatch(r"25% done, \d+ s left\n", capsys.readouterr().err)


def test_statistics_that_json_cannot_hold_are_null(tmp_path):
    np.save(tmp_path / "a.npy", np.array([[1, np.inf], [np.nan, 2]], np.float32))
    done = imgconv("filter", tmp_path / "a.npy", "-k", "identity", "-o", tmp_path / "b.npy", "--json")
    assert json.loads(done.out, parse_constant=pytest.fail)["maps"][0]["mean"] is None


def test_a_mistake_of_ours_fails_one_image_and_shows_where_on_demand(tmp_path):
    many(tmp_path / "photos", 3)
    script = (
        "import imgconv.batch.work as work\n"
        "def process(*words, **options):\n"
        "    raise ZeroDivisionError('oh')\n"
        "work.process = process\n"
        "from imgconv.cli.app import main\n"
        "main()"
    )
    command = [IMGCONV[0], "-c", script, "edge", "photos"]
    done = subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1 and "Traceback" not in done.stderr and done.stderr.count("internal error, ZeroDivisionError: oh") == 3
    shown = subprocess.run(
        command, cwd=tmp_path, env=environment(IMGCONV_TRACEBACK="1"), capture_output=True, text=True, timeout=30, check=False
    )
    assert shown.returncode == 1 and "in process" in shown.stderr
