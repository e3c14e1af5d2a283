"""The kernel that turns one image into another, found from pairs of images by least squares or by gradient descent."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imgconv.errors import DoesNotFit
from imgconv.filters.color import white
from imgconv.fitting.least_squares import Equations, simple_fractions
from imgconv.images import Raster
from imgconv.inspection.cells import seen
from imgconv.inspection.explanation import channel_names
from imgconv.registry import Kernel

CHANNELS = ("grey", "each", "all")
Numbers = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Example:
    """What is learnt from: `input` (C, H, W), the `output` (O, h_out, w_out) of every whole window, and where it is not saturated."""

    input: NDArray[Any]
    output: NDArray[Any]
    usable: NDArray[np.bool_]


Descent = Callable[[Sequence[Example], tuple[int, int]], Numbers]


@dataclass(frozen=True, eq=False)
class Fit:
    """Kernels that were learnt together: `taps` (O, C, kh, kw) over `divisor`, whole where that explains the images as well.

    `free` (O, C, kh, kw) are the weights before they were simplified. `offset` (O,) and `rms` (O,), the error, are in levels of the
    output; `r2` (O,) is the share of its variance that is explained. `windows` were used of `seen`. They are `determined` where no
    other taps explain the images as well. `level` is 1/255 of white.
    """

    names: tuple[str, ...]
    taps: Numbers
    divisor: int
    simple: bool
    free: Numbers
    offset: Numbers
    rms: Numbers
    r2: Numbers
    windows: int
    seen: int
    determined: bool
    level: float

    def kernels(self, name: str) -> list[Kernel]:
        """A kernel for each output, called by its channel too where that is no grey; weights across channels stay (C, kh, kw)."""
        made = []
        for channel, taps, offset in zip(self.names, self.taps, self.offset, strict=True):
            plane = taps[0] if len(taps) == 1 else taps
            balanced = abs(float(plane.sum())) <= 1e-3 * float(np.abs(plane).sum())
            called = name if channel == "grey" else f"{name}_{channel.replace(' ', '_')}"
            made.append(Kernel(called, plane, float(self.divisor), self._told(offset), range="abs" if balanced else "clip"))
        return made

    def _told(self, offset: float) -> float:
        """An offset in 8-bit levels; what is less than a tenth of one is noise."""
        levels = float(offset) / self.level
        return round(levels, 3) if abs(levels) >= 0.1 else 0.0

    def as_json(self) -> dict[str, Any]:
        """Everything in it."""
        arrays = {name: getattr(self, name).tolist() for name in ("taps", "free", "offset", "rms", "r2")}
        rest = {name: getattr(self, name) for name in ("divisor", "simple", "windows", "seen", "determined")}
        return {"channels": self.names, **arrays, **rest}


def learn(
    pairs: Sequence[tuple[Raster, Raster]], kernel_size: tuple[int, int], channels: str = "grey", descend: Descent | None = None
) -> list[Fit]:
    """The kernels of `kernel_size` that turn the first image of each pair into the second.

    `channels`: `grey` for one channel, `each` for a kernel for every colour, `all` for weights across all colours. Outputs that are
    black or white in an image of whole levels may have been cut there, and are left out. `descend` finds weights (O, C, kh, kw) itself.
    Raises DoesNotFit for images whose sizes or channels do not match.

    >>> from imgconv.recipe import filter_recipe
    >>> from imgconv.process import process
    >>> noise = Raster(np.random.default_rng(0).integers(0, 256, (40, 50, 1), np.uint8))
    >>> soft = process(noise, filter_recipe(["1 2 1; 2 4 2; 1 2 1 / 16"]))[0].image
    >>> (fit,) = learn([(noise, soft)], (3, 3))
    >>> fit.taps[0, 0].tolist(), fit.divisor
    ([[1.0, 2.0, 1.0], [2.0, 4.0, 2.0], [1.0, 2.0, 1.0]], 16)
    """
    examples = [example(before, after, kernel_size, grey=channels == "grey") for before, after in pairs]
    if len({(len(each.input), len(each.output)) for each in examples}) > 1:
        raise DoesNotFit("the pairs differ in their channels; use --channels grey, or pairs of one kind")
    top = white(pairs[0][1].pixels.dtype)
    level = {"uint8": 1.0, "uint16": 256.0}.get(pairs[0][0].pixels.dtype.name, 1 / 256)
    names = channel_names(len(examples[0].output), alpha=False)
    if channels != "each":
        return [_fit(names, examples, kernel_size, top, level, descend)]
    return [_fit((name,), part, kernel_size, top, level, descend) for name, part in zip(names, _apart(examples), strict=True)]


def example(before: Raster, after: Raster, kernel_size: tuple[int, int], *, grey: bool) -> Example:
    """A pair of images made ready: both grey if asked for, and the output cut to the windows that lie wholly in the input.

    The output has the size of the input, or that without padding, or with full padding.
    """
    given, made = (np.ascontiguousarray(seen(each, grey=grey, alpha=False).pixels.transpose(2, 0, 1)) for each in (before, after))
    top = white(after.pixels.dtype)
    colours = after.pixels[..., :-1] if after.alpha else after.pixels
    cut = after.pixels.dtype.kind == "u"
    sound = (colours > 0) & (colours < top) if cut else np.isfinite(colours)
    usable = np.asarray(sound.all(axis=2))[_within(before.size, after.size, kernel_size)]
    if not usable.any():
        raise DoesNotFit("the second image is all black and white, where values may have been cut; use an output that is not")
    return Example(given, made[(slice(None), *_within(before.size, after.size, kernel_size))], usable)


def _within(before: Sequence[int], after: Sequence[int], kernel_size: Sequence[int]) -> tuple[slice, ...]:
    """The outputs of whole windows along each axis."""
    slices = []
    for given, made, taps in zip(before, after, kernel_size, strict=True):
        whole = given - taps + 1
        skipped = {given: (taps - 1) // 2, whole: 0, given + taps - 1: taps - 1}.get(made)
        if skipped is None or whole < 1:
            sizes = f"{before[1]}x{before[0]} and {after[1]}x{after[0]}"
            raise DoesNotFit(f"images of {sizes} are no input and output of a kernel of {taps}; give images of one size, stride 1")
        slices.append(slice(skipped, skipped + whole))
    return tuple(slices)


def _apart(examples: Sequence[Example]) -> list[list[Example]]:
    """The examples of each colour."""
    given, made = len(examples[0].input), len(examples[0].output)
    if given != made:
        raise DoesNotFit(f"--channels each needs as many channels before as after, not {given} and {made}; use grey or all")
    return [[Example(each.input[c : c + 1], each.output[c : c + 1], each.usable) for each in examples] for c in range(given)]


def _gathered(examples: Sequence[Example], equations: Equations) -> Equations:
    for each in examples:
        equations.add(each.input, each.output, each.usable)
    needed = len(equations.gram)
    if equations.count < needed:
        raise DoesNotFit(
            f"{equations.count} windows are too few for {needed} weights; give a larger image, more pairs, or a smaller --size"
        )
    return equations


def _fit(
    names: tuple[str, ...],
    examples: Sequence[Example],
    kernel_size: tuple[int, int],
    top: float,
    level: float,
    descend: Descent | None,
) -> Fit:
    channels, outputs = len(examples[0].input), len(examples[0].output)
    equations = _gathered(examples, Equations(channels, kernel_size, outputs, middle=top / 2))
    found = None if descend is None else descend(examples, kernel_size).reshape(outputs, -1).T
    weights = equations.solve() if found is None else equations.with_best_offset(found)
    simple = simple_fractions(equations, weights, top)
    final = simple.weights if simple else weights
    rms, spread = equations.rms(final), equations.spread()

    def planes(columns: Numbers) -> Numbers:
        return np.ascontiguousarray(columns.T).reshape(outputs, channels, *kernel_size)

    return Fit(
        names,
        planes(simple.taps if simple else weights[:-1]),
        simple.divisor if simple else 1,
        simple is not None,
        planes(weights[:-1]),
        equations.offset(final),
        rms,
        1 - np.square(rms) / np.maximum(np.square(spread), np.finfo(float).tiny),
        windows=equations.count,
        seen=sum(each.usable.size for each in examples),
        determined=equations.determined,
        level=level,
    )
