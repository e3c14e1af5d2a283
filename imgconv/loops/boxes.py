"""Sums of equal taps that slide over a picture. Rows end as in `correlation`."""


def sliding_sums(divided):  # type: ignore[no-untyped-def]
    """The loop for a box of one weight: a cell that enters is added, one that leaves taken away, so the size costs nothing."""

    def loop(source, weight, height, width, channels, columns, sums, parameters, target):  # type: ignore[no-untyped-def]
        """Fill `target` (R, S) from weight[0] times sums over `height` rows and `width` pixels of `channels` values.

        `columns` (S + (width-1)*channels,) and `sums` (S,) are scratch of the whole-number type of `weight`; `source` has R + height - 1
        rows of whole numbers.
        """
        real, pixel, scale = parameters.dtype.type, target.dtype.type, weight[0]
        divisor, offset, mirror = parameters[0], parameters[1], parameters[2]
        lowest, largest, magic = parameters[3], parameters[4], parameters[5]
        reach = width * channels
        for j in range(columns.shape[0]):
            columns[j] = 0
        for u in range(height - 1):
            row = source[u]
            for j in range(columns.shape[0]):
                columns[j] += row[j]
        for i in range(target.shape[0]):
            row, old = source[i + height - 1], source[max(i - 1, 0)]
            for j in range(columns.shape[0]):
                columns[j] += row[j]
            if i > 0:
                for j in range(columns.shape[0]):
                    columns[j] -= old[j]
            for c in range(channels):
                sums[c] = 0
                for v in range(c, reach, channels):
                    sums[c] += columns[v]
            enters, before, after = columns[reach:], sums[: sums.shape[0] - channels], sums[channels:]
            for j in range(after.shape[0]):
                after[j] = before[j] + enters[j] - columns[j]
            out = target[i]
            for j in range(out.shape[0]):
                value = real(scale * sums[j]) / divisor if divided else real(scale * sums[j])
                value = real(value + offset)
                turned = real(mirror * value)
                value = turned if turned > value else value
                value = lowest if value < lowest else value
                value = largest if value > largest else value
                out[j] = pixel(real(value + magic) - magic)

    return loop
