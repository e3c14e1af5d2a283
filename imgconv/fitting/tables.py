"""Learnt kernels as tables, and the curve of a loss."""

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from imgconv.display.parts import facts, heading, numbers, text, text_lines
from imgconv.display.words import counted
from imgconv.fitting.learning import Fit
from imgconv.inspection.explanation import channel_names, number

if TYPE_CHECKING:
    from imgconv.display.parts import Part

WIDTH, HEIGHT = 60, 8  # characters of the loss curve
EIGHTHS = " \N{LOWER ONE EIGHTH BLOCK}\N{LOWER ONE QUARTER BLOCK}\N{LOWER THREE EIGHTHS BLOCK}\N{LOWER HALF BLOCK}" + (
    "\N{LOWER FIVE EIGHTHS BLOCK}\N{LOWER THREE QUARTERS BLOCK}\N{LOWER SEVEN EIGHTHS BLOCK}\N{FULL BLOCK}"
)
POOR = 0.9  # of the variance: an operation that is explained less is not one kernel
SMALLEST_LOSS = 1e-16


def learnt_parts(fits: Sequence[Fit], losses: Sequence[Sequence[float]]) -> "Iterator[Part]":
    """Yield the loss curve of each descent, every kernel, and how well it fits."""
    for index, fit in enumerate(fits):
        if index:
            yield text()
        if losses:
            steps = counted(len(losses[index]), "step")
            yield heading(f"loss, {steps}", "mean squared error, on a logarithmic scale")
            yield chart(losses[index])
        for output, name in enumerate(fit.names):
            yield from _kernel(fit, output, name)
        yield facts(_quality(fit))
        if not fit.determined:
            yield from (text(), text("other kernels fit these images as well; add a pair with more detail", style="yellow"))
        if min(fit.r2) < POOR:
            poor = "one kernel explains little here: absolute values, combined maps and pools are not kernels"
            yield from (text(), text(poor, style="yellow"))


def _kernel(fit: Fit, output: int, name: str) -> "Iterator[Part]":
    planes = fit.taps[output]
    for channel, plane in zip(channel_names(len(planes), alpha=False), planes, strict=True):
        title = name if len(planes) == 1 else f"{name} from {channel}"
        kind = f"whole numbers / {fit.divisor}" if fit.divisor > 1 else "whole numbers" if fit.simple else "no simple fractions fit as well"
        yield from (heading(title, kind), numbers(plane, number))
    yield text()


def _quality(fit: Fit) -> dict[str, str]:
    left_out = (
        f", {fit.windows_total - fit.windows:,} left out because they are black, white or not finite"
        if fit.windows_total > fit.windows
        else ""
    )
    return {
        "offset": ", ".join(number(round(float(offset), 4)) for offset in fit.offset),
        "error": f"{', '.join(f'{rms:.3g}' for rms in fit.rms)} levels (root mean square)",
        "explained": f"{', '.join(f'{100 * max(r2, 0.0):.4f}'.rstrip('0').rstrip('.') for r2 in fit.r2)} % of the variance",
        "windows": f"{fit.windows:,}{left_out}",
    }


def chart(losses: Sequence[float], steps: int | None = None) -> "Part":
    """Return the chart of `curve`."""
    return text_lines(curve(losses, steps or len(losses)), style="cyan")


def curve(losses: Sequence[float], steps: int) -> list[str]:
    """Return the lines of a bar chart of the losses' logarithms, as wide as `steps` need, with the extremes next to it.

    >>> lines = curve([100.0, 1.0], 2)
    >>> lines[0].split(), lines[-1].split(), len(lines)
    (['█', '100'], ['█▁', '1'], 8)
    """
    width = min(WIDTH, steps)
    columns: dict[int, float] = {}
    for step, loss in enumerate(losses):
        columns[step * width // steps] = math.log10(max(loss, SMALLEST_LOSS))
    low, high = min(columns.values()), max(columns.values())
    heights = [round(1 + (columns[c] - low) / ((high - low) or 1) * (8 * HEIGHT - 1)) if c in columns else 0 for c in range(width)]
    lines = ["".join(EIGHTHS[min(max(height - 8 * row, 0), 8)] for height in heights) for row in reversed(range(HEIGHT))]
    lines[0] += f"  {10**high:.3g}"
    lines[-1] += f"  {10**low:.3g}"
    return lines
