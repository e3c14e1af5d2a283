"""What a run will read and write, settled and checked before any work."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from imgconv.batch.destinations import Destination, OwnOutputs, check_outputs, destination_for
from imgconv.batch.paths import Place, Url
from imgconv.batch.sources import Source, list_sources
from imgconv.errors import ImageError, UsageError
from imgconv.images import IMAGE_EXTENSIONS
from imgconv.images.formats import OUTPUTS
from imgconv.process import Recipe


@dataclass(frozen=True)
class Plan:
    """Sources, in order, and where their results go. Names of outputs are derived again when they are needed."""

    destination: Destination
    sources: tuple[Source, ...]


def plan_run(
    inputs: Sequence[str],
    recipe: Recipe,
    *,
    exact: Sequence[str] = (),
    output: str | None = None,
    format: str | None = None,
    quality: int | None = None,
    recursive: bool = True,
    shard: tuple[int, int] = (1, 1),
) -> Plan:
    """Settle where everything comes from and goes to; names in `exact` are neither patterns nor standard input.

    `shard` (I, N) leaves every N-th source from the I-th on, in the order of their names, once all of them have been checked.
    Raises UsageError where options contradict each other, outputs meet, or an output is an input; ImageError for folders without
    images.
    """
    destination = destination_for(output, format, [*inputs, *exact], len(recipe.names))
    holds_floats = "float32" in OUTPUTS[destination.format].dtypes
    recipe.check_format(destination.format, asked_for=destination.explicit, holds_floats=holds_floats)
    if quality is not None and not OUTPUTS[destination.format].lossy:
        raise UsageError(f"--quality has no meaning for {destination.format}; leave it out, or choose jpeg, webp or avif with --format")
    listed = list_sources(inputs, IMAGE_EXTENSIONS, recursive=recursive, exact=exact)
    sources = _without_own_outputs(listed, destination, recipe)
    if not sources:
        raise ImageError(f"no images in {', '.join(inputs) or 'the list'}; give files, or a folder that holds some")
    if destination.file is not None and len(sources) > 1:
        raise UsageError(f"{len(sources)} inputs do not fit in {destination.file}; give a folder with -o")
    _check_writable(destination, sources)
    check_outputs(sources, (_outputs(destination, source, recipe) for source in sources), destination.folder)
    return Plan(destination, tuple(_sharded(sources, *shard)))


def _check_writable(destination: Destination, sources: Sequence[Source]) -> None:
    """Refuse addresses that only give, beside which outputs would go, and those that nothing here knows."""
    beside = destination.folder is None and destination.file is None and not destination.stdout
    for place in (source.path for source in sources) if beside else (destination.folder, destination.file):
        if isinstance(place, Url):
            from imgconv.batch import remote

            remote.check_writable(place)


def _without_own_outputs(listed: Sequence[Source], destination: Destination, recipe: Recipe) -> list[Source]:
    """`listed` without what an earlier run may have left in folders: where outputs go now, or beside their inputs, or as pages."""
    places = list(_places(destination))
    endings = tuple(ending.casefold() for place in places for ending in place.endings(recipe.names, recipe.command))
    if not any(source.relative.name.casefold().endswith(endings) for source in listed if not source.named):
        return list(listed)
    own = OwnOutputs()
    for source in listed:
        for place in places:
            own.add(source, _outputs(place, source, recipe))
    return [source for source in listed if not own.has(source)]


def _places(destination: Destination) -> Iterator[Destination]:
    for place in (destination, replace(destination, folder=None)) if destination.folder else (destination,):
        yield place
        if not destination.explicit:
            yield place.of_pages()


def _outputs(destination: Destination, source: Source, recipe: Recipe) -> tuple[Place, ...]:
    return () if source.trouble else destination.outputs(source, recipe.names, recipe.command)


def _sharded(sources: Sequence[Source], index: int, count: int) -> list[Source]:
    """Every `count`-th source in the order of their names, beginning with number `index` (from 1), in the order given."""
    ranks = sorted(range(len(sources)), key=lambda i: str(sources[i]))
    chosen = set(ranks[index - 1 :: count])
    return [source for i, source in enumerate(sources) if i in chosen]
