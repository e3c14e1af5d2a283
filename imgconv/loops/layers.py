"""Loops of layers: sums over taps of shifted planes, planes copied from padded cells, patches and their adjoint, bilinear samples.

`cells` (flat) holds the planes of `imgconv.windows.layout`: one padded plane per channel and stride phase, one after the other, so
that every tap is a constant offset. Output cell (r, j) of image n reads cells[base + r*pitch + n*row_stride + j + offsets[t]].
Positions between the end of an output row and the row stride are computed and not used, which costs less than short rows.

`patches` (T, R, S) has one row of S cells for each tap and output row; `offsets` (T) are those of the taps, `starts` (R) those of the rows.
"""

import numpy as np


def tile_sums(cells, base, offsets, weights, output, head, tail, sums, at, fresh, together, apart, width):
    """Sum weights[output + q, t] * cells[base + offsets[t] + j] over taps head <= t < tail, for q < `together` outputs and j < `width`.

    `cells` and `sums` are flat; the sums go to sums[at + q * apart + j], and are added to its values unless they are `fresh`. Outputs
    after the last row of `weights` (O, T) use that row. `together`, `apart` and `width` are constants for the compiler.

    This is what runs without Numba; `imgconv.engine.tiles` compiles it as an intrinsic.
    """
    for q in range(together):
        taps = weights[min(output + q, weights.shape[0] - 1)]
        row = sums[at + q * apart : at + q * apart + width]
        total = 0
        with np.errstate(all="ignore"):  # cells after the end of a row may hold anything; their sums are not used
            for t in range(head, tail):
                total = total + taps[t] * cells[base + offsets[t] : base + offsets[t] + width]
            row[:] = total if fresh else row + total


def move_cells(source, at, target, to, width, step):
    """Copy `width` cells that are `step` apart from `source` (flat) to neighbours in `target` (flat).

    `width`, a power of 2, and `step`, 1 or 2, are constants for the compiler. Compiled as `tile_sums` is: LLVM's own vectoriser leaves
    rows of less than 64 cells to a loop that copies one at a time.
    """
    target[to : to + width] = source[at : at + (width - 1) * step + 1 : step]


def copy_row(step):
    """The loop that copies cells that are `step` apart, 1 or 2, by `move_cells`; with 0 one by one, and `stride` apart."""

    def copy_one_by_one(source, at, target, to, count, stride):
        for j in range(count):
            target[to + j] = source[at + j * stride]

    def copy(source, at, target, to, count, stride):
        if count >= 16:
            for i in range(0, count, 16):
                j = min(i, count - 16)
                move_cells(source, at + j * step, target, to + j, 16, step)
        elif count >= 8:
            move_cells(source, at, target, to, 8, step)
            move_cells(source, at + (count - 8) * step, target, to + count - 8, 8, step)
        elif count >= 4:
            move_cells(source, at, target, to, 4, step)
            move_cells(source, at + (count - 4) * step, target, to + count - 4, 4, step)
        else:
            for j in range(count):
                target[to + j] = source[at + j * step]

    return copy if step else copy_one_by_one


