"""A run: every input of a list through one job, in order, over a pool of workers."""

import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from imgconv.batch.outcome import Outcome
from imgconv.batch.sources import Source
from imgconv.batch.work import Job, write_maps
from imgconv.errors import ImgconvError, PictureError
from imgconv.pictures import open_pictures, read_stream


def run(sources: Sequence[Source], job: Job, jobs: int) -> Iterator[Outcome]:
    """The outcome of each source, in their order. Several files are worked on at once by `jobs` workers, two waiting for each.

    One picture alone is spread over the workers by rows. Standard input gives one outcome for each picture in it.
    """
    if len(sources) == 1 or jobs == 1:
        for source in sources:
            yield from _outcomes(source, replace(job, threads=jobs))
        return
    waiting: deque[Future[list[Outcome]]] = deque()
    single = replace(job, threads=1)
    with ThreadPoolExecutor(jobs, thread_name_prefix="imgconv-picture") as pool:
        try:
            for source in sources:
                waiting.append(pool.submit(_listed, source, single))
                if len(waiting) > 2 * jobs:
                    yield from waiting.popleft().result()
            while waiting:
                yield from waiting.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _listed(source: Source, job: Job) -> list[Outcome]:
    return list(_outcomes(source, job))


def _outcomes(source: Source, job: Job) -> Iterator[Outcome]:
    if source.path is None:
        yield from _from_stdin(source, job)
        return
    outcome = Outcome(str(source))
    with (
        _told(outcome),
        open_pictures(source.path, luma=job.recipe.needs_luma_only, max_pixels=job.max_pixels, salvage=job.salvage) as opened,
    ):
        write_maps(opened, job, source, outcome)
    yield outcome


def _from_stdin(source: Source, job: Job) -> Iterator[Outcome]:
    """One outcome for each picture on standard input; an error ends the stream, since nobody knows where the next one begins."""
    if sys.stdin is None:
        yield Outcome(str(source), error="it is closed; give a file, or a pipe")
        return
    pictures = read_stream(sys.stdin.buffer, luma=job.recipe.needs_luma_only, max_pixels=job.max_pixels, salvage=job.salvage)
    number = 0
    while True:
        number += 1
        outcome = Outcome(str(source) if number == 1 else f"{source}, picture {number}")
        done = False
        with _told(outcome):
            opened = next(pictures, None)
            if opened is None:
                done = True
                if number == 1:
                    raise PictureError("standard input is empty; a picture is expected there")
            else:
                with opened:
                    write_maps(opened, job, _numbered(source, number), outcome)
        if not done or outcome.error:
            yield outcome
        if done or outcome.error:
            return


def _numbered(source: Source, number: int) -> Source:
    """A source with a name of its own for the outputs of picture `number` of a stream."""
    return source if number == 1 else replace(source, relative=Path(f"{source.relative}-{number}"))


@contextmanager
def _told(outcome: Outcome) -> Iterator[None]:
    """Put what goes wrong, and the time it took, into `outcome`. A reader that closed the pipe is no fault of the picture."""
    started = time.perf_counter()
    try:
        yield
    except BrokenPipeError:
        raise
    except ImgconvError as error:
        if isinstance(error.__cause__, BrokenPipeError):
            raise error.__cause__ from None
        outcome.error = str(error)
    except OSError as error:
        outcome.error = (error.strerror or str(error)).lower() + (f": {error.filename}" if error.filename else "")
    except MemoryError:
        outcome.error = "not enough memory; use fewer --jobs, or smaller pictures"
    outcome.seconds = time.perf_counter() - started
