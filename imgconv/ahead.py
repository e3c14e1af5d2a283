"""Calls that run on other threads a few items ahead, or on this thread if no other one can start."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event, Thread
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_order(
    function: Callable[[Item], Result], items: Iterable[Item], *, threads: int | None = None, ahead: int | None = None
) -> Iterator[Result]:
    """Yield `function(item)` of each item in order, computed on as many threads as there are cores, `ahead` items before their turn.

    >>> list(in_order(len, ["a", "bc", ""]))
    [1, 2, 0]
    """
    threads = threads or os.cpu_count() or 1
    most = 4 * threads if ahead is None else ahead
    pending: deque[Future[Result]] = deque()
    pool = ThreadPoolExecutor(threads, thread_name_prefix="imgconv-ahead")
    try:
        for item in items:
            pending.append(submitted(pool, function, item))
            if len(pending) > most:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def submitted(pool: ThreadPoolExecutor, function: Callable[[Item], Result], item: Item) -> Future[Result]:
    """Call `function(item)` on a thread of the pool, or on this thread if no other one can start."""
    try:
        return pool.submit(function, item)
    except RuntimeError:  # no thread can start
        result: Future[Result] = Future()
        try:
            result.set_result(function(item))
        except BaseException as error:
            result.set_exception(error)
        return result


def can_start(threads: int) -> bool:
    """Whether `threads` threads can start now, which is how many a library starts for one image.

    >>> can_start(1)
    True
    """
    end, started = Event(), []
    try:
        for _ in range(threads):
            thread = Thread(target=end.wait, daemon=True)
            thread.start()
            started.append(thread)
    except RuntimeError:
        return False
    finally:
        end.set()
        for thread in started:
            thread.join()
    return True
