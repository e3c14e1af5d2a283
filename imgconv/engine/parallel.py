"""Run bands of rows on several threads.

The calling thread works too, next to helpers that sleep between calls and live as long as the process. A thread that is already at work
on a band gets no helpers for nested calls, so that nested calls never wait for each other.
"""

import threading
from _thread import start_new_thread
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from queue import SimpleQueue

from imgconv.engine import forks
from imgconv.system import usable_cores

Work = Callable[[int, int], None]


def default_threads() -> int:
    """The cores that this process may use, given its affinity and the quota of its control groups."""
    return usable_cores()


def run_bands(work: Work, rows: int, rows_per_band: int, threads: int | None = None) -> None:
    """Call `work(first, last)` for bands that cover range(rows), on `threads` threads (default: the cores this process may use).

    Bands depend on `rows` and `rows_per_band` alone, never on `threads`. A single band runs on the calling thread. When a band raises,
    no other begins, and the error is raised here once those that had begun have ended. Any number of threads may call at once.

    >>> sums = [0, 0, 0]
    >>> run_bands(lambda first, last: sums.__setitem__(first // 4, last - first), rows=10, rows_per_band=4)
    >>> sums
    [4, 4, 2]
    """
    step = max(rows_per_band, 1)
    bands = deque((first, min(first + step, rows)) for first in range(0, rows, step))
    threads = threads or default_threads()
    if threads == 1 or len(bands) < 2 or getattr(_this_thread, "is_busy", False):
        for first, last in bands:
            work(first, last)
    else:
        _Shared(work, bands).run(min(threads, len(bands)) - 1, threads)


class _Shared:
    """Bands that the calling thread and its helpers share.

    A signal handler may raise between any two steps of the calling thread. So the state is in objects whose calls are atomic, and
    `threading.Condition` is not used: an exception inside of it leaves its lock held.
    """

    def __init__(self, work: Work, bands: deque[tuple[int, int]]):
        self._work, self._bands = work, bands
        self._started: list[None] = []  # one element for each helper that may have taken a band
        self._ended: list[None] = []
        self._wake: SimpleQueue[None] = SimpleQueue()
        self._errors: list[BaseException] = []

    def run(self, helpers: int, threads: int) -> None:
        """Run all bands. Afterwards no helper is at work, also if an exception was raised at any moment."""
        try:
            with suppress(RuntimeError):  # no thread can start while the interpreter shuts down: this one does all bands
                queue = _helpers(threads - 1)
                for _ in range(helpers):
                    queue.put(self._help)
            self._do_bands()
        finally:
            try:
                self._end()
            except BaseException:  # a signal handler raised while this thread waited
                self._end()
                raise
        if self._errors:
            raise self._errors[0]

    def _do_bands(self) -> None:
        try:
            _this_thread.is_busy = True
            while band := self._next_band():
                self._work(*band)
        finally:
            _this_thread.is_busy = False

    def _next_band(self) -> tuple[int, int] | None:
        try:
            return self._bands.popleft()
        except IndexError:  # another thread took the last band
            return None

    def _help(self) -> None:
        self._started.append(None)
        try:
            self._do_bands()
        except BaseException as error:  # raised again by the calling thread
            self._bands.clear()
            self._errors.append(error)
        finally:
            self._ended.append(None)
            self._wake.put(None)

    def _end(self) -> None:
        """Let no band begin, and wait for those of helpers; a helper that has not started finds no band and is not waited for."""
        self._bands.clear()
        while len(self._ended) < len(self._started):
            self._wake.get()


@cache
def _helpers(count: int) -> "SimpleQueue[Callable[[], None]]":
    """The queue from which `count` threads take calls. Raises RuntimeError if no thread can start.

    A ThreadPoolExecutor did the same at the same speed, but a signal handler that raises while it starts a thread or submits a call leaves
    its locks held for ever (2026-11). `start_new_thread` and a SimpleQueue are atomic.
    """
    queue: SimpleQueue[Callable[[], None]] = SimpleQueue()
    for started in range(count):
        try:
            start_new_thread(_serve, (queue,))
        except RuntimeError:
            if not started:
                raise
            break
    return queue


def _serve(queue: "SimpleQueue[Callable[[], None]]") -> None:
    while True:
        queue.get()()


_this_thread = threading.local()
forks.call_in_child(_helpers.cache_clear)  # threads do not survive a fork
