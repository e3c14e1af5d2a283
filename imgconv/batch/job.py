"""The settings that all inputs of a run share: the recipe, the destination, and how images are opened, limited and written."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, NamedTuple

from imgconv.batch.destinations import Destination
from imgconv.batch.outcome import Outcome
from imgconv.batch.paths import path_or_bytes
from imgconv.batch.protection import OutputNames
from imgconv.batch.urls import AnyPath
from imgconv.images import ANY_SIZE, DEFAULT_ENCODING, Encoding, Frames, Metadata, Raster, Request, fitted, open_frames
from imgconv.images.formats import OUTPUTS
from imgconv.images.zarr.store import Writable
from imgconv.inputs import Inputs
from imgconv.recipe import Recipe
from imgconv.system import SMALL, CpuSlots, Memory, available_memory

if TYPE_CHECKING:
    from imgconv.images.region import Region

LEAST = 1 << 24  # bytes that bands take at least
LARGE = 1 << 28  # bytes; an image that needs more is processed by bands where that is possible


class Sink(NamedTuple):
    """Where one map, or all of them, are written: a name for messages, a path (None: standard output), and how to open the stream."""

    name: str
    path: AnyPath | None
    open: Callable[[], AbstractContextManager[Writable]]


@dataclass(frozen=True, eq=False)
class Job:
    """The settings that all inputs of a run share."""

    recipe: Recipe
    destination: Destination
    reading: Request = ANY_SIZE
    threads: int | None = None
    statistics: bool = False
    strip: bool = False
    strip_location: bool = False
    inputs: Inputs = field(default_factory=Inputs)  # files that must never be written to
    names: OutputNames | None = None  # of the results of files, which results of standard input must not replace
    existing: Literal["replace", "skip", "refuse"] = "replace"
    existing_outputs: frozenset[AnyPath] | None = None  # that existed before the first attempt at an image; None: look them up
    dry_run: bool = False
    memory: Memory = field(default_factory=Memory)
    cpu_slots: CpuSlots = field(default_factory=CpuSlots)
    large: int = LARGE
    is_bounded: bool = False  # whether the user gave --memory: a larger image that cannot be processed by bands is then refused
    encoding: Encoding = DEFAULT_ENCODING
    region: "Region | None" = None
    progress: Callable[[float], None] | None = None  # is called with the part of a large image that is done
    spreads: bool = False  # whether large images are left to the cluster, which distributes their rows

    @property
    def floats(self) -> bool:
        """Whether outputs are unrounded float maps."""
        return self.recipe.gives_floats(self.destination.format)


def open_source(path: AnyPath, job: Job) -> Frames:
    """Open an input with the options of the job. Raises ImageError."""
    file = path_or_bytes(path, job.reading.max_pixels)
    opened = open_frames(file, job.reading._replace(luma=job.recipe.luma, by_rows=True, premultiplied=True))
    return opened if job.region is None else opened.cropped(job.region, job.reading.max_pixels)


def exceeds_memory(size: int, job: Job) -> bool:
    """Whether an image takes more as a whole, `size` bytes, than bands of it may."""
    return size > job.large or (size > SMALL and size > memory_of_bands(job))


def memory_of_bands(job: Job) -> int:
    """Return the bytes that the bands of a large image may take."""
    available = available_memory()
    return job.large if available is None else max(min(job.large, available // 2), LEAST)


def fitted_image(image: Raster, job: Job, outcome: Outcome) -> Raster:
    """Return an image with the metadata that its output can hold, and record the names of those that are left out."""
    name = job.destination.format
    if image.valid is not None and image.channels + 1 in OUTPUTS[name].channels:
        from imgconv.process.missing import transparent

        image = transparent(image)
    if image.metadata.stack and len(job.recipe.names) > 1 and job.destination.file is not None:
        image = replace(image, metadata=image.metadata._replace(stack=None))  # more pages than it has
    return replace(image, metadata=fitted_metadata(image, job, outcome))


def fitted_metadata(image: Raster, job: Job, outcome: Outcome) -> Metadata:
    """Return the metadata that the output of an image can hold, and record the names of the others; a note names lost measurements."""
    metadata = fitted(image.metadata, job.destination.format, image.channels, strip=job.strip, location=not job.strip_location)
    outcome.dropped = list(dict.fromkeys([*outcome.dropped, *metadata.dropped]))
    is_medical = any(what.startswith(("DICOM", "NIfTI")) for what in metadata.dropped)
    lost = [what for what in metadata.dropped if is_medical or what.endswith("(no room)") or what.startswith(("FITS tables", "cICP"))]
    if lost and outcome.note is None:
        outcome.note = f"without {', '.join(lost)}"
    return metadata
