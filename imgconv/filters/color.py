"""sRGB levels to linear light and back, and colour to grey."""

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imgconv.engine import parallel
from imgconv.engine.compiled import loop as compiled
from imgconv.loops.filters import luma_rows

# Pillow's weights of red, green and blue, in 1/65536 (ITU-R BT.601)
LUMA = (19595, 38470, 7471)
BAND_PIXELS = 1 << 18


def white(dtype: np.dtype[np.generic]) -> float:
    """The value of full white: the largest whole number of `dtype`, 1.0 for floats."""
    return float(np.iinfo(dtype).max) if dtype.kind == "u" else 1.0  # type: ignore[type-var]


def luma(pixels: NDArray[Any], *, alpha: bool, threads: int | None = None) -> NDArray[Any]:
    """Grey (H, W, 1) of an image (H, W, C) of 1 to 4 channels, in the same dtype, with Pillow's weights at every depth.

    With `alpha` the last channel is alpha; colour is multiplied by it first (as over black), and it is dropped.

    >>> luma(np.array([[[255, 0, 0]]], np.uint8), alpha=False)
    array([[[76]]], dtype=uint8)
    """
    height, width, channels = pixels.shape
    if channels == 1:
        return pixels
    if pixels.dtype.kind != "u":
        colour = pixels[..., :-1] * pixels[..., -1:] if alpha else pixels
        weights = np.array(LUMA if colour.shape[2] == 3 else [65536], pixels.dtype) / 65536
        with np.errstate(invalid="ignore"):  # some BLAS routines warn about infinity, which is a valid value
            return np.ascontiguousarray((colour @ weights.astype(pixels.dtype))[..., None])
    grey = np.empty((height, width), pixels.dtype)
    rows = pixels.reshape(height, width * channels)
    weights = np.array([*LUMA, 32768], np.uint32)
    loop = compiled(luma_rows, channels=channels, alpha=int(alpha), largest=int(white(pixels.dtype)))

    def work(first: int, last: int) -> None:
        loop(rows[first:last], weights, grey[first:last])

    parallel.run_bands(work, height, max(1, BAND_PIXELS // max(width, 1)), threads)
    return grey[..., None]


def to_linear(levels: NDArray[Any], dtype: np.dtype[np.generic]) -> NDArray[Any]:
    """Linear light, in levels of the same scale, of sRGB `levels` of an image of `dtype`; (float32, or float64 for float64)."""
    if dtype.kind == "u":
        return _linear_table(dtype.name)[levels.astype(np.intp)]
    return _decode(levels)


def to_srgb(light: NDArray[Any], top: float) -> NDArray[Any]:
    """sRGB levels of linear `light`, both of the scale of `top`; the way back of `to_linear` for values outside 0 to `top` too."""
    part = light / top
    curve = 1.055 * np.power(np.maximum(part, 0), 1 / 2.4, dtype=part.dtype) - 0.055
    return np.where(part <= 0.0031308, 12.92 * part, curve) * top


@cache
def _linear_table(name: str) -> NDArray[np.float32]:
    top = np.iinfo(name).max
    return (_decode(np.arange(top + 1) / top) * top).astype(np.float32)


def _decode(levels: NDArray[Any]) -> NDArray[Any]:
    """IEC 61966-2-1; negative values are taken as they are."""
    curve = np.power((np.maximum(levels, 0) + 0.055) / 1.055, 2.4)
    return np.where(levels <= 0.04045, levels / 12.92, curve).astype(levels.dtype)
