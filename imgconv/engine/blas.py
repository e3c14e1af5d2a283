"""Limit BLAS to one thread: with more threads it sums in another order, and results would depend on the number of cores.

The matrix products run on the threads of `run_bands` instead. Of all BLAS libraries in the process, only that of NumPy is limited if it
can be identified.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from imgconv.engine import forks
from imgconv.platforms import InterruptibleLock

Library = Any  # threadpoolctl's LibController, which has no types


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Limit BLAS to one thread in the whole process. Any number of threads may do so at once; the last one restores the former number.

    >>> with one_blas_thread():
    ...     blas_threads() in (1, None)
    True
    """
    user = object()
    try:
        _limit.add(user)
        yield
    finally:
        try:
            _limit.remove(user)
        except BaseException:  # a signal handler raised meanwhile
            _limit.remove(user)
            raise


def blas_threads() -> int | None:
    """The number of threads that BLAS would use now; None if threadpoolctl does not support the BLAS library."""
    return max((library.num_threads or 1 for library in _libraries()), default=None)


class _Limit:
    """The users of the limit, and the numbers of threads to restore after the last one."""

    def __init__(self) -> None:
        self._lock = InterruptibleLock()
        self._users: set[object] = set()
        self._former: list[tuple[Library, int]] = []

    def add(self, user: object) -> None:
        libraries = _libraries()
        with self._lock:
            if not self._users:
                self._former = [(library, library.num_threads or 1) for library in libraries]
                for library in libraries:
                    _set_threads(library, 1)
            self._users.add(user)

    def remove(self, user: object) -> None:
        """Remove a user, who may be missing."""
        with self._lock:
            self._users.discard(user)
            if not self._users:
                self._restore()

    def reset(self) -> None:
        """Remove all users: their threads do not exist in a forked child."""
        self._lock = InterruptibleLock()
        self._users.clear()
        self._restore()

    def _restore(self) -> None:
        for library, threads in self._former:
            _set_threads(library, threads)
        self._former = []


def _set_threads(library: Library, threads: int) -> None:
    """Set the number of threads of a library, from any thread.

    From threadpoolctl 3.8 on, the public call of OpenBLAS does nothing in other threads than the first, and takes a lock, which an
    exception of a signal handler leaves locked on CPython 3.14. The call below it has neither.
    """
    getattr(library, "_real_set_num_threads", library.set_num_threads)(threads)


@cache
def _libraries() -> list[Library]:
    """The BLAS libraries to limit; loaded once, since the search takes milliseconds."""
    with forks.lock():
        from threadpoolctl import ThreadpoolController

        loaded: list[Library] = ThreadpoolController().select(user_api="blas").lib_controllers
    package = Path(np.__file__).parent
    folders = package, package.with_name("numpy.libs")  # of NumPy's wheels
    own = [library for library in loaded if any(Path(library.filepath).is_relative_to(folder) for folder in folders)]
    return own or loaded


_limit = _Limit()
forks.call_in_child(_limit.reset)
