"""Finished maps: the positions of their pixels in the original image, and their metadata."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from imgconv.images import Raster, Sampling, resampled
from imgconv.recipe import Shape

if TYPE_CHECKING:  # filters start without networks and their steps
    from collections.abc import Sequence
    from fractions import Fraction

    from imgconv.recipe import Network
    from imgconv.recipe.network import Result
    from imgconv.recipe.operations.operation import Operation
    from imgconv.window import Window


class Map(NamedTuple):
    """One finished map: its name and its image. A number of a vector is a map of one cell, and `vector` is the vector's name."""

    name: str
    image: Raster
    vector: str = ""

    @property
    def missing(self) -> int:
        """Number of missing cells."""
        return self.image.missing


def of_window(window: Window, size: tuple[int, int], anchor: Sequence[float] | None = None, gain: float | None = 1.0) -> Sampling:
    """Return the sampling of an image of `size` by a window; its cell `anchor`, by default its middle, is where a result belongs.

    >>> from imgconv.window import Window
    >>> of_window(Window.of(2, stride=2), (8, 6)).origin
    (0.5, 0.5)
    """
    cells = [(kernel - 1) / 2 for kernel in window.kernel_size] if anchor is None else anchor
    axes = zip(cells, window.dilation, window.pads(size), strict=True)
    down, across = (cell * dilation - before for cell, dilation, (before, _) in axes)
    height, width = window.output_size(size)
    return Sampling((height, width), (window.stride[0], window.stride[1]), (down, across), gain)


def of_result(network: Network, result: Result, image: Raster, size: tuple[int, int]) -> Sampling:
    """Return the sampling of a map of `size` (H, W) by the steps of a network up to `result`; a cell is in the middle of its window."""
    shapes = network.shapes(Shape(*image.size, image.channels, image.alpha))
    stride: list[int | Fraction] = [1, 1]
    origin = [0.0, 0.0]
    for step, before, after in zip(network.steps[: result.position + 1], shapes, shapes[1:], strict=False):
        if len(before) == len(after) == 3:
            steps = step.operation.cost(before, after).stride
            for axis, middle in enumerate(_middles(step.operation, before, after, steps)):
                origin[axis] += float(stride[axis]) * middle
                stride[axis] *= steps[axis]
    return Sampling(size, (stride[0], stride[1]), (origin[0], origin[1]), None)


def _middles(operation: Operation, before: Sequence[int], after: Sequence[int], strides: Sequence[int | Fraction]) -> tuple[float, float]:
    """The position of the first output cell of an operation in its input (C, H, W): the middle of the cells that it depends on."""
    window: Window | None = getattr(operation, "window", None)
    if window is None:  # adaptive windows divide the input
        down, across = ((n / out - 1) / 2 if n != out else 0.0 for n, out in zip(before[1:], after[1:], strict=True))
        return down, across
    middles = [(span - 1) / 2 - first for span, (first, _) in zip(window.span, window.pads(before[1:]), strict=True)]
    if any(step < 1 for step in strides):  # an enlarging step puts windows around its input cells
        return -middles[0] * float(strides[0]), -middles[1] * float(strides[1])
    return middles[0], middles[1]


def with_metadata(result: Raster, original: Raster, sampling: Sampling) -> Raster:
    """Return `result` with the metadata and duration of `original`, as they hold for it."""
    metadata = resampled(original.metadata, sampling, original.size)
    if result.metadata is metadata and result.duration == original.duration:
        return result
    return replace(result, metadata=metadata, duration=original.duration)
