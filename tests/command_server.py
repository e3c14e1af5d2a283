"""A process that forks one child for each command, so that a test pays for the command and not for Python's start.

The server imports what most commands import and runs nothing itself, so each child starts as a fresh process would after its imports:
with its own working directory, environment, standard streams, signal handlers and exit code.
"""

import json
import os
import select
import subprocess
import sys
import tempfile
import threading
from functools import cache
from pathlib import Path

PRELOADED = (
    "numpy",
    "PIL.JpegImagePlugin",
    "PIL.PngImagePlugin",
    "llvmlite.binding",
    "imgconv.api",
    "imgconv.cli.app",
    "imgconv.cli.options",
    "imgconv.batch.run",
)

SERVER = """
import importlib, json, os, sys
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except ImportError:
        pass
for line in sys.stdin:
    job = json.loads(line)
    child = os.fork()
    if not child:
        os.setsid()
        os.chdir(job["cwd"])
        os.environ.clear()
        os.environ.update(job["env"])
        for number, path in enumerate(job["streams"]):
            opened = os.open(path, os.O_RDONLY if number == 0 else os.O_WRONLY)
            os.dup2(opened, number)
            os.close(opened)
        sys.stdin, sys.stdout, sys.stderr = (open(n, mode, encoding="utf-8", errors=errors, closefd=False, newline=None)
            for n, mode, errors in ((0, "r", "strict"), (1, "w", "strict"), (2, "w", "backslashreplace")))
        sys.argv = ["imgconv", *job["words"]]
        from imgconv.cli.app import program
        program()
    os.write(1, b"%d\\n" % child)
    _, status = os.waitpid(child, 0)
    os.write(1, b"%d\\n" % os.waitstatus_to_exitcode(status))
"""


class CommandServer:
    """One server process. `run` may be called from any thread; commands run one after the other."""

    def __init__(self):
        environment = {**os.environ, "PYTHONUNBUFFERED": ""}
        self._process = subprocess.Popen(
            [sys.executable, "-c", SERVER, *PRELOADED], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
        )
        self._lock = threading.Lock()

    def run(self, words, stdin, cwd, timeout):
        """Run `imgconv` with these words; exit code, standard output, standard error. Raises TimeoutExpired."""
        with self._lock, tempfile.TemporaryDirectory(prefix="imgconv-command-") as folder:
            streams = [Path(folder, name) for name in ("stdin", "stdout", "stderr")]
            for stream, content in zip(streams, (stdin, b"", b""), strict=True):
                stream.write_bytes(content)
            job = {"words": words, "cwd": str(cwd or Path.cwd()), "env": dict(os.environ), "streams": list(map(str, streams))}
            self._process.stdin.write(json.dumps(job).encode() + b"\n")
            self._process.stdin.flush()
            child = int(self._process.stdout.readline())
            if not select.select([self._process.stdout], [], [], timeout)[0]:
                os.killpg(child, 9)
                self._process.stdout.readline()
                raise subprocess.TimeoutExpired(["imgconv", *words], timeout)
            code = int(self._process.stdout.readline())
            return code, streams[1].read_bytes(), streams[2].read_bytes()


@cache
def server():
    """The server of this test process, started on first use."""
    return CommandServer()
