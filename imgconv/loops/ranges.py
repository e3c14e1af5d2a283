"""From sums to pixels: divisor, offset, range, one rounding."""

import numpy as np

CLIP, ABS, SCALE = 0, 1, 2


def sums_to_pixels(sums, parameters, mode, target):  # type: ignore[no-untyped-def]
    """Fill `target` (R, S), unsigned whole numbers, from `sums` (R, S): sums/divisor + offset, ranged, rounded half to even, saturated.

    `parameters` are (divisor, offset, low, span, largest) in the type to reckon in. Mode ABS takes the absolute value; SCALE
    takes low to 0 and low + span to largest. NaN becomes 0.
    """
    real = parameters.dtype.type
    whole = target.dtype.type
    divisor, offset, low, span, largest = parameters[0], parameters[1], parameters[2], parameters[3], parameters[4]
    zero = real(0)
    for i in range(sums.shape[0]):
        row, out = sums[i], target[i]
        if mode == ABS:
            for j in range(row.shape[0]):
                value = abs(real(row[j]) / divisor + offset)
                out[j] = whole(np.rint(min(value, largest) if value > zero else zero))
        elif mode == SCALE:
            for j in range(row.shape[0]):
                value = (real(row[j]) / divisor + offset - low) * largest / span
                out[j] = whole(np.rint(min(value, largest) if value > zero else zero))
        else:
            for j in range(row.shape[0]):
                value = real(row[j]) / divisor + offset
                out[j] = whole(np.rint(min(value, largest) if value > zero else zero))


def whole_sums_to_pixels(sums, parameters, mode, target):  # type: ignore[no-untyped-def]
    """The same for whole sums with divisor 1: `parameters` are (offset, largest) in the sums' own type. Modes CLIP and ABS only."""
    kind = sums.dtype.type
    whole = target.dtype.type
    offset, largest, zero = parameters[0], parameters[1], kind(0)
    for i in range(sums.shape[0]):
        row, out = sums[i], target[i]
        if mode == ABS:
            for j in range(row.shape[0]):
                out[j] = whole(min(abs(kind(row[j] + offset)), largest))
        else:
            for j in range(row.shape[0]):
                out[j] = whole(min(max(kind(row[j] + offset), zero), largest))
