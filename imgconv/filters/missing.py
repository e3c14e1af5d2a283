"""Filters of images with missing cells: normalised convolution over the valid ones, and which results are missing.

A kernel whose sum is not zero gives sum(k*v over the valid cells) / sum(k over the valid cells) * sum(k) (Knutsson and Westin 1993,
as `astropy.convolution.convolve`). A kernel whose sum is zero gives a missing cell where a missing one is under a tap that is not 0: an
estimate would invent edges.
"""

from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np

from imgconv.arrays import Array
from imgconv.engine import compiled, parallel
from imgconv.filters.algorithms import correlator
from imgconv.filters.filter2d import BAND_BYTES, FilterArguments, ImageFilter, Output, in_strips, summed_dtype
from imgconv.filters.normalisation import MaskRows, MissingCells, Normaliser, Placed, Valid, is_zero_sum
from imgconv.filters.output_range import to_pixels
from imgconv.filters.weights import FilterKernel, Taps, Weights, anchor_of, pads_of
from imgconv.loops.filters import set_missing
from imgconv.modes import MissingMode, MissingRule, Range
from imgconv.window import Window
from imgconv.windows.borders import Border


def filter_missing(
    valid: Valid, rule: MissingRule, arguments: FilterArguments, threads: int | None = None, extremes: tuple[float, float] | None = None
) -> tuple[Array, Valid]:
    """One map as `filter_image` makes it, and its valid cells (h_out, w_out, C), 1 for valid and 0 for missing.

    `valid` (H, W, C) are those of the pixels, whose missing cells hold 0. Padded cells are missing where they repeat a missing cell; those
    of `zeros` and `constant` are valid. A combined map is missing where one of its maps is. The values of missing results are arbitrary.
    Range `minmax` stretches from the lowest to the highest valid value, or those of `extremes`.
    """

    def of_strip(strip: FilterArguments, columns: slice) -> tuple[Array, ...]:
        return run(np.ascontiguousarray(valid[:, columns]), strip)

    def run(valid: Valid, arguments: FilterArguments) -> tuple[Array, Valid]:
        filter, valid_out = _prepared(valid, rule, arguments, threads)
        return filter.run(threads, extremes), valid_out

    parts = in_strips(arguments, of_strip)
    return (parts[0], parts[1]) if parts else run(valid, arguments)


def measure_missing(
    valid: Valid, rule: MissingRule, arguments: FilterArguments, rows: slice, threads: int | None = None
) -> tuple[float, float] | None:
    """The lowest and highest valid value of some rows of a map, for range `minmax`; None without one."""
    filter, valid_out = _prepared(valid, rule, arguments, threads)
    valid_out[: rows.start] = valid_out[rows.stop :] = 0
    return filter.measured(threads)


def _prepared(valid: Valid, rule: MissingRule, arguments: FilterArguments, threads: int | None) -> tuple[ImageFilter, Valid]:
    """The filter of `filter_missing`, and the valid cells of its map."""
    pixels, kernels, window, border, output, _, alpha, flip, _ = arguments
    valid_out = _under_anchor(valid, kernels[0], window, rule.mode, flip=flip)
    dtype, placed = summed_dtype(pixels.dtype, linear=output.linear, premultiplied=alpha == "filter"), Placed(window, border, flip)
    whole = rule.mode is MissingMode.propagate  # a window counts with its zero taps, as for NaN
    normalisers = [
        None if whole or is_zero_sum(kernel.taps) else Normaliser(valid, kernel, dtype, placed, rule.min_valid, valid_out)
        for kernel in kernels
    ]
    footprints: dict[Any, Taps] = {}  # kernels of one place touch a missing cell where one of them does
    for kernel, normaliser in zip(kernels, normalisers, strict=True):
        if normaliser is None:
            place = kernel.taps.shape, kernel.anchor
            footprints[place] = footprints.get(place, 0) + np.where(whole, 1, kernel.taps != 0)
    for (_, anchor), taps in footprints.items():
        _remove_touched(valid, PlainKernel((taps > 0).astype(np.float64), anchor), placed, valid_out, threads)
    return ImageFilter(*arguments, missing=MissingCells(normalisers, valid_out)), valid_out


def correlate_missing(maps: Array, taps: Taps, window: Window, padding_mode: str | tuple[str, float], rule: MissingRule) -> Array:
    """One map (h_out, w_out) of maps (C, H, W) float32, whose missing cells and results are NaN, by taps (C, kh, kw)."""
    pixels = np.ascontiguousarray(maps.transpose(1, 2, 0))
    missing = np.isnan(pixels)
    kernel = PlainKernel(taps[0].astype(np.float64) if len(taps) == 1 else taps.astype(np.float64))
    known = np.where(missing, np.float32(0), pixels)
    arguments = FilterArguments(known, [kernel], window, Border.of(padding_mode), Output(Range.raw))
    values, valid_out = filter_missing((~missing).view(np.uint8), rule, arguments)
    return np.where(valid_out, values, np.float32(np.nan))[..., 0]


