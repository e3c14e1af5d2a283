"""Whatever fuzzing has found stays fixed: every finding is replayed in a real process, with little memory and in bounded time."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from fuzz.seeds import FINDINGS
from processes import environment

TESTS = Path(__file__).parents[1]
REPLAY = """
import sys
from pathlib import Path
from fuzz.targets import TARGETS, watch_warnings
watch_warnings()
for name in sys.argv[2:]:
    print(name, flush=True)
    TARGETS[sys.argv[1]](Path(name).read_bytes())
"""
LARGEST = 3 << 30  # bytes of address space, of which libraries take a third


def little_memory():
    resource.setrlimit(resource.RLIMIT_AS, (LARGEST, LARGEST))


@pytest.mark.parametrize("target", ["references", "kernels", "recipes", "codec", "weights"])
def test_every_finding_gives_a_result_or_one_line(target):
    findings = sorted((FINDINGS / target).iterdir())
    assert findings, "nothing is replayed"
    paths = os.pathsep.join([str(TESTS), environment()["PYTHONPATH"]])
    command = [sys.executable, "-c", REPLAY, target, *map(str, findings)]
    settings = environment(PYTHONPATH=paths, OPENBLAS_NUM_THREADS="1")
    done = subprocess.run(command, env=settings, capture_output=True, text=True, timeout=60, preexec_fn=little_memory, check=False)
    assert done.returncode == 0 and done.stderr == "", (done.stdout.splitlines()[-1:], done.stderr)
    assert done.stdout.split() == [str(path) for path in findings]
