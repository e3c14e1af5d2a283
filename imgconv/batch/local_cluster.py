"""A Dask cluster of our own: a scheduler in this process, and workers that end with it. Knows nothing of pictures."""

import logging
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing import resource_tracker
from typing import Any

CLOSING = 5.0  # seconds for workers to end by themselves
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def local_cluster(distributed: Any, jobs: int) -> Iterator[Any]:
    """Processes of our own that take one picture each. An interrupt from the terminal is ours to answer, not theirs."""
    resource_tracker.ensure_running()  # when it starts, it lets interrupts through again
    quiet = {"dashboard_address": None, "silence_logs": logging.CRITICAL}
    with ExitStack() as stack:
        with _signals_wait():
            cluster = distributed.LocalCluster(n_workers=jobs, threads_per_worker=1, processes=True, memory_limit=None, **quiet)
            stack.callback(_close, cluster)
        yield cluster


def _close(cluster: Any) -> None:
    with _signals_wait():
        cluster.close(timeout=CLOSING)


@contextmanager
def _signals_wait() -> Iterator[None]:
    """Answer signals at the end of the block: processes half begun or half ended would be left alone.

    Interrupts do not reach processes that are begun meanwhile, nor those that they begin.
    """
    came: list[int] = []
    in_main = threading.current_thread() is threading.main_thread()
    waiting = [number for number in SIGNALS if in_main and callable(signal.getsignal(number))]
    answers = {number: signal.signal(number, lambda number, _: came.append(number)) for number in waiting}
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for number, answer in answers.items():
            signal.signal(number, answer)
        if came:
            signal.raise_signal(came[0])
