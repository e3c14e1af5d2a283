"""The command `imgconv learn`: kernels fitted to pairs of images, as tables, JSON, an array or entries of the kernels file."""

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Annotated, Any, Self

import typer

from imgconv.cli.options import MAX_PIXELS, TELL, WHAT, WHERE, AxesOrder, MaxPixels, Salvage, Size, limit, option
from imgconv.cli.outputs import check_output, format_of
from imgconv.errors import DoesNotFit, ImageError, UsageError, reason

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from rich.live import Live
    from rich.text import Text

    from imgconv.fitting.learning import Example, Fit
    from imgconv.images import Raster
    from imgconv.inputs import Inputs
    from imgconv.registry import Kernel

EXAMPLES = """
imgconv learn photo.png sharper.png --size 3
imgconv learn before.png after.png --size 5 --name mine --descend
"""
LARGEST = 31  # taps along a side: the work grows with the fourth power
WIDTH, HEIGHT = 60, 8  # characters of the loss curve
EIGHTHS = " \N{LOWER ONE EIGHTH BLOCK}\N{LOWER ONE QUARTER BLOCK}\N{LOWER THREE EIGHTHS BLOCK}\N{LOWER HALF BLOCK}" + (
    "\N{LOWER FIVE EIGHTHS BLOCK}\N{LOWER THREE QUARTERS BLOCK}\N{LOWER SEVEN EIGHTHS BLOCK}\N{FULL BLOCK}"
)
POOR = 0.9  # of the variance: an operation that is explained less is not one kernel
SMALLEST_LOSS = 1e-16


class Channels(StrEnum):
    """How colour channels are fitted."""

    grey = "grey"
    each = "each"
    all = "all"


@dataclass(frozen=True)
class LearnOptions:
    """What is fitted, and where it goes."""

    size: Size = "3"
    channels: Annotated[
        Channels,
        option(WHAT, "--channels", help="Fit one kernel for the luma, one for each colour channel, or weights across all channels."),
    ] = Channels.grey
    descend: Annotated[bool, option(WHAT, "--descend", help="Use gradient descent, as networks do, instead of least squares.")] = False
    steps: Annotated[
        int, option(WHAT, "--steps", metavar="N", min=1, max=100_000, help="Number of steps of --descend, from 1 to 100,000.")
    ] = 600
    name: Annotated[str | None, option(WHERE, "--name", metavar="NAME", help="Add the kernel to your kernels file under this name.")] = None
    force: Annotated[bool, option(WHERE, "--force", help="Replace an existing kernel of that name.")] = False
    output: Annotated[
        Path | None, option(WHERE, "-o", "--output", metavar="FILE.npy", help="Write the weights, for use with -k @FILE.npy.")
    ] = None
    json: Annotated[bool, option(TELL, "--json", help="Write a line of JSON to standard output.")] = False
    max_pixels: MaxPixels = MAX_PIXELS
    salvage: Salvage = False
    axes: AxesOrder = None


def command(
    images: Annotated[
        list[str],
        typer.Argument(metavar="BEFORE AFTER...", help="Pairs of images, the second of each filtered from the first.", show_default=False),
    ],
    what: LearnOptions,
) -> None:
    """Find the kernel that turns one image into another.

    Windows are left out whose result is black or white, which may be clipped, or that hold pixels which are not finite. The kernel is
    printed; --name adds it to your kernels, where it takes precedence over a built-in one of that name.
    """
    from imgconv.cli.console import write_json

    kernel_size = _kernel_size(what.size)
    _check(images, what)
    inputs = _inputs(images, what)
    max_pixels = limit(what.max_pixels)
    pairs = [_pair(before, after, max_pixels, what) for before, after in zip(images[::2], images[1::2], strict=True)]
    fits, losses = _fit(pairs, kernel_size, what)
    if what.json:
        write_json({"pictures": images, "fits": [fit.as_json() for fit in fits], "losses": losses})
    else:
        _print_fits(fits, losses)
    _save(fits, what, inputs)


def _kernel_size(text: str) -> tuple[int, int]:
    from imgconv.recipe.values import image_size, read

    sides = read("--size", image_size, text)
    height, width = sides if isinstance(sides, tuple) else (sides, sides)
    if min(height, width) < 1 or max(height, width) > LARGEST:
        raise UsageError(f"--size: expected a size from 1 to {LARGEST}, got {text}")
    return height, width


def _check(images: Sequence[str], what: LearnOptions) -> None:
    if len(images) % 2:
        raise UsageError(f"expected pairs of images, got {len(images)}; give BEFORE AFTER for each pair")
    if images.count("-") > 1:
        raise UsageError("standard input is one image; give the other images as files")
    if what.name is not None:
        from imgconv.registry.editing import check_name

        check_name(what.name, replace=what.force or what.channels != "grey")  # the names of several channels are longer
    if what.name and what.channels == "all":
        raise UsageError("--name cannot store weights across channels; write them with -o FILE.npy, for -k @FILE.npy")
    if what.output is not None:
        format_of(what.output, ["npy"], "-o")


def _inputs(images: Sequence[str], what: LearnOptions) -> "Inputs | None":
    """What -o may not replace: the images, and with --name the kernels file that gets an entry. None without -o."""
    from imgconv.registry import user_file

    others = [user_file()] if what.name else []  # also without -o, so that a user without a home folder is refused before work
    return None if what.output is None else check_output(what.output, images, others=others)


