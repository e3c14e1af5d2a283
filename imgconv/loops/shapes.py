"""Loops over windows of any shape: sums, largest and smallest values by runs of neighbouring cells, and deviations cell by cell.

In all of them row i of `target` (R, T) belongs to windows that begin at row i * stride of `cells` (S, P), one at every element.
"""

import numpy as np

from imgconv.loops.pooling import SUM, further_of, join_rows


def fold_runs(operation):
    """The loop that folds the runs of every window: `cells` are first folded over the lengths of the runs, then those over the rows."""
    join, further = join_rows(operation), further_of(operation)

    def loop(cells, grown, identity, lengths, growth, runs, target, stride):
        """Fold into `target`, which holds the identity.

        Length k takes the steps growth[lengths[k, 0]:lengths[k, 1]] from the length before it, and has the runs
        runs[lengths[k, 2]:lengths[k, 3]], each with its row and its first element. A step (restart, wide, shift, extra) folds three
        cells: one of the length before or, with `restart`, of `cells`; one `shift` elements to the right, of the same or, without
        `wide`, of `cells`; and that of `cells` `extra` elements to the right, none with -1. `grown` (2, S, P) is scratch. `identity` is a
        row of the identity (1, P).
        """
        have, spare = cells, 0
        for k in range(lengths.shape[0]):
            for g in range(lengths[k, 0], lengths[k, 1]):
                restart, wide, shift, extra = growth[g, 0], growth[g, 1], growth[g, 2], growth[g, 3]
                begin = cells if restart else have
                neighbour = begin if wide else cells
                longer = grown[spare]
                width = cells.shape[1] - max(shift, extra)
                for y in range(cells.shape[0]):
                    c = cells[y][extra:] if extra >= 0 else identity[0]
                    join(begin[y], neighbour[y][shift:], c, longer[y][:width])
                have, spare = longer, 1 - spare
            for i in range(target.shape[0]):
                out = target[i]
                for r in range(lengths[k, 2], lengths[k, 3], 2):
                    a = have[i * stride + runs[r, 0]][runs[r, 1] :]
                    b = have[i * stride + runs[r + 1, 0]][runs[r + 1, 1] :] if r + 1 < lengths[k, 3] else identity[0]
                    for j in range(out.shape[0]):
                        if operation == SUM:
                            out[j] += a[j]
                            out[j] += b[j]
                        else:
                            out[j] = further(further(out[j], a[j]), b[j])

    return loop


def deviation_rows(sums, squares, counts, target):
    """Fill `target` with the standard deviations of whole numbers by their exact sums, those of their squares, and how many they are.

    `counts` (R or 1, T) are float64; their squares times that of the largest number are below 2**53, so that a result is rounded once.
    """
    real = counts.dtype.type
    for i in range(target.shape[0]):
        total, square, count, out = sums[i], squares[i], counts[i if counts.shape[0] > 1 else 0], target[i]
        for j in range(out.shape[0]):
            x = real(total[j])
            out[j] = np.rint(np.sqrt(count[j] * real(square[j]) - x * x) / count[j])


def deviations(masked):
    """The loop for the sum of squared differences from the mean; with `masked` some cells do not exist."""

    def loop(cells, exists, rows, columns, counts, means, target, stride):
        """Fill `target` and the scratch `means`, float64, from taps at `rows` and `columns`; `exists` is 1 where a cell does, else 0.

        `counts` (R or 1, T) are the cells of each window; those that do not exist are 0 in `cells`.
        """
        for i in range(target.shape[0]):
            mean, out = means[i], target[i]
            for j in range(out.shape[0]):
                mean[j] = out[j] = 0
            for t in range(rows.shape[0]):
                row = cells[i * stride + rows[t]][columns[t] :]
                for j in range(out.shape[0]):
                    mean[j] += row[j]
            for j in range(out.shape[0]):
                mean[j] /= counts[i if counts.shape[0] > 1 else 0, j]
            for t in range(rows.shape[0]):
                row = cells[i * stride + rows[t]][columns[t] :]
                there = exists[i * stride + rows[t] if masked else 0][columns[t] :]
                for j in range(out.shape[0]):
                    far = row[j] - mean[j]
                    if masked:
                        out[j] += far * far * there[j]
                    else:
                        out[j] += far * far

    return loop
