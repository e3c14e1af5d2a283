"""Run a job over all sources, in order, on a pool of threads; standard input may hold several images."""

import sys
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from imgconv.batch.job import Job
from imgconv.batch.outcome import Outcome, recorded
from imgconv.batch.sources import Source
from imgconv.batch.urls import Url
from imgconv.batch.work import process_opened, process_source
from imgconv.errors import ImageError
from imgconv.images import Frames, read_stream
from imgconv.platforms import IS_WINDOWS
from imgconv.system import CpuSlots, affordable_threads, reuse_freed_memory

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

EXTRA_THREADS = 2  # besides the workers, so that the disk is busy while every worker computes
EXTRA_THREADS_REMOTE = 16  # the same for storages on a network, which respond late and to many requests at once
POLL_INTERVAL = 0.2  # seconds


class PendingOutcome(Protocol):
    """The future outcome of an image, as in `concurrent.futures`."""

    def result(self) -> Outcome | None:
        """Wait for the outcome; None if the image was cancelled."""

    def cancel(self) -> bool:
        """Cancel the image if its work has not begun; True if that is certain."""


def run_sources(sources: Sequence[Source], job: Job, jobs: int, *, stop_on_error: bool = False) -> Generator[Outcome]:
    """Yield the outcome of each source, in order. `jobs` workers process several files at once.

    The rows of a single image, or of each image on standard input, are distributed over the workers. Standard input yields one
    outcome for each of its images. With `stop_on_error` no image begins after the first error; those in progress are finished.
    """
    has_stdin = any(source.path is None for source in sources)
    if has_stdin or len(sources) > 1:
        reuse_freed_memory()
    if len(sources) > 1 and not has_stdin:
        yield from _run_threads(sources, replace(job, threads=1, cpu_slots=CpuSlots(jobs)), jobs, stop_on_error)
        return
    job = replace(job, threads=jobs)
    for source in sources:
        for outcome in (process_source(source, job),) if source.path is not None else _process_stdin(source, job):
            yield outcome
            if outcome.error and stop_on_error:
                return


def in_order(
    sources: Sequence[Source], submit: Callable[[Source], PendingOutcome], capacity: Callable[[], int], stop_on_error: bool
) -> Iterator[Outcome]:
    """Submit all sources, at most `capacity()` at once, and yield their outcomes in order.

    With `stop_on_error` nothing is submitted after the first error; the outcomes of images in progress are still yielded.
    """
    remaining = iter(sources)
    pending: deque[PendingOutcome] = deque()
    while True:
        pending += [submit(source) for source in islice(remaining, max(0, capacity() - len(pending)))]
        if not pending:
            return
        outcome = pending.popleft().result()
        if outcome is None:
            continue
        yield outcome
        if outcome.error and stop_on_error:
            remaining = iter(())
            pending = deque(each for each in pending if not each.cancel())


def _run_threads(sources: Sequence[Source], job: Job, jobs: int, stop_on_error: bool) -> Iterator[Outcome]:
    is_remote = any(isinstance(path, Url) for path in (sources[0].path, job.destination.folder))
    extra = EXTRA_THREADS_REMOTE if is_remote else EXTRA_THREADS
    pool = _started_pool(jobs + extra)
    if pool is None:
        yield from in_order(sources, lambda source: _Done(process_source(source, job)), lambda: 1, stop_on_error)
        return

    def submit(source: Source) -> PendingOutcome:
        future = pool.submit(process_source, source, job)
        return _Interruptible(future) if IS_WINDOWS else future

    try:
        yield from in_order(sources, submit, lambda: 3 * jobs + extra, stop_on_error)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _started_pool(threads: int) -> "ThreadPoolExecutor | None":
    """Return a pool of `threads` threads, or of as many as the system lets start; None if it lets none."""
    from concurrent.futures import ThreadPoolExecutor  # only needed for several images

    threads = affordable_threads(threads)
    while threads:
        pool = ThreadPoolExecutor(threads, thread_name_prefix="imgconv-image")
        started, begin = 0, threading.Event()
        try:
            for started in range(threads):  # noqa: B007
                pool.submit(begin.wait)
        except RuntimeError:
            begin.set()
            pool.shutdown()
            threads = started
            continue
        begin.set()
        return pool
    return None


class _Done(NamedTuple):
    """The outcome of an image that was processed at once."""

    outcome: Outcome

    def result(self) -> Outcome:
        return self.outcome

    def cancel(self) -> bool:
        return False


def _process_stdin(source: Source, job: Job) -> Iterator[Outcome]:
    """Yield an outcome for each image on standard input. An error ends the stream, since the next image cannot be located."""
    request = job.reading._replace(luma=job.recipe.luma, level=None, premultiplied=True)
    images = read_stream(sys.stdin.buffer, request)
    number = 0
    while True:
        number += 1
        outcome = Outcome(str(source) if number == 1 else f"{source}, image {number}")
        opened: Frames | None = None
        with recorded(outcome):
            opened = next(images, None)
            if opened is None and number == 1:
                raise ImageError("standard input is empty; send an image through it")
            if opened is not None:
                opened = opened if job.region is None else opened.cropped(job.region, job.reading.max_pixels)
                process_opened(opened, job, _numbered(source, number, job), outcome)
        if outcome.error:
            outcome.error = outcome.error.removeprefix(f"image {number} of the stream: ")
        if opened is not None or outcome.error:
            yield outcome
        if opened is None or outcome.error:
            return


def _numbered(source: Source, number: int, job: Job) -> Source:
    """Return a source with output names of its own for image `number` of a stream."""
    if number == 1:
        return source
    if job.destination.file is not None:
        raise ImageError(f"standard input holds several images, and {job.destination.file} takes one; give a folder with -o")
    numbered = source._replace(relative=Path(f"{source.relative}-{number}"))
    for each in job.destination.possible() if job.names else ():
        for path in each.outputs(numbered, job.recipe):
            if other := job.names and job.names.source_of(path):
                raise ImageError(f"{other} has the output {path} too; rename that file, or process this stream separately")
    return numbered


class _Interruptible:
    """The future of a thread, for Windows: there, Ctrl-C takes effect between waits and not during one."""

    def __init__(self, future: "Future[Outcome]"):
        self._future, self.cancel = future, future.cancel

    def result(self) -> Outcome:
        from concurrent.futures import wait

        while not self._future.done():
            wait([self._future], timeout=POLL_INTERVAL)
        return self._future.result()
