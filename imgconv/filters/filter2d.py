"""Filtering of images (H, W, C), band by band from padded rows to pixels."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from imgconv.arrays import Array
from imgconv.engine import compiled, parallel
from imgconv.errors import UsageError
from imgconv.filters.algorithms import correlator
from imgconv.filters.alpha import AlphaFilter, straight
from imgconv.filters.color import TransferFunction, from_linear, level_scale, light_dtype, max_value_of, to_linear
from imgconv.filters.output_range import (
    Combination,
    LoopParameters,
    Stretch,
    clipped,
    combine,
    finite_extremes,
    rounded,
    to_pixels,
    to_values,
    with_range,
)
from imgconv.filters.weights import FLOAT32_EXACT, FilterKernel, Weights, anchor_of, pads_of
from imgconv.loops.filters import copy_alpha
from imgconv.modes import CombineMode, PaddingMode, Range
from imgconv.window import Window
from imgconv.windows.borders import Border, PaddedRows, Part, elements, values_at
from imgconv.windows.planes import Strip, join_strips, strips

if TYPE_CHECKING:
    from imgconv.filters.normalisation import MissingCells  # most images have none

BAND_BYTES = 1 << 19  # padded rows of one band: half of a common second-level cache
COPIED_BYTES = 1 << 21  # of pixels; below that padded copies of rows take less time than sides apart (2026-11)
MOST_BANDS = 12
ALPHA_COST, VALUES_COST = 2, 4  # bands have this many times fewer rows where values are stored before they become pixels
SideRows = tuple[PaddedRows, int]  # rows, and the first element of a target row that their windows give
AlphaChannel = Literal["none", "keep", "filter"]


class Output(NamedTuple):
    """How sums become pixels: by a range; not rounded for float maps of whole-number images; after filtering linear light.

    `transfer` is how levels become light; None is sRGB.
    """

    range: Range = Range.clip
    rounded: bool = True
    linear: bool = False
    transfer: TransferFunction | None = None


class FilterArguments(NamedTuple):
    """The arguments of `filter_image` but for the number of threads.

    `pixels` are uint8, uint16, float32 or float64. `alpha` says what the last channel is: with `none` a colour like the others; with
    `keep` alpha, of which the values under the kernel's anchor are copied; with `filter` alpha that weighs the colours and is filtered
    with them.
    """

    pixels: Array
    kernels: Sequence[FilterKernel]
    window: Window
    border: Border
    output: Output
    combination: Combination = Combination()
    alpha: AlphaChannel = "none"
    flip: bool = False
    premultiplied: bool = False


def filter_image(arguments: FilterArguments, threads: int | None = None) -> Array:
    """One map (h_out, w_out, C) of an image (H, W, C): its correlation with one kernel, or with several that are combined.

    The result has the dtype of `pixels`; unrounded results and those of range `raw` are float32, unrounded ones of float64 are float64.
    Kernels with (C, kh, kw) taps give one channel. Long rows are padded and filtered strip by strip where one does not depend on others.
    Raises DoesNotFit where the border's constant is not a level of whole-number pixels.
    """
    whole = ImageFilter(*arguments)
    parts = in_strips(arguments, lambda strip, _: (ImageFilter(*strip).run(threads),), whole)
    return parts[0] if parts else whole.run(threads)


def in_strips(
    arguments: FilterArguments, compute: Callable[[FilterArguments, slice], tuple[Array, ...]], whole: "ImageFilter | None" = None
) -> list[Array]:
    """Arrays (h_out, w_out, C) of an image with few long rows, from those that `compute` returns for each strip of its columns.

    `compute` takes the arguments for a strip, and which columns it is. Empty where an image is not filtered in strips; `whole` is its
    filter.
    """
    pixels = arguments.pixels
    parts = strips(arguments.window, pixels.shape[:2], pixels[0, :1].nbytes)
    if not parts or _depends_on_all_columns(whole or ImageFilter(*arguments), arguments):
        return []

    def of_strip(part: Strip) -> tuple[Array, ...]:
        cells = slice(part.begin, part.end)
        return compute(arguments._replace(pixels=np.ascontiguousarray(pixels[:, cells]), window=part.window), cells)

    return join_strips(parts, of_strip)


def _depends_on_all_columns(whole: "ImageFilter", arguments: FilterArguments) -> bool:
    """Whether a strip of columns, filtered as an image of its own, could differ from the whole map, also in its last bit."""
    return bool(
        arguments.border.mode is PaddingMode.circular
        or arguments.output.range.arithmetic.stretched
        or any(kernel.anchor is not None for kernel in arguments.kernels)
        or any(each.transforms for each in whole.correlators)  # blocks of an FFT would begin elsewhere
        or whole.sides
    )


class ImageFilter:
    """One call of `filter_image`: everything that the bands share.

    With a `part`, `pixels` are those rows of a taller image that some output rows need, and `run` gives these output rows.
    """

    def __init__(
        self,
        pixels: Array,
        kernels: Sequence[FilterKernel],
        window: Window,
        border: Border,
        output: Output,
        combination: Combination,
        alpha: AlphaChannel,
        flip: bool,
        premultiplied: bool = False,
        part: Part | None = None,
        missing: "MissingCells | None" = None,
    ):
        if len(kernels) > 1 and combination.mode is CombineMode.none:
            raise UsageError("several kernels make one map only when they are combined; use max, sum or hypot")
        self.dtype, self.max_value = pixels.dtype, max_value_of(pixels.dtype)
        border.check_level(self.dtype)
        self.output, self.combination, self.alpha, self.premultiplied = output, combination, alpha, premultiplied
        height, width, self.channels = pixels.shape
        self.size = (height if part is None else part.height, width)
        self.window, self.kernels = window, kernels
        self.h_out, self.w_out = window.output_size(self.size)
        self.part = part or Part(height, 0, 0, self.h_out)
        self.missing, self.normalisers = missing, missing.normalisers if missing else [None] * len(kernels)
        self.weights = [
            normaliser.weights if normaliser else Weights.of(kernel, self._summed_dtype(), self.channels, flip=flip)
            for kernel, normaliser in zip(kernels, self.normalisers, strict=True)
        ]
        self.correlators = [
            normaliser.correlator if normaliser else correlator(weights, window, self.channels)
            for weights, normaliser in zip(self.weights, self.normalisers, strict=True)
        ]
        self.pixels, self.anchor = pixels, anchor_of(kernels[0], flip=flip)
        self.pads = [pads_of(kernel, window, self.size, flip=flip) for kernel in kernels]
        self.channels_out = 1 if kernels[0].taps.ndim == 3 else self.channels
        plain = combination.mode is CombineMode.none
        self.direct = plain and not output.linear and not output.range.arithmetic.stretched  # loops write pixels, and no values are stored
        self.alphas = [self._alpha_filter(i) for i in range(len(kernels))] if alpha == "filter" else []
        self.sides = self._sides(border)
        rows, keywords = pixels.reshape(height, -1), self.part.keywords
        self.sources = [] if self.sides else [PaddedRows(rows, pads, border, self.channels, **keywords) for pads in self.pads]
        self.stretch: Stretch | None = None

    def run(self, threads: int | None, extremes: tuple[float, float] | None = None) -> Array:
        """The pixels of the output rows; for range `minmax`, from the lowest to the highest value, those of `extremes` or its own."""
        if self.output.range.arithmetic.stretched:
            low, high = extremes or self.measured(threads) or (0.0, 0.0)
            self.stretch = Stretch(low, self.max_value, high - low or 1)
        first_row, last_row = self.part.first, self.part.last
        unrounded = np.float64 if self.dtype == np.float64 and not self.output.rounded else np.float32
        floats = self.output.range.floats or not self.output.rounded
        dtype = np.dtype(unrounded) if floats else self.dtype
        target = np.empty((last_row - first_row, self.w_out * self.channels_out), dtype)
        parameters = self._parameters(dtype) if self.direct else None

        def fill_band(first: int, last: int) -> None:
            if parameters:
                self._fill_from_sums(first, last, target, parameters)
            else:
                self._fill_from_values(target[first - first_row : last - first_row], self._values(first, last))

        self._each_band(fill_band, threads)
        if self.alpha == "keep":
            self._copy_alpha(target, threads)
        return target.reshape(last_row - first_row, self.w_out, self.channels_out)

    def measured(self, threads: int | None) -> tuple[float, float] | None:
        """The lowest and highest finite value of all colour channels, for range `minmax`; None without one."""
        extremes: list[float] = []

        def measure_band(first: int, last: int) -> None:
            values = self._values(first, last).reshape(last - first, -1, self.channels_out)
            if self.missing:
                known = self.missing.valid[first - self.part.first : last - self.part.first]
                values[np.broadcast_to(known == 0, values.shape)] = np.nan
            extremes.extend(finite_extremes(values if self.alpha == "none" else values[..., :-1]) or ())

        self._each_band(measure_band, threads)
        return (min(extremes), max(extremes)) if extremes else None

    @property
    def alignment(self) -> int:
        """The number of output rows of which the first row of a part must be a multiple, for the same sums to the last bit."""
        return self._band_rows() if any(each.rows(1) > 1 for each in self.correlators) else 1

    def _each_band(self, work: Callable[[int, int], None], threads: int | None) -> None:
        offset = self.part.first
        parallel.run_bands(lambda first, last: work(offset + first, offset + last), self.part.last - offset, self._band_rows(), threads)

    def _band_rows(self) -> int:
        cost = VALUES_COST if not self.direct else ALPHA_COST if self.alphas else 1
        row_bytes = max(self.pixels[:1].nbytes * cost, 1)
        rows = self.part.last - self.part.first
        # nothing is copied, so that few bands cost less and share as well; or a band pads span-1 more rows, at most twice its own
        least = -(-rows // MOST_BANDS) if self.sides else self.window.span[0] // (2 * self.window.stride[0])
        most = BAND_BYTES * (2 if self.missing else 1)  # with their mask, padded rows cost more: 25x25 takes a tenth less time (2026-11)
        return self.correlators[0].rows(max(most // row_bytes, least, 1))

    def _summed_dtype(self) -> np.dtype[Any]:
        return summed_dtype(self.dtype, linear=self.output.linear, premultiplied=self.alpha == "filter", stored=self.premultiplied)

    @property
    def _are_stored_sums(self) -> bool:
        """Whether premultiplied pixels are summed as they are stored."""
        return self.alpha == "filter" and not self.output.linear

    def _parameters(self, dtype: np.dtype[Any]) -> LoopParameters:
        """The parameters with which loops turn sums into a target of `dtype`."""
        weights, arithmetic = self.weights[0], self.output.range.arithmetic
        added = arithmetic.added * level_scale(self.dtype)
        offset = self._offset(self.kernels[0]) + added
        largest = self.max_value if dtype.kind == "u" or (self.output.range.bounded and self.dtype.kind == "u") else np.inf
        if self.alphas:
            return self.alphas[0].parameters(dtype, absolute=arithmetic.absolute, added=added, largest=largest)
        if dtype.kind == "u":
            normaliser = self.normalisers[0]
            rounded_sums = normaliser.to_pixels if normaliser else partial(to_pixels, weights)
            return rounded_sums(offset, self.max_value, absolute=arithmetic.absolute)
        kind = np.float32 if dtype == np.float32 and weights.bound < FLOAT32_EXACT else np.float64
        return to_values(weights, offset, np.dtype(kind), absolute=arithmetic.absolute, largest=largest)

    def _sides(self, border: Border) -> "_Sides | None":
        """The parts of the image to filter separately, without padded copies of whole rows; None where rows are copied anyway."""
        if self.pixels.nbytes < COPIED_BYTES or not self.direct or not self.correlators[0].in_place:
            return None
        if self.alpha == "filter" or self.premultiplied or self.normalisers[0]:
            return None
        rows, reach = self.pixels.reshape(len(self.pixels), -1), self.window.span[1] - 1
        sides = _Sides(rows, self.pads[0], border, self.channels, reach, self.part)
        return sides if self.correlators[0].in_place * sides.width <= self.size[1] else None

    def _fill_from_sums(self, first: int, last: int, target: Array, parameters: LoopParameters) -> None:
        """Fill rows first..last of `target`; the first band fills all rows at the sides."""
        begin, end = self.part.first, self.part.last
        rows = target[first - begin : last - begin]
        if self.sides is None:
            self._correlate(0, first, last, rows, parameters)
            return
        fill, more = self.correlators[0].fill, self.window.span[0] - 1
        for source, left in self.sides.outer() if first == begin else ():
            fill(source.band(begin, end + more), target, parameters, left)
        source, left = self.sides.middle
        fill(source.band(first, last + more), rows, parameters, left)

    def _correlate(self, index: int, first: int, last: int, target: Array, parameters: LoopParameters) -> None:
        """Fill `target` (last - first, w_out*channels_out) with output rows first..last of kernel `index`."""
        sums = partial(self._sums, index, first, last)
        if self.alphas:
            self.alphas[index].fill(sums, target, parameters)
        else:
            sums(target, parameters)

    def _sums(self, index: int, first: int, last: int, target: Array, parameters: LoopParameters) -> None:
        normaliser = self.normalisers[index]
        if normaliser:
            normaliser.fill(partial(self._band, index, first, last), target, parameters, first, last)
        else:
            self.correlators[index].fill(self._band(index, first, last), target, parameters)

    def _band(self, index: int, first: int, last: int) -> Array:
        """The padded rows under the windows of output rows first..last, as they are summed."""
        rows, begin = self.sources[index], first * self.window.stride[0]
        source: Array = rows.band(begin, (last - 1) * self.window.stride[0] + self.window.span[0])
        if self.premultiplied:
            stored, value = source, rows.border.value
            if self._are_stored_sums:
                source = self.alphas[index].scaled(stored)
            else:
                source = straight(stored.reshape(len(stored), -1, self.channels), self.max_value).reshape(stored.shape)
            if value:  # the colour and the alpha of padding, which are not multiplied by each other
                colour = value * value if self._are_stored_sums else value
                rows.fill_constant(source, begin, [colour] * (self.channels - 1) + [value])
        if self.premultiplied and self._are_stored_sums:
            return source
        if self.output.linear:
            source = self._linear(source)
        return self.alphas[index].premultiplied(source) if self.alphas else source

    def _alpha_filter(self, index: int) -> AlphaFilter:
        weights, transforms, offset = self.weights[index], self.correlators[index].transforms, self._offset(self.kernels[index])
        return AlphaFilter(weights, self._summed_dtype(), self.channels, self.max_value, offset, transforms=transforms)

    def _linear(self, source: Array) -> Array:
        """Padded rows in linear light, with alpha unchanged."""
        linear = to_linear(source, self.dtype, self.output.transfer)
        if self.alpha != "none":
            linear[:, self.channels - 1 :: self.channels] = source[:, self.channels - 1 :: self.channels]
        return linear

    def _values(self, first: int, last: int) -> Array:
        """Rows first..last in the image's levels after divisor, offset and combination, before the range."""
        values = [self._one_map(i, first, last) for i in range(len(self.kernels))]
        return combine(values, self.combination, self.max_value)

    def _one_map(self, index: int, first: int, last: int) -> Array:
        kernel, weights = self.kernels[index], self.weights[index]
        kind = np.dtype(np.float64) if self.alphas else self._values_dtype(index)
        values = np.empty((last - first, self.w_out * self.channels_out), kind)
        if self.alphas:
            parameters = self.alphas[index].parameters(kind, absolute=False, added=0, largest=np.inf)
        else:
            parameters = to_values(weights, self._offset(kernel), kind)
        self._correlate(index, first, last, values, parameters)
        return values

    def _values_dtype(self, index: int) -> np.dtype[Any]:
        """float64, or float32 where that rounds nothing: whole values, also squared and summed. And for maps of one float32 kernel."""
        weights, offset = self.weights[index], self._offset(self.kernels[index])
        if self.combination.mode is CombineMode.none and not weights.exact:
            return weights.accumulator
        whole = weights.exact and weights.divisor == 1 and float(offset).is_integer() and not self.output.range.arithmetic.stretched
        largest = self.combination.largest(weights.bound + abs(offset), len(self.kernels))
        return np.dtype(np.float32 if whole and largest < FLOAT32_EXACT else np.float64)

    def _offset(self, kernel: FilterKernel) -> float:
        return kernel.offset * level_scale(self.dtype) + kernel.bias

    def _fill_from_values(self, target: Array, values: Array) -> None:
        pixels = values.reshape(len(values), -1, self.channels_out)
        colours = pixels if self.alpha == "none" else pixels[..., :-1]
        range = self.output.range
        if self.output.linear and range.bounded:
            colours[...] = from_linear(colours, self.max_value, self.output.transfer)
        elif not range.bounded:
            colours[...] = with_range(colours, range, self.dtype, self.stretch)
        if target.dtype.kind == "u":
            target[...] = rounded(values, target.dtype)
        else:
            target[...] = clipped(values, self.max_value) if range.bounded and self.dtype.kind == "u" else values

    def _copy_alpha(self, target: Array, threads: int | None) -> None:
        """Give `target` the source alpha at the pixels under the anchor of the first kernel."""
        cells = []
        for axis, outputs in enumerate((range(self.part.first, self.part.last), range(self.w_out))):
            before, offset = self.pads[0][axis][0], self.anchor[axis] * self.window.dilation[axis]
            indices = np.array(outputs) * self.window.stride[axis] + offset - before
            cells.append(np.clip(indices, 0, self.size[axis] - 1))
        rows, columns = cells[0] - self.part.begin, (cells[1] + 1) * self.channels - 1
        source, begin = self.pixels.reshape(len(self.pixels), -1), self.part.first

        def copy(first: int, last: int) -> None:
            part = slice(first - begin, last - begin)
            compiled.loop(copy_alpha)(source, rows[part], columns, target[part], self.channels_out)

        self._each_band(copy, threads)


