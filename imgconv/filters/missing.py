"""Filters of images with missing cells: normalised convolution over the valid ones, and which results are missing.

A kernel whose sum is not zero gives sum(k*v over the valid cells) / sum(k over the valid cells) * sum(k) (Knutsson and Westin 1993,
as `astropy.convolution.convolve`). A kernel whose sum is zero gives a missing cell where a missing one is under a tap that is not 0: an
estimate would invent edges.
"""

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from imgconv.arrays import Array
from imgconv.engine import parallel
from imgconv.filters.algorithms import Correlator, correlator
from imgconv.filters.filter2d import BAND_BYTES, FilterArguments, ImageFilter, Output, in_strips, summed_dtype
from imgconv.filters.normalisation import MaskRows, MissingCells, Normaliser, Placed, is_zero_sum
from imgconv.filters.output_range import to_pixels
from imgconv.filters.valid_cells import Valid, all_of, for_channels, narrowed, repeated, without_missing
from imgconv.filters.weights import FilterKernel, Taps, Weights, anchor_of, pads_of
from imgconv.modes import MissingMode, MissingRule, Range
from imgconv.window import Window
from imgconv.windows.borders import Border, Part


def filter_missing(valid: Valid, rule: MissingRule, arguments: FilterArguments, threads: int | None = None) -> tuple[Array, Valid]:
    """One map as `filter_image` makes it, and its valid cells (h_out, w_out, C), 1 for valid and 0 for missing.

    `valid` (H, W, C) are those of the pixels; the values of missing cells and results are arbitrary. Padded cells are missing where they
    repeat a missing cell; those of `zeros` and `constant` are valid. A combined map is missing where one of its maps is. Range `minmax`
    stretches from the lowest to the highest valid value.
    """

    def of_strip(strip: FilterArguments, columns: slice) -> tuple[Array, ...]:
        return run(valid[:, columns], strip)

    def run(valid: Valid, arguments: FilterArguments) -> tuple[Array, Valid]:
        filter = missing_filter(valid, rule, arguments, threads)
        return filter.run(threads), valid_results(filter)

    parts = in_strips(arguments, of_strip)
    return (parts[0], parts[1]) if parts else run(valid, arguments)


def missing_filter(
    valid: Valid, rule: MissingRule, arguments: FilterArguments, threads: int | None = None, part: Part | None = None
) -> ImageFilter:
    """The filter of `filter_missing`; with a `part`, `valid` and the pixels are those rows of a taller image that it needs."""
    pixels, kernels, window, border, output, _, alpha, flip, stored = arguments
    height, width, channels = pixels.shape
    part = part or Part(height, 0, 0, window.output_size((height, width))[0])
    valid = narrowed(valid) if kernels[0].taps.ndim == 2 else repeated(valid, channels, threads)
    placed = Placed(window, border, flip, part)
    valid_out = _under_anchor(valid, kernels[0], placed, rule.mode)
    dtype = summed_dtype(pixels.dtype, linear=output.linear, premultiplied=alpha == "filter", stored=stored)
    whole = rule.mode is MissingMode.propagate  # a window counts with its zero taps, as for NaN
    normalisers = [
        None if whole or is_zero_sum(kernel.taps) else Normaliser(valid, kernel, dtype, placed, rule.min_valid, valid_out, channels)
        for kernel in kernels
    ]
    footprints: dict[Any, Taps] = {}  # kernels of one place touch a missing cell where one of them does
    for kernel, normaliser in zip(kernels, normalisers, strict=True):
        if normaliser is None:
            place = kernel.taps.shape, kernel.anchor
            footprints[place] = footprints.get(place, 0) + np.where(whole, 1, kernel.taps != 0)
    for (_, anchor), taps in footprints.items():
        _remove_touched(valid, PlainKernel((taps > 0).astype(np.float64), anchor), placed, valid_out, threads)
    filter = ImageFilter(*arguments, part, MissingCells(normalisers, valid_out))
    plain = (each for each, normaliser in zip(zip(kernels, filter.correlators, strict=True), normalisers, strict=True) if not normaliser)
    if any(_spreads(*each, dtype) for each in plain):
        known = without_missing(pixels, for_channels(valid, channels), threads=threads)
        filter = ImageFilter(known, *arguments[1:], part, filter.missing)
    return filter


