"""Prepared calls of loops, shared by threads that stay awake for the next ones: for work of a millisecond, which is over before a
sleeping thread would have begun. Knows calls; nothing of what they do.

The thread that asks works too. Helpers wait for work without sleeping for PATIENCE, then sleep until they are called.
"""

import os
import threading
from array import array
from collections.abc import Callable, Iterable
from functools import cache, partial

from imgconv.engine import crew_code
from imgconv.engine.calls import Call, Words

whole_numbers = partial(array, "q")
PATIENCE = 1 << 14  # looks at the desk before a helper goes to sleep: about a millisecond


class Crew:
    """The helpers of this process, and the desk on which they find work."""

    def __init__(self) -> None:
        self._native = crew_code.Native()
        self._desk = whole_numbers([0] * crew_code.DESK_WORDS)
        self._desk[crew_code.YIELD] = crew_code.yield_address()
        self._bell, self._lock = threading.Semaphore(0), threading.Lock()
        self.helpers = self._rung = 0

    def run(self, jobs: Iterable[Iterable[Callable[[], None]]], total: int, threads: int) -> None:
        """Make the calls of `total` jobs, those of one job in order, on `threads` threads. Jobs are begun while others are yet prepared.

        Calls that are no `Call` of compiled code are made here, at once, with those before them in their job.
        """
        helpers = min(threads, total) - 1
        self._rouse(helpers)
        table, kept = whole_numbers([0] * (2 * total)), []
        board = whole_numbers([0, 0, total, _address(table), 0, helpers])
        at, desk = _address(board), _address(self._desk)
        try:  # whatever happens, no helper looks at what is gone
            self._native.open(desk, at)
            for number, job in enumerate(jobs):
                calls = _made_here(job)
                steps = whole_numbers([number for call in calls for number in (call.entry.address, _address(call.words))])
                kept.append((calls, steps))
                table[2 * number], table[2 * number + 1] = _address(steps), len(calls)
                self._native.post(at)
        finally:
            self._native.close(desk, at)
        if board[4]:
            raise RuntimeError("a loop failed")

    def _rouse(self, helpers: int) -> None:
        """See that so many helpers are awake, or about to be."""
        with self._lock:
            missing = helpers - self._rung - self._desk[crew_code.AWAKE]
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
            self._native.help(_address(self._desk), PATIENCE)


def _made_here(job: Iterable[Callable[[], None]]) -> list[Call]:
    """The calls at the end of a job that are left to do natively; those up to the last one that cannot be are made now."""
    left: list[Call] = []
    for call in job:
        if isinstance(call, Call):
            left.append(call)
            continue
        for earlier in left:
            earlier()
        left.clear()
        call()
    return left


def _address(numbers: Words) -> int:
    return numbers.buffer_info()[0]


@cache
def crew() -> Crew | None:
    """The crew of this process; None where LLVM does not make what it needs."""
    try:
        return Crew()
    except RuntimeError:
        return None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=crew.cache_clear)  # threads do not survive a fork