def _pair(before: str, after: str, max_pixels: int | None, what: LearnOptions) -> "tuple[Raster, Raster]":
    """Read both images. If the second is grey, the luma of a first JPEG file is its own, of which the grey image was made."""
    from imgconv.batch.inputs import first_image

    second = first_image(after, max_pixels=max_pixels, salvage=what.salvage, axes=what.axes)
    is_grey = second.channels - second.alpha == 1
    return first_image(before, luma="only" if is_grey else "no", max_pixels=max_pixels, salvage=what.salvage, axes=what.axes), second


def _fit(pairs: "list[tuple[Raster, Raster]]", kernel_size: tuple[int, int], what: LearnOptions) -> "tuple[list[Fit], list[list[float]]]":
    """The fits, and the losses of each gradient descent."""
    from imgconv.fitting.gradient_descent import descend
    from imgconv.fitting.learning import learn

    losses: list[list[float]] = []
    if not what.descend:
        return learn(pairs, kernel_size, what.channels.value), losses

    def descent(examples: "Sequence[Example]", kernel_size: tuple[int, int]) -> "NDArray[np.float64]":
        with LossCurve(what.steps, live=not what.json) as curve:
            weights = descend(examples, kernel_size, what.steps, curve.add)
        losses.append(curve.losses)
        return weights

    return learn(pairs, kernel_size, what.channels.value, descent), losses


def _save(fits: "list[Fit]", what: LearnOptions, inputs: "Inputs | None") -> None:
    """Write the weights to --output and the kernels under --name."""
    import numpy as np

    from imgconv.cli.console import write_message
    from imgconv.cli.kernels import added_message
    from imgconv.registry import add_entry

    if what.output is not None and inputs is not None:
        weights = np.concatenate([fit.taps / fit.divisor for fit in fits])
        _write(what.output, weights if what.channels == "all" else weights[:, 0], inputs)
    for kernel in [] if what.name is None else _kernels(fits, what.name):
        path = add_entry(kernel.name, kernel, replace=what.force, description="learnt from images", tags=("learnt",))
        write_message(added_message(kernel.name, path))


def _kernels(fits: "list[Fit]", name: str) -> "list[Kernel]":
    kernels = [kernel for fit in fits for kernel in fit.kernels(name)]
    if not all(kernel.taps.any() for kernel in kernels):
        raise DoesNotFit("the second image does not depend on the first, so no kernel can be stored")
    return kernels


def _write(path: Path, weights: "NDArray[np.float64]", inputs: "Inputs") -> None:
    import numpy as np

    from imgconv.atomic import atomic_write
    from imgconv.cli.console import write_message

    try:
        with atomic_write(path, inputs) as stream:
            np.save(stream, weights[0] if len(weights) == 1 and weights.ndim == 3 else weights)
    except OSError as error:
        raise ImageError(f"{path}: {reason(error)}") from None
    write_message(f"weights -> {path}")


def _print_fits(fits: "list[Fit]", losses: list[list[float]]) -> None:
    """Print the loss curve of a descent, every kernel, and how well it fits."""
    from imgconv.cli.console import counted, facts, heading, print_parts, text

    for index, fit in enumerate(fits):
        if losses:
            steps = counted(len(losses[index]), "step")
            print_parts(heading(f"loss, {steps}", "mean squared error, on a logarithmic scale"), _chart(losses[index]))
        for output, name in enumerate(fit.names):
            print_parts(*_kernel(fit, output, name))
        print_parts(facts(_quality(fit)), text())
        if not fit.determined:
            print_parts(text("other kernels fit these images as well; add a pair with more detail", style="yellow"), text())
        if min(fit.r2) < POOR:
            print_parts(
                text("one kernel explains little here: absolute values, combined maps and pools are not kernels", style="yellow"), text()
            )


def _kernel(fit: "Fit", output: int, name: str) -> "list[Any]":
    from imgconv.cli.console import heading, numbers, text
    from imgconv.inspection.explanation import channel_names, number

    parts: list[Any] = []
    planes = fit.taps[output]
    for channel, plane in zip(channel_names(len(planes), alpha=False), planes, strict=True):
        title = name if len(planes) == 1 else f"{name} from {channel}"
        kind = f"whole numbers / {fit.divisor}" if fit.divisor > 1 else "whole numbers" if fit.simple else "no simple fractions fit as well"
        parts += [heading(title, kind), numbers(plane, number)]
    return [*parts, text()]


def _quality(fit: "Fit") -> dict[str, str]:
    from imgconv.inspection.explanation import number

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


class LossCurve:
    """Collects the loss of every step, and draws it on standard error as it grows if that is a terminal."""

    def __init__(self, steps: int, *, live: bool):
        self.losses: list[float] = []
        self._steps = steps
        self._live: Live | None = None
        self._is_drawn = live and sys.stderr is not None and sys.stderr.isatty()

    def __enter__(self) -> Self:
        if self._is_drawn:
            from imgconv.cli.console import live_display

            self._live = live_display()
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._live is not None:
            self._live.stop()

    def add(self, step: int, loss: float) -> None:
        """Add the loss before a step."""
        self.losses.append(loss)
        if self._live is not None and step % 10 == 0:
            self._live.update(_chart(self.losses, self._steps))


def _chart(losses: list[float], steps: int | None = None) -> "Text":
    from imgconv.cli.console import text_lines

    return text_lines(curve(losses, steps or len(losses)), style="cyan")


def curve(losses: list[float], steps: int) -> list[str]:
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
