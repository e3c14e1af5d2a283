"""One opened image from header to renamed outputs."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray

from imgconv.batch.destinations import (
    Destination,
    Identity,
    is_complete,
    made_differently,
    refuse_input,
    refuse_long_names,
    standard_output,
)
from imgconv.batch.outcome import Outcome, Statistics, told
from imgconv.batch.paths import Place, exists, readable, writing
from imgconv.batch.sources import Source
from imgconv.errors import ImageError
from imgconv.images import Frames, Header, Raster, check_output, encode, open_frames
from imgconv.process import Map, Recipe, Shape, process, single_maps
from imgconv.system import CpuSlots, Memory


@dataclass(frozen=True)
class Sink:
    """Where a map, or all of them, go: the name that is told, the place (None for standard output), and how its stream is opened."""

    name: str
    place: Place | None
    opening: Callable[[], AbstractContextManager[BinaryIO]]


@dataclass(frozen=True)
class Job:
    """What is the same for every input of a run."""

    recipe: Recipe
    destination: Destination
    quality: int | None = None
    max_pixels: int | None = None
    salvage: bool = False
    threads: int | None = None
    statistics: bool = False
    description: str | None = None
    inputs: Mapping[Identity, str] = field(default_factory=dict)  # files that must never be written, see `identities`
    existing: Literal["replace", "skip", "refuse"] = "replace"
    there: frozenset[Place] | None = None  # outputs that existed before the first attempt at an image; None: look now
    dry_run: bool = False
    memory: Memory = field(default_factory=Memory)
    cpu_slots: CpuSlots = field(default_factory=CpuSlots)

    @property
    def floats(self) -> bool:
        """Whether outputs are unrounded float maps."""
        return self.recipe.gives_floats(self.destination.format, asked_for=self.destination.explicit)


def outcome_of(source: Source, job: Job) -> Outcome:
    """What becomes of one source that is a file, wherever it is. Raises nothing that is about the image."""
    outcome = Outcome(str(source))
    with told(outcome):
        if source.path is None or source.trouble:
            raise ImageError(source.trouble or "standard input is no file")
        with open_source(source.path, job) as opened:
            write_maps(opened, job, source, outcome)
    return outcome


def open_source(path: Place, job: Job) -> Frames:
    """Open an input as the job wants it. Raises ImageError."""
    return open_frames(readable(path), luma=job.recipe.luma, max_pixels=job.max_pixels, salvage=job.salvage)


def write_maps(opened: Frames, job: Job, source: Source, outcome: Outcome) -> None:
    """Make all maps of an opened image and write them where the job says; tell `outcome`.

    Shapes are traced first, so that nothing is decoded for a request that does not fit.
    """
    header = opened.header
    seen = Shape(*header.size, header.channels, header.alpha)
    outcome.seen, traced = (seen, header.dtype), job.recipe.trace(seen)
    outcome.shapes = [(shape.channels, shape.height, shape.width) for _, shape in traced]
    job = replace(job, destination=job.destination.adapted(header))
    for _, shape in () if job.floats else traced:
        check_output(job.destination.format, shape.channels, header.dtype, shape.alpha, header.frames, header.animated)
    sinks = _sinks(source, job)
    if _settled(sinks, job, outcome):
        return
    between = 4 * job.recipe.values_between(seen)
    need = between + _need(header, [shape for _, shape in traced], job)
    with job.memory.reserved(need, f"an image of {header.size[1]}x{header.size[0]}"), job.cpu_slots.acquired():
        _write(opened, job, source, sinks, outcome)


def _need(header: Header, shapes: Sequence[Shape], job: Job) -> int:
    """Bytes that an image takes at most: the decoder's buffer and its pixels, all maps, and one of them on its way into a file."""
    item = np.dtype(header.dtype).itemsize
    luma = job.recipe.luma if header.format == "jpeg" else "no"
    channels = 1 if luma == "only" else header.channels
    buffered = item if channels == 1 else max(4, item * channels)  # Pillow keeps colour as 4 bytes a pixel
    decoded = header.size[0] * header.size[1] * (buffered + item * channels + (2 if luma == "also" else 0))
    sizes = [shape.height * shape.width * shape.channels * (4 if job.floats else item) for shape in shapes]
    frames = header.frames if job.floats or job.destination.format != "png" else 1
    return decoded + sum(sizes) * frames + 2 * max(sizes) * (frames if job.floats else 1)


def _write(opened: Frames, job: Job, source: Source, sinks: Sequence[Sink], outcome: Outcome) -> None:
    header = opened.header
    if job.floats:
        _write_floats(opened, job, sinks, outcome)
    elif header.frames == 1:
        made = [made.image for maps in _maps(opened, job.recipe, job, outcome) for made in maps]
        for images, sink in zip([made] if len(sinks) == 1 else ([each] for each in made), sinks, strict=True):
            _write_frames(images, header, job, sink, outcome)
    elif len(sinks) == 1:
        _write_frames(_images(opened, job.recipe, job, outcome), header, job, sinks[0], outcome)
    else:
        for (recipe, frames), sink in zip(_passes(opened, job, source), sinks, strict=True):
            _write_frames(_images(frames, recipe, job, outcome), header, job, sink, outcome)


