"""Too little address space, memory or threads: one line and exit code 1, or fewer threads; never a crash, a hang or a traceback."""

import resource
import subprocess
import sys

import pytest
from command import SAMPLES
from processes import IMGCONV, environment, names

PHOTO = str(SAMPLES / "coffee.jpg")
COMMANDS = {
    "edge": ("edge", PHOTO, "-o", "o.png"),
    "conv": ("run", PHOTO, "-s", "conv laplacian8", "-o", "o.png"),
    "pool": ("pool", PHOTO, "-o", "o.png"),
    "learn": ("learn", PHOTO, PHOTO, "--size", "3", "-o", "o.npy"),
    "figure": ("figure", PHOTO, "-k", "sobel_x", "-o", "o.png"),
    "folder": ("edge", str(SAMPLES), "-o", "out"),
}

# No thread starts after the first `count`, as under a limit on processes.
FEW_THREADS = """
import sys, threading, _thread
started, count = 0, int(sys.argv[1])
def limited(original):
    def start(*words, **more):
        global started
        started += 1
        if started > count:
            raise RuntimeError("can't start new thread")
        return original(*words, **more)
    return start
_thread.start_new_thread = threading._start_new_thread = limited(_thread.start_new_thread)
if hasattr(threading, "_start_joinable_thread"):  # Python 3.13 or newer
    threading._start_joinable_thread = limited(threading._start_joinable_thread)
sys.argv = ["imgconv", *sys.argv[2:]]
from imgconv.cli.app import program
program()
"""


# libavif as it fails where the threads that it starts itself cannot start
FAILING_DECODER = """
import PIL._avif
def fail(*words, **more):
    raise RuntimeError("Decoding of color planes failed")
PIL._avif.AvifDecoder = PIL._avif.AvifEncoder = fail
"""


# what fails first differs from machine to machine, so the other commands and sizes are swept by `.ci/run full` alone
@pytest.mark.parametrize(
    ("name", "megabytes"),
    [
        pytest.param(name, megabytes, marks=[] if (name, megabytes) in (("edge", 100), ("pool", 350)) else pytest.mark.exhaustive)
        for name in COMMANDS
        for megabytes in (100, 150, 250, 350, 500)
    ],
)
def test_little_address_space_gives_a_result_or_one_line(tmp_path, name, megabytes):
    words = COMMANDS[name]
    limited = {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_AS, (megabytes << 20, megabytes << 20))}
    done = subprocess.run(
        [*IMGCONV, *words], cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=60, check=False, **limited
    )
    assert done.returncode in (0, 1), done.stderr
    assert "Traceback" not in done.stderr and "internal error" not in done.stderr and "interrupted" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if "written" not in line]
    assert done.returncode == 0 or words[1] == str(SAMPLES) or len(lines) == 1, done.stderr


@pytest.mark.parametrize(("kind", "most"), [("DATA", 60 << 20), ("DATA", 300 << 20), ("NOFILE", 8), ("STACK", 128 << 10)])
def test_other_limits_give_a_result_or_one_line(tmp_path, kind, most):
    words = [*IMGCONV, *COMMANDS["edge"], "-q"]
    limited = {"preexec_fn": lambda: resource.setrlimit(getattr(resource, f"RLIMIT_{kind}"), (most, most))}
    done = subprocess.run(words, cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=60, check=False, **limited)
    assert (done.returncode, len(done.stderr.splitlines())) in ((0, 0), (1, 1)), done.stderr
    assert "Traceback" not in done.stderr and "interrupted" not in done.stderr


@pytest.mark.parametrize("count", [0, 1, 3])
def test_where_few_threads_can_start_the_work_is_done_with_fewer(tmp_path, count):
    command = [sys.executable, "-c", FEW_THREADS, str(count), "edge", SAMPLES, "-o", "out", "-q", "-j", "4"]
    done = subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    usual = subprocess.run([*IMGCONV, "edge", SAMPLES, "-o", tmp_path / "usual", "-q"], env=environment(), timeout=120, check=True)
    assert usual.returncode == 0 and names(tmp_path / "out") == names(tmp_path / "usual")


@pytest.mark.parametrize("format", ["avif", "zarr"])
def test_libraries_without_threads_give_one_line_about_threads(tmp_path, format):
    """Threads of libraries count, too; a sound file is not called damaged."""
    assert subprocess.run([*IMGCONV, "edge", PHOTO, "-o", f"in.{format}", "-q"], cwd=tmp_path, env=environment(), check=True)
    program = FAILING_DECODER + FEW_THREADS
    for words in (["edge", f"in.{format}", "-o", "out.png"], ["edge", PHOTO, "-o", f"out.{format}"]):
        command = [sys.executable, "-c", program, "0", *words]
        done = subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 1 and done.stderr.count("\n") == 1 and "no further thread can be started" in done.stderr, done.stderr


def test_a_report_is_made_without_threads(tmp_path):
    command = [sys.executable, "-c", FEW_THREADS, "0", "edge", SAMPLES, "-o", "out", "-q", "--report", "report.html"]
    done = subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "") and (tmp_path / "report.html").exists()


LITTLE_FOR_NUMBA = """
import resource
import imgconv, numpy as np
import llvmlite.binding, PIL.Image
imgconv.filter  # imports the loops
pages = int(open("/proc/self/statm").read().split()[0])
size = pages * resource.getpagesize() + (50 << 20)
resource.setrlimit(resource.RLIMIT_AS, (size, size))
try:
    imgconv.edge(np.zeros((9, 9), np.uint8))
except MemoryError:
    print("MemoryError")
"""


def test_numba_is_not_imported_where_a_library_that_it_imports_would_ask_for_memory_without_end(tmp_path):
    variables = environment(IMGCONV_CACHE=str(tmp_path / "cache"))
    words = [sys.executable, "-c", LITTLE_FOR_NUMBA]
    done = subprocess.run(words, cwd=tmp_path, env=variables, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "MemoryError\n", done.stderr
