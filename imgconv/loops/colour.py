"""Colour to grey."""

import numpy as np


def luma_rows(source, weights, channels, alpha, target):  # type: ignore[no-untyped-def]
    """Fill `target` (R, W) with the luma of `source` (R, W*channels) whole numbers; with `alpha`, of colour times the last channel.

    `weights` (4,) int64 are the weights of red, green and blue in 1/65536, then the largest value of a pixel. Rounded to nearest.
    """
    red, green, blue, largest = weights[0], weights[1], weights[2], weights[3]
    half = largest // 2
    whole = target.dtype.type
    for i in range(target.shape[0]):
        row, out = source[i], target[i]
        last = row[channels - 1 :]
        second = row[channels // 3 :]  # one colour channel: all three weights fall on it
        third = row[2 * (channels // 3) :]
        for j in range(out.shape[0]):
            k = j * channels
            r, g, b = np.int64(row[k]), np.int64(second[k]), np.int64(third[k])
            if alpha:
                a = np.int64(last[k])
                r, g, b = (r * a + half) // largest, (g * a + half) // largest, (b * a + half) // largest
            out[j] = whole((r * red + g * green + b * blue + 32768) >> 16)
