"""The command line as its users meet it: a process of its own."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

SAMPLES = Path(__file__).parents[1] / "sample_images"
PHOTO = SAMPLES / "coffee.jpg"


@dataclass(frozen=True)
class Finished:
    """What a command left behind."""

    code: int
    out: bytes
    err: str


def imgconv(*words, stdin=b"", cwd=None, env=None, timeout=60):
    """Run `imgconv` with these words; never a traceback, and never an exit code but 0, 1, 2 and 130.

    Its streams are buffered as they usually are, whatever the tests run with.
    """
    usual = {name: value for name, value in (env or os.environ).items() if name != "PYTHONUNBUFFERED"}
    done = subprocess.run(
        [sys.executable, "-m", "imgconv", *map(str, words)],
        input=stdin,
        cwd=cwd,
        env=usual,
        capture_output=True,
        timeout=timeout,
        check=False,
    )
    err = said(done.stderr)
    assert "Traceback" not in err, err
    assert done.returncode in (0, 1, 2, 130), (done.returncode, err)
    return Finished(done.returncode, done.stdout, err)


def said(stderr):
    """What a command said, but for that it is compiling: that depends on how quick the machine is just then, and has its own test."""
    return stderr.decode("utf-8", "backslashreplace").replace("compiling loops, once on this machine\n", "")


def refused(code, *words, **options):
    """Run `imgconv`, which must fail with `code` and one line; the line."""
    done = imgconv(*words, **options)
    assert done.code == code, (done.code, done.err)
    assert done.err.count("\n") == 1 and done.err.startswith("imgconv: "), done.err
    return done.err
