"""The run that edge, filter, pool, canny and run share: options to a plan, outcomes to messages, failures to the exit code."""

import sys
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from imgconv import __version__, atomic
from imgconv.batch.job import LARGE, Job
from imgconv.batch.outcome import Outcome
from imgconv.batch.paths import exists
from imgconv.batch.planning import Plan, plan_run
from imgconv.batch.run import run_sources
from imgconv.batch.sources import STDIN, FileNames, read_names
from imgconv.batch.urls import parse_path
from imgconv.cli.console import Reporter, print_previews, write_json, write_message
from imgconv.cli.option_values import layout, memory, reading, region, shard
from imgconv.cli.options import HowOptions, MessageOptions, OnError, WhereOptions
from imgconv.display.words import counted
from imgconv.engine import compiled, fallback
from imgconv.engine.parallel import default_threads
from imgconv.errors import ImageError, Interrupted, UsageError
from imgconv.images import Encoding, Request
from imgconv.recipe import Recipe
from imgconv.registry.files import files_read

if TYPE_CHECKING:
    from imgconv.batch.stacking import Stack
    from imgconv.images.layout import Layout


def execute(inputs: Sequence[str], recipe: Recipe, where: WhereOptions, how: HowOptions, messages: MessageOptions) -> None:
    """Run `recipe` over `inputs`. Raises typer.Exit(1) when an input failed."""
    fallback.announce = (lambda text: None) if messages.quiet else write_message
    _check_options(inputs, where, messages)
    request = reading(how)._replace(level=how.level)
    page = None if messages.report is None else parse_path(messages.report)
    plan = plan_run(_file_names(inputs, where), recipe, quality=where.quality, shard=shard(where.shard), page=page)
    for note in () if messages.quiet else plan.notes:
        write_message(note)
    _check_streams(plan, how, messages)
    if how.dask is not None:
        _check_cluster(plan, how.dask)
    elif not how.dry_run:
        compiled.prepare()
    if _run(plan, _job(plan, recipe, where, how, messages, request), how, messages).failed:
        raise typer.Exit(1)


def _job(plan: Plan, recipe: Recipe, where: WhereOptions, how: HowOptions, messages: MessageOptions, request: Request) -> Job:
    return Job(
        recipe,
        plan.destination,
        reading=request,
        statistics=messages.json,
        strip=how.strip,
        strip_location=how.strip_location,
        inputs=plan.inputs,
        names=plan.names,
        existing="skip" if where.skip_existing else "refuse" if where.no_clobber else "replace",
        dry_run=how.dry_run,
        encoding=Encoding(where.quality, None if how.strip else _description(recipe), _layout(where, plan)),
        region=region(how.region),
        large=LARGE if how.memory is None else memory(how.memory),
        is_bounded=how.memory is not None,
    )


def _run(plan: Plan, job: Job, how: HowOptions, messages: MessageOptions) -> Reporter:
    """Run, and report every outcome. An interrupted run leaves no half-written file."""
    reporter = Reporter(len(plan.sources), job.recipe, quiet=messages.quiet, verbose=messages.verbose, dry_run=how.dry_run)
    job = replace(job, progress=reporter.show_part) if len(plan.sources) == 1 else job
    try:
        with reporter, _page(plan, job, how, messages) as add_to_page, closing(_outcomes(plan, job, how)) as outcomes:
            for outcome in outcomes:
                reporter.add(outcome)
                add_to_page(outcome)
                if messages.json:
                    write_json(outcome.as_json())
                if messages.show and not how.dry_run:
                    print_previews(outcome.outputs)
    except Interrupted as interrupt:
        atomic.abandon()
        if len(plan.sources) > 1 and not plan.destination.stdout:
            raise Interrupted("interrupted; run the same command with --skip-existing to continue") from interrupt
        raise
    return reporter


def _page(plan: Plan, job: Job, how: HowOptions, messages: MessageOptions) -> AbstractContextManager[Callable[[Outcome], None]]:
    """The page of --report; does nothing without one."""
    if messages.report is None:
        return nullcontext(lambda outcome: None)
    from imgconv.cli.report import page_of_run

    return page_of_run(messages.report, plan, job, how, quiet=messages.quiet)


def _outcomes(plan: Plan, job: Job, how: HowOptions) -> Generator[Outcome]:
    jobs, stop = how.jobs or default_threads(), how.on_error is OnError.stop
    if how.dask is None:
        return run_sources(plan.sources, job, jobs, stop_on_error=stop)
    from imgconv.batch.cluster import run_on_cluster
    from imgconv.engine.settings import ignore_working_folder

    limited = how.jobs is not None
    return run_on_cluster(plan.sources, job, how.dask, jobs, limited=limited, stop_on_error=stop, on_worker=ignore_working_folder)


def _layout(where: WhereOptions, plan: Plan) -> "Layout | None":
    """The layout of TIFF files and Zarr arrays. Raises UsageError where the results are neither."""
    format = plan.destination.format if plan.destination.explicit else "tiff"
    file_layout = layout(where, format)
    if file_layout is not None and format not in ("tiff", "zarr"):
        raise UsageError(f"--tile, --compression and --pyramid have no effect on {format}; leave them out, or write .tiff or .zarr")
    return file_layout


