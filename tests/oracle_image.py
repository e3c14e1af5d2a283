"""Slow, independent image filters: whole padded copies in int64 or float64, one shifted sum per tap."""

import numpy as np

NUMPY_MODES = {"zeros": "constant", "replicate": "edge", "reflect": "reflect", "symmetric": "symmetric", "circular": "wrap"}


def padded(pixels, pads, mode="replicate"):
    """A padded copy of (H, W, C); `mode` as on the command line, or ("constant", value)."""
    if isinstance(mode, tuple):
        return np.pad(pixels, (*pads, (0, 0)), constant_values=mode[1])
    return np.pad(pixels, (*pads, (0, 0)), mode=NUMPY_MODES[mode])


def same_pads(size, span, stride):
    """TensorFlow's rule, written out: the odd cell goes after."""
    pads = []
    for n, k, s in zip(size, span, stride, strict=True):
        outputs = -(-n // s)
        total = max((outputs - 1) * s + k - n, 0)
        pads.append((total // 2, total - total // 2))
    return tuple(pads)


def correlate(pixels, taps, *, stride=(1, 1), pads=None, mode="replicate", dilation=(1, 1)):
    """Sums of (H, W, C) with (kh, kw) taps: int64 where everything is whole, float64 otherwise."""
    taps = np.asarray(taps)
    whole = pixels.dtype.kind in "ui" and np.array_equal(taps, np.rint(taps))
    kind = np.int64 if whole else np.float64
    span = [d * (k - 1) + 1 for d, k in zip(dilation, taps.shape, strict=True)]
    big = padded(pixels.astype(kind), pads or same_pads(pixels.shape[:2], span, stride), mode)
    h_out, w_out = ((n - k) // s + 1 for n, k, s in zip(big.shape[:2], span, stride, strict=True))
    out = np.zeros((h_out, w_out, pixels.shape[2]), kind)
    for u in range(taps.shape[0]):
        for v in range(taps.shape[1]):
            i, j = u * dilation[0], v * dilation[1]
            window = big[i : i + (h_out - 1) * stride[0] + 1 : stride[0], j : j + (w_out - 1) * stride[1] + 1 : stride[1]]
            out += kind(taps[u, v]) * window
    return out


def to_pixels(sums, dtype, *, divisor=1, offset=0, range_="clip"):
    """Divisor, offset, range, half-to-even rounding and saturation, in float64."""
    largest = np.iinfo(dtype).max
    values = sums / divisor + offset
    if range_ == "abs":
        values = np.abs(values)
    elif range_ == "offset":
        values = values + (128 if largest == 255 else 32768)
    elif range_ == "minmax":
        values = (values - values.min()) * largest / np.ptp(values) if np.ptp(values) else values * 0
    return np.clip(np.rint(values), 0, largest).astype(dtype)


def windows(pixels, size, stride, pads=((0, 0), (0, 0))):
    """Every pooling window as a list of (i, j, cells (n, C)) with padded cells left out."""
    height, width = pixels.shape[:2]
    h_out = (height + sum(pads[0]) - size[0]) // stride[0] + 1
    w_out = (width + sum(pads[1]) - size[1]) // stride[1] + 1
    for i in range(h_out):
        for j in range(w_out):
            top, left = i * stride[0] - pads[0][0], j * stride[1] - pads[1][0]
            cells = pixels[max(top, 0) : top + size[0], max(left, 0) : left + size[1]]
            yield i, j, cells.reshape(-1, pixels.shape[2]), (h_out, w_out)


def pool(pixels, mode, size, stride, pads=((0, 0), (0, 0))):
    """Pooling by definition, one window at a time; averages are rounded half to even."""
    out = None
    for i, j, cells, shape in windows(pixels, size, stride, pads):
        out = np.zeros((*shape, pixels.shape[2]), pixels.dtype) if out is None else out
        if mode == "avg":
            out[i, j] = np.rint(cells.astype(np.int64).sum(axis=0) / len(cells))
        elif mode == "median":
            out[i, j] = np.sort(cells, axis=0)[(len(cells) - 1) // 2]
        else:
            out[i, j] = getattr(cells, mode)(axis=0)
    return out
