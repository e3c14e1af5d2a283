"""From the options of `run --batch` to one array of all images: hands over to batch, and tells."""

import sys
import time
from collections.abc import Sequence
from dataclasses import replace

from imgconv.batch.destinations import identities
from imgconv.batch.outcome import Outcome
from imgconv.batch.paths import exists
from imgconv.batch.sources import STDIN
from imgconv.batch.stacking import Stack, check_sizes, plan_stack, write_stack
from imgconv.cli import running, words
from imgconv.cli.lines import counted, escaped, write_line
from imgconv.cli.options import HowOptions, TellOptions, WhereOptions
from imgconv.engine import cache
from imgconv.errors import ImageError, UsageError
from imgconv.recipe import Recipe


def execute(inputs: Sequence[str], recipe: Recipe, where: WhereOptions, how: HowOptions, tell: TellOptions) -> None:
    """Take all images through `recipe` and write their results as one array; the first that fails ends it, with nothing written."""
    cache.announce = None if tell.quiet else write_line
    running.check_options(inputs, where, tell)
    if how.dask is not None:
        raise UsageError("--batch makes one array, on this machine; leave out --dask")
    if where.shard is not None:
        raise UsageError("--shard takes a batch apart, which is made as a whole; leave one of them out")
    stack = plan_stack(
        inputs,
        recipe,
        exact=running.listed_inputs(where),
        output=where.output,
        format=where.format,
        recursive=where.recursive,
        max_pixels=words.limit(how.max_pixels, "--max-pixels"),
        salvage=how.salvage,
    )
    stack = replace(stack, inputs=stack.inputs | identities(running.weights()))
    _check(stack, where, tell)
    started = time.perf_counter()
    check_sizes(stack)
    target = STDIN if stack.file is None else str(stack.file)
    if _stays(stack, where):
        outcomes = [Outcome(str(source), skipped="exists") for source in stack.sources]
    elif how.dry_run:
        outcomes = [Outcome(str(source), outputs=[target], note="not written: dry run") for source in stack.sources]
    else:
        made = write_stack(stack)
        seconds = (time.perf_counter() - started) / len(made)
        outcomes = [Outcome(name, outputs=[target], shapes=[shape], seconds=seconds) for name, shape in made]
    _tell(outcomes, target, tell)


def _check(stack: Stack, where: WhereOptions, tell: TellOptions) -> None:
    """Refuse options that contradict each other or the batch."""
    if tell.report is not None:
        raise UsageError("--report shows images, and --batch makes an array; leave one of them out")
    if tell.show:
        raise UsageError("--show previews images, and --batch makes an array; leave one of them out")
    if where.quality is not None:
        raise UsageError(f"--quality has no meaning for {stack.format}; leave it out")
    if stack.file is None and (sys.stdout is None or sys.stdout.isatty() or tell.json):
        raise UsageError("standard output cannot take the array here; write it to a file with -o")


def _stays(stack: Stack, where: WhereOptions) -> bool:
    """Whether an output that exists is kept; refused with --no-clobber."""
    if stack.file is None or not exists(stack.file):
        return False
    if where.no_clobber:
        raise ImageError(f"output {stack.file} exists; leave out --no-clobber to replace it")
    return where.skip_existing


def _tell(outcomes: Sequence[Outcome], target: str, tell: TellOptions) -> None:
    if tell.json:
        for outcome in outcomes:
            running.tell_json(outcome)
    if not tell.quiet:
        note = outcomes[0].note or ("exists, and is kept" if outcomes[0].skipped else "")
        place = "standard output" if target == STDIN else target
        write_line(f"{counted(len(outcomes), 'image')} -> {escaped(place)}{f' ({note})' if note else ''}")
