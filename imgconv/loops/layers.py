"""Correlation of many planes at once, as layers need it: sums over channels and taps of shifted flat planes.

`cells` holds one flat padded plane per channel and stride phase, one after the other, made by `imgconv.functional.cells`, so that every
tap is a plain shift: output cell (r, j) of a band reads cells[first + r*pitch + j + places[t]]. Positions between the end of an output
row and the pitch are computed and thrown away, which costs less than short rows do.

Arguments of the loop: `places` (T), the taps of group 0; `weights` (G, O, T) in the cells' dtype; `bias` (G, O); `scratch` for the
rows of sums; `target` the flat result; `geometry`, in whole numbers: first, pitch, the rows of a plane that one image has and those of
them that are output rows, images; where the first output begins in `target`, from there to the next image, channel and row, and the
columns of a row; outputs of a group, cells of a group, block, adding. Sums are taken over `block` taps at a time, which keeps rounding
errors small; with adding = 1 they are added to what `target` holds and bias is not read.
"""

from imgconv.loops.tiles import tile_sums


def correlate(together, apart, width):  # type: ignore[no-untyped-def]
    """Make the loop that takes so many outputs `together`, under tiles of so many cells (`width`).

    Its scratch holds a row of sums for each of them, `apart` elements from each other: no power of two, lest they share cache sets.
    """

    def loop(cells, places, weights, bias, scratch, target, geometry):  # type: ignore[no-untyped-def]
        first, pitch, height, rows, images = geometry[0], geometry[1], geometry[2], geometry[3], geometry[4]
        origin, image_step, channel_step, row_step, columns = geometry[5], geometry[6], geometry[7], geometry[8], geometry[9]
        outputs, group_cells, block, adding = geometry[10], geometry[11], geometry[12], geometry[13]
        taps, passes = places.shape[0], -(-outputs // together)
        total = ((images - 1) * height + rows - 1) * pitch + columns
        chunk = -(-total // -(-total // (apart - width)))
        chunk = -(-chunk // width) * width
        reach = 0
        for t in range(taps):
            reach = max(reach, places[t])
        for begin in range(0, total, chunk):
            n = min(chunk, total - begin)
            for some in range(weights.shape[0] * passes):
                g, o = some // passes, some % passes * together
                base = g * group_cells + first + begin
                for tile in range(0, n, width):
                    at = max(min(tile, n - width), 0)
                    for head in range(0, taps, block):
                        tail = min(head + block, taps)
                        if base + at + reach + width <= cells.shape[0]:
                            tile_sums(cells, base + at, places, weights[g], o, head, tail, scratch, at, together, apart, width)  # type: ignore[no-untyped-call]
                        else:  # at the very end of the cells there may be no room for a whole tile
                            for q in range(together):
                                taken, sums = weights[g, min(o + q, outputs - 1)], scratch[q * apart + at :]
                                for j in range(n - at):
                                    added = sums.dtype.type(0)
                                    for t in range(head, tail):
                                        added += taken[t] * cells[base + at + j + places[t]]
                                    sums[j] = added if head == 0 else sums[j] + added
                image, row = begin // pitch // height, begin // pitch % height
                for r in range(begin // pitch, (begin + n - 1) // pitch + 1):
                    low, high = max(begin, r * pitch), min(begin + n, r * pitch + columns)
                    if high > low and row < rows:
                        start = origin + image * image_step + row * row_step + low - r * pitch
                        for q in range(min(together, outputs - o)):
                            sums, shift = scratch[q * apart + low - begin :], bias[g, o + q]
                            out = target[start + (g * outputs + o + q) * channel_step :]
                            if adding:
                                for j in range(high - low):
                                    out[j] += sums[j]
                            else:
                                for j in range(high - low):
                                    out[j] = sums[j] + shift
                    row += 1
                    if row == height:
                        image, row = image + 1, 0

    return loop
