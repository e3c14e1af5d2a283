"""Correlation: weighted sums of shifted rows, and what makes pixels of them while they are warm.

Every loop here ends a row in the same way. `parameters` are (divisor, offset, mirror, lowest, largest, magic) in the type to reckon
in: sums are divided (in templates made with divided=1), offset is added, mirror -1 takes the absolute value (1 leaves it), and the
result is held between lowest and largest. Adding and taking away magic, 1.5 * 2**(mantissa bits), rounds to whole numbers, half to
even; 0 rounds nothing. `source` holds padded rows of interleaved pixels of any number type.
"""


def correlate_small(height, width, channels, divided):  # type: ignore[no-untyped-def]
    """The loop for a kernel whose size the compiler knows, so that sums stay in registers. It stops unrolling well above 5x5.

    Two rows are made at once, since most of what they are made of is the same: 5x5 of floats takes two thirds of the time (2026-11).
    """

    def loop(source, weights, parameters, target, left):  # type: ignore[no-untyped-def]
        """Fill columns `left` and on of `target` (R, S), R at least 2, from sums of weights[u, v] * source[i + u, j + v*channels].

        There are as many as rows of `source` give. `weights` (height, width) have the type that sums are kept in.
        """
        kind, real, pixel = weights.dtype.type, parameters.dtype.type, target.dtype.type
        divisor, offset, mirror = parameters[0], parameters[1], parameters[2]
        lowest, largest, magic = parameters[3], parameters[4], parameters[5]
        length = source.shape[1] - (width - 1) * channels
        for pair in range((target.shape[0] + 1) // 2):
            i = min(2 * pair, target.shape[0] - 2)
            upper, lower = target[i][left : left + length], target[i + 1][left : left + length]
            for j in range(length):
                above, below = kind(0), kind(0)
                for u in range(height + 1):
                    row = source[i + u]
                    for v in range(width):
                        cell = kind(row[j + v * channels])
                        if u < height:
                            above = kind(above + weights[u, v] * cell)
                        if u > 0:
                            below = kind(below + weights[u - 1, v] * cell)
                for is_below in range(2):
                    total = below if is_below else above
                    value = real(total) / divisor if divided else real(total)
                    value = real(value + offset)
                    turned = real(mirror * value)
                    value = turned if turned > value else value
                    value = lowest if value < lowest else value
                    value = largest if value > largest else value
                    out = lower if is_below else upper
                    out[j] = pixel(real(value + magic) - magic)

    return loop


def correlate_taps(divided):  # type: ignore[no-untyped-def]
    """The loop for any taps, one and then four per pass over a row of sums that stays in cache."""

    def loop(source, rows, columns, weights, sums, parameters, target, row_stride):  # type: ignore[no-untyped-def]
        """Fill `target` (R, S) from sums over taps t (at least one) of weights[t] * source[i*row_stride + rows[t], columns[t] + j].

        `sums` (S,) is scratch and has the type of `weights`.
        """
        kind, real, pixel = weights.dtype.type, parameters.dtype.type, target.dtype.type
        divisor, offset, mirror = parameters[0], parameters[1], parameters[2]
        lowest, largest, magic = parameters[3], parameters[4], parameters[5]
        length, taps = target.shape[1], weights.shape[0]
        for i in range(target.shape[0]):
            top = i * row_stride
            w0, r0 = weights[0], source[top + rows[0]][columns[0] : columns[0] + length]
            for j in range(length):
                sums[j] = kind(w0 * kind(r0[j]))
            for t in range(1, taps - 3, 4):
                w0, w1, w2, w3 = weights[t], weights[t + 1], weights[t + 2], weights[t + 3]
                r0 = source[top + rows[t]][columns[t] : columns[t] + length]
                r1 = source[top + rows[t + 1]][columns[t + 1] : columns[t + 1] + length]
                r2 = source[top + rows[t + 2]][columns[t + 2] : columns[t + 2] + length]
                r3 = source[top + rows[t + 3]][columns[t + 3] : columns[t + 3] + length]
                for j in range(length):
                    sums[j] = kind(sums[j] + kind(w0 * kind(r0[j]) + w1 * kind(r1[j]) + w2 * kind(r2[j]) + w3 * kind(r3[j])))
            for t in range(taps - (taps - 1) % 4, taps):
                w0, r0 = weights[t], source[top + rows[t]][columns[t] : columns[t] + length]
                for j in range(length):
                    sums[j] = kind(sums[j] + w0 * kind(r0[j]))
            out = target[i]
            for j in range(length):
                value = real(sums[j]) / divisor if divided else real(sums[j])
                value = real(value + offset)
                turned = real(mirror * value)
                value = turned if turned > value else value
                value = lowest if value < lowest else value
                value = largest if value > largest else value
                out[j] = pixel(real(value + magic) - magic)

    return loop
