"""Loops of layers: sums over taps of shifted planes, planes copied from padded cells, patches and their adjoint, bilinear samples.

`cells` (flat) holds the planes of `imgconv.windows.layout`: one padded plane per channel and stride phase, one after the other, so
that every tap is a constant offset. Output cell (r, j) of image n reads cells[base + r*row_stride + n*row_length + j + offsets[t]].
Positions between the end of an output row and the row length are computed and not used, which costs less than short rows.

`patches` (T, R, S) has one row of S cells for each tap and output row; `offsets` (T) are those of the taps, `starts` (R) those of the rows.
"""

from functools import cache
from typing import NamedTuple

import numpy as np

from imgconv.loops.filters import row_sums


class Job(NamedTuple):
    """A part of a correlation, which one call of a loop computes.

    `source`, `cells`, `weights`, `bias` and `target` are positions in the flat arrays of these names, of the first cell that the job
    reads or writes there; the same name and an axis is the number of cells from there to the next image, channel, output and so on.
    """

    images: int = 1
    groups: int = 1
    channels: int = 0  # of each group
    outputs: int = 0  # of each group
    rows: int = 1  # of the output
    columns: int = 0
    first_tap: int = 0
    last_tap: int = 0
    is_added: int = 0  # to the values in `target`
    plane_rows: int = 0  # 0 where the input itself is read
    first_row: int = 0  # of a plane: that of the first output row
    source_top: int = 0  # the row of an image with which `source` begins
    source: int = 0
    source_image: int = 0
    source_group: int = 0
    source_channel: int = 0
    source_row: int = 0
    stride: int = 0  # from a cell of a plane's row to the next
    cells: int = 0
    cells_group: int = 0
    cells_plane: int = 0
    cells_row: int = 0
    cells_image: int = 0
    weights: int = 0
    weights_group: int = 0
    weights_output: int = 0
    bias: int = 0
    bias_group: int = 0
    target: int = 0
    target_image: int = 0
    target_group: int = 0
    target_output: int = 0
    target_row: int = 0
    target_column: int = 1


def tile_sums(cells, base, offsets, head, tail, weights, row, step, last, bias, output, fresh, sums, at, together, apart, width):
    """Sum weights[row + q * step + t] * cells[base + offsets[t, 0] + j] for outputs q < `together` and columns j < `width`.

    The sums over taps head <= t < tail are added to sums[at + q * apart + j], or, if they are `fresh`, to bias[output + q], and written
    there. Outputs after the `last` one use its weights and bias. `together`, `apart` and `width` are constants for the compiler.

    This is what runs without Numba; `imgconv.engine.tiles` compiles it as an intrinsic.
    """
    for q in range(together):
        which = min(q, last)
        out = sums[at + q * apart : at + q * apart + width]
        total = 0
        with np.errstate(all="ignore"):  # cells after the end of a row may hold anything; their sums are not used
            for t in range(head, tail):
                cell, weight = base + offsets[t, 0], weights[row + which * step + t]
                total = total + weight * cells[cell : cell + width]
            out[:] = total + (bias[output + which] if fresh else out)


def move_cells(source, at, target, to, width, step):
    """Copy `width` cells that are `step` apart from `source` (flat) to neighbours in `target` (flat), which may have a wider type.

    `width`, a power of 2, and `step`, 1 or 2, are constants for the compiler. Compiled as `tile_sums` is: LLVM's own vectoriser leaves
    rows of less than 64 cells to a loop that copies one at a time.
    """
    target[to : to + width] = source[at : at + (width - 1) * step + 1 : step]


def product_sums(cells, base, offsets, first, output, at, apart, count, sums, to, row, outputs, taps, width):
    """Add to sums[to + q * row + t] the sum of output[at + q * apart + p] * cells[base + offsets[first + t] + p] over p < `count`.

    For outputs q < `outputs` and taps t < `taps`, which are constants for the compiler, as is `width`; `count` is a multiple of it.
    Compiled as `tile_sums` is: a vector of sums for each output and tap stays in registers, whose numbers are added up in float64.
    """
    for q in range(outputs):
        for t in range(taps):
            cell, place = base + offsets[first + t], at + q * apart
            sums[to + q * row + t] += np.dot(output[place : place + count], cells[cell : cell + count])


