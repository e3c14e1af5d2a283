"""Runs with Zarr inputs and outputs: by bands as of the whole image, names, protection of inputs, and outputs that are replaced whole."""

import json
import random
import shlex
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import zarr
from command import imgconv, refused
from PIL import Image
from processes import IMGCONV, environment, started
from zarr_files import COLOURS, levels, write, write_ome

from imgconv.images import Request, open_frames

pytestmark = pytest.mark.sweep(3)

INPUTS = {
    "grey": (lambda path: write(path, levels(1)[..., 0], (50, 37), 3), "edge -k sobel --range minmax"),
    "colour": (
        lambda path: write(path, levels(3), (64, 223, 2), 2),
        "filter -k gaussian:sigma=2 --padding-mode circular --pyramid --tile 32",
    ),
    "alpha": (lambda path: write(path, levels(4, "uint16"), (301, 20, 4), 3), "filter -k box --stride 2x3 --compression deflate"),
    "floats": (lambda path: write(path, levels(1, "float32")[..., 0], (7, 200), 2), "pool --size 3x2 --tile 40x17 --zarr-format 2"),
    "raw": (lambda path: write(path, levels(3), (33, 44, 3), 3), "filter -k sobel_x -k sobel_y --range raw --compression none"),
    "maps": (lambda path: write(path, np.moveaxis(levels(5, "float64"), 2, 0), (1, 30, 30), 3), "pool --size 2 --pyramid --tile 64"),
    "nodata": (
        lambda path: write(path, levels(1)[..., 0], (40, 40), 3, attributes={"_FillValue": 77}),
        "filter -k gaussian:sigma=2 --missing keep",
    ),
    "recipe": (
        lambda path: write(path, levels(1)[..., 0], (40, 40), 3),
        "run -s 'conv laplacian8 padding=1' -s relu -s 'max_pool 2' --range clip",
    ),
    "stack": (
        lambda path: write_ome(path, np.stack([levels(1)[..., 0], 255 - levels(1)[..., 0]])[None], "tzyx", (1, 1, 64, 64)),
        "filter -k box -k emboss --pyramid --tile 50",
    ),
    "ome": (lambda path: write_ome(path, np.moveaxis(levels(3), 2, 0), "cyx", (1, 50, 60), 2, colours=COLOURS), "filter -k box --level 1"),
}


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
    path = tmp_path_factory.mktemp("zarr") / "photo.zarr"
    write(path, levels(3), (50, 60, 3))
    return path


@pytest.mark.parametrize("name", INPUTS)
def test_bands_give_the_arrays_of_the_whole_image(tmp_path, name):
    make, command = INPUTS[name]
    make(tmp_path / "in.zarr")
    choice, lines = random.Random(name), []
    for folder, options in (("whole", []), ("banded", ["--memory", choice.choice(["1M", "1.7M", "3M"]), "-j", choice.choice([1, 2, 3])])):
        done = imgconv(*shlex.split(command), tmp_path / "in.zarr", "-o", tmp_path / folder / "out.zarr", "--json", *options)
        assert done.code == 0 and "as a whole" not in done.err, done.err
        lines.append(json.loads(done.out))
    assert contents(tmp_path / "whole") == contents(tmp_path / "banded")
    assert lines[0]["shapes"] == lines[1]["shapes"] and lines[0]["missing"] == lines[1]["missing"]
    assert (lines[0]["missing"]["before"] > 0) == (name == "nodata")


def test_an_array_and_a_file_give_the_same(tmp_path):
    np.save(tmp_path / "in.npy", levels(3))
    write(tmp_path / "in.zarr", levels(3), (47, 31, 3))
    for name in ("in.npy", "in.zarr"):
        for memory in ("1M", "1G"):
            words = ["filter", tmp_path / name, "-k", "box", "--stride", "2", "--memory", memory]
            assert imgconv(*words, "-o", tmp_path / f"{name}{memory}.zarr", "--tile", "37").code == 0
    results = [contents(tmp_path / f"{name}{memory}.zarr") for name in ("in.npy", "in.zarr") for memory in ("1M", "1G")]
    assert all(result == results[0] for result in results)


