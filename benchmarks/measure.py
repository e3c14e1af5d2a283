"""Measuring: pairs of ours and a peer's, one after the other, so that whatever else the machine does hits both."""

import importlib
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType

Job = Callable[[], object]
SECONDS = 3.0  # per line
FEWEST, MOST = 5, 41
TURN, PAUSE = 0.03, 0.01


@dataclass(frozen=True)
class Line:
    """One line of the table: how many times as fast as the peer `ours` should be. `theirs` is None where the peer is missing."""

    name: str
    peer: str
    goal: float | None
    ours: Job
    theirs: Job | None


@dataclass(frozen=True)
class Result:
    """Seconds at best, and the median over all pairs of theirs/ours; None where the peer is missing."""

    line: Line
    ours: float
    theirs: float | None = None
    ratio: float | None = None

    @property
    def is_met(self) -> bool | None:
        if self.ratio is None or self.line.goal is None:
            return None
        return self.ratio >= self.line.goal


def peer(name: str) -> ModuleType | None:
    """A module to compare with, or None where it is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def measure(line: Line, seconds: float = SECONDS) -> Result:
    """Turns of both, one after the other, for so many seconds, after one run each to warm up."""
    line.ours()
    if line.theirs is None:
        return Result(line, min(_seconds(line.ours) for _ in range(FEWEST)))
    line.theirs()
    pairs: list[tuple[float, float]] = []
    end = time.perf_counter() + seconds
    while len(pairs) < FEWEST or (len(pairs) < MOST and time.perf_counter() < end):
        ours = _turn(line.ours)
        pairs.append((ours, _turn(line.theirs)))
    return Result(
        line,
        min(ours for ours, _ in pairs),
        min(theirs for _, theirs in pairs),
        statistics.median(theirs / ours for ours, theirs in pairs),
    )


def _turn(job: Job) -> float:
    """The median of runs that follow one another, the first left out where there is time for several.

    The pause lets the other's threads go to sleep: those of OpenMP, OpenCV and ours stay awake for a moment after their work.
    """
    time.sleep(PAUSE)
    runs, end = [], time.perf_counter() + TURN
    while not runs or time.perf_counter() < end:
        runs.append(_seconds(job))
    return statistics.median(runs[1:] or runs)


def _seconds(job: Job) -> float:
    started = time.perf_counter()
    job()
    return time.perf_counter() - started
