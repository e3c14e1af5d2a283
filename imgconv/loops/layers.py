"""Loops of layers: sums over taps of shifted planes, planes copied from padded cells, patches and their adjoint, bilinear samples.

`cells` (flat) holds the planes of `imgconv.windows.layout`: one padded plane per channel and stride phase, one after the other, so
that every tap is a constant offset. Output cell (r, j) of a band reads cells[first + r*row_stride + j + offsets[t]]. Positions between the
end of an output row and the row stride are computed and not used, which costs less than short rows.

`patches` (T, R, S) has one row of S cells for each tap and output row; `offsets` (T) are those of the taps, `starts` (R) those of the rows.
"""

import numpy as np


def tile_sums(cells, base, offsets, weights, output, head, tail, sums, at, together, apart, width):
    """Sum weights[output + q, t] * cells[base + offsets[t] + j] over taps head <= t < tail, for q < `together` outputs and j < `width`.

    `cells` and `sums` are flat; the sums go to sums[at + q * apart + j], and are added to its values unless they begin with tap 0.
    Outputs after the last row of `weights` (O, T) use that row. `together`, `apart` and `width` are constants for the compiler.

    This is what runs without Numba; `imgconv.engine.tiles` compiles it as an intrinsic.
    """
    for q in range(together):
        taps = weights[min(output + q, weights.shape[0] - 1)]
        row = sums[at + q * apart : at + q * apart + width]
        total = 0
        with np.errstate(all="ignore"):  # cells after the end of a row may hold anything; their sums are not used
            for t in range(head, tail):
                total = total + taps[t] * cells[base + offsets[t] : base + offsets[t] + width]
            row[:] = total if head == 0 else row + total


