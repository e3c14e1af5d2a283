"""`imgconv` as a process without the modules and functions that only POSIX systems have: `python blocked.py [--windows] WORDS...`.

With --windows every branch for Windows is taken as well. Libraries choose their own branches by `sys.platform`, so they are imported first.
"""

import importlib
import os
import signal
import sys
import types
from contextlib import suppress

MODULES = ("fcntl", "grp", "posix_ipc", "pwd", "resource", "termios", "tty")
OF_OS = (
    "O_NOFOLLOW", "O_NONBLOCK", "chown", "fchmod", "fchown", "fork", "getegid", "geteuid", "getgid", "getloadavg", "getpgid", "getuid",
    "getxattr", "killpg", "listxattr", "mkfifo", "posix_spawn", "register_at_fork", "sched_getaffinity", "sched_yield", "setsid",
    "setxattr", "wait3",
)  # fmt: skip
OF_SIGNAL = (
    "ITIMER_REAL", "SIGALRM", "SIGCHLD", "SIGHUP", "SIGKILL", "SIGPIPE", "SIGUSR1", "alarm", "getitimer", "pthread_kill",
    "pthread_sigmask", "setitimer", "sigpending", "sigwait",
)  # fmt: skip
LIBRARIES = ("PIL.Image", "concurrent.futures", "platformdirs.unix", "subprocess", "typer")


def block():
    """Remove what Windows lacks from this process."""
    for name in LIBRARIES:
        with suppress(ImportError):
            importlib.import_module(name)
    for name in MODULES:
        sys.modules[name] = None
    for module, names in ((os, OF_OS), (signal, OF_SIGNAL)):
        for name in names:
            if hasattr(module, name):
                delattr(module, name)


def imitate_windows():
    """Let imgconv take the branches for Windows, with locks that are always free."""
    sys.modules["msvcrt"] = types.SimpleNamespace(LK_NBLCK=2, locking=lambda descriptor, mode, count: None)
    platforms = importlib.import_module("imgconv.platforms")
    platforms.IS_WINDOWS = True
    for function in vars(platforms).values():
        if isinstance(function, types.FunctionType) and function.__defaults__ == (False,):
            function.__defaults__ = (True,)


if __name__ == "__main__":
    block()
    if sys.argv[1] == "--windows":
        imitate_windows()
        del sys.argv[1]
    from imgconv.cli.app import program

    program()
