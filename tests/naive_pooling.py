"""Slow oracles of pooling: one window at a time, in float64 or whole numbers, without imgconv."""

from fractions import Fraction
from math import ceil, floor

import numpy as np


def output_size(size, kernel, stride, padding=0, dilation=1, ceil_mode=False):
    """Windows along one axis that start inside the input or the padding before it."""
    span = dilation * (kernel - 1) + 1
    count = (ceil if ceil_mode else floor)(Fraction(size + 2 * padding - span, stride)) + 1
    return count - 1 if ceil_mode and (count - 1) * stride >= size + padding else count


def taps(start, kernel, dilation, size):
    """The cells of an axis under a window, without those outside."""
    return [p for p in (start + u * dilation for u in range(kernel)) if 0 <= p < size]


def windows(size, kernel_size, stride, padding=(0, 0), dilation=(1, 1), ceil_mode=False):
    """(i, j, ys, xs) of every window over a plane of `size`."""
    counts = [output_size(*axis, ceil_mode) for axis in zip(size, kernel_size, stride, padding, dilation, strict=True)]
    for i in range(counts[0]):
        for j in range(counts[1]):
            yield (
                i,
                j,
                taps(i * stride[0] - padding[0], kernel_size[0], dilation[0], size[0]),
                taps(j * stride[1] - padding[1], kernel_size[1], dilation[1], size[1]),
            )


def adaptive_windows(size, out):
    """(i, j, ys, xs) of the windows of an adaptive pool."""
    for i in range(out[0]):
        for j in range(out[1]):
            ys, xs = (range(floor(Fraction(k * n, o)), ceil(Fraction((k + 1) * n, o))) for k, n, o in zip((i, j), size, out, strict=True))
            yield i, j, list(ys), list(xs)


def pool(batch, positions, choose, dtype=None):
    """choose(cells, flat indices) for every plane of `batch` (N, C, H, W) and window position, as an array of `dtype`."""
    positions = list(positions)
    shape = (*batch.shape[:2], max(p[0] for p in positions) + 1, max(p[1] for p in positions) + 1)
    out = np.zeros(shape, dtype or batch.dtype)
    for n in range(batch.shape[0]):
        for c in range(batch.shape[1]):
            for i, j, ys, xs in positions:
                flat = [y * batch.shape[3] + x for y in ys for x in xs]
                out[n, c, i, j] = choose(batch[n, c].ravel()[flat], flat)
    return out


def largest(cells, _):
    return np.nan if np.isnan(cells.astype(np.float64)).any() else max(cells)


def smallest(cells, _):
    return np.nan if np.isnan(cells.astype(np.float64)).any() else min(cells)


def ranked(percent):
    """The cell that so many percent of the window are below, by SciPy's rule."""
    return lambda cells, _: _of_sorted(cells, min(int(len(cells) * percent / 100), len(cells) - 1))


def lower_median(cells, _):
    return _of_sorted(cells, (len(cells) - 1) // 2)


def _of_sorted(cells, place):
    return np.nan if np.isnan(cells.astype(np.float64)).any() else sorted(cells)[place]


def spread(cells, _):
    return largest(cells, _) - smallest(cells, _)


def deviation(cells, _):
    return np.std(cells.astype(np.float64))


def rounded_deviation(cells, _):
    return round(float(np.std(cells.astype(np.float64))))


def first_largest(cells, flat):
    """The index of the first largest cell, or of the last NaN."""
    broken = [f for cell, f in zip(cells, flat, strict=True) if cell != cell]
    return broken[-1] if broken else flat[max(range(len(cells)), key=lambda k: (cells[k], -k))]


def first_smallest(cells, flat):
    broken = [f for cell, f in zip(cells, flat, strict=True) if cell != cell]
    return broken[-1] if broken else flat[min(range(len(cells)), key=lambda k: (cells[k], k))]


def mean(cells, _):
    return np.mean(cells.astype(np.float64))


def rounded_mean(cells, _):
    """The mean of whole numbers, rounded half to even, without any floating point."""
    return round(Fraction(int(cells.astype(np.int64).sum()), len(cells)))
