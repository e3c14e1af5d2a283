"""Modules whose code runs on first use."""

import importlib
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from imgconv.cli import deferred

SOURCE = """
import sys, time
from pathlib import Path

runs = Path(__file__).with_name("runs")
runs.write_text(runs.read_text() + "x" if runs.exists() else "x")
if not hasattr(sys.modules[__name__], "value") and Path(__file__).with_name("broken").exists():
    raise ValueError("broken")
time.sleep(0.05)
value = 3
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    """A deferred module, of which nothing has been used."""
    (tmp_path / "rarely_used.py").write_text(SOURCE)
    monkeypatch.setattr(deferred, "MODULES", frozenset({"rarely_used"}))
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path])
    monkeypatch.syspath_prepend(tmp_path)
    deferred.defer_modules()
    yield importlib.import_module("rarely_used")
    del sys.modules["rarely_used"]


@pytest.fixture
def runs(module, tmp_path):
    """A function that returns how often the module was executed."""
    return lambda: len((tmp_path / "runs").read_text()) if (tmp_path / "runs").exists() else 0


def test_a_module_is_executed_once_when_several_threads_use_it(module, runs):
    assert (runs(), module.__name__) == (0, "rarely_used")
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda _: module.value, range(4))) == [3] * 4
    assert runs() == 1


def test_a_name_that_is_imported_executes_the_module(module, runs):
    from rarely_used import value

    assert (value, runs()) == (3, 1)


def test_a_missing_name_is_an_attribute_error(module):
    with pytest.raises(AttributeError, match="other"):
        module.other  # noqa: B018


def test_a_module_that_failed_is_executed_again(module, runs, tmp_path):
    (tmp_path / "broken").touch()
    with pytest.raises(ValueError, match="broken"):
        module.value  # noqa: B018
    (tmp_path / "broken").unlink()
    assert (module.value, runs()) == (3, 2)
