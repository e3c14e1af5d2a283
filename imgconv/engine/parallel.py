"""Bands of rows spread over threads. Knows nothing of what is done to a band.

The thread that asks works too, beside helpers that live as long as the process. A thread that is already at work on a band gets no
helpers for the bands that it asks for, so nested calls never wait for each other.
"""

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING

from imgconv.system import usable_cores

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

    from imgconv.engine.crew import Crew

Work = Callable[[int, int], None]
Call = Callable[[], None]


def default_threads() -> int:
    """The cores that this process may use: its affinity, and the quota of its control groups."""
    return usable_cores()


def run_bands(work: Work, rows: int, rows_per_band: int, threads: int | None = None) -> None:
    """Call `work(first, last)` for bands that cover range(rows), on `threads` threads (default: the cores this process may use).

    Bands depend on `rows` and `rows_per_band` alone, never on `threads`. When a band raises, no other begins, and the error is raised
    here once those that had begun are over. Any number of threads may call at once.

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
        _share(work, bands, threads)


def run_calls(jobs: Iterable[Iterable[Call]], total: int, threads: int | None = None) -> None:
    """Make the calls of `total` jobs, those of one job in order, on `threads` threads: `run_bands` for calls made by a `store.pattern`.

    Of compiled loops alone, whose helpers need no interpreter and, where they have just worked, are still awake.

    >>> done = []
    >>> run_calls([[lambda: done.append(1), lambda: done.append(2)]], total=1)
    >>> done
    [1, 2]
    """
    threads = threads or default_threads()
    if threads == 1 or total < 2 or getattr(_this_thread, "is_busy", False):
        for job in jobs:
            _make(job)
    elif found := _crew():
        found.run(jobs, total, threads)
    else:
        prepared = [tuple(job) for job in jobs]
        run_bands(lambda first, last: _make(prepared[first]), len(prepared), 1, threads)


def _make(calls: Iterable[Call]) -> None:
    for call in calls:
        call()


def _crew() -> "Crew | None":
    try:
        from imgconv.engine.crew import crew
    except ImportError:  # llvmlite is another than it should be: loops are plain Numba's
        return None
    return crew()


def _share(work: Work, bands: deque[tuple[int, int]], threads: int) -> None:
    """Do the bands here and on up to `threads` - 1 helpers, each taking the next one that is left."""
    helpers: list[Future[None]] = []
    try:
        with suppress(RuntimeError):  # the interpreter is closing down and starts no thread: this one does what is left
            for _ in range(min(threads, len(bands)) - 1):
                helpers.append(_pool(threads - 1).submit(_do_next, work, bands))
        _do_next(work, bands)
    finally:
        helpers = [helper for helper in helpers if not helper.cancel()]  # those busy elsewhere are not waited for
        for helper in helpers:
            helper.exception()
    for helper in helpers:
        helper.result()


def _do_next(work: Work, bands: deque[tuple[int, int]]) -> None:
    _this_thread.is_busy = True
    try:
        while band := _taken(bands):
            work(*band)
    finally:
        bands.clear()
        _this_thread.is_busy = False


def _taken(bands: deque[tuple[int, int]]) -> tuple[int, int] | None:
    try:
        return bands.popleft()
    except IndexError:  # another thread took the last one
        return None


@cache
def _pool(helpers: int) -> "ThreadPoolExecutor":
    from concurrent.futures import ThreadPoolExecutor  # 3 ms, not spent on an image of one band

    return ThreadPoolExecutor(helpers, thread_name_prefix="imgconv-band")


_this_thread = threading.local()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.cache_clear)  # threads do not survive a fork
