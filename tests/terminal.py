"""The command line on a terminal: a process whose standard output is a pseudo-terminal."""

import os
import pty
import struct
import subprocess
import sys


def on_terminal(*words, columns=80, cwd=None, messages=False):
    """What `imgconv` with these words writes to a terminal of `columns` columns; with `messages` its standard error goes there too."""
    import fcntl
    import termios

    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    env = {**{k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "COLUMNS")}, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
    command = [sys.executable, "-m", "imgconv", *map(str, words)]
    with subprocess.Popen(
        command, stdout=follower, stderr=follower if messages else subprocess.PIPE, stdin=subprocess.DEVNULL, cwd=cwd, env=env
    ) as process:
        os.close(follower)
        parts = []
        while chunk := _read(leader):
            parts.append(chunk)
        errors = "" if messages else process.stderr.read().decode()
    os.close(leader)
    assert process.returncode == 0, errors
    return b"".join(parts).decode()


def _read(leader):
    try:
        return os.read(leader, 65536)
    except OSError:  # the other end is closed
        return b""
