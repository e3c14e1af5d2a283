"""Convolutions by loops over tiles: the jobs of a convolution, and the calls of the loop that computes them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from imgconv.arrays import AnyArray
from imgconv.engine.compiled import loop
from imgconv.engine.dispatch import BlockSize, LayerSize, block_size, copies_by_column
from imgconv.engine.parallel import default_threads, run_bands
from imgconv.engine.tiles import tile_of
from imgconv.loops.layers import correlate
from imgconv.windows.layout import KNOWN_STRIDES, Block, Layout, Planes, Range, layer_size, ranges

BANDS = 4  # of each thread: the first one that is ready takes over from others
SCRATCH = 4096  # sums that leave room in the first-level cache for the cells
SUM_BLOCK = 1152  # taps summed at a time; longer sums in float32 lose digits


class Job(NamedTuple):
    """The numbers of a job, see `imgconv.loops.layers.correlate` and, for the second to the tenth, `copy_planes`."""

    images: int
    channels: int = 0
    first_row: int = 0
    plane_rows: int = 0
    low: int = 0
    position: int = 0
    source_image_step: int = 0
    source_channel_step: int = 0
    width: int = 0
    stride: int = 0
    pitch: int = 0
    length: int = 0
    row_stride: int = 0
    rows: int = 1
    columns: int = 0
    origin: int = 0
    image_step: int = 0
    channel_step: int = 0
    row_step: int = 0
    column_step: int = 1
    first_group: int = 0
    groups: int = 1
    first_output: int = 0
    outputs: int = 0
    first_tap: int = 0
    last_tap: int = 0
    is_added: int = 0
    base: int = 0
    group_cells: int = 0
    source_group_step: int = 0


class Operands(NamedTuple):
    """What the jobs of a call share: `cells` (flat), the taps' `offsets` in them (T), `weights` (G, O, T), `bias` (G, O) and `target`.

    `target` is flat; the columns of an output are `step` apart in it. `copied` are the first arguments of `copy_planes`, and `stride` is
    that of its template, -1 where the cells are not copied.
    """

    cells: NDArray[Any]
    offsets: NDArray[np.int64]
    weights: NDArray[Any]
    bias: NDArray[Any]
    target: NDArray[Any]
    step: int = 1
    copied: tuple[AnyArray, ...] = ()
    stride: int = -1


def run_jobs(operands: Operands, jobs: Sequence[Job]) -> None:
    """Compute jobs one after the other."""
    cells, offsets, weights, bias, target, step, copied, stride = operands
    tile = tile_of(weights.shape[1], cells.itemsize)
    apart = SCRATCH // tile.outputs + 16  # not a power of two, since rows of sums would then share cache sets
    sizes = {"width": tile.width, "apart": apart, "stride": stride, "step": step if step in KNOWN_STRIDES else 0}
    copied = copied or (cells, *_NO_INDICES, np.zeros(1, cells.dtype))
    scratch, table = np.empty(tile.outputs * apart, cells.dtype), np.array(jobs, np.int64)
    loop(correlate, together=tile.outputs, **sizes)(*copied, cells, offsets, weights, bias, scratch, target, SUM_BLOCK, table)


def jobs_per_band(jobs: int) -> int:
    """How many of so many jobs a thread takes at a time."""
    threads = default_threads()
    return -(-jobs // (BANDS * threads if threads > 1 else 1))


def sum_tiles(input: AnyArray, taps: NDArray[Any], shift: NDArray[Any], layout: Layout, result: NDArray[Any]) -> None:
    """Fill `result` (N, O, h_out, w_out) tile by tile, in blocks that fit the cache."""
    size = layer_size(layout, len(taps), result.shape[1])
    if copies_by_column(size, layout.output_size[1]):
        layout = replace(layout, by_column=True)
        size = layer_size(layout, len(taps), result.shape[1])
    block, is_view = block_size(size, default_threads()), layout.is_view(input, result.dtype)
    if is_view:
        block = block._replace(images=1)
    task = _Task(input, taps, shift.reshape(len(taps), -1), layout, size, block, result, is_view)
    totals = size.images, size.groups, size.group_outputs, size.rows
    steps = block.images, block.groups, block.outputs, block.rows
    parts = [_Part(*part) for part in product(*map(ranges, totals, steps))]
    layout.origins(result.dtype)  # computed once, and not by several threads at a time
    run_bands(lambda first, last: task.run(parts[first:last]), len(parts), jobs_per_band(len(parts)))


class _Part(NamedTuple):
    """A part of a result: images, groups, outputs of each group, and rows."""

    images: Range
    groups: Range
    outputs: Range
    rows: Range


@dataclass(frozen=True)
class _Task:
    """One convolution: `taps` (G, O, T) and `shift` (G, O); the result is a whole array or a view of one."""

    input: AnyArray
    taps: NDArray[Any]
    shift: NDArray[Any]
    layout: Layout
    size: LayerSize
    block: BlockSize
    result: NDArray[Any]
    is_view: bool

    def run(self, parts: Sequence[_Part]) -> None:
        """Fill some parts of the result, the channels of a block at a time."""
        layout, block, dtype = self.layout, self.block, self.result.dtype
        if self.is_view:  # the loop reads the input itself
            planes, stride = layout.view(self.input, Block((0, 1), (0, layout.shape[1]), (0, block.rows))), -1
        else:
            planes, stride = layout.empty(Block((0, block.images), (0, block.channels), (0, block.rows)), dtype), layout.known_stride
        offsets = layout.tap_offsets(self.size.group_channels, planes.pitch, planes.planes.shape[1])
        step = self.result.strides[3] // dtype.itemsize
        operands = Operands(planes.flat, offsets, self.taps, self.shift, self._whole.reshape(-1), step, stride=stride)
        jobs = list(product(parts, ranges(self.size.group_channels, block.channels)))
        for some in [jobs] if layout.is_source(self.input, dtype) else [[job] for job in jobs]:
            sources, numbers = zip(*(self._job(*job, planes) for job in some), strict=True)
            run_jobs(operands._replace(copied=(sources[0], *layout.origins(dtype))), numbers)

    def _job(self, part: _Part, channels: Range, planes: Planes) -> tuple[AnyArray, Job]:
        """The array from which the cells of a part come, and the job that sums over some channels of each group."""
        (g0, g1), (o0, o1), (r0, r1), (c0, c1) = part.groups, part.outputs, part.rows, channels
        depth, kernel, layout, length = self.size.group_channels, self.size.kernel, self.layout, planes.planes.shape[1]
        block = Block(part.images, (g0 * depth + c0, (g1 - 1) * depth + c1), part.rows)
        source, (images, _, *copying) = layout.source(self.input, block, self.result.dtype)
        base, group_cells = -c0 * layout.phases * length, 0
        if self.is_view:
            base, group_cells = (part.images[0] * layout.shape[1] + g0 * depth) * length + r0 * planes.pitch, depth * length
        cells = planes.pitch, length, layout.row_stride, r1 - r0, layout.output_size[1]
        target = self._origin(part), *(step // self.result.itemsize for step in self.result.strides)
        taps = c0 * kernel, c1 * kernel, c0 > 0, base, group_cells, depth * copying[5]
        return source, Job._make((images, c1 - c0, *copying, *cells, *target, g0, g1 - g0, o0, o1 - o0, *taps))

    @property
    def _whole(self) -> NDArray[Any]:
        """The array that the result is a view of, or the result itself."""
        return self.result if self.result.base is None else self.result.base

    def _origin(self, part: _Part) -> int:
        """Where the first output of a part is in the whole array."""
        first = self.result[part.images[0] :, part.groups[0] * self.size.group_outputs + part.outputs[0] :, part.rows[0] :]
        address, start = (array.__array_interface__["data"][0] for array in (first, self._whole))
        return int(address - start) // self.result.itemsize


_NO_INDICES = (np.zeros((1, 1), np.int64),) * 3
