"""Loops for pixels with alpha as their last value: colours multiplied by it, and sums of them divided by that of alpha."""

from imgconv.loops.filters import finished


def premultiply(channels):
    """The loop that multiplies colours by alpha; `channels` are those of a pixel."""

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

        `shares` are (sign, opaque, least, factor, divisor, total, nothing). The sum of alpha is multiplied by the sign and is at most
        opaque. Where it is at most `least`, colours are nothing and alpha 0; else colours are multiplied by factor / (divisor * that sum),
        and it is divided by the total to give alpha. `offsets` (W*channels,) are those of every value; `weights` (W*channels,) is scratch.

        Divisors are laid out first, so that all values are divided by wide instructions: twice as fast as pixel by pixel (2026-11).
        """
        real, pixel = parameters.dtype.type, target.dtype.type
        mirror, lowest, largest, magic = parameters[2], parameters[3], parameters[4], parameters[5]
        sign, opaque, least, factor = shares[0], shares[1], shares[2], shares[3]
        divisor, total, nothing, one, zero = shares[4], real(shares[5] * factor), shares[6], real(1), real(0)
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
                value = value if weight != zero else nothing
                out[j] = pixel(finish(value, real, one, offsets[j], mirror, lowest, largest, magic))

    return loop


def copy_alpha(source, rows, columns, target, step):
    """Copy elements `columns` (W,) of `rows` (R,) of `source` to the last value of every pixel of `target` (R, W*step)."""
    for i in range(target.shape[0]):
        row, out = source[rows[i]], target[i][step - 1 :]
        for j in range(columns.shape[0]):
            out[j * step] = row[columns[j]]