def copy_planes(stride):
    """The loop that copies cells to planes; the horizontal `stride` is a constant for the compiler, or 0 and read from `geometry`."""

    def copy(source, rows, columns, spans, value, geometry, skip, cells):
        """Fill `cells` (flat) with one plane for each vertical phase, horizontal phase and channel, each of all images.

        `rows` (A, R) and `columns` (B, P) are the indices in an image of `source` (flat) of the rows and columns of the phases' planes,
        below 0 for `value` (1,). Columns spans[b, 0] to spans[b, 1] are `stride` apart. `geometry`: the position of the first channel of
        the first image, cells from one image and from one channel to the next, width, images, channels, stride. The first `skip` channels
        are left out.
        """
        image_step, channel_step, width = geometry[1], geometry[2], geometry[3]
        first = geometry[0] + skip * channel_step
        images, channels, step, row_stride = geometry[4], geometry[5], stride or geometry[6], columns.shape[1]
        at = 0
        for ab in range(rows.shape[0] * columns.shape[0]):
            down, across = rows[ab // columns.shape[0]], columns[ab % columns.shape[0]]
            begin, end = spans[ab % columns.shape[0], 0], spans[ab % columns.shape[0], 1]
            for cn in range(channels * images):
                plane = first + cn // images * channel_step + cn % images * image_step
                for r in range(rows.shape[1]):
                    out = cells[at : at + row_stride]
                    at += row_stride
                    if down[r] < 0:
                        out[:] = value[0]
                    else:
                        row = source[plane + down[r] * width : plane + down[r] * width + width]
                        inner, count = out[begin:end], end - begin
                        if count > 0:
                            some = row[across[begin] :]
                            for j in range(count):
                                inner[j] = some[j * step]
                        for j in range(begin):
                            out[j] = row[across[j]] if across[j] >= 0 else value[0]
                        for j in range(end, row_stride):
                            out[j] = row[across[j]] if across[j] >= 0 else value[0]

    return copy


def write_sums(scratch, apart, bias, begin, n, target, origin, geometry):
    """Write `n` sums for each output of `bias`, those of positions `begin` and after, to `target`, where the first begins at `origin`.

    `geometry` is that of `correlate`. Positions of a plane that are not output cells are left out.
    """
    row_stride, height, rows, adding = geometry[1], geometry[2], geometry[3], geometry[14]
    image_step, channel_step, row_step, columns = geometry[6], geometry[7], geometry[8], geometry[9]
    image, row = begin // row_stride // height, begin // row_stride % height
    for r in range(begin // row_stride, (begin + n - 1) // row_stride + 1):
        low, high = max(begin, r * row_stride), min(begin + n, r * row_stride + columns)
        if high > low and row < rows:
            start = origin + image * image_step + row * row_step + low - r * row_stride
            for q in range(bias.shape[0]):
                sums, out, shift = scratch[q * apart + low - begin :], target[start + q * channel_step :], bias[q]
                if adding:
                    for j in range(high - low):
                        out[j] += sums[j]
                else:
                    for j in range(high - low):
                        out[j] = sums[j] + shift
        row += 1
        if row == height:
            image, row = image + 1, 0


def correlate(together, apart, width, stride):
    """The loop that sums `together` outputs at a time, in tiles of `width` cells.

    With `stride` 0 or more it copies the planes of one group after the other by `copy_planes(stride)`; with -1 it reads the input itself.
    Its scratch holds a row of sums for each output, `apart` elements from each other.
    """
    copy, write = copy_planes(stride), write_sums

    def loop(source, copied_rows, copied_columns, spans, value, copying, cells, offsets, weights, bias, scratch, target, geometry):
        """Fill the part of `target` (flat) that `geometry` describes.

        The first six are those of `copy_planes`, `cells` has room for the planes of a group; `offsets` (T) are the taps of the first
        group; `weights` (G, O, T) in the cells' dtype; `bias` (G, O). `geometry`: first, row stride, the rows of a plane that one image
        has and those of them that are output rows, images; the position of the first output in `target`, from there to the next image,
        channel and row, and the columns of a row; outputs and channels of a group, cells from a group to the next, block, adding. Sums
        are taken over `block` taps at a time, which keeps rounding errors small; with adding = 1 they are added to the values in
        `target`, and bias is not read.
        """
        first, row_stride, height, rows, images = geometry[0], geometry[1], geometry[2], geometry[3], geometry[4]
        origin, channel_step, outputs, depth = geometry[5], geometry[7], geometry[10], geometry[11]
        group_cells, block = geometry[12], geometry[13]
        taps, total = offsets.shape[0], ((images - 1) * height + rows - 1) * row_stride + geometry[9]
        chunk = -(-total // -(-total // (apart - width)))
        chunk = -(-chunk // width) * width
        reach = 0
        for t in range(taps):
            reach = max(reach, offsets[t])
        for g in range(weights.shape[0]):
            if stride >= 0:
                copy(source, copied_rows, copied_columns, spans, value, copying, g * depth, cells)
            for begin in range(0, total, chunk):
                n, base = min(chunk, total - begin), g * group_cells + first + begin
                for o in range(0, outputs, together):
                    for tile in range(0, n, width):
                        at = max(min(tile, n - width), 0)
                        for head in range(0, taps, block):
                            tail = min(head + block, taps)
                            if base + at + reach + width <= cells.shape[0]:
                                tile_sums(cells, base + at, offsets, weights[g], o, head, tail, scratch, at, together, apart, width)
                            else:  # at the end of the cells there may be no room for a whole tile
                                for q in range(together):
                                    row, sums = weights[g, min(o + q, outputs - 1)], scratch[q * apart + at :]
                                    for j in range(n - at):
                                        added = sums.dtype.type(0)
                                        for t in range(head, tail):
                                            added += row[t] * cells[base + at + j + offsets[t]]
                                        sums[j] = added if head == 0 else sums[j] + added
                    shift, at = bias[g, o : min(o + together, outputs)], origin + (g * outputs + o) * channel_step
                    write(scratch, apart, shift, begin, n, target, at, geometry)

    return loop


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
