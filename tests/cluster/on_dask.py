"""Runs on a real Dask cluster whose workers die. Run by name, with imgconv[dask]: `python -m pytest tests/cluster/on_dask.py`."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
from command import SAMPLES, imgconv, refused
from PIL import Image
from processes import IMGCONV, environment, finished, names, started, wait_for, without_progress
from services import answers, children, copies, files_below, free_port, images_in, running, scheduler, worker

PHOTOGRAPHS = [SAMPLES / name for name in ("coffee.jpg", "chelsea.jpg", "astronaut.jpg", "camera.png")]
COUNT = 80
FILTER = ("filter", "photos", "-k", "gaussian:sigma=3", "-k", "sobel")
DEADLY = """
import os
import imgconv
import imgconv.batch.tasks as tasks

if not hasattr(tasks, "harmless"):
    tasks.harmless = tasks.process_source
imgconv.__version__ = os.environ.get("VERSION", imgconv.__version__)

def process_source(source, job):
    if source.path.name == os.environ.get("DEADLY"):
        os.kill(os.getpid(), 9)
    return tasks.harmless(source, job)

tasks.process_source = process_source
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with photographs, one of them damaged, and what one machine makes of them."""
    home = tmp_path_factory.mktemp("cluster")
    copies(home / "photos", COUNT, *PHOTOGRAPHS)
    (home / "photos" / "damaged.jpg").write_bytes(PHOTOGRAPHS[0].read_bytes()[:5000])
    (home / "deadly.py").write_text(DEADLY)
    done = imgconv(*FILTER, "-o", "alone", "--json", cwd=home)
    assert done.code == 1 and len(names(home / "alone")) > COUNT
    (home / "alone.json").write_bytes(done.out)
    return home


@pytest.fixture(scope="module")
def address(home):
    """A scheduler with two workers that nobody looks after, one for each test to kill: others take its place."""
    with scheduler(home) as (address, _):
        yield address


@pytest.fixture
def workers(home, address):
    with worker(home, address, "--no-nanny") as first, worker(home, address, "--no-nanny") as second:
        yield first, second


def json_lines(lines, folder):
    """JSON lines without seconds, outputs as if they were in `folder`."""
    parsed = [json.loads(line) for line in lines.splitlines()]
    return [{**each, "seconds": None, "outputs": [re.sub("^[a-z]+/", folder, name) for name in each["outputs"]]} for each in parsed]


def test_a_worker_that_is_killed_costs_no_image(home, address, workers):
    with started(*FILTER, "-o", "killed", "--dask", address, "--json", cwd=home) as process:
        wait_for(lambda: images_in(home / "killed") > 20)
        workers[0].kill()
        assert workers[0].wait() == -signal.SIGKILL and images_in(home / "killed") < COUNT
        code, out, err = finished(process)
    assert code == 1 and len(without_progress(err)) == 2, err
    assert "imgconv: photos/damaged.jpg: damaged jpeg" in err and f"{COUNT + 1} of {COUNT + 1} images: {2 * COUNT} files written" in err
    assert files_below(home / "killed") == files_below(home / "alone")
    assert json_lines(out, "") == json_lines((home / "alone.json").read_bytes(), "")


def test_a_second_attempt_replaces_the_output_of_the_first(home, address, workers):
    with started(*FILTER, "-o", "kept", "--dask", address, "--no-clobber", cwd=home) as process:
        wait_for(lambda: images_in(home / "kept") > 20)
        workers[1].kill()
        code, _, err = finished(process)
    assert code == 1 and "exists" not in err and len(without_progress(err)) == 2, err
    assert files_below(home / "kept") == files_below(home / "alone")
    again = imgconv(*FILTER, "-o", "kept", "--dask", address, "--skip-existing", cwd=home)
    assert again.code == 1 and f"0 files written, {COUNT} skipped, 1 failed" in again.err
    refusing = imgconv(*FILTER, "-o", "kept", "--dask", address, "--no-clobber", cwd=home)
    assert refusing.err.count("exists; leave out --no-clobber") == COUNT
    assert files_below(home / "kept") == files_below(home / "alone")


@pytest.mark.parametrize(
    "words",
    [
        ("edge", "photos", "-k", "sobel", "--shard", "2/9"),
        ("pool", "photos/deep", "--size", "3x5", "--json"),
        ("canny", "photos/deep", "photos/missing.jpg", "--dry-run"),
        ("run", "photos/deep", "-s", "conv laplacian8 padding=1", "-s", "max_pool 2", "-v"),
        ("edge", "photos/001.jpg"),
    ],
)
def test_every_command_prints_and_writes_the_same_as_without_dask(home, address, workers, words):
    alone = imgconv(*words, "-o", "one/", cwd=home)
    there = imgconv(*words, "-o", "two/", "--dask", address, cwd=home)
    assert there.code == alone.code
    assert json_lines(there.out, "") == json_lines(alone.out, "")
    assert re.sub(r"\d+\.\d+ s|two/", "", there.err) == re.sub(r"\d+\.\d+ s|one/", "", alone.err)
    assert files_below(home / "two") == files_below(home / "one")


@pytest.fixture(scope="module")
def measurements(home):
    """A terrain model and an image with a declared value in missing cells, an image without one, and a large and a small mask."""
    folder, rng = home / "measurements", np.random.default_rng(6)
    folder.mkdir()
    (folder / "large").mkdir()
    for size, to in (((90, 120), folder), ((2100, 2050), folder / "large")):
        mask = np.full(size, 255, np.uint8)
        mask[size[0] // 2 :, 20:40] = 0
        Image.fromarray(mask).save(home / f"mask{size[0]}.png", compress_level=1)
        heights = rng.integers(0, 300, size).astype(np.float32)
        heights[rng.random(size) < 0.05] = -9999
        options = {"tile": (128, 128), "compression": "zlib"}
        tifffile.imwrite(to / "heights.tif", heights, extratags=[(42113, "s", 0, "-9999", True)], **options)
        tifffile.imwrite(to / "grey.tif", rng.integers(0, 200, size, np.uint8), **options)
    return folder


@pytest.mark.parametrize(
    "command",
    [
        "filter measurements --no-recursive -k gaussian:sigma=2 --mask mask90.png --min-valid 0.3",
        "pool measurements --no-recursive --mode median --nodata 7 --missing propagate",
        "run measurements --no-recursive -s 'conv box:size=3 padding=1' -s 'max_pool 2' --mask mask90.png",
        "filter measurements/large -k gaussian:sigma=2 --mask mask2100.png --memory 16M",
        "filter measurements/large/heights.tif -k box --mask mask2100.png --memory 16M --format zarr",
        "filter measurements/large/grey.tif -k box --mask mask2100.png --memory 16M --format zarr --pyramid",
    ],
)
def test_missing_cells_are_those_of_one_machine(home, address, workers, measurements, command):
    words = shlex.split(command)
    alone = imgconv(*words, "-o", "here/", "--json", cwd=home)
    there = imgconv(*words, "-o", "away/", "--json", "--dask", address, cwd=home)
    assert (there.code, alone.code) == (0, 0), there.err + alone.err
    one, other = ([{**each, "maps": None} for each in json_lines(done.out, "")] for done in (alone, there))  # parts add up in another order
    assert one == other and one[0]["missing"]["before"] > 0
    assert files_below(home / "away") == files_below(home / "here")
    for folder in ("here", "away"):
        shutil.rmtree(home / folder)


def test_after_an_error_no_image_begins_and_those_in_progress_have_outcomes(home, address, workers):
    (home / "photos" / "001b.jpg").write_bytes(b"")
    done = imgconv("edge", "photos", "-o", "stopped", "--dask", address, "--on-error", "stop", "--json", cwd=home)
    (home / "photos" / "001b.jpg").unlink()
    outcomes = json_lines(done.out, "")
    assert done.code == 1 and [each["source"] for each in outcomes if each["error"]] == ["photos/001b.jpg"]
    assert sorted(name for each in outcomes for name in each["outputs"]) == sorted(files_below(home / "stopped"))
    assert len(outcomes) < COUNT / 2


def test_an_image_that_kills_its_workers_fails_alone(home):
    more = {"DEADLY": "008.jpg", "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1"}
    options = ("--preload", home / "deadly.py")
    with scheduler(home, **more) as (address, _), worker(home, address, *options, **more), worker(home, address, *options, **more):
        done = imgconv("edge", "photos", "-o", "deadly", "--dask", address, cwd=home)
    failures = [line for line in done.err.splitlines() if line.startswith("imgconv: ")]
    assert done.code == 1 and len(failures) == 2
    assert failures[0].startswith("imgconv: photos/008.jpg: every worker that processed it died")
    assert len(files_below(home / "deadly")) == COUNT - 1


def test_clusters_that_cannot_take_images_say_so_in_one_line(home):
    patience = "import imgconv.batch.cluster as cluster; cluster.WORKER_TIMEOUT = cluster.CONNECT_TIMEOUT = 1.0"
    command = [sys.executable, "-c", f"{patience}; from imgconv.cli.app import main; main()", "edge", "photos", "-o", "never", "--dask"]

    def message_of(address):
        done = subprocess.run([*command, address], cwd=home, env=environment(), capture_output=True, text=True, timeout=30, check=False)
        assert done.returncode == 1 and done.stderr.startswith("imgconv: ") and done.stderr.count("\n") == 1, done.stderr
        return done.stderr

    assert "no Dask scheduler responds at tcp://127.0.0.1:9: " in message_of("tcp://127.0.0.1:9")
    port = free_port()
    with running("python", "-m", "http.server", "--bind", "127.0.0.1", str(port), log=home / "http.log"):
        wait_for(lambda: answers(port))
        assert "no Dask scheduler responds" in message_of(f"tcp://127.0.0.1:{port}")
    with scheduler(home) as (address, _):
        assert f"no worker for 1 s; start some with: dask worker {address}" in message_of(address)
        with worker(home, address, "--no-nanny", "--preload", home / "deadly.py", VERSION="0.0.1"):
            assert "a worker has imgconv 0.0.1" in message_of(address)
    assert not (home / "never").exists()


def test_a_scheduler_that_goes_away_ends_the_run(home):
    words = (*FILTER, "-o", "lost", "--dask")
    with scheduler(home) as (address, lost), worker(home, address, "--no-nanny"), started(*words, address, cwd=home) as process:
        wait_for(lambda: images_in(home / "lost") > 5)
        lost.kill()
        code, _, err = finished(process, seconds=40)
    assert code == 1 and err.splitlines()[-1].startswith("imgconv: lost the scheduler; run the same command with --skip-existing")


def test_processes_of_its_own(home):
    with started(*FILTER, "-o", "own", "--dask", "local", "-j", "2", cwd=home) as process:
        wait_for(lambda: images_in(home / "own") > 20)
        os.kill(max(children(process.pid)), signal.SIGKILL)
        code, _, err = finished(process)
    assert code == 1 and len(without_progress(err)) == 2, err
    assert files_below(home / "own") == files_below(home / "alone")


@pytest.mark.parametrize("dask", ["address", "local", "local at once"])
def test_an_interrupt_leaves_whole_outputs_and_no_process(home, address, workers, dask):
    output = home / f"interrupted {dask}"
    words = [*FILTER, "-o", output, "--dask", address if dask == "address" else "local"]
    with started(*words, cwd=home, start_new_session=True) as process:
        wait_for(lambda: children(process.pid) if dask.endswith("once") else images_in(output) > 8)
        group = children(process.pid)
        os.killpg(process.pid, signal.SIGINT)
        code, _, err = finished(process)
    assert code == 130 and err.splitlines()[-1] == "imgconv: interrupted; run the same command with --skip-existing to continue"
    assert len(without_progress(err)) <= 2, err
    wait_for(lambda: not any(Path(f"/proc/{child}/exe").exists() for child in group))
    if dask != "address":  # elsewhere, an image that has begun is finished
        alone = files_below(home / "alone")
        assert all(alone[name] == content for name, content in files_below(output).items())


def test_ten_times_the_images_take_no_more_memory(home, address, workers):
    measured = (
        "import resource, subprocess, sys; subprocess.check_call(sys.argv[1:]);"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)"
    )

    def most(count):
        folder = home / f"{count}"
        folder.mkdir()
        for number in range(count):
            (folder / f"{number}.jpg").hardlink_to(home / "photos" / "001.jpg")
        words = [sys.executable, "-c", measured, *IMGCONV, "pool", str(folder), "--dry-run", "-q", "--dask", address]
        return int(subprocess.run(words, env=environment(), capture_output=True, check=True).stdout)

    assert most(1500) < most(150) + 25


@pytest.mark.parametrize("words", [("edge", "-", "-o", "x/"), ("edge", "photos/001.jpg", "-o", "-")])
def test_streams_stay_here(home, words):
    assert "--dask reads and writes files" in refused(2, *words, "--dask", "local", cwd=home)


def test_weights_that_a_link_leads_to_are_not_written_to(tmp_path):
    np.save(tmp_path / "weights.npy", np.eye(3))
    before = (tmp_path / "weights.npy").read_bytes()
    (tmp_path / "link.png").symlink_to("weights.npy")
    words = ["filter", PHOTOGRAPHS[0], "-k", "@weights.npy", "-o", "link.png", "--dask", "local"]
    assert "is the input" in refused(2, *words, cwd=tmp_path)
    assert (tmp_path / "weights.npy").read_bytes() == before
