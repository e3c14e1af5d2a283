"""Shared by all tests: no registry of the person who runs them takes part, and commands run as real processes."""

import os
import signal
from tempfile import TemporaryDirectory
from zlib import crc32

import pytest
from examples import FULL

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell that starts tests in the background has it ignored, in commands too

CONFIG = TemporaryDirectory(prefix="imgconv-tests-")  # from here on: modules of tests resolve kernels while they are imported
os.environ["XDG_CONFIG_HOME"] = CONFIG.name
os.environ.pop("IMGCONV_KERNELS", None)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Give each file to one worker, so that what a file prepares for its tests is made once."""
    from xdist.scheduler import LoadFileScheduling

    return LoadFileScheduling(config, log)


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
    items[:] = chosen
