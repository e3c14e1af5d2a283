"""Convolutions by loops over tiles: the jobs of a convolution, and the calls of the loop that computes them."""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache, partial
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from imgconv.arrays import AnyArray
from imgconv.engine.compiled import loop
from imgconv.engine.dispatch import block_size, copies_by_column, takes_rows
from imgconv.engine.parallel import default_threads, run_bands
from imgconv.engine.tiles import rows_of, tile_of
from imgconv.loops.layers import Job, correlate, correlate_rows
from imgconv.window import Window
from imgconv.windows.layout import SPARE, Block, Layout, Range, job_table, layer_size, ranges

LEAST_COLUMNS = 14  # from which rows of a single image fill vectors
MOST_ROWS = 8  # that are summed at a time
BANDS = 4  # of each thread: the first one that is ready takes over from others
SCRATCH = 4096  # sums that leave room in the first-level cache for the cells
SUM_BLOCK = 144  # taps summed at a time, whose cells stay in the first-level cache: 1152 take up to 1.4 times as long (Zen 3, 2026-11)


class WeightOrder(NamedTuple):
    """The order of weights in a flat array: elements to the next group, output or channel, and the positions of the taps of a kernel."""

    groups: int
    outputs: int  # of each group
    group_step: int
    output_step: int
    channel_step: int
    kernel: tuple[int, ...]


class Operands(NamedTuple):
    """What the jobs of a call share, as `imgconv.loops.layers.correlate` takes it; `weights`, `bias` and `target` are flat.

    `copied` are the first arguments of `copy_planes`, if cells are copied, and `stride` is that of its template. With `runs` the taps are
    those of `correlate_rows`.
    """

    cells: NDArray[Any]
    taps: NDArray[np.int64]
    weights: NDArray[Any]
    bias: NDArray[Any]
    target: NDArray[Any]
    copied: tuple[AnyArray, ...] = ()
    stride: int = 1
    runs: NDArray[np.int64] | None = None


def run_jobs(operands: Operands, jobs: NDArray[Any], outputs: int) -> None:
    """Compute jobs one after the other; `outputs` is the number of outputs of a group."""
    cells, taps, weights, bias, target, copied, stride, runs = operands
    if runs is not None:
        rows = rows_of(cells.itemsize)
        scratch = np.empty(rows.outputs * rows.width, cells.dtype)
        sum_rows = loop(correlate_rows, height=rows.outputs, width=rows.width, stride=stride)
        sum_rows(*copied, cells, taps, runs, weights, bias, scratch, target, jobs)
        return
    tile = tile_of(outputs, cells.itemsize)
    apart = SCRATCH // tile.outputs + 16  # not a power of two, since rows of sums would then share cache sets
    copied, scratch = copied or (cells, *_NO_INDICES, bias), np.empty(tile.outputs * apart, cells.dtype)
    sum_outputs = loop(correlate, together=tile.outputs, apart=apart, width=tile.width, stride=stride)
    sum_outputs(*copied, cells, taps, weights, bias, scratch, target, SUM_BLOCK, jobs)


