"""Process one large image on a cluster: workers compute parts of it, and write chunks of one Zarr or send tiles of one TIFF file.

All workers see the input under the same name, and a Zarr output too. The tiles of a TIFF file are computed and compressed by the workers;
the process that distributes the parts writes them in their order, a few at a time. A part that is computed again, since its worker was
lost, gives the same chunks or tiles. The output gets its name when all parts are complete.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Literal

from imgconv.arrays import Array
from imgconv.batch.band_writer import band_writers
from imgconv.batch.banding import NotByBands, Rows, Run
from imgconv.batch.job import Job, Sink, memory_of_bands, open_source
from imgconv.batch.outcome import Outcome, RunningStatistics, recorded
from imgconv.batch.sources import Source
from imgconv.batch.tasks import unpickled
from imgconv.batch.work import settle
from imgconv.errors import ImageError
from imgconv.images import Frames
from imgconv.images.raster import Metadata
from imgconv.images.rows import BandedImage, StoredRows
from imgconv.images.tiff import writer as tiff_writer
from imgconv.images.zarr.store import Store
from imgconv.images.zarr.writer import CHUNK, Output, create

_PARTS = 3  # at least, for each thread of the cluster
_MOST_UNITS = 8  # of a part, so that a lost worker costs little
_MOST_BYTES = 1 << 25  # of the pixels of a part whose tiles are sent, unless a row of tiles has more
_REDUCED = 4  # rows of chunks that a task reduces
Task = Callable[[bytes], Any]  # what a worker does with the pickled job
RunAll = Callable[[Iterable[Task]], Iterator[Any]]  # runs tasks on the cluster and yields their results in order


def spread(source: Source, job: Job, run_all: RunAll, threads: int) -> Outcome | None:
    """Process a large image on a cluster with this number of threads. Returns None if its parts cannot be computed separately."""
    outcome, failures = Outcome(str(source)), []

    def run_tasks(tasks: Iterable[Task]) -> Iterator[Any]:
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
                spreading = _Spreading(source, own, sinks, _run(opened, own, len(sinks)), threads, outcome)
            except NotByBands:
                return None
            spreading.write(run_tasks)
    if failures:
        raise failures[0]
    return outcome


class _Spreading:
    """An image whose parts are computed elsewhere. Raises NotByBands where parts of all its maps do not begin in the same rows."""

    def __init__(self, source: Source, job: Job, sinks: Sequence[Sink], run: Run, threads: int, outcome: Outcome):
        self._source, self._job, self._sinks, self._run, self._outcome = source, job, sinks, run, outcome
        self._is_zarr = job.destination.format == "zarr"
        self._statistics: dict[tuple[int, int], RunningStatistics] = {}
        self._pages = run.forms(outcome)
        pages = [page for each in self._pages for page in each]
        layout = job.encoding.layout
        rows = {min(((layout and layout.tile) or (CHUNK,))[0], run.height)}
        if not self._is_zarr:
            rows = {tiff_writer.unit_of(page, layout) for page in pages}
        unit = run.unit(rows.pop()) if len(rows) == 1 else None
        if unit is None:
            raise NotByBands("its maps differ in size")
        most = _MOST_UNITS if self._is_zarr else max(_MOST_BYTES // (unit * max(page.row_bytes for page in pages)), 1)
        units = -(-run.height // unit)
        rows_of_part = max(min(units // (_PARTS * max(threads, 1)), most), 1) * unit
        self._parts = [(top, min(top + rows_of_part, run.height)) for top in range(0, run.height, rows_of_part)]

    def write(self, run_all: RunAll) -> None:
        """Let workers measure the image and compute its parts, write the outputs, and give them their names."""
        measured: list[Any] = []
        if self._run.is_measured:
            tasks = [partial(measure_part, self._source, part, len(self._sinks)) for part in self._parts]
            measured = [each.measured for each in map(_checked, run_all(tasks))]
            self._run.use_measurements(measured)
        outcome = self._outcome
        outcome.missing_before = self._run.missing
        (self._write_arrays if self._is_zarr else self._write_files)(run_all, measured)
        outcome.missing_after = sum(each.missing for each in self._statistics.values())
        outcome.maps = [each.result() for _, each in sorted(self._statistics.items())] if self._job.statistics else []
        outcome.outputs += [sink.name for sink in self._sinks]

    def _write_arrays(self, run_all: RunAll, measured: list[Any]) -> None:
        """Let workers write the chunks of Zarr arrays, and those of their reduced copies."""
        job, counts = self._job, [len(pages) for pages in self._pages]
        with ExitStack() as stack:
            outputs = []
            for sink, pages in zip(self._sinks, self._pages, strict=True):
                store = stack.enter_context(sink.open())
                assert isinstance(store, Store)
                outputs.append(create(store, pages[0], job.encoding._replace(pages=len(pages))))
            for number in range(max(counts)):
                written = [output if number < count else None for output, count in zip(outputs, counts, strict=True)]
                tasks = [partial(write_part, self._source, part, number, written, measured) for part in self._parts]
                for _ in self._results(run_all, tasks, number):
                    pass
            for level in range(1, max(len(output.paths) for output in outputs)):
                for each in run_all(_reductions(outputs, counts, level)):
                    _checked(each)

    def _write_files(self, run_all: RunAll, measured: list[Any]) -> None:
        """Write the tiles of TIFF files that workers compute and compress."""
        orders = [tiff_writer.byte_order(pages[0].metadata) for pages in self._pages]
        with band_writers(self._sinks, self._job, list(map(len, self._pages))) as writers:
            for number in range(max(map(len, self._pages))):
                pages = [each[number] if number < len(each) else None for each in self._pages]
                written = [(writer, page) for writer, page in zip(writers, pages, strict=True) if page is not None]
                for writer, page in written:
                    writer.begin(replace(page, are_stored=True))
                forms = [page and replace(page, metadata=Metadata(nodata=page.metadata.nodata)) for page in pages]
                tasks = [partial(encode_part, self._source, part, number, forms, orders, measured) for part in self._parts]
                for result in self._results(run_all, tasks, number):
                    for (writer, _), rows in zip(written, result.stored, strict=True):
                        writer.put(rows)
                for writer, _ in written:
                    writer.end()

    def _results(self, run_all: RunAll, tasks: Sequence[Task], page: int) -> "Iterator[Part]":
        """Yield the results of the parts of a page, and add the statistics of the maps that are in no page before."""
        known = set(self._statistics)
        pages = max(map(len, self._pages))
        for done, result in enumerate(map(_checked, run_all(tasks)), page * len(tasks) + 1):
            for key, part in result.statistics.items():
                if key in known:
                    continue
                if key in self._statistics:
                    self._statistics[key].merge(part)
                else:
                    self._statistics[key] = part
            yield result
            if self._job.progress is not None:
                self._job.progress(done / (len(tasks) * pages))


@dataclass
class Part:
    """The result of a worker for a part of an image: measurements, or the statistics of its rows and the tiles to write, or an error."""

    error: str | None = None
    measured: list[Any] = field(default_factory=list)
    statistics: dict[tuple[int, int], RunningStatistics] = field(default_factory=dict)
    stored: list[StoredRows] = field(default_factory=list)


def measure_part(source: Source, part: Rows, sinks: int, pickled_job: bytes) -> Part:
    """Measure some output rows on this worker."""
    with _computing(source, pickled_job, sinks) as (result, run, _):
        result.measured = run.measure(part)
    return result


def write_part(
    source: Source, part: Rows, number: int, outputs: Sequence[Output | None], measured: Sequence[list[Any]], pickled_job: bytes
) -> Part:
    """Compute some output rows of page `number` on this worker, and write them into the arrays of the outputs that have it."""
    with _computing(source, pickled_job, len(outputs), measured) as (result, run, _):
        arrays = [output and output.array(0) for output in outputs]

        def put(sink: int, top: int, rows: Array) -> None:
            output = outputs[sink]
            assert output is not None
            output.write(arrays[sink], number, top, rows)

        run.group = next(output.chunk[0] for output in outputs if output is not None)
        run.compute_part(number, part, put)
        result.statistics = run.statistics
    return result


def encode_part(
    source: Source,
    part: Rows,
    number: int,
    pages: Sequence[BandedImage | None],
    orders: Sequence[Literal["<", ">"]],
    measured: Sequence[list[Any]],
    pickled_job: bytes,
) -> Part:
    """Compute and compress some output rows of page `number` on this worker; `pages` and `orders` are those of each output."""
    with _computing(source, pickled_job, len(pages), measured) as (result, run, job):
        bands: list[list[Array]] = [[] for _ in pages]
        run.compute_part(number, part, lambda sink, _, rows: bands[sink].append(rows))
        result.statistics = run.statistics
        for page, order, rows in zip(pages, orders, bands, strict=True):
            if page is not None:
                result.stored.append(tiff_writer.stored(replace(page, bands=rows), job.encoding.layout, order))
    return result


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
def _computing(source: Source, pickled_job: bytes, sinks: int, measured: Sequence[list[Any]] = ()) -> Iterator[tuple[Part, Run, Job]]:
    """Open an image on this worker, with its share of the memory and the measurements of all parts; errors are in the Part."""
    outcome, result = Outcome(str(source)), Part()
    with recorded(outcome):
        job = unpickled(pickled_job)
        assert source.path is not None
        with open_source(source.path, job) as opened:
            job = replace(job, destination=job.destination.adapted(opened.header))
            with job.memory.reserved(memory_of_bands(job), str(source)), job.cpu_slots.acquired():
                run = _run(opened, job, sinks)
                if measured:
                    run.use_measurements(measured)
                yield result, run, job
    result.error = outcome.error


def _run(opened: Frames, job: Job, sinks: int) -> Run:
    readers = opened.rows()
    if readers is None:
        raise NotByBands("it is decoded as a whole")
    return Run(readers[0], job, sinks, memory_of_bands(job), (0, 1))
