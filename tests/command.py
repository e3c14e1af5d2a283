"""The command line as its users meet it: a process of its own."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from command_server import server

SAMPLES = Path(__file__).parents[1] / "sample_images"
PHOTO = SAMPLES / "coffee.jpg"


@dataclass(frozen=True)
class Finished:
    """What a command left behind."""

    code: int
    out: bytes
    err: str


def imgconv(*words, stdin=b"", cwd=None, env=None, variables=None, timeout=120):
    """Run `imgconv` with these words; never a traceback, and never an exit code but 0, 1, 2 and 130.

    With an environment of its own it is a new interpreter, else a child of the command server, which has these environment variables too.
    """
    words, usual = list(map(str, words)), {**os.environ, **(variables or {})}
    if env is None and hasattr(os, "fork"):
        code, out, stderr = server().run(words, stdin, cwd, usual, timeout)
    else:
        code, out, stderr = _in_new_interpreter(words, stdin, cwd, env or usual, timeout)
    err = message_in(stderr)
    assert "Traceback" not in err, err
    assert code in (0, 1, 2, 130), (code, err)
    return Finished(code, out, err)


def _in_new_interpreter(words, stdin, cwd, env, timeout):
    buffered = {name: value for name, value in env.items() if name != "PYTHONUNBUFFERED"}
    command = [sys.executable, "-m", "imgconv", *words]
    done = subprocess.run(command, input=stdin, cwd=cwd, env=buffered, capture_output=True, timeout=timeout, check=False)
    return done.returncode, done.stdout, done.stderr


def message_in(stderr):
    """What a command said, but for that it is compiling: that depends on how quick the machine is just then, and has its own test."""
    return stderr.decode("utf-8", "backslashreplace").replace("compiling loops, once on this machine\n", "")


def done(*words, **options):
    """Run `imgconv`, which must succeed."""
    finished = imgconv(*words, **options)
    assert finished.code == 0, finished.err
    return finished


def refused(code, *words, **options):
    """Run `imgconv`, which must fail with `code` and one line; the line."""
    finished = imgconv(*words, **options)
    assert finished.code == code, (finished.code, finished.err)
    assert finished.err.count("\n") == 1 and finished.err.startswith("imgconv: "), finished.err
    return finished.err
