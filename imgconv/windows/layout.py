"""Lay out the padded cells of a batch so that every tap of a window is a constant offset, and gather patches from them (im2col).

For a block of images, channels and output rows, `Layout.planes` copies the input cells that the windows touch into flat planes: one per
channel and stride phase, with borders filled, cast to the dtype of the sums. A row of all images of the block precedes the next row, so
that only one halo follows them. `Layout.add_planes` is the adjoint. No loop after it has to handle strides or borders, and only one block
at a time is padded.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import product
from math import gcd
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from imgconv.arrays import AnyArray
from imgconv.engine.compiled import loop
from imgconv.engine.dispatch import LayerSize
from imgconv.engine.parallel import run_bands
from imgconv.engine.settings import is_plain
from imgconv.engine.tiles import tiles_work
from imgconv.loops.layers import Job, copy_planes, gather_patches, scatter_patches
from imgconv.window import Window
from imgconv.windows.borders import Border

ZEROS = Border.of("zeros")
SPARE = 256  # cells after the last plane, so that tiles may be read whole, and the least number that is worth a tile
BAND_CELLS = 2**17  # patch cells that are worth sharing
_JOB = np.dtype([(name, np.int64) for name in Job._fields])
Range = tuple[int, int]


class Block(NamedTuple):
    """Images, channels and output rows, each as a pair (first, last), last not included."""

    images: Range
    channels: Range
    rows: Range


class Planes(NamedTuple):
    """Flat planes (P, L), the position in each of the first window of a block, and the cells from a row of an image to its next row."""

    planes: NDArray[Any]
    first: int
    row_stride: int


class _AxisCells(NamedTuple):
    """Every stride-th padded cell of an axis: the input index of each, which of them are input cells, and those as a slice of the input."""

    origin: NDArray[np.intp]
    inside: slice
    source: slice


@dataclass(frozen=True)
class Layout:
    """The layout for a `window` on inputs of `shape` (N, C, H, W) with a `border`.

    `windows` (rows, columns) is the number of windows if they are not all that fit. `margins` are the cells before and after each axis
    if they are not the window's own padding; below 0 they leave out cells of the input. With `by_column` there is a plane for each column
    of the kernel: more is copied, but rows have no cells in addition to those of the output.
    """

    shape: tuple[int, ...]
    window: Window
    border: Border = ZEROS
    windows: tuple[int, ...] | None = None
    margins: tuple[Range, ...] | None = None
    by_column: bool = False

    def __post_init__(self) -> None:
        if max(self.window.stride) > 2 and self.margins is None:  # larger strides need more phases of planes than there are cells
            object.__setattr__(self, "window", self.window.clamped(self.shape[2:]))

    @property
    def output_size(self) -> tuple[int, ...]:
        """(h_out, w_out)."""
        return self._geometry.output_size

    @property
    def pads(self) -> tuple[Range, ...]:
        """The cells before and after each axis."""
        return self._geometry.pads

    @property
    def row_length(self) -> int:
        """Elements of one image's row of a plane."""
        return self._geometry.row_length

    @property
    def halo(self) -> int:
        """Rows of a plane in addition to its output rows."""
        return self._geometry.halo

    @property
    def phases(self) -> int:
        """Planes per channel."""
        return len(self._geometry.down) * len(self._geometry.across)

    @property
    def known_stride(self) -> int:
        """The horizontal stride as a constant for `copy_planes`: 1, 2 for all others, and 0 where vectors do not work."""
        return min(self.window.stride[1], 2) if tiles_work() else 0

    def tap_offsets(self, channels: int, row_stride: int, length: int) -> NDArray[np.int64]:
        """The offset of each tap (channel, u, v) of the first `channels` in planes of `length`, flat."""
        return _tap_offsets(self.window, self.by_column, channels, row_stride, length)

    def starts(self, block: Block, planes: Planes) -> NDArray[np.int64]:
        """The position (n, rows) in a plane of the first window of each output row of a block."""
        (n0, n1), _, (r0, r1) = block
        images = np.arange(n1 - n0)[:, None] * self.row_length
        return planes.first + images + np.arange(r1 - r0, dtype=np.int64) * planes.row_stride

    def planes(self, input: AnyArray, block: Block, dtype: np.dtype[Any]) -> Planes:
        """The planes for a block of output rows."""
        if self.is_view(input, dtype) and block.images[1] - block.images[0] == 1:
            return self._view(input, block)
        planes, job, source = self.empty(block, dtype), self.job(block), input
        if not self.is_source(input, dtype):
            source, fields = self.converted(input, block, dtype)
            job = job._replace(**fields)
        copy, cells = loop(copy_planes, stride=self.known_stride), planes.planes.reshape(-1)
        copy(source.reshape(-1), *self.origins(dtype), job_table([job]), 0, 0, cells)
        return planes

    def is_view(self, input: AnyArray, dtype: np.dtype[Any]) -> bool:
        """Whether the planes of one image are a view of the input, without a padded copy."""
        is_plain = self.window.stride == (1, 1) and self._geometry.pads == ((0, 0), (0, 0)) and self.row_length == self.shape[3]
        return is_plain and self.shape[2] * self.shape[3] >= SPARE and self.is_source(input, dtype)

    def _view(self, input: AnyArray, block: Block) -> Planes:
        (n0, _), (c0, c1), (r0, _) = block
        _, channels, height, width = self.shape
        return Planes(input.reshape(-1, height * width)[n0 * channels + c0 : n0 * channels + c1], r0 * width, width)

    def empty(self, block: Block, dtype: np.dtype[Any]) -> Planes:
        """Uninitialised planes for a block."""
        count, row_stride, length = self.extent(block)
        return Planes(np.empty(count * length + SPARE, dtype)[: count * length].reshape(count, length), 0, row_stride)

    def extent(self, block: Block) -> tuple[int, int, int]:
        """The number of planes of a block, the cells from a row of an image to its next row, and the cells of a plane."""
        (n0, n1), (c0, c1), (r0, r1) = block
        row_stride = (n1 - n0) * self.row_length
        return self.phases * (c1 - c0), row_stride, (r1 - r0 + self.halo) * row_stride

    @staticmethod
    def is_source(input: AnyArray, dtype: np.dtype[Any]) -> bool:
        """Whether `copy_planes` reads the input itself: it is contiguous, and its values need no conversion."""
        return input.dtype == dtype and input.flags.c_contiguous

    def origins(self, dtype: np.dtype[Any]) -> tuple[AnyArray, ...]:
        """The cells of the input from which `copy_planes` copies: rows, columns, spans and the value of the border."""
        return *_sources(self), np.array([self.border.value], dtype)

    def job(self, block: Block) -> Job:
        """The job that copies the planes of a block from the flat input."""
        (n0, n1), (c0, c1), (r0, r1) = block
        _, channels, height, width = self.shape
        _, row_stride, length = self.extent(block)
        return Job(
            images=n1 - n0,
            channels=c1 - c0,
            rows=r1 - r0,
            columns=self.output_size[1],
            plane_rows=r1 - r0 + self.halo,
            first_row=r0,
            source=(n0 * channels + c0) * height * width,
            source_image=channels * height * width,
            source_channel=height * width,
            source_row=width,
            stride=self.window.stride[1],
            cells_plane=length,
            cells_row=row_stride,
            cells_image=self.row_length,
        )

    def converted(self, input: AnyArray, block: Block, dtype: np.dtype[Any]) -> tuple[AnyArray, dict[str, int]]:
        """A flat copy of the part that the block needs of an input of another dtype or order, and the fields of its job that differ."""
        (n0, n1), (c0, c1), (r0, r1) = block
        rows = _sources(self)[0][:, r0 : r1 + self.halo]
        inside = rows[rows >= 0]
        top, bottom = (int(inside.min()), int(inside.max()) + 1) if inside.size else (0, 0)
        copy = input[n0:n1, c0:c1, top:bottom].astype(dtype, order="C")
        image, channel, row, _ = (stride // dtype.itemsize for stride in copy.strides)
        fields = {"source": 0, "source_top": top, "source_image": image, "source_channel": channel, "source_row": row}
        return copy.reshape(-1), fields

    def add_planes(self, planes: NDArray[Any], block: Block, target: NDArray[Any]) -> None:
        """Add the planes of a block to the input cells (N, C, H, W) that they hold; cells in a border of zeros are dropped."""
        (n0, n1), (c0, c1), (r0, r1) = block
        into = target[n0:n1, c0:c1].transpose(1, 2, 0, 3)
        count = r1 - r0 + self.halo
        split = planes.reshape(c1 - c0, self.phases, count, n1 - n0, self.row_length).swapaxes(0, 1)
        for part, (down, across) in zip(split, product(self._geometry.down, self._geometry.across), strict=True):
            rows, columns = self._cells(0, down, r0, count), self._cells(1, across, 0, self.row_length)
            into[:, rows.source, :, columns.source] += part[:, rows.inside, :, columns.inside]

    def adjoints(self, outputs: int) -> Iterator[tuple[tuple[slice, ...], tuple[slice, ...], "Layout"]]:
        """The correlations of which the adjoint in the input consists, one for each stride phase: the cells of the input that it gives,
        the taps of the kernel that it takes, in reverse order, and its layout on the `outputs` maps."""
        for axes in product(*(_phases_of_adjoint(self, axis) for axis in (0, 1))):
            cells, taps, kernel_size, dilation, windows, margins = zip(*axes, strict=True)
            window = Window(kernel_size, (1, 1), (0, 0), dilation)
            shape = (self.shape[0], outputs, *self.output_size)
            yield cells, taps, Layout(shape, window, windows=windows, margins=margins)

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
    """What follows from a layout: `down` and `across` are the stride phases of rows and columns that some tap falls on."""

    output_size: tuple[int, ...]
    row_length: int
    halo: int
    pads: tuple[Range, ...]
    down: list[int]
    across: list[int]


@lru_cache(256)
def _geometry(layout: Layout) -> _Geometry:
    window = layout.window
    output_size = layout.windows or window.output_size(layout.shape[2:])
    pads = layout.margins or window.pads(layout.shape[2:])
    for size, pad in zip(layout.shape[2:], pads, strict=True):
        layout.border.check(size, *pad)
    beyond = tuple((span - 1) // stride for span, stride in zip(window.span, window.stride, strict=True))
    row_length, halo = output_size[1] + (0 if layout.by_column else beyond[1]), beyond[0]
    down, across = (
        sorted({u * d % s for u in range(k)}) for k, d, s in zip(window.kernel_size, window.dilation, window.stride, strict=True)
    )
    if layout.by_column:
        across = [v * window.dilation[1] for v in range(window.kernel_size[1])]
    return _Geometry(output_size, row_length, halo, pads, down, across)


@lru_cache(256)  # apart from the geometry: those of a long signal, which is computed strip by strip, take more than its cells
def _sources(layout: Layout) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Return the input indices of the rows (A, R) and columns (B, P) of the planes of each phase, and the columns (B, 2) without border."""
    size, row_length, halo, pads, down, across = layout._geometry
    cells = [_axis_cells(layout, pads[1], 1, phase, 0, row_length) for phase in across]
    columns = np.stack([c.origin for c in cells]), np.array([(c.inside.start, c.inside.stop) for c in cells])
    return np.stack([_axis_cells(layout, pads[0], 0, phase, 0, size[0] + halo).origin for phase in down]), *columns


def _axis_cells(layout: Layout, pads: Range, axis: int, phase: int, first: int, count: int) -> _AxisCells:
    """`count` padded cells of an axis from output cell `first` on; cells that no window touches may be outside the padding."""
    stride, size, (before, after) = layout.window.stride[axis], layout.shape[2 + axis], pads
    start = first * stride + phase
    begin = min(max(-(-(before - start) // stride), 0), count)
    end = min(max(-(-(before + size - start) // stride), begin), count)
    at = start - before
    source = slice(at + begin * stride, at + end * stride, stride) if end > begin else slice(0, 0)
    cells = np.arange(at, at + count * stride, stride)
    np.minimum(cells, size + after - 1, out=cells)
    return _AxisCells(layout.border.sources(cells, size), slice(begin, end), source)


class _AdjointPhase(NamedTuple):
    """Every stride-th cell of an axis, the taps that meet them, and the kernel size, dilation, windows and margins of their correlation."""

    cells: slice
    taps: slice
    kernel_size: int
    dilation: int
    windows: int
    margins: Range


def _phases_of_adjoint(layout: Layout, axis: int) -> Iterator[_AdjointPhase]:
    window, size, before = layout.window, layout.shape[2 + axis], layout._geometry.pads[axis][0]
    stride, dilation, taps = window.stride[axis], window.dilation[axis], window.kernel_size[axis]
    step = stride // gcd(stride, dilation)  # from one tap that meets a cell to the next
    apart = step * dilation // stride  # output cells between them
    for first in range(min(stride, size)):
        tap = next((u for u in range(min(step, taps)) if (first + before - u * dilation) % stride == 0), taps)
        met = (first + before - tap * dilation) // stride  # the output cell whose window has `tap` on the first cell
        count, windows = len(range(tap, taps, step)), len(range(first, size, stride))
        margins = (count - 1) * apart - met, met + windows - layout.output_size[axis]
        yield _AdjointPhase(slice(first, None, stride), slice(tap, None, step), count, apart, windows, margins)


@lru_cache(256)
def _tap_offsets(window: Window, by_column: bool, channels: int, row_stride: int, length: int) -> NDArray[np.int64]:
    (kh, kw), (dh, dw), (sh, sw) = window.kernel_size, window.dilation, window.stride
    u, v = np.arange(kh, dtype=np.int64)[:, None] * dh, np.arange(kw, dtype=np.int64) * dw
    down, phases, column = np.unique(u % sh), np.unique(v % sw), v // sw
    across = np.searchsorted(phases, v % sw)
    if by_column:
        phases, across, column = v, np.arange(kw), np.zeros_like(v)
    phase = np.searchsorted(down, u % sh) * len(phases) + across
    planes = phase + np.arange(channels, dtype=np.int64)[:, None, None] * (len(down) * len(phases))
    return (planes * length + u // sh * row_stride + column).ravel()


def layer_size(layout: Layout, groups: int, outputs: int) -> LayerSize:
    """The sizes from which `imgconv.engine.dispatch` chooses how to compute a convolution."""
    images, channels = layout.shape[:2]
    rows, (kh, kw) = layout.output_size[0], layout.window.kernel_size
    halo, row_length = layout.halo, layout.row_length
    return LayerSize(images, groups, channels // groups, outputs // groups, kh, kw, rows, row_length, halo, layout.phases)


def job_table(jobs: Sequence[Job]) -> NDArray[Any]:
    """Jobs as a table of records, as loops read them. It is not a recarray, whose fields are attributes but whose slices take 10 us."""
    table = np.array(jobs, _JOB)
    return table.view(np.recarray) if is_plain() else table


def ranges(total: int, step: int) -> list[Range]:
    """range(total) in steps, as pairs (first, last).

    >>> ranges(5, 2)
    [(0, 2), (2, 4), (4, 5)]
    """
    return [(first, min(first + step, total)) for first in range(0, total, step)]


def gather(planes: Planes, layout: Layout, block: Block, out: NDArray[Any] | None = None) -> NDArray[Any]:
    """Patches (C*kh*kw, n*rows, w_out) of a block, written to `out` if given."""
    starts = layout.starts(block, planes).ravel()
    offsets = layout.tap_offsets(block.channels[1] - block.channels[0], planes.row_stride, planes.planes.shape[1])
    patches = np.empty((len(offsets), len(starts), layout.output_size[1]), planes.planes.dtype) if out is None else out
    flat = planes.planes.reshape(-1)

    def work(first: int, last: int) -> None:
        part = slice(first, last)
        loop(gather_patches)(flat, offsets[part], starts, patches[part])

    run_bands(work, len(offsets), max(BAND_CELLS // patches[0].size, 1))
    return patches


def scatter(patches: NDArray[Any], layout: Layout, block: Block) -> NDArray[Any]:
    """Planes (P, L) to which the patches (C*kh*kw, n*rows, w_out) of a block are added; the adjoint of `gather`."""
    channels, cells = block.channels[1] - block.channels[0], layout.empty(block, patches.dtype)
    starts, planes = layout.starts(block, cells).ravel(), cells.planes
    offsets = layout.tap_offsets(channels, cells.row_stride, planes.shape[1])
    planes[...] = 0
    kernel = len(offsets) // channels

    def work(first: int, last: int) -> None:
        part = slice(first * kernel, last * kernel)  # all taps of some channels: no other thread adds to their planes
        loop(scatter_patches)(patches[part], offsets[part], starts, planes.reshape(-1))

    run_bands(work, channels, max(BAND_CELLS // (kernel * patches[0].size), 1))
    return planes
