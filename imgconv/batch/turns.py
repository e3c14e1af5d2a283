"""Turns to compute, for more threads than there are workers: one that has only to wait for the disk gives its turn to another."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Turns:
    """As many turns as there are workers. A thread holds one at most."""

    def __init__(self, workers: int = 1):
        self._free = threading.Semaphore(workers)
        self._mine = threading.local()

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Hold a turn, once one is free, to the end of the block or until it is given back."""
        self._free.acquire()
        self._mine.held = True
        try:
            yield
        finally:
            self.give_back()

    def give_back(self) -> None:
        """Let another thread compute. What little is left to do is done without a turn: to wait for one would hold up a finished file."""
        if getattr(self._mine, "held", False):
            self._mine.held = False
            self._free.release()
