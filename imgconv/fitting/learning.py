"""Find the kernel that turns one image into another, from pairs of images: by least squares, or by gradient descent."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from imgconv.errors import DoesNotFit
from imgconv.filters.color import level_scale, max_value_of
from imgconv.fitting.least_squares import NormalEquations, rationalise
from imgconv.functional import conv2d
from imgconv.functional.conv import conv2d_bias, conv2d_weight
from imgconv.images import Luma, Raster
from imgconv.inspection.pixel import channel_names, filter_input
from imgconv.recipe import DECLARED, MissingData
from imgconv.registry import Kernel

Weights = NDArray[np.float64]
Name = TypeVar("Name")
LONGEST_SIDE = 160  # pixels of the crop that is used
POWER_STEPS = 12
SAFETY = 1.05  # the power method approaches the largest curvature from below


@dataclass(frozen=True, eq=False)
class Example:
    """A training pair: `input` (C, H, W), `output` (O, h_out, w_out) of every window that lies inside the input, and the `usable` windows.

    A window (h_out, w_out) is usable if it has no missing cell and its output is not saturated.
    """

    input: NDArray[Any]
    output: NDArray[Any]
    usable: NDArray[np.bool_]


Descent = Callable[[Sequence[Example], tuple[int, int]], Weights]


@dataclass(frozen=True, eq=False)
class Fit:
    """Kernels that were learnt together: `taps` (O, C, kh, kw) over `divisor`, integers where those explain the images as well.

    `free` (O, C, kh, kw) are the weights before rationalisation. `offset` (O,) and `rms` (O,), the error, are in levels of the output;
    `r2` (O,) is the share of its variance that is explained. `windows` of `windows_total` windows were used. The weights are
    `determined` if no other weights explain the images as well. `level` is 1/255 of the largest pixel value.
    """

    names: tuple[str, ...]
    taps: Weights
    divisor: int
    simple: bool
    free: Weights
    offset: Weights
    rms: Weights
    r2: Weights
    windows: int
    windows_total: int
    determined: bool
    level: float

    def kernels(self, name: str) -> list[Kernel]:
        """Return a kernel for each output; all but grey have the channel in their name. Weights across channels stay (C, kh, kw)."""
        kernels = []
        for channel, taps, offset in zip(self.names, self.taps, self.offset, strict=True):
            plane = taps[0] if len(taps) == 1 else taps
            balanced = abs(float(plane.sum())) <= 1e-3 * float(np.abs(plane).sum())
            full_name = name if channel == "grey" else f"{name}_{channel.replace(' ', '_')}"
            kernels.append(Kernel(full_name, plane, float(self.divisor), self._levels(offset), range="abs" if balanced else "clip"))
        return kernels

    def _levels(self, offset: float) -> float:
        """An offset in 8-bit levels; less than a tenth of one is noise."""
        levels = float(offset) / self.level
        return round(levels, 3) if abs(levels) >= 0.1 else 0.0

    def as_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        arrays = {name: getattr(self, name).tolist() for name in ("taps", "free", "offset", "rms", "r2")}
        counts = {"windows": self.windows, "seen": self.windows_total, "determined": self.determined}
        return {"channels": self.names, **arrays, "divisor": self.divisor, "simple": self.simple, **counts}


def opened_pair(before: Name, after: Name, opened: Callable[[Name, Luma], Raster]) -> tuple[Raster, Raster]:
    """Open both images. If the second is grey, the luma of a first JPEG file is its own, of which the grey image was made."""
    second = opened(after, "no")
    is_grey = second.channels - second.alpha == 1
    return opened(before, "only" if is_grey else "no"), second


def learn(
    pairs: Sequence[tuple[Raster, Raster]],
    kernel_size: tuple[int, int],
    channels: str = "grey",
    descent: Descent | None = None,
    names: Sequence[str] | None = None,
    missing_data: MissingData = DECLARED,
) -> list[Fit]:
    """Return the kernels of `kernel_size` that turn the first image of each pair into the second.

    `channels`: `grey` for one channel, `each` for a kernel for every colour, `all` for weights across all colours. Black and white
    outputs of an integer image may be clipped and are not used, nor are windows with cells that are missing by `missing_data`, whose mask
    is that of first images. `descent` replaces least squares; it returns weights (O, C, kh, kw).
    Raises DoesNotFit for images whose sizes or channels do not match, with the `names` of both if there are any.

    >>> from imgconv.recipe import filter_recipe
    >>> from imgconv.process import process
    >>> noise = Raster(np.random.default_rng(0).integers(0, 256, (40, 50, 1), np.uint8))
    >>> soft = process(noise, filter_recipe(["1 2 1; 2 4 2; 1 2 1 / 16"]))[0].image
    >>> (fit,) = learn([(noise, soft)], (3, 3))
    >>> fit.taps[0, 0].tolist(), fit.divisor
    ([[1.0, 2.0, 1.0], [2.0, 4.0, 2.0], [1.0, 2.0, 1.0]], 16)
    """
    examples = []
    for index, (before, after) in enumerate(pairs):
        try:
            examples.append(example(before, after, kernel_size, grey=channels == "grey", missing_data=missing_data))
        except DoesNotFit as error:
            raise DoesNotFit(f"{' and '.join(names[2 * index : 2 * index + 2])}: {error}" if names else str(error)) from None
    if len({(len(each.input), len(each.output)) for each in examples}) > 1:
        raise DoesNotFit("the pairs differ in their channels; use --channels grey, or pairs with the same channels")
    before, after = pairs[0]
    max_value = max_value_of(after.pixels.dtype)
    level = level_scale(before.pixels.dtype)
    names = channel_names(len(examples[0].output), alpha=False)
    if channels != "each":
        return [_fit(names, examples, kernel_size, max_value, level, descent)]
    return [
        _fit((name,), single, kernel_size, max_value, level, descent)
        for name, single in zip(names, _single_channels(examples), strict=True)
    ]


def example(before: Raster, after: Raster, kernel_size: tuple[int, int], *, grey: bool, missing_data: MissingData = DECLARED) -> Example:
    """Prepare a pair of images: grey if requested, and the output cropped to the windows that lie inside the input.

    The output must have the size of the input, or the size that a kernel gives without padding or with full padding.
    """
    for channels in (each.channels - each.alpha for each in (before, after)):
        if grey and channels not in (1, 3):
            raise DoesNotFit(f"an image of {channels} channels has no luma; use --channels each or all")
    first, second = (
        filter_input(image, grey=grey, alpha=False, missing_data=data)
        for image, data in ((before, missing_data), (after, replace(missing_data, mask=None)))
    )
    inside = _inside(before.size, after.size, kernel_size)
    colours = after.colours
    clipped = np.asarray((colours.dtype.kind == "u") & ((colours <= 0) | (colours >= max_value_of(colours.dtype))).any(axis=2))
    unclipped = ~clipped[inside]
    usable = unclipped & ~_missing(second)[inside]
    missing = _missing(first)
    if missing.any():
        usable = usable & ~np.lib.stride_tricks.sliding_window_view(missing, kernel_size).any(axis=(2, 3))
    if not unclipped.any():
        raise DoesNotFit("the second image has only black and white pixels, which may be clipped; use one with values between them")
    if not usable.any():
        raise DoesNotFit("every window holds a pixel that is missing or not finite; use images with fewer of them, or a smaller --size")
    input, output = (np.ascontiguousarray(each.pixels.transpose(2, 0, 1)) for each in (first, second))
    return Example(_with_zeros(input, missing), _with_zeros(output[(slice(None), *inside)], ~usable), usable)


def _with_zeros(planes: NDArray[Any], missing: NDArray[np.bool_]) -> NDArray[Any]:
    """`planes` (C, H, W) with 0 where a pixel is missing, since NaN times a weight of 0 is NaN."""
    return np.where(missing, planes.dtype.type(0), planes) if missing.any() else planes


def _missing(image: Raster) -> NDArray[np.bool_]:
    """Where a pixel has no value: one of its channels is not finite, or missing."""
    missing = ~np.isfinite(image.pixels).all(axis=2)
    return np.asarray(missing if image.valid is None else missing | (image.valid == 0).any(axis=2))


def _inside(before: Sequence[int], after: Sequence[int], kernel_size: Sequence[int]) -> tuple[slice, ...]:
    """The outputs, along each axis, of the windows that lie inside the input."""
    if any(size < taps for size, taps in zip(before, kernel_size, strict=True)):
        image, kernel = (f"{sides[1]}x{sides[0]}" for sides in (before, kernel_size))
        raise DoesNotFit(f"an image of {image} is smaller than the kernel of {kernel}; use a smaller --size, or larger images")
    slices = []
    for input_size, output_size, taps in zip(before, after, kernel_size, strict=True):
        valid = input_size - taps + 1
        first = {input_size: (taps - 1) // 2, valid: 0, input_size + taps - 1: taps - 1}.get(output_size)
        if first is None or valid < 1:
            sizes = f"{before[1]}x{before[0]} and {after[1]}x{after[0]}"
            raise DoesNotFit(f"images of {sizes} are not input and output of a kernel of {taps}; give images of one size, stride 1")
        slices.append(slice(first, first + valid))
    return tuple(slices)


def _single_channels(examples: Sequence[Example]) -> list[list[Example]]:
    """The examples of each channel."""
    before, after = len(examples[0].input), len(examples[0].output)
    if before != after:
        raise DoesNotFit(f"--channels each needs as many channels before as after, not {before} and {after}; use grey or all")
    return [[Example(each.input[c : c + 1], each.output[c : c + 1], each.usable) for each in examples] for c in range(before)]


def _fit(
    names: tuple[str, ...],
    examples: Sequence[Example],
    kernel_size: tuple[int, int],
    max_value: float,
    level: float,
    descent: Descent | None,
) -> Fit:
    channels, outputs = len(examples[0].input), len(examples[0].output)
    equations = NormalEquations(channels, kernel_size, outputs, middle=max_value / 2)
    for each in examples:
        equations.add(each.input, each.output, each.usable)
    if equations.count < (needed := len(equations.gram)):
        raise DoesNotFit(f"{equations.count} windows are too few for {needed} weights; use larger images, more pairs, or a smaller --size")
    weights = equations.solve() if descent is None else equations.with_best_offset(descent(examples, kernel_size).reshape(outputs, -1).T)
    simple = rationalise(equations, weights, max_value)
    final = simple.weights if simple else weights
    rms, spread = equations.rms(final), equations.spread()

    def planes(columns: Weights) -> Weights:
        return np.ascontiguousarray(columns.T).reshape(outputs, channels, *kernel_size)

    return Fit(
        names,
        taps=planes(simple.taps if simple else weights[:-1]),
        divisor=simple.divisor if simple else 1,
        simple=simple is not None,
        free=planes(weights[:-1]),
        offset=equations.offset(final),
        rms=rms,
        r2=1 - np.square(rms) / np.maximum(np.square(spread), np.finfo(float).tiny),
        windows=equations.count,
        windows_total=sum(each.usable.size for each in examples),
        determined=equations.determined,
        level=level,
    )


def descend(examples: Sequence[Example], kernel_size: tuple[int, int], steps: int, on_step: Callable[[int, float], None]) -> Weights:
    """Return weights (O, C, kh, kw) after `steps` steps of Nesterov's gradient descent on the middle of the first example.

    The loss is the mean squared error, in units of the input's variance. Every step calls `on_step(step, loss)`. The step size is one over
    the largest curvature; the momentum restarts when the loss rises (O'Donoghue and Candès 2015).
    """
    x, y, mask = _batch(examples[0], kernel_size)
    shape = (y.shape[1], x.shape[1], *kernel_size)
    rate = 1 / (SAFETY * _curvature(x, mask, shape))
    weight, bias = np.zeros(shape), np.zeros(shape[0])
    ahead, ahead_bias, momentum, loss_before = weight, bias, 1.0, np.inf
    for step in range(steps):
        error = (conv2d(x, ahead, ahead_bias) - y) * mask
        loss = float(np.square(error).sum() / mask.sum())
        on_step(step, loss)
        grad_output = 2 * error / mask.sum()
        new_weight = ahead - rate * conv2d_weight(x, shape, grad_output)
        new_bias = ahead_bias - rate * conv2d_bias(grad_output)
        momentum = 1.0 if loss > loss_before else momentum
        new_momentum = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
        share = (momentum - 1) / new_momentum
        ahead, ahead_bias = new_weight + share * (new_weight - weight), new_bias + share * (new_bias - bias)
        weight, bias, momentum, loss_before = new_weight, new_bias, new_momentum, loss
    return weight


def _batch(example: Example, kernel_size: tuple[int, int]) -> tuple[Weights, Weights, Weights]:
    """Input and output as batches of one, with mean 0 and in units of the input's standard deviation, and the mask of usable outputs."""
    rows, columns = (slice((n - min(n, LONGEST_SIDE)) // 2, (n + min(n, LONGEST_SIDE)) // 2) for n in example.usable.shape)
    kh, kw = kernel_size
    x = example.input[:, rows.start : rows.stop + kh - 1, columns.start : columns.stop + kw - 1].astype(np.float64)
    y = example.output[:, rows, columns].astype(np.float64)
    mask = example.usable[rows, columns].astype(np.float64)
    y_mean = (y * mask).sum(axis=(1, 2), keepdims=True) / max(mask.sum(), 1)
    scale = x.std() or 1.0
    return (x - x.mean(axis=(1, 2), keepdims=True))[None] / scale, (y - y_mean)[None] / scale, mask


def _curvature(x: Weights, mask: Weights, shape: tuple[int, ...]) -> float:
    """The largest eigenvalue of the loss's second derivative, by the power method."""
    direction: Weights = np.ones((1, *shape[1:]))
    size = float(np.linalg.norm(direction))
    for _ in range(POWER_STEPS):
        direction = np.asarray(conv2d_weight(x, direction.shape, 2 * conv2d(x, direction / size) * mask / max(mask.sum(), 1)), np.float64)
        size = float(np.linalg.norm(direction)) or 1.0
    return size
