"""A finished image made small enough for a terminal, as 8-bit colours."""

import numpy as np
from numpy.typing import NDArray

from imgconv.filters.color import white
from imgconv.functional import adaptive_avg_pool2d
from imgconv.images import Raster
from imgconv.inspection.cells import filter_input


def preview(image: Raster, columns: int) -> NDArray[np.uint8]:
    """(h, w, 3) of an image at most `columns` wide, its proportions kept, h even; each pixel the average of those behind it.

    Transparency is shown over black, floats beyond 0 to 1 from their smallest to their largest value.

    >>> preview(Raster(np.full((40, 60, 1), 7, np.uint8)), 20).shape
    (14, 20, 3)
    """
    colours = (filter_input(image, grey=False, alpha=False) if image.alpha else image).pixels
    colours = colours if colours.shape[2] == 3 else colours[..., :1]
    height, width = colours.shape[:2]
    w = min(columns, width)
    h = max(2, 2 * round(height * w / width / 2))
    small = adaptive_avg_pool2d(np.ascontiguousarray(colours.transpose(2, 0, 1)), (min(h, height), w)).transpose(1, 2, 0)
    shown = np.broadcast_to(levels(small, image), (*small.shape[:2], 3))
    padded = np.zeros((h, w, 3), np.uint8)
    padded[: len(shown)] = shown
    return padded


def levels(small: NDArray[np.floating], image: Raster) -> NDArray[np.uint8]:
    """Values of an image that was made smaller as 8-bit levels; floats beyond 0 to 1 from their smallest to their largest.

    >>> levels(np.array([0.0, 65535.0]), Raster(np.zeros((1, 2, 1), np.uint16)))
    array([  0, 255], dtype=uint8)
    """
    if image.pixels.dtype.kind == "u":
        low, span = 0.0, white(image.pixels.dtype)
    else:
        finite = small[np.isfinite(small)]
        low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
        low, span = (0.0, 1.0) if low >= 0 and high <= 1 else (low, (high - low) or 1.0)
    return np.rint(np.clip(np.nan_to_num((small - low) / span), 0, 1) * 255).astype(np.uint8)
