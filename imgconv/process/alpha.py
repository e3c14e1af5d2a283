"""The colours of an image with alpha: not multiplied by it, or over black."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from imgconv.arrays import Array
from imgconv.filters.alpha import straight
from imgconv.filters.color import LUMA, luma, max_value_of
from imgconv.images import Raster

BLOCK = 1 << 14  # pixels


def straight_grey(image: Raster, threads: int | None = None) -> Array:
    """The luma (H, W, 1) of colours that are not multiplied by alpha; of whole levels that are, it is rounded once, as Pillow rounds."""
    if not image.premultiplied or image.channels == 2 or image.pixels.dtype.kind != "u":
        return luma(np.ascontiguousarray(straight_pixels(image, image.pixels.dtype)[..., :-1]), alpha=False, threads=threads)
    grey = np.zeros((*image.size, 1), image.pixels.dtype)
    for rows in blocks(grey):
        colours, alpha = image.pixels[rows, :, :-1].astype(np.int64), image.pixels[rows, :, -1:].astype(np.int64)
        sums = (colours @ np.array(LUMA))[..., None] * int(max_value_of(grey.dtype))
        np.floor_divide(sums + (alpha << 15), alpha << 16, out=grey[rows], where=alpha > 0, casting="unsafe")
    return grey


def straight_pixels(image: Raster, dtype: np.dtype[Any]) -> Array:
    """The pixels of an image with colours that are not multiplied by alpha, as `dtype`; whole numbers are rounded."""
    if not image.premultiplied:
        return image.pixels.astype(dtype, copy=False)
    pixels = np.empty(image.pixels.shape, dtype)
    for rows in blocks(pixels):
        values = straight(image.pixels[rows], max_value_of(image.pixels.dtype))
        pixels[rows] = np.rint(values) if dtype.kind == "u" else values
    return pixels


def over_black(pixels: Array) -> Array:
    """Colours times the share of alpha, without alpha; whole numbers are rounded."""
    colour, alpha = pixels[..., :-1], pixels[..., -1:]
    if pixels.dtype.kind != "u":
        return colour * alpha
    max_value = int(max_value_of(pixels.dtype))
    out = np.empty(colour.shape, pixels.dtype)
    for rows in blocks(pixels):
        out[rows] = (colour[rows].astype(np.uint32) * alpha[rows] + max_value // 2) // max_value
    return out


def blocks(pixels: Array) -> Iterator[slice]:
    """A few rows at a time, so that no whole copy of an image in wider numbers exists."""
    step = max(1, BLOCK // pixels.shape[1])
    return (slice(first, first + step) for first in range(0, len(pixels), step))
