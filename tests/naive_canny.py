"""A slow float64 oracle of Canny's edges, pixel by pixel, from Canny 1986 and the definitions in scikit-image."""

import numpy as np


def gradients(grey, sigma):
    """Sobel's differences (down, across) of a plane smoothed by a Gaussian that ends at 4 sigma and is normalised at the borders."""
    height, width = grey.shape
    radius = int(4 * sigma + 0.5)
    offsets = np.arange(-radius, radius + 1)
    taps = np.exp(-0.5 * (offsets / sigma) ** 2) if radius else np.ones(1)
    smooth = np.zeros(grey.shape)
    for i, j in np.ndindex(height, width):
        rows, columns = offsets + i, offsets + j
        inside = np.outer(taps * ((rows >= 0) & (rows < height)), taps * ((columns >= 0) & (columns < width)))
        cells = grey[np.clip(rows, 0, height - 1)][:, np.clip(columns, 0, width - 1)]
        smooth[i, j] = (inside * cells).sum() / inside.sum()
    cells = np.pad(smooth, 1, mode="edge")
    across = cells[:, 2:] - cells[:, :-2]
    down = cells[2:] - cells[:-2]
    return down[:, :-2] + 2 * down[:, 1:-1] + down[:, 2:], across[:-2] + 2 * across[1:-1] + across[2:]


def ridges(down, across):
    """Lengths of gradients where they are longest across the edge, 0 elsewhere and on the outermost pixels."""
    lengths = np.hypot(down, across)
    ridges = np.zeros_like(lengths)
    for i in range(1, len(lengths) - 1):
        for j in range(1, lengths.shape[1] - 1):
            y, x = down[i, j], across[i, j]
            longest = max(abs(y), abs(x))
            if longest == 0:
                continue
            neighbours = [between(lengths, i, j, sign * y / longest, sign * x / longest) for sign in (1, -1)]
            ridges[i, j] = lengths[i, j] if max(neighbours) <= lengths[i, j] * (1 + 1e-9) else 0
    return ridges


def between(lengths, i, j, y, x):
    """The length at (i + y, j + x), one of |y| and |x| being 1, interpolated linearly from the two nearest cells."""
    (y0, x0), (y1, x1) = (np.floor([y, x])).astype(int), (np.ceil([y, x])).astype(int)
    part = (y - y0) if abs(x) == 1 else (x - x0)
    return (1 - part) * lengths[i + y0, j + x0] + part * lengths[i + y1, j + x1]


def canny(grey, sigma, low, high):
    """A bool map: ridges of at least `high`, and those of at least `low` that are connected to them."""
    lengths = ridges(*gradients(np.asarray(grey, np.float64), sigma))
    edges, weak = (lengths >= high) & (lengths > 0), (lengths >= low) & (lengths > 0)
    while True:
        near = np.pad(edges, 1)
        grown = sum(near[u : u + len(edges), v : v + edges.shape[1]] for u in range(3) for v in range(3)).astype(bool) & weak
        if np.array_equal(grown, edges):
            return edges
        edges = grown
