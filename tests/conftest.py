"""Shared by all tests: no registry of the person who runs them takes part, and commands run as real processes."""

import os
import signal

import pytest

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell that starts tests in the background has it ignored, in commands too


@pytest.fixture(autouse=True, scope="session")
def _no_user_registry(tmp_path_factory):
    home = tmp_path_factory.mktemp("config")
    old = {name: os.environ.pop(name, None) for name in ("XDG_CONFIG_HOME", "IMGCONV_KERNELS")}
    os.environ["XDG_CONFIG_HOME"] = str(home)
    yield
    del os.environ["XDG_CONFIG_HOME"]
    os.environ.update({name: value for name, value in old.items() if value is not None})


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Give each file to one worker, so that what a file prepares for its tests is made once."""
    from xdist.scheduler import LoadFileScheduling

    return LoadFileScheduling(config, log)
