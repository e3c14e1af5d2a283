"""Lay out the padded cells of a batch so that every tap of a window is a constant offset, and gather patches from them (im2col).

For a block of images, channels and output rows, `Layout.planes` copies the input cells that the windows touch into flat planes: one per
channel and stride phase, with borders filled, cast to the dtype of the sums. `Layout.add_planes` is its adjoint. No loop after it has to
handle strides or borders, and only one block at a time is padded.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from imgconv.arrays import AnyArray
from imgconv.engine.compiled import loop
from imgconv.engine.parallel import run_bands
from imgconv.loops.layers import copy_planes, gather_patches, scatter_patches
from imgconv.window import Window
from imgconv.windows.borders import Border

ZEROS = Border.of("zeros")
KNOWN_STRIDES = (1, 2)  # horizontal strides that the compiler gets as constants: five times as fast as one that it does not know
SPARE = 256  # cells after the last plane, so that tiles may be read whole, and the least number that is worth a tile
BAND_CELLS = 2**17  # patch cells that are worth sharing
Range = tuple[int, int]


class Block(NamedTuple):
    """Images, channels and output rows, each as a pair (first, last), last not included."""

    images: Range
    channels: Range
    rows: Range


class Planes(NamedTuple):
    """Flat planes (P, L), the position in each of the first window of a block, and all readable cells from the first plane on."""

    planes: NDArray[Any]
    first: int
    flat: NDArray[Any]


class _AxisCells(NamedTuple):
    """Every stride-th padded cell of an axis: the input index of each, which of them are input cells, and those as a slice of the input."""

    origin: NDArray[np.intp]
    inside: slice
    source: slice


@dataclass(frozen=True)
class Layout:
    """The layout for a `window` on inputs of `shape` (N, C, H, W) with a `border`.

    `windows` (rows, columns) is the number of windows if they are not all that fit. `margins` are the cells before and after each axis
    if they are not the window's own padding.
    """

    shape: tuple[int, ...]
    window: Window
    border: Border = ZEROS
    windows: tuple[int, ...] | None = None
    margins: tuple[Range, ...] | None = None

    def __post_init__(self) -> None:
        if max(self.window.stride) > 2 and self.margins is None:  # larger strides need more phases of planes than there are cells
            object.__setattr__(self, "window", self.window.clamped(self.shape[2:]))

    @property
    def output_size(self) -> tuple[int, ...]:
        """(h_out, w_out)."""
        return self._geometry.output_size

    @property
    def row_stride(self) -> int:
        """Elements from one row of a plane to the next."""
        return self._geometry.row_stride

    @property
    def halo(self) -> int:
        """Rows of a plane in addition to its output rows."""
        return self._geometry.halo

    @property
    def phases(self) -> int:
        """Planes per channel."""
        return len(self._geometry.phases)

    @property
    def known_stride(self) -> int:
        """The horizontal stride as a constant for the compiler, 0 where it is not one of KNOWN_STRIDES."""
        return self.window.stride[1] if self.window.stride[1] in KNOWN_STRIDES else 0

    def tap_offsets(self, planes: NDArray[Any], group_channels: int) -> NDArray[np.int64]:
        """The offset of each tap (channel, u, v) of the first group in `planes` (P, L), flat."""
        return _tap_offsets(self.window, self.row_stride, planes.shape[0] // self.phases, planes.shape[1], group_channels)

    def starts(self, block: Block, first: int = 0) -> NDArray[np.int64]:
        """The position (n, rows) in a plane of the first window of each output row of a block."""
        (n0, n1), _, (r0, r1) = block
        image = np.arange(n1 - n0)[:, None] * ((r1 - r0 + self.halo) * self.row_stride)
        return first + image + np.arange(r1 - r0, dtype=np.int64) * self.row_stride

    def planes(self, input: AnyArray, block: Block, dtype: np.dtype[Any]) -> Planes:
        """The planes for a block of output rows."""
        planes = self.view(input, block, dtype)
        if planes is None:
            planes = self.empty(block, dtype)
            loop(copy_planes, stride=self.known_stride)(*self.copy_arguments(input, block, dtype), 0, planes.planes.reshape(-1))
        return planes

    def view(self, input: AnyArray, block: Block, dtype: np.dtype[Any]) -> Planes | None:
        """The planes as a view of the input if no padded copy is needed, else None."""
        (n0, n1), (c0, c1), (r0, r1) = block
        _, channels, height, width = self.shape
        is_plain = self.window.stride == (1, 1) and self._geometry.pads == ((0, 0), (0, 0)) and self.row_stride == width
        if not (is_plain and n1 - n0 == 1 and (r1 - r0) * width >= SPARE and input.dtype == dtype and input.flags.c_contiguous):
            return None
        flat = input.reshape(-1)[(n0 * channels + c0) * height * width :]
        return Planes(flat[: (c1 - c0) * height * width].reshape(c1 - c0, -1), r0 * width, flat)

    def empty(self, block: Block, dtype: np.dtype[Any]) -> Planes:
        """Uninitialised planes for a block."""
        (n0, n1), (c0, c1), (r0, r1) = block
        count, length = self.phases * (c1 - c0), (n1 - n0) * (r1 - r0 + self.halo) * self.row_stride
        flat = np.empty(count * length + SPARE, dtype)
        return Planes(flat[: count * length].reshape(count, length), 0, flat)

    def copy_arguments(self, input: AnyArray, block: Block, dtype: np.dtype[Any], groups: int = 1) -> tuple[AnyArray, ...]:
        """The first arguments of `copy_planes`, which fill planes for a block, or for each of its `groups` of channels."""
        (n0, n1), (c0, c1), (r0, r1) = block
        (_, channels, height, width), count = self.shape, (c1 - c0) // groups
        downs = sorted({down for down, _ in self._geometry.phases})
        rows = np.stack([self._cells(0, down, r0, r1 - r0 + self.halo).origin for down in downs])
        if input.dtype != dtype or not input.flags.c_contiguous:  # the loop reads a copy of the rows that it needs
            inside = rows[rows >= 0]
            low, high = (int(inside.min()), int(inside.max()) + 1) if inside.size else (0, 0)
            input = input[n0:n1, c0:c1, low:high].astype(dtype, order="C")
            rows, n0, n1, c0, channels, height = np.where(rows < 0, rows, rows - low), 0, n1 - n0, 0, c1 - c0, high - low
        step = height * width
        geometry = ((n0 * channels + c0) * step, channels * step, step, width, n1 - n0, count, self.window.stride[1])
        value = np.array([self.border.value], dtype)
        return input.reshape(-1), rows, *self._geometry.columns, value, np.array(geometry, np.int64)

    def add_planes(self, planes: NDArray[Any], block: Block, target: NDArray[Any]) -> None:
        """Add the planes of a block to the input cells (N, C, H, W) that they hold; cells in a border of zeros are dropped."""
        (n0, n1), (c0, c1), (r0, r1) = block
        into = target[n0:n1, c0:c1].transpose(1, 0, 2, 3)
        count = r1 - r0 + self.halo
        split = planes.reshape(self.phases, c1 - c0, n1 - n0, count, self.row_stride)
        for part, (down, across) in zip(split, self._geometry.phases, strict=True):
            rows, columns = self._cells(0, down, r0, count), self._cells(1, across, 0, self.row_stride)
            into[:, :, rows.source, columns.source] += part[:, :, rows.inside, columns.inside]

    def strips(self, input: AnyArray, most: int) -> Iterator[tuple[int, AnyArray, "Layout"]]:
        """The first output column of each strip of at most `most`, and the part of `input` and the layout that give the strip."""
        rows, columns = self.output_size
        if columns <= most:
            yield 0, input, self
            return
        size, (down, (before, _)) = self.shape[3], self._geometry.pads
        for first in range(0, columns, most):
            count = min(most, columns - first)
            begin = first * self.window.stride[1] - before
            end = begin + (count - 1) * self.window.stride[1] + self.window.span[1]
            low, high = min(max(begin, 0), size), min(max(end, 0), size)
            part, left = input[..., low:high], max(low - begin, 0)
            right = end - begin - left - (high - low)
            if not self.border.mode.fills and left + right:
                part, left, right = input[..., self.border.sources(np.arange(begin, end), size)], 0, 0
            shape = (*self.shape[:3], part.shape[3])
            yield first, part, replace(self, shape=shape, windows=(rows, count), margins=(down, (left, right)))

    @property
    def _geometry(self) -> "_Geometry":
        geometry = self.__dict__.get("geometry")  # not a cached_property, whose lock of Python 3.11 a forked child may inherit locked
        if geometry is None:
            geometry = self.__dict__["geometry"] = _geometry(self)
        return geometry

    def _cells(self, axis: int, phase: int, first: int, count: int) -> _AxisCells:
        return _axis_cells(self, self._geometry.pads[axis], axis, phase, first, count)


class _Geometry(NamedTuple):
    """What follows from a layout: `phases` are the stride phases (row, column) that some tap falls on.

    `columns` are the input indices (B, P) of the columns of the planes of each horizontal phase, and which of them (B, 2) need no border.
    """

    output_size: tuple[int, ...]
    row_stride: int
    halo: int
    pads: tuple[Range, ...]
    phases: list[tuple[int, int]]
    columns: tuple[NDArray[np.intp], NDArray[np.intp]]


@lru_cache(256)
def _geometry(layout: Layout) -> _Geometry:
    window = layout.window
    output_size = layout.windows or window.output_size(layout.shape[2:])
    pads = layout.margins or window.pads(layout.shape[2:])
    for size, pad in zip(layout.shape[2:], pads, strict=True):
        layout.border.check(size, *pad)
    row_stride, halo = output_size[1] + (window.span[1] - 1) // window.stride[1], (window.span[0] - 1) // window.stride[0]
    down, across = (
        sorted({u * d % s for u in range(k)}) for k, d, s in zip(window.kernel_size, window.dilation, window.stride, strict=True)
    )
    cells = [_axis_cells(layout, pads[1], 1, phase, 0, row_stride) for phase in across]
    columns = np.stack([c.origin for c in cells]), np.array([(c.inside.start, c.inside.stop) for c in cells])
    return _Geometry(output_size, row_stride, halo, pads, [(a, b) for a in down for b in across], columns)


def _axis_cells(layout: Layout, pads: Range, axis: int, phase: int, first: int, count: int) -> _AxisCells:
    """`count` padded cells of an axis from output cell `first` on; cells that no window touches may be outside the padding."""
    stride, size, (before, after) = layout.window.stride[axis], layout.shape[2 + axis], pads
    start = first * stride + phase
    begin = min(max(-(-(before - start) // stride), 0), count)
    end = min(max(-(-(before + size - start) // stride), begin), count)
    at = start - before
    source = slice(at + begin * stride, at + end * stride, stride) if end > begin else slice(0, 0)
    cells = np.minimum(at + np.arange(count) * stride, size + after - 1)
    return _AxisCells(layout.border.sources(cells, size), slice(begin, end), source)


@lru_cache(256)
def _tap_offsets(window: Window, row_stride: int, channels: int, length: int, group_channels: int) -> NDArray[np.int64]:
    (kh, kw), (dh, dw), (sh, sw) = window.kernel_size, window.dilation, window.stride
    u, v = np.arange(kh, dtype=np.int64)[:, None] * dh, np.arange(kw, dtype=np.int64) * dw
    down, across = np.unique(u % sh), np.unique(v % sw)
    phase = np.searchsorted(down, u % sh) * len(across) + np.searchsorted(across, v % sw)
    planes = phase * channels + np.arange(group_channels, dtype=np.int64)[:, None, None]
    return (planes * length + u // sh * row_stride + v // sw).ravel()


def gather(planes: Planes, layout: Layout, block: Block, out: NDArray[Any] | None = None) -> NDArray[Any]:
    """Patches (C*kh*kw, n*rows, w_out) of a block, written to `out` if given."""
    channels, starts = block.channels[1] - block.channels[0], layout.starts(block, planes.first).ravel()
    offsets = layout.tap_offsets(planes.planes, channels)
    patches = np.empty((len(offsets), len(starts), layout.output_size[1]), planes.planes.dtype) if out is None else out
    flat = planes.planes.reshape(-1)

    def work(first: int, last: int) -> None:
        part = slice(first, last)
        loop(gather_patches)(flat, offsets[part], starts, patches[part])

    run_bands(work, len(offsets), max(BAND_CELLS // patches[0].size, 1))
    return patches


def scatter(patches: NDArray[Any], layout: Layout, block: Block) -> NDArray[Any]:
    """Planes (P, L) to which the patches (C*kh*kw, n*rows, w_out) of a block are added; the adjoint of `gather`."""
    channels, starts = block.channels[1] - block.channels[0], layout.starts(block).ravel()
    planes = layout.empty(block, patches.dtype).planes
    planes[...] = 0
    offsets = layout.tap_offsets(planes, channels)
    kernel = len(offsets) // channels

    def work(first: int, last: int) -> None:
        part = slice(first * kernel, last * kernel)  # all taps of some channels: no other thread adds to their planes
        loop(scatter_patches)(patches[part], offsets[part], starts, planes.reshape(-1))

    run_bands(work, channels, max(BAND_CELLS // (kernel * patches[0].size), 1))
    return planes
