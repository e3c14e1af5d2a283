"""Loops of pools: the sum, largest or smallest value of each window, and the position of a largest or smallest value.

A window is reduced along the rows first and then along the columns. The loops are templates over `operation`. Rows named `identity` are
filled with the identity of the operation (0, the lowest or the highest value) and replace cells that do not exist. NaN is the result of a
largest or smallest value if it is in the window.

Windows of any shape are sums, largest and smallest values by runs of neighbouring cells, and deviations cell by cell: `fold_runs`,
`deviations` and `deviation_rows`. In these, row i of `target` (R, T) belongs to windows that begin at row i * stride of `cells` (S, P), one
at every element.
"""

from functools import cache

import numpy as np

SUM, LARGEST, SMALLEST = 0, 1, 2
LONG = 128  # cells of a row from which two windows are folded together: 5x5 of floats in 0.75 of the time (2026-11)


@cache  # an inner loop is compiled once for all loops that contain it
def further_of(operation):
    """The function for the larger (or smaller) of two values, the first of equal ones; NaN if one is, in two instructions."""

    def further(x, y):
        value = y if (y > x if operation == LARGEST else y < x) else x
        return value if y == y else y

    return further


@cache
def fold_row(operation):
    """The function that folds some source rows, `step` apart, into a row."""
    further = further_of(operation)

    def fold(source, at, top, rows, step, identity, out):
        """Fold rows top, top + step, ... (`rows` of them) of `source` (rows, S) into `out`, from element `at` on; `identity` is (1, S)."""
        begin = source[top][at:] if rows > 0 else identity[0]
        for u in range(1, max(rows, 2), 2):  # two more rows a pass over a target row that stays in cache
            a = source[top + u * step][at:] if u < rows else identity[0]
            b = source[top + (u + 1) * step][at:] if u + 1 < rows else identity[0]
            if operation == SUM and u == 1:
                for j in range(out.shape[0]):
                    out[j] = begin[j]
                    out[j] += a[j]  # in the target's type, which is wide enough
                    out[j] += b[j]
            elif operation == SUM:
                for j in range(out.shape[0]):
                    out[j] += a[j]
                    out[j] += b[j]
            elif u == 1:
                for j in range(out.shape[0]):
                    out[j] = further(further(begin[j], a[j]), b[j])
            else:
                for j in range(out.shape[0]):
                    out[j] = further(further(out[j], a[j]), b[j])

    return fold


@cache
def fold_two_rows(operation):
    """The function that folds source rows into two rows, for two windows that overlap, whose common rows are folded once.

    Sums are never taken so, since their last digits would depend on which windows are folded together.
    """
    fold, further = fold_row(operation), further_of(operation)

    def fold_two(source, at, begin, common, step, above, below, identity, upper, lower, spare):
        """Fold rows begin, begin + step, ... (`common` of them, at least 2) of `source` (rows, S) from element `at` on.

        With the row before, if `above` is not 0, into `upper`; with the row after, if `below` is not 0, into `lower`. `spare` is
        scratch, since targets that are read as well would be written cell by cell; `identity` is (1, S).
        """
        last = max(common - 3, 1)  # all but three rows, which are left for the pass over both targets
        if last > 1:
            fold(source, at, begin, last, step, identity, spare)
        a = spare if last > 1 else source[begin][at:]
        b = source[begin + last * step][at:]
        c = source[begin + (last + 1) * step][at:] if last + 1 < common else identity[0]
        d = source[begin + (last + 2) * step][at:] if last + 2 < common else identity[0]
        before = source[begin - step][at:] if above else identity[0]
        after = source[begin + common * step][at:] if below else identity[0]
        for j in range(upper.shape[0]):
            both = further(further(a[j], b[j]), further(c[j], d[j]))
            upper[j] = further(before[j], both)
            lower[j] = further(both, after[j])

    def no_fold(source, at, begin, common, step, above, below, identity, upper, lower, spare):
        pass

    return no_fold if operation == SUM else fold_two


def fold_rows(operation):
    """The loop that folds some source rows, `step` apart, into every target row."""
    fold = fold_row(operation)

    def loop(source, first, count, step, identity, target):
        """Fold rows first[i], first[i] + step, ... (count[i] of them) of `source` (rows, S) into row i of `target` (R, S)."""
        for i in range(target.shape[0]):
            fold(source, 0, first[i], count[i], step, identity, target[i])

    return loop


@cache
def join_rows(operation):
    """The function that joins three rows, cell by cell, in their own type; a result may have another one."""
    further = further_of(operation)

    def join(a, b, c, out):
        for j in range(out.shape[0]):
            out[j] = a[j] + b[j] + c[j] if operation == SUM else further(further(a[j], b[j]), c[j])

    return join