def summed_dtype(dtype: np.dtype[Any], *, linear: bool, premultiplied: bool, stored: bool = False) -> np.dtype[Any]:
    """The dtype of the values that are summed: linear light is not whole, and premultiplied colour needs twice the bits.

    Colours that are `stored` premultiplied are not whole either, unless they are summed so.
    """
    if stored and (linear or not premultiplied):
        return np.dtype(np.float64)
    if premultiplied:
        return np.dtype(np.float64 if linear or dtype.kind == "f" else f"u{2 * dtype.itemsize}")
    return light_dtype(dtype) if linear else dtype


class _Sides:
    """An image in three parts: the middle, whose windows lie within its width, and two sides, whose windows reach into padding.

    The middle is read without a copy; only the narrow sides get padded rows. `source` (H, W*C) is padded by `pads`, for windows that
    are `reach` + 1 pixels wide and one pixel apart.
    """

    def __init__(self, source: Array, pads: Sequence[tuple[int, int]], border: Border, channels: int, reach: int, part: Part):
        self._keywords = part.keywords
        (self._down, (self._left, self._right)), self._reach = pads, reach
        self._source, self._border, self._channels = source, border, channels
        self._width = source.shape[1] // channels
        border.check(self._width, self._left, self._right)
        self.middle: SideRows = self._part(source, self._left)

    @property
    def width(self) -> int:
        """The columns that the sides read."""
        return self._left + self._right + 2 * self._reach

    def outer(self) -> Iterator[SideRows]:
        """The sides that have padding."""
        for first, count in ((0, self._left), (self._left + self._width - self._reach, self._right)):
            if count:
                columns = self._border.sources(np.arange(first, first + count + self._reach) - self._left, self._width)
                yield self._part(values_at(self._source, elements(columns, self._channels), self._border.value), first)

    def _part(self, rows: Array, first: int) -> SideRows:
        return PaddedRows(rows, (self._down, (0, 0)), self._border, self._channels, **self._keywords), first * self._channels
