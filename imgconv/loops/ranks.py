"""Ranked values of windows, such as the median: by sorting networks, by counting, or by histograms.

Where a loop takes `cells` (S, P), row i of its `target` (R, T) belongs to windows that begin at row i * stride, one at every
element, and `rows` and `columns` say where the taps of a window are, counted from its first row and element.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

import numpy as np

RUN = 256  # elements that wide instructions handle without a rest
SIDE = 32  # the same where nothing is unrolled
CHUNK = 4 * RUN  # elements of a row whose sorted columns stay in the first-level cache
LINE = 2 * CHUNK + 64  # elements from a line of sorted columns to the next


def network_pairs(cells: int, ranks: Collection[int]) -> tuple[tuple[int, int], ...]:
    """Pairs of cells to compare and exchange, the smaller first, that bring the cells of those ranks to their places among `cells`.

    Batcher's merge exchange (Knuth, The Art of Computer Programming 3, 5.2.2, algorithm M) without the pairs that the ranks do not
    depend on.

    >>> len(network_pairs(9, [4])), len(network_pairs(9, range(9)))
    (22, 26)
    """
    return tuple(_needed(list(_merge_exchange(cells)), ranks))


def _merge_exchange(cells: int) -> Iterator[tuple[int, int]]:
    top = 1 << max((cells - 1).bit_length() - 1, 0)
    p = top
    while p:
        q, r, d = top, 0, p
        while True:
            yield from ((i, i + d) for i in range(cells - d) if i & p == r)
            if q == p:
                break
            d, q, r = q - p, q >> 1, p
        p >>= 1


def merge_pairs(sizes: Sequence[int], ranks: Collection[int]) -> tuple[list[tuple[int, int]], list[int]]:
    """Pairs to compare and exchange, and the cells where those of the `ranks` are then, among cells that are lists in ascending order.

    One list after the other is merged with those before (Batcher's odd-even merge, Knuth, 5.3.4). A cell that too many others are below or
    above to have one of the ranks is left out of the next merge, which halves the pairs.

    >>> merge_pairs([1, 1, 1], [1])
    ([(0, 1), (0, 2), (1, 2)], [1])
    """
    cells, total, below = iter(range(sum(sizes))), sum(sizes), 0
    merged: list[int] = []
    pairs: list[tuple[int, int]] = []
    for size in sizes:
        lists = [[next(cells) for _ in range(size)], merged]
        for n in (0, 1):
            first = max(min(ranks) - below - total + len(lists[n]), 0)
            some = lists[n][first : max(ranks) - below + 1]
            total, below, lists[n] = total - len(lists[n]) + len(some), below + first, some
        merged = _merge(lists[1], lists[0], pairs)
    results = [merged[rank - below] for rank in ranks]
    return _needed(pairs, results), results


def _merge(one: list[int], other: list[int], pairs: list[tuple[int, int]]) -> list[int]:
    """The cells of two lists in ascending order, after exchanges that are added to `pairs`."""
    if not one or not other:
        return one or other
    if len(one) == len(other) == 1:
        pairs.append((one[0], other[0]))
        return [one[0], other[0]]
    even, odd = _merge(one[::2], other[::2], pairs), _merge(one[1::2], other[1::2], pairs)
    exchanged = list(zip(odd, even[1:], strict=False))
    pairs += exchanged
    rest = odd[len(exchanged) :] + even[1 + len(exchanged) :]
    return [even[0], *(cell for pair in exchanged for cell in pair), *rest]


def _needed(pairs: list[tuple[int, int]], results: Collection[int]) -> list[tuple[int, int]]:
    """Those pairs that the results depend on."""
    needed, kept = set(results), []
    for pair in reversed(pairs):
        if not needed.isdisjoint(pair):
            needed.update(pair)
            kept.append(pair)
    return kept[::-1]


def shares_columns(height: int, width: int, shape: int, column_step: int) -> bool:
    """Whether the columns of a window are sorted once for all windows that share them: if they are alike, high, and fit `LINE`.

    5x5 takes 0.65 to 0.75 of the time, and 7x3 0.6; 4x4 takes as long, and 3x3 longer (Zen 3, 2026-11).
    """
    is_large = height > 3 and height * width > 20
    return is_large and shape == (1 << height * width) - 1 and (width - 1) * column_step <= LINE - CHUNK - SIDE


def rank_network(height, width, shape, row_step, column_step, rank, stride, masked):
    """The loop that sorts the cells of many windows at once, in registers; `stride` is 1, or 0 for any.

    loop(source, top, left, target, first, many, begin, count, scratch, lines, channels, down, across, exists, places) fills `count`
    elements from `begin` on of rows first..first + many of `target`; the first window begins at row `top` and element `left` of `source`,
    the next ones `down` rows or `across` pixels further. `scratch` (1, W * channels) is used for strides other than 1. With
    `shares_columns`, `lines` (3 * height * LINE,) is scratch for sorted columns, and for pairs of them, which windows of four columns and
    more share too.

    Bit u * width + v of `shape` stands for the tap (u, v). `rank` is the place of the result among all cells. With `masked` 1 its bit n
    stands for a result at place n, for windows in which at least as many cells exist as the element of `places` for it. `exists` has the
    shape of `source` and is 0 where a cell does not exist, whose value is the largest. The loop is written out for all this, so that no
    value of a network is stored: five times as fast as lines of memory that are exchanged (2026-11).
    """
    taps = [(u, v) for u in range(height) for v in range(width) if shape >> (u * width + v) & 1]
    ranks = [place for place in range(len(taps)) if rank >> place & 1] if masked else [rank]
    rows = sorted({u for u, _ in taps})
    lines = [
        "def loop(source, top, left, target, first, many, begin, count, scratch, lines, channels, down, across, exists, places):",
        " zero, kind = target.dtype.type(0), places.dtype.type",
        " length = count" if stride == 1 else " length = (count // channels - 1) * across * channels + channels",
        f" whole = min(length // {RUN} * {RUN}, {CHUNK}) or length",
        *(f" least{place} = places[{number}]" for number, place in enumerate(ranks)),
        " for i in range(many):",
        "  for at in range(0, length, whole):",
        f"   run = min(whole, -(-(length - at) // {RUN}) * {RUN})",  # the last run overlaps the others: a rest takes as long as a whole one
        "   skip = min(at, length - run)",
        "   out = target[first + i][begin + skip:]" if stride == 1 else "   out = scratch[0][skip:]",
        *(f"   row{u} = source[top + i * down + {u * row_step}][left + skip:]" for u in rows),
        *(f"   there{u} = exists[top + i * down + {u * row_step}][left + skip:]" for u in rows if masked),
    ]
    if shares_columns(height, width, shape, column_step):
        body, names = _merged_columns(height, width, column_step, ranks)
        lines += body
    else:
        lines += ["   for j in range(run):", *(f"    x{t} = row{u}[j + {v * column_step}]" for t, (u, v) in enumerate(taps))]
        body, results = _exchanges([f"x{t}" for t in range(len(taps))], network_pairs(len(taps), ranks), "    ")
        lines += body
        names = [results[place] for place in ranks]
    if masked:
        lines += ["    cells = kind(" + " + ".join(f"there{u}[j + {v * column_step}]" for u, v in taps) + ")"]
    result = names[0]
    for place, name in zip(ranks[1:], names[1:], strict=True):
        lines += [f"    r{place} = {name} if cells >= least{place} else {result}"]
        result = f"r{place}"
    lines += [f"    out[j] = {result} + zero"]  # as in `rank_lines`
    if stride != 1:
        lines += ["  for j in range(count // channels):", "   for e in range(channels):"]
        lines += ["    target[first + i, begin + j * channels + e] = scratch[0, j * across * channels + e]"]
    module: dict[str, Callable[..., None]] = {}
    exec("\n".join(lines), module)
    return module["loop"]


def _merged_columns(height: int, width: int, step: int, ranks: list[int]) -> tuple[list[str], list[str]]:
    """The lines of a loop that sorts columns into `lines`, then pairs of them, then merges those of a window; and the results' names."""
    column = range(height)
    names = [f"x{u}" for u in column]
    body = _shared([f"x{u} = row{u}[at0 + j]" for u in column], names, network_pairs(height, column), list(column), 0, (width - 1) * step)
    paired = width // 2 if width > 3 else 0
    lists = [(0, v) for v in range(width)] if not paired else [(height, 2 * v) for v in range(paired)] + [(0, width - 1)] * (width % 2)
    if paired:
        loads = [f"x{v * height + u} = line[{u * LINE + v * step} + j]" for v in (0, 1) for u in column]
        pairs, order = merge_pairs([height, height], range(2 * height))
        body += _shared(loads, [f"x{n}" for n in range(2 * height)], pairs, order, height, (width - 2) * step)
    sizes = [2 * height if line else height for line, _ in lists]
    cells = [(line + u) * LINE + v * step for (line, v), size in zip(lists, sizes, strict=True) for u in range(size)]
    pairs, results = merge_pairs(sizes, ranks)
    merges, last = _exchanges([f"x{n}" for n in range(len(cells))], pairs, "    ")
    body += ["   for j in range(run):", *(f"    x{n} = lines[{cell} + j]" for n, cell in enumerate(cells)), *merges]
    return body, [last[cell] for cell in results]


def _shared(loads: list[str], names: list[str], pairs: Sequence[tuple[int, int]], order: list[int], line: int, extra: int) -> list[str]:
    """A loop over a run and the `extra` elements after it, which are taken with some before, since a rest takes as long as a whole run."""
    tail = -(-extra // SIDE) * SIDE
    exchanges, last = _exchanges(names, pairs, "     ")
    return [
        "   for end in range(2):",
        f"    some = min(run + {extra}, {tail}) if end else run",
        f"    at0 = run + {extra} - some if end else 0",
        "    line = lines[at0:]",
        *(f"    {load.split(' = ')[1].split('[')[0]}_ = {load.split(' = ')[1].split('[')[0]}[at0:]" for load in loads if "row" in load),
        "    for j in range(some):",
        *(f"     {load.replace('[at0 + j]', '_[j]')}" for load in loads),
        *exchanges,
        *(f"     line[{(line + n) * LINE} + j] = {last[cell]}" for n, cell in enumerate(order)),
    ]


def _exchanges(names: list[str], pairs: Iterable[tuple[int, int]], margin: str) -> tuple[list[str], list[str]]:
    """Lines that exchange the values of `names`, and the names of those at each place afterwards."""
    lines, last = [], list(names)
    for number, (a, b) in enumerate(pairs):  # every name is assigned once: Numba compiles that ten times as fast
        lines += [f"{margin}a{number} = min({last[a]}, {last[b]})", f"{margin}b{number} = max({last[a]}, {last[b]})"]
        last[a], last[b] = f"a{number}", f"b{number}"
    return lines, last


def rank_lines(cells, exists, rows, columns, pairs, picked, lines, counts, target, stride):
    """Fill `target` by a network whose values are lines of scratch: for any window and cells that do not exist, without compiling it.

    Every pair of `pairs` (N, 2) is exchanged in the lines of its two taps, so that the smaller is in the first. picked[p] are a line
    and the least number of existing cells, in ascending order: the last pick of which a window has enough is its result. Cells that do not
    exist hold the largest value, and `exists` (S, P), read where there are two picks or more, is 0 there and 1 elsewhere. `lines` (taps, L)
    and `counts` (1, L) are scratch; short rows share a line.
    """
    wide, many = min(target.shape[1], lines.shape[1]), max(lines.shape[1] // target.shape[1], 1)
    count, kind, zero = counts[0], counts.dtype.type, target.dtype.type(0)
    for top in range(0, target.shape[0], many):
        height = min(many, target.shape[0] - top)
        for begin in range(0, target.shape[1], wide):
            width = min(wide, target.shape[1] - begin)
            for t in range(rows.shape[0]):
                for i in range(height):
                    row, line = cells[(top + i) * stride + rows[t]][columns[t] + begin :], lines[t][i * width :]
                    for j in range(width):
                        line[j] = row[j]
            for p in range(pairs.shape[0]):
                a, b = lines[pairs[p, 0]], lines[pairs[p, 1]]
                for j in range(height * width):
                    x, y = a[j], b[j]
                    a[j] = min(x, y)
                    b[j] = max(x, y)
            result = lines[picked[0, 0]]
            if picked.shape[0] > 1:
                for j in range(height * width):
                    count[j] = 0
                for t in range(rows.shape[0]):
                    for i in range(height):
                        there, total = exists[(top + i) * stride + rows[t]][columns[t] + begin :], count[i * width :]
                        for j in range(width):
                            total[j] += there[j]
            for p in range(1, picked.shape[0]):
                other, least = lines[picked[p, 0]], kind(picked[p, 1])
                for j in range(height * width):
                    x, y = result[j], other[j]  # both are read, or the compiler makes no wide instructions of it
                    result[j] = y if count[j] >= least else x
            for i in range(height):
                line, out = result[i * width :], target[top + i][begin:]
                for j in range(width):
                    out[j] = line[j] + zero  # no -0.0: which of two equal zeros comes first depends on the network


def rank_counts(bits):
    """The loop that finds the bits of each result from the highest to the lowest, by counting the cells below it; whole numbers only."""

    def loop(cells, rows, columns, ranks, limit, counts, target, stride):
        """Fill `target`: the largest number that at most ranks[i, j] cells are below; `ranks` (R or 1, T) has a row for each, or one.

        `limit` (1, T), of the dtype of `cells`, and `counts` (1, T), of that of `ranks`, are scratch.
        """
        count, bound, kind = counts[0], limit[0], counts.dtype.type
        for i in range(target.shape[0]):
            out, rank = target[i], ranks[i if ranks.shape[0] > 1 else 0]
            for j in range(out.shape[0]):
                out[j] = 0
            for b in range(bits):
                step = cells.dtype.type(1 << (bits - 1 - b))
                for j in range(out.shape[0]):
                    bound[j] = out[j] | step
                    count[j] = 0
                for t in range(0, rows.shape[0] - 3, 4):  # four taps for each pass over the counts
                    p = cells[i * stride + rows[t]][columns[t] :]
                    q = cells[i * stride + rows[t + 1]][columns[t + 1] :]
                    r = cells[i * stride + rows[t + 2]][columns[t + 2] :]
                    s = cells[i * stride + rows[t + 3]][columns[t + 3] :]
                    for j in range(out.shape[0]):
                        most = bound[j]
                        count[j] += kind(kind(p[j] < most) + kind(q[j] < most) + kind(r[j] < most) + kind(s[j] < most))
                for t in range(rows.shape[0] // 4 * 4, rows.shape[0]):
                    p = cells[i * stride + rows[t]][columns[t] :]
                    for j in range(out.shape[0]):
                        count[j] += p[j] < bound[j]
                for j in range(out.shape[0]):
                    old, new = out[j], bound[j]  # both are read, or the compiler makes branches of it: half of the time (2026-11)
                    out[j] = new if count[j] <= rank[j] else old

    return loop


def rank_histogram(codes, runs, apart, fine, coarse, shift, ranks, target, stride):
    """Fill `target` by histograms that slide along the rows of `codes` (S, P), small whole numbers in the order of the cells.

    `runs` (N, 3) are the runs of a window: row, first element, and cells, which lie `apart` elements from each other, as do windows that
    share all but a cell of each run. `fine` counts codes, `coarse` counts code >> shift. `ranks` (R or 1, T) are the places of the results
    among the cells in ascending order.
    """
    for i in range(target.shape[0]):
        rank, top = ranks[i if ranks.shape[0] > 1 else 0], i * stride
        for track in range(min(apart, target.shape[1])):
            for b in range(fine.shape[0]):
                fine[b] = 0
            for b in range(coarse.shape[0]):
                coarse[b] = 0
            for j in range(track, target.shape[1], apart):
                for r in range(runs.shape[0]):
                    row, first, cells = codes[top + runs[r, 0]], runs[r, 1] + j, runs[r, 2]
                    if j > track:
                        code = row[first - apart]
                        fine[code] -= 1
                        coarse[code >> shift] -= 1
                    for v in range(cells - 1 if j > track else 0, cells):
                        code = row[first + v * apart]
                        fine[code] += 1
                        coarse[code >> shift] += 1
                left, b = rank[j], 0
                while left >= coarse[b]:
                    left -= coarse[b]
                    b += 1
                b <<= shift
                while left >= fine[b]:
                    left -= fine[b]
                    b += 1
                target[i, j] = b


def rank_columns(wide):
    """The loop that ranks bytes under rectangles, at one cost for all sizes (Perreault, Hebert: Median Filtering in Constant Time).

    Histograms are numbers of 64 bits, four counts of 16 bits in each: one instruction adds or compares four. `wide` is 1 for windows of
    32768 cells or more, whose counts take all 16 bits.
    """
    lanes, tops = np.uint64(0x0001000100010001), np.uint64(0x8000800080008000)
    one, two, three, four, last = (np.uint64(number) for number in (1, 2, 3, 4, 48))

    def find(a, b, c, d, rank):
        """The bin, of 16, of the cell at place `rank` in ascending order, and its place among the cells of that bin."""
        first, second, third = (a * lanes) >> last, (b * lanes) >> last, (c * lanes) >> last  # the sum of four counts
        second += first
        third += second
        in_second, in_third, in_fourth = rank >= first, rank >= second, rank >= third
        counts = d if in_fourth else c if in_third else b if in_second else a
        rank -= third if in_fourth else second if in_third else first if in_second else np.uint64(0)
        start = np.uint64(12) if in_fourth else np.uint64(8) if in_third else four if in_second else np.uint64(0)
        sums, most = counts * lanes, rank * lanes  # those of all counts up to each
        below = (most | tops) - (sums & ~tops if wide else sums)
        if wide:
            below = (most & ~sums) | (~(most ^ sums) & below)
        bin = (((below & tops) >> np.uint64(15)) * lanes) >> last
        return start + bin, rank - (((sums - counts) >> (bin << four)) & np.uint64(0xFFFF))

    def loop(cells, height, width, apart, ranks, coarse, fine, segments, filled, target, stride):
        """Fill `target` from `cells` (S, P) under windows of `height` rows and `width` elements, which are `apart` from each other.

        Every element of the row has histograms of the `height` cells below it, of four numbers each: `coarse` (4 * P,) counts those of
        16*b to 16*b + 15, and `fine` (64 * P,) has, bin after bin, each of the 16 levels. Those of `width` elements add up to the
        histogram of a window, and in `segments` (64,) only in bins where a result is: filled[b] (16,) is where such a sum goes on.
        """
        line, step, span = np.uint64(4 * cells.shape[1]), np.uint64(4 * apart), np.uint64(4 * apart * (width - 1))
        for i in range(target.shape[0]):
            rank, top = ranks[i if ranks.shape[0] > 1 else 0], i * stride
            if i == 0:
                for x in range(coarse.shape[0]):
                    coarse[x] = 0
                for x in range(fine.shape[0]):
                    fine[x] = 0
            for y in range(top - stride if i else top, min(top, top - stride + height)):
                row = cells[y]
                for x in range(row.shape[0]):
                    at, high, low = np.uint64(4 * x), np.uint64(row[x] >> 4), np.uint64(row[x] & 15)
                    coarse[at + (high >> two)] -= one << ((high & three) << four)
                    fine[high * line + at + (low >> two)] -= one << ((low & three) << four)
            for y in range(max(top, top - stride + height) if i else top, top + height):
                row = cells[y]
                for x in range(row.shape[0]):
                    at, high, low = np.uint64(4 * x), np.uint64(row[x] >> 4), np.uint64(row[x] & 15)
                    coarse[at + (high >> two)] += one << ((high & three) << four)
                    fine[high * line + at + (low >> two)] += one << ((low & three) << four)
            for track in range(min(apart, target.shape[1])):
                a = b = c = d = np.uint64(0)
                for bin in range(16):
                    filled[bin] = 0
                begin = at = np.uint64(4 * track)
                while at < begin + span:  # `for` loops over so few elements would be made of wide instructions that take longer
                    a, b, c, d = a + coarse[at], b + coarse[at + one], c + coarse[at + two], d + coarse[at + three]
                    at += step
                at = begin
                for j in range(track, target.shape[1], apart):
                    new = at + span
                    a, b, c, d = a + coarse[new], b + coarse[new + one], c + coarse[new + two], d + coarse[new + three]
                    bin, left = find(a, b, c, d, np.uint64(rank[j]))
                    a, b, c, d = a - coarse[at], b - coarse[at + one], c - coarse[at + two], d - coarse[at + three]
                    base, s = bin * line, bin << two
                    x, end = base + filled[bin], base + at
                    at += step
                    filled[bin] = at
                    if x == base or end - x > span >> one:
                        e = f = g = h = np.uint64(0)
                        x, end = end, end + span
                        while x <= end:
                            e, f, g, h = e + fine[x], f + fine[x + one], g + fine[x + two], h + fine[x + three]
                            x += step
                    else:
                        e, f, g, h = segments[s], segments[s + one], segments[s + two], segments[s + three]
                        while x <= end:
                            new, old = x + span, x - step
                            e += fine[new] - fine[old]
                            f += fine[new + one] - fine[old + one]
                            g += fine[new + two] - fine[old + two]
                            h += fine[new + three] - fine[old + three]
                            x += step
                    segments[s], segments[s + one], segments[s + two], segments[s + three] = e, f, g, h
                    level, _ = find(e, f, g, h, left)
                    target[i, j] = (bin << four) + level

    return loop
