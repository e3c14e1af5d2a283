"""Outcomes in the order of their sources, of work that goes on somewhere else: how far ahead it is begun, and when no more is.

Standard input: one image, or many after each other, each worked on and written before the next is looked at.

A run: every input of a list through one job, in order, over a pool of workers.
"""

import sys
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Protocol

from imgconv.batch.outcome import Outcome, told
from imgconv.batch.paths import Url
from imgconv.batch.sources import Source
from imgconv.batch.work import Job, outcome_of, write_maps
from imgconv.errors import ImageError
from imgconv.images import Frames, read_stream
from imgconv.system import CpuSlots, reuse_freed_memory


class Begun(Protocol):
    """An image on its way, as `concurrent.futures` has it."""

    def result(self) -> Outcome | None:
        """What became of it, once that is known; None if it was cancelled after all."""

    def cancel(self) -> bool:
        """Let it not begin; whether it is certain already that it will not."""


def in_order(
    sources: Sequence[Source], begin: Callable[[Source], Begun], room: Callable[[], int], stop_on_error: bool
) -> Iterator[Outcome]:
    """The outcome of each source. No more than `room()` are on their way at once.

    With `stop_on_error` nothing begins after the first outcome with an error; what has begun is finished and told.
    """
    remaining = iter(sources)
    begun: deque[Begun] = deque()
    while True:
        begun += [begin(source) for source in islice(remaining, max(0, room() - len(begun)))]
        if not begun:
            return
        outcome = begun.popleft().result()
        if outcome is None:
            continue
        yield outcome
        if outcome.error and stop_on_error:
            remaining = iter(())
            begun = deque(each for each in begun if not each.cancel())


def outcomes_of_stdin(source: Source, job: Job) -> Iterator[Outcome]:
    """One outcome for each image on standard input; an error ends the stream, since nobody knows where the next one begins."""
    if sys.stdin is None:
        yield Outcome(str(source), error="it is closed; give a file, or a pipe")
        return
    images = read_stream(sys.stdin.buffer, luma=job.recipe.luma, max_pixels=job.max_pixels, salvage=job.salvage)
    number = 0
    while True:
        number += 1
        outcome = Outcome(str(source) if number == 1 else f"{source}, image {number}")
        opened: Frames | None = None
        with told(outcome):
            opened = next(images, None)
            if opened is None and number == 1:
                raise ImageError("standard input is empty; an image is expected there")
            if opened is not None:
                write_maps(opened, job, _numbered(source, number, job), outcome)
        if outcome.error:
            outcome.error = outcome.error.removeprefix(f"image {number} of the stream: ")
        if opened is not None or outcome.error:
            yield outcome
        if opened is None or outcome.error:
            return


def _numbered(source: Source, number: int, job: Job) -> Source:
    """A source with a name of its own for the outputs of image `number` of a stream."""
    if number == 1:
        return source
    if job.destination.file is not None:
        raise ImageError(f"more than one image comes in, and {job.destination.file} holds the first; give a folder with -o")
    return replace(source, relative=Path(f"{source.relative}-{number}"))


WAITERS = 2  # threads beside the workers: enough for the disk to be busy while every worker is
REMOTE_WAITERS = 16  # the same for storages behind a network, which answer late and many at once


def run(sources: Sequence[Source], job: Job, jobs: int, *, stop_on_error: bool = False) -> Generator[Outcome]:
    """The outcome of each source, in their order. Several files are worked on at once by `jobs` workers.

    One image alone, or standard input, is spread over the workers by rows. Standard input gives one outcome for each image in it.
    With `stop_on_error` nothing begins after the first outcome with an error; what has begun is finished and told.
    """
    piped = any(source.path is None for source in sources)
    if piped or len(sources) > 1:
        reuse_freed_memory()
    if len(sources) > 1 and not piped:
        yield from _at_once(sources, replace(job, threads=1, cpu_slots=CpuSlots(jobs)), jobs, stop_on_error)
        return
    job = replace(job, threads=jobs)
    for source in sources:
        for outcome in (outcome_of(source, job),) if source.path is not None else outcomes_of_stdin(source, job):
            yield outcome
            if outcome.error and stop_on_error:
                return


def _at_once(sources: Sequence[Source], job: Job, jobs: int, stop_on_error: bool) -> Iterator[Outcome]:
    waiters = REMOTE_WAITERS if any(isinstance(place, Url) for place in (sources[0].path, job.destination.folder)) else WAITERS
    from concurrent.futures import ThreadPoolExecutor  # for several images alone

    pool = ThreadPoolExecutor(jobs + waiters, thread_name_prefix="imgconv-image")
    try:
        yield from in_order(sources, lambda source: pool.submit(outcome_of, source, job), lambda: 3 * jobs + waiters, stop_on_error)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
