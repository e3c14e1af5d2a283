"""A lock for code that a signal handler may leave with an exception."""

import threading
from contextlib import suppress


class InterruptibleLock:
    """A lock for `with` statements, which a signal handler may leave at any place.

    On CPython 3.14 an exception of a handler may arrive after the lock is taken and before its block begins, and then nothing releases it.
    The thread that has left it so releases it when it enters the next block. Blocks must not be nested.

    >>> lock = InterruptibleLock()
    >>> lock.__enter__()
    >>> with lock:
    ...     pass
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()

    def __enter__(self) -> None:
        with suppress(RuntimeError):  # it is not ours
            while True:
                self._lock.release()
        self._lock.acquire()

    def __exit__(self, *error: object) -> None:
        self._lock.release()
