"""Text on the terminal and JSON for programs: messages, progress, tables, previews."""

import os
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from imgconv.display.words import counted, finite
from imgconv.errors import escaped

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from rich.console import Console
    from rich.progress import Progress

    from imgconv.batch.outcome import Outcome
    from imgconv.display.parts import Part
    from imgconv.recipe import Recipe

STDOUT = "-"
PATIENCE = 1.0  # seconds before a progress bar appears
PLAIN_PAUSE = 10.0  # seconds between lines of progress where standard error is not a terminal
UPPER_HALF = "\N{UPPER HALF BLOCK}"
SHADES = " .:-=+*#%@"  # from black to white


def write_message(text: str) -> None:
    """Write a line to standard error, control characters escaped. If standard error fails, discard this and all later messages."""
    try:
        sys.stderr.write(f"{escaped(text)}\n")
        sys.stderr.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())


def write_line(text: str) -> None:
    """Write a line to standard output: escaped on a terminal, byte for byte to a program."""
    if sys.stdout.isatty():
        sys.stdout.write(f"{escaped(text)}\n")
    else:
        sys.stdout.buffer.write(os.fsencode(f"{text}\n"))
    sys.stdout.flush()


def write_json(value: Any) -> None:
    """Write `value` as one line of JSON to standard output and flush it."""
    import json  # takes a millisecond

    _refuse_inputs()
    line = json.dumps(finite(value), allow_nan=False, default=str).replace("\x7f", "\\u007f")  # the only control character that json writes
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _refuse_inputs() -> None:
    """Raise UsageError if standard output goes to a kernels file, recipe or file of weights that was read, as in `>> kernels.toml`."""
    from imgconv.inputs import Inputs
    from imgconv.registry.files import files_read

    Inputs(files_read()).refuse_stdout()


class Reporter:
    """Counts outcomes and reports them on standard error: errors, progress of a run that takes long, and a summary."""

    def __init__(self, total: int, recipe: "Recipe", *, quiet: bool = False, verbose: bool = False, dry_run: bool = False):
        self.total, self.recipe, self.quiet, self.verbose, self.dry_run = total, recipe, quiet, verbose, dry_run
        self.done = self.failed = self.skipped = self.written = 0
        self._started = self._last_line = time.perf_counter()
        self._progress: Progress | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._progress is not None:
            self._progress.stop()
            self._progress = None
        has_results = error is None or (self.done and not isinstance(error, BrokenPipeError))
        if self.total > 1 and not self.quiet and has_results:
            skipped = f", {self.skipped} skipped" if self.skipped else ""
            files = f"{counted(self.written, 'file')} {'would be written' if self.dry_run else 'written'}"
            write_message(f"{self.done} of {self.total} images: {files}{skipped}, {self.failed} failed, {self._seconds:.1f} s")

    def add(self, outcome: "Outcome") -> None:
        """Count one outcome, and report it if it is an error, has a note, or is the only one."""
        self.done += 1
        self.failed += outcome.error is not None
        self.skipped += outcome.skipped is not None
        self.written += 0 if outcome.skipped else len(outcome.outputs)
        if outcome.error is not None:
            self._write(f"imgconv: {outcome.source}: {outcome.error}")
        elif not self.quiet and (self.verbose or outcome.note is not None or (self.total == 1 and set(outcome.outputs) != {STDOUT})):
            self._write(_results(outcome) + (self._details(outcome) if self.verbose else ""))
        if self.total > 1 and not self.quiet:
            self._advance()

    @property
    def _seconds(self) -> float:
        return time.perf_counter() - self._started

    def _details(self, outcome: "Outcome") -> str:
        """What --verbose adds: the shapes of all maps, the algorithms, the time, and metadata that is missing."""
        from imgconv.inspection.plans import plan

        shapes = ", ".join("x".join(map(str, shape)) for shape in dict.fromkeys(outcome.shapes))
        steps = plan(self.recipe, *outcome.header).steps if outcome.header else ()
        algorithms = "; ".join(dict.fromkeys(step.algorithm for step in steps if step.algorithm))
        dropped = f"  without {', '.join(outcome.dropped)}" if outcome.dropped else ""
        reading = f"  {outcome.reading}" if outcome.reading else ""
        return f"  {shapes}{f'  {algorithms}' if outcome.header else ''}  {outcome.seconds:.3f} s{dropped}{reading}"

    def _write(self, text: str) -> None:
        if self._progress is not None:
            self._progress.console.print(escaped(text), markup=False, emoji=False, highlight=False, soft_wrap=True)
        else:
            write_message(text)

    def show_part(self, part: float) -> None:
        """Show how much of the only image is done, from 0 to 1."""
        if self.quiet:
            return
        if self._progress is None and self._seconds > PATIENCE and sys.stderr.isatty():
            self._progress = _bar(1)
        if self._progress is not None:
            self._progress.update(self._progress.task_ids[0], completed=part)
        elif part > 0 and time.perf_counter() - self._last_line > PLAIN_PAUSE:
            self._last_line = time.perf_counter()
            write_message(f"{part:.0%} done, {self._seconds * (1 - part) / part:.0f} s left")

    def _advance(self) -> None:
        """Update the bar, which appears after a while on a terminal; elsewhere write a line from time to time."""
        rate = self.done / max(self._seconds, 1e-6)
        if self._progress is None and self._seconds > PATIENCE and sys.stderr.isatty():
            self._progress = _bar(self.total)
        if self._progress is not None:
            self._progress.update(self._progress.task_ids[0], completed=self.done, failed=self.failed, rate=f"{rate:.1f}/s")
        elif time.perf_counter() - self._last_line > PLAIN_PAUSE and self.done < self.total:
            self._last_line = time.perf_counter()
            left = (self.total - self.done) / rate
            write_message(f"{self.done} of {self.total} images, {self.failed} failed, {rate:.1f}/s, {left:.0f} s left")


