"""Turns to compute, for more threads than there are workers: one that waits for the disk leaves its turn to another."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Semaphore


class Turns:
    """As many turns as there are workers."""

    def __init__(self, workers: int = 1):
        self._free = Semaphore(workers)

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Hold a turn, once one is free."""
        with self._free:
            yield

    @contextmanager
    def left(self) -> Iterator[None]:
        """Leave the turn that is held, and take it up again."""
        self._free.release()
        try:
            yield
        finally:
            self._free.acquire()
