"""BLAS held to one thread. OpenBLAS sums in another order where it has more of them, and results would depend on the machine's cores.

The threads are those of `run_bands`. This module knows the OpenBLAS that numpy was linked to; any other BLAS is left as it is.
"""

import ctypes
import os
import threading
from collections.abc import Callable
from functools import cache
from importlib import import_module
from types import TracebackType

_NAMES = ("scipy_openblas_{}64_", "scipy_openblas_{}", "openblas_{}64_", "openblas_{}")  # as numpy's wheels and distributions build it


class OneThread:
    """A context in which BLAS runs on one thread in the whole process; any number of threads may be in it at once.

    >>> with one_blas_thread:
    ...     blas_threads() in (1, None)
    True
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._before = 1

    def __enter__(self) -> None:
        with self._lock:
            calls = _openblas()
            if calls and not self._inside:
                read, write = calls
                self._before = read()
                write(1)
            self._inside += 1

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with self._lock:
            self._leave(1)

    def forget(self) -> None:
        """Nobody is inside any longer: the threads of a process do not survive a fork."""
        self._lock = threading.Lock()
        if self._inside:
            self._leave(self._inside)

    def _leave(self, count: int) -> None:
        self._inside -= count
        calls = _openblas()
        if calls and not self._inside:
            calls[1](self._before)


def blas_threads() -> int | None:
    """The threads that BLAS would run on now; None if it is not an OpenBLAS that can be asked."""
    calls = _openblas()
    return calls[0]() if calls else None


@cache
def _openblas() -> tuple[Callable[[], int], Callable[[int], None]] | None:
    """The calls that read and set OpenBLAS's number of threads."""
    try:
        library = ctypes.CDLL(str(import_module("numpy._core._multiarray_umath").__file__))
    except (ImportError, OSError):
        return None
    for name in _NAMES:
        read, write = (getattr(library, name.format(f"{verb}_num_threads"), None) for verb in ("get", "set"))
        if read is not None and write is not None:
            return read, write
    return None


one_blas_thread = OneThread()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=one_blas_thread.forget)