def _spreads(kernel: FilterKernel, correlator: Correlator, dtype: np.dtype[Any]) -> bool:
    """Whether what a cell holds affects sums in which its tap is 0: by the rounding of a transform, or since 0 times NaN is NaN."""
    return correlator.transforms or (dtype.kind == "f" and not kernel.taps.all())


def valid_results(filter: ImageFilter) -> Valid:
    """The valid cells (rows, w_out, C) of the map of a `missing_filter` that has run."""
    assert filter.missing is not None
    return for_channels(filter.missing.valid, filter.channels_out)


def correlate_missing(maps: Array, taps: Taps, window: Window, padding_mode: str | tuple[str, float], rule: MissingRule) -> Array:
    """One map (h_out, w_out) of maps (C, H, W) float32, whose missing cells and results are NaN, by taps (C, kh, kw)."""
    pixels = np.ascontiguousarray(maps.transpose(1, 2, 0))
    missing = np.isnan(pixels)
    kernel = PlainKernel(taps[0].astype(np.float64) if len(taps) == 1 else taps.astype(np.float64))
    known = np.where(missing, np.float32(0), pixels)
    arguments = FilterArguments(known, [kernel], window, Border.of(padding_mode), Output(Range.raw))
    values, valid_out = filter_missing((~missing).view(np.uint8), rule, arguments)
    return np.where(valid_out, values, np.float32(np.nan))[..., 0]


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
    channels = valid.shape[2]
    mask, weights = MaskRows(valid, footprint, placed), Weights.of(footprint, valid.dtype, channels, flip=placed.flip).over_mask()
    counter, rows = correlator(weights, placed.window, channels), valid_out.reshape(len(valid_out), prod(valid_out.shape[1:]))
    all_valid = to_pixels(weights, 1 - weights.bound, 1, absolute=False)  # 1 where the number of valid cells is that of the taps

    def work(first: int, last: int) -> None:
        band = mask.band(placed.part.first + first, placed.part.first + last)
        if not band.view(np.bool_).all():
            rows[first:last] &= mask.filled(counter, band, channels, all_valid, valid.dtype)

    parallel.run_bands(work, len(rows), counter.rows(max(1, BAND_BYTES // max(valid[:1].nbytes, 1))), threads)


def _under_anchor(valid: Valid, kernel: FilterKernel, placed: Placed, mode: MissingMode) -> Valid:
    """Which results (rows, w_out, C) are not missing for the cell under the kernel's anchor; all of them unless that matters."""
    window, part = placed.window, placed.part
    size = part.height, valid.shape[1]
    outputs = (part.first, part.last), (0, window.output_size(size)[1])
    shape = part.last - part.first, outputs[1][1], 1 if kernel.taps.ndim == 3 else valid.shape[2]
    if mode is not MissingMode.keep:
        return np.ones(shape, np.uint8)
    inside, cells = [], []
    for axis, (before, _) in enumerate(pads_of(kernel, window, size, flip=placed.flip)):
        stride, offset = window.stride[axis], anchor_of(kernel, flip=placed.flip)[axis] * window.dilation[axis] - before
        start, stop = outputs[axis]
        first, last = max(-(offset // stride), start), min(-((offset - size[axis]) // stride), stop)  # those over the image
        last = max(first, last)
        inside.append(slice(first - start, last - start))
        begin = first * stride + offset - (part.begin if axis == 0 else 0)
        cells.append(slice(max(begin, 0), max(begin + (last - first - 1) * stride + 1, 0), stride))
    centre = valid[*cells] if shape[2] == valid.shape[2] else all_of(valid[*cells])
    if centre.shape == shape:
        return centre.copy()
    out = np.ones(shape, np.uint8)
    out[*inside] = centre
    return out
