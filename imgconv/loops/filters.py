"""Loops of filters: correlation with any kernel, with outer products, with equal taps; pixels with alpha; and colour to grey.

The loops for correlation end a row in the same way, while it is in the cache. `parameters` are (divisor, offset, mirror, lowest, largest,
magic) in the type of the arithmetic. Sums are divided (in templates made with divided=1), and the offset is added. Mirror -1 takes the
absolute value, and 1 leaves the sum unchanged. The result is limited to lowest and largest. Adding and subtracting magic,
1.5 * 2**(mantissa bits), rounds to whole numbers, half to even; with magic 0 nothing is rounded. `source` holds padded rows of interleaved
pixels of any number type.
"""

import numpy as np

NOT_NEGATIVE = (1 << 30) - 1  # LLVM vectorises a loop only if it can see that `channels & NOT_NEGATIVE` is not negative


def correlate_small(height, width, divided, apart):
    """The loop for a kernel of a few taps, whose size the compiler knows, so that sums stay in registers.

    Two rows are computed at once, since they share most of their source rows; in 5x5 LLVM does not find these by itself. Of the time of
    `correlate_tiles`, 1x3, 2x2 and 3x3 take 0.45 to 0.75, 5x5 over floats 0.7 with AVX-512 and 0.82 without it; 5x5 real taps over bytes
    take 0.95 and 1.4 times as long (2026-11).
    """

    finish = finished(divided)

    def loop(source, weights, step, down, across, parameters, target, left):
        """Fill columns `left` and on of `target` (R, S), R at least 2, from weights[u, v] * source[i*step + u*down, j + v*across].

        The rows of `source` determine the number of columns. `weights` (height, width) have the dtype of the accumulator. `step` and `down`
        count where rows are `apart`, and share no row of the source.
        """
        kind, real, pixel = weights.dtype.type, parameters.dtype.type, target.dtype.type
        divisor, offset, mirror = parameters[0], parameters[1], parameters[2]
        lowest, largest, magic = parameters[3], parameters[4], parameters[5]
        column = across & NOT_NEGATIVE
        length = source.shape[1] - (width - 1) * column
        for pair in range((target.shape[0] + 1) // 2):
            i = min(2 * pair, target.shape[0] - 2)
            upper, lower = target[i][left : left + length], target[i + 1][left : left + length]
            for j in range(length):
                above, below = kind(0), kind(0)
                for u in range(height if apart else 0):
                    first, second = source[i * step + u * down], source[(i + 1) * step + u * down]
                    for v in range(width):
                        above = kind(above + weights[u, v] * kind(first[j + v * column]))
                        below = kind(below + weights[u, v] * kind(second[j + v * column]))
                for u in range(0 if apart else height + 1):
                    row = source[i + u]
                    for v in range(width):
                        cell = kind(row[j + v * column])
                        if u < height:
                            above = kind(above + weights[u, v] * cell)
                        if u > 0:
                            below = kind(below + weights[u - 1, v] * cell)
                upper[j] = pixel(finish(real(above), real, divisor, offset, mirror, lowest, largest, magic))
                lower[j] = pixel(finish(real(below), real, divisor, offset, mirror, lowest, largest, magic))

    return loop


def row_sums(cells, base, row_stride, taps, runs, weights, first, shift, sums, at, apart, height, width):
    """Sum weights[first + taps[t, 1 + k]] * cells[base + taps[t, 0] + (q + k) * row_stride + j] for q < `height` and j < `width`.

    A run `t` has taps in the same column of neighbouring rows, so that a vector of cells is loaded once for all of them: up to runs[0] it
    has three taps k, then up to runs[1] two, then up to runs[2] one. The sums with `shift` added go to sums[at + q * apart + j]. `height`
    and `width` are constants for the compiler.

    This is what runs without Numba; `imgconv.engine.tiles` compiles it as an intrinsic.
    """
    for q in range(height):
        total = 0
        with np.errstate(all="ignore"):
            for t in range(runs[2]):
                for k in range(1 + (t < runs[0]) + (t < runs[1])):
                    cell = base + taps[t, 0] + (q + k) * row_stride
                    total = total + weights[first + taps[t, 1 + k]] * cells[cell : cell + width]
            sums[at + q * apart : at + q * apart + width] = total + shift


def correlate_tiles(height, width, divided):
    """The loop for any taps, in tiles of `height` rows and `width` elements whose sums stay in registers; see `row_sums`.

    Values are converted to the type of the sums once for all taps, in strips of columns that stay in cache. 11x11 real taps over bytes take
    0.62 of the time of four taps per pass over a row of sums in cache, and 7x7 take 0.75 (Zen 3, 2026-11).
    """

    finish = finished(divided)

    def loop(source, taps, runs, weights, cells, apart, reach, sums, parameters, target, stride, left):
        """Fill columns `left` and on of `target` (R, S) from sums over `taps`, which are runs as `row_sums` takes them.

        Rows of `source` under successive windows are `stride` apart; the last tap of a window is `reach` elements from its first column.
        `cells` (flat) has room for the values of a strip in rows that are `apart` elements from each other, and `sums` (flat) for `height`
        rows of its sums; `weights` (flat) have their type.
        """
        kind, real, pixel = weights.dtype.type, parameters.dtype.type, target.dtype.type
        divisor, offset, mirror = parameters[0], parameters[1], parameters[2]
        lowest, largest, magic = parameters[3], parameters[4], parameters[5]
        strip, zero, total = sums.shape[0] // height, kind(0), target.shape[0]
        length, span = min(source.shape[1] - reach, target.shape[1] - left), source.shape[0] - (total - 1) * stride
        many = ((cells.shape[0] // apart - span) // stride + 1) // height * height
        for top in range(0, total, many):
            count = min(many, total - top)
            for begin in range(0, length, strip):
                wide = min(strip, length - begin)
                for i in range((count - 1) * stride + span):
                    row, line = source[top * stride + i][begin : begin + wide + reach], cells[i * apart :]
                    for j in range(wide + reach):
                        line[j] = kind(row[j])
                for i in range(0, count, height):
                    first = i * stride * apart
                    for tile in range(0, wide, width):
                        row_sums(cells, first + tile, stride * apart, taps, runs, weights, 0, zero, sums, tile, strip, height, width)
                    for q in range(min(height, count - i)):
                        out, line = target[top + i + q][left + begin :], sums[q * strip :]
                        for j in range(wide):
                            out[j] = pixel(finish(real(line[j]), real, divisor, offset, mirror, lowest, largest, magic))

    return loop


def sliding_sums(divided):
    """The loop for a box of one weight: down the columns a cell that enters is added and one that leaves taken away; along the row
    sums over n pixels make those over 2n or 2n + 1, so that the size costs next to nothing and whole rows are added at once.
    """

    finish = finished(divided)

    def loop(source, weight, height, bits, channels, columns, wider, parameters, target):
        """Fill `target` (R, S) from weight[0] times sums over `height` rows and a number of pixels of `channels` values.

        The binary digits of that number after the first are `bits`. `columns` (W,) and `wider` (2, W) are scratch of the whole-number
        type of `weight`; `source` has R + height - 1 rows of W whole numbers. Sums stay in that type until they are divided: only AVX-512
        converts whole numbers of 64 bits, as which a product counts, several at a time.
        """
        kind, real, pixel, scale = weight.dtype.type, parameters.dtype.type, target.dtype.type, weight[0]
        divisor, offset, mirror = parameters[0], parameters[1], parameters[2]
        lowest, largest, magic = parameters[3], parameters[4], parameters[5]
        for j in range(columns.shape[0]):
            columns[j] = 0
        for u in range(height - 1):
            row = source[u]
            for j in range(columns.shape[0]):
                columns[j] += row[j]
        for i in range(target.shape[0]):
            enters, leaves = source[i + height - 1], source[max(i - 1, 0)]
            if i == 0:
                for j in range(columns.shape[0]):
                    columns[j] += enters[j]
            else:
                for j in range(columns.shape[0]):
                    columns[j] += enters[j] - kind(leaves[j])
            sums, span = columns, channels
            for t in range(bits.shape[0]):
                wide = 2 * span + bits[t] * channels
                length = columns.shape[0] - wide + channels
                near, far, total = sums[:length], sums[span:], wider[t % 2]
                if bits[t]:
                    rest = columns[2 * span :]
                    for j in range(length):
                        total[j] = near[j] + far[j] + rest[j]
                else:
                    for j in range(length):
                        total[j] = near[j] + far[j]
                sums, span = total, wide
            out = target[i]
            for j in range(out.shape[0]):
                out[j] = pixel(finish(real(kind(scale * sums[j])), real, divisor, offset, mirror, lowest, largest, magic))

    return loop


def correlate_product(size, divided):
    """The loop for one product of a column and a row of `size` taps each, known to the compiler so that sums stay in registers."""

    finish = finished(divided)

    def loop(source, down, across, channels, middle, parameters, target, left):
        """Fill columns `left` and on of `target` (R, S) from sums over u, v of down[u] * across[v] * source[i + u, j + v*channels].

        `middle`, as long as a row of `source`, is scratch of the type of `down` and `across` (size,).
        """
        kind, real, pixel = middle.dtype.type, parameters.dtype.type, target.dtype.type
        divisor, offset, mirror = parameters[0], parameters[1], parameters[2]
        lowest, largest, magic = parameters[3], parameters[4], parameters[5]
        apart = channels & NOT_NEGATIVE
        for i in range(target.shape[0]):
            for j in range(middle.shape[0]):
                total = kind(0)
                for u in range(size):
                    total = kind(total + down[u] * kind(source[i + u, j]))
                middle[j] = total
            out = target[i][left:]
            for j in range(middle.shape[0] - (size - 1) * apart):
                total = kind(0)
                for v in range(size):
                    total = kind(total + across[v] * middle[j + v * apart])
                out[j] = pixel(finish(real(total), real, divisor, offset, mirror, lowest, largest, magic))

    return loop


def correlate_factors(divided):
    """The loop for kernels that are a sum of outer products of a column and a row: one tap, then four per pass over rows in cache."""

    finish = finished(divided)

    def loop(source, down, rows, across, columns, middle, sums, parameters, target, stride, left):
        """Fill S columns from `left` on of `target` from the sums over p, u, v of

        down[p, u] * across[p, v] * source[i*stride + rows[u], columns[v] + j]. `middle` (S + columns[-1],) and `sums` (S,) are scratch of
        the type of `down` (P, kh) and `across` (P, kw).
        """
        kind, real, pixel = sums.dtype.type, parameters.dtype.type, target.dtype.type
        divisor, offset, mirror = parameters[0], parameters[1], parameters[2]
        lowest, largest, magic = parameters[3], parameters[4], parameters[5]
        length, width, height, taps = sums.shape[0], middle.shape[0], rows.shape[0], columns.shape[0]
        for i in range(target.shape[0]):
            top = i * stride
            for p in range(down.shape[0]):
                weights = down[p]
                w0, r0 = weights[0], source[top + rows[0]][:width]
                for j in range(width):
                    middle[j] = kind(w0 * kind(r0[j]))
                for t in range(1, height - 3, 4):
                    w0, w1, w2, w3 = weights[t], weights[t + 1], weights[t + 2], weights[t + 3]
                    r0, r1 = source[top + rows[t]][:width], source[top + rows[t + 1]][:width]
                    r2, r3 = source[top + rows[t + 2]][:width], source[top + rows[t + 3]][:width]
                    for j in range(width):
                        middle[j] = kind(middle[j] + kind(w0 * kind(r0[j]) + w1 * kind(r1[j]) + w2 * kind(r2[j]) + w3 * kind(r3[j])))
                for t in range(height - (height - 1) % 4, height):
                    w0, r0 = weights[t], source[top + rows[t]][:width]
                    for j in range(width):
                        middle[j] = kind(middle[j] + w0 * kind(r0[j]))
                weights = across[p]
                w0, m0 = weights[0], middle[columns[0] :][:length]
                if p == 0:
                    for j in range(length):
                        sums[j] = kind(w0 * m0[j])
                else:
                    for j in range(length):
                        sums[j] = kind(sums[j] + w0 * m0[j])
                for t in range(1, taps - 3, 4):
                    w0, w1, w2, w3 = weights[t], weights[t + 1], weights[t + 2], weights[t + 3]
                    m0, m1 = middle[columns[t] :][:length], middle[columns[t + 1] :][:length]
                    m2, m3 = middle[columns[t + 2] :][:length], middle[columns[t + 3] :][:length]
                    for j in range(length):
                        sums[j] = kind(sums[j] + kind(w0 * m0[j] + w1 * m1[j] + w2 * m2[j] + w3 * m3[j]))
                for t in range(taps - (taps - 1) % 4, taps):
                    w0, m0 = weights[t], middle[columns[t] :][:length]
                    for j in range(length):
                        sums[j] = kind(sums[j] + w0 * m0[j])
            out = target[i][left:]
            for j in range(length):
                out[j] = pixel(finish(real(sums[j]), real, divisor, offset, mirror, lowest, largest, magic))

    return loop


def normalise(divided, channels):
    """The loop that makes pixels of sums over the valid cells and of the taps that are over valid cells.

    `channels` values of a pixel share a cell of the mask.
    """

    finish = finished(0)

    def loop(sums, weights, scale, divisors, parameters, target, valid):
        """Fill `target` (R, S) from scale[0] * sum / weight; where |weight| is at most scale[1], 0, and `valid` is set to 0.

        `sums` are (R, S), `weights` and `valid` (R, S / channels). The sum itself is the result where the weight is scale[0]. `divisors`
        (S,) is scratch of the type of `parameters`.
        The divisor is part of the one division: a second one takes as long as all the rest (2026-11).
        """
        real, pixel, bit = parameters.dtype.type, target.dtype.type, valid.dtype.type
        divisor, offset, mirror = parameters[0], parameters[1], parameters[2]
        lowest, largest, magic = parameters[3], parameters[4], parameters[5]
        total, limit, one, zero = real(scale[0]), real(scale[1]), real(1), real(0)
        for i in range(target.shape[0]):
            row, shares, out, known = sums[i], weights[i], target[i], valid[i]
            for j in range(shares.shape[0]):
                weight = real(shares[j])
                is_known = abs(weight) > limit
                known[j] = bit(known[j] & bit(is_known))
                weight = weight if is_known else zero
                for e in range(channels):
                    divisors[j * channels + e] = weight
            for j in range(out.shape[0]):
                value, weight = real(row[j]), divisors[j]
                is_known, is_whole = weight != zero, weight == total
                value = value if is_whole else real(total * value)
                weight = divisor if is_whole else real(weight * divisor) if divided else weight
                value = real(value / (weight if is_known else one))
                value = real(finish(value, real, one, offset, mirror, lowest, largest, magic))
                out[j] = pixel(value if is_known else zero)

    return loop


def normalise_singly(channels):
    """The loop that sums and divides again, in float64, the windows whose valid taps nearly cancel each other; see `normalise`."""

    finish = finished(0)

    def loop(source, mask, positions, taps, stride, steps, weights, bounds, chosen, parameters, target, valid):
        """Fill those elements of `target` (R, S) where |weight| is below bounds[0] and not bounds[1], and record missing ones in `valid`.

        positions[0, t] is the row of tap t, positions[1, t] its element in padded rows of pixels (`source`), and positions[2, t] that in
        rows of the mask. `steps` lead from a result to the next one: elements of `source`, elements of `mask`, and channels that have a
        mask of their own. A result is bounds[2] * sum / weight, and missing where |weight| is at most bounds[3]. `chosen`, of the length
        of a row of weights, is scratch.
        """
        real, pixel, bit = parameters.dtype.type, target.dtype.type, valid.dtype.type
        divisor, offset, mirror = parameters[0], parameters[1], parameters[2]
        lowest, largest, magic = parameters[3], parameters[4], parameters[5]
        near, whole = weights.dtype.type(bounds[0]), weights.dtype.type(bounds[1])
        total, limit = bounds[2], bounds[3]
        for i in range(target.shape[0]):
            shares, known, out, top = weights[i], valid[i], target[i], i * stride
            count = 0
            for begin in range(0, shares.shape[0], 32):
                some, cells = shares[begin : begin + 32], known[begin : begin + 32]
                hits = bit(0)
                for j in range(some.shape[0]):
                    hits = bit(hits | (bit(abs(some[j]) < near) & bit(some[j] != whole) & cells[j]))
                if hits:
                    for j in range(some.shape[0]):  # without branches
                        chosen[count] = begin + j
                        count += bit(abs(some[j]) < near) & bit(some[j] != whole) & cells[j]
            for n in range(count):
                j = chosen[n]
                at, over = j // steps[2] * steps[0] + j % steps[2], j // steps[2] * steps[1] + j % steps[2]
                for e in range(channels):
                    weight, value = 0.0, 0.0
                    for t in range(taps.shape[0]):
                        row = top + positions[0, t]
                        weight += taps[t] * mask[row, over + positions[2, t]]
                        value += taps[t] * source[row, at + e + positions[1, t]]
                    is_known = abs(weight) > limit
                    known[j] = bit(is_known)
                    value = real(total * value / (weight * divisor)) if is_known else real(0)
                    value = finish(value, real, real(1), offset, mirror, lowest, largest, magic)
                    out[j * channels + e] = pixel(value)

    return loop


def set_missing(channels, in_place):
    """The loop that copies rows and fills their missing cells, or only fills them; `channels` values of a pixel share a cell of the mask.

    By bits, since a choice between two bytes is not made of wide instructions, and takes ten times as long (2026-11).
    """

    def loop(source, valid, value, target):
        """Fill `target` (R, S), unsigned numbers, from `source`, and with value[0] where `valid` (R, S / channels), 1 elsewhere, is 0.

        With `in_place` the source is not read: were it the target, the compiler would make no wide instructions of it.
        """
        kind, filler = target.dtype.type, value[0]
        for i in range(target.shape[0]):
            known, out = valid[i], target[i]
            row = out if in_place else source[i]
            for j in range(known.shape[0]):
                kept = kind(kind(0) - kind(known[j]))  # all bits, or none
                for e in range(channels):
                    out[j * channels + e] = kind(row[j * channels + e] & kept) | kind(filler & ~kept)

    return loop


def repeat_cells(channels):
    """The loop that repeats each cell of rows `channels` times; strided assignments of NumPy take ten times as long (2026-11)."""

    def loop(source, target):
        """Fill `target` (R, S) from `source` (R, S / channels)."""
        for i in range(target.shape[0]):
            row, out = source[i], target[i]
            for j in range(row.shape[0]):
                for e in range(channels):
                    out[j * channels + e] = row[j]

    return loop


def premultiply(channels):
    """The loop that multiplies colours by alpha, the last of the `channels` of a pixel."""

    def loop(source, target):
        """Fill `target` (R, W*channels) from `source`; alpha stays as it is."""
        kind = target.dtype.type
        for i in range(target.shape[0]):
            row, out = source[i], target[i]
            for j in range(out.shape[0] // channels):
                alpha = kind(row[j * channels + channels - 1])
                for e in range(channels - 1):
                    out[j * channels + e] = kind(row[j * channels + e]) * alpha
                out[j * channels + channels - 1] = alpha

    return loop


def divide_by_alpha(channels):
    """The loop from sums of premultiplied pixels to colours and alpha, with the `parameters` of the loops for correlation."""
    finish = finished(0)

    def loop(sums, shares, offsets, weights, parameters, target):
        """Fill `target` (R, W*channels) from `sums`, whose alpha changes, of the type of `parameters`.

        `shares` are (sign, opaque, least, factor, divisor, total, transparent). The sum of alpha is multiplied by the sign and is at most
        opaque. Where it is at most `least`, colours are `transparent` and alpha 0; else colours are multiplied by
        factor / (divisor * that sum), and it is divided by the total to give alpha. `offsets` (W*channels,) are those of every value;
        `weights` (W*channels,) is scratch.

        Divisors get a row of their own, so that values are divided by wide instructions: twice as fast as pixel by pixel (2026-11).
        """
        real, pixel = parameters.dtype.type, target.dtype.type
        mirror, lowest, largest, magic = parameters[2], parameters[3], parameters[4], parameters[5]
        sign, opaque, least, factor = shares[0], shares[1], shares[2], shares[3]
        divisor, total, transparent, one, zero = shares[4], real(shares[5] * factor), shares[6], real(1), real(0)
        for i in range(target.shape[0]):
            row, out = sums[i], target[i]
            for j in range(out.shape[0] // channels):
                alpha = real(sign * row[j * channels + channels - 1])
                alpha = opaque if alpha > opaque else alpha
                alpha = alpha if alpha > least else zero
                weight = real(alpha * divisor)
                for e in range(channels - 1):
                    weights[j * channels + e] = weight
                weights[j * channels + channels - 1] = total
                row[j * channels + channels - 1] = alpha
            for j in range(out.shape[0]):
                weight = weights[j]
                value = real(real(factor * row[j]) / (weight if weight != zero else one))
                value = value if weight != zero else transparent
                out[j] = pixel(finish(value, real, one, offsets[j], mirror, lowest, largest, magic))

    return loop


def copy_alpha(source, rows, columns, target, step):
    """Copy elements `columns` (W,) of `rows` (R,) of `source` to the last value of every pixel of `target` (R, W*step)."""
    for i in range(target.shape[0]):
        row, out = source[rows[i]], target[i][step - 1 :]
        for j in range(columns.shape[0]):
            out[j * step] = row[columns[j]]


def finished(divided):
    """The function from a sum to the value of a pixel, in the type of the arithmetic."""

    def finish(total, real, divisor, offset, mirror, lowest, largest, magic):
        value = total / divisor if divided else total
        value = real(value + offset)
        turned = real(mirror * value)
        value = turned if turned > value else value
        value = lowest if value < lowest else value
        value = largest if value > largest else value
        return real(real(value + magic) - magic)

    return finish


def luma_rows(channels, alpha, largest):
    """The loop for pixels of `channels` values up to `largest`; with `alpha` the last one is alpha, and colour is multiplied by it."""
    colours = channels - alpha
    second, third = (1, 2) if colours >= 3 else (0, 0)  # all three weights fall on a single colour
    half = largest // 2

    def loop(source, weights, target):
        """Fill `target` (R, W) with the luma of `source` (R, W*channels) whole numbers, rounded to nearest.

        `weights` (4,) uint32 are those of red, green and blue in 1/65536, and 32768. Sums of 16-bit values just fit 32 bits.
        """
        kind, whole = weights.dtype.type, target.dtype.type
        red, green, blue, rounding = weights[0], weights[1], weights[2], weights[3]
        for i in range(target.shape[0]):
            row, out = source[i], target[i]
            for j in range(out.shape[0]):
                r, g, b = kind(row[j * channels]), kind(row[j * channels + second]), kind(row[j * channels + third])
                if alpha:
                    a = kind(row[j * channels + channels - 1])
                    r, g, b = kind(r * a + half) // kind(largest), kind(g * a + half) // kind(largest), kind(b * a + half) // kind(largest)
                out[j] = whole(kind(kind(r * red) + kind(g * green) + kind(b * blue) + rounding) >> 16)

    return loop