def _bar(total: int) -> "Progress":
    """A bar of the images of a run, or of the only one, whose progress goes from 0 to 1."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    of_images = (MofNCompleteColumn(), TextColumn("{task.fields[failed]} failed"), TextColumn("{task.fields[rate]}"))
    columns = (BarColumn(), *(of_images if total > 1 else (TaskProgressColumn(),)), TimeRemainingColumn())
    progress = Progress(*columns, console=Console(stderr=True), transient=True)
    progress.add_task("images", total=total, failed=0, rate="")
    progress.start()
    return progress


def _results(outcome: "Outcome") -> str:
    names = ["standard output" if name == STDOUT else name for name in dict.fromkeys(outcome.outputs)]
    results = ", ".join(names) or ("skipped" if outcome.skipped else "nothing")
    return f"{outcome.source} -> {results}" + (f" ({outcome.note})" if outcome.note else "")


def print_parts(*parts: "Part") -> None:
    """Print within the width of a terminal, and without wrapping elsewhere."""
    from rich.console import Console

    from imgconv.display.parts import print_to

    _refuse_inputs()
    print_to(Console(highlight=False, markup=False, emoji=False), parts)


def print_previews(outputs: Sequence[str]) -> None:
    """Show the first frame of each output, as wide as the terminal; do nothing where standard output is not a terminal."""
    if not sys.stdout.isatty():
        return
    from imgconv.batch.sources import first_image
    from imgconv.errors import ImageError
    from imgconv.images import ANY_SIZE
    from imgconv.plotting.thumbnails import preview

    for output in outputs:
        try:
            image = first_image(output, ANY_SIZE)
        except ImageError as error:
            write_message(f"imgconv: no preview of {error}")
        else:
            _print_pixels(partial(preview, image))


def _print_pixels(pixels_of: "Callable[[int], NDArray[Any]]") -> None:
    """Print the (H, W, 3) colours that `pixels_of` returns for the width of the terminal, two rows in each line of half-blocks."""
    from rich.color import Color
    from rich.console import Console
    from rich.segment import Segment, Segments
    from rich.style import Style

    console = Console(highlight=False)
    if console.no_color or console.color_system is None:
        return _print_shades(console, pixels_of(console.width))
    pixels = pixels_of(console.width).tolist()
    segments = []
    for upper, lower in zip(pixels[::2], pixels[1::2], strict=True):
        for above, below in zip(upper, lower, strict=True):
            segments.append(Segment(UPPER_HALF, Style(color=Color.from_rgb(*above), bgcolor=Color.from_rgb(*below))))
        segments.append(Segment.line())
    console.print(Segments(segments), end="")


def _print_shades(console: "Console", pixels: "NDArray[Any]") -> None:
    """Print (H, W, 3) colours as characters, one for two rows; lighter pixels have denser characters."""
    levels = pixels.reshape(-1, 2, *pixels.shape[1:]).mean(axis=(1, 3))
    for line in (levels * len(SHADES) / 256).astype(int).tolist():
        console.print("".join(SHADES[level] for level in line), markup=False, emoji=False, soft_wrap=True)
