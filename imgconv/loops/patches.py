"""Padded cells of a batch, and patches out of them and back: unfold, fold, and the operands of a matrix product.

`cells` (flat) is laid out as for `imgconv.loops.layers`; `patches` (T, R, S) has one row of S cells for each tap and output row; the taps
lie at `places` (T), the output rows at `starts` (R).
"""


def lay_cells(stride):  # type: ignore[no-untyped-def]
    """The loop that lays cells out; the horizontal `stride` is fixed for the compiler, or open with 0."""

    def lay(source, rows, columns, spans, value, cells, geometry):  # type: ignore[no-untyped-def]
        """Fill `cells` (flat) with one plane for each vertical phase, horizontal phase and channel, each of all images.

        `rows` (A, R) and `columns` (B, P) are where the rows and columns of the phases' planes lie in an image of `source` (flat), below 0
        for `value` (1,). Columns spans[b, 0] to spans[b, 1] lie `stride` apart. `geometry`: where the first channel of the first image
        begins, cells from one image and from one channel to the next, width, images, channels, stride.
        """
        first, image_step, channel_step, width = geometry[0], geometry[1], geometry[2], geometry[3]
        images, channels, step, pitch = geometry[4], geometry[5], stride or geometry[6], columns.shape[1]
        at = 0
        for ab in range(rows.shape[0] * columns.shape[0]):
            down, across = rows[ab // columns.shape[0]], columns[ab % columns.shape[0]]
            begin, end = spans[ab % columns.shape[0], 0], spans[ab % columns.shape[0], 1]
            for cn in range(channels * images):
                plane = first + cn // images * channel_step + cn % images * image_step
                for r in range(rows.shape[1]):
                    out = cells[at : at + pitch]
                    at += pitch
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
                        for j in range(end, pitch):
                            out[j] = row[across[j]] if across[j] >= 0 else value[0]

    return lay


def gather_patches(cells, places, starts, patches):  # type: ignore[no-untyped-def]
    """Write to `patches` the cells behind each tap."""
    columns = patches.shape[2]
    for t in range(patches.shape[0]):
        for r in range(patches.shape[1]):
            source, out = cells[starts[r] + places[t] :], patches[t, r]
            for j in range(columns):
                out[j] = source[j]


def scatter_patches(patches, places, starts, cells):  # type: ignore[no-untyped-def]
    """Add `patches` to the cells behind each tap; the adjoint of `gather_patches`. One job owns the cells that it adds to."""
    columns = patches.shape[2]
    for t in range(patches.shape[0]):
        for r in range(patches.shape[1]):
            source, out = patches[t, r], cells[starts[r] + places[t] :]
            for j in range(columns):
                out[j] += source[j]
