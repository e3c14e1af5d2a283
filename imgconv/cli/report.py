"""The command `imgconv report` and the option --report: pages that show images before and after."""

import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from imgconv.atomic import format_of
from imgconv.cli.option_values import limit
from imgconv.cli.options import MAX_PIXELS, WHERE, HowOptions, MaxPixels, Quiet, Recursive, option
from imgconv.errors import ImageError, UsageError, reason
from imgconv.inputs import Inputs
from imgconv.platforms import command_of

if TYPE_CHECKING:
    from imgconv.batch.job import Job
    from imgconv.batch.outcome import Outcome
    from imgconv.batch.pairing import Result, Results
    from imgconv.batch.planning import Plan
    from imgconv.batch.urls import AnyPath
    from imgconv.images import Request
    from imgconv.images.zarr.store import Readable
    from imgconv.plotting.report import Entry, Report

EXAMPLES = """
imgconv report edges/
imgconv report edges/ --before photos/ -o edges.html
"""
NAME = "report.html"
MOST_RECIPES = 8


def command(
    folder: Annotated[Path, typer.Argument(metavar="OUT_DIR", help="A folder of results.", show_default=False)],
    before: Annotated[
        Path | None,
        option(
            WHERE, "--before", metavar="DIR", help="The folder of the inputs. By default, it is located by their names.", show_default=False
        ),
    ] = None,
    output: Annotated[
        str | None, option(WHERE, "-o", "--output", metavar="FILE.html", help="File of the page. Defaults to OUT_DIR/report.html.")
    ] = None,
    recursive: Recursive = True,
    quiet: Quiet = False,
    max_pixels: MaxPixels = MAX_PIXELS,
) -> None:
    """Create a web page that shows images before and after.

    The page is one file for any browser and needs no network.
    """
    from imgconv.batch.pairing import find_results
    from imgconv.cli.console import write_message
    from imgconv.engine.parallel import default_threads
    from imgconv.images import Request

    request = Request(max_pixels=limit(max_pixels))
    results = find_results(folder, before, recursive=recursive)
    inputs = Inputs(results.read)
    file = _page_file(str(folder / NAME) if output is None else output, "-o", inputs)
    facts = [("Results", str(folder)), *_facts(results)]
    title = folder.resolve().name or str(folder)
    with _report(title, facts, request, len(results.results), default_threads()) as report:
        for result in results.results:
            report.add(_entry_of_file(result))
        _write(report, file, inputs, quiet=quiet)
    for name, problem in report.failures:
        write_message(f"imgconv: {name}: {problem}")
    if results.inputs is None and not quiet:
        write_message("no inputs with these names were found, or several folders have as many; name the folder of the inputs with --before")
    if report.failures:
        raise typer.Exit(1)


@contextmanager
def page_of_run(name: str, plan: "Plan", job: "Job", how: HowOptions, *, quiet: bool) -> "Iterator[Callable[[Outcome], None]]":
    """Collect the outcomes of a run and write its page at the end. An interrupted run writes no page.

    Raises UsageError before any image is processed if the page cannot be written.
    """
    from imgconv.batch import paths
    from imgconv.engine.parallel import default_threads

    if plan.destination.stdout:
        raise UsageError("--report needs files, and the result goes to standard output here; write it to a file with -o")
    file = _page_file(name, "--report", job.inputs)
    if job.existing == "refuse" and paths.exists(file):
        raise ImageError(f"output {file} exists; leave out --no-clobber to replace it")
    if how.dry_run:
        yield lambda outcome: None
        return
    sources = {str(source) for source in plan.sources if source.path is not None}
    expected, workers = len(plan.sources) * len(job.recipe.names), how.jobs or default_threads()
    recipe = [("Recipe", job.encoding.description or "")]
    with _report(f"imgconv {job.recipe.command}", recipe, job.reading._replace(level=None), expected, workers) as report:
        yield lambda outcome: report.add(_entry(outcome, sources))
        _write(report, file, job.inputs, quiet=quiet)


def _report(title: str, facts: list[tuple[str, str]], request: "Request", expected: int, workers: int) -> "Report":
    from imgconv.batch import paths
    from imgconv.batch.urls import parse_path
    from imgconv.plotting.report import Report

    def resolve(name: str) -> "Readable":
        return paths.path_or_bytes(parse_path(name), request.max_pixels)

    facts = [("Command", command_of(["imgconv", *sys.argv[1:]])), *facts]
    return Report(title, facts, resolve, request, expected=expected, workers=workers)


def _entry(outcome: "Outcome", sources: Collection[str]) -> "Entry":
    """The entry of an outcome; `sources` are the inputs that can be read again, unlike standard input."""
    from imgconv.plotting.report import Entry

    before = outcome.source if outcome.source in sources else None
    return Entry(outcome.source, before, outcome.outputs or outcome.unchanged, outcome.error, outcome.note or "")


def _entry_of_file(result: "Result") -> "Entry":
    from imgconv.plotting.report import Entry

    path, before = str(result.path), None if result.input is None else str(result.input)
    return Entry(path, error=result.error) if result.error else Entry(before or path, before, [path])


def _facts(results: "Results") -> list[tuple[str, str]]:
    """Where the inputs are, and the recipes in the metadata of the results."""
    counts = Counter(result.description for result in results.results if result.description)
    recipes = [text if len(counts) == 1 else f"{text} ({count} images)" for text, count in counts.most_common(MOST_RECIPES)]
    more = [f"and {len(counts) - MOST_RECIPES} more"] if len(counts) > MOST_RECIPES else []
    inputs = "not found by their names" if results.inputs is None else str(results.inputs)
    return [("Inputs", inputs), *(("Recipe", text) for text in recipes + more)]


def _page_file(name: str, option: str, inputs: Inputs) -> "AnyPath":
    """The file of a page. Raises UsageError for a name that does not end in .html, a folder, or an input."""
    from imgconv.batch import paths
    from imgconv.batch.paths import identified
    from imgconv.batch.urls import parse_path

    file = parse_path(name)
    if isinstance(file, Path):
        format_of(file, ["html"], option)
    elif file.suffix.lower() != ".html":
        raise UsageError(f"{option}: expected a file name that ends in .html, got {name}")
    if paths.is_folder(file):
        raise UsageError(f"{option}: {name} is a folder; give the name of a file")
    inputs.refuse(identified(file), option)
    return file


def _write(report: "Report", file: "AnyPath", inputs: Inputs, *, quiet: bool) -> None:
    from imgconv.batch.protection import open_output
    from imgconv.cli.console import write_message

    try:
        with open_output(file, inputs) as stream:
            report.write(stream)
    except OSError as error:
        raise ImageError(f"{file}: {reason(error)}") from None
    if not quiet:
        write_message(f"report -> {file}")
