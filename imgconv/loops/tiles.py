"""The innermost sums of layers: a tile of cells under some outputs, taken over all taps at once.

Ordinary Python, and where loops are compiled `imgconv.engine.tiles` puts in its place what no compiler makes of loops: sums that stay in
registers from the first tap to the last.
"""

import numpy as np


def tile_sums(cells, base, places, weights, output, head, tail, sums, at, together, apart, width):  # type: ignore[no-untyped-def]
    """Sum weights[output + q, t] * cells[base + places[t] + j] over taps head <= t < tail, for q < `together` outputs and j < `width`.

    `cells` and `sums` are flat; the sums go to sums[at + q * apart + j], and are added to what is there unless they begin with tap 0.
    Behind the last of `weights` (O, T) it is taken again.
    `together`, `apart` and `width` are fixed for the compiler.
    """
    for q in range(together):
        taps = weights[min(output + q, weights.shape[0] - 1)]
        row = sums[at + q * apart : at + q * apart + width]
        total = 0
        with np.errstate(all="ignore"):  # some cells are behind the end of a row, and may be anything; nobody looks at their sums
            for t in range(head, tail):
                total = total + taps[t] * cells[base + places[t] : base + places[t] + width]
            row[:] = total if head == 0 else row + total
