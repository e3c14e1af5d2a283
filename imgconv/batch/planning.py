"""What a run will read and write, settled and checked before any work."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from imgconv.batch.destinations import Destination, check_outputs, destination_for, pass_over_own_outputs
from imgconv.batch.sources import Source, list_sources
from imgconv.errors import PictureError, UsageError
from imgconv.pictures import PICTURE_EXTENSIONS
from imgconv.pictures.formats import OUTPUTS
from imgconv.process import Recipe


@dataclass(frozen=True)
class Plan:
    """Sources and, for each, the files that it gives (none where standard output takes them)."""

    destination: Destination
    sources: tuple[Source, ...]
    outputs: tuple[tuple[Path, ...], ...]


def plan_run(
    inputs: Sequence[str],
    recipe: Recipe,
    *,
    output: str | None = None,
    format: str | None = None,
    quality: int | None = None,
    recursive: bool = True,
) -> Plan:
    """Settle where everything comes from and goes to.

    Raises UsageError where options contradict each other, outputs meet, or an output is an input; PictureError for folders without
    pictures.
    """
    destination = destination_for(output, format, inputs, len(recipe.names))
    holds_floats = "float32" in OUTPUTS[destination.format].dtypes
    recipe.check_format(destination.format, asked_for=destination.explicit, holds_floats=holds_floats)
    if quality is not None and not OUTPUTS[destination.format].lossy:
        raise UsageError(f"--quality has no meaning for {destination.format}; leave it out, or choose jpeg, webp or avif with --format")
    listed = list_sources(inputs, PICTURE_EXTENSIONS, recursive=recursive)
    made = [destination.outputs(source, recipe.names, recipe.command) for source in listed]
    beside = [replace(destination, folder=None).outputs(source, recipe.names, recipe.command) for source in listed]
    keep = pass_over_own_outputs(listed, [(*here, *there) for here, there in zip(made, beside, strict=True)])
    if not keep:
        raise PictureError(f"no pictures in {', '.join(inputs)}; give files, or a folder that holds some")
    sources, outputs = [listed[i] for i in keep], [made[i] for i in keep]
    if destination.file is not None and len(sources) > 1:
        raise UsageError(f"{len(sources)} inputs do not fit in {destination.file}; give a folder with -o")
    check_outputs(sources, outputs)
    return Plan(destination, tuple(sources), tuple(outputs))
