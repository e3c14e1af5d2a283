"""Slow float64 oracles of the convolution family, from the definitions: one cell at a time, without shared geometry."""

import numpy as np


def pair(value):
    return (value, value) if isinstance(value, int) else tuple(value)


def border_cell(index, size, mode):
    """The input cell that a padded cell repeats, found step by step; None for a constant."""
    while not 0 <= index < size:
        if mode == "zeros":
            return None
        if mode == "replicate":
            return 0 if index < 0 else size - 1
        if mode == "circular":
            index += size if index < 0 else -size
        elif mode == "reflect":
            index = -index if index < 0 else 2 * (size - 1) - index
        elif mode == "symmetric":
            index = -1 - index if index < 0 else 2 * size - 1 - index
    return index


def padded(image, pads, mode="zeros"):
    """A plane (H, W) with ((top, bottom), (left, right)) more cells."""
    (top, bottom), (left, right) = pads
    height, width = image.shape
    out = np.zeros((top + height + bottom, left + width + right))
    for i, j in np.ndindex(*out.shape):
        y, x = border_cell(i - top, height, mode), border_cell(j - left, width, mode)
        if y is not None and x is not None:
            out[i, j] = image[y, x]
    return out


def conv2d(input, weight, bias=None, stride=1, pads=((0, 0), (0, 0)), dilation=1, groups=1, mode="zeros"):
    """Cross-correlation (N, O, h_out, w_out), `pads` cell by cell."""
    (sh, sw), (dh, dw) = pair(stride), pair(dilation)
    outputs, depth, kh, kw = weight.shape
    cells = np.array([[padded(plane, pads, mode) for plane in image] for image in np.asarray(input, np.float64)])
    h_out = (cells.shape[2] - dh * (kh - 1) - 1) // sh + 1
    w_out = (cells.shape[3] - dw * (kw - 1) - 1) // sw + 1
    out = np.zeros((len(cells), outputs, h_out, w_out))
    for n, o, i, j in np.ndindex(*out.shape):
        first = o // (outputs // groups) * depth
        window = cells[n, first : first + depth, i * sh : i * sh + dh * (kh - 1) + 1 : dh, j * sw : j * sw + dw * (kw - 1) + 1 : dw]
        out[n, o, i, j] = (window * weight[o].astype(np.float64)).sum() + (0 if bias is None else float(bias[o]))
    return out


def conv_transpose2d(input, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
    """Add the kernel times each input cell to the output."""
    (sh, sw), (ph, pw), (oh, ow), (dh, dw) = map(pair, (stride, padding, output_padding, dilation))
    images, channels, height, width = input.shape
    _, depth, kh, kw = weight.shape
    whole = np.zeros((images, groups * depth, (height - 1) * sh + dh * (kh - 1) + 1 + oh, (width - 1) * sw + dw * (kw - 1) + 1 + ow))
    for n, c, i, j, o, u, v in np.ndindex(images, channels, height, width, depth, kh, kw):
        out = c // (channels // groups) * depth + o
        whole[n, out, i * sh + u * dh, j * sw + v * dw] += float(input[n, c, i, j]) * float(weight[c, o, u, v])
    out = whole[:, :, ph : whole.shape[2] - ph, pw : whole.shape[3] - pw]
    return out if bias is None else out + np.asarray(bias, np.float64)[:, None, None]


def unfold(input, kernel_size, dilation=1, padding=0, stride=1):
    """Patches (N, C*kh*kw, L)."""
    (kh, kw), (dh, dw), (ph, pw), (sh, sw) = map(pair, (kernel_size, dilation, padding, stride))
    cells = np.pad(input, ((0, 0), (0, 0), (ph, ph), (pw, pw)))
    rows = range(0, cells.shape[2] - dh * (kh - 1), sh)
    columns = range(0, cells.shape[3] - dw * (kw - 1), sw)
    patches = [
        cells[:, :, i : i + dh * (kh - 1) + 1 : dh, j : j + dw * (kw - 1) + 1 : dw].reshape(len(cells), -1) for i in rows for j in columns
    ]
    return np.stack(patches, axis=-1)


def deform_conv2d(input, offset, weight, bias=None, stride=1, padding=0, dilation=1, mask=None):
    """Dai et al. 2017, equations 2 to 4, the kernel G(q, p) = max(0, 1-|qx-px|) * max(0, 1-|qy-py|); Zhu et al. 2019, equation 1."""
    (sh, sw), (ph, pw), (dh, dw) = map(pair, (stride, padding, dilation))
    images, channels, height, width = input.shape
    outputs, depth, kh, kw = weight.shape
    h_out, w_out = offset.shape[2:]
    offset_groups = offset.shape[1] // (2 * kh * kw)
    moves = offset.reshape(images, offset_groups, kh, kw, 2, h_out, w_out)
    scale = (
        np.ones((images, offset_groups, kh, kw, h_out, w_out))
        if mask is None
        else mask.reshape(images, offset_groups, kh, kw, h_out, w_out)
    )
    out = np.zeros((images, outputs, h_out, w_out))
    rows, columns = np.arange(height)[:, None], np.arange(width)[None, :]
    for n, o, i, j, c, u, v in np.ndindex(images, outputs, h_out, w_out, depth, kh, kw):
        channel = o // (outputs // (channels // depth)) * depth + c
        group = channel // (channels // offset_groups)
        y = i * sh - ph + u * dh + moves[n, group, u, v, 0, i, j]
        x = j * sw - pw + v * dw + moves[n, group, u, v, 1, i, j]
        near = np.maximum(0, 1 - np.abs(rows - y)) * np.maximum(0, 1 - np.abs(columns - x))
        out[n, o, i, j] += weight[o, c, u, v] * scale[n, group, u, v, i, j] * (near * input[n, channel]).sum()
    return out if bias is None else out + np.asarray(bias)[:, None, None]