def _passes(opened: Frames, job: Job, source: Source) -> Iterator[tuple[Recipe, Iterable[Raster]]]:
    """A recipe for each map, with the frames of the image: decoded anew for each map, or kept where they come through a pipe."""
    frames: Iterable[Raster] = opened if source.path is not None else list(opened)
    for number, recipe in enumerate(single_maps(job.recipe)):
        if number == 0 or source.path is None:
            yield recipe, frames
        else:
            with open_source(source.path, job) as again:
                yield recipe, again


def _settled(sinks: Sequence[Sink], job: Job, outcome: Outcome) -> bool:
    """Whether nothing is to be made: outputs that exist are passed over or refused, and a dry run only names them."""
    existing = [] if job.existing == "replace" else [sink.place for sink in sinks if sink.place is not None and _is_there(sink.place, job)]
    if existing and job.existing == "refuse":
        raise ImageError(f"output {existing[0]} exists; leave out --no-clobber to replace it")
    files = {place: readable(place) for place in existing} if len(existing) == len(sinks) else {}
    if files and all(is_complete(file) for file in files.values()):
        outcome.skipped, outcome.kept = "exists", [str(place) for place in files]
        changed = [place for place, file in files.items() if made_differently(file, job.description)]
        outcome.note = f"{changed[0]} was made by another recipe or version, and is kept" if changed else None
        return True
    if job.dry_run:
        outcome.outputs, outcome.note = [sink.name for sink in sinks], "not written: dry run"
    return job.dry_run


def _is_there(place: Place, job: Job) -> bool:
    return exists(place) if job.there is None else place in job.there


def _sinks(source: Source, job: Job) -> list[Sink]:
    """A sink for each map, or one for all of them."""
    names = job.recipe.names
    if job.destination.stdout:
        return [Sink("-", None, standard_output)] * (1 if job.floats else len(names))
    paths = job.destination.outputs(source, names, job.recipe.command)
    refuse_long_names(paths)
    return [Sink(str(path), path, partial(_file, path, job)) for path in paths]


def _file(path: Place, job: Job) -> AbstractContextManager[BinaryIO]:
    refuse_input(path, job.inputs)
    return writing(path, job.cpu_slots.release)


def _maps(opened: Iterable[Raster], recipe: Recipe, job: Job, outcome: Outcome) -> Iterator[list[Map]]:
    """The maps of each frame, one frame in memory at a time."""
    for frame in opened:
        maps = process(frame, recipe, floats=job.floats, threads=job.threads)
        if job.statistics:
            outcome.maps += [Statistics.of(made) for made in maps]
        yield maps


def _images(opened: Iterable[Raster], recipe: Recipe, job: Job, outcome: Outcome) -> Iterator[Raster]:
    return (made.image for maps in _maps(opened, recipe, job, outcome) for made in maps)


def _write_frames(frames: Iterable[Raster], header: Header, job: Job, sink: Sink, outcome: Outcome) -> None:
    def write(stream: BinaryIO) -> None:
        encode(
            frames,
            job.destination.format,
            stream=stream,
            quality=job.quality,
            description=job.description,
            animated=header.animated,
            loop=header.loop,
        )

    _save(sink, outcome, write)


def _write_floats(opened: Frames, job: Job, sinks: Sequence[Sink], outcome: Outcome) -> None:
    frames = list(_maps(opened, job.recipe, job, outcome))
    if job.destination.format == "npz":
        names = dict.fromkeys(made.vector or made.name for made in frames[0])
        arrays = {name: _stacked([[made for made in maps if name in (made.name, made.vector)] for maps in frames]) for name in names}
        _save(sinks[0], outcome, lambda stream: np.savez(stream, allow_pickle=False, **arrays))
    elif job.destination.format == "npy":
        _save(sinks[0], outcome, lambda stream: np.save(stream, _stacked(frames)))
    else:
        for index, sink in enumerate(sinks):
            chosen = frames if len(sinks) == 1 else [[maps[index]] for maps in frames]
            pages = [replace(m.image, pixels=page[..., None], alpha=False) for maps in chosen for m in maps for page in _planes(m)]
            _save(sink, outcome, partial(_encode_pages, pages, job.description))


def _encode_pages(pages: Sequence[Raster], description: str | None, stream: BinaryIO) -> None:
    encode(pages, "tiff", stream=stream, description=description)


def _save(sink: Sink, outcome: Outcome, write: Callable[[BinaryIO], None]) -> None:
    with sink.opening() as stream:
        write(stream)
    outcome.outputs.append(sink.name)


def _stacked(frames: Sequence[Sequence[Map]]) -> NDArray[np.float32]:
    """(M, H, W) of one frame's maps, channels of a map together, or (L,) of a vector's numbers; of F frames with F in front."""
    stacks = [np.concatenate([_planes(made) for made in maps]) for maps in frames]
    if frames[0][0].vector:
        stacks = [stack.ravel() for stack in stacks]
    if len({stack.shape for stack in stacks}) > 1:
        raise ImageError("frames of several sizes do not fit in one array; write them as .tiff pages")
    return stacks[0] if len(stacks) == 1 else np.stack(stacks)


def _planes(made: Map) -> NDArray[np.float32]:
    """(C, H, W) of a map's image, C-contiguous."""
    return np.ascontiguousarray(made.image.pixels.transpose(2, 0, 1))
