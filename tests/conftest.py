"""Shared by all tests: no registry of the person who runs them takes part, and commands run as real processes."""

import gc
import os
import signal
import sys
from collections import Counter
from tempfile import TemporaryDirectory
from zlib import crc32

import pytest
from examples import FULL

from imgconv.cli.app import ALLOCATIONS
from imgconv.system import usable_cores

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell that starts tests in the background has it ignored, in commands too

sys.dont_write_bytecode = False  # where it is set, each of hundreds of commands compiles imgconv anew: 0.15 s of 0.38 (2026-11)
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

gc.disable()  # until all modules of tests are imported, of which a look for garbage takes a fifth (2026-11)
LONGEST = ("test_trust_corpus", "test_forks", "test_trust_memory", "test_memory_estimate")  # that take long for their number of tests
COMPILING = ("filters", "functional", "windows")  # a process that compiles many loops takes half as long for each as commands do (2026-11)

CONFIG = TemporaryDirectory(prefix="imgconv-tests-")  # from here on: modules of tests resolve kernels while they are imported
os.environ["XDG_CONFIG_HOME"] = CONFIG.name
os.environ.pop("IMGCONV_KERNELS", None)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers():
    """A worker more than there are cores, unless the environment says how many: workers wait for commands, disks, and time to pass."""
    return None if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ else usable_cores() + 1


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Give each file to one worker, so that what a file prepares for its tests is made once, in the order of the items."""
    from xdist.scheduler import LoadFileScheduling

    config.option.loadscopereorder = False
    return LoadFileScheduling(config, log)


def pytest_collection_finish(session):
    """Look for garbage again, but not in what stays until the end, and as rarely as the program does: it takes 4 % of compiling."""
    gc.freeze()
    gc.set_threshold(ALLOCATIONS)
    gc.enable()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config, items):
    """Leave out a part of the parameters of sweeps in the quick run: those of a function that are left are the same in every run."""
    chosen, left_out, functions = [], [], set()
    for item in items:
        mark = item.get_closest_marker("sweep")
        function = item.nodeid.partition("[")[0]
        takes_part = FULL or not mark or crc32(item.nodeid.encode()) % mark.args[0] == 0 or function not in functions
        functions.add(function)
        (chosen if takes_part else left_out).append(item)
    config.hook.pytest_deselected(items=left_out)
    items[:] = sorted(chosen, key=_place_in(chosen)) if hasattr(config, "workerinput") else chosen


def _place_in(items):
    """The order for several workers, so that all end together: what compiles most, what takes longest, files of many tests, the rest."""
    sizes = Counter(item.path for item in items)

    def place(item):
        is_early = item.path.parent.name in COMPILING or item.path.stem in LONGEST
        return isinstance(item, pytest.DoctestItem), not is_early, -sizes[item.path]

    return place


@pytest.fixture(scope="module")
def tab(tmp_path_factory):
    """A tab of a Chromium, which is started once for each file."""
    from browser import browsing

    with browsing(tmp_path_factory.mktemp("profile")) as page:
        page.resize(1280, 900)
        yield page
