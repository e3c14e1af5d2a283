"""From a Recipe and the shared options to a finished run: hands over to batch, tells, and settles the exit code."""

import sys
from collections.abc import Generator, Sequence
from contextlib import closing

import typer

from imgconv import __version__, atomic
from imgconv.batch.destinations import identities
from imgconv.batch.outcome import Outcome
from imgconv.batch.planning import Plan, plan_run
from imgconv.batch.run import run_sources
from imgconv.batch.sources import STDIN, Source, read_names
from imgconv.batch.work import Job
from imgconv.cli import words
from imgconv.cli.interrupts import Interrupted
from imgconv.cli.lines import write_line
from imgconv.cli.options import HowOptions, OnError, TellOptions, WhereOptions
from imgconv.cli.preview_view import print_previews
from imgconv.cli.render import Reporter
from imgconv.cli.reporting import page_of_run
from imgconv.engine import cache
from imgconv.engine.parallel import default_threads
from imgconv.errors import UsageError
from imgconv.recipe import Recipe
from imgconv.registry.files import weights_read


def execute(inputs: Sequence[str], recipe: Recipe, where: WhereOptions, how: HowOptions, tell: TellOptions) -> None:
    """Run `recipe` over `inputs`; raises typer.Exit(1) when an input failed."""
    cache.announce = None if tell.quiet else write_line
    check_options(inputs, where, tell)
    max_pixels = words.limit(how.max_pixels, "--max-pixels")
    plan = plan_run(
        inputs,
        recipe,
        exact=listed_inputs(where),
        output=where.output,
        format=where.format,
        quality=where.quality,
        recursive=where.recursive,
        shard=words.shard(where.shard),
    )
    _check_streams(plan, how, tell)
    if how.dask is not None:
        _check_cluster(plan, how.dask)
    elif not how.dry_run:
        cache.prepare()
    job = Job(
        recipe,
        plan.destination,
        quality=where.quality,
        max_pixels=max_pixels,
        salvage=how.salvage,
        statistics=tell.json,
        description=_description(recipe),
        inputs=identities([*plan.sources, *weights()]),
        existing="skip" if where.skip_existing else "refuse" if where.no_clobber else "replace",
        dry_run=how.dry_run,
    )
    if _run(plan, job, how, tell).failed:
        raise typer.Exit(1)


def _run(plan: Plan, job: Job, how: HowOptions, tell: TellOptions) -> Reporter:
    """Run and tell every outcome; a run that is interrupted leaves nothing half-written."""
    reporter = Reporter(len(plan.sources), tell, job.recipe, dry_run=how.dry_run)
    try:
        with reporter, page_of_run(plan, job, how, tell) as page, closing(_outcomes(plan, job, how)) as outcomes:
            for outcome in outcomes:
                reporter.add(outcome)
                page(outcome)
                if tell.json:
                    tell_json(outcome)
                if tell.show and not how.dry_run:
                    print_previews(outcome.outputs)
    except Interrupted as interrupt:
        atomic.abandon()
        if len(plan.sources) > 1 and not plan.destination.stdout:
            raise Interrupted("interrupted; run the same command with --skip-existing to go on where it stopped") from interrupt
        raise
    return reporter


def tell_json(outcome: Outcome) -> None:
    """Write an outcome's line of `--json`."""
    from imgconv.cli.json_lines import write_line  # a millisecond to import

    write_line(outcome.as_json())


def _outcomes(plan: Plan, job: Job, how: HowOptions) -> Generator[Outcome]:
    jobs, stop = how.jobs or default_threads(), how.on_error is OnError.stop
    if how.dask is None:
        return run_sources(plan.sources, job, jobs, stop_on_error=stop)
    from imgconv.batch.cluster import run_on_cluster

    return run_on_cluster(plan.sources, job, how.dask, jobs, limited=how.jobs is not None, stop_on_error=stop)


def weights() -> list[Source]:
    """The files of weights that were read: inputs as well, which no output may replace."""
    return [Source(file, file) for file in weights_read()]


def listed_inputs(where: WhereOptions) -> list[str]:
    """The names of `--files0-from`."""
    return [] if where.files0_from is None else read_names(where.files0_from)


def _description(recipe: Recipe) -> str:
    """What outputs say of how they were made; names of kernel files that are no text are written out."""
    return f"imgconv {__version__} {recipe.describe()}".encode("utf-8", "backslashreplace").decode()


def check_options(inputs: Sequence[str], where: WhereOptions, tell: TellOptions) -> None:
    """Refuse options that contradict each other, before anything is read."""
    if tell.quiet and tell.verbose:
        raise UsageError("--quiet and --verbose contradict each other; leave one of them out")
    if where.skip_existing and where.no_clobber:
        raise UsageError("--skip-existing and --no-clobber contradict each other; leave one of them out")
    if not inputs and where.files0_from is None:
        raise UsageError("no input given; name images or folders, or - for standard input")
    if STDIN not in (*inputs, where.files0_from):
        return
    if STDIN in inputs and where.files0_from == STDIN:
        raise UsageError("standard input cannot be both an image and the list of --files0-from -; leave one of them out")
    if sys.stdin is None:
        raise UsageError("standard input is closed; name a file, or send something through a pipe")
    if sys.stdin.isatty():
        expected = "an image, as in imgconv edge - < photo.jpg" if STDIN in inputs else "names, as in find photos -name '*.jpg' -print0 |"
        raise UsageError(f"standard input is a terminal; send it {expected}")


def _check_cluster(plan: Plan, address: str) -> None:
    """Refuse what is no scheduler, and streams, which end here and not where the workers are."""
    from imgconv.batch.cluster import check_address

    check_address(address)
    if plan.destination.stdout or any(source.path is None for source in plan.sources):
        raise UsageError("--dask takes files and folders, and writes files; leave out - for standard input and output")


def _check_streams(plan: Plan, how: HowOptions, tell: TellOptions) -> None:
    """Refuse a standard output that cannot take what is meant for it."""
    if sys.stdout is None and (tell.json or plan.destination.stdout):
        raise UsageError("standard output is closed; write to a file with -o")
    if tell.json and plan.destination.stdout and not how.dry_run:
        raise UsageError("--json needs standard output, which takes the image here; write it to a file with -o")
    if plan.destination.stdout and sys.stdout.isatty() and not how.dry_run:
        raise UsageError("standard output is a terminal; write to a file with -o, or into a pipe")
