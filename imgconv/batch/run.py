"""A run: every input of a list through one job, in order, over a pool of workers."""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace

from imgconv.batch.memory import reuse_freed
from imgconv.batch.order import in_order
from imgconv.batch.outcome import Outcome
from imgconv.batch.sources import Source
from imgconv.batch.stream import outcomes_of_stdin
from imgconv.batch.turns import Turns
from imgconv.batch.urls import Url
from imgconv.batch.work import Job, outcome_of

WAITERS = 2  # threads beside the workers: enough for the disk to be busy while every worker is
REMOTE_WAITERS = 16  # the same for storages behind a network, which answer late and many at once


def run(sources: Sequence[Source], job: Job, jobs: int, *, stop_on_error: bool = False) -> Generator[Outcome]:
    """The outcome of each source, in their order. Several files are worked on at once by `jobs` workers.

    One picture alone, or standard input, is spread over the workers by rows. Standard input gives one outcome for each picture in it.
    With `stop_on_error` nothing begins after the first outcome with an error; what has begun is finished and told.
    """
    piped = any(source.path is None for source in sources)
    if piped or len(sources) > 1:
        reuse_freed()
    if len(sources) > 1 and not piped:
        yield from _at_once(sources, replace(job, threads=1, turns=Turns(jobs)), jobs, stop_on_error)
        return
    job = replace(job, threads=jobs)
    for source in sources:
        for outcome in (outcome_of(source, job),) if source.path is not None else outcomes_of_stdin(source, job):
            yield outcome
            if outcome.error and stop_on_error:
                return


def _at_once(sources: Sequence[Source], job: Job, jobs: int, stop_on_error: bool) -> Iterator[Outcome]:
    waiters = REMOTE_WAITERS if any(isinstance(place, Url) for place in (sources[0].path, job.destination.folder)) else WAITERS
    from concurrent.futures import ThreadPoolExecutor  # for several pictures alone

    pool = ThreadPoolExecutor(jobs + waiters, thread_name_prefix="imgconv-picture")
    try:
        yield from in_order(sources, lambda source: pool.submit(outcome_of, source, job), lambda: 3 * jobs + waiters, stop_on_error)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
