"""Correlation with sums of outer products: a pass down the columns, then one along the row. Rows end as in `correlation`."""


def correlate_product(size, channels, divided):  # type: ignore[no-untyped-def]
    """The loop for one product of a column and a row of `size` taps each, known to the compiler so that sums stay in registers."""

    def loop(source, down, across, middle, parameters, target):  # type: ignore[no-untyped-def]
        """Fill `target` (R, S) from sums over u, v of down[u] * across[v] * source[i + u, j + v*channels].

        `middle` (S + (size-1)*channels,) is scratch of the type of `down` and `across` (size,).
        """
        kind, real, pixel = middle.dtype.type, parameters.dtype.type, target.dtype.type
        divisor, offset, mirror = parameters[0], parameters[1], parameters[2]
        lowest, largest, magic = parameters[3], parameters[4], parameters[5]
        for i in range(target.shape[0]):
            for j in range(middle.shape[0]):
                total = kind(0)
                for u in range(size):
                    total = kind(total + down[u] * kind(source[i + u, j]))
                middle[j] = total
            out = target[i]
            for j in range(out.shape[0]):
                total = kind(0)
                for v in range(size):
                    total = kind(total + across[v] * middle[j + v * channels])
                value = real(total) / divisor if divided else real(total)
                value = real(value + offset)
                turned = real(mirror * value)
                value = turned if turned > value else value
                value = lowest if value < lowest else value
                value = largest if value > largest else value
                out[j] = pixel(real(value + magic) - magic)

    return loop


def correlate_factors(divided):  # type: ignore[no-untyped-def]
    """The loop for kernels that are a sum of outer products of a column and a row: one tap, then four per pass over rows in cache."""

    def loop(source, down, rows, across, columns, middle, sums, parameters, target, row_stride):  # type: ignore[no-untyped-def]
        """Fill `target` (R, S) from sums over p, u, v of down[p, u] * across[p, v] * source[i*row_stride + rows[u], columns[v] + j].

        `middle` (S + columns[-1],) and `sums` (S,) are scratch of the type of `down` (P, kh) and `across` (P, kw).
        """
        kind, real, pixel = sums.dtype.type, parameters.dtype.type, target.dtype.type
        divisor, offset, mirror = parameters[0], parameters[1], parameters[2]
        lowest, largest, magic = parameters[3], parameters[4], parameters[5]
        length, width, height, taps = target.shape[1], middle.shape[0], rows.shape[0], columns.shape[0]
        for i in range(target.shape[0]):
            top = i * row_stride
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
