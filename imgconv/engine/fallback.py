"""Fallbacks of the engine: the exceptions that trigger one, and the messages that report one."""

import sys
from collections.abc import Callable

from imgconv.errors import escaped

UNEXPECTED = (AssertionError, AttributeError, ImportError, LookupError, NameError, OSError, RuntimeError, TypeError, ValueError)
"""Exceptions that trigger a fallback when internals of Numba or llvmlite change. Errors in a loop itself raise Numba's own classes."""

announce: Callable[[str], object] | None = None
"""Receives every message, one line each; the command line sets it. Without it, warnings go to standard error."""


class UnexpectedError(RuntimeError):
    """Numba, llvmlite or this process do not behave as object code requires; Numba's own calls may still work."""


def report(text: str) -> None:
    """Report progress: only the command line shows it."""
    if announce:
        announce(text)


def warn_once(text: str) -> None:
    """Report that work takes longer than it should, at most once in a process for each text."""
    if text in _warned:
        return
    _warned.add(text)
    if announce:
        announce(text)
    elif sys.stderr:
        sys.stderr.write(f"imgconv: {escaped(text)}\n")


_warned: set[str] = set()
