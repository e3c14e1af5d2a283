"""Correlation of many planes at once, as layers need it: sums over channels and taps of shifted flat planes.

`cells` holds one flat padded plane per channel and stride phase, one after the other, made by `imgconv.functional.cells`, so that every
tap is a plain shift: output cell (r, j) of a band reads cells[first + r*pitch + j + places[t]]. Positions between the end of an output
row and the pitch are computed and thrown away, which costs less than short rows do.

Arguments of both loops: `places` (T), the taps of group 0; `weights` (G, O, T) in the cells' dtype; `bias` (G, O); `scratch` for the
rows of sums; `target` the flat result; `geometry`, in whole numbers: first, pitch, the rows of a plane that one image has and those of
them that are output rows, images; where the first output begins in `target`, from there to the next image, channel and row, and the
columns of a row; outputs of a group, cells of a group, block, adding. Sums are taken over `block` taps at a time, which keeps rounding
errors small; with adding = 1 they are added to what `target` holds and bias is not read.
"""


def correlate_four(apart):  # type: ignore[no-untyped-def]
    """Make the loop that takes four outputs per pass; its scratch holds four rows of sums, `apart` elements from each other.

    `apart` is no power of two, lest the four rows share cache sets. Where fewer outputs are left, some are computed twice.
    """

    def correlate(cells, places, weights, bias, scratch, target, geometry):  # type: ignore[no-untyped-def]
        first, pitch, height, rows, images = geometry[0], geometry[1], geometry[2], geometry[3], geometry[4]
        origin, image_step, channel_step, row_step, columns = geometry[5], geometry[6], geometry[7], geometry[8], geometry[9]
        outputs, group_cells, block, adding = geometry[10], geometry[11], geometry[12], geometry[13]
        taps, quads = places.shape[0], -(-outputs // 4)
        total = ((images - 1) * height + rows - 1) * pitch + columns
        chunk = -(-total // -(-total // (apart - 16)))
        reach = 0
        for t in range(taps):
            reach = max(reach, places[t])
        for begin in range(0, total, chunk):
            n = min(chunk, total - begin)
            for quad in range(weights.shape[0] * quads):
                g, o = quad // quads, quad % quads * 4
                w0, w1 = weights[g, o], weights[g, min(o + 1, outputs - 1)]
                w2, w3 = weights[g, min(o + 2, outputs - 1)], weights[g, min(o + 3, outputs - 1)]
                base = g * group_cells + first + begin
                whole = min(-(-n // 16) * 16, cells.shape[0] - base - reach)  # a last few taken one by one cost as much as sixteen
                for head in range(0, taps, block):
                    tail = min(head + block, taps)
                    scratch[:] = 0
                    for t in range(head, tail - 3, 4):
                        a, b, c, d = w0[t : t + 4], w1[t : t + 4], w2[t : t + 4], w3[t : t + 4]
                        s0 = cells[base + places[t] :]
                        s1 = cells[base + places[t + 1] :]
                        s2 = cells[base + places[t + 2] :]
                        s3 = cells[base + places[t + 3] :]
                        for j in range(whole):
                            x0, x1, x2, x3 = s0[j], s1[j], s2[j], s3[j]
                            scratch[j] = scratch[j] + a[0] * x0 + a[1] * x1 + a[2] * x2 + a[3] * x3
                            scratch[j + apart] = scratch[j + apart] + b[0] * x0 + b[1] * x1 + b[2] * x2 + b[3] * x3
                            scratch[j + 2 * apart] = scratch[j + 2 * apart] + c[0] * x0 + c[1] * x1 + c[2] * x2 + c[3] * x3
                            scratch[j + 3 * apart] = scratch[j + 3 * apart] + d[0] * x0 + d[1] * x1 + d[2] * x2 + d[3] * x3
                    for t in range(tail - (tail - head) % 4, tail):
                        s0 = cells[base + places[t] :]
                        for j in range(whole):
                            scratch[j] += w0[t] * s0[j]
                            scratch[j + apart] += w1[t] * s0[j]
                            scratch[j + 2 * apart] += w2[t] * s0[j]
                            scratch[j + 3 * apart] += w3[t] * s0[j]
                    for q in range(min(4, outputs - o)):
                        for r in range(begin // pitch, (begin + n - 1) // pitch + 1):
                            low, high = max(begin, r * pitch), min(begin + n, r * pitch + columns)
                            if high > low and r % height < rows:
                                start = origin + r // height * image_step + r % height * row_step
                                sums = scratch[q * apart + low - begin :]
                                out = target[start + (g * outputs + o + q) * channel_step + low - r * pitch :]
                                if head == 0 and adding == 0:
                                    for j in range(high - low):
                                        out[j] = sums[j] + bias[g, o + q]
                                else:
                                    for j in range(high - low):
                                        out[j] += sums[j]

    return correlate


def correlate_one(cells, places, weights, bias, scratch, target, geometry):  # type: ignore[no-untyped-def]
    """One output per pass: for groups of one or two outputs, depthwise convolution above all."""
    first, pitch, height, rows, images = geometry[0], geometry[1], geometry[2], geometry[3], geometry[4]
    origin, image_step, channel_step, row_step, columns = geometry[5], geometry[6], geometry[7], geometry[8], geometry[9]
    outputs, group_cells, block, adding = geometry[10], geometry[11], geometry[12], geometry[13]
    taps = weights.shape[2]
    total = ((images - 1) * height + rows - 1) * pitch + columns
    chunk = scratch.shape[0]
    for go in range(weights.shape[0] * outputs):
        g, o = go // outputs, go % outputs
        for begin in range(0, total, chunk):
            n, base = min(chunk, total - begin), g * group_cells + first + begin
            for head in range(0, taps, block):
                tail = min(head + block, taps)
                scratch[:] = 0
                for t in range(head, tail - 3, 4):
                    w0, w1, w2, w3 = weights[g, o, t], weights[g, o, t + 1], weights[g, o, t + 2], weights[g, o, t + 3]
                    s0 = cells[base + places[t] :]
                    s1 = cells[base + places[t + 1] :]
                    s2 = cells[base + places[t + 2] :]
                    s3 = cells[base + places[t + 3] :]
                    for j in range(n):
                        scratch[j] = scratch[j] + w0 * s0[j] + w1 * s1[j] + w2 * s2[j] + w3 * s3[j]
                for t in range(tail - (tail - head) % 4, tail):
                    w0, s0 = weights[g, o, t], cells[base + places[t] :]
                    for j in range(n):
                        scratch[j] += w0 * s0[j]
                for r in range(begin // pitch, (begin + n - 1) // pitch + 1):
                    low, high = max(begin, r * pitch), min(begin + n, r * pitch + columns)
                    if high > low and r % height < rows:
                        start = origin + r // height * image_step + r % height * row_step
                        sums = scratch[low - begin :]
                        out = target[start + go * channel_step + low - r * pitch :]
                        if head == 0 and adding == 0:
                            for j in range(high - low):
                                out[j] = sums[j] + bias[g, o]
                        else:
                            for j in range(high - low):
                                out[j] += sums[j]
