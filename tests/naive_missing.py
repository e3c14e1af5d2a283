"""A slow float64 oracle of filters over images with missing cells: the definition, one window at a time."""

import numpy as np
from naive import padded, pair


def filter_missing(image, valid, taps, *, stride=1, dilation=1, pads, mode="replicate", anchor, rule="keep", min_valid=0.0):
    """Sums (h_out, w_out) of one plane and its valid cells; missing ones are NaN. `pads` and `anchor` are in cells."""
    (sh, sw), (dh, dw), (kh, kw) = pair(stride), pair(dilation), taps.shape
    cells = padded(np.where(valid, image, 0).astype(np.float64), pads, mode)
    known = padded(valid.astype(np.float64), pads, mode) > 0
    if mode == "zeros":
        known |= padded(np.ones(image.shape), pads, mode) == 0
    h_out, w_out = ((n - d * (k - 1) - 1) // s + 1 for n, d, k, s in zip(cells.shape, (dh, dw), (kh, kw), (sh, sw), strict=True))
    out = np.full((h_out, w_out), np.nan)
    for i, j in np.ndindex(h_out, w_out):
        window = (slice(i * sh, i * sh + dh * (kh - 1) + 1, dh), slice(j * sw, j * sw + dw * (kw - 1) + 1, dw))
        values, present = cells[window], known[window]
        y, x = i * sh + anchor[0] * dh - pads[0][0], j * sw + anchor[1] * dw - pads[1][0]
        if rule == "keep" and 0 <= y < image.shape[0] and 0 <= x < image.shape[1] and not valid[y, x]:
            continue
        out[i, j] = _window(values, present, taps, rule, min_valid)
    return out


def _window(values, present, taps, rule, min_valid):
    size = np.abs(taps).sum()
    if rule == "propagate":
        return (taps * values).sum() if present.all() else np.nan
    if abs(taps.sum()) <= 1e-7 * size:
        return (taps * values).sum() if present[taps != 0].all() else np.nan
    share, total = np.abs(taps[present]).sum() / size, taps[present].sum()
    if not present[taps != 0].any() or share < min_valid - 1e-12 or abs(total) <= 1e-7 * size:
        return np.nan
    return (taps * values)[present].sum() / total * taps.sum()
