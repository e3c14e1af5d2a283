"""A run: every input of a list through one job, in order, over a pool of workers."""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from itertools import islice

from imgconv.batch.failures import told
from imgconv.batch.memory import reuse_freed
from imgconv.batch.outcome import Outcome
from imgconv.batch.sources import Source
from imgconv.batch.stream import outcomes_of_stdin
from imgconv.batch.turns import Turns
from imgconv.batch.work import Job, open_source, write_maps
from imgconv.errors import PictureError

WAITERS = 2  # threads beside the workers: enough for the disk to be busy while every worker is


def run(sources: Sequence[Source], job: Job, jobs: int, *, stop_on_error: bool = False) -> Iterator[Outcome]:
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
        for outcome in (_outcome(source, job),) if source.path is not None else outcomes_of_stdin(source, job):
            yield outcome
            if outcome.error and stop_on_error:
                return


def _at_once(sources: Sequence[Source], job: Job, jobs: int, stop_on_error: bool) -> Iterator[Outcome]:
    remaining = iter(sources)
    begun: deque[Future[Outcome]] = deque()
    pool = ThreadPoolExecutor(jobs + WAITERS, thread_name_prefix="imgconv-picture")
    try:
        while True:
            begun += [pool.submit(_outcome, source, job) for source in islice(remaining, 3 * jobs + WAITERS - len(begun))]
            if not begun:
                return
            outcome = begun.popleft().result()
            yield outcome
            if outcome.error and stop_on_error:
                remaining = iter(())
                begun = deque(future for future in begun if not future.cancel())
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _outcome(source: Source, job: Job) -> Outcome:
    outcome = Outcome(str(source))
    with told(outcome):
        if source.path is None or source.trouble:
            raise PictureError(source.trouble or "standard input is no file")
        with open_source(source.path, job) as opened:
            write_maps(opened, job, source, outcome)
    return outcome
