"""Samples between the cells of a plane, as deformable convolution takes them."""


def sample_bilinear(planes, down, across, weights, patches, geometry):  # type: ignore[no-untyped-def]
    """Write to `patches` (C, K, P) the value of each plane (C, H, W) at rows `down` and columns `across`, times `weights`.

    `down`, `across` and `weights` are (D*K, P) fractions of cells for D groups of channels; geometry[0] is the number of channels in
    one. Cells outside a plane are zero. Every channel is one job's own.
    """
    height, width = planes.shape[1], planes.shape[2]
    for c in range(planes.shape[0]):
        plane = planes[c]
        for k in range(patches.shape[1]):
            at = (geometry[1] + c) // geometry[0] * patches.shape[1] + k
            ys, xs, scale, out = down[at], across[at], weights[at], patches[c, k]
            for p in range(patches.shape[2]):
                y, x = ys[p], xs[p]
                value = 0 * y
                if -1 < y < height and -1 < x < width:
                    i, j = int(y + 1) - 1, int(x + 1) - 1
                    low, left = y - i, x - j
                    high, right = 1 - low, 1 - left
                    if i >= 0 and j >= 0:
                        value += high * right * plane[i, j]
                    if i >= 0 and j + 1 < width:
                        value += high * left * plane[i, j + 1]
                    if i + 1 < height and j >= 0:
                        value += low * right * plane[i + 1, j]
                    if i + 1 < height and j + 1 < width:
                        value += low * left * plane[i + 1, j + 1]
                out[p] = scale[p] * value