def test_a_region_reads_no_chunk_that_it_does_not_need(photo, tmp_path):
    write(tmp_path / "a.zarr", levels(3), (50, 60, 3))
    (tmp_path / "a.zarr/c/3/1/0").write_bytes(b"damaged")
    for memory in ("1M", "1G"):
        words = ["filter", "-k", "box", "--region", "0,0,59x301", "--memory", memory]
        for source, output in ((tmp_path / "a.zarr", "a.png"), (photo, "b.png")):
            assert imgconv(*words, source, "-o", tmp_path / output).code == 0
        assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    (tmp_path / "old.zarr").mkdir()
    message = refused(1, "edge", tmp_path / "a.zarr", "-o", tmp_path / "old.zarr", "--memory", "1M")
    assert "chunk in row 4, column 2 (c/3/1/0)" in message and not list((tmp_path / "old.zarr").iterdir())
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_a_zarr_in_a_folder_is_one_image(tmp_path):
    write_ome(tmp_path / "photos/deep/a.zarr", np.moveaxis(levels(3, size=(30, 40)), 2, 0), "cyx", (1, 9, 9), colours=COLOURS)
    write(tmp_path / "photos/b.zarr", levels(1, size=(30, 40))[..., 0], (9, 9), 2)
    (tmp_path / "photos/b.zarr/0.0.png").write_bytes(b"not an image of its own")
    Image.fromarray(levels(3, size=(30, 40))).save(tmp_path / "photos/c.png")
    done = imgconv("pool", "photos", "-o", "out", "--format", "zarr", "--json", cwd=tmp_path)
    lines = [json.loads(line) for line in done.out.splitlines()]
    assert [line["source"] for line in lines] == ["photos/b.zarr", "photos/c.png", "photos/deep/a.zarr"]
    assert [line["outputs"] for line in lines] == [["out/b.pool.zarr"], ["out/c.pool.zarr"], ["out/deep/a.pool.zarr"]]
    done = imgconv("pool", "photos", "-o", "photos", "--format", "zarr", cwd=tmp_path)
    again = imgconv("pool", "photos", "-o", "photos", "--format", "zarr", "--skip-existing", cwd=tmp_path)
    assert done.code == again.code == 0 and "0 files written, 3 skipped" in again.err
    dry_run = imgconv("edge", "photos/deep/a.zarr/1", "photos/*.zarr", "--dry-run", "--json", cwd=tmp_path)
    assert json.loads(dry_run.out.splitlines()[0])["outputs"] == ["photos/deep/a-1.edge.png"]
    (tmp_path / "work.zarr/photos").mkdir(parents=True)  # only the name is that of a Zarr
    for source in ("photos/c.png", "photos/b.zarr"):
        (tmp_path / source).rename(tmp_path / "work.zarr" / source)
    dry_run = imgconv("edge", "work.zarr/photos/c.png", "work.zarr/photos/b.zarr", "--dry-run", "--json", cwd=tmp_path)
    outputs = [json.loads(line)["outputs"] for line in dry_run.out.splitlines()]
    assert outputs == [["work.zarr/photos/c.edge.png"], ["work.zarr/photos/b.edge.png"]]
    piped = imgconv("edge", "-", "-o", "piped.zarr", stdin=(tmp_path / "work.zarr/photos/c.png").read_bytes(), cwd=tmp_path)
    assert piped.code == 0 and (tmp_path / "piped.zarr/zarr.json").exists()


def test_a_zarr_that_declares_sizes_or_missing_cells_stays_one(tmp_path):
    write(tmp_path / "plain.zarr", levels(1)[..., 0], (64, 64))
    write(tmp_path / "holes.zarr", levels(1)[..., 0], (64, 64), attributes={"_FillValue": 77})
    write_ome(tmp_path / "sizes.zarr", levels(1)[..., 0][None], "zyx", (1, 64, 64))
    assert imgconv("pool", "plain.zarr", "holes.zarr", "sizes.zarr", "-o", "out/", cwd=tmp_path).code == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["holes.pool.zarr", "plain.pool.png", "sizes.pool.zarr"]


@pytest.mark.parametrize(
    "words, message",
    [
        ("edge a.zarr -o a.zarr", "is the input a.zarr"),
        ("edge a.zarr -o link.zarr", "is the input a.zarr"),
        ("edge a.zarr -o a.zarr/edge.png", "is inside the input a.zarr"),
        ("edge a.zarr/0 -o a.zarr/0/edge.zarr", "is inside the input a.zarr/0"),
        ("edge a.zarr/0 -o a.zarr", "holds the input a.zarr/0"),
        ("edge holder.zarr/photo.png -o holder.zarr", "holds the input holder.zarr/photo.png"),
        ("edge photo.png -o files.zarr", "other files than a Zarr"),
        ("edge a.zarr -o - --format zarr", "standard output cannot hold"),
        ("edge photo.png -o out.png --zarr-format 2", "no effect on png"),
        ("edge photo.png -o out.zarr --tile 5000", "4096"),
        ("edge photo.png a.zarr -o out.zarr", "several results"),
    ],
)
def test_outputs_that_would_harm_something_are_refused(tmp_path, words, message):
    write_ome(tmp_path / "a.zarr", levels(1, size=(30, 40))[..., 0], "yx", (9, 9))
    (tmp_path / "link.zarr").symlink_to("a.zarr")
    for folder in ("holder.zarr", "files.zarr", "."):
        (tmp_path / folder).mkdir(exist_ok=True)
        Image.fromarray(levels(3, size=(30, 40))).save(tmp_path / folder / "photo.png")
    (tmp_path / "holder.zarr/zarr.json").write_text('{"zarr_format": 3, "node_type": "group"}')
    before = contents(tmp_path)
    done = imgconv(*words.split(), cwd=tmp_path)
    assert done.code in (1, 2) and message in done.err and done.err.count("\n") == 1, done.err
    assert contents(tmp_path) == before


