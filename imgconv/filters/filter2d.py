"""Rows of an image in three parts: the middle, whose windows lie within the image's width, and the sides, which see padding.

The middle is most of an image and is read where it lies. Padded rows are made for the narrow sides alone.

Filtering of images (H, W, C), band by band from padded rows down to pixels.

Knows pixels, masks and windows; nothing of files, registries or command lines.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imgconv.engine import parallel
from imgconv.errors import DoesNotFit, UsageError
from imgconv.filters.algorithms import correlator
from imgconv.filters.color import to_linear, to_srgb, white
from imgconv.filters.output_range import Combination, Finishing, combine, to_pixels, to_values
from imgconv.filters.weights import FLOAT32_EXACT, Mask, Weights, anchor_of, pads_of
from imgconv.window import Window
from imgconv.windows.borders import Border, PaddedRows, elements, taken

WORTH = 4  # an image is at least so many times as wide as what its sides read, or all of its rows are padded instead
Part = tuple[PaddedRows, int]  # rows, and the first element of a target row that their windows give


class Sides:
    """The parts of `source` (H, W*C), padded by `pads`, for windows that are `reach` + 1 pixels wide and one pixel apart."""

    def __init__(self, source: NDArray[np.generic], pads: Sequence[tuple[int, int]], border: Border, channels: int, reach: int):
        (self._down, (self._left, self._right)), self._reach = pads, reach
        self._source, self._border, self._channels = source, border, channels
        self._width = source.shape[1] // channels
        border.check(self._width, self._left, self._right)
        self.middle: Part = self._part(source, self._left)

    @property
    def are_narrow(self) -> bool:
        """Whether taking the image apart is worth it."""
        return WORTH * (self._left + self._right + 2 * self._reach) <= self._width

    def outer(self) -> Iterator[Part]:
        """The two sides, where there are any."""
        for first, count in ((0, self._left), (self._left + self._width - self._reach, self._right)):
            if count:
                columns = self._border.sources(np.arange(first, first + count + self._reach) - self._left, self._width)
                yield self._part(taken(self._source, elements(columns, self._channels), self._border.value), first)

    def _part(self, rows: NDArray[np.generic], first: int) -> Part:
        return PaddedRows(rows, (self._down, (0, 0)), self._border, self._channels), first * self._channels


Array = NDArray[Any]
BAND_BYTES = 1 << 19  # padded rows of one band: half of a common second-level cache
MOST_BANDS = 12
VALUES_COST = 4  # times fewer rows where maps of values are made of them first


@dataclass(frozen=True)
class Finish:
    """What happens to sums on their way to pixels.

    `range` is clip, abs, offset, minmax or raw. `rounded` is false for float maps of whole-number images.
    """

    range: str = "clip"
    rounded: bool = True
    linear: bool = False


def filter_image(
    pixels: Array,
    masks: Sequence[Mask],
    window: Window,
    border: Border,
    finish: Finish,
    *,
    combination: Combination | None = None,
    alpha: str = "none",
    flip: bool = False,
    threads: int | None = None,
) -> Array:
    """One map (h_out, w_out, C) of an image (H, W, C): the correlation with one mask, or with several that are combined.

    `pixels` are uint8, uint16, float32 or float64. `alpha` says what the last channel is: `none` a colour like the others; `keep`
    alpha that stays as it is under the mask's anchor; `filter` alpha that weighs the colours and is filtered with them.
    The result has the dtype of `pixels`; float32 for range `raw` or unrounded results. Masks with (C, kh, kw) taps give one channel.
    Raises DoesNotFit where the border's constant is no level of whole-number pixels.
    """
    job = _Filter(pixels, masks, window, border, finish, combination or Combination(), alpha, flip)
    if finish.range == "minmax":
        job.measure(threads)
    return job.run(threads)


class _Filter:
    """One call of `filter_image`: everything that the bands share."""

    def __init__(
        self,
        pixels: Array,
        masks: Sequence[Mask],
        window: Window,
        border: Border,
        finish: Finish,
        combination: Combination,
        alpha: str,
        flip: bool,
    ):
        if len(masks) > 1 and combination.name == "none":
            raise UsageError("several kernels make one map only when they are combined; use max, sum or hypot")
        self.dtype, self.white = pixels.dtype, white(pixels.dtype)
        if self.dtype.kind == "u" and not (border.value.is_integer() and 0 <= border.value <= self.white):
            raise DoesNotFit(f"constant {border.value:g} is no level of this image; use a whole number from 0 to {self.white:g}")
        self.finish, self.combination, self.alpha = finish, combination, alpha
        self.size, self.channels = pixels.shape[:2], pixels.shape[2]
        self.window, self.masks = window, masks
        self.h_out, self.w_out = window.output_size(self.size)
        self.weights = [Weights.of(m, self._summed_dtype(), self.channels, flip=flip) for m in masks]
        self.correlators = [correlator(w, window, self.channels) for w in self.weights]
        self.pixels, self.anchor = pixels, anchor_of(masks[0], flip=flip)
        self.pads = [pads_of(m, window, self.size, flip=flip) for m in masks]
        self.channels_out = 1 if masks[0].taps.ndim == 3 else self.channels
        plain = combination.name == "none" and alpha != "filter"
        self.direct = plain and not finish.linear and finish.range != "minmax"  # sums become pixels without a map of values between
        self.sides = self._sides(border)
        rows = pixels.reshape(self.size[0], -1)
        self.sources = [] if self.sides else [PaddedRows(rows, pads, border, self.channels) for pads in self.pads]
        self.low, self.high = 0.0, 0.0

    def run(self, threads: int | None) -> Array:
        floats = self.finish.range == "raw" or not self.finish.rounded
        dtype = np.dtype(np.float32) if floats else self.dtype
        target = np.empty((self.h_out, self.w_out * self.channels_out), dtype)
        finishing = self._finishing(dtype) if self.direct else None

        def work(first: int, last: int) -> None:
            if finishing:
                self._fill_from_sums(first, last, target, finishing)
            else:
                self._fill_from_values(target[first:last], self._values(first, last))

        self._each_band(work, threads)
        image = target.reshape(self.h_out, self.w_out, self.channels_out)
        if self.alpha == "keep":
            image[..., -1] = self._alpha_under_anchor()
        return image

    def measure(self, threads: int | None) -> None:
        """Find the lowest and highest finite value of all colour channels, for range `minmax`."""
        found: list[float] = []

        def work(first: int, last: int) -> None:
            values = self._values(first, last).reshape(last - first, -1, self.channels_out)
            found.extend(_extremes(values if self.alpha == "none" else values[..., :-1]))

        self._each_band(work, threads)
        self.low, self.high = min(found, default=0.0), max(found, default=0.0)

    def _each_band(self, work: Callable[[int, int], None], threads: int | None) -> None:
        row_bytes = max(self.pixels[:1].nbytes * (1 if self.direct else VALUES_COST), 1)
        taller = self.window.span[0] // (2 * self.window.stride[0])  # a band pads span-1 rows of its own: keep that below twice its work
        least = -(-self.h_out // MOST_BANDS) if self.sides else 1  # nothing is copied: few bands cost less, and share as well
        rows = self.correlators[0].rows(max(BAND_BYTES // row_bytes, taller, least))
        parallel.run_bands(work, self.h_out, rows, threads)

    def _summed_dtype(self) -> np.dtype[Any]:
        """The dtype of the values that are summed: linear light is no whole number, premultiplied colour needs twice the bits."""
        if self.alpha == "filter":
            return np.dtype(np.uint16 if self.dtype == np.uint8 and not self.finish.linear else np.float64)
        return np.dtype(np.float32) if self.finish.linear and self.dtype.kind == "u" else self.dtype

    def _finishing(self, dtype: np.dtype[Any]) -> Finishing:
        """The way from sums straight to a target of `dtype`."""
        weights, absolute = self.weights[0], self.finish.range == "abs"
        offset = self._offset(self.masks[0]) + (self._levels(128) if self.finish.range == "offset" else 0)
        if dtype.kind == "u":
            return to_pixels(weights, offset, self.white, absolute=absolute)
        most = self.white if self.finish.range == "clip" and self.dtype.kind == "u" else np.inf
        kind = np.float32 if dtype == np.float32 and weights.bound < FLOAT32_EXACT else np.float64
        return to_values(weights, offset, np.dtype(kind), absolute=absolute, most=most)

    def _sides(self, border: Border) -> Sides | None:
        """The parts to filter one by one, without a padded copy of them all, where nothing else asks for a copy."""
        if not self.direct or self.alpha == "filter" or not self.correlators[0].in_place:
            return None
        rows, reach = self.pixels.reshape(self.size[0], -1), self.window.span[1] - 1
        sides = Sides(rows, self.pads[0], border, self.channels, reach)
        return sides if sides.are_narrow else None

    def _fill_from_sums(self, first: int, last: int, target: Array, finishing: Finishing) -> None:
        """Fill rows first..last of `target`; the first band fills all rows at the sides."""
        if self.sides is None:
            self._correlate(0, first, last, target[first:last], finishing)
            return
        fill, more = self.correlators[0].fill, self.window.span[0] - 1
        for source, left in self.sides.outer() if first == 0 else ():
            fill(source.band(0, self.h_out + more), target, finishing, left)
        source, left = self.sides.middle
        fill(source.band(first, last + more), target[first:last], finishing, left)

    def _correlate(self, index: int, first: int, last: int, target: Array, finishing: Finishing) -> None:
        """Fill `target` (last - first, w_out*channels_out) with what mask `index` makes of output rows first..last."""
        stride = self.window.stride[0]
        source: Array = self.sources[index].band(first * stride, (last - 1) * stride + self.window.span[0])
        if self.finish.linear:
            source = self._linear(source)
        if self.alpha == "filter":
            source = self._premultiplied(source)
        self.correlators[index].fill(source, target, finishing)

    def _linear(self, source: Array) -> Array:
        """Padded rows in linear light; alpha is no light and stays."""
        light = to_linear(source, self.dtype)
        if self.alpha != "none":
            light[:, self.channels - 1 :: self.channels] = source[:, self.channels - 1 :: self.channels]
        return light

    def _premultiplied(self, source: Array) -> Array:
        """Colour times alpha and alpha times white: all of one scale, so that white cancels out."""
        values = source.reshape(len(source), -1, self.channels).astype(self._summed_dtype())
        values[..., :-1] *= values[..., -1:]
        values[..., -1] *= values.dtype.type(self.white)
        return values.reshape(len(source), -1)

    def _values(self, first: int, last: int) -> NDArray[Any]:
        """Maps in the image's levels after divisor, offset and combination, before the range."""
        values = [self._one_map(i, first, last) for i in range(len(self.masks))]
        return combine(values, self.combination, self.white)

    def _one_map(self, index: int, first: int, last: int) -> NDArray[Any]:
        mask, weights = self.masks[index], self.weights[index]
        kind = np.dtype(np.float64) if self.alpha == "filter" else self._values_dtype(index)
        values = np.empty((last - first, self.w_out * self.channels_out), kind)
        if self.alpha == "filter":
            self._correlate(index, first, last, values, to_values(replace(weights, divisor=1.0), 0, kind))
            return self._unpremultiplied(values, weights, self._offset(mask))
        self._correlate(index, first, last, values, to_values(weights, self._offset(mask), kind))
        return values

    def _values_dtype(self, index: int) -> np.dtype[Any]:
        """float64, or float32 where that rounds nothing: whole values, also squared and summed. And for maps of one float32 mask."""
        weights, offset = self.weights[index], self._offset(self.masks[index])
        if self.combination.name == "none" and not weights.exact:
            return weights.accumulator
        largest = weights.bound + abs(offset)
        most = largest**2 if self.combination.name == "hypot" else largest
        whole = weights.exact and weights.divisor == 1 and float(offset).is_integer() and self.combination.name != "projection"
        return np.dtype(np.float32 if whole and self.finish.range != "minmax" and most * len(self.masks) < FLOAT32_EXACT else np.float64)

    def _offset(self, mask: Mask) -> float:
        return self._levels(mask.offset) + mask.bias

    def _unpremultiplied(self, sums: NDArray[np.float64], weights: Weights, offset: float) -> NDArray[np.float64]:
        """Colour and alpha of premultiplied sums; alpha is filtered with the mask scaled to sum 1, so that opaque stays opaque."""
        values = sums.reshape(len(sums), -1, self.channels)
        alpha = np.clip(values[..., -1] / (self.white * weights.taps.sum()), 0, self.white)
        seen = alpha > 0
        divisor = np.where(seen, alpha, 1) * weights.divisor
        for channel in range(self.channels - 1):
            colour = values[..., channel] / divisor
            colour += offset
            values[..., channel] = colour * seen
        values[..., -1] = alpha
        return values.reshape(len(sums), -1)

    def _levels(self, offset: float) -> float:
        """An offset of 8-bit levels in the image's: 128 is 32768 at 16 bits and 0.5 for floats."""
        if self.dtype == np.uint16:
            return offset * 256
        return offset if self.dtype == np.uint8 else offset / 256

    def _fill_from_values(self, target: Array, values: NDArray[Any]) -> None:
        shown = values.reshape(len(values), -1, self.channels_out)
        colours = shown if self.alpha == "none" else shown[..., :-1]
        if self.finish.range != "clip" or self.finish.linear:
            colours[...] = self._ranged(colours)
        if target.dtype.kind == "u" or (self.finish.range == "clip" and self.dtype.kind == "u"):
            np.fmax(values, 0, out=values)  # and NaN becomes 0
            np.minimum(values, self.white, out=values)
        target[...] = np.rint(values, out=values) if target.dtype.kind == "u" else values

    def _ranged(self, values: NDArray[Any]) -> NDArray[Any]:
        range_ = self.finish.range
        if range_ == "abs":
            return np.abs(values)
        if range_ == "offset":
            return values + values.dtype.type(self._levels(128))
        if range_ == "minmax":
            span = self.high - self.low
            return (values - values.dtype.type(self.low)) * values.dtype.type(self.white) / values.dtype.type(span or 1)
        return to_srgb(values, self.white) if range_ == "clip" else values

    def _alpha_under_anchor(self) -> Array:
        """Source alpha (h_out, w_out) at the pixels that the anchor of the first mask falls on."""
        (top, _), (left, _) = self.pads[0]
        at = []
        for axis, (before, out) in enumerate(((top, self.h_out), (left, self.w_out))):
            cells = np.arange(out) * self.window.stride[axis] + self.anchor[axis] * self.window.dilation[axis] - before
            at.append(np.clip(cells, 0, self.size[axis] - 1))
        return self.pixels[..., -1][np.ix_(*at)]


def _extremes(values: NDArray[Any]) -> tuple[float, ...]:
    """The lowest and highest finite value; nothing where there is none."""
    low, high = float(values.min()), float(values.max())
    if isfinite(low) and isfinite(high):
        return low, high
    finite = values[np.isfinite(values)]
    return (float(finite.min()), float(finite.max())) if finite.size else ()
