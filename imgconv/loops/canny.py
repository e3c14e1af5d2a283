"""Canny's edges: lengths of gradients, ridges of them one pixel wide, and weak edges that are connected to strong ones.

Gradients are Sobel's, not divided. `smooth` rows are float32 and reach one column further than the image on either side.
"""

import numpy as np


def gradient_lengths(smooth, noise, lengths):
    """Fill `lengths` (R, W) float32 from `smooth` (R + 2, W + 2), which has a row more above and below.

    A length of at most `noise` (1,) times the smoothed cell is a rounding error, and becomes 0.
    """
    width, two, floor = lengths.shape[1], np.float32(2), noise[0]
    for i in range(lengths.shape[0]):
        above, here, below, out = smooth[i], smooth[i + 1], smooth[i + 2], lengths[i]
        a0, a1, a2 = above[:width], above[1:], above[2:]
        h0, h1, h2 = here[:width], here[1:], here[2:]
        b0, b1, b2 = below[:width], below[1:], below[2:]
        for j in range(width):
            y = (b0[j] - a0[j]) + two * (b1[j] - a1[j]) + (b2[j] - a2[j])
            x = (a2[j] - a0[j]) + two * (h2[j] - h0[j]) + (b2[j] - b0[j])
            length = np.sqrt(x * x + y * y)
            out[j] = np.float32(0) if length <= floor * abs(h1[j]) else length


def thin_edges(smooth, thresholds, gradients, marks):
    """Fill `marks` (R, W) uint8: 2 for edges no weaker than `thresholds[1]`, 1 no weaker than `thresholds[0]`, 0 for all else.

    `thresholds[2]` is the `noise` of `gradient_lengths`.

    An edge is a pixel whose gradient is no shorter than one step ahead along it and one behind, each interpolated from two neighbours
    that are nearest to there. `smooth` (R + 4, W + 2) has two rows more above and below. `gradients` (9, W) float32 is scratch: down,
    across and length, three rows each, in turns. The first and the last column have no edges; W is at least 3.
    """
    width, inside, two = marks.shape[1], marks.shape[1] - 2, np.float32(2)
    low, high, floor = thresholds[0], thresholds[1], thresholds[2]
    for i in range(marks.shape[0] + 2):
        above, here, below = smooth[i], smooth[i + 1], smooth[i + 2]
        a0, a1, a2 = above[:width], above[1:], above[2:]
        h0, h1, h2 = here[:width], here[1:], here[2:]
        b0, b1, b2 = below[:width], below[1:], below[2:]
        downs, acrosses, lengths = gradients[i % 3], gradients[3 + i % 3], gradients[6 + i % 3]
        for j in range(width):
            y = (b0[j] - a0[j]) + two * (b1[j] - a1[j]) + (b2[j] - a2[j])
            x = (a2[j] - a0[j]) + two * (h2[j] - h0[j]) + (b2[j] - b0[j])
            downs[j] = y
            acrosses[j] = x
            length = np.sqrt(x * x + y * y)
            lengths[j] = np.float32(0) if length <= floor * abs(h1[j]) else length
        if i >= 2:
            downs, acrosses = gradients[(i - 1) % 3][1:], gradients[3 + (i - 1) % 3][1:]
            above, here, below = gradients[6 + (i - 2) % 3], gradients[6 + (i - 1) % 3], gradients[6 + i % 3]
            a0, a1, a2 = above[:inside], above[1:], above[2:]
            h0, h1, h2 = here[:inside], here[1:], here[2:]
            b0, b1, b2 = below[:inside], below[1:], below[2:]
            marks[i - 2, 0] = marks[i - 2, width - 1] = 0
            out = marks[i - 2][1:]
            for j in range(inside):  # every neighbour is read, and chosen from, so that nothing branches
                y, x, length = downs[j], acrosses[j], h1[j]
                nw, n, ne, w, e, sw, s, se = a0[j], a1[j], a2[j], h0[j], h2[j], b0[j], b1[j], b2[j]
                falls = y * x >= 0  # the gradient points to the lower right, or to the upper left
                y, x = abs(y), abs(x)
                steep = y > x
                longer, shorter = max(y, x), min(y, x)
                behind_corner, ahead_corner = nw if falls else ne, se if falls else sw
                behind_side = n if steep else (w if falls else e)
                ahead_side = s if steep else (e if falls else w)
                rest = longer - shorter
                ridge = behind_corner * shorter + behind_side * rest <= length * longer
                ridge &= ahead_corner * shorter + ahead_side * rest <= length * longer
                ridge &= (length > 0) & (length >= low)
                out[j] = np.uint8(ridge) + np.uint8(ridge & (length >= high))


def grow_edges(marks, rows, stack):
    """Make strong (2) the weak marks (1) of `marks` (R, W) that are connected, also by corners, to strong ones in `rows` (N,).

    `stack` (M, 2) int32 is scratch, M one more than there are weak marks. The first and the last column hold none.
    """
    height = marks.shape[0]
    for n in range(rows.shape[0]):
        i = rows[n]
        for j in range(1, marks.shape[1] - 1):
            count = 0
            if marks[i, j] == 2:
                stack[0, 0], stack[0, 1], count = i, j, 1
            while count > 0:
                count -= 1
                y, x = stack[count, 0], stack[count, 1]
                for u in range(max(y - 1, 0), min(y + 2, height)):
                    for v in range(x - 1, x + 2):
                        if marks[u, v] == 1:
                            marks[u, v] = 2
                            stack[count, 0], stack[count, 1] = u, v
                            count += 1