def without_missing(pixels: Array, valid: Valid, value: float = 0, *, target: Array | None = None, threads: int | None = None) -> Array:
    """A copy of `pixels` with `value` where `valid`, of the same shape, is 0 and not 1; or `target`, which may be `pixels`, filled with it.

    >>> without_missing(np.array([[1.5, np.nan, 3]]), np.array([[1, 0, 1]], np.uint8), -1)
    array([[ 1.5, -1. ,  3. ]])
    """
    target = np.empty(pixels.shape, pixels.dtype) if target is None else target
    bits: Any = np.dtype(f"u{target.itemsize}")
    filler = np.array([value], target.dtype).view(bits)
    rows, known = (each.reshape(len(target), -1) for each in (target.view(bits), valid))

    def fill(first: int, last: int) -> None:
        if target is not pixels:
            target[first:last] = pixels[first:last]
        compiled.loop(set_missing)(rows[first:last], known[first:last], filler)

    parallel.run_bands(fill, len(target), _rows_of_band(target), threads)
    return target


def all_of(cells: Array) -> Array:
    """Whether all channels of `cells` (H, W, C), 0 or 1, are 1, as (H, W, 1): a reduction along so short an axis takes ten times as long.

    >>> all_of(np.array([[[1, 0], [1, 1]]], np.uint8))
    array([[[0],
            [1]]], dtype=uint8)
    """
    return reduce(np.bitwise_and, (cells[..., c : c + 1] for c in range(cells.shape[2])))


def for_channels(cells: Array, channels: int) -> Array:
    """`cells` (H, W, 1 or C) repeated for `channels` channels, in C order; copies of `broadcast_to` take five times as long.

    >>> for_channels(np.array([[[0], [1]]]), 2)
    array([[[0, 0],
            [1, 1]]])
    """
    if cells.shape[2] == channels:
        return np.ascontiguousarray(cells)
    spread = np.empty((*cells.shape[:2], channels), cells.dtype)
    for c in range(channels):
        spread[..., c] = cells[..., 0]
    return spread


@dataclass(frozen=True)
class PlainKernel:
    """A kernel that is given by its taps and its anchor only."""

    taps: Taps
    anchor: tuple[int, int] | None = None
    divisor: float = 1.0
    offset: float = 0.0
    bias: float = 0.0


def _remove_touched(valid: Valid, footprint: FilterKernel, placed: Placed, valid_out: Valid, threads: int | None) -> None:
    """Set `valid_out` to 0 where a missing cell is under a tap of `footprint`, whose taps are 0 and 1."""
    mask, weights = MaskRows(valid, footprint, placed), Weights.of(footprint, valid.dtype, valid.shape[2], flip=placed.flip).over_mask()
    counter, rows = correlator(weights, placed.window, valid.shape[2]), valid_out.reshape(len(valid_out), -1)
    all_valid = to_pixels(weights, 1 - weights.bound, 1, absolute=False)  # 1 where the number of valid cells is that of the taps

    def work(first: int, last: int) -> None:
        band = mask.band(first, last)
        if not band.view(np.bool_).all():
            rows[first:last] &= mask.filled(counter, band, all_valid, valid.dtype)

    parallel.run_bands(work, len(rows), counter.rows(_rows_of_band(valid)), threads)


def _rows_of_band(cells: Array) -> int:
    return max(1, BAND_BYTES // max(cells[:1].nbytes, 1))


def _under_anchor(valid: Valid, kernel: FilterKernel, window: Window, mode: MissingMode, *, flip: bool) -> Valid:
    """Which results (h_out, w_out, C) are not missing for the cell under the kernel's anchor; all of them unless that matters."""
    size = valid.shape[:2]
    shape = *window.output_size(size), 1 if kernel.taps.ndim == 3 else valid.shape[2]
    if mode is not MissingMode.keep:
        return np.ones(shape, np.uint8)
    inside, cells = [], []
    for axis, (before, _) in enumerate(pads_of(kernel, window, size, flip=flip)):
        stride, offset = window.stride[axis], anchor_of(kernel, flip=flip)[axis] * window.dilation[axis] - before
        first, last = max(-(offset // stride), 0), min(-((offset - size[axis]) // stride), shape[axis])  # those over the image
        inside.append(slice(first, max(first, last)))
        cells.append(slice(max(first * stride + offset, 0), max(last * stride + offset - stride + 1, 0), stride))
    centre = valid[*cells] if shape[2] == valid.shape[2] else all_of(valid[*cells])
    if centre.shape == shape:
        return centre.copy()
    out = np.ones(shape, np.uint8)
    out[*inside] = centre
    return out
