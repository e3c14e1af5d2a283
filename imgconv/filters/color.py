"""Levels of images: their largest value, luma of colours, and conversion between levels and linear light."""

from functools import lru_cache
from typing import Any, Protocol

import numpy as np

from imgconv.arrays import Array
from imgconv.engine import parallel
from imgconv.engine.compiled import loop
from imgconv.loops.filters import luma_rows

# Pillow's weights of red, green and blue, in 1/65536 (ITU-R BT.601)
LUMA = (19595, 38470, 7471)
BAND_PIXELS = 1 << 18


def max_value_of(dtype: np.dtype[np.generic]) -> float:
    """The level of white: the largest whole number of `dtype`, 1.0 for floats."""
    return float(np.iinfo(dtype.char).max) if dtype.kind == "u" else 1.0


def level_scale(dtype: np.dtype[np.generic]) -> float:
    """The factor from levels of 8 bits to those of `dtype`: 128 is 32768 at 16 bits and 0.5 for floats."""
    return {"uint8": 1.0, "uint16": 256.0}.get(dtype.name, 1 / 256)


def luma(pixels: Array, *, alpha: bool, threads: int | None = None) -> Array:
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
    fill = loop(luma_rows, channels=channels, alpha=int(alpha), largest=int(max_value_of(pixels.dtype)))

    def fill_band(first: int, last: int) -> None:
        fill(rows[first:last], weights, grey[first:last])

    parallel.run_bands(fill_band, height, max(1, BAND_PIXELS // max(width, 1)), threads)
    return grey[..., None]


class TransferFunction(Protocol):
    """How levels, from 0 to 1, become light: `samples` at equally spaced levels, or without any (a*level + b)**g + e from the level d on
    and c*level + f below, `parameters` being (g, a, b, c, d, e, f)."""

    @property
    def name(self) -> str:
        """The name for messages."""

    @property
    def parameters(self) -> tuple[float, ...]:
        """The numbers (g, a, b, c, d, e, f)."""

    @property
    def samples(self) -> tuple[float, ...]:
        """Light at equally spaced levels; empty for a formula."""

    def __hash__(self) -> int:
        """The hash by which tables of levels are cached."""


def light_dtype(dtype: np.dtype[np.generic]) -> np.dtype[Any]:
    """The dtype of linear light: float64 for images of 16 bits, whose levels float32 does not always round correctly."""
    return np.dtype(np.float64 if dtype in (np.uint16, np.float64) else np.float32)


def to_linear(levels: Array, dtype: np.dtype[np.generic], transfer: TransferFunction | None = None) -> Array:
    """Linear light of `levels` of an image of `dtype`, on the same scale, as `light_dtype`. None is sRGB."""
    if dtype.kind != "u":
        return _decode(levels, transfer)
    if levels.dtype.kind == "f":
        return _decode(levels / max_value_of(dtype), transfer) * max_value_of(dtype)
    return _linear_table(dtype.name, transfer)[levels.astype(np.intp)]


def from_linear(linear: Array, largest: float, transfer: TransferFunction | None = None) -> Array:
    """Levels of `linear` light on a scale that ends at `largest`; the inverse of `to_linear`, for sRGB also outside the scale."""
    part = linear / largest
    if transfer is not None:
        return _encode(part, transfer) * largest
    curve = 1.055 * np.power(np.maximum(part, 0), 1 / 2.4, dtype=part.dtype) - 0.055
    return np.where(part <= 0.0031308, 12.92 * part, curve) * largest


@lru_cache(maxsize=16)
def _linear_table(name: str, transfer: TransferFunction | None) -> Array:
    largest = np.iinfo(name).max
    return (_decode(np.arange(largest + 1) / largest, transfer) * largest).astype(light_dtype(np.dtype(name)))


def _decode(levels: Array, transfer: TransferFunction | None) -> Array:
    """IEC 61966-2-1, continued by its linear part below 0, or another transfer function."""
    if transfer is None:
        curve: Any = np.power((np.maximum(levels, 0) + 0.055) / 1.055, 2.4)
        return np.where(levels <= 0.04045, levels / 12.92, curve).astype(levels.dtype)
    if transfer.samples:
        return np.interp(levels, np.linspace(0, 1, len(transfer.samples)), transfer.samples).astype(levels.dtype)
    g, a, b, c, d, e, f = transfer.parameters
    curve = np.power(np.maximum(a * levels + b, 0), g) + e
    return np.where(levels >= d, curve, c * levels + f).astype(levels.dtype)


def _encode(light: Array, transfer: TransferFunction) -> Array:
    """The inverse of `_decode`; light that no level has becomes the nearest that one has."""
    if transfer.samples:
        return np.interp(light, transfer.samples, np.linspace(0, 1, len(transfer.samples))).astype(light.dtype)
    g, a, b, c, d, e, f = transfer.parameters
    curve = (np.power(np.maximum(light - e, 0), 1 / g) - b) / a
    below = (light - f) / c if c else np.full_like(light, d)
    return np.where(light >= max(a * d + b, 0) ** g + e, curve, below).astype(light.dtype)