@cache
def widen_row(operation):
    """The function that turns a row of cells into windows of several cells, one at every cell."""
    join = join_rows(operation)

    def widen(cells, shifts, extras, identity, spare, out):
        """Fold windows of `cells` (n,) into `out`. A window grows by doubling, so that k cells cost log2(k) passes.

        Pass t takes windows of m cells to 2m, or to 2m + 1 with one more of the `cells`. `shifts[t]` and `extras[t]` lead from a window's
        first cell to those, -1 where there is none, for which a cell of `identity` (1, n) is taken. `spare` (2, n) is scratch.
        """
        row, length, last = cells, cells.shape[0], shifts.shape[0] - 1
        for t in range(last + 1):
            shift, extra = shifts[t], extras[t]
            b = row[shift:] if shift >= 0 else identity[0]
            c = cells[extra:] if extra >= 0 else identity[0]
            if t == last:
                join(row, b, c, out)
            else:
                length = min(length - max(shift, 0), cells.shape[0] - max(extra, 0))
                longer = spare[t % 2][:length]
                join(row, b, c, longer)
                row = longer

    return widen


@cache
def pick_pixels(channels):
    """The function that picks every stride-th pixel of a row; `channels` are fixed for the compiler, or open with 0."""

    def pick(row, channels_given, stride, out):
        """Fill `out` (w_out * channels,) from `row`, interleaved pixels."""
        between = channels or channels_given
        across = between * stride
        if stride == 2:  # the commonest; a step that the compiler knows takes wide instructions
            for j in range(out.shape[0] // between):
                for e in range(between):
                    out[j * between + e] = row[2 * j * between + e]
        else:
            for j in range(out.shape[0] // between):
                for e in range(between):
                    out[j * between + e] = row[j * across + e]

    return pick


def fold_windows(operation, channels, straight):
    """The loop that folds windows; `channels` are fixed for the compiler, or open with 0, and with `straight` the stride is 1."""
    fold, fold_two = fold_row(operation), fold_two_rows(operation)
    widen, pick = widen_row(operation), pick_pixels(channels)

    def loop(source, first, count, step, no_row, left, span, shifts, extras, identity, scratch, target, channels_given, stride, many):
        """Fold windows into `many` rows of `target` (R, w_out * channels): rows as `fold_rows` does, then along rows by `widen_row`.

        Window j begins j * stride pixels to the right of one that has `left` elements before the row, and spans `span` pixels. Windows
        are made at every element, which the compiler turns into wide instructions, and then every stride-th result is written. Rows are
        folded a strip at a time, as long as `scratch` (5, P) and `identity` (1, P): the source rows of a strip are read from the nearest
        caches. Cells before and after the rows are those of `identity`.
        """
        between = channels or channels_given
        across, width = between * stride, target.shape[1]
        strip = (scratch.shape[1] - span * between) // across * between + between
        for begin in range(0, width, strip):
            wide = min(strip, width - begin)
            at, cells = begin // between * across - left, (wide // between - 1) * across + span * between
            head = min(max(-at, 0), cells)
            tail = max(min(source.shape[1] - at, cells), head)
            for j in range(cells):
                scratch[0, j] = scratch[1, j] = identity[0, j]
            upper, lower, spare = scratch[0][head:tail], scratch[1][head:tail], scratch[2][head:tail]
            i = 0
            while i < many:
                above, below, common = 0, 0, 0
                if operation != SUM and cells >= LONG and i + 1 < many:  # does the next window have the same rows, but for one at an end?
                    above, common = first[i + 1] - first[i], count[i] - (first[i + 1] > first[i])
                    below = above + (count[i + 1] - count[i]) * step
                pair = common > 1 and (above == 0 or above == step) and (below == 0 or below == step)
                if pair:
                    fold_two(source, at + head, first[i + 1], common, step, above, below, no_row, upper, lower, spare)
                else:
                    fold(source, at + head, first[i], count[i], step, no_row, upper)
                for q in range(1 + pair):
                    out = target[i + q][begin : begin + wide]
                    row = out if straight else scratch[4][: cells - (span - 1) * between]
                    widen(scratch[q][:cells], shifts, extras, identity, scratch[2:4], row)
                    if not straight:
                        pick(row, channels_given, stride, out)
                i += 1 + pair

    return loop


def divide_rows(rounded):
    """The loop that divides sums by the cells they were taken over; with `rounded` to the nearest whole number, half to even."""

    def loop(sums, heights, widths, target, many):
        """target[i, j] = sums[i, j] / (heights[i] * widths[i, j]) in `many` rows; heights and widths are of one floating type.

        `widths` has a row for each, or one for all.
        """
        real = widths.dtype.type
        for i in range(many):
            row, out, height, width = sums[i], target[i], heights[i], widths[i if widths.shape[0] > 1 else 0]
            for j in range(target.shape[1]):
                mean = real(row[j]) / (height * width[j])
                out[j] = np.rint(mean) if rounded else mean

    return loop


def divide_valid_rows(rounded):
    """The loop that divides sums by the number of valid cells; with `rounded` to the nearest whole number, half to even."""

    def loop(sums, counts, ratios, target, valid, many):
        """target[i, j] = sums[i, j] / counts[i, j] in `many` rows, 0 where the count is, and `valid` is 1 where it is not.

        The division has the type of `ratios` (1,), which holds 1.
        """
        real, bit, one = ratios.dtype.type, valid.dtype.type, ratios[0]
        for i in range(many):
            row, cells, out, known = sums[i], counts[i], target[i], valid[i]
            for j in range(target.shape[1]):
                mean = real(row[j]) / max(real(cells[j]), one)
                out[j] = np.rint(mean) if rounded else mean
                known[j] = bit(cells[j] > 0)

    return loop


def halve(channels, rounded):
    """The loop for averages of 2x2 cells, the commonest pool: of whole numbers with `rounded`, half to even, else of floats.

    `channels` is fixed for the compiler, or open with 0.
    """

    def loop(source, scratch, target, channels_given, many):
        """Fill `many` rows of `target` (R, w_out * channels) from `source` (2R, W * channels).

        `scratch` (1, W * channels) is of a dtype that holds sums of four.
        """
        between = channels or channels_given
        early = channels == 3  # triples are added before they are picked, or the compiler makes no wide instructions of it
        sums = scratch[0]
        for i in range(many):
            upper, lower, out = source[2 * i], source[2 * i + 1], target[i]
            right, below = upper[between:], lower[between:]
            for j in range(upper.shape[0] - between if early else upper.shape[0]):
                sums[j] = upper[j]
                sums[j] += lower[j]
                if early:
                    sums[j] += right[j]
                    sums[j] += below[j]
            for j in range(target.shape[1] // between):
                for e in range(between):
                    at = 2 * j * between + e
                    total = sums[at] if early else sums[at] + sums[at + between]
                    if rounded:
                        out[j * between + e] = (total + 1 + ((total >> 2) & 1)) >> 2
                    else:
                        out[j * between + e] = total / 4

    return loop


def halve_pairs(bits):
    """The same for whole numbers of `bits` on one channel, read two at a time: twice as fast, since nothing changes places (2026-11)."""

    def loop(source, target, many):
        """Fill `many` rows of `target` (R, w_out) from `source` (2R, w_out), each number of which holds two neighbours."""
        number = source.dtype.type
        low, one, two, shift = number((1 << bits) - 1), number(1), number(2), number(bits)
        for i in range(many):
            upper, lower, out = source[2 * i], source[2 * i + 1], target[i]
            for j in range(out.shape[0]):
                a, b = upper[j], lower[j]
                total = number(number(number(a & low) + number(a >> shift)) + number(number(b & low) + number(b >> shift)))
                out[j] = number(number(total + one) + number(number(total >> two) & one)) >> two

    return loop


def extreme_cells(largest):
    """The loop that finds the largest (or, with 0, smallest) cell of every window, and its place."""

    def loop(source, first, count, row_step, plane, left, width, column_step, target, indices):
        """Fill `target` and `indices` (R, w_out).

        Window (i, j) sees rows first[i], first[i] + row_step, ... (count[i] of them) of `source` (rows, W) and columns left[j],
        left[j] + column_step, ... (width[j]). Its plane starts at row plane[i]; indices count the plane's cells row by row. As in
        torch the first of equal cells wins, and the last NaN. A window without cells keeps what `target` and `indices` hold.
        """
        for i in range(target.shape[0]):
            for j in range(target.shape[1]):
                where, best = -1, target[i, j]
                for u in range(count[i]):
                    y = first[i] + u * row_step
                    row = source[y]
                    for v in range(width[j]):
                        x = left[j] + v * column_step
                        value = row[x]
                        if where < 0 or (value > best if largest else value < best) or value != value:
                            best = value
                            where = (y - plane[i]) * source.shape[1] + x
                if where >= 0:
                    target[i, j] = best
                    indices[i, j] = where

    return loop


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
