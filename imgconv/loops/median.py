"""Lower medians of windows: by a sorting network (small windows), a sliding histogram (large ones) or selection (at borders).

In all three, row i of `target` (R, w_out * channels) belongs to windows over the count[i] rows first[i], first[i] + row_step, ... of
`source` (rows, W * channels). Windows at the border hold fewer cells. The lower median of n cells has rank (n - 1) // 2.
"""


def median_network(unit):
    """The loop that sorts many windows at once, line by line; `unit` tells the compiler that `between` and `step` are 1."""

    def loop(source, first, count, taps, row_step, columns, pairs, middle, lines, target, begin, end, between_given, step_given):
        """Fill elements begin..end of those target rows whose windows are whole, count[i] == taps.

        columns[v] is the source element that tap v reads for target element `begin`; targets `between` apart read sources `step`
        apart. Line t of the scratch `lines` (taps * kw, B) holds tap t of B windows. `pairs` (P, 2) are the lines to compare and
        exchange, one after the other; then the median lies in line `middle`.
        """
        between, step = (1, 1) if unit else (between_given, step_given)
        block = lines.shape[1]
        for i in range(target.shape[0]):
            run = (end - begin) // between if count[i] == taps else 0
            for at in range(0, between * -(-run // block)):
                e, q = at % between, at // between * block
                n = min(block, run - q)
                for t in range(lines.shape[0]):
                    line, row = lines[t], source[first[i] + t // columns.shape[0] * row_step]
                    cells = row[columns[t % columns.shape[0]] + e + q * step :]
                    for j in range(n):
                        line[j] = cells[j * step]
                for p in range(pairs.shape[0]):
                    low, high = lines[pairs[p, 0]], lines[pairs[p, 1]]
                    for j in range(n):
                        x, y = low[j], high[j]
                        low[j] = x if x < y else y
                        high[j] = y if x < y else x
                out, line = target[i][begin + e + q * between :], lines[middle]
                for j in range(n):
                    out[j * between] = line[j]

    return loop


def median_select(source, first, count, taps, row_step, left, width, column_step, cells, target, begin, end, channels):
    """Fill `target` but for elements begin..end of rows with count[i] == taps; a NaN among the cells is the median.

    Output column j sees width[j] pixels from left[j] on, `column_step` apart. `cells` is scratch for one window.
    """
    for i in range(target.shape[0]):
        for j in range(target.shape[1]):
            if count[i] == taps and begin <= j < end:
                continue
            n, broken = 0, -1
            for u in range(count[i]):
                row = source[first[i] + u * row_step]
                for v in range(width[j // channels]):
                    cells[n] = row[(left[j // channels] + v * column_step) * channels + j % channels]
                    if cells[n] != cells[n]:
                        broken = n
                    n += 1
            middle, low, high = (n - 1) // 2, 0, n - 1
            if broken >= 0:
                middle, high = broken, 0
            while low < high:  # Hoare's selection, as Wirth wrote it down
                pivot, a, b = cells[middle], low, high
                while a <= b:
                    while cells[a] < pivot:
                        a += 1
                    while pivot < cells[b]:
                        b -= 1
                    if a <= b:
                        cells[a], cells[b] = cells[b], cells[a]
                        a += 1
                        b -= 1
                low = a if b < middle else low
                high = b if middle < a else high
            target[i, j] = cells[middle]


def median_histogram(codes, first, count, row_step, starts, taps, column_step, lap, phases, fine, coarse, shift, broken, target, channels):
    """Fill `target` with the median code of every window; `codes` (rows, W * channels) are small whole numbers in the cells' order.

    The window of output column j has `taps` pixels from starts[j] on, `column_step` apart, those outside the image left out. The
    window `phases` columns further shares all but `lap` of them, so a histogram slides along. `fine` counts codes, `coarse` counts
    code >> shift. A window that holds the code `broken` (-1 for none) gets it.
    """
    for i in range(target.shape[0]):
        for track in range(channels * min(phases, starts.shape[0])):
            e, n = track % channels, 0
            for b in range(fine.shape[0]):
                fine[b] = 0
            for b in range(coarse.shape[0]):
                coarse[b] = 0
            for j in range(track // channels, starts.shape[0], phases):
                new = j < phases
                for side in range(1 if new else 0, 2):  # first the pixels that leave, then those that enter
                    origin = starts[j] if side else starts[j - phases]
                    for v in range(max(taps - lap, 0) if side and not new else 0, taps if side else min(lap, taps)):
                        x = (origin + v * column_step) * channels + e
                        if 0 <= x < codes.shape[1]:
                            n += (2 * side - 1) * count[i]
                            for u in range(count[i]):
                                code = codes[first[i] + u * row_step, x]
                                fine[code] += 2 * side - 1
                                coarse[code >> shift] += 2 * side - 1
                rank, b = (n - 1) // 2, 0
                while rank >= coarse[b]:
                    rank -= coarse[b]
                    b += 1
                b <<= shift
                while rank >= fine[b]:
                    rank -= fine[b]
                    b += 1
                target[i, j * channels + e] = broken if broken >= 0 and fine[broken] > 0 else b