def test_an_output_is_replaced_whole_or_not_at_all(photo, tmp_path):
    output = tmp_path / "out.zarr"
    assert imgconv("edge", photo, "-o", output, "--tile", "20").code == 0
    output.chmod(0o750)
    first = contents(output)
    assert "exists" in refused(1, "edge", photo, "-o", output, "--no-clobber")
    assert imgconv("pool", photo, "-o", output, "--dry-run").code == 0 and contents(output) == first
    skipped = json.loads(imgconv("pool", photo, "-o", output, "--skip-existing", "--json").out)
    assert skipped["skipped"] == "exists" and contents(output) == first
    done = imgconv("pool", photo, "-o", output, "--strip", "--json")
    assert json.loads(done.out)["outputs"] == [str(output)] and output.stat().st_mode & 0o777 == 0o750
    assert set(contents(output)) == {"zarr.json", "c/0/0/0"}
    assert not zarr.open_array(output, mode="r").attrs
    (tmp_path / "file.zarr").write_bytes(b"a file")
    assert imgconv("pool", photo, "-o", tmp_path / "file.zarr").code == 0 and (tmp_path / "file.zarr").is_dir()
    time.sleep(0.01)
    write(photo.parent / "newer.zarr", levels(1)[..., 0], (90, 90))
    imgconv("pool", photo.parent / "newer.zarr", "-o", output)
    zarr.open_array(photo.parent / "newer.zarr", mode="r+")[0, 0] = 1
    again = json.loads(imgconv("pool", photo.parent / "newer.zarr", "-o", output, "--skip-existing", "--json").out)
    assert again["skipped"] is None and again["outputs"] == [str(output)]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file.zarr", "out.zarr"]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_run_that_is_stopped_leaves_the_old_output(tmp_path, number):
    zarr.create_array(tmp_path / "in.zarr", shape=(9000, 3000), dtype="u1", chunks=(300, 3000), fill_value=7)
    write(tmp_path / "out.zarr", levels(1)[..., 0], (50, 50))
    before = contents(tmp_path)
    words = ("filter", tmp_path / "in.zarr", "-k", "gaussian:sigma=30", "-o", tmp_path / "out.zarr", "-q", "-j", "1", "--memory", "20M")
    with started(*words) as process:
        deadline = time.monotonic() + 60
        while not list(tmp_path.glob(".*.imgconv-part/c")) and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(number)
        process.wait(30)
    assert {name: data for name, data in contents(tmp_path).items() if not name.startswith(".")} == before
    assert imgconv("pool", tmp_path / "out.zarr", "-o", tmp_path / "next.zarr").code == 0  # removes what the killed run left
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.zarr", "next.zarr", "out.zarr"]


def test_a_full_disk_leaves_the_old_output(tmp_path):
    resource = pytest.importorskip("resource")
    noise = np.random.default_rng(0).integers(0, 255, (600, 600), dtype=np.uint8)
    write(tmp_path / "in.zarr", noise, (200, 200))
    write(tmp_path / "out.zarr", levels(1)[..., 0], (50, 50))
    before = contents(tmp_path)
    words = [*IMGCONV, "edge", tmp_path / "in.zarr", "-o", tmp_path / "out.zarr", "--memory", "1M"]
    little = {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))}
    done = subprocess.run(words, env=environment(), capture_output=True, text=True, timeout=60, check=False, **little)
    assert done.returncode == 1 and done.stderr.count("\n") == 1 and "too large" in done.stderr, done.stderr
    assert contents(tmp_path) == before


FAILING_STORE = """
import asyncio, errno, time
from zarr.storage import LocalStore
usual = LocalStore.set
def write_slowly(path, data):
    time.sleep(0.2)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
async def fail_first(self, key, value):
    if key == "c/0/0":
        raise OSError(errno.EIO, "input/output error")
    if key.startswith("c"):
        return await asyncio.to_thread(write_slowly, self.root / key, value.to_bytes())
    await usual(self, key, value)
LocalStore.set = fail_first
from imgconv.cli.app import program
program()
"""


def test_chunks_that_are_still_written_after_an_error_leave_nothing(tmp_path):
    write(tmp_path / "in.zarr", levels(1)[..., 0], (50, 50))
    command = [sys.executable, "-c", FAILING_STORE, "edge", "in.zarr", "-o", "out.zarr", "--tile", "50"]
    done = subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1) and "input/output error" in done.stderr, done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["in.zarr"]


def test_levels_are_averages(photo, tmp_path):
    imgconv("filter", photo, "-k", "identity", "-o", tmp_path / "a.zarr", "--pyramid", "--tile", "64", "--memory", "1M")
    imgconv("pool", photo, "--mode", "avg", "-o", tmp_path / "half.png")
    with open_frames(tmp_path / "a.zarr", Request(level=1)) as level, open_frames(tmp_path / "half.png") as expected:
        np.testing.assert_array_equal(next(iter(level)).pixels, next(iter(expected)).pixels)
    assert "3 reduced copies" in refused(1, "edge", tmp_path / "a.zarr", "--level", "4", "-o", tmp_path / "x.png")
    assert "no reduced copies" in refused(1, "edge", photo, "--level", "1", "-o", tmp_path / "x.png")
