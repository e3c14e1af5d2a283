"""Colour to grey."""


def luma_rows(channels, alpha, largest):  # type: ignore[no-untyped-def]
    """The loop for pixels of `channels` values up to `largest`; with `alpha` the last one is alpha, and colour is multiplied by it."""
    colours = channels - alpha
    second, third = (1, 2) if colours >= 3 else (0, 0)  # all three weights fall on a single colour
    half = largest // 2

    def loop(source, weights, target):  # type: ignore[no-untyped-def]
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
