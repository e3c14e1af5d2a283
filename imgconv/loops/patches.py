"""Padded cells of a batch, and patches out of them and back: unfold, fold, and the operands of a matrix product.

`cells` (flat) is laid out as for `imgconv.loops.layers`; `patches` (T, R, S) has one row of S cells for each tap and output row; the taps
lie at `places` (T), the output rows at `starts` (R).
"""


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
