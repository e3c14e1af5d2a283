"""Commands that are killed or interrupted at every moment, and many at once on an empty cache; part of `.ci/run full`."""

import shutil
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from command import SAMPLES
from processes import IMGCONV, environment, finished, names, started, wait_for

OLD = b"an output of another day"
PHOTO = "photo.jpg"
COMMANDS = {  # the words, of which the last one is the output
    "png": ["edge", "-q", PHOTO, "-o", "result.png"],
    "jpeg": ["filter", "-q", PHOTO, "-k", "gaussian:sigma=2", "-o", "result.jpg"],
    "tiff": ["pool", "-q", PHOTO, "--size", "3", "-o", "result.tiff"],
    "bands": ["filter", "-q", "large.npy", "-k", "sharpen4", "--memory", "16M", "-o", "result.tif"],
    "zarr": ["filter", "-q", PHOTO, "-k", "sobel", "-o", "result.zarr"],
    "avif": ["canny", "-q", PHOTO, "-o", "result.avif"],
    "maps": ["filter", "-q", PHOTO, "-k", "sobel_x", "-k", "sobel_y", "-o", "result.npz"],
    "network": ["run", "-q", PHOTO, "-s", "conv laplacian8", "-s", "max_pool 2", "-o", "result.npy"],
    "page": ["explain", PHOTO, "--at", "20,20", "--html", "result.html"],
    "animation": ["explain", PHOTO, "--at", "20,20", "--animate", "result.gif"],
}
KILLS, SIGNALS = 20, 25  # of each command, spread over the time that it takes
INTERRUPTS = signal.SIGINT, signal.SIGTERM, signal.SIGHUP


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with the inputs, which is the working folder."""
    shutil.copy(SAMPLES / "coffee.jpg", tmp_path / PHOTO)
    np.save(tmp_path / "large.npy", np.arange(1 << 23).astype(np.uint8).reshape(2048, 4096))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def contents(path):
    """The bytes of a file, or of all files in a folder."""
    if path.is_file():
        return path.read_bytes()
    return {str(each.relative_to(path)): each.read_bytes() for each in path.rglob("*") if each.is_file()}


def remove(path):
    """Remove a file, or a folder with its files."""
    shutil.rmtree(path) if path.is_dir() else path.unlink()


def is_handled(process):
    """Whether a process handles SIGTERM, by Linux's list of its signals."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt"))
    return int(caught.split()[1], 16) >> (signal.SIGTERM - 1) & 1


def whole_run(words):
    """The seconds that a command takes, and its output, which then is there no more."""
    output = Path(words[-1])
    for _ in range(2):  # the first one may compile
        began = time.perf_counter()
        with started(*words) as process:
            assert finished(process, 120)[0] == 0
        seconds = time.perf_counter() - began
    result = contents(output)
    remove(output)
    return seconds, result


@pytest.mark.parametrize("name", COMMANDS)
def test_a_killed_command_leaves_the_old_output_or_the_new_one(folder, name):
    words = COMMANDS[name]
    output, before = folder / words[-1], {path: path.read_bytes() for path in folder.iterdir()}
    seconds, result = whole_run(words)
    for number in range(KILLS):
        if name != "zarr":
            output.write_bytes(OLD)
        with started(*words) as process:
            time.sleep(1.1 * seconds * number / KILLS)
            process.kill()
            process.wait(20)
        assert all(path.read_bytes() == data for path, data in before.items())
        if output.exists():
            assert contents(output) in (OLD, result)
            remove(output)
        assert all(each.startswith(".") or folder / each in before for each in names(folder))
    with started(*words) as process:
        assert finished(process, 120)[0] == 0
    assert contents(output) == result and names(folder) == sorted({*(path.name for path in before), output.name})


@pytest.mark.parametrize("name", list(COMMANDS)[:9])
def test_an_interrupted_command_ends_at_once_with_all_of_its_output_or_nothing(folder, name):
    words = COMMANDS[name]
    output, before = folder / words[-1], names(folder)
    seconds, result = whole_run(words)
    for number in range(SIGNALS):
        interrupt = INTERRUPTS[number % len(INTERRUPTS)]
        with started(*words) as process:
            wait_for(lambda process=process: is_handled(process))
            time.sleep(seconds * number / SIGNALS)
            process.send_signal(interrupt)
            code, _, text = finished(process)
        assert code in (0, 130) and text.count("\n") <= 1, (interrupt, code, text)
        assert output.exists() or code == 130
        if output.exists():  # code 130 with an output is a signal that came after the work
            assert contents(output) == result
            remove(output)
        assert names(folder) == before, interrupt


def test_twenty_processes_on_an_empty_cache(folder):
    count = 20
    command = [*IMGCONV, "filter", PHOTO, "-k", "unsharp5", "-q", "-o"]
    around = environment(IMGCONV_CACHE=str(folder / "cache"))
    processes = [subprocess.Popen([*command, f"{number}.png"], env=around, stderr=subprocess.PIPE) for number in range(count)]
    for process in processes:
        _, err = process.communicate(timeout=300)
        assert (process.returncode, err) == (0, b"")
    assert len({Path(f"{number}.png").read_bytes() for number in range(count)}) == 1
