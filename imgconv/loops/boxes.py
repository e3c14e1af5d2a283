"""Sums of equal taps that slide over a picture. Rows end as in `correlation`."""


def sliding_sums(divided):  # type: ignore[no-untyped-def]
    """The loop for a box of one weight: down the columns a cell that enters is added and one that leaves taken away; along the row
    sums over n pixels make those over 2n or 2n + 1, so that the size costs next to nothing and whole rows are added at once.
    """

    def loop(source, weight, height, bits, channels, columns, wider, parameters, target):  # type: ignore[no-untyped-def]
        """Fill `target` (R, S) from weight[0] times sums over `height` rows and a number of pixels of `channels` values.

        The binary digits of that number behind the first are `bits`. `columns` (W,) and `wider` (2, W) are scratch of the whole-number
        type of `weight`; `source` has R + height - 1 rows of W whole numbers.
        """
        real, pixel, scale = parameters.dtype.type, target.dtype.type, weight[0]
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
                    columns[j] += enters[j] - weight.dtype.type(leaves[j])
            sums, span = columns, channels
            for t in range(bits.shape[0]):
                wide = 2 * span + bits[t] * channels
                length = columns.shape[0] - wide + channels
                near, far, made = sums[:length], sums[span:], wider[t % 2]
                if bits[t]:
                    rest = columns[2 * span :]
                    for j in range(length):
                        made[j] = near[j] + far[j] + rest[j]
                else:
                    for j in range(length):
                        made[j] = near[j] + far[j]
                sums, span = made, wide
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
