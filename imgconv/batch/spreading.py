"""One large image on a cluster: workers compute parts of it, and write whole chunks of one Zarr output.

All workers see the input and the output under the same names. A part that is computed again, since its worker was lost, writes the same
chunks. The output gets its name when all parts are there.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from imgconv.batch.banding import NotByBands, Rows, Run
from imgconv.batch.outcome import Outcome, RunningStatistics, recorded
from imgconv.batch.paths import is_zarr
from imgconv.batch.sources import Source
from imgconv.batch.tasks import unpickled
from imgconv.batch.work import Job, Sink, memory_of_bands, open_source, settle
from imgconv.errors import ImageError, ImgconvError
from imgconv.images import Frames
from imgconv.images.zarr_store import Store
from imgconv.images.zarr_writer import CHUNK, Output, create

_PARTS = 3  # at least, for each thread of the cluster
_MOST_UNITS = 8  # of a part, so that a lost worker costs little
_REDUCED = 4  # rows of chunks that a task reduces
Task = Callable[[bytes], Any]  # what a worker does with the pickled job
RunAll = Callable[[Sequence[Task]], Iterator[Any]]  # runs tasks on the cluster and yields their results in order


def is_large(source: Source, job: Job) -> bool:
    """Whether an image is to be spread: a large one that can be opened here and by parts elsewhere, with a Zarr output."""
    if job.destination.format != "zarr" or job.dry_run or source.error or source.path is None:
        return False
    if not isinstance(source.path, Path) and not is_zarr(source.path):
        return False  # every worker would read all of it
    try:
        with open_source(source.path, job) as opened:
            if opened.header.frames > 1:
                return False
            settled = settle(opened, replace(job, existing="replace"), source, Outcome(str(source)))
            return settled is not None and settled[2] > job.large
    except (ImgconvError, OSError):  # the worker that gets the image reports it
        return False


def spread(source: Source, job: Job, run_all: RunAll, threads: int) -> Outcome | None:
    """Process a large image on a cluster with so many threads. Returns None for one that cannot be processed by bands."""
    outcome, failures = Outcome(str(source)), []

    def run_tasks(tasks: Sequence[Task]) -> Iterator[Any]:
        try:
            yield from run_all(tasks)
        except Exception as error:  # of the cluster; errors of the image are in the results
            failures.append(error)
            raise

    with recorded(outcome):
        assert source.path is not None
        with open_source(source.path, job) as opened:
            settled = settle(opened, job, source, outcome)
            if settled is None:
                return outcome
            own, sinks, _ = settled
            try:
                run = _run(opened, own, len(sinks))
                unit = run.unit(_chunk_rows(own, run.height))
            except NotByBands:
                return None
            if unit is None:
                return None
            _write(source, own, sinks, run, _parts(run.height, unit, threads), run_tasks, outcome)
    if failures:
        raise failures[0]
    return outcome


def _write(source: Source, job: Job, sinks: Sequence[Sink], run: Run, parts: list[Rows], run_all: RunAll, outcome: Outcome) -> None:
    """Let workers measure the image, write its parts and reduce it; then give the outputs their names."""
    found: list[Any] = []
    if run.is_measured:
        found = [_checked(each).found for each in run_all([partial(measure_part, source, part, len(sinks)) for part in parts])]
        run.take(found)
    outcome.missing_before = run.missing
    statistics: dict[tuple[int, int], RunningStatistics] = {}
    with ExitStack() as stack:
        stores = [stack.enter_context(sink.open()) for sink in sinks]
        pages = [len(each) for each in run.pages]
        outputs = []
        for store, form, count in zip(stores, run.forms(outcome), pages, strict=True):
            assert isinstance(store, Store)
            outputs.append(create(store, form, count, job.description, job.layout))
        results = run_all([partial(write_part, source, part, outputs, found) for part in parts])
        for number, result in enumerate(map(_checked, results), 1):
            for key, part in result.statistics.items():
                if key in statistics:
                    statistics[key].merge(part)
                else:
                    statistics[key] = part
            outcome.missing_after += result.missing
            if job.progress is not None:
                job.progress(number / len(parts))
        for level in range(1, max(len(output.paths) for output in outputs)):
            for each in run_all(_reductions(outputs, pages, level)):
                _checked(each)
    outcome.maps = [each.result() for _, each in sorted(statistics.items())] if job.statistics else []
    outcome.outputs += [sink.name for sink in sinks]


@dataclass
class Part:
    """What a worker did with a part of an image: what it measured, or the statistics and missing cells of its rows; or its error."""

    error: str | None = None
    found: list[Any] = field(default_factory=list)
    statistics: dict[tuple[int, int], RunningStatistics] = field(default_factory=dict)
    missing: int = 0


def measure_part(source: Source, part: Rows, sinks: int, pickled_job: bytes) -> Part:
    """Measure some output rows on this worker."""
    outcome, result = Outcome(str(source)), Part()
    with recorded(outcome), _running(source, pickled_job, sinks) as run:
        result.found = run.measure(part)
    return replace(result, error=outcome.error)


def write_part(source: Source, part: Rows, outputs: Sequence[Output], found: Sequence[list[Any]], pickled_job: bytes) -> Part:
    """Compute and write some output rows on this worker."""
    outcome, result = Outcome(str(source)), Part()
    with recorded(outcome), _running(source, pickled_job, len(outputs)) as run:
        run.group = outputs[0].chunk[0]
        if found:
            run.take(found)
        run.write_part(outputs, part, outcome)
        result.statistics = run.statistics
    return replace(result, error=outcome.error, missing=outcome.missing_after)


def reduce_part(output: Output, level: int, page: int, part: Rows, pickled_job: bytes) -> Part:
    """Write some rows of a reduced copy on this worker."""
    unpickled(pickled_job)
    outcome = Outcome("")
    with recorded(outcome):
        output.reduce(level, page, *part)
    return Part(outcome.error)


def _reductions(outputs: Sequence[Output], pages: Sequence[int], level: int) -> list[Task]:
    """Return the tasks that write a resolution, of a few rows of chunks each."""
    tasks: list[Task] = []
    for output, count in zip(outputs, pages, strict=True):
        height, rows = output.height(level), _REDUCED * output.chunk[0]
        for page in range(count):
            tasks += [partial(reduce_part, output, level, page, (top, min(top + rows, height))) for top in range(0, height, rows)]
    return tasks


def _checked(part: Part) -> Part:
    if part.error is not None:
        raise ImageError(part.error)
    return part


@contextmanager
def _running(source: Source, pickled_job: bytes, sinks: int) -> Iterator[Run]:
    """Open an image on this worker, with its share of the memory."""
    job = unpickled(pickled_job)
    assert source.path is not None
    with open_source(source.path, job) as opened:
        memory = memory_of_bands(job)
        with job.memory.reserved(memory, str(source)), job.cpu_slots.acquired():
            yield _run(opened, job, sinks)


def _run(opened: Frames, job: Job, sinks: int) -> Run:
    readers = opened.rows()
    if readers is None:
        raise NotByBands("it is decoded as a whole")
    return Run(readers[0], job, sinks, memory_of_bands(job), (0, 1))


def _chunk_rows(job: Job, height: int) -> int:
    """Return the rows of the chunks of an output of so many rows."""
    return min(((job.layout and job.layout.tile) or (CHUNK,))[0], height)


def _parts(height: int, unit: int, threads: int) -> list[Rows]:
    """Return parts of the output rows, in whole units, a few for each thread."""
    units = -(-height // unit)
    rows = max(min(units // (_PARTS * max(threads, 1)), _MOST_UNITS), 1) * unit
    return [(top, min(top + rows, height)) for top in range(0, height, rows)]
