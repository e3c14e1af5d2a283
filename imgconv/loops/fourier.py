"""Correlation of tiles with a kernel through Fourier transforms, in loops that LLVM turns into wide instructions.

A line of `side` complex numbers lies in memory as all real parts, then all imaginary parts; `side` is a power of four. The transforms are
those of Pease (1968): every pass reads the four quarters of a line and writes groups of four neighbours to another line, so that all passes
are one loop whose distances the compiler knows. The inverse passes undo them one by one. In between, frequencies lie in the order of their
digits reversed, in base four, and so does the spectrum of the kernel.
"""

from imgconv.loops.filters import NOT_NEGATIVE

GROUP = 4  # columns that are copied to lines together


def correlate_pair(side):
    """The loop for two tiles of `side` x `side` values, the real and the imaginary part of one, which real taps keep apart."""

    forward, multiply, inverse = transforms(side)
    gather, scatter, fill, finish = moves(side)

    def loop(source, places, spectrum, factors, tile, lines, spare, magic, target):
        """Fill parts of `target` (R, T) with sums of taps times values of `source` (S, W), S at most `side`.

        `places` (2, 4) has for each tile: the first element in rows of `source`, the number of values there, the first element in rows of
        `target`, the number of sums there; other values are 0. Line j of `spectrum` (side, 2*side) is for column j of transformed rows, and
        line n of `factors` (N, 2*side) for pass n. `tile` (side, 2*side + more), `lines` (GROUP, 2*side) and `spare` (2*side,) are scratch.
        Adding and subtracting `magic` (1,) rounds sums, as in `loops.filters`; 0 leaves them as they are.
        """
        odd = factors.shape[0] % 2  # then passes along rows begin in `spare`, so that they end in the tile
        for i in range(side):
            fill(source, i, places, spare if odd else tile[i])
            forward(tile[i], spare, factors, odd)
        for first in range(0, side, GROUP):
            gather(tile, first, lines)
            for i in range(GROUP):
                forward(lines[i], spare, factors, 0)
                multiply(spare if odd else lines[i], spectrum[first + i])
                inverse(lines[i], spare, factors, 0)
            scatter(lines, tile, first)
        for i in range(target.shape[0]):
            inverse(tile[i], spare, factors, odd)
            finish(spare if odd else tile[i], places, magic[0], target[i])

    return loop


def transforms(side):
    """The transform of a line, the product with factors, and the way back. With `odd` 1 passes begin in the spare line, not in the line."""

    pass_on, pass_back = passes(side)

    def forward(line, spare, factors, odd):
        for n in range(factors.shape[0]):
            if (n + odd) % 2 == 0:
                pass_on(line, spare, factors[n])
            else:
                pass_on(spare, line, factors[n])

    def multiply(line, factors):
        for j in range(side):
            product = complex(line[j], line[side + j]) * complex(factors[j], factors[side + j])
            line[j], line[side + j] = product.real, product.imag

    def inverse(line, spare, factors, odd):
        for n in range(factors.shape[0] - 1, -1, -1):
            if (n + odd) % 2 == 0:
                pass_back(spare, line, factors[n])
            else:
                pass_back(line, spare, factors[n])

    return forward, multiply, inverse


def passes(side):
    """A pass of the transform, from one line to another, and the pass back."""

    half, quarter = side // 2, side // 4

    def at(line, j):
        return complex(line[j], line[side + j])

    def put(line, j, value):
        line[j], line[side + j] = value.real, value.imag

    def of_four(a, b, c, d):
        """The transform of four numbers; with b and d exchanged, its inverse."""
        turned = complex(b.imag - d.imag, d.real - b.real)
        return a + c + (b + d), a - c + turned, a + c - (b + d), a - c - turned

    def forward(source, target, factors):
        for j in range(quarter):
            a, b, c, d = of_four(at(source, j), at(source, quarter + j), at(source, half + j), at(source, half + quarter + j))
            put(target, 4 * j, a)
            put(target, 4 * j + 1, b * at(factors, j))
            put(target, 4 * j + 2, c * at(factors, quarter + j))
            put(target, 4 * j + 3, d * at(factors, half + j))

    def inverse(source, target, factors):
        for j in range(quarter):
            b = at(source, 4 * j + 1) * at(factors, j).conjugate()
            c = at(source, 4 * j + 2) * at(factors, quarter + j).conjugate()
            d = at(source, 4 * j + 3) * at(factors, half + j).conjugate()
            a, b, c, d = of_four(at(source, 4 * j), d, c, b)
            put(target, j, a)
            put(target, quarter + j, b)
            put(target, half + j, c)
            put(target, half + quarter + j, d)

    return forward, inverse


def moves(side):
    """Copies: of GROUP columns of a tile to lines, and back; of a row of two tiles to a line; and of a line to the sums of two tiles."""

    def gather(tile, first, lines):
        for i in range(0, side, 4):
            a, b, c, d = tile[i][first:], tile[i + 1][first:], tile[i + 2][first:], tile[i + 3][first:]
            for n in range(GROUP):
                line = lines[n]
                for part in (0, side):
                    at = part + i
                    line[at], line[at + 1], line[at + 2], line[at + 3] = a[part + n], b[part + n], c[part + n], d[part + n]

    def scatter(lines, tile, first):
        a, b, c, d = lines[0], lines[1], lines[2], lines[3]
        for i in range(side):
            row = tile[i][first:]
            for part in (0, side):
                row[part], row[part + 1], row[part + 2], row[part + 3] = a[part + i], b[part + i], c[part + i], d[part + i]

    def fill(source, i, places, line):
        row = source[min(i, source.shape[0] - 1)]
        for n in range(2):
            first, count = places[n, 0] & NOT_NEGATIVE, places[n, 1] if i < source.shape[0] else 0
            for j in range(count):
                line[n * side + j] = row[first + j]
            for j in range(count, side):
                line[n * side + j] = 0

    def finish(line, places, magic, row):
        for n in range(2):
            first = places[n, 2] & NOT_NEGATIVE
            for j in range(places[n, 3]):
                row[first + j] = line[n * side + j] + magic - magic

    return gather, scatter, fill, finish
