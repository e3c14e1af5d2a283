"""What was learnt on standard output, and a loss curve that grows in the terminal while it is."""

import math
import sys
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from imgconv.cli.lines import counted
from imgconv.cli.tables import facts, heading, print_parts
from imgconv.fitting.learning import Fit
from imgconv.inspection.explanation import channel_names, number

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from rich.live import Live
    from rich.table import Table
    from rich.text import Text

WIDTH, HEIGHT = 60, 8  # characters of the loss curve
EIGHTHS = " \N{LOWER ONE EIGHTH BLOCK}\N{LOWER ONE QUARTER BLOCK}\N{LOWER THREE EIGHTHS BLOCK}\N{LOWER HALF BLOCK}" + (
    "\N{LOWER FIVE EIGHTHS BLOCK}\N{LOWER THREE QUARTERS BLOCK}\N{LOWER SEVEN EIGHTHS BLOCK}\N{FULL BLOCK}"
)
POOR = 0.9  # of the variance: with less explained, one kernel is not what was done
SMALLEST = 1e-16


def print_fits(fits: list[Fit], losses: list[list[float]]) -> None:
    """Every kernel with its numbers and how well it fits; the loss curve of a descent before it."""
    from rich.text import Text

    for index, fit in enumerate(fits):
        if losses:
            steps = counted(len(losses[index]), "step")
            print_parts(heading(f"loss, {steps}", "mean squared error, on a logarithmic scale"), _chart(losses[index]))
        for output, name in enumerate(fit.names):
            print_parts(*_kernel(fit, output, name))
        print_parts(facts(_told(fit)), Text())
        if not fit.determined:
            print_parts(Text("other taps explain these images as well; add a pair with more detail", "yellow"), Text())
        if min(fit.r2) < POOR:
            print_parts(Text("one kernel explains little here: absolute values, combined maps and pools are no kernels", "yellow"), Text())


def _kernel(fit: Fit, output: int, name: str) -> "list[Any]":
    from rich.text import Text

    parts: list[Any] = []
    planes = fit.taps[output]
    for given, plane in zip(channel_names(len(planes), alpha=False), planes, strict=True):
        title = name if len(planes) == 1 else f"{name} from {given}"
        over = f"whole numbers / {fit.divisor}" if fit.divisor > 1 else "whole numbers" if fit.simple else "no simple fractions fit as well"
        parts += [heading(title, over), _numbers(plane)]
    return [*parts, Text()]


def _numbers(plane: "NDArray[Any]") -> "Table":
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=False, padding=(0, 1))
    for _ in plane[0]:
        table.add_column(justify="right", no_wrap=True)
    for row in plane.tolist():
        table.add_row(*(Text(number(tap), style="dim" if tap == 0 else "green" if tap > 0 else "red") for tap in row))
    return table


def _told(fit: Fit) -> dict[str, str]:
    told = {"offset": ", ".join(number(round(float(offset), 4)) for offset in fit.offset)}
    told["error"] = f"{', '.join(f'{rms:.3g}' for rms in fit.rms)} levels (root mean square)"
    told["explained"] = f"{', '.join(f'{100 * max(r2, 0.0):.4f}'.rstrip('0').rstrip('.') for r2 in fit.r2)} % of the variance"
    left_out = f", {fit.windows_total - fit.windows:,} left out because they are black or white" if fit.windows_total > fit.windows else ""
    told["windows"] = f"{fit.windows:,}{left_out}"
    return told


class Curve:
    """A loss curve that is told of every step, and drawn on standard error while it grows where that is a terminal."""

    def __init__(self, steps: int, *, live: bool):
        self.losses: list[float] = []
        self._steps = steps
        self._live: Live | None = None
        self._wanted = live and sys.stderr is not None and sys.stderr.isatty()

    def __enter__(self) -> Self:
        if self._wanted:
            from rich.console import Console
            from rich.live import Live

            self._live = Live(console=Console(stderr=True), transient=True, refresh_per_second=8)
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._live is not None:
            self._live.stop()

    def add(self, step: int, loss: float) -> None:
        """Tell the loss before a step."""
        self.losses.append(loss)
        if self._live is not None and step % 10 == 0:
            self._live.update(_chart(self.losses, self._steps))


def _chart(losses: list[float], steps: int | None = None) -> "Text":
    from rich.text import Text

    return Text("\n".join(curve(losses, steps or len(losses))), style="cyan")


def curve(losses: list[float], steps: int) -> list[str]:
    """Lines of a bar chart of the losses' logarithms, as wide as `steps` will need, with the extremes beside it.

    >>> lines = curve([100.0, 1.0], 2)
    >>> lines[0].split(), lines[-1].split(), len(lines)
    (['█', '100'], ['█▁', '1'], 8)
    """
    width = min(WIDTH, steps)
    columns: dict[int, float] = {}
    for step, loss in enumerate(losses):
        columns[step * width // steps] = math.log10(max(loss, SMALLEST))
    low, high = min(columns.values()), max(columns.values())
    heights = [round(1 + (columns[c] - low) / ((high - low) or 1) * (8 * HEIGHT - 1)) if c in columns else 0 for c in range(width)]
    lines = ["".join(EIGHTHS[min(max(height - 8 * row, 0), 8)] for height in heights) for row in reversed(range(HEIGHT))]
    lines[0] += f"  {10**high:.3g}"
    lines[-1] += f"  {10**low:.3g}"
    return lines
