"""Interrupted runs end at once, say how to go on, and leave only whole outputs."""

import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from command import SAMPLES, imgconv
from PIL import Image
from processes import environment, finished, many, names, started, wait_for


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_folder_run_stops_at_once_and_can_continue(tmp_path, number):
    photos, out = many(tmp_path / "photos", 200), tmp_path / "out"
    with started("edge", photos, "-o", out) as process:
        wait_for(lambda: out.exists() and len(list(out.glob("*.png"))) > 5)
        process.send_signal(number)
        code, _, err = finished(process)
    assert code == 130
    assert "interrupted; run the same command with --skip-existing to continue" in err
    output = list(out.iterdir())
    assert 5 < len(output) < 200 and all(path.suffix == ".png" for path in output)
    for path in output:
        with Image.open(path) as image:
            image.load()
    done = imgconv("edge", photos, "-o", out, "--skip-existing")
    assert done.code == 0 and f"{200 - len(output)} files written, {len(output)} skipped" in done.err
    assert len(list(out.iterdir())) == 200


def test_an_interrupt_does_not_wait_for_slow_images(tmp_path):
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (4000, 4000), dtype=np.uint8)).save(tmp_path / "slow.png", compress_level=1)
    photos, out = many(tmp_path / "photos", 8, tmp_path / "slow.png"), tmp_path / "out"  # together they take longer than `finished` waits
    shutil.copy(SAMPLES / "step_wedge.png", photos / "-first.png")
    options = ("--mode", "median", "--size", "301", "--padding", "same", "--stride", "1")  # some ten seconds for each of them
    with started("pool", photos, "-o", out, *options, "-j", "9") as process:  # a turn for each, whichever comes first
        wait_for(lambda: out.exists() and names(out) == ["-first.pool.png"])
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        code, _, _ = finished(process)
    assert code == 130
    assert names(out) == ["-first.pool.png"]


@pytest.mark.parametrize("seconds", [0.05, 0.1, 0.15, 0.2, 0.25, 0.3])
def test_an_interrupt_at_any_moment_of_the_start_shows_no_traceback(tmp_path, seconds):
    photos = many(tmp_path / "photos", 100)
    script = "import os; os.write(1, b'.'); from imgconv.cli.app import main; main()"
    command = [sys.executable, "-c", script, "edge", str(photos), "-o", str(tmp_path / "out")]
    with subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            assert process.stdout.read(1) == b"."
            time.sleep(seconds)
            process.send_signal(signal.SIGINT)
            code, _, err = finished(process)
        finally:
            process.kill()
    assert code == 130
    assert err.endswith("\n") and "imgconv: interrupted" in err.splitlines()[-1]


def test_an_interrupt_that_python_drops_is_repeated_a_second_later():
    script = """
import os, signal, time
from imgconv.cli import app
class Tidied:
    def __del__(self):  # as a callback in the middle of an import, whose exceptions are dropped
        os.kill(os.getpid(), signal.SIGINT)
app.handle_signals()
tidied = Tidied()
del tidied
print("dropped", flush=True)
try:
    time.sleep(15)
except app.Interrupted:
    app.ignore_signals()
    print("heard", flush=True)
"""
    done = subprocess.run([sys.executable, "-c", script], env=environment(), capture_output=True, text=True, timeout=10, check=True)
    assert (done.stdout, done.stderr) == ("dropped\nheard\n", "")


def test_work_that_ends_after_a_dropped_interrupt_counts_as_interrupted(tmp_path):
    script = """
import os, signal, sys
class Tidied:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)
class Finder:
    def find_spec(self, name, path, target=None):
        if name == "imgconv.cli.edge":
            Tidied()
sys.meta_path.insert(0, Finder())
from imgconv.cli.app import main
main()
"""
    command = [sys.executable, "-c", script, "edge", SAMPLES / "step_wedge.png", "-o", tmp_path / "out.png"]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 130 and done.stderr.splitlines()[-1] == "imgconv: interrupted"


@pytest.mark.parametrize("where", ["imgconv.batch.work.process", "imgconv.cli.help.Group.get_command"])
def test_an_interrupt_that_python_wraps_in_an_error_is_one(tmp_path, where):
    module, _, name = where.rpartition(".")
    script = f"""
import os, pkgutil, signal, sys
from imgconv.cli import app

def interrupted(*arguments, **options):
    try:
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(10**9):
            pass
    except BaseException as error:
        raise RuntimeError("Error calling __set_name__") from error  # as Python 3.11 does while it makes a class

def patched(words, whole=app.command_line):
    made = whole(words)
    setattr(pkgutil.resolve_name({module!r}), {name!r}, interrupted)
    return made

app.command_line = patched
app.main()
"""
    command = [sys.executable, "-c", script, "edge", SAMPLES / "step_wedge.png", "-o", tmp_path / "out.png"]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (130, "imgconv: interrupted\n") and names(tmp_path) == []


def test_few_modules_are_imported_before_signals_are_caught():
    script = "import sys; before = set(sys.modules); import imgconv.cli.app; print(*set(sys.modules) - before)"
    done = subprocess.run([sys.executable, "-c", script], env=environment(), capture_output=True, text=True, check=True)
    assert set(done.stdout.split()).isdisjoint({"typing", "re", "contextlib", "pathlib", "dataclasses", "inspect"})


def test_an_interrupt_while_waiting_for_standard_input():
    with started("edge", "-", "-o", "-") as process:
        time.sleep(0.8)
        process.send_signal(signal.SIGINT)
        process.stdin.flush()
        assert finished(process) == (130, b"", "imgconv: interrupted\n")


def test_an_ignored_signal_stays_ignored(tmp_path):
    photos, out = many(tmp_path / "photos", 20), tmp_path / "out"
    ignored = {"preexec_fn": lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)}  # as nohup does
    with started("edge", photos, "-o", out, **ignored) as process:
        wait_for(lambda: out.exists() and names(out))
        process.send_signal(signal.SIGHUP)
        code, _, _ = finished(process)
    assert code == 0 and len(names(out)) == 20
