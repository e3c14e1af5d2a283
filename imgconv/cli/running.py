"""From a Recipe and the shared options to a finished run: hands over to batch, tells, and settles the exit code."""

import contextlib
import json
import sys
from collections.abc import Iterator, Sequence

import typer

from imgconv import __version__
from imgconv.batch.destinations import identities
from imgconv.batch.outcome import Outcome
from imgconv.batch.planning import Plan, plan_run
from imgconv.batch.run import run
from imgconv.batch.work import Job
from imgconv.cli import words
from imgconv.cli.options import HowOptions, OnError, TellOptions, WhereOptions
from imgconv.cli.render import Reporter
from imgconv.engine import store
from imgconv.engine.bands import default_threads
from imgconv.errors import UsageError
from imgconv.recipe import Recipe


def execute(inputs: Sequence[str], recipe: Recipe, where: WhereOptions, how: HowOptions, tell: TellOptions) -> None:
    """Run `recipe` over `inputs`; raises typer.Exit(1) when an input failed."""
    store.announce = None if tell.quiet else lambda text: sys.stderr.write(f"{text}\n")
    max_pixels = words.limit(how.max_pixels, "--max-pixels")
    plan = plan_run(inputs, recipe, output=where.output, format=where.format, quality=where.quality, recursive=where.recursive)
    _check(plan, where, how, tell)
    job = Job(
        recipe,
        plan.destination,
        quality=where.quality,
        max_pixels=max_pixels,
        salvage=how.salvage,
        statistics=tell.json,
        description=f"imgconv {__version__} {recipe.describe()}",
        inputs=identities(plan.sources),
        existing="skip" if where.skip_existing else "refuse" if where.no_clobber else "replace",
        dry_run=how.dry_run,
    )
    with Reporter(len(plan.sources), tell) as reporter:
        for outcome in _until_error(run(plan.sources, job, how.jobs or default_threads()), how.on_error):
            reporter.add(outcome)
            if tell.json:
                sys.stdout.write(json.dumps(outcome.as_json()) + "\n")
    if reporter.failed:
        raise typer.Exit(1)


def _check(plan: Plan, where: WhereOptions, how: HowOptions, tell: TellOptions) -> None:
    """Refuse options that contradict each other or the plan."""
    if tell.quiet and tell.verbose:
        raise UsageError("--quiet and --verbose contradict each other; leave one of them out")
    if where.skip_existing and where.no_clobber:
        raise UsageError("--skip-existing and --no-clobber contradict each other; leave one of them out")
    if sys.stdout is None and (tell.json or plan.destination.stdout):
        raise UsageError("standard output is closed; write to a file with -o")
    if tell.json and plan.destination.stdout and not how.dry_run:
        raise UsageError("--json needs standard output, which takes the picture here; write it to a file with -o")
    if plan.destination.stdout and sys.stdout.isatty() and not how.dry_run:
        raise UsageError("standard output is a terminal; write to a file with -o, or into a pipe")


def _until_error(outcomes: Iterator[Outcome], on_error: OnError) -> Iterator[Outcome]:
    with contextlib.closing(outcomes):  # type: ignore[type-var]
        for outcome in outcomes:
            yield outcome
            if outcome.error and on_error is OnError.stop:
                return
