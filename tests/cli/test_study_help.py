"""The commands that help a person see: their help has two examples and loads nothing heavy."""

import subprocess
import sys

import pytest

HEAVY = ("numpy", "numba", "PIL", "tomlkit", "rich.live")


@pytest.mark.parametrize("command", ["plan", "explain", "learn", "report"])
def test_help_has_two_examples_and_stays_light(command, monkeypatch):
    monkeypatch.setenv("COLUMNS", "240")
    code = f"import sys, atexit; atexit.register(lambda: print([m for m in {HEAVY} if m in sys.modules]))"
    start = [sys.executable, "-c", f"{code}; from imgconv.cli.app import main; main()", command, "--help"]
    text = subprocess.run(start, capture_output=True, text=True, check=True).stdout
    assert text.count(f"imgconv {command} ") >= 2 and text.rstrip().endswith("[]")


def test_plan_imports_no_compiler():
    run = "import sys; sys.argv = ['imgconv', 'plan', '--shape', '3x40x50']; from imgconv.cli.app import main\ntry: main()\n"
    code = f"{run}except SystemExit: pass\nprint('numba' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"