@cache  # an inner loop is compiled once for all loops that contain it
def copy_row(step):
    """The loop that copies cells that are `stride` apart: by `move_cells` where that is the `step`, 1 or 2, else one by one."""

    def copy_one_by_one(source, at, target, to, count, stride):
        for j in range(count):
            target[to + j] = source[at + j * stride]

    def copy(source, at, target, to, count, stride):
        last = count - 8
        if stride != step:
            for j in range(count):
                target[to + j] = source[at + j * stride]
        elif last >= 0:  # vectors of 16 take longer: AVX-512 of Zen 4 stores them in ten cycles (2026-11)
            for j in range(0, last, 8):
                move_cells(source, at + j * step, target, to + j, 8, step)
            move_cells(source, at + last * step, target, to + last, 8, step)
        elif count >= 4:
            move_cells(source, at, target, to, 4, step)
            move_cells(source, at + (count - 4) * step, target, to + count - 4, 4, step)
        elif count >= 2:
            move_cells(source, at, target, to, 2, step)
            move_cells(source, at + (count - 2) * step, target, to + count - 2, 2, step)
        elif count == 1:
            target[to] = source[at]

    return copy if step else copy_one_by_one


def copy_planes(stride):
    """The loop that copies cells to planes; the horizontal stride is 1 with `stride` 1, more with 2, any without vectors with 0."""
    copy_cells = copy_row(stride)

    def copy(source, rows, columns, spans, value, jobs, number, group, cells):
        """Fill `cells` (flat) with one plane for each channel, vertical phase and horizontal phase of a group of a job, all images in each.

        `rows` (A, R) and `columns` (B, P) are the indices in an image of `source` (flat) of the rows and columns of the phases' planes,
        below 0 for `value` (1,). Columns spans[b, 0] to spans[b, 1] are neighbours in a phase. Cells with that value are those of the
        job's first group in all groups.
        """
        job = jobs[number]
        width, row_stride, count, first_row = job.source_row, job.cells_row, job.plane_rows, job.first_row
        step = 1 if stride == 1 else job.stride
        images, image_step, source_step = job.images, job.cells_image, job.source_image
        position = job.source - job.source_top * job.source_row
        across_phases = columns.shape[0]
        phases = rows.shape[0] * across_phases
        if group == 0:
            for j in range(job.channels * phases * job.cells_plane):
                cells[j] = value[0]
        for channel in range(job.channels):
            for phase in range(phases):
                down, across = rows[phase // across_phases], columns[phase % across_phases]
                begin, end = spans[phase % across_phases, 0], spans[phase % across_phases, 1]
                plane = (channel * phases + phase) * job.cells_plane
                first = position + group * job.source_group + channel * job.source_channel
                for image in range(images if end > begin else 0):
                    to, at = plane + image * image_step + begin, first + image * source_step + across[begin]
                    for r in range(count):
                        if down[first_row + r] >= 0:
                            copy_cells(source, at + down[first_row + r] * width, cells, to + r * row_stride, end - begin, step)
                for j in range(across.shape[0]):
                    if (j < begin or j >= end) and across[j] >= 0:  # a border whose cells are those of the input
                        for image in range(images):
                            to, at = plane + image * image_step + j, first + image * source_step + across[j]
                            for r in range(count):
                                if down[first_row + r] >= 0:
                                    cells[to + r * row_stride] = source[at + down[first_row + r] * width]

    return copy


_copy_planes = cache(copy_planes)  # for loops that contain it; on its own, `loop` needs the function itself


@cache
def write_sums(headroom):
    """The loop that writes sums to cells, those of an output from the element `headroom` of its row of scratch on."""
    copy_sums = copy_row(1)

    def write(scratch, apart, outputs, begin, n, target, origin, jobs, number):
        """Write `n` sums of each output, those of positions `begin` and after, to `target`, where the first output is at `origin`.

        Positions of a plane that are not output cells are left out.
        """
        job = jobs[number]
        row_stride, column_step = job.cells_row, job.target_column
        for row in range(begin // row_stride, (begin + n - 1) // row_stride + 1):
            for image in range(job.images):
                start = row * row_stride + image * job.cells_image
                low, high = max(begin, start), min(begin + n, start + job.columns)
                if high > low:
                    place = origin + image * job.target_image + row * job.target_row + (low - start) * column_step
                    for q in range(outputs):
                        at, to = headroom + q * apart + low - begin, place + q * job.target_output
                        if job.is_added and column_step == 1:
                            sums, out = scratch[at : at + high - low], target[to:]
                            for j in range(high - low):
                                out[j] += sums[j]
                        elif job.is_added:
                            for j in range(high - low):
                                target[to + j * column_step] += scratch[at + j]
                        elif column_step == 1:
                            copy_sums(scratch, at, target, to, high - low, 1)
                        else:
                            for j in range(high - low):
                                target[to + j * column_step] = scratch[at + j]

    return write


def correlate(together, apart, width, stride):
    """The loop that sums `together` outputs at a time, in tiles of `width` cells.

    It copies the planes of one group after the other by `copy_planes(stride)`, or reads the input itself where a job has no rows of planes.
    Its scratch holds a row of sums for each output, `apart` elements from each other, which `write_sums` writes. The first `width`
    elements of a row are spare: where cells end, a tile begins before the first position.
    """
    copy, write = _copy_planes(stride), write_sums(width)

    def loop(source, rows, columns, spans, value, cells, taps, weights, bias, scratch, target, block, jobs):
        """Fill the parts of `target` (flat) that the records `jobs` (see `Job`) describe.

        The first five are those of `copy_planes`; `cells` has room for the planes of a group. `taps` (T, 2) are the offsets of the taps
        of a group in `cells` and in `weights` (flat, in the cells' dtype), where those of an output are neighbours. `bias` is flat, a value
        for each output. Sums are taken over `block` taps at a time, which keeps rounding errors small.
        """
        for number in range(jobs.shape[0]):
            job = jobs[number]
            first_tap, last_tap = job.first_tap, job.last_tap
            total = (job.rows - 1) * job.cells_row + (job.images - 1) * job.cells_image + job.columns
            chunk = -(-total // -(-total // (apart - 2 * width)))
            chunk = -(-chunk // width) * width
            reach = 0
            for t in range(first_tap, last_tap):
                reach = max(reach, taps[t, 0])
            splits = last_tap - first_tap > block
            for group in range(job.groups):
                if job.plane_rows:
                    copy(source, rows, columns, spans, value, jobs, number, group, cells)
                for begin in range(0, total, chunk):
                    n, base = min(chunk, total - begin), job.cells + group * job.cells_group + begin
                    last_at = min(max(n - width, 0), cells.shape[0] - width - reach - base)
                    for o in range(0, job.outputs, together):
                        row, output_step = job.weights + group * job.weights_group + o * job.weights_output, job.weights_output
                        last, output = min(together, job.outputs - o) - 1, job.bias + group * job.bias_group + o
                        origin = job.target + group * job.target_group + o * job.target_output
                        for head in range(first_tap, last_tap, block):  # whose weights and cells stay in the first-level cache
                            tail, fresh = min(head + block, last_tap), head == first_tap
                            for tile in range(0, n, width):
                                at = min(tile, last_at)
                                place = width + (tile if splits else at)
                                tile_sums(
                                    cells, base + at, taps, head, tail, weights, row, output_step, last, bias, output, fresh,
                                    scratch, place, together, apart, width,
                                )  # fmt: skip
                        late = (n - 1) // width * width
                        if splits and last_at < late:  # the last tile began earlier, beside the sums of the one before
                            for q in range(last + 1):
                                place = width + q * apart + late
                                for j in range(n - late):
                                    scratch[place + j] = scratch[place + j + late - last_at]
                        write(scratch, apart, last + 1, begin, n, target, origin, jobs, number)

    return loop


def correlate_rows(height, width, stride):
    """The loop for one output of each group, which sums `height` rows of `width` cells at a time.

    It copies planes as `correlate` does, and writes sums to the target where they are whole rows of an image, others through its scratch.
    """
    copy, copy_sums = _copy_planes(stride), copy_row(1)

    def loop(source, rows, columns, spans, value, cells, taps, runs, weights, bias, scratch, target, jobs):
        """Fill the parts of `target` (flat) that the records `jobs` (see `Job`) describe; `taps` and `runs` are those of `row_sums`."""
        for number in range(jobs.shape[0]):
            job = jobs[number]
            row_stride, row_step, column_step = job.cells_row, job.target_row, job.target_column
            across = (job.images - 1) * job.cells_image + job.columns
            fits = column_step == 1 and job.images == 1 and job.rows >= height and job.columns >= width
            for group in range(job.groups):
                copy(source, rows, columns, spans, value, jobs, number, group, cells)
                weight, shift = job.weights + group * job.weights_group, bias[job.bias + group * job.bias_group]
                for tile in range(0, job.rows, height):
                    top = max(min(tile, job.rows - height), 0)
                    for begin in range(0, across, width):
                        left = max(min(begin, across - width), 0)
                        base, origin = top * row_stride + left, job.target + group * job.target_group + top * row_step
                        if fits:
                            row_sums(
                                cells, base, row_stride, taps, runs, weights, weight, shift, target, origin + left, row_step, height, width
                            )
                            continue
                        row_sums(cells, base, row_stride, taps, runs, weights, weight, shift, scratch, 0, width, height, width)
                        for image in range(job.images):
                            start = image * job.cells_image
                            low, high = max(left, start), min(left + width, start + job.columns)
                            for q in range(min(height, job.rows) if high > low else 0):
                                to = origin + q * row_step + image * job.target_image + (low - start) * column_step
                                if column_step == 1:
                                    copy_sums(scratch, q * width + low - left, target, to, high - low, 1)
                                else:
                                    for j in range(high - low):
                                        target[to + j * column_step] = scratch[q * width + low - left + j]

    return loop


def correlate_planes(outputs, taps, width, stride):
    """The loop for the gradient of the weight by planes of the input and of the output: tiles of `outputs` and `taps` by `product_sums`."""
    copy, copy_output = _copy_planes(stride), _copy_planes(1)

    def loop(
        source, rows, columns, spans, value, cells, output, output_rows, output_columns, output_spans, zero, factors, offsets, chunk, sums,
        jobs, output_jobs,
    ):  # fmt: skip
        """Add to `sums` (flat, float64) the products of planes of the input with planes of the output, for each job of the input.

        The first five arguments are those of `copy_planes` for the input and `jobs`, the five from `output` on those for the output and
        `output_jobs`. `cells` and `factors` have room for the planes of a group. `offsets` (T,) are those of the taps in `cells`; T is
        a multiple of `taps`, as the outputs of a job are of `outputs`. `chunk` cells, a multiple of `width`, are taken at a time and stay
        in cache for all taps.
        """
        for number in range(jobs.shape[0]):
            job, apart = jobs[number], output_jobs[number].cells_plane
            total = (job.rows - 1) * job.cells_row + (job.images - 1) * job.cells_image + job.columns
            for group in range(job.groups):
                copy(source, rows, columns, spans, value, jobs, number, group, cells)
                copy_output(output, output_rows, output_columns, output_spans, zero, output_jobs, number, group, factors)
                for begin in range(0, total, chunk):
                    count = min(chunk, total - begin)
                    whole = count // width * width
                    for o in range(0, job.outputs, outputs):
                        at = o * apart + begin
                        for first in range(0, offsets.shape[0], taps):
                            to, row = job.target + group * job.target_group + o * job.target_output + first, job.target_output
                            product_sums(cells, begin, offsets, first, factors, at, apart, whole, sums, to, row, outputs, taps, width)
                            for p in range(whole, count):
                                for t in range(taps):
                                    for q in range(outputs):
                                        product = factors[at + q * apart + p] * cells[begin + offsets[first + t] + p]
                                        sums[to + q * row + t] += product

    return loop


def swap_channels(weight, channels, kernel, taps, swapped, begin, end):
    """Write to `swapped` (G*C, R) some `taps` (T,) of `weight` (G*O, C*K), for channels begin <= c < end of each group.

    `channels` is C and `kernel` K. Taps of the first output come first, then those of the second; R is at least O * T. 16 channels at
    a time stay in cache.
    """
    groups = swapped.shape[0] // channels
    outputs = weight.shape[0] // groups
    for g in range(groups):
        for first in range(begin, end, 16):
            for o in range(outputs):
                source = weight[g * outputs + o]
                for c in range(first, min(first + 16, end)):
                    out, at = swapped[g * channels + c][o * taps.shape[0] :], c * kernel
                    for t in range(taps.shape[0]):
                        out[t] = source[at + taps[t]]


def interleave(source, top, left, cells):
    """Write to `cells` (N, R, P, C) the cells of `source` (N, C, H, W) from row `top` and column `left` on; zero outside of it."""
    (height, width), channels = source.shape[2:], source.shape[1]
    for n in range(cells.shape[0]):
        for r in range(cells.shape[1]):
            out, row = cells[n, r], top + r
            begin, end = min(max(-left, 0), out.shape[0]), min(max(width - left, 0), out.shape[0])
            if row < 0 or row >= height:
                begin = end = 0
            out[:begin], out[end:] = 0, 0
            for first in range(0, channels, 8):  # more rows of the source at a time may share a set of the first-level cache
                for j in range(begin, end):
                    for c in range(first, min(first + 8, channels)):
                        out[j, c] = source[n, c, row, left + j]


def gather_patches(cells, offsets, starts, patches):
    """Write to `patches` the cells under each tap."""
    columns = patches.shape[2]
    for t in range(patches.shape[0]):
        for r in range(patches.shape[1]):
            source, out = cells[starts[r] + offsets[t] :], patches[t, r]
            for j in range(columns):
                out[j] = source[j]


def scatter_patches(patches, offsets, starts, cells):
    """Add `patches` to the cells under each tap; the adjoint of `gather_patches`. No other job may add to the same cells."""
    columns = patches.shape[2]
    for t in range(patches.shape[0]):
        for r in range(patches.shape[1]):
            source, out = patches[t, r], cells[starts[r] + offsets[t] :]
            for j in range(columns):
                out[j] += source[j]


def sample_bilinear(planes, down, across, weights, patches, geometry):
    """Write to `patches` (C, K, P) the value of each plane (C, H, W) at rows `down` and columns `across`, times `weights`.

    `down`, `across` and `weights` are (D*K, P) fractions of cells for D groups of channels; geometry[0] is the number of channels in
    one. A sample outside a plane is zero, one at a position of NaN is NaN. Each job has channels of its own.
    """
    height, width = planes.shape[1], planes.shape[2]
    for c in range(planes.shape[0]):
        plane = planes[c]
        for k in range(patches.shape[1]):
            at = (geometry[1] + c) // geometry[0] * patches.shape[1] + k
            ys, xs, scale, out = down[at], across[at], weights[at], patches[c, k]
            for p in range(patches.shape[2]):
                y, x = ys[p], xs[p]
                if not (-1 < y < height and -1 < x < width):
                    out[p] = 0 * scale[p] if y == y and x == x else y + x  # NaN, not infinite, where a position is NaN
                    continue
                value = 0 * y
                i, j = int(y + 1) - 1, int(x + 1) - 1
                low, left = y - i, x - j
                high, right = 1 - low, 1 - left
                if i >= 0 and j >= 0:
                    value += high * right * plane[i, j]
                if i >= 0 and j + 1 < width:
                    value += high * left * plane[i, j + 1]
                if i + 1 < height and j >= 0:
                    value += low * right * plane[i + 1, j]
                if i + 1 < height and j + 1 < width:
                    value += low * left * plane[i + 1, j + 1]
                out[p] = scale[p] * value
