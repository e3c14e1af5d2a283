"""The jobs and sources that are sent to the workers of a cluster, and the task that a worker runs.

Workers may run in other folders, so paths are sent as absolute paths; outcomes get the names that the user gave.
"""

import os
import pickle
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any

from imgconv.batch.job import Job
from imgconv.batch.outcome import Outcome
from imgconv.batch.paths import exists
from imgconv.batch.sources import Source
from imgconv.batch.urls import AnyPath
from imgconv.batch.work import process_source
from imgconv.errors import ClusterError, ImageError
from imgconv.system import CpuSlots, reuse_freed_memory

PER_PROCESS = ("memory", "threads", "cpu_slots", "progress")  # fields of a Job that are not sent

ExistingOutputs = frozenset[AnyPath] | None


class Sender:
    """Prepares jobs and sources for workers, and their outcomes for the user."""

    def __init__(self, job: Job, on_worker: Callable[[], None] | None = None):
        self._on_worker = on_worker
        self._base = f"{Path.cwd()}".rstrip(os.sep) + os.sep
        self._destination = job.destination.folder or job.destination.file
        folder, file = _absolute(job.destination.folder), _absolute(job.destination.file)
        self.job = replace(job, destination=job.destination._replace(folder=folder, file=file), inputs=job.inputs.absolute(), names=None)

    def pickled_job(self) -> bytes:
        """Return the job, with the version of imgconv that sends it."""
        settings = {f.name: getattr(self.job, f.name) for f in fields(Job) if f.name not in PER_PROCESS}
        return pickle.dumps((own_version(), pickle.dumps((settings, self._on_worker))))

    def absolute(self, source: Source) -> Source:
        """Return a source with an absolute path."""
        return source._replace(path=_absolute(source.path))

    def existing_outputs(self, source: Source) -> ExistingOutputs:
        """Return the outputs that exist before the first attempt, if that matters: a later attempt may find its own outputs."""
        if self.job.existing == "replace" or source.error:
            return None
        try:
            return frozenset(path for path in self.outputs(source) if exists(path))
        except ImageError:  # for example no credentials here: the worker may have some, and reports its own error
            return None

    def outputs(self, source: Source) -> Iterator[AnyPath]:
        """Yield every path to which an output of a source may be written."""
        for each in self.job.destination.possible():
            yield from each.outputs(self.absolute(source), self.job.recipe)

    def with_user_names(self, outcome: Outcome, source: Source) -> Outcome:
        """Replace absolute paths in an outcome by the names that the user gave."""
        output = source.path if self._destination is None else self._destination
        if _is_relative(output):
            outcome.outputs = [name.removeprefix(self._base) for name in outcome.outputs]
            outcome.unchanged = [name.removeprefix(self._base) for name in outcome.unchanged]
        if _is_relative(output) or _is_relative(source.path):
            outcome.error, outcome.note = (text and text.replace(self._base, "") for text in (outcome.error, outcome.note))
        outcome.source = str(source)
        return outcome


def pickled_task(pickled_job: bytes, task: Callable[[bytes], Any]) -> Any:
    """Run a task that needs the job on this worker."""
    return task(pickled_job)


def identity(pickled_job: bytes) -> bytes:
    """Return a pickled job, as the result of a task: Dask runs the task again where the job is lost."""
    return pickled_job


def image_task(pickled_job: bytes, source: Source, existing_outputs: ExistingOutputs, stop: str | None, spreads: bool) -> Outcome | None:
    """Process a source on this worker, but with `spreads` no large image; None once the event `stop` is set.

    Raises ClusterError for a job of another version.
    """
    job = unpickled(pickled_job)
    if stop is not None and import_module("distributed").Event(stop).is_set():
        return None
    return process_source(source, replace(job, existing_outputs=existing_outputs, spreads=spreads))


@lru_cache(maxsize=4)
def unpickled(pickled_job: bytes) -> Job:
    """Return a job that all threads of this process share, with a memory budget and a CPU slot for each thread."""
    version, settings = pickle.loads(pickled_job)
    if version != own_version():
        raise ClusterError(f"a worker has imgconv {own_version()}, and this is {version}; install one version everywhere")
    fields_of_job, on_worker = pickle.loads(settings)
    if on_worker is not None:
        on_worker()
    reuse_freed_memory()
    cpu_slots = CpuSlots(import_module("distributed").get_worker().state.nthreads)
    return Job(**fields_of_job, threads=1, cpu_slots=cpu_slots)


def own_version() -> str:
    """Return the version of imgconv in this process."""
    version: str = import_module("imgconv").__version__
    return version


def _absolute(path: AnyPath | None) -> AnyPath | None:
    return path.absolute() if isinstance(path, Path) else path


def _is_relative(path: AnyPath | None) -> bool:
    return isinstance(path, Path) and not path.is_absolute()
