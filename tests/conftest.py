"""Shared by all tests: no registry of the person who runs them takes part, and commands run as real processes."""

import os
import signal
from tempfile import TemporaryDirectory

import pytest

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell that starts tests in the background has it ignored, in commands too

CONFIG = TemporaryDirectory(prefix="imgconv-tests-")  # from here on: modules of tests resolve kernels while they are imported
os.environ["XDG_CONFIG_HOME"] = CONFIG.name
os.environ.pop("IMGCONV_KERNELS", None)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Give each file to one worker, so that what a file prepares for its tests is made once."""
    from xdist.scheduler import LoadFileScheduling

    return LoadFileScheduling(config, log)
