"""Plan a run: determine and check what it reads and writes, before any work."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from imgconv.batch.destinations import Destination, destination_for
from imgconv.batch.protection import OutputNames, check_outputs, fold_case
from imgconv.batch.sources import FileNames, Source, inputs_of
from imgconv.batch.urls import AnyPath, Url
from imgconv.errors import UsageError
from imgconv.images.formats import OUTPUTS
from imgconv.inputs import Inputs
from imgconv.recipe import Recipe


class Plan(NamedTuple):
    """The sources of a run, in order, and its destination. Output names are derived again when they are needed.

    `inputs` are all files that the run reads. `notes` are lines about the names of results. `names` are the outputs of files where standard
    input may hold images that would get the same names.
    """

    destination: Destination
    sources: tuple[Source, ...]
    inputs: Inputs
    names: OutputNames | None = None
    notes: tuple[str, ...] = ()


def plan_run(
    files: FileNames, recipe: Recipe, *, quality: int | None = None, shard: tuple[int, int] = (1, 1), page: AnyPath | None = None
) -> Plan:
    """Plan a run of `recipe` over `files`; `page` is the file of its report.

    With `shard` (I, N) the plan has every N-th source from the I-th on, in the order of their names; all sources are checked.
    Raises UsageError for options that contradict each other, outputs with the same name, or an output that is an input;
    ImageError for folders without images.
    """
    destination = destination_for(files.output, files.format, [*files.inputs, *files.exact], len(recipe.names))
    holds_floats = "float32" in OUTPUTS[destination.format].dtypes
    recipe.check_format(destination.format, holds_floats=holds_floats)
    if quality is not None and not OUTPUTS[destination.format].lossy:
        raise UsageError(f"--quality has no effect on {destination.format}; leave it out, or choose jpeg, webp or avif with --format")
    sources, notes = with_distinct_names(_without_own_outputs(files.sources(), destination, recipe), destination)
    if not sources:
        raise files.no_images()
    if destination.file is not None and len(sources) > 1:
        raise UsageError(f"{len(sources)} inputs do not fit in {destination.file}; give a folder with -o")
    _check_writable(destination, sources)
    protected = inputs_of(sources, files.others)
    names = check_outputs(sources, (_outputs(destination, source, recipe) for source in sources), protected, destination.folder)
    protected.refuse_stdout()
    if page is not None:
        _check_page(page, destination, sources, recipe)
    has_stream = len(sources) > 1 and any(source.path is None for source in sources)
    return Plan(destination, tuple(_sharded(sources, *shard)), protected, names if has_stream else None, notes)


def with_distinct_names(sources: Sequence[Source], destination: Destination) -> tuple[list[Source], tuple[str, ...]]:
    """Return the sources, and a note; where names of results would differ in the extension of the input alone, they contain it.

    >>> from pathlib import Path
    >>> sources, notes = with_distinct_names([Source(Path(n), Path(n)) for n in ("a.jpg", "a.heic", "b.jpg")], Destination("png", ".png"))
    >>> [source.stem for source in sources], notes
    (['a.jpg', 'a.heic', 'b'], ('a.jpg and a.heic differ in the extension alone, which the names of their results contain',))
    """
    if destination.stdout or destination.file is not None:
        return list(sources), ()
    alike: dict[tuple[AnyPath, str], list[Source]] = {}
    for source in sources:
        if source.path is not None and not source.error:
            folder = source.path.parent if destination.folder is None else destination.folder / source.relative.parent
            alike.setdefault((folder, fold_case(source.relative.stem)), []).append(source)
    groups = [group for group in alike.values() if len({fold_case(source.relative.suffix) for source in group}) > 1]
    ambiguous = {id(source) for group in groups for source in group}
    more = f", as {len(groups) - 1} more groups of files do" if len(groups) > 1 else ""
    notes = [
        f"{' and '.join(map(str, group))} differ in the extension alone, which the names of their results contain" for group in groups[:1]
    ]
    named = [source._replace(keeps_extension=True) if id(source) in ambiguous else source for source in sources]
    return named, tuple(note + more for note in notes)


def _check_page(page: AnyPath, destination: Destination, sources: Sequence[Source], recipe: Recipe) -> None:
    """Raise UsageError if the page of a run would replace one of its results."""
    for each in _earlier_destinations(destination):
        names = OutputNames()
        for source in sources:
            for path in _outputs(each, source, recipe):
                names.add(path, source)
        if names.source_of(page) is not None:
            raise UsageError(f"{page} is also the result of {names.source_of(page)}; choose another name with --report")


def _check_writable(destination: Destination, sources: Sequence[Source]) -> None:
    """Refuse to write to read-only or unknown kinds of URLs, also next to inputs."""
    next_to_inputs = destination.folder is None and destination.file is None and not destination.stdout
    for path in (source.path for source in sources) if next_to_inputs else (destination.folder, destination.file):
        if isinstance(path, Url):
            from imgconv.batch import remote

            remote.check_writable(path)


def _without_own_outputs(listed: Sequence[Source], destination: Destination, recipe: Recipe) -> list[Source]:
    """Leave out the results of an earlier run: in the current destination, next to their inputs, or as TIFF pages."""
    destinations = list(_earlier_destinations(destination))
    endings = tuple(ending.casefold() for each in destinations for ending in each.endings(recipe))
    if not any(source.relative.name.casefold().endswith(endings) for source in listed if not source.named):
        return list(listed)
    names = OutputNames()
    for source in listed:
        for each in destinations:
            for named in (source, source._replace(keeps_extension=True)):
                for path in _outputs(each, named, recipe):
                    names.add(path, source)
    return [source for source in listed if source.named or source.path is None or names.source_of(source.path) in (None, source)]


def _earlier_destinations(destination: Destination) -> Iterator[Destination]:
    for each in (destination, destination._replace(folder=None)) if destination.folder else (destination,):
        yield from each.possible()


def _outputs(destination: Destination, source: Source, recipe: Recipe) -> tuple[AnyPath, ...]:
    return () if source.error else destination.outputs(source, recipe)


def _sharded(sources: Sequence[Source], index: int, count: int) -> list[Source]:
    """Return every `count`-th source in the order of names, from number `index` (from 1) on, in the order given."""
    by_name = sorted(range(len(sources)), key=lambda i: str(sources[i]))
    shard = set(by_name[index - 1 :: count])
    return [source for i, source in enumerate(sources) if i in shard]
