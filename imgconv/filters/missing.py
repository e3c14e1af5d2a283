"""Filters of images with missing cells: normalised convolution over the valid ones, and which results are missing.

A kernel whose sum is not zero gives sum(k*v over the valid cells) / sum(k over the valid cells) * sum(k) (Knutsson and Westin 1993,
as `astropy.convolution.convolve`). A kernel whose sum is zero gives a missing cell where a missing one is under a tap that is not 0: an
estimate would invent edges.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imgconv.arrays import Array
from imgconv.engine import compiled, parallel
from imgconv.filters.algorithms import Correlator, correlator
from imgconv.filters.filter2d import BAND_BYTES, FilterArguments, ImageFilter, Output, filter_image, summed_dtype
from imgconv.filters.output_range import LoopParameters, to_pixels, to_values
from imgconv.filters.weights import FLOAT32_EXACT, FilterKernel, Taps, Weights, anchor_of, pads_of
from imgconv.loops.filters import normalise
from imgconv.modes import MissingMode, MissingRule, Range
from imgconv.window import Window
from imgconv.windows.borders import Border, PaddedRows

ROUNDING = 1e-7  # of the sum of absolute taps: a smaller sum of taps is 0 within the rounding of float32 weights
FOURIER_ROUNDING = 1e-9  # the same where no tap is negative: the rounding of transforms, which leave a rest of cells that are missing
SHARE_ROUNDING = 1e-6
Valid = NDArray[np.uint8]


def filter_missing(valid: Valid, rule: MissingRule, arguments: FilterArguments, threads: int | None = None) -> tuple[Array, Valid]:
    """One map as `filter_image` makes it, and its valid cells (h_out, w_out, C), 1 for valid and 0 for missing.

    `valid` (H, W, C) are those of the pixels, whose missing cells hold 0. Padded cells are missing where they repeat a missing cell; those
    of `zeros` and `constant` are valid. A combined map is missing where one of its maps is. The values of missing results are arbitrary.
    """
    pixels, kernels, window, border, output, _, alpha, flip = arguments
    valid_out = _under_anchor(valid, kernels[0], window, rule.mode, flip=flip)
    normalisers: list[Normaliser | None] = []
    for kernel in kernels:
        if rule.mode is MissingMode.propagate or is_zero_sum(kernel.taps):
            whole = rule.mode is MissingMode.propagate  # a window counts with its zero taps, as for NaN
            footprint = PlainKernel(np.where(whole, 1.0, kernel.taps != 0), kernel.anchor)
            touched = filter_image(1 - valid, [footprint], window, Border(border.mode), Output(), flip=flip, threads=threads)
            valid_out &= touched == 0
            normalisers.append(None)
        else:
            dtype = summed_dtype(pixels.dtype, linear=output.linear, premultiplied=alpha == "filter")
            normalisers.append(Normaliser(valid, kernel, dtype, Placed(window, border, flip), rule.min_valid, valid_out))
    return ImageFilter(*arguments, missing=MissingCells(normalisers, valid_out)).run(threads), valid_out


def correlate_missing(maps: Array, taps: Taps, window: Window, padding_mode: str | tuple[str, float], rule: MissingRule) -> Array:
    """One map (h_out, w_out) of maps (C, H, W) float32, whose missing cells and results are NaN, by taps (C, kh, kw)."""
    pixels = np.ascontiguousarray(maps.transpose(1, 2, 0))
    missing = np.isnan(pixels)
    kernel = PlainKernel(taps[0].astype(np.float64) if len(taps) == 1 else taps.astype(np.float64))
    known = np.where(missing, np.float32(0), pixels)
    arguments = FilterArguments(known, [kernel], window, Border.of(padding_mode), Output(Range.raw))
    values, valid_out = filter_missing((~missing).view(np.uint8), rule, arguments)
    return np.where(valid_out, values, np.float32(np.nan))[..., 0]


def without_missing(pixels: Array, valid: Valid, threads: int | None = None) -> Array:
    """A copy of `pixels` (H, W, C) with 0 where `valid` (H, W, C or 1) is 0, and not 1."""
    copy = np.empty_like(pixels)
    source, target = (each.view(f"u{pixels.itemsize}") for each in (pixels, copy))

    def fill(first: int, last: int) -> None:
        np.multiply(source[first:last], valid[first:last], out=target[first:last])

    parallel.run_bands(fill, len(pixels), _rows_of_band(pixels), threads)
    return copy


def set_missing(cells: Array, valid: Valid, value: float, threads: int | None = None) -> None:
    """Set the cells where `valid` is 0, and not 1, to a value, by arithmetic on their bits: branches take five times as long.

    >>> cells = np.array([1.5, np.nan, 3])
    >>> set_missing(cells, np.array([1, 0, 1], np.uint8), -1)
    >>> cells
    array([ 1.5, -1. ,  3. ])
    """
    bits: Array = cells.view(f"u{cells.itemsize}")
    filler = np.array(value, cells.dtype).view(bits.dtype)

    def fill(first: int, last: int) -> None:
        band = bits[first:last]
        band -= filler
        band *= valid[first:last]
        band += filler

    parallel.run_bands(fill, len(cells), _rows_of_band(cells), threads)


def is_zero_sum(taps: Taps) -> bool:
    """Whether the sum of a kernel's taps is 0 within rounding.

    >>> is_zero_sum(np.array([[-1.0, 0, 1]])), is_zero_sum(np.array([[-1.0, 3, -1]]))
    (True, False)
    """
    return abs(float(taps.sum())) <= ROUNDING * float(np.abs(taps).sum())


def _rows_of_band(cells: Array) -> int:
    return max(1, BAND_BYTES // max(cells[:1].nbytes, 1))


@dataclass(frozen=True)
class MissingCells:
    """What `ImageFilter` needs: how the sums of each kernel are normalised (None: they are not), and the valid results so far."""

    normalisers: Sequence["Normaliser | None"]
    valid: Valid


@dataclass(frozen=True)
class Placed:
    """How a kernel moves over an image: its window, the border around the image, and whether it is turned by 180 degrees."""

    window: Window
    border: Border
    flip: bool


@dataclass(frozen=True)
class PlainKernel:
    """Taps alone, and the cell on the output pixel."""

    taps: Taps
    anchor: tuple[int, int] | None = None
    divisor: float = 1.0
    offset: float = 0.0
    bias: float = 0.0


class Normaliser:
    """Sums of one kernel over the valid cells of an image, each divided by the sum of the taps that are over valid cells.

    A band of rows and its part of the mask, a byte for each cell, go through the loop of the kernel one after the other, and both sums are
    divided while they are in the cache. Where a band has no missing cell, the sums are pixels at once: those of a window without missing
    cells are the same either way, to the last bit. `weights` and `correlator` are those of the sums.
    """

    def __init__(self, valid: Valid, kernel: FilterKernel, dtype: np.dtype[Any], placed: Placed, least: float, valid_out: Valid):
        height, width, channels = valid.shape
        self._window, self._least = placed.window, least
        self._channels, self._each = channels, kernel.taps.ndim == 2
        weights = Weights.of(kernel, dtype, channels, flip=placed.flip)
        total, self._size = float(weights.taps.sum()), float(np.abs(weights.taps).sum())
        one_sign = abs(total) >= self._size * (1 - ROUNDING)
        if not (one_sign or weights.exact):  # sums that nearly cancel each other need more digits
            weights = replace(weights, accumulator=np.dtype(np.float64))
        self.correlator = correlator(weights, placed.window, channels)
        self._kind = np.dtype(np.float32 if weights.accumulator == np.float32 or weights.bound < FLOAT32_EXACT else np.float64)
        self._sums = to_values(replace(weights, divisor=1.0), 0, self._kind)
        self._is_stable = weights.exact or not self.correlator.transforms  # equal windows give equal sums
        rounding = FOURIER_ROUNDING if one_sign else ROUNDING
        limit = 0.0 if weights.exact or (one_sign and not self.correlator.transforms) else rounding * self._size
        self._scale = np.array([self._whole_weight() if self._is_stable else total, limit])
        self._sizes = None if one_sign or least <= 0 else correlator(replace(weights, taps=np.abs(weights.taps)), placed.window, channels)
        rows = valid.reshape(height, width * channels)
        one = Border(placed.border.mode, 1.0)  # what zeros and constant add is valid
        self._source = PaddedRows(rows, pads_of(kernel, placed.window, (height, width), flip=placed.flip), one, channels)
        self._valid_out = valid_out.reshape(len(valid_out), -1)
        self._exact = replace(weights, bound=abs(total) * weights.bound, accumulator=np.dtype(np.float64)) if weights.exact else None
        # a quotient of exact sums has a rounding of its own
        self.weights = replace(weights, exact=False, accumulator=np.dtype(np.float64)) if weights.exact else weights

    def to_pixels(self, offset: float, largest: float, *, absolute: bool) -> LoopParameters:
        """The parameters for whole numbers, as `to_pixels`; a quotient of exact sums is one of whole numbers as far as both are small."""
        if self._exact is None:
            return to_pixels(self.weights, offset, largest, absolute=absolute)
        divisor = self._exact.divisor
        values, _ = to_pixels(replace(self._exact, divisor=divisor * self._size), offset, largest, absolute=absolute)
        values[0] = divisor
        return LoopParameters(values, int(divisor != 1))

    def fill(self, band: Callable[[], Array], target: Array, parameters: LoopParameters, first: int, last: int) -> None:
        """Fill `target` with rows first..last of sum(k*v) / sum(k) over the valid cells times sum(k), and record missing ones.

        `band()` gives the padded rows behind them.
        """
        rows = first * self._window.stride[0], (last - 1) * self._window.stride[0] + self._window.span[0]
        mask: Array = self._source.band(*rows)
        if self._is_stable and mask.all():
            self.correlator.fill(band(), target, parameters)
            return
        sums, weights = (self._filled(self.correlator, each) for each in (band(), mask))
        if self._least > 0:
            sizes = self._filled(self._sizes, mask) if self._sizes else np.abs(weights)
            weights[sizes < (self._least - SHARE_ROUNDING) * self._size] = 0
        loop = compiled.loop(normalise, divided=parameters.divided)
        loop(sums, weights, self._scale, parameters.values, target, self._valid_out[first:last])

    def _filled(self, correlator: Correlator, source: Array) -> Array:
        height, width = (
            (cells - span) // stride + 1
            for cells, span, stride in zip(
                (len(source), source.shape[1] // self._channels), self._window.span, self._window.stride, strict=True
            )
        )
        target = np.empty((height, width * (self._channels if self._each else 1)), self._kind)
        correlator.fill(source, target, self._sums)
        return target

    def _whole_weight(self) -> float:
        """The weight of a window without missing cells, as the correlator rounds it."""
        down, across = self._window.span
        return float(self._filled(self.correlator, np.ones((down, across * self._channels), np.uint8))[0, 0])


def _under_anchor(valid: Valid, kernel: FilterKernel, window: Window, mode: MissingMode, *, flip: bool) -> Valid:
    """Which results (h_out, w_out, C) are not missing for the cell under the kernel's anchor; all of them unless that matters."""
    size = valid.shape[:2]
    out = np.ones((*window.output_size(size), 1 if kernel.taps.ndim == 3 else valid.shape[2]), np.uint8)
    if mode is not MissingMode.keep:
        return out
    inside, cells = [], []
    for axis, (before, _) in enumerate(pads_of(kernel, window, size, flip=flip)):
        stride, offset = window.stride[axis], anchor_of(kernel, flip=flip)[axis] * window.dilation[axis] - before
        first, last = max(-(offset // stride), 0), min(-((offset - size[axis]) // stride), out.shape[axis])  # those over the image
        inside.append(slice(first, max(first, last)))
        cells.append(slice(max(first * stride + offset, 0), max(last * stride + offset - stride + 1, 0), stride))
    centre = valid[*cells]
    out[*inside] = centre if out.shape[2] == centre.shape[2] else centre.min(axis=2, keepdims=True)
    return out
