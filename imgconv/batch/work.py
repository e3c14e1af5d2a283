"""The work on one image: trace its shapes, decode it, apply the recipe, encode its maps and write them."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from imgconv.arrays import Array
from imgconv.atomic import is_stream
from imgconv.batch.destinations import ARRAYS, has_other_description, is_complete, refuse_long_names, standard_output
from imgconv.batch.job import Job, Sink, exceeds_memory, fitted_image, fitted_metadata, memory_of_bands, open_source
from imgconv.batch.memory import estimated_bytes
from imgconv.batch.outcome import Outcome, Statistics, recorded
from imgconv.batch.paths import exists, is_zarr, path_or_bytes
from imgconv.batch.protection import open_output, open_store
from imgconv.batch.sources import Source
from imgconv.batch.urls import AnyPath
from imgconv.errors import ImageError
from imgconv.images import Frames, Header, Raster, check_output, check_size, encode
from imgconv.images.rows import BandedImage
from imgconv.images.writing import encode_bands
from imgconv.images.zarr.store import Writable, newest
from imgconv.process import Map, process, shape_of, single_maps
from imgconv.recipe import Recipe
from imgconv.system import readable_size


def process_source(source: Source, job: Job) -> Outcome:
    """Process one local or remote file. Errors of the image are recorded in its outcome, not raised."""
    outcome = Outcome(str(source))
    with recorded(outcome):
        if source.path is None or source.error:
            raise ImageError(source.error or "expected a file, got standard input")
        with open_source(source.path, job) as opened:
            process_opened(opened, job, source, outcome)
    return outcome


def process_opened(opened: Frames, job: Job, source: Source, outcome: Outcome) -> None:
    """Compute all maps of an opened image, write them to the destination of the job, and record them in `outcome`.

    Shapes are traced first, so that nothing is decoded for a recipe that does not fit the image.
    """
    settled = settle(opened, job, source, outcome)
    if settled is None:
        return
    job, sinks, size = settled
    if size > job.large and job.spreads and _can_be_spread(opened, job, source):
        outcome.is_large = True
        return
    header = opened.header
    name = f"an image of {header.size[1]}x{header.size[0]}"
    reason = _write_large(opened, job, sinks, outcome, size, name) if exceeds_memory(size, job) else ""
    if reason is None:
        return
    check_size(header, job.reading.max_pixels)
    with job.memory.reserved(size, f"{name}, which is processed as a whole ({reason})," if reason else name), job.cpu_slots.acquired():
        _write(opened, job, source, sinks, outcome)


def settle(opened: Frames, job: Job, source: Source, outcome: Outcome) -> tuple[Job, list[Sink], int] | None:
    """Return the job for an opened image, its outputs, and the bytes that it takes as a whole; None where nothing is to be done."""
    header = opened.header
    shape = shape_of(header)
    outcome.note, outcome.reading = header.warning, header.note
    outcome.header, traced = (shape, header.dtype), job.recipe.trace(shape)
    outcome.shapes = [(output.channels, output.height, output.width) for _, output in traced]
    job = replace(job, destination=job.destination.adapted(header))
    for _, output in () if job.floats else traced:
        check_output(job.destination.format, output.channels, header.dtype, output.alpha, header.frames, header.animated)
    sinks = _sinks(source, job)
    if _is_done(source, sinks, job, outcome):
        return None
    format, maps = job.destination.format, [output for _, output in traced]
    return job, sinks, estimated_bytes(header, job.recipe, maps, format, floats=job.floats)


def _write_large(opened: Frames, job: Job, sinks: Sequence[Sink], outcome: Outcome, size: int, name: str) -> str | None:
    """Process an image by bands; return the reason if that is impossible, and the image may be processed as a whole."""
    from imgconv.batch import banding  # rarely needed

    try:
        rows = opened.rows()
        if rows is None:
            raise banding.NotByBands(
                f"{opened.header.format} is decoded as a whole" if opened.header.frames == 1 else "it has several frames"
            )
        memory = memory_of_bands(job)
        with job.memory.reserved(memory, name), job.cpu_slots.acquired():
            banding.write_by_bands(rows, job, sinks, outcome, memory)
    except banding.NotByBands as reason:
        if job.is_bounded and size > job.large:
            raise ImageError(
                f"{name} needs about {readable_size(size)} of memory, more than --memory, since {reason}; raise --memory{reason.remedy}"
            ) from None
        outcome.reading = outcome.reading or f"in memory as a whole, since {reason}"
        return str(reason)
    return None


def _can_be_spread(opened: Frames, job: Job, source: Source) -> bool:
    """Whether the workers of a cluster can compute parts of an image, each from the rows that it needs."""
    if opened.header.frames > 1 or job.destination.format not in ("tiff", "zarr"):
        return False
    if source.path is None or not (isinstance(source.path, Path) or is_zarr(source.path)):
        return False  # every worker would read all of it
    rows = opened.rows()
    return rows is not None and not rows[0].forward


def _is_done(source: Source, sinks: Sequence[Sink], job: Job, outcome: Outcome) -> bool:
    """Whether there is nothing to write: outputs that exist are skipped or refused, and a dry run only lists them.

    An output that is older than its input is not skipped.
    """
    paths = [sink.path for sink in sinks if sink.path is not None]
    existing = [] if job.existing == "replace" else [path for path in paths if _exists(path, job)]
    if existing and job.existing == "refuse":
        raise ImageError(f"output {existing[0]} exists; leave out --no-clobber to replace it")
    if any(_is_older(path, source) for path in existing):
        existing, outcome.note = [], "made again: the input is newer than the result"
    files = {path: path_or_bytes(path) for path in existing} if len(existing) == len(sinks) else {}
    if files and all(is_complete(file) for file in files.values()):
        outcome.skipped, outcome.unchanged = "exists", [str(path) for path in files]
        other = [path for path, file in files.items() if has_other_description(file, job.encoding.description)]
        outcome.note = f"{other[0]} was made by another recipe or version, and is not replaced" if other else None
        return True
    if job.dry_run:
        outcome.outputs, outcome.note = [sink.name for sink in sinks], "not written: dry run"
    return job.dry_run


def _is_older(output: AnyPath, source: Source) -> bool:
    """Whether a local output was written before its local input changed."""
    if not isinstance(output, Path) or not isinstance(source.path, Path):
        return False
    try:
        written = newest(source.path) if os.path.isdir(source.path) else source.path.stat().st_mtime_ns
        return output.stat().st_mtime_ns < written
    except OSError:
        return False


def _exists(path: AnyPath, job: Job) -> bool:
    """Whether an output existed before. A pipe is not an output of an earlier run."""
    if isinstance(path, Path) and is_stream(path):
        return False
    return exists(path) if job.existing_outputs is None else path in job.existing_outputs


def _sinks(source: Source, job: Job) -> list[Sink]:
    """Return a sink for each map, or one for all of them."""
    if job.destination.stdout:
        return [Sink("-", None, standard_output)] * (1 if job.floats else len(job.recipe.names))
    paths = job.destination.outputs(source, job.recipe)
    refuse_long_names(paths)
    return [Sink(str(path), path, partial(_open_file, path, job)) for path in paths]


def _open_file(path: AnyPath, job: Job) -> AbstractContextManager[Writable]:
    if job.destination.format == "zarr":
        return open_store(path, job.inputs, job.cpu_slots.release)
    return open_output(path, job.inputs, job.cpu_slots.release)


def _write(opened: Frames, job: Job, source: Source, sinks: Sequence[Sink], outcome: Outcome) -> None:
    header = opened.header
    if job.floats:
        _write_floats(opened, job, sinks, outcome)
    elif header.frames == 1:
        images = list(_images(opened, job.recipe, job, outcome))
        for pages, sink in zip([images] if len(sinks) == 1 else ([image] for image in images), sinks, strict=True):
            _write_frames(pages, header, len(pages), job, sink, outcome)
    elif len(sinks) == 1:
        _write_frames(_images(opened, job.recipe, job, outcome), header, len(job.recipe.names), job, sinks[0], outcome)
    else:
        for (recipe, frames), sink in zip(_passes(opened, job, source), sinks, strict=True):
            _write_frames(_images(frames, recipe, job, outcome), header, 1, job, sink, outcome)


def _passes(opened: Frames, job: Job, source: Source) -> Iterator[tuple[Recipe, Iterable[Raster]]]:
    """Yield a recipe and the frames for each map. A file is decoded again for each map; the frames of a pipe are stored."""
    frames: Iterable[Raster] = opened if source.path is not None else list(opened)
    for number, recipe in enumerate(single_maps(job.recipe)):
        if number == 0 or source.path is None:
            yield recipe, frames
        else:
            with open_source(source.path, job) as again:
                yield recipe, again


def _maps(opened: Iterable[Raster], recipe: Recipe, job: Job, outcome: Outcome) -> Iterator[list[Map]]:
    """Yield the maps of each frame; one frame is in memory at a time."""
    for frame in opened:
        frame = _located(frame, recipe, outcome)
        maps = process(frame, recipe, floats=job.floats, threads=job.threads)
        outcome.missing_after += sum(output.missing for output in maps)
        if job.statistics:
            outcome.maps += [Statistics.of(output) for output in maps]
        yield maps


def _located(frame: Raster, recipe: Recipe, outcome: Outcome) -> Raster:
    """Return a frame with its missing cells, and count them."""
    if frame.metadata.nodata is None and recipe.missing_data.is_default:
        return frame
    from imgconv.process.missing import located  # most images have no missing cells

    frame = located(frame, recipe.missing_data, fills=False)
    outcome.missing_before += frame.missing
    return frame


def _images(opened: Iterable[Raster], recipe: Recipe, job: Job, outcome: Outcome) -> Iterator[Raster]:
    return (fitted_image(output.image, job, outcome) for maps in _maps(opened, recipe, job, outcome) for output in maps)


def _write_frames(frames: Iterable[Raster], header: Header, maps: int, job: Job, sink: Sink, outcome: Outcome) -> None:
    encoding = job.encoding._replace(pages=header.frames * maps, animated=header.animated, loop=header.loop)
    _save(sink, outcome, lambda stream: encode(frames, job.destination.format, stream, encoding))


def _write_floats(opened: Frames, job: Job, sinks: Sequence[Sink], outcome: Outcome) -> None:
    frames = list(_maps(opened, job.recipe, job, outcome))
    if job.destination.format in ARRAYS:
        fitted_metadata(frames[0][0].image, job, outcome)
    if job.destination.format == "npz":
        names = dict.fromkeys(output.vector or output.name for output in frames[0])
        arrays = {name: _stacked([[m for m in maps if name in (m.name, m.vector)] for maps in frames]) for name in names}
        _save(sinks[0], outcome, lambda stream: np.savez(stream, allow_pickle=False, **arrays))
    elif job.destination.format == "npy":
        _save(sinks[0], outcome, lambda stream: np.save(stream, _stacked(frames)))
    else:
        for index, sink in enumerate(sinks):
            sink_frames = frames if len(sinks) == 1 else [[maps[index]] for maps in frames]
            _save(sink, outcome, _writer_of_floats(sink_frames, job, outcome))


def _writer_of_floats(frames: Sequence[Sequence[Map]], job: Job, outcome: Outcome) -> Callable[[Writable], None]:
    """Return what writes float maps as the pages of a file, or those of a frame as one page of a Zarr."""
    format = job.destination.format
    if format == "zarr":
        joined = [_joined(maps, job, outcome) for maps in frames]
        return lambda store: encode_bands(joined, format, store, job.encoding._replace(pages=len(joined)))
    encoding = job.encoding._replace(quality=None)
    pages = [fitted_image(page, job, outcome) for maps in frames for each in maps for page in _pages(each, format)]
    return lambda stream: encode(pages, format, stream, encoding)


def _pages(output: Map, format: str) -> list[Raster]:
    """Return a map as the pages of a file: one for each channel in a TIFF. Its missing cells are marked."""
    if format != "tiff":
        return [output.image]
    return [replace(output.image, pixels=plane[..., None], alpha=False, valid=None) for plane in _planes(output)]


def _joined(maps: Sequence[Map], job: Job, outcome: Outcome) -> BandedImage:
    """Return maps as the channels of one image."""
    _check_sizes(maps)
    pixels = maps[0].image.pixels if len(maps) == 1 else np.concatenate([each.image.pixels for each in maps], axis=2)
    image = fitted_image(replace(maps[0].image, pixels=pixels, alpha=maps[0].image.alpha and len(maps) == 1, valid=None), job, outcome)
    return replace(BandedImage.of(image), are_maps=len(maps) > 1)


def _save(sink: Sink, outcome: Outcome, write: Callable[[Any], None]) -> None:
    with sink.open() as stream:
        write(stream)
    outcome.outputs.append(sink.name)


def _stacked(frames: Sequence[Sequence[Map]]) -> Array:
    """Stack maps as (M, H, W), where M counts all channels, or a vector as (L,); several frames as (F, ...)."""
    for maps in frames:
        _check_sizes(maps)
    stacks = [np.concatenate([_planes(output) for output in maps]) for maps in frames]
    if frames[0][0].vector:
        stacks = [stack.ravel() for stack in stacks]
    if len({stack.shape for stack in stacks}) > 1:
        raise ImageError("frames of several sizes do not fit in one array; write them as .tiff pages")
    return stacks[0] if len(stacks) == 1 else np.stack(stacks)


def _check_sizes(maps: Sequence[Map]) -> None:
    if len({each.image.size for each in maps}) > 1:
        raise ImageError("maps of several sizes do not fit in one array; write them as .tiff pages")


def _planes(output: Map) -> Array:
    """Return a map as a C-contiguous (C, H, W) array."""
    return np.ascontiguousarray(output.image.pixels.transpose(2, 0, 1))
