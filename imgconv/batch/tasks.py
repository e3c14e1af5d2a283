"""What goes to the workers of a cluster and what they do with it. Knows no scheduler, and nothing of who works.

Workers may sit in other folders, so names travel whole, and come back as they were typed.
"""

import os
import pickle
from collections.abc import Iterator
from dataclasses import fields, replace
from functools import lru_cache
from importlib import import_module
from pathlib import Path

from imgconv.batch.destinations import identities
from imgconv.batch.outcome import Outcome
from imgconv.batch.paths import Place, exists
from imgconv.batch.sources import Source
from imgconv.batch.work import Job, outcome_of
from imgconv.errors import ClusterError, ImageError
from imgconv.system import CpuSlots, reuse_freed_memory

OF_EACH_PROCESS = ("inputs", "memory", "threads", "cpu_slots")  # parts of a Job that do not travel

There = frozenset[Place] | None


class Sender:
    """Jobs and sources as workers need them, and their outcomes as if they had been made here."""

    def __init__(self, job: Job):
        self._base = f"{Path.cwd()}".rstrip(os.sep) + os.sep
        self._places = (job.destination.folder, job.destination.file)
        folder, file = (_whole(place) for place in self._places)
        self._job = replace(job, destination=replace(job.destination, folder=folder, file=file))

    def packed(self) -> bytes:
        """The job, with the version of imgconv that made it."""
        travelling = {f.name: getattr(self._job, f.name) for f in fields(Job) if f.name not in OF_EACH_PROCESS}
        return pickle.dumps((own_version(), pickle.dumps(travelling)))

    def sent(self, source: Source) -> Source:
        """A source that is found from any folder."""
        return replace(source, path=_whole(source.path))

    def there(self, source: Source) -> There:
        """Which outputs of a source exist before the first attempt at it, where that matters: what a later attempt finds may be its own."""
        if self._job.existing == "replace" or source.trouble:
            return None
        try:
            return frozenset(place for place in self.outputs(source) if exists(place))
        except ImageError:  # such as no credentials: the worker will say so, or have its own
            return None

    def outputs(self, source: Source) -> Iterator[Place]:
        """Every place where an output of a source may come to be."""
        recipe, destination = self._job.recipe, self._job.destination
        for each in (destination,) if destination.explicit else (destination, destination.of_pages()):
            yield from each.outputs(self.sent(source), recipe.names, recipe.command)

    def as_typed(self, outcome: Outcome, source: Source) -> Outcome:
        """The outcome with the names that were typed here."""
        written = next((place for place in self._places if place is not None), source.path)
        if _is_relative(written):
            outcome.outputs = [name.removeprefix(self._base) for name in outcome.outputs]
            outcome.kept = [name.removeprefix(self._base) for name in outcome.kept]
        if _is_relative(written) or _is_relative(source.path):
            outcome.error, outcome.note = (text and text.replace(self._base, "") for text in (outcome.error, outcome.note))
        outcome.source = str(source)
        return outcome


def same(packed: bytes) -> bytes:
    """A packed job, as the result of a task: made again wherever it was lost."""
    return packed


def image_task(packed: bytes, source: Source, there: There, stop: str | None) -> Outcome | None:
    """What becomes of a source on this worker; None once the event `stop` is set. Raises ClusterError for another version's job."""
    job = _unpacked(packed)
    if stop is not None and import_module("distributed").Event(stop).is_set():
        return None
    return outcome_of(source, replace(job, there=there, inputs=identities((source,))))


@lru_cache(maxsize=4)
def _unpacked(packed: bytes) -> Job:
    """A job that all threads of this process share, with the memory that there is and a turn for each thread."""
    version, travelling = pickle.loads(packed)
    if version != own_version():
        raise ClusterError(f"a worker has imgconv {own_version()}, and {version} was started; install one version everywhere")
    reuse_freed_memory()
    cpu_slots = CpuSlots(import_module("distributed").get_worker().state.nthreads)
    return Job(**pickle.loads(travelling), threads=1, cpu_slots=cpu_slots)


def own_version() -> str:
    """The version of the imgconv that runs here."""
    version: str = import_module("imgconv").__version__
    return version


def _whole(place: Place | None) -> Place | None:
    return place.absolute() if isinstance(place, Path) else place


def _is_relative(place: Place | None) -> bool:
    return isinstance(place, Path) and not place.is_absolute()
