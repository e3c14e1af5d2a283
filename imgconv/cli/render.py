"""What a run tells a person, on standard error: the only place that uses Rich while images are worked on."""

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from imgconv.batch.outcome import Outcome
from imgconv.cli.lines import counted, escaped, write_line
from imgconv.cli.options import TellOptions
from imgconv.recipe import Recipe

if TYPE_CHECKING:
    from rich.progress import Progress

STDOUT = "-"
PATIENCE = 1.0  # seconds before a progress bar appears
PLAIN_PAUSE = 10.0  # seconds between lines of progress where there is no terminal


class Reporter:
    """Counts outcomes and tells them: errors always; on a terminal a bar when it takes long, else now and then a line; a summary."""

    def __init__(self, total: int, tell: TellOptions, recipe: Recipe, *, dry_run: bool = False):
        self.total, self.tell, self.dry_run, self.recipe = total, tell, dry_run, recipe
        self.done = self.failed = self.skipped = self.written = 0
        self._started = self._told_at = time.perf_counter()
        self._progress: Progress | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._progress is not None:
            self._progress.stop()
            self._progress = None
        worth_it = error is None or (self.done and not isinstance(error, BrokenPipeError))
        if self.total > 1 and not self.tell.quiet and worth_it:
            skipped = f", {self.skipped} passed over" if self.skipped else ""
            files = f"{counted(self.written, 'file')} {'would be written' if self.dry_run else 'written'}"
            counts = f"{files}{skipped}, {self.failed} failed, {self._seconds:.1f} s"
            write_line(f"{self.done} of {self.total} images: {counts}")

    def add(self, outcome: Outcome) -> None:
        """Tell one outcome and count it."""
        self.done += 1
        self.failed += outcome.error is not None
        self.skipped += outcome.skipped is not None
        self.written += 0 if outcome.skipped else len(outcome.outputs)
        if outcome.error is not None:
            self._line(f"imgconv: {outcome.source}: {outcome.error}")
        elif not self.tell.quiet and self._worth_a_line(outcome):
            self._line(_told(outcome) + (self._more(outcome) if self.tell.verbose else ""))
        if self.total > 1 and not self.tell.quiet:
            self._advance()

    @property
    def _seconds(self) -> float:
        return time.perf_counter() - self._started

    def _worth_a_line(self, outcome: Outcome) -> bool:
        return self.tell.verbose or outcome.note is not None or (self.total == 1 and set(outcome.outputs) != {STDOUT})

    def _more(self, outcome: Outcome) -> str:
        """What `-v` adds: the shapes of all maps, how they were made, and the time it took."""
        from imgconv.cli.planning import algorithms  # what plans know is not loaded without need

        shapes = ", ".join("x".join(map(str, shape)) for shape in dict.fromkeys(outcome.shapes))
        ways = f"  {algorithms(self.recipe, *outcome.header)}" if outcome.header else ""
        return f"  {shapes}{ways}  {outcome.seconds:.3f} s"

    def _line(self, text: str) -> None:
        if self._progress is not None:
            self._progress.console.print(escaped(text), markup=False, emoji=False, highlight=False, soft_wrap=True)
        else:
            write_line(escaped(text))

    def _advance(self) -> None:
        """Show how far it is: by a bar once it is worth it, or a plain line now and then."""
        rate = self.done / max(self._seconds, 1e-6)
        if self._progress is None and self._seconds > PATIENCE and sys.stderr.isatty():
            self._progress = _bar(self.total)
        if self._progress is not None:
            self._progress.update(self._progress.task_ids[0], completed=self.done, failed=self.failed, rate=f"{rate:.1f}/s")
        elif time.perf_counter() - self._told_at > PLAIN_PAUSE and self.done < self.total:
            self._told_at = time.perf_counter()
            left = (self.total - self.done) / rate
            write_line(f"{self.done} of {self.total} images, {self.failed} failed, {rate:.1f}/s, {left:.0f} s left")


def _bar(total: int) -> "Progress":
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[failed]} failed"), TextColumn("{task.fields[rate]}"))
    progress = Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True)
    progress.add_task("images", total=total, failed=0, rate="")
    progress.start()
    return progress


def _told(outcome: Outcome) -> str:
    names = ["standard output" if name == STDOUT else name for name in dict.fromkeys(outcome.outputs)]
    results = ", ".join(names) or ("kept" if outcome.skipped else "nothing")
    return f"{outcome.source} -> {results}" + (f" ({outcome.note})" if outcome.note else "")
