"""Prepared calls of loops, shared by threads that stay awake for the next ones: for work of a millisecond, which is over before a
sleeping thread would have begun. Knows calls; nothing of what they do.

The thread that asks works too. Helpers wait for work without sleeping for PATIENCE, then sleep until they are called.
"""

import os
import threading
from collections.abc import Sequence
from functools import cache

import numpy as np

from imgconv.engine import crew_code
from imgconv.engine.calls import Call

PATIENCE = 1 << 14  # looks at the desk before a helper goes to sleep: about a millisecond


class Crew:
    """The helpers of this process, and the desk on which they find work."""

    def __init__(self) -> None:
        self._native = crew_code.Native()
        self._desk = np.zeros(crew_code.DESK_WORDS, np.int64)
        self._desk[crew_code.YIELD] = crew_code.yield_address()
        self._bell, self._lock = threading.Semaphore(0), threading.Lock()
        self.helpers = self._rung = 0

    def run(self, jobs: Sequence[Sequence[Call]], threads: int) -> None:
        """Make the calls of all jobs, those of one job in order, on `threads` threads."""
        helpers = min(threads, len(jobs)) - 1
        self._rouse(helpers)
        calls = [call for job in jobs for call in job]
        words = np.array([word for call in calls for word in call.words], np.int64)
        at, starts, steps = words.ctypes.data, [0], []
        for call in calls:
            steps += [call.entry.address, at]
            at += 8 * len(call.words)
        for job in jobs:
            starts.append(starts[-1] + len(job))
        table = np.array(starts + steps, np.int64)
        begin = table.ctypes.data
        board = np.array([0, len(jobs), begin, begin + 8 * len(starts), 0, helpers], np.int64)
        self._native.lead(self._desk.ctypes.data, board.ctypes.data)
        if board[4]:
            raise RuntimeError("a loop failed")

    def _rouse(self, helpers: int) -> None:
        """See that so many helpers are awake, or about to be."""
        with self._lock:
            missing = helpers - self._rung - int(self._desk[crew_code.AWAKE])
            while missing > 0 and self.helpers < helpers and self._hire():
                self.helpers += 1
            if missing > 0:
                self._rung += missing
                self._bell.release(missing)

    def _hire(self) -> bool:
        try:
            threading.Thread(target=self._serve, name=f"imgconv-crew-{self.helpers}", daemon=True).start()
        except RuntimeError:  # the interpreter is closing down and starts no thread
            return False
        return True

    def _serve(self) -> None:
        while True:
            self._bell.acquire()
            with self._lock:
                self._rung -= 1
            self._native.help(self._desk.ctypes.data, PATIENCE)


@cache
def crew() -> Crew | None:
    """The crew of this process; None where LLVM does not make what it needs."""
    try:
        return Crew()
    except RuntimeError:
        return None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=crew.cache_clear)  # threads do not survive a fork
