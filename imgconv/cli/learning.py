"""From the options of `learn` to kernels: reads the pairs, learns, tells, and keeps what was learnt where that is asked for."""

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from imgconv.atomic import atomic_write
from imgconv.batch.inputs import first_image
from imgconv.cli import learn_view, words
from imgconv.cli.json_lines import write_line
from imgconv.cli.learn_options import LearnOptions
from imgconv.errors import DoesNotFit, ImageError, UsageError, reason
from imgconv.fitting.gradient_descent import descend
from imgconv.fitting.learning import Example, Fit, learn
from imgconv.images import Raster
from imgconv.registry import Kernel, add_entry

LARGEST = 31  # taps along a side: the work grows with the fourth power


def execute(images: Sequence[str], what: LearnOptions) -> None:
    """Learn from the pairs in `images` and tell what was found."""
    size = _kernel_size(what.size)
    _check(images, what)
    limit = words.limit(what.max_pixels, "--max-pixels")
    pairs = [_pair(before, after, limit, salvage=what.salvage) for before, after in zip(images[::2], images[1::2], strict=True)]
    losses: list[list[float]] = []
    fits = _learnt(pairs, size, what, losses)
    if what.json:
        write_line({"pictures": images, "fits": [fit.as_json() for fit in fits], "losses": losses})
    else:
        learn_view.print_fits(fits, losses)
    _keep(fits, what)


def _pair(before: str, after: str, limit: int | None, *, salvage: bool) -> tuple[Raster, Raster]:
    """Both images; of a JPEG file before a grey image its own luma, since that is what a grey image was made of."""
    made = first_image(after, max_pixels=limit, salvage=salvage)
    return first_image(before, luma="only" if made.channels - made.alpha == 1 else "no", max_pixels=limit, salvage=salvage), made


def _learnt(pairs: list[tuple[Raster, Raster]], size: tuple[int, int], what: LearnOptions, losses: list[list[float]]) -> list[Fit]:
    if not what.descend:
        return learn(pairs, size, what.channels.value)

    def descent(examples: Sequence[Example], kernel_size: tuple[int, int]) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        with learn_view.Curve(what.steps, live=not what.json) as curve:
            weights = descend(examples, kernel_size, what.steps, curve.add)
        losses.append(curve.losses)
        return weights

    return learn(pairs, size, what.channels.value, descent)


def _kernel_size(text: str) -> tuple[int, int]:
    size = words.size(text, "--size")
    height, width = size if isinstance(size, tuple) else (size, size)
    if min(height, width) < 1 or max(height, width) > LARGEST:
        raise UsageError(f"--size {text} is not possible; use 1 to {LARGEST}, or HxW")
    return height, width


def _check(images: Sequence[str], what: LearnOptions) -> None:
    if len(images) % 2:
        raise UsageError(f"images come in pairs, and {len(images)} cannot; give BEFORE AFTER, as often as you like")
    if images.count("-") > 1:
        raise UsageError("standard input is one image; give the other ones as files")
    if what.name and what.channels == "all":
        raise UsageError("--name cannot keep weights across colours; write them with -o FILE.npy, for -k @FILE.npy")
    if what.output is not None and what.output.suffix != ".npy":
        raise UsageError(f"-o {what.output} is no array; use a name that ends in .npy")
    if what.output is not None and str(what.output) in images:
        raise UsageError(f"output {what.output} is an input; choose another name with -o")


def _keep(fits: list[Fit], what: LearnOptions) -> None:
    if what.output is not None:
        weights = np.concatenate([fit.taps / fit.divisor for fit in fits])
        _write(what.output, weights if what.channels == "all" else weights[:, 0])
    if what.name is None:
        return
    for kernel in _kernels(fits, what.name):
        path = add_entry(kernel.name, kernel, replace=what.force, description="learnt from images", tags=("learnt",))
        sys.stderr.write(f"added {kernel.name} to {path}\n")


def _kernels(fits: list[Fit], name: str) -> list[Kernel]:
    kernels = [kernel for fit in fits for kernel in fit.kernels(name)]
    if not all(kernel.taps.any() for kernel in kernels):
        raise DoesNotFit("the second image does not depend on the first; nothing was learnt that could be kept")
    return kernels


def _write(path: Path, weights: "np.ndarray[tuple[int, ...], np.dtype[np.float64]]") -> None:
    try:
        with atomic_write(path) as stream:
            np.save(stream, weights[0] if len(weights) == 1 and weights.ndim == 3 else weights)
    except OSError as error:
        raise ImageError(f"{path}: {reason(error)}") from None
    sys.stderr.write(f"weights -> {path}\n")