def _file_names(inputs: Sequence[str], where: WhereOptions) -> FileNames:
    """The files of a run; no output may replace the list of --files0-from, and the kernels, recipes and weights that were read."""
    listed = [] if where.files0_from is None else read_names(where.files0_from)
    others = [] if where.files0_from in (None, STDIN) else [Path(where.files0_from or "")]
    return FileNames(inputs, listed, where.output, where.format, where.recursive, [*others, *files_read()])


def _description(recipe: Recipe) -> str:
    """The description of the recipe in the metadata of outputs, with undecodable bytes of file names escaped."""
    return f"imgconv {__version__} {recipe.describe()}".encode("utf-8", "backslashreplace").decode()


def _check_options(inputs: Sequence[str], where: WhereOptions, messages: MessageOptions) -> None:
    """Refuse options that exclude each other before anything is read."""
    if messages.quiet and messages.verbose:
        raise UsageError("--quiet and --verbose contradict each other; leave one of them out")
    if where.skip_existing and where.no_clobber:
        raise UsageError("--skip-existing and --no-clobber contradict each other; leave one of them out")
    if not inputs and where.files0_from is None:
        raise UsageError("no input given; name images or folders, or - for standard input")
    if STDIN not in (*inputs, where.files0_from):
        return
    if STDIN in inputs and where.files0_from == STDIN:
        raise UsageError("standard input cannot be both an image and the list of --files0-from; leave one of them out")
    if sys.stdin is None:
        raise UsageError("standard input is closed; name a file, or use a pipe")
    if sys.stdin.isatty():
        expected = "an image, as in imgconv edge - < photo.jpg" if STDIN in inputs else "names, as in find photos -name '*.jpg' -print0 |"
        raise UsageError(f"standard input is a terminal; send it {expected}")


def _check_cluster(plan: Plan, address: str) -> None:
    """Refuse an address that is not a scheduler's, and streams, which the workers cannot reach."""
    from imgconv.batch.cluster import check_address

    check_address(address)
    if plan.destination.stdout or any(source.path is None for source in plan.sources):
        raise UsageError("--dask reads and writes files; leave out - for standard input and output")


def _check_streams(plan: Plan, how: HowOptions, messages: MessageOptions) -> None:
    """Refuse to write to a standard output that is closed, a terminal or used twice."""
    if sys.stdout is None and (messages.json or plan.destination.stdout):
        raise UsageError("standard output is closed; write to a file with -o")
    if messages.json and plan.destination.stdout and not how.dry_run:
        raise UsageError("--json needs standard output, which the image uses; write the image to a file with -o")
    if plan.destination.stdout and sys.stdout.isatty() and not how.dry_run:
        raise UsageError("standard output is a terminal; write to a file with -o, or use a pipe")


def execute_batch(inputs: Sequence[str], recipe: Recipe, where: WhereOptions, how: HowOptions, messages: MessageOptions) -> None:
    """Run all images through `recipe` and write the results as one array. If an image fails, nothing is written."""
    from imgconv.batch.stacking import check_sizes, plan_stack, write_stack

    fallback.announce = (lambda text: None) if messages.quiet else write_message
    _check_options(inputs, where, messages)
    if how.dask is not None:
        raise UsageError("--batch cannot be used with --dask; leave one of them out")
    if where.shard is not None:
        raise UsageError("--batch cannot be used with --shard; leave one of them out")
    stack = plan_stack(_file_names(inputs, where), recipe, reading(how))
    _check_batch(stack, where, messages)
    started = time.perf_counter()
    check_sizes(stack)
    target = STDIN if stack.file is None else str(stack.file)
    if _is_complete(stack, where):
        outcomes = [Outcome(str(source), skipped="exists") for source in stack.sources]
    elif how.dry_run:
        outcomes = [Outcome(str(source), outputs=[target], note="not written: dry run") for source in stack.sources]
    else:
        shapes = write_stack(stack)
        seconds = (time.perf_counter() - started) / len(shapes)
        outcomes = [Outcome(name, outputs=[target], shapes=[shape], seconds=seconds) for name, shape in shapes]
    _report_batch(outcomes, target, messages)


def _check_batch(stack: "Stack", where: WhereOptions, messages: MessageOptions) -> None:
    """Refuse options that --batch excludes."""
    if messages.report is not None:
        raise UsageError("--report shows images, and --batch writes an array; leave one of them out")
    if messages.show:
        raise UsageError("--show previews images, and --batch writes an array; leave one of them out")
    if where.quality is not None:
        raise UsageError(f"--quality has no meaning for {stack.format}; leave it out")
    if stack.file is None and (sys.stdout is None or sys.stdout.isatty() or messages.json):
        raise UsageError("standard output cannot receive the array here; write it to a file with -o")


def _is_complete(stack: "Stack", where: WhereOptions) -> bool:
    """Whether the output exists and is to stay. Raises ImageError where it exists and --no-clobber is given."""
    if stack.file is None or not exists(stack.file):
        return False
    if where.no_clobber:
        raise ImageError(f"output {stack.file} exists; leave out --no-clobber to replace it")
    return where.skip_existing


def _report_batch(outcomes: Sequence[Outcome], target: str, messages: MessageOptions) -> None:
    if messages.json:
        for outcome in outcomes:
            write_json(outcome.as_json())
    if not messages.quiet:
        note = outcomes[0].note or ("skipped: exists" if outcomes[0].skipped else "")
        place = "standard output" if target == STDIN else target
        write_message(f"{counted(len(outcomes), 'image')} -> {place}{f' ({note})' if note else ''}")
