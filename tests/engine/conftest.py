"""A small loop in its own module, an empty cache for every test, and new processes that use both."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

TINY = """
def add(source, target, by):
    for i in range(target.shape[0]):
        row, out = source[i], target[i]
        for j in range(row.shape[0]):
            out[j] = row[j] + by


def times(factor):
    def multiply(source, target):
        for j in range(source.shape[0]):
            target[j] = factor * source[j]

    return multiply
"""

USE = """
import json, sys
import numpy as np
from imgconv.engine import cache, compiled
import tiny_loops

source = np.arange(6, dtype=np.float32).reshape(2, 3)
target = np.zeros_like(source)
count = compiled.warmup([lambda: compiled.loop(tiny_loops.add)(source, target, 3)])
again = np.zeros_like(target)
compiled.loop(tiny_loops.add)(target, again, 3)
print(json.dumps({
    "right": bool((target == source + 3).all() and (again == source + 6).all()),
    "compiled": count,
    "cached": cache.count(),
    "imported": [name for name in ("numba", "llvmlite") if name in sys.modules],
    "problems": compiled.problems(),
}))
"""


class Sandbox:
    """A module `tiny_loops` and a cache, in a temporary folder; functions of `module` are new, as in a new process."""

    tiny = TINY

    def __init__(self, folder: Path):
        self.folder = folder
        (folder / "tiny_loops.py").write_text(TINY)
        self.loops = folder / "cache" / "loops"
        self.environment = {
            **os.environ,
            "IMGCONV_CACHE": str(folder / "cache"),
            "PYTHONPATH": os.pathsep.join([str(folder), *sys.path]),
        }

    def module(self, source: str | None = None):
        """`tiny_loops`, imported again, so that its functions are not compiled in this process."""
        if source is not None:
            folder = self.folder / str(len(list(self.folder.iterdir())))
            folder.mkdir()
            (folder / "tiny_loops.py").write_text(source)
        else:
            folder = self.folder
        spec = importlib.util.spec_from_file_location("tiny_loops", folder / "tiny_loops.py")
        module = importlib.util.module_from_spec(spec)
        sys.modules["tiny_loops"] = module
        spec.loader.exec_module(module)
        return module

    def entry(self) -> Path:
        """The only entry of the cache."""
        (entry,) = self.loops.glob("*.loop")
        return entry

    def compiles(self, by: int = 3, dtype: str = "f4") -> int:
        """The number of times that the loop is compiled for a new function. Its result must be right either way."""
        from imgconv.engine import compiled

        source = np.arange(6, dtype=dtype).reshape(2, 3)
        target = np.zeros_like(source)
        add = self.module().add
        count = compiled.warmup([lambda: compiled.loop(add)(source, target, by)])
        np.testing.assert_array_equal(target, source + by)
        others = source * 2, np.zeros_like(target), by + 1
        compiled.loop(add)(*others)
        np.testing.assert_array_equal(others[1], others[0] + by + 1)
        np.testing.assert_array_equal(target, source + by)
        return count

    def start(self, prelude: str = "", **environment: str) -> subprocess.Popen[str]:
        """A new process that runs `prelude`, then the loop."""
        return subprocess.Popen(
            [sys.executable, "-c", prelude + USE],
            env={**self.environment, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.folder,
        )

    def run(self, prelude: str = "", **environment: str) -> dict[str, object]:
        """The report of a new process after it ran the loop."""
        return self.finished(self.start(prelude, **environment))

    @staticmethod
    def finished(process: subprocess.Popen[str]) -> dict[str, object]:
        """The report of a process from `start`, which must succeed; lines on stderr must agree with the problems in the report."""
        out, error = process.communicate(timeout=60)
        assert process.returncode == 0, error
        report = json.loads(out)
        warned = [line for line in error.splitlines() if line.startswith("imgconv: compiled loops cannot be cached")]
        assert len(error.splitlines()) == len(warned) == bool(report["problems"]), error
        return report


@pytest.fixture
def sandbox(tmp_path, monkeypatch):
    """A Sandbox whose cache this process uses too; its loops are compiled even in a run with NUMBA_DISABLE_JIT."""
    monkeypatch.setenv("IMGCONV_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("NUMBA_DISABLE_JIT", raising=False)
    monkeypatch.setattr("numba.config.DISABLE_JIT", 0)
    yield Sandbox(tmp_path)
    sys.modules.pop("tiny_loops", None)
