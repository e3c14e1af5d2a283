"""Runs that are too long for every day: `python -m pytest -s tests/load/loads.py`, part of `.ci/run full`. Prints its figures."""

import subprocess
import sys
import time

import numpy as np
import pytest
from command import SAMPLES
from PIL import Image
from processes import IMGCONV, environment, many, names

MEASURED = """
import resource, subprocess, sys
subprocess.check_call(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)
"""


def measured(*words):
    """Seconds that `imgconv` with these words took, and the most memory in MB that it held."""
    started = time.perf_counter()
    command = [sys.executable, "-c", MEASURED, *IMGCONV, *map(str, words), "-q"]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return time.perf_counter() - started, int(done.stdout)


def show(capsys, text):
    with capsys.disabled():
        sys.stdout.write(f"\n{text}\n")


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """Three photographs of 12 megapixels, tiled from the sample photographs."""
    folder = tmp_path_factory.mktemp("large")
    for number, name in enumerate(("coffee.jpg", "chelsea.jpg", "astronaut.jpg")):
        with Image.open(SAMPLES / name) as image:
            tile = np.asarray(image.convert("RGB"))
        tiled = np.tile(tile, (-(-3000 // tile.shape[0]), -(-4000 // tile.shape[1]), 1))[:3000, :4000]
        Image.fromarray(tiled).save(folder / f"{number}.jpg", quality=90)
    return folder


def linked(folder, large, count):
    folder.mkdir()
    sources = sorted(large.iterdir())
    for number in range(count):
        (folder / f"{number:03}.jpg").hardlink_to(sources[number % len(sources)])
    return folder


def test_ten_thousand_small_files(tmp_path, capsys):
    photos, out = many(tmp_path / "photos", 10_000, SAMPLES / "rotated_exif6.jpg"), tmp_path / "out"
    few_photos = many(tmp_path / "few", 200, SAMPLES / "rotated_exif6.jpg")
    measured("edge", few_photos, "-o", tmp_path / "first_out")  # the compiler takes another 100 MB
    _, few = measured("edge", few_photos, "-o", tmp_path / "few_out")
    seconds, most = measured("edge", photos, "-o", out)
    again, _ = measured("edge", photos, "-o", out, "--skip-existing")
    show(capsys, f"10,000 small files: {seconds:.1f} s, {most} MB (200 of them: {few} MB); passing over them all: {again:.1f} s")
    assert len(names(out)) == 10_000 and all(name.endswith(".edge.png") for name in names(out))
    assert most < few + 40  # the names, and what checking them takes


def test_five_hundred_of_twelve_megapixels(tmp_path, large, capsys):
    photos, out = linked(tmp_path / "photos", large, 500), tmp_path / "out"
    seconds, most = measured("edge", photos, "-o", out, "-j", "2")
    _, few = measured("edge", linked(tmp_path / "few", large, 6), "-o", tmp_path / "few_out", "-j", "2")
    show(capsys, f"500 of 12 megapixels: {seconds:.1f} s, {most} MB (6 of them: {few} MB)")
    assert len(names(out)) == 500 and most < few * 1.3
    assert (out / "000.edge.png").read_bytes() == (out / "498.edge.png").read_bytes()


def test_many_workers_on_few_cores(tmp_path, large, capsys):
    photos = linked(tmp_path / "photos", large, 64)
    two, few = measured("edge", photos, "-o", tmp_path / "two", "-j", "2")
    many_, most = measured("edge", photos, "-o", tmp_path / "many", "-j", "32")
    show(capsys, f"64 of 12 megapixels: -j 2 {two:.1f} s, {few} MB; -j 32 {many_:.1f} s, {most} MB")
    for name in names(tmp_path / "two"):
        assert (tmp_path / "two" / name).read_bytes() == (tmp_path / "many" / name).read_bytes()


@pytest.mark.parametrize("more", [(), ("--skip-existing",)])
def test_eight_processes_on_one_output_folder(tmp_path, capsys, more):
    photos, out = many(tmp_path / "photos", 150), tmp_path / "out"
    measured("edge", photos, "-o", tmp_path / "alone")
    started = time.perf_counter()
    command = [*IMGCONV, "edge", photos, "-o", out, "-q", *more]
    processes = [subprocess.Popen(command, env=environment(), stderr=subprocess.PIPE) for _ in range(8)]
    for process in processes:
        _, err = process.communicate(timeout=300)
        assert (process.returncode, err) == (0, b"")
    show(capsys, f"8 processes on one folder of 150{' with ' + more[0] if more else ''}: {time.perf_counter() - started:.1f} s")
    assert names(out) == names(tmp_path / "alone")
    for name in names(out):
        assert (out / name).read_bytes() == (tmp_path / "alone" / name).read_bytes()
