"""A process that forks one child for each command, so that a test pays for the command and not for Python's start.

The server imports what commands import and runs none itself, so each child starts as a fresh process would after its imports:
with its own working directory, environment, standard streams, signal handlers and exit code. This file is also the program that shell
scripts call in place of `imgconv`: `python -IS command_server.py SOCKET WORDS...`.
"""

import json
import os
import socket
import sys
from contextlib import suppress

HEADER = 8
LIBRARIES = (
    "numpy",
    "PIL.JpegImagePlugin",
    "PIL.PngImagePlugin",
    "llvmlite.binding",
    "rich.console",
    "rich.progress",
    "rich.table",
    "typer",
    "zarr",
)


def call(address, words, cwd, environment, streams, timeout=None, script=None):
    """Run `imgconv` with these words, or else a script in Python, on these descriptors; its exit code.

    Raises TimeoutError, and then the command is killed.
    """
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(address)
        request = json.dumps({"words": words, "cwd": cwd, "environment": environment, "script": script}).encode()
        socket.send_fds(connection, [len(request).to_bytes(HEADER, "big")], streams)
        connection.sendall(request)
        child = int(connection.recv(HEADER))
        connection.settimeout(timeout)
        try:
            return int(connection.recv(HEADER))
        except TimeoutError:
            os.killpg(child, 9)
            raise


def serve(address):
    """Answer calls at a Unix socket until standard input is closed."""
    import gc
    import importlib
    import select
    import signal

    for name in _preloaded():
        with suppress(ImportError):
            importlib.import_module(name)
    importlib.import_module("imgconv.engine.compiler").self_check()  # loads Numba: 1.5 s for each child that compiles
    gc.freeze()  # or the first collection in a child copies every page
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(address)
    listening.listen(64)
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    os.set_blocking(woken, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake)  # `select` returns when a command ends
    callers = {}
    os.write(1, b"ready\n")
    while sys.stdin not in (ready := select.select([listening, sys.stdin, woken], [], [])[0]):
        if woken in ready:
            with suppress(BlockingIOError):
                os.read(woken, 1 << 12)
            _answer_for_ended(callers)
        if listening in ready:
            connection = listening.accept()[0]
            request, streams = _received(connection)
            child = os.fork()
            if not child:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                for each in (listening, connection, *callers.values()):
                    each.close()
                _become_command(request, streams)
            callers[child] = connection
            for descriptor in streams:
                os.close(descriptor)
            connection.sendall(b"%*d" % (HEADER, child))


def _preloaded():
    """The libraries of every command and all of imgconv."""
    import pkgutil

    import imgconv

    yield from LIBRARIES
    for module in pkgutil.walk_packages(imgconv.__path__, "imgconv.", onerror=lambda name: None):
        if module.name != "imgconv.__main__":
            yield module.name


def _received(connection):
    header, streams, _, _ = socket.recv_fds(connection, HEADER, 3)
    length, request = int.from_bytes(header, "big"), b""
    while len(request) < length:
        request += connection.recv(length - len(request))
    return json.loads(request), streams


def _answer_for_ended(callers):
    """Send the exit code of each command that has ended to its caller, who may have gone."""
    for child in list(callers):
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            with suppress(OSError), callers.pop(child) as connection:
                connection.sendall(b"%*d" % (HEADER, os.waitstatus_to_exitcode(status)))


def _become_command(request, streams):
    os.setsid()
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["environment"])
    for number, descriptor in enumerate(streams):
        os.dup2(descriptor, number)
    for descriptor in streams:
        if descriptor > 2:
            os.close(descriptor)
    sys.stdin, sys.stdout, sys.stderr = (
        open(number, mode, encoding="utf-8", errors=errors, closefd=False)  # noqa: SIM115
        for number, mode, errors in ((0, "r", "strict"), (1, "w", "strict"), (2, "w", "backslashreplace"))
    )
    if request["script"] is not None:
        sys.argv, sys.path[:0] = ["-c"], [""]
        exec(compile(request["script"], "<string>", "exec"), {"__name__": "__main__"})
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)  # without the tear-down of all modules, which takes 85 ms (2026-11)
    sys.argv = ["imgconv", *request["words"]]
    from imgconv.cli.app import program

    program()


class CommandServer:
    """A server process that lives as long as this object."""

    def __init__(self):
        import subprocess
        import tempfile

        self._folder = tempfile.TemporaryDirectory(prefix="imgconv-commands-")
        self.address = f"{self._folder.name}/socket"
        environment = {**os.environ, "PYTHONUNBUFFERED": ""}
        self._process = subprocess.Popen(
            [sys.executable, __file__, "--serve", self.address], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
        )
        assert self._process.stdout.readline() == b"ready\n"

    @property
    def program(self):
        """The lines of a shell script that is `imgconv`."""
        return f'#!/bin/sh\nexec {sys.executable} -IS {__file__} {self.address} "$@"\n'

    def run_script(self, script, cwd, environment, timeout):
        """Run a script in Python; exit code, and what it writes to standard output and standard error. Raises TimeoutError."""
        from tempfile import TemporaryFile

        with TemporaryFile() as nothing, TemporaryFile() as out:
            streams = [nothing.fileno(), out.fileno(), out.fileno()]
            code = call(self.address, [], str(cwd), environment, streams, timeout, script)
            out.seek(0)
            return code, out.read()

    def run(self, words, stdin, cwd, environment, timeout):
        """Run `imgconv` with these words; exit code, standard output, standard error. Raises TimeoutError."""
        from pathlib import Path
        from tempfile import TemporaryFile

        with TemporaryFile() as original, TemporaryFile() as out, TemporaryFile() as err:
            original.write(stdin)
            original.seek(0)
            streams = [stream.fileno() for stream in (original, out, err)]
            code = call(self.address, words, str(cwd or Path.cwd()), environment, streams, timeout)
            out.seek(0)
            err.seek(0)
            return code, out.read(), err.read()


_servers = []


def server():
    """The server of this test process, started on first use."""
    if not _servers:
        _servers.append(CommandServer())
    return _servers[0]


if __name__ == "__main__":
    if sys.argv[1] == "--serve":
        serve(sys.argv[2])
    else:
        sys.exit(call(sys.argv[1], sys.argv[2:], os.getcwd(), dict(os.environ), [0, 1, 2]))  # noqa: PTH109
