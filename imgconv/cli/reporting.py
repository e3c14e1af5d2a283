"""From a run, or a folder of results, to a page with everything before and after: what goes on it, and where it is written."""

import shlex
import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from imgconv.batch import paths
from imgconv.batch.destinations import Identity, identities, refuse_input
from imgconv.batch.outcome import Outcome
from imgconv.batch.paths import AnyPath, parse_path
from imgconv.batch.planning import Plan
from imgconv.batch.sources import Source
from imgconv.batch.work import Job
from imgconv.cli.lines import escaped, write_line
from imgconv.cli.options import HowOptions, TellOptions
from imgconv.engine.parallel import default_threads
from imgconv.errors import ImageError, UsageError, reason

if TYPE_CHECKING:
    from imgconv.batch.pairing import Result, Results
    from imgconv.plotting.report import Entry, Report  # most runs make no page

NAME = "report.html"
RECIPES_TOLD = 8


@contextmanager
def page_of_run(plan: Plan, job: Job, how: HowOptions, tell: TellOptions) -> Iterator[Callable[[Outcome], None]]:
    """What takes the outcomes of a run, to write its page once all are there; a run that is interrupted writes none.

    Raises UsageError, before anything is worked on, for a page that cannot be.
    """
    if tell.report is None:
        yield lambda outcome: None
        return
    if plan.destination.stdout:
        raise UsageError("--report shows files, and the result goes to standard output here; write it to a file with -o")
    file = _page_file(tell.report, "--report", job.inputs)
    if job.existing == "refuse" and paths.exists(file):
        raise ImageError(f"output {file} exists; leave out --no-clobber to replace it")
    if how.dry_run:
        yield lambda outcome: None
        return
    known = {str(source) for source in plan.sources if source.path is not None}
    expected, workers = len(plan.sources) * len(job.recipe.names), how.jobs or default_threads()
    recipe = [("Recipe", job.description or "")]
    with _report(f"imgconv {job.recipe.command}", recipe, expected, workers, job.max_pixels, salvage=job.salvage) as report:
        yield lambda outcome: report.add(_entry(outcome, known))
        _write(report, file, quiet=tell.quiet)


@dataclass(frozen=True)
class FolderRequest:
    """A folder of results, that of their inputs (None: found by their names), and the page (None: in the folder of results)."""

    folder: Path
    inputs: Path | None
    output: str | None
    recursive: bool
    max_pixels: int | None


def write_folder_page(request: FolderRequest, *, quiet: bool) -> int:
    """Write the page of what earlier runs left in a folder, and tell what could not be read; how much that was."""
    from imgconv.batch.pairing import find_results

    results = find_results(request.folder, request.inputs, recursive=request.recursive)
    images = [path for result in results.results for path in (result.path, result.input) if path is not None]
    output = str(request.folder / NAME) if request.output is None else request.output
    file = _page_file(output, "-o", identities(Source(path, path) for path in images))
    facts = [("Results", str(request.folder)), *_told(results)]
    title = request.folder.resolve().name or str(request.folder)
    with _report(title, facts, len(results.results), default_threads(), request.max_pixels) as report:
        for result in results.results:
            report.add(_entry_of_file(result))
        _write(report, file, quiet=quiet)
    for name, problem in report.failures:
        write_line(escaped(f"imgconv: {name}: {problem}"))
    if results.inputs is None and not quiet:
        write_line("no inputs of these names were found, or as many in several folders; name the right one with --before")
    return len(report.failures)


def _report(
    title: str, facts: list[tuple[str, str]], expected: int, workers: int, max_pixels: int | None, *, salvage: bool = False
) -> "Report":
    from imgconv.plotting.report import Reading, Report

    command = shlex.join(["imgconv", *sys.argv[1:]])
    reading = Reading(lambda name: paths.path_or_bytes(parse_path(name)), max_pixels, salvage)
    return Report(title, [("Command", command), *facts], reading, expected=expected, workers=workers)


def _entry(outcome: Outcome, known: Collection[str]) -> "Entry":
    """An outcome of a run for its page; `known` are the inputs that can be read again, unlike standard input."""
    from imgconv.plotting.report import Entry

    before = outcome.source if outcome.source in known else None
    return Entry(outcome.source, before, outcome.outputs or outcome.unchanged, outcome.error, outcome.note or "")


def _entry_of_file(result: "Result") -> "Entry":
    from imgconv.plotting.report import Entry

    path, before = str(result.path), None if result.input is None else str(result.input)
    return Entry(path, error=result.error) if result.error else Entry(before or path, before, [path])


def _told(results: "Results") -> list[tuple[str, str]]:
    """Where inputs were found, and the recipes that results say they were made by."""
    made = Counter(result.description for result in results.results if result.description)
    recipes = [text if len(made) == 1 else f"{text} ({count} images)" for text, count in made.most_common(RECIPES_TOLD)]
    more = [f"and {len(made) - RECIPES_TOLD} more"] if len(made) > RECIPES_TOLD else []
    inputs = "not found by their names" if results.inputs is None else str(results.inputs)
    return [("Inputs", inputs), *(("Recipe", text) for text in recipes + more)]


def _page_file(name: str, option: str, inputs: Mapping[Identity, str]) -> AnyPath:
    """The place of a page. Raises UsageError for a name that is none of a page, and for one that leads to an input."""
    file = parse_path(name)
    if file.suffix.lower() != ".html":
        raise UsageError(f"{option} {name} is no name of a page; use one that ends in .html")
    if paths.is_folder(file):
        raise UsageError(f"{option} {name} is a folder; give the name of a file")
    refuse_input(file, inputs)
    return file


def _write(report: "Report", file: AnyPath, *, quiet: bool) -> None:
    try:
        with paths.open_output(file) as stream:
            report.write(stream)
    except OSError as error:
        raise ImageError(f"{file}: {reason(error)}") from None
    if not quiet:
        write_line(escaped(f"report -> {file}"))
