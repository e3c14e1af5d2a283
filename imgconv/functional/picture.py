"""Filtering of pictures (H, W, C), band by band from padded rows down to pixels.

Knows pixels, masks and windows; nothing of files, registries or command lines.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imgconv.engine import bands, store
from imgconv.errors import UsageError
from imgconv.functional.borders import Border, PaddedRows
from imgconv.functional.light import to_linear, to_srgb, white
from imgconv.functional.masks import Mask, TapTable, pads_of, tap_table
from imgconv.loops.correlation import correlate_taps
from imgconv.loops.ranges import ABS, CLIP, SCALE, sums_to_pixels, whole_sums_to_pixels
from imgconv.window import Window

Array = NDArray[Any]
BAND_BYTES = 1 << 18  # sums of one band: a quarter of a common second-level cache (measured 2026-11-20: 128 KiB to 512 KiB are alike)
FLOAT32_EXACT = 1 << 24


@dataclass(frozen=True)
class Finish:
    """What happens to sums on their way to pixels.

    `range` is clip, abs, offset, minmax or raw. `rounded` is false for float maps of whole-number pictures.
    """

    range: str = "clip"
    rounded: bool = True
    linear: bool = False


@dataclass(frozen=True)
class Combination:
    """How the maps of several masks become one: none, hypot, max, sum, or projection on what the first `subspace` masks span."""

    name: str = "none"
    subspace: int = 0


def filter_picture(
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
    """One map (h_out, w_out, C) of a picture (H, W, C): the correlation with one mask, or with several that are combined.

    `pixels` are uint8, uint16, float32 or float64. `alpha` says what the last channel is: `none` a colour like the others; `keep`
    alpha that stays as it is under the mask's anchor; `filter` alpha that weighs the colours and is filtered with them.
    The result has the dtype of `pixels`; float32 for range `raw` or unrounded results. Masks with (C, kh, kw) taps give one channel.
    """
    job = _Filter(pixels, masks, window, border, finish, combination or Combination(), alpha, flip)
    if finish.range == "minmax":
        job.measure(threads)
    return job.run(threads)


class _Filter:
    """One call of `filter_picture`: everything that the bands share."""

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
        self.finish, self.combination, self.alpha = finish, combination, alpha
        self.size, self.channels = pixels.shape[:2], pixels.shape[2]
        self.window, self.masks = window, masks
        self.h_out, self.w_out = window.output_size(self.size)
        as_whole = self.dtype if not finish.linear else np.dtype(np.float32)
        self.tables = [tap_table(m, window, self.channels, as_whole, flip=flip) for m in masks]
        if alpha == "filter":
            self.tables = [replace(t, weights=t.weights.astype(np.float64)) for t in self.tables]
        rows = pixels.reshape(self.size[0], -1)
        self.sources = [PaddedRows(rows, pads_of(m, window, self.size, flip=flip), border, self.channels) for m in masks]
        self.pixels, self.anchors = pixels, [pads_of(m, window, self.size, flip=flip) for m in masks]
        self.channels_out = self.tables[0].channels_out
        self.low, self.high = 0.0, 0.0

    def run(self, threads: int | None) -> Array:
        floats = self.finish.range == "raw" or not self.finish.rounded
        dtype = np.dtype(np.float32) if floats and self.dtype.kind == "u" else self.dtype
        target = np.empty((self.h_out, self.w_out * self.channels_out), dtype)

        def work(first: int, last: int) -> None:
            self._fill(target[first:last], first, last)

        self._each_band(work, threads)
        picture = target.reshape(self.h_out, self.w_out, self.channels_out)
        if self.alpha == "keep":
            picture[..., -1] = self._alpha_under_anchor()
        return picture

    def measure(self, threads: int | None) -> None:
        """Find the lowest and highest value of all colour channels, for range `minmax`."""
        lows, highs = [], []

        def work(first: int, last: int) -> None:
            values = self._values(first, last).reshape(last - first, -1, self.channels_out)
            colours = values if self.alpha == "none" else values[..., :-1]
            lows.append(float(colours.min()))
            highs.append(float(colours.max()))

        self._each_band(work, threads)
        self.low, self.high = min(lows), max(highs)

    def _each_band(self, work: Callable[[int, int], None], threads: int | None) -> None:
        row_bytes = max(self.w_out * self.channels_out * self.tables[0].weights.itemsize, 1)
        taller = self.window.span[0] // (2 * self.window.stride[0])  # a band pads span-1 rows of its own: keep that below twice its work
        bands.run_bands(work, self.h_out, max(BAND_BYTES // row_bytes, taller, 1), threads)

    def _fill(self, target: Array, first: int, last: int) -> None:
        plain = len(self.masks) == 1 and self.alpha != "filter" and not self.finish.linear and target.dtype.kind == "u"
        if plain and self.combination.name == "none":
            self._fill_from_sums(target, self._sums(0, first, last))
        else:
            self._fill_from_values(target, self._values(first, last))

    def _sums(self, index: int, first: int, last: int) -> Array:
        """Sums of mask `index` for output rows first..last, (rows, w_out*channels_out), in the table's accumulator."""
        table, stride = self.tables[index], self.window.stride[0]
        source = self.sources[index].band(first * stride, (last - 1) * stride + self.window.span[0])
        if self.finish.linear:
            source = self._linear(source)
        if self.alpha == "filter":
            source = self._premultiplied(source)
        return self._correlate(source, table, last - first, stride)

    def _correlate(self, source: Array, table: TapTable, rows: int, stride: int) -> Array:
        sums = np.zeros((rows, self.w_out * table.channels_out), table.weights.dtype)
        store.loop(correlate_taps)(source, table.rows, table.columns, table.weights, sums, stride, table.step, table.channels_out)
        return sums

    def _linear(self, source: Array) -> Array:
        """Padded rows in linear light; alpha is no light and stays."""
        light = to_linear(source, self.dtype)
        if self.alpha != "none":
            light[:, self.channels - 1 :: self.channels] = source[:, self.channels - 1 :: self.channels]
        return light

    def _premultiplied(self, source: Array) -> NDArray[np.float64]:
        """Colour times alpha and alpha times white: all of one scale, so that white cancels out."""
        values = source.reshape(len(source), -1, self.channels).astype(np.float64)
        values[..., :-1] *= values[..., -1:]
        values[..., -1] *= self.white
        return values.reshape(len(source), -1)

    def _values(self, first: int, last: int) -> NDArray[Any]:
        """Maps in the picture's levels after divisor, offset and combination, before the range."""
        values = [self._one_map(i, first, last) for i in range(len(self.masks))]
        return combine(values, self.combination, self.white)

    def _one_map(self, index: int, first: int, last: int) -> NDArray[Any]:
        mask, sums = self.masks[index], self._sums(index, first, last)
        offset = self._levels(mask.offset) + mask.bias
        if self.alpha == "filter":
            return self._unpremultiplied(sums.astype(np.float64, copy=False), mask, offset)
        values: Array = sums.astype(np.float32 if sums.dtype == np.float32 else np.float64)
        values /= mask.divisor
        values += offset
        return values

    def _unpremultiplied(self, sums: NDArray[np.float64], mask: Mask, offset: float) -> NDArray[np.float64]:
        """Colour and alpha of premultiplied sums; alpha is filtered with the mask scaled to sum 1, so that opaque stays opaque."""
        values = sums.reshape(len(sums), -1, self.channels)
        alpha = np.clip(values[..., -1] / (self.white * mask.taps.sum()), 0, self.white)
        seen = np.where(alpha > 0, alpha, 1)[..., None]
        values[..., :-1] = np.where(alpha[..., None] > 0, values[..., :-1] / (mask.divisor * seen) + offset, 0)
        values[..., -1] = alpha
        return values.reshape(len(sums), -1)

    def _levels(self, offset: float) -> float:
        """An offset of 8-bit levels in the picture's: 128 is 32768 at 16 bits and 0.5 for floats."""
        if self.dtype == np.uint16:
            return offset * 256
        return offset if self.dtype == np.uint8 else offset / 256

    def _fill_from_sums(self, target: Array, sums: Array) -> None:
        """The quick way for whole-number pictures: one compiled pass from sums to pixels."""
        mask, range_ = self.masks[0], self.finish.range
        mode = {"abs": ABS, "minmax": SCALE}.get(range_, CLIP)
        offset = self._levels(mask.offset) + mask.bias + (self._levels(128) if range_ == "offset" else 0)
        if mode != SCALE and sums.dtype == np.int32 and mask.divisor == 1 and offset == int(offset) and abs(offset) < FLOAT32_EXACT:
            whole = np.array([offset, self.white], sums.dtype)
            store.loop(whole_sums_to_pixels)(sums, whole, mode, target)
            return
        real = np.float32 if mode != SCALE and (sums.dtype == np.float32 or self._fits_float32(mask)) else np.float64
        parameters = np.array([mask.divisor, offset, self.low, self.high - self.low, self.white], real)
        store.loop(sums_to_pixels)(sums, parameters, mode, target)

    def _fits_float32(self, mask: Mask) -> bool:
        """Whether sum/divisor rounds alike in float32 and exactly: sums below 2**24, and ties that float32 can tell from their like."""
        largest = float(np.abs(mask.taps).sum()) * self.white
        return self.dtype == np.uint8 and largest < FLOAT32_EXACT and abs(mask.divisor) < 1 << 14 and mask.offset + mask.bias == int(mask.offset + mask.bias)

    def _fill_from_values(self, target: Array, values: NDArray[Any]) -> None:
        shown = values.reshape(len(values), -1, self.channels_out)
        colours = shown if self.alpha == "none" else shown[..., :-1]
        colours[...] = self._ranged(colours)
        if target.dtype.kind == "u":
            target[...] = np.rint(np.clip(np.nan_to_num(values, posinf=self.white), 0, self.white))
        else:
            target[...] = values

    def _ranged(self, values: NDArray[Any]) -> NDArray[Any]:
        range_ = self.finish.range
        if range_ == "abs":
            return np.abs(values)
        if range_ == "offset":
            return values + values.dtype.type(self._levels(128))
        if range_ == "minmax":
            span = self.high - self.low
            return (values - values.dtype.type(self.low)) * values.dtype.type(self.white) / values.dtype.type(span or 1)
        if range_ == "clip" and self.finish.linear:
            return to_srgb(values, self.white)
        return np.clip(values, 0, self.white) if range_ == "clip" and self.dtype.kind == "u" else values

    def _alpha_under_anchor(self) -> Array:
        """Source alpha (h_out, w_out) at the pixels that the anchor of the first mask falls on."""
        mask, ((top, _), (left, _)) = self.masks[0], self.anchors[0]
        at = []
        for axis, (before, out) in enumerate(((top, self.h_out), (left, self.w_out))):
            k = mask.taps.shape[-2 + axis]
            anchor = mask.anchor[axis] if mask.anchor is not None else (k - 1) // 2
            cells = np.arange(out) * self.window.stride[axis] + anchor * self.window.dilation[axis] - before
            at.append(np.clip(cells, 0, self.size[axis] - 1))
        return self.pixels[..., -1][np.ix_(*at)]


def combine(maps: Sequence[NDArray[Any]], combination: Combination, top: float) -> NDArray[Any]:
    """One map of several of the same shape: of absolute values (`max`, `sum`) or squares (`hypot`, `projection`).

    `projection` gives top * sqrt(sum of the first `subspace` squares / sum of all), 0 where all are 0 (Frei and Chen 1977).
    """
    if combination.name == "none":
        return maps[0]
    if combination.name == "max":
        return np.maximum.reduce([np.abs(m) for m in maps])
    if combination.name == "sum":
        return np.add.reduce([np.abs(m) for m in maps])
    squares = [np.square(m, dtype=np.float64) for m in maps]
    if combination.name == "hypot":
        return np.sqrt(np.add.reduce(squares))
    whole = np.add.reduce(squares)
    inside = np.add.reduce(squares[: combination.subspace])
    return top * np.sqrt(np.divide(inside, whole, out=np.zeros_like(whole), where=whole > 0))
