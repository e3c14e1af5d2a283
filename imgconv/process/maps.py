"""Finished maps, whole or computed band by band: the positions of their pixels in the original image, and their metadata."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from imgconv.images import Raster, Sampling, resampled
from imgconv.recipe import Recipe, Shape

if TYPE_CHECKING:  # filters start without networks and their steps
    from fractions import Fraction

    from imgconv.recipe import Network
    from imgconv.recipe.network import Result
    from imgconv.recipe.operations.operation import Operation
    from imgconv.window import Window

Rows = tuple[int, int]  # first and last, exclusive
Extremes = tuple[float, float]  # the lowest and the highest value of a map


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


@dataclass(frozen=True, eq=False)
class Whole:
    """An image of `size` that is not in memory, of which `image` are some rows, with its metadata; and how it is processed."""

    recipe: Recipe
    image: Raster
    size: tuple[int, int]
    floats: bool
    threads: int | None

    @property
    def may_have_missing(self) -> bool:
        """Whether a value or a mask states which cells are missing."""
        return self.image.metadata.nodata is not None or not self.recipe.missing_data.is_default


class BandedMaps(Protocol):
    """Maps of one size that are computed band by band.

    `height` are their rows, and the first row of a band is a multiple of `alignment`. With `measured` every band goes through `measure`
    before the first one is computed. `missing` are the missing cells of the image that were measured; `has_missing_results` means that the
    maps have some which no value marks.
    """

    height: int
    alignment: int
    measured: bool
    missing: int = 0
    has_missing_results: bool = False

    def rows(self, band: Rows) -> Rows:
        """The input rows that the output rows of a band need; rows outside of the image are those that a circular border repeats."""

    def measure(self, input_rows: Raster, begin: int, band: Rows) -> None:
        """Measure a band for the range `minmax`; `input_rows` are the input rows from `begin` on."""

    def maps(self, input_rows: Raster, begin: int, band: Rows) -> list[Map]:
        """The output rows of all maps, with the metadata of whole maps."""

    def measure_part(self, rows: Rows) -> None:
        """Prepare to measure the bands of some output rows alone."""
        return

    @property
    def measurements(self) -> Any:
        """The results of `measure`, for `use_measurements`."""
        return None

    def use_measurements(self, parts: Sequence[Any]) -> None:
        """Use the measurements of all parts of the image."""
        return


def rows_of(input_rows: Raster, begin: int, rows: Rows) -> Raster:
    """Some of the rows that are in memory from `begin` on."""
    part = slice(rows[0] - begin, rows[1] - begin)
    return replace(input_rows, pixels=input_rows.pixels[part], valid=None if input_rows.valid is None else input_rows.valid[part])


def united(one: Extremes | None, other: Extremes | None) -> Extremes | None:
    """Return the smallest and largest of two pairs of extremes, either of which may be unknown."""
    if one is None or other is None:
        return one or other
    return min(one[0], other[0]), max(one[1], other[1])
