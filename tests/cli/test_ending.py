"""How the process that is `imgconv` ends: at once, but with all said, and nobody passed over who waits for its end."""

import subprocess
import sys

import pytest
from command import PHOTO, imgconv
from processes import environment


def ended(prelude, *words):
    """A process that runs `prelude` and then is `imgconv` with these words."""
    script = f"import sys\n{prelude}\nsys.argv = {['imgconv', *map(str, words)]!r}\nfrom imgconv.cli.app import program\nprogram()"
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, env=environment())


def test_the_program_ends_before_python_takes_modules_apart(tmp_path):
    done = ended(
        "class Last:\n    def __del__(self): sys.stderr.write('taken apart')\nlast = Last()", "edge", PHOTO, "-o", tmp_path / "e.png", "-q"
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert imgconv("edge", tmp_path / "e.png", "-o", tmp_path / "f.png").code == 0


@pytest.mark.parametrize(("words", "code"), [(["--version"], 0), (["edge", "nowhere.jpg"], 1), (["edge", "--stride"], 2)])
def test_functions_that_wait_for_the_end_are_called(words, code):
    done = ended("import atexit; atexit.register(sys.stdout.write, 'goodbye')", *words)
    assert done.returncode == code
    assert done.stdout.endswith("goodbye")


def test_threads_that_are_at_work_end_it():
    prelude = "import threading\nthreading.Thread(target=lambda: (threading.main_thread().join(), sys.stdout.write('written'))).start()"
    assert ended(prelude, "--version").stdout.endswith("written")


def test_an_interrupt_while_threads_are_waited_for():
    prelude = (
        "import os, signal, threading, time\n"
        "def work(): time.sleep(1.5); os.kill(os.getpid(), signal.SIGINT); time.sleep(20)\n"
        "threading.Thread(target=work).start()"
    )
    done = ended(prelude, "--version")
    assert (done.returncode, done.stderr) == (130, "imgconv: interrupted\n")


def test_all_of_a_long_output_arrives():
    whole = imgconv("kernels", "list", "--json").out
    assert whole.endswith(b"\n")
    assert ended("", "kernels", "list", "--json").stdout.encode() == whole


def test_a_profile_is_printed():
    done = subprocess.run([sys.executable, "-m", "cProfile", "-m", "imgconv", "--version"], capture_output=True, text=True, timeout=60)
    assert "function calls" in done.stdout