def copy_planes(stride):
    """The loop that copies cells to planes; the horizontal `stride` is a constant for the compiler, or 0 and read from `job`."""
    copy_cells = copy_row(stride)

    def copy(source, rows, columns, spans, value, job, skip, cells):
        """Fill `cells` (flat) with one plane for each channel, vertical phase and horizontal phase, each of all images, row by row.

        `rows` (A, R) and `columns` (B, P) are the indices in an image of `source` (flat) of the rows and columns of the phases' planes,
        below 0 for `value` (1,). Columns spans[b, 0] to spans[b, 1] are neighbours in a phase. `job` begins with images, channels, the
        first of the `rows` and their number, the row of an image with which `source` begins and the position of its first cell, cells
        to the next image and channel, width, stride, cells from a row of a plane to the next, and cells of a plane. The first `skip`
        cells are left out.
        """
        images, channels, first_row, count, low, position = job[0], job[1], job[2], job[3], job[4], job[5] + skip
        image_step, channel_step, width, step, pitch, length = job[6], job[7], job[8], job[9], job[10], job[11]
        row_stride, across_phases = columns.shape[1], columns.shape[0]
        phases = rows.shape[0] * across_phases
        for plane in range(channels * phases):
            down, across = rows[plane % phases // across_phases], columns[plane % across_phases]
            begin, end = spans[plane % across_phases, 0], spans[plane % across_phases, 1]
            for r in range(count):
                index, row = down[first_row + r], position + plane // phases * channel_step
                for n in range(images):
                    to = plane * length + r * pitch + n * row_stride
                    out = cells[to : to + row_stride]
                    if index < 0:
                        out[:] = value[0]
                    else:
                        at = row + n * image_step + (index - low) * width
                        if end > begin:
                            copy_cells(source, at + across[begin], cells, to + begin, end - begin, step)
                        for j in range(begin):
                            out[j] = source[at + across[j]] if across[j] >= 0 else value[0]
                        for j in range(end, row_stride):
                            out[j] = source[at + across[j]] if across[j] >= 0 else value[0]

    return copy


def write_sums(step):
    """The loop that writes sums to cells that are `step` apart, a constant for the compiler, or 0 and read from `job`."""

    def write(scratch, apart, bias, begin, n, target, origin, job):
        """Write `n` sums for each output of `bias`, those of positions `begin` and after, to `target`, where the first begins at `origin`.

        `job` is that of `correlate`. Positions of a plane that are not output cells are left out.
        """
        images, pitch, row_stride, columns, adding = job[0], job[10], job[12], job[14], job[26]
        image_step, channel_step, row_step, column_step = job[16], job[17], job[18], step or job[19]
        for row in range(begin // pitch, (begin + n - 1) // pitch + 1):
            for image in range(images):
                start = row * pitch + image * row_stride
                low, high = max(begin, start), min(begin + n, start + columns)
                if high > low:
                    place = origin + image * image_step + row * row_step + (low - start) * column_step
                    for q in range(bias.shape[0]):
                        sums, out, shift = scratch[q * apart + low - begin :], target[place + q * channel_step :], bias[q]
                        if adding:
                            for j in range(high - low):
                                out[j * column_step] += sums[j]
                        else:
                            for j in range(high - low):
                                out[j * column_step] = sums[j] + shift

    return write


def correlate(together, apart, width, stride, step):
    """The loop that sums `together` outputs at a time, in tiles of `width` cells.

    With `stride` 0 or more it copies the planes of one group after the other by `copy_planes(stride)`; with -1 it reads the input itself.
    Its scratch holds a row of sums for each output, `apart` elements from each other, which `write_sums(step)` writes.
    """
    copy, write = copy_planes(stride), write_sums(step)

    def loop(source, rows, columns, spans, value, cells, offsets, weights, bias, scratch, target, block, jobs):
        """Fill the parts of `target` (flat) that `jobs` (J, 30) describe.

        The first five are those of `copy_planes`; `cells` has room for the planes of a group. `offsets` (T) are the taps of a group,
        `weights` (G, O, T) in the cells' dtype, `bias` (G, O). A job begins with what `copy_planes` reads. Then: cells of one image's
        row of a plane; output rows and columns; the position of the first output in `target`, from there to the next image, channel,
        row and column; first group and groups, first output and outputs of each, first tap and the one after the last; whether sums are
        added to the values in `target`, without bias; the position of the first window, from there to the next group, and from a group
        to the next in `source`. Sums are taken over `block` taps at a time, which keeps rounding errors small.
        """
        for number in range(jobs.shape[0]):
            job = jobs[number]
            total = (job[13] - 1) * job[10] + (job[0] - 1) * job[12] + job[14]
            group, first_output, last_output, first_tap, last_tap = job[20], job[22], job[22] + job[23], job[24], job[25]
            chunk = -(-total // -(-total // (apart - width)))
            chunk = -(-chunk // width) * width
            reach = offsets[first_tap]
            for t in range(first_tap, last_tap):
                reach = max(reach, offsets[t])
            for g in range(group, group + job[21]):
                if stride >= 0:
                    copy(source, rows, columns, spans, value, job, (g - group) * job[29], cells)
                for begin in range(0, total, chunk):
                    n, base = min(chunk, total - begin), job[27] + (g - group) * job[28] + begin
                    for o in range(first_output, last_output, together):
                        for tile in range(0, n, width):
                            at = max(min(tile, n - width), 0)
                            has_room = base + at + reach + width <= cells.shape[0]
                            for head in range(first_tap, last_tap, block):
                                tail, fresh = min(head + block, last_tap), head == first_tap
                                if has_room:
                                    start = base + at
                                    tile_sums(cells, start, offsets, weights[g], o, head, tail, scratch, at, fresh, together, apart, width)
                                else:  # at the end of the cells there may be no room for a whole tile
                                    for q in range(together):
                                        taps, sums = weights[g, min(o + q, weights.shape[1] - 1)], scratch[q * apart + at :]
                                        for j in range(n - at):
                                            added = sums.dtype.type(0)
                                            for t in range(head, tail):
                                                added += taps[t] * cells[base + at + j + offsets[t]]
                                            sums[j] = added if fresh else sums[j] + added
                        shift = bias[g, o : min(o + together, last_output)]
                        origin = job[15] + ((g - group) * weights.shape[1] + o - first_output) * job[17]
                        write(scratch, apart, shift, begin, n, target, origin, job)

    return loop


def swap_channels(weight, taps, swapped):
    """Write to `swapped` (G, C, at least O*T) some `taps` (T,) of `weight` (G, O, C, K), 16 channels at a time, which stay in cache."""
    for g in range(weight.shape[0]):
        for first in range(0, weight.shape[2], 16):
            for o in range(weight.shape[1]):
                for c in range(first, min(first + 16, weight.shape[2])):
                    kernel, out = weight[g, o, c], swapped[g, c, o * taps.shape[0] :]
                    for t in range(taps.shape[0]):
                        out[t] = kernel[taps[t]]


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
    """Write to `patches` the cells behind each tap."""
    columns = patches.shape[2]
    for t in range(patches.shape[0]):
        for r in range(patches.shape[1]):
            source, out = cells[starts[r] + offsets[t] :], patches[t, r]
            for j in range(columns):
                out[j] = source[j]


def scatter_patches(patches, offsets, starts, cells):
    """Add `patches` to the cells behind each tap; the adjoint of `gather_patches`. One job owns the cells that it adds to."""
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