def jobs_per_band(jobs: int, threads: int) -> int:
    """The number of jobs that a thread takes at a time."""
    return -(-jobs // (BANDS * threads if threads > 1 else 1))


def sum_tiles(
    input: AnyArray, weights: NDArray[Any], order: WeightOrder, shift: NDArray[Any], layout: Layout, result: NDArray[Any]
) -> None:
    """Fill `result` (N, O, h_out, w_out), a whole array or a view of one, tile by tile, in blocks that fit the cache."""
    dtype, whole = result.dtype, result if result.base is None else result.base
    origin, start = (array.__array_interface__["data"][0] for array in (result, whole))
    place = tuple(number // dtype.itemsize for number in (origin - start, *result.strides))
    threads = default_threads()  # asks the system, which takes 3 us
    plan = plan_of(layout, order, place, threads, layout.is_view(input, dtype))
    bias = np.append(shift, np.zeros(order.outputs, dtype))
    operands = Operands(input.reshape(-1), plan.taps, weights.reshape(-1), bias, whole.reshape(-1), runs=plan.runs)
    run = partial(_run, plan, input, operands, order.outputs)
    parts = len(plan.jobs) // plan.steps
    plan.layout.origins(dtype)  # computed once, and not by several threads at a time
    run_bands(lambda first, last: run(first * plan.steps, last * plan.steps), parts, jobs_per_band(parts, threads), threads)


def _run(plan: "Plan", input: AnyArray, operands: Operands, outputs: int, first: int, last: int) -> None:
    """Compute some jobs of a plan."""
    layout, dtype = plan.layout, operands.target.dtype
    if not plan.cells:  # the loop reads the input itself
        run_jobs(operands, plan.jobs[first:last], outputs)
        return
    operands = operands._replace(cells=np.empty(plan.cells, dtype), stride=layout.known_stride)
    if layout.is_source(input, dtype):
        run_jobs(operands._replace(copied=(input.reshape(-1), *layout.origins(dtype))), plan.jobs[first:last], outputs)
        return
    for number in range(first, last):
        source, fields = layout.converted(input, plan.blocks[number], dtype)
        job = Job(*plan.jobs[number].item())._replace(**fields)
        job = job._replace(source_group=plan.depth * job.source_channel)
        run_jobs(operands._replace(copied=(source, *layout.origins(dtype))), job_table([job]), outputs)


class Plan(NamedTuple):
    """The jobs of a convolution and the block of each. Every `steps` successive jobs add to the same outputs.

    `cells` is the number of cells that the planes of a block take, 0 where the loop reads the input itself; `depth` is the number of
    channels of a group.
    """

    layout: Layout
    taps: NDArray[np.int64]
    runs: NDArray[np.int64] | None
    jobs: NDArray[Any]
    blocks: list[Block]
    steps: int
    cells: int
    depth: int


@lru_cache(128)
def plan_of(layout: Layout, order: WeightOrder, place: tuple[int, ...], threads: int, is_view: bool) -> Plan:
    """The plan of a convolution whose first output is at place[0] of a flat array, with the steps place[1:] along its axes."""
    size = layer_size(layout, order.groups, order.groups * order.outputs)
    if copies_by_column(size, layout.output_size[1]):
        layout, is_view = replace(layout, by_column=True), False
        size = layer_size(layout, order.groups, order.groups * order.outputs)
    step, depth = block_size(size, threads), size.group_channels
    by_rows = takes_rows(size) and step.channels == depth
    is_view = is_view and not by_rows
    if is_view or (by_rows and layout.output_size[1] >= LEAST_COLUMNS):
        step = step._replace(images=1)
    count, row_stride, length = layout.extent(Block((0, step.images), (0, step.channels), (0, step.rows)))
    cells = count * length + SPARE + (MOST_ROWS * row_stride if by_rows else 0)
    if is_view:
        row_stride, length, cells = layout.shape[3], layout.shape[2] * layout.shape[3], 0
    channels = np.arange(depth, dtype=np.int64)[:, None] * order.channel_step
    taps = np.stack([layout.tap_offsets(depth, row_stride, length), (channels + order.kernel).ravel()], axis=1)
    taps, runs = _runs(layout.window, taps) if by_rows else (taps[taps[:, 1].argsort()], None)  # tiles read neighbouring weights
    totals, steps = (size.images, size.groups, size.group_outputs, size.rows, depth), (*step[:2], step.outputs, step.rows, step.channels)
    parts = list(product(*map(ranges, totals, steps)))
    blocks = [Block(images, (g0 * depth + c0, (g1 - 1) * depth + c1), rows) for images, (g0, g1), _, rows, (c0, c1) in parts]
    jobs = [_job(layout, order, place, (row_stride, length), *part) for part in zip(blocks, parts, strict=True)]
    if is_view:
        jobs = [
            job._replace(cells=job.cells + job.source + job.first_row * row_stride, cells_group=job.source_group, plane_rows=0)
            for job in jobs
        ]
    return Plan(layout, taps, runs, job_table(jobs), blocks, len(ranges(depth, step.channels)), cells, depth)


def _job(layout: Layout, order: WeightOrder, place: tuple[int, ...], planes: tuple[int, int], block: Block, part: Sequence[Range]) -> Job:
    """The job that computes a part of a convolution: some images, groups, outputs of each, rows and channels of each group.

    `planes` are the cells from a row of a plane to the next and those of a plane, the same for all parts.
    """
    (n0, _), (g0, g1), (o0, o1), (r0, _), (c0, c1) = part
    start, image_step, output_step, row_step, column_step = place
    kernel, first_output = len(order.kernel), g0 * order.outputs + o0
    job = layout.job(block)
    return job._replace(
        groups=g1 - g0,
        channels=c1 - c0,
        outputs=o1 - o0,
        first_tap=c0 * kernel,
        last_tap=c1 * kernel,
        is_added=int(c0 > 0),
        source_group=layout.shape[1] // order.groups * job.source_channel,
        cells=-c0 * layout.phases * planes[1],
        cells_row=planes[0],
        cells_plane=planes[1],
        weights=g0 * order.group_step + o0 * order.output_step,
        weights_group=order.group_step,
        weights_output=order.output_step,
        bias=order.groups * order.outputs if c0 else first_output,  # zeros follow the bias
        bias_group=0 if c0 else order.outputs,
        target=start + n0 * image_step + first_output * output_step + r0 * row_step,
        target_image=image_step,
        target_group=order.outputs * output_step,
        target_output=output_step,
        target_row=row_step,
        target_column=column_step,
    )


def _runs(window: Window, taps: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The `taps` (channels * kh * kw, 2) as runs of up to three in a column that meet neighbouring rows, see `row_sums`."""
    (height, width), (stride, _), (dilation, _) = window.kernel_size, window.stride, window.dilation
    step = height if stride % dilation else stride // dilation  # from a tap to the one that meets the next row of the same plane
    grid = taps.reshape(-1, height, width, 2)
    sorted_runs: dict[int, list[NDArray[np.int64]]] = {3: [], 2: [], 1: []}
    for first in range(min(step, height)):
        column = list(range(first, height, step))
        while column:
            count = 2 if len(column) in (2, 4) else min(len(column), 3)
            run, column = grid[:, column[:count]], column[count:]
            entries = np.zeros((grid.shape[0], width, 4), np.int64)
            entries[..., 0], entries[..., 1 : 1 + count] = run[:, 0, :, 0], run[..., 1].swapaxes(1, 2)
            sorted_runs[count].append(entries.reshape(-1, 4))
    lengths = [sum(map(len, runs)) for runs in sorted_runs.values()]
    return np.concatenate([entry for runs in sorted_runs.values() for entry in runs]), np.cumsum(lengths)


_NO_INDICES = (np.zeros((1, 1), np.int64),) * 3
