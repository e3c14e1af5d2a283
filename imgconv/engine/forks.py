"""A lock that a fork waits for, as it waits for imports of other threads.

A forked child has no thread but the one that forked. A lock that another thread held at that moment stays locked in the child for ever:
our own locks as well as those of Numba, llvmlite and the modules that are being imported. Code that takes such locks therefore runs under
`lock()`. A fork waits until it is free and no other thread imports anything, and the child gets a new lock. The hooks are registered
when imgconv is imported, so this module imports next to nothing; and once more after those of `logging`, whose lock Numba's modules need:
at the first use of a public name, or where imgconv's modules are imported by themselves, with the first loop.
"""

import os
import sys
from _thread import RLock, get_ident
from time import monotonic, sleep

TYPE_CHECKING = False  # see imgconv/__init__.py
if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

PATIENCE = 10.0  # seconds that a fork waits for an import, which may wait for the forking thread

_lock = RLock()
_is_before_logging = False


def lock() -> "AbstractContextManager[object]":
    """The lock, for a `with` statement; a thread that has it may take it again."""
    follow_logging()
    return _lock


def follow_logging() -> None:
    """Register the hooks after those of `logging`, if they are not yet."""
    if not _is_before_logging:
        import logging  # noqa: F401

        _register()


def call_in_child(reset: "Callable[[], object]") -> None:
    """Call `reset` in every forked child, where the platform has forks."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=reset)


def _register() -> None:
    """Register the hooks; before a fork the last ones run first, so that they wait before `logging` locks what other threads wait for."""
    global _is_before_logging
    _is_before_logging = "logging" in sys.modules
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(before=_prepare, after_in_parent=_release, after_in_child=_replace_lock)


def _prepare() -> None:
    _lock.acquire()
    has_logging = "logging" in sys.modules and "logging" not in _imported_by_others()
    end = monotonic() + (PATIENCE if _is_before_logging or not has_logging else 0)
    while _imported_by_others() and monotonic() < end:
        sleep(0.001)


def _release() -> None:
    try:
        _lock.release()
    except RuntimeError:  # registered by another thread after the fork began
        return


def _imported_by_others() -> "list[str]":
    """The modules whose locks other threads hold. Python has no public call for it; without the private one nothing is known."""
    locks = [(name, reference()) for name, reference in list(getattr(sys.modules["_frozen_importlib"], "_module_locks", {}).items())]
    return [name for name, each in locks if getattr(each, "owner", None) not in (None, get_ident())]


def _replace_lock() -> None:
    global _lock
    _lock = RLock()


_register()
