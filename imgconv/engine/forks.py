"""A lock that a fork waits for.

A forked child has no thread but the one that forked. A lock that another thread held at that moment stays locked in the child for ever:
our own locks as well as those of the import system, Numba and llvmlite. Code that takes such locks therefore runs under `lock()`. A
fork waits until it is free, and the child gets a new one.
"""

import os
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager

_lock = threading.RLock()


def lock() -> AbstractContextManager[object]:
    """The lock, for a `with` statement; a thread that has it may take it again."""
    return _lock


def call_in_child(reset: Callable[[], object]) -> None:
    """Call `reset` in every forked child, where the platform has forks."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=reset)


def _replace_lock() -> None:
    global _lock
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=lambda: _lock.acquire(), after_in_parent=lambda: _lock.release(), after_in_child=_replace_lock)
