"""Padded cells of a batch, laid out so that every tap of a window is a plain shift.

For a block of images, channels and output rows, `Layout.cells` copies the input cells that the windows touch into flat planes: one per
channel and stride phase, rows `pitch` apart, borders filled, cast to the dtype of the sums. `Layout.add_cells` is its adjoint. Strides
thus vanish before any loop runs, and only a block at a time is ever padded. This module knows nothing of weights.

Patches of padded cells as the rows of a matrix, and their adjoint; spread over threads.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from imgconv.arrays import AnyArray
from imgconv.engine.cache import loop
from imgconv.engine.parallel import run_bands
from imgconv.loops.layers import gather_patches, lay_cells, scatter_patches
from imgconv.window import Window
from imgconv.windows.borders import Border

ZEROS = Border.of("zeros")
LAID_FAST = (1, 2)  # horizontal strides that the compiler knows: five times as fast as one that it does not
MOST_KEPT = 64  # of what is worked out for a block: where there are more blocks than that, doing so again is nothing
SPARE = 256  # cells behind the last plane, so that tiles may be read whole, and the fewest that are worth a tile
Span = tuple[int, int]


class Block(NamedTuple):
    """Images, channels and output rows, each from a first one up to a last one that is not included."""

    images: Span
    channels: Span
    rows: Span


class Cells(NamedTuple):
    """Flat planes (P, L), the position in each of the first window of a block, and all that may be read from the first plane on."""

    planes: NDArray[Any]
    first: int
    flat: NDArray[Any]


class _Strip(NamedTuple):
    """Every stride-th padded cell of one axis: where each comes from, and which of them are input cells."""

    origin: NDArray[np.intp]
    inside: slice
    source: slice


class Laying(NamedTuple):
    """How planes are laid out: the part of an input that is copied first, None for an input taken as it is, and what the loop is told."""

    part: tuple[slice, ...] | None
    told: tuple[NDArray[Any], ...]

    def source(self, input: AnyArray, dtype: np.dtype[Any]) -> AnyArray:
        """The cells that are laid out, one after the other."""
        return (input if self.part is None else input[self.part].astype(dtype, order="C")).reshape(-1)


@dataclass(frozen=True)
class Layout:
    """A `window` laid over inputs of `shape` (N, C, H, W) with a `border`, at `windows` (rows, columns) of places or all that fit.

    `margins` are the cells before and after each axis where they are not the window's own padding.
    """

    shape: tuple[int, ...]
    window: Window
    border: Border = ZEROS
    windows: tuple[int, ...] | None = None
    margins: tuple[tuple[int, int], ...] | None = None

    @cached_property
    def output_size(self) -> tuple[int, ...]:
        """(h_out, w_out)."""
        return self.windows or self.window.output_size(self.shape[2:])

    @cached_property
    def pitch(self) -> int:
        """Elements from one row of a plane to the next."""
        return self.output_size[1] + (self.window.span[1] - 1) // self.window.stride[1]

    @cached_property
    def halo(self) -> int:
        """Rows of a plane beyond the output rows that it stands behind."""
        return (self.window.span[0] - 1) // self.window.stride[0]

    @property
    def phases(self) -> int:
        """Planes per channel."""
        return len(self._phases)

    def places(self, planes: NDArray[Any], group_channels: int) -> NDArray[np.int64]:
        """Where each tap (channel, u, v) of the first group lies in `planes` (P, L), made flat."""
        return _places(self.window, self.pitch, planes.shape[0] // self.phases, planes.shape[1], group_channels)

    def starts(self, block: Block, first: int = 0) -> NDArray[np.int64]:
        """The position (n, rows) in a plane of the first window of each output row of a block."""
        (n0, n1), _, (r0, r1) = block
        image = np.arange(n1 - n0)[:, None] * ((r1 - r0 + self.halo) * self.pitch)
        return first + image + np.arange(r1 - r0, dtype=np.int64) * self.pitch

    def cells(self, input: AnyArray, block: Block, dtype: np.dtype[Any]) -> Cells:
        """The cells behind a block of output rows; the input itself where nothing has to be padded, split or cast."""
        lying = self.lying(input, block, dtype)
        if lying is not None:
            return lying
        cells, laying = self.empty(block, dtype), self.laying(block, dtype, as_it_is=is_of(dtype, input))
        loop(lay_cells, stride=self.known_stride)(laying.source(input, dtype), *laying.told, 0, cells.planes.reshape(-1))
        return cells

    def lying(self, input: AnyArray, block: Block, dtype: np.dtype[Any]) -> Cells | None:
        """The cells behind a block where the input's own do, None where they must be laid out."""
        (n0, n1), (c0, c1), (r0, r1) = block
        if not (self._plain and n1 - n0 == 1 and (r1 - r0) * self.pitch >= SPARE and is_of(dtype, input)):
            return None
        _, channels, height, width = self.shape
        behind = input.reshape(-1)[(n0 * channels + c0) * height * width :]
        return Cells(behind[: (c1 - c0) * height * width].reshape(c1 - c0, -1), r0 * self.pitch, behind)

    def laying(self, block: Block, dtype: np.dtype[Any], *, as_it_is: bool, groups: int = 1) -> Laying:
        """How a block, or each of its `groups` of channels, is laid out from an input, or where not `as_it_is` from a copy of its part."""
        key = block, dtype, as_it_is, groups
        found = self._layings.get(key) or self._new_laying(*key)
        if len(self._layings) < MOST_KEPT:
            self._layings[key] = found
        return found

    def _new_laying(self, block: Block, dtype: np.dtype[Any], as_it_is: bool, groups: int) -> Laying:
        (n0, n1), (c0, c1), _ = block
        (_, channels, height, width), stride, count = self.shape, self.window.stride[1], (c1 - c0) // groups
        rows, part = self._rows(block), None
        if not as_it_is:
            inside = rows[rows >= 0]
            low, high = (int(inside.min()), int(inside.max()) + 1) if inside.size else (0, 0)
            part = np.s_[n0:n1, c0:c1, low:high]
            rows, n0, n1, c0, channels, height = np.where(rows < 0, rows, rows - low), 0, n1 - n0, 0, c1 - c0, high - low
        step = height * width
        geometry = np.array(((n0 * channels + c0) * step, channels * step, step, width, n1 - n0, count, stride), np.int64)
        return Laying(part, (rows, *self._columns, np.array([self.border.value], dtype), geometry))

    @property
    def known_stride(self) -> int:
        """The horizontal stride for the compiler, 0 where it need not know."""
        return self.window.stride[1] if self.window.stride[1] in LAID_FAST else 0

    def strips(self, input: AnyArray, most: int) -> Iterator[tuple[int, AnyArray, "Layout"]]:
        """The first output column of each strip of at most `most`, and the part of `input` and the layout that give the strip."""
        rows, columns = self.output_size
        if columns <= most:
            yield 0, input, self
            return
        size, (down, (before, _)) = self.shape[3], self._pads
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

    def empty(self, block: Block, dtype: np.dtype[Any]) -> Cells:
        """Planes (P, L) for a block, nothing in them yet."""
        (n0, n1), (c0, c1), (r0, r1) = block
        count, length = len(self._phases) * (c1 - c0), (n1 - n0) * (r1 - r0 + self.halo) * self.pitch
        flat = np.empty(count * length + SPARE, dtype)
        return Cells(flat[: count * length].reshape(count, length), 0, flat)

    def add_cells(self, cells: NDArray[Any], block: Block, target: NDArray[Any]) -> None:
        """Add the planes of a block to the inputs (N, C, H, W) that they stand for; what lies in a border of zeros is dropped."""
        (n0, n1), (c0, c1), _ = block
        into = target[n0:n1, c0:c1].transpose(1, 0, 2, 3)
        for planes, phase in zip(self._split(cells, block), self._phases, strict=True):
            rows, columns = self._strips(phase, block)
            into[:, :, rows.source, columns.source] += planes[:, :, rows.inside, columns.inside]

    @cached_property
    def _layings(self) -> dict[tuple[Block, np.dtype[Any], bool, int], Laying]:
        return {}

    @cached_property
    def _phases(self) -> list[tuple[int, int]]:
        """The stride phases (row, column) that some tap falls on."""
        down, across = (
            {u * d % s for u in range(k)} for k, d, s in zip(self.window.kernel_size, self.window.dilation, self.window.stride, strict=True)
        )
        return [(a, b) for a in sorted(down) for b in sorted(across)]

    @cached_property
    def _pads(self) -> tuple[tuple[int, int], ...]:
        pads = self.margins or self.window.pads(self.shape[2:])
        for size, pad in zip(self.shape[2:], pads, strict=True):
            self.border.check(size, *pad)
        return pads

    @cached_property
    def _plain(self) -> bool:
        """Whether planes are the input's own."""
        return self.window.stride == (1, 1) and self._pads == ((0, 0), (0, 0)) and self.pitch == self.shape[3]

    def _split(self, cells: NDArray[Any], block: Block) -> NDArray[Any]:
        """Planes as (phases, channels, images, rows, columns)."""
        (n0, n1), (c0, c1), (r0, r1) = block
        return cells.reshape(len(self._phases), c1 - c0, n1 - n0, (r1 - r0 + self.halo), self.pitch)

    def _strips(self, phase: tuple[int, int], block: Block) -> tuple[_Strip, _Strip]:
        first, last = block.rows
        return self._strip(0, phase[0], first, last - first + self.halo), self._column_strips[phase[1]]

    def _rows(self, block: Block) -> NDArray[np.intp]:
        """Where the rows (A, R) of the planes of each vertical phase lie in the input."""
        first, last = block.rows
        downs = sorted({down for down, _ in self._phases})
        return np.stack([self._strip(0, down, first, last - first + self.halo).origin for down in downs])

    @cached_property
    def _columns(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Where the columns (B, P) of the planes of each horizontal phase lie in the input, and which of them (B, 2) need no border."""
        strips = [self._column_strips[across] for across in sorted({across for _, across in self._phases})]
        return np.stack([s.origin for s in strips]), np.array([(s.inside.start, s.inside.stop) for s in strips])

    @cached_property
    def _column_strips(self) -> dict[int, _Strip]:
        return {phase: self._strip(1, phase, 0, self.pitch) for _, phase in self._phases}

    def _strip(self, axis: int, phase: int, first: int, count: int) -> _Strip:
        """`count` padded cells of an axis from output cell `first` on; cells that no window touches may lie beyond the padding."""
        stride, size, (before, after) = self.window.stride[axis], self.shape[2 + axis], self._pads[axis]
        start = first * stride + phase
        begin = min(max(-(-(before - start) // stride), 0), count)
        end = min(max(-(-(before + size - start) // stride), begin), count)
        at = start - before
        source = slice(at + begin * stride, at + end * stride, stride) if end > begin else slice(0, 0)
        cells = np.minimum(at + np.arange(count) * stride, size + after - 1)
        return _Strip(self.border.sources(cells, size), slice(begin, end), source)


def is_of(dtype: np.dtype[Any], input: AnyArray) -> bool:
    """Whether loops can read an input of such a dtype as it is."""
    return input.dtype == dtype and input.flags.c_contiguous


@lru_cache(64)
def kept(layout: Layout) -> Layout:
    """A layout like this one that has been used before, if there was one: what it has worked out is still there."""
    return layout


@lru_cache(256)
def _places(window: Window, pitch: int, channels: int, length: int, group_channels: int) -> NDArray[np.int64]:
    (kh, kw), (dh, dw), (sh, sw) = window.kernel_size, window.dilation, window.stride
    u, v = np.arange(kh, dtype=np.int64)[:, None] * dh, np.arange(kw, dtype=np.int64) * dw
    down, across = np.unique(u % sh), np.unique(v % sw)
    phase = np.searchsorted(down, u % sh) * len(across) + np.searchsorted(across, v % sw)
    planes = phase * channels + np.arange(group_channels, dtype=np.int64)[:, None, None]
    return (planes * length + u // sh * pitch + v // sw).ravel()


BAND_CELLS = 2**17  # patch cells that are worth handing to another thread


def gather(cells: Cells, layout: Layout, block: Block, out: NDArray[Any] | None = None) -> NDArray[Any]:
    """Patches (C*kh*kw, n*rows, w_out) of a block, written to `out` if given."""
    channels, starts = block.channels[1] - block.channels[0], layout.starts(block, cells.first).ravel()
    places = layout.places(cells.planes, channels)
    patches = np.empty((len(places), len(starts), layout.output_size[1]), cells.planes.dtype) if out is None else out
    flat = cells.planes.reshape(-1)

    def work(first: int, last: int) -> None:
        part = slice(first, last)
        loop(gather_patches)(flat, places[part], starts, patches[part])

    run_bands(work, len(places), max(BAND_CELLS // patches[0].size, 1))
    return patches


def scatter(patches: NDArray[Any], layout: Layout, block: Block) -> NDArray[Any]:
    """Planes (P, L) with the patches (C*kh*kw, n*rows, w_out) of a block added where they were taken; the adjoint of `gather`."""
    channels, starts = block.channels[1] - block.channels[0], layout.starts(block).ravel()
    cells = layout.empty(block, patches.dtype).planes
    cells[...] = 0
    places = layout.places(cells, channels)
    kernel = len(places) // channels

    def work(first: int, last: int) -> None:
        part = slice(first * kernel, last * kernel)  # all taps of some channels: no other job adds to their planes
        loop(scatter_patches)(patches[part], places[part], starts, cells.reshape(-1))

    run_bands(work, channels, max(BAND_CELLS // (kernel * patches[0].size), 1))
    return cells
