"""Learn kernels from pairs of images, show them as tables with the curve of the loss, and store them."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from imgconv.atomic import output_file
from imgconv.display.displayable import Displayable
from imgconv.display.parts import facts, heading, live_display, numbers, text, text_lines
from imgconv.display.words import counted
from imgconv.errors import DoesNotFit, UsageError
from imgconv.fitting.learning import Example, Fit, Weights, descend, learn
from imgconv.images import Raster
from imgconv.inputs import Inputs
from imgconv.inspection.pixel import channel_names, number
from imgconv.modes import Channels
from imgconv.recipe import DECLARED, MissingData
from imgconv.registry import Kernel, add_entry
from imgconv.registry.editing import check_name
from imgconv.window import Size, sizes

if TYPE_CHECKING:
    from imgconv.display.parts import Part

LARGEST = 31  # taps along a side: the work grows with the fourth power
MOST_STEPS = 100_000  # of gradient descent
WIDTH, HEIGHT = 60, 8  # characters of the loss curve
EIGHTHS = " \N{LOWER ONE EIGHTH BLOCK}\N{LOWER ONE QUARTER BLOCK}\N{LOWER THREE EIGHTHS BLOCK}\N{LOWER HALF BLOCK}" + (
    "\N{LOWER FIVE EIGHTHS BLOCK}\N{LOWER THREE QUARTERS BLOCK}\N{LOWER SEVEN EIGHTHS BLOCK}\N{FULL BLOCK}"
)
POOR = 0.9  # of the variance: an operation that is explained less is not one kernel
SMALLEST_LOSS = 1e-16


@dataclass(frozen=True, eq=False, repr=False)
class LearntKernels(Displayable):
    """What `imgconv.learn` returns: the `fits` of kernels to the pairs `sources`, one for each channel with `channels` "each".

    `losses` are those of every step of each gradient descent; empty for least squares.
    """

    sources: tuple[str, ...]
    channels: str
    fits: tuple[Fit, ...]
    losses: tuple[Sequence[float], ...] = ()

    @property
    def kernel(self) -> Kernel:
        """The kernel, the first one if there are several."""
        return self.kernels()[0]

    @property
    def weights(self) -> Weights:
        """The weights, divisors applied: (kh, kw), (O, kh, kw) for several channels, (O, C, kh, kw) for `channels` "all"."""
        weights = np.concatenate([fit.taps / fit.divisor for fit in self.fits])
        if self.channels == Channels.all:
            return weights
        return weights[0, 0] if len(weights) == 1 else weights[:, 0]

    def kernels(self, name: str = "learnt") -> list[Kernel]:
        """Return the kernel of each channel; all but grey have the channel in their name."""
        return [kernel for fit in self.fits for kernel in fit.kernels(name)]

    def save(self, output: str | Path, inputs: Inputs | None = None) -> None:
        """Write the weights to a .npy file. Raises UsageError if it is one of `inputs`, or ImageError, which names it."""
        with output_file(Path(output), inputs or Inputs()) as stream:
            np.save(stream, self.weights)

    def store(self, name: str, *, force: bool = False) -> list[tuple[str, Path]]:
        """Add the kernels to the user's kernels file; return the name of each and the file.

        Raises DoesNotFit for weights that are all 0, UsageError for a name that is taken, unless `force`.
        """
        kernels = self.kernels(name)
        if not all(kernel.taps.any() for kernel in kernels):
            raise DoesNotFit("the second image does not depend on the first, so no kernel can be stored")
        details = {"description": "learnt from images", "tags": ["learnt"]}
        return [(kernel.name, add_entry(kernel.name, kernel, details=details, replace=force)) for kernel in kernels]

    def as_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {"images": self.sources, "fits": [fit.as_json() for fit in self.fits], "losses": self.losses}

    def parts(self) -> "Iterator[Part]":
        """Yield the loss curve of each descent, every kernel, and how well it fits."""
        for index, fit in enumerate(self.fits):
            if index:
                yield text()
            if self.losses:
                steps = counted(len(self.losses[index]), "step")
                yield heading(f"loss, {steps}", "mean squared error, on a logarithmic scale")
                yield _chart(self.losses[index], len(self.losses[index]))
            for output, name in enumerate(fit.names):
                yield from _kernel(fit, output, name)
            yield facts(_quality(fit))
            if not fit.determined:
                yield from (text(), text("other kernels fit these images as well; add a pair with more detail", style="yellow"))
            if min(fit.r2) < POOR:
                poor = "one kernel explains little here: absolute values, combined maps and pools are not kernels"
                yield from (text(), text(poor, style="yellow"))


@dataclass(frozen=True)
class Task:
    """What is to be learnt. Raises UsageError for a size, a number of steps or a name that is not allowed.

    `descend` is gradient descent of `steps` steps in place of least squares. `name` is that under which the kernel will be stored.
    Windows with cells that are missing by `missing_data` are left out; its mask is that of first images.
    """

    size: Size = 3
    channels: str = "grey"
    descend: bool = False
    steps: int = 600
    name: str | None = None
    force: bool = False
    missing_data: MissingData = DECLARED

    def __post_init__(self) -> None:
        Channels(self.channels)
        if max(self.kernel_size) > LARGEST:
            raise UsageError(f"size must be from 1 to {LARGEST}, not {self.size}")
        if sizes(self.steps, "steps", 1, least=1) > (MOST_STEPS,):
            raise UsageError(f"steps must be from 1 to {MOST_STEPS:,}, not {self.steps}")
        if self.name is not None:
            check_name(self.name, replace=self.force or self.channels != Channels.grey)  # the names of several channels are longer
        if self.name and self.channels == Channels.all:
            raise UsageError("--name cannot store weights across channels; write them with -o FILE.npy, for -k @FILE.npy")

    @property
    def kernel_size(self) -> tuple[int, int]:
        """Height and width."""
        height, width = sizes(self.size, "size", 2, least=1)
        return height, width

    def learn(self, pairs: Sequence[tuple[Raster, Raster]], sources: Sequence[str], *, on_terminal: bool) -> LearntKernels:
        """Learn from pairs of images with these names. The loss is drawn as it falls, in a notebook and, if wanted, on a terminal."""
        losses: list[list[float]] = []
        descent = partial(self._descend, losses, on_terminal) if self.descend else None
        fits = learn(pairs, self.kernel_size, self.channels, descent, sources, self.missing_data)
        return LearntKernels(tuple(sources), self.channels, tuple(fits), tuple(losses))

    def _descend(self, losses: list[list[float]], on_terminal: bool, examples: Sequence[Example], kernel_size: tuple[int, int]) -> Weights:
        curve: list[float] = []
        losses.append(curve)
        display = live_display(on_terminal=on_terminal)
        if display is None:
            return descend(examples, kernel_size, self.steps, lambda step, loss: curve.append(loss))

        def draw(step: int, loss: float) -> None:
            curve.append(loss)
            if step % 10 == 0:
                display.update(_chart(curve, self.steps))

        with display:
            return descend(examples, kernel_size, self.steps, draw)


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


def _chart(losses: Sequence[float], steps: int) -> "Part":
    return text_lines(curve(losses, steps), style="cyan")


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
