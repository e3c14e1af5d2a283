"""What a run tells a person, on standard error: the only place that uses Rich while pictures are worked on."""

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from imgconv.batch.outcome import Outcome
from imgconv.cli.options import TellOptions

if TYPE_CHECKING:
    from rich.progress import Progress

PATIENCE = 1.0  # seconds before a progress bar appears


class Reporter:
    """Counts outcomes and tells them: errors always, a bar on a terminal when it takes long, a summary at the end."""

    def __init__(self, total: int, tell: TellOptions):
        self.total, self.tell = total, tell
        self.done = self.failed = self.skipped = self.written = 0
        self._started = time.perf_counter()
        self._progress: Progress | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._progress is not None:
            self._progress.stop()
        if self.total > 1 and not self.tell.quiet:
            seconds = time.perf_counter() - self._started
            skipped = f", {self.skipped} passed over" if self.skipped else ""
            self._line(
                f"{self.done} of {self.total} pictures: {self.written} files written{skipped}, {self.failed} failed, {seconds:.1f} s"
            )

    def add(self, outcome: Outcome) -> None:
        """Tell one outcome and count it."""
        self.done += 1
        self.failed += outcome.error is not None
        self.skipped += outcome.skipped is not None
        self.written += len(outcome.outputs)
        if outcome.error is not None:
            self._line(f"imgconv: {outcome.source}: {outcome.error}")
        elif not self.tell.quiet and self._worth_a_line(outcome):
            self._line(_told(outcome, self.tell.verbose))
        self._advance()

    def _worth_a_line(self, outcome: Outcome) -> bool:
        return self.tell.verbose or outcome.note is not None or (self.total == 1 and outcome.outputs != ["-"])

    def _line(self, text: str) -> None:
        line = text.replace("\n", "\\n")
        if self._progress is not None:
            self._progress.console.print(line, markup=False, highlight=False, soft_wrap=True)
        else:
            sys.stderr.write(line + "\n")

    def _advance(self) -> None:
        """Show the bar once it is worth it: on a terminal, several pictures, and a second gone by."""
        if self._progress is None:
            patient = time.perf_counter() - self._started < PATIENCE
            if self.total < 2 or self.tell.quiet or patient or not sys.stderr.isatty():
                return
            self._progress = _bar(self.total)
        self._progress.update(self._progress.task_ids[0], completed=self.done, failed=self.failed)


def _bar(total: int) -> "Progress":
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[failed]} failed"), TimeRemainingColumn())
    progress = Progress(*columns, console=Console(stderr=True), transient=True)
    progress.add_task("pictures", total=total, failed=0)
    progress.start()
    return progress


def _told(outcome: Outcome, verbose: bool) -> str:
    shapes = ", ".join("x".join(map(str, shape)) for shape in dict.fromkeys(outcome.shapes))
    results = ", ".join(outcome.outputs) or "nothing"
    text = f"{outcome.source} -> {results}" + (f" ({outcome.note})" if outcome.note else "")
    return f"{text}  {shapes}  {outcome.seconds:.3f} s" if verbose else text
