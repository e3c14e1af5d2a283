"""One opened picture from header to renamed outputs."""

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray

from imgconv.batch.destinations import Destination, refuse_input
from imgconv.batch.outcome import Outcome, Statistics
from imgconv.batch.replacing import replacing
from imgconv.batch.sources import Source
from imgconv.errors import ImgconvError, PictureError
from imgconv.pictures import Header, Picture, Pictures, check_output, encode, read_header
from imgconv.process import Map, Recipe, Shape, process, single_maps

Sink = Callable[[], AbstractContextManager[BinaryIO]]


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
    inputs: Mapping[tuple[int, int], str] = field(default_factory=dict)  # files that must never be written, see `identities`
    existing: Literal["replace", "skip", "refuse"] = "replace"
    dry_run: bool = False

    @property
    def floats(self) -> bool:
        """Whether outputs are unrounded float maps."""
        return self.recipe.gives_floats(self.destination.format, asked_for=self.destination.explicit)


def write_maps(opened: Pictures, job: Job, source: Source, outcome: Outcome) -> None:
    """Make all maps of an opened picture and write them where the job says; tell `outcome`.

    Shapes are traced first, so that nothing is decoded for a request that does not fit.
    """
    header = opened.header
    traced = job.recipe.trace(Shape(*header.size, header.channels, header.alpha))
    outcome.shapes = [(shape.channels, shape.height, shape.width) for _, shape in traced]
    job = replace(job, destination=job.destination.adapted(header))
    for _, shape in () if job.floats else traced:
        check_output(job.destination.format, shape.channels, header.dtype, shape.alpha, header.frames, header.animated)
    sinks = _sinks(source, job)
    if _settled(sinks, job, outcome):
        return
    if job.floats:
        _write_floats(opened, job, sinks, outcome)
    elif len(sinks) == 1:
        _write_frames((m.picture for maps in _maps(opened, job.recipe, job, outcome) for m in maps), header, job, sinks[0], outcome)
    elif header.frames == 1:
        maps = next(_maps(opened, job.recipe, job, outcome))
        for made, sink in zip(maps, sinks, strict=True):
            _write_frames([made.picture], header, job, sink, outcome)
    else:
        for recipe, sink in zip(single_maps(job.recipe), sinks, strict=True):
            _write_frames((m.picture for maps in _maps(opened, recipe, job, outcome) for m in maps), header, job, sink, outcome)


def _settled(sinks: Sequence[tuple[str, Sink]], job: Job, outcome: Outcome) -> bool:
    """Whether nothing is to be made: outputs that exist are passed over or refused, and a dry run only names them."""
    existing = [] if job.destination.stdout or job.existing == "replace" else [name for name, _ in sinks if Path(name).exists()]
    if existing and job.existing == "refuse":
        raise PictureError(f"output {existing[0]} exists; leave out --no-clobber to replace it")
    if existing and len(existing) == len(sinks):
        outcome.skipped = "exists"
        changed = [name for name in existing if _made_differently(Path(name), job)]
        outcome.note = f"{changed[0]} was made by another recipe or version, and is kept" if changed else None
        return True
    if job.dry_run:
        outcome.outputs, outcome.note = [name for name, _ in sinks], "not written: dry run"
    return job.dry_run


def _made_differently(path: Path, job: Job) -> bool:
    """Whether an output says that something else made it; one that says nothing does not count."""
    try:
        made = read_header(path, max_pixels=None).description
    except ImgconvError:
        return False
    return made is not None and made != job.description


def _sinks(source: Source, job: Job) -> list[tuple[str, Sink]]:
    """A name and a stream to be opened for each map, or one of them for all."""
    names = job.recipe.names
    if job.destination.stdout:
        return [("-", lambda: nullcontext(sys.stdout.buffer))] * (1 if job.floats else len(names))
    paths = job.destination.outputs(source, names, job.recipe.command)
    return [(str(path), partial(_file, path, job.inputs)) for path in paths]


def _file(path: Path, inputs: Mapping[tuple[int, int], str]) -> AbstractContextManager[BinaryIO]:
    refuse_input(path, inputs)
    path.parent.mkdir(parents=True, exist_ok=True)
    return replacing(path)


def _maps(opened: Pictures, recipe: Recipe, job: Job, outcome: Outcome) -> Iterator[list[Map]]:
    """The maps of each frame, one frame in memory at a time."""
    for frame in opened:
        maps = process(frame, recipe, floats=job.floats, threads=job.threads)
        if job.statistics:
            outcome.maps += [Statistics.of(made) for made in maps]
        yield maps


def _write_frames(frames: Iterable[Picture], header: Header, job: Job, sink: tuple[str, Sink], outcome: Outcome) -> None:
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


def _write_floats(opened: Pictures, job: Job, sinks: Sequence[tuple[str, Sink]], outcome: Outcome) -> None:
    frames = list(_maps(opened, job.recipe, job, outcome))
    if job.destination.format == "npz":
        arrays = {made.name: _stacked([[maps[i]] for maps in frames]) for i, made in enumerate(frames[0])}
        _save(sinks[0], outcome, lambda stream: np.savez(stream, allow_pickle=False, **arrays))
    elif job.destination.format == "npy":
        _save(sinks[0], outcome, lambda stream: np.save(stream, _stacked(frames)))
    else:
        for index, sink in enumerate(sinks):
            chosen = frames if len(sinks) == 1 else [[maps[index]] for maps in frames]
            pages = [replace(m.picture, pixels=page[..., None], alpha=False) for maps in chosen for m in maps for page in _planes(m)]
            _save(sink, outcome, partial(_encode_pages, pages, job.description))


def _encode_pages(pages: Sequence[Picture], description: str | None, stream: BinaryIO) -> None:
    encode(pages, "tiff", stream=stream, description=description)


def _save(sink: tuple[str, Sink], outcome: Outcome, write: Callable[[BinaryIO], None]) -> None:
    name, opening = sink
    with opening() as stream:
        write(stream)
    outcome.outputs.append(name)


def _stacked(frames: Sequence[Sequence[Map]]) -> NDArray[np.float32]:
    """(M, H, W) of one frame's maps, channels of a map together; (F, M, H, W) of several."""
    stacks = [np.concatenate([_planes(made) for made in maps]) for maps in frames]
    return stacks[0] if len(stacks) == 1 else np.stack(stacks)


def _planes(made: Map) -> NDArray[np.float32]:
    """(C, H, W) of a map's picture, C-contiguous."""
    return np.ascontiguousarray(made.picture.pixels.transpose(2, 0, 1))
