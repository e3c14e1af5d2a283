"""Correlation of padded rows with one kernel by the algorithm that suits the kernel, and what it costs."""

from dataclasses import replace
from functools import partial
from math import log2
from typing import Any, NamedTuple, Protocol, assert_never

import numpy as np
from numpy.typing import NDArray

from imgconv.arrays import Array
from imgconv.engine import compiled
from imgconv.engine.dispatch import Algorithm, KernelSize, algorithm_for
from imgconv.filters.fft import FourierTiles, tile_side
from imgconv.filters.output_range import LoopParameters
from imgconv.filters.separable import FLOAT64_ROUNDING, ROUNDING, Factors, factors
from imgconv.filters.weights import FilterKernel, Weights
from imgconv.loops.filters import correlate_factors, correlate_product, correlate_small, sliding_sums
from imgconv.window import Window

LONG = 2**16  # elements of a signal that are worth another loop
LEAST_FACTORED = 25  # taps; smaller kernels are not factored
_WIDE, _WIDER = 4, 16  # times what the sides read; passes over the short rows of sides take longer than sums in registers (2026-11)


class Correlator(Protocol):
    """Correlation of padded rows with one kernel.

    `in_place` correlators read rows where they lie, and padded copies of the sides alone, if rows are that many times as wide as what the
    sides read; 0 for those that need copies of whole rows.
    `transforms` correlators add the rounding of a transform to sums that are not whole.
    """

    in_place: int = 0
    transforms: bool = False

    def fill(self, source: Array, target: Array, parameters: LoopParameters, left: int = 0) -> None:
        """Fill `target` (R, w_out*C_out) from padded rows ((R-1)*stride + span, W*C).

        With `in_place`, rows may be narrower, and then fill only the elements from `left` on that they give.
        """

    def rows(self, fitting: int) -> int:
        """The number of rows to fill at a time where `fitting` rows fit the cache."""
        return fitting


class Choice(NamedTuple):
    """The algorithm for one kernel, and its factors where it is a sum of few outer products."""

    algorithm: Algorithm
    factors: Factors | None


def choose(weights: Weights, window: Window) -> Choice:
    """The algorithm that correlates images with `weights`."""
    taps, apart = weights.taps, weights.taps.ndim == 2
    products = None
    if apart and taps.size >= LEAST_FACTORED and min(taps.shape) > 1:
        rounding = FLOAT64_ROUNDING if weights.accumulator == np.float64 else ROUNDING
        products = factors(taps, exact=weights.exact, single=not weights.finite, rounding=rounding)
    size = KernelSize(
        height=taps.shape[-2],
        width=taps.shape[-1],
        taps=int(np.count_nonzero(taps)) if weights.finite else taps.size,
        rank=len(products.down) if products else 0,
        equal=bool((taps == taps.flat[0]).all()),
        exact=weights.exact,
        small_sums=not weights.exact or weights.bound < 2**31,
        finite=weights.finite,
        apart=apart,
        stride=(window.stride[0], window.stride[1]),
        dilation=(window.dilation[0], window.dilation[1]),
    )
    return Choice(algorithm_for(size), products)


def algorithm_of(kernel: FilterKernel, window: Window, dtype: np.dtype[Any], channels: int, *, flip: bool = False) -> str:
    """The name of the algorithm that correlates images of `dtype` and `channels` with `kernel`, and the type of its sums.

    >>> from types import SimpleNamespace as Kernel
    >>> smooth = Kernel(taps=np.ones((3, 3)), divisor=9, anchor=None)
    >>> algorithm_of(smooth, Window.of(3), np.dtype(np.uint8), channels=3)
    'small, int16'
    """
    weights = Weights.of(kernel, dtype, channels, flip=flip)
    choice = choose(weights, window)
    sums = {"fourier": "float64", "running": str(_sliding_dtype(weights))}.get(choice.algorithm, str(weights.accumulator))
    rank = f" of {len(choice.factors.down)}" if choice.algorithm == "factors" and choice.factors else ""
    return f"{choice.algorithm}{rank}, {sums}"


def multiply_adds_of(kernel: FilterKernel, window: Window, dtype: np.dtype[Any], channels: int, *, flip: bool = False) -> float:
    """Multiply-adds of the chosen algorithm for each output value of `kernel` on images of `dtype` and `channels`.

    Additions count as well. A transform of N values counts 1.75 N log2(N), half of a complex one of radix 4, and there are two.

    >>> from types import SimpleNamespace as Kernel
    >>> soft = Kernel(taps=np.outer([1, 3, 5, 7, 5, 3, 1], [1, 2, 4, 6, 4, 2, 1]), divisor=1, anchor=None)
    >>> multiply_adds_of(soft, Window.of(7), np.dtype(np.uint8), channels=3)
    14.0
    """
    weights = Weights.of(kernel, dtype, channels, flip=flip)
    height, width = weights.taps.shape[-2:]
    choice = choose(weights, window)
    match choice.algorithm:
        case "small":  # of every column, whatever the stride
            return float(height * width * window.stride[1])
        case "running":  # one cell enters and one leaves, sums double, and the weight multiplies
            return 3.0 + sum(1 + int(digit) for digit in f"{width:b}"[1:])
        case "fourier":
            side = tile_side(max(height, width))
            return side**2 * (7 * log2(side) + 2) / ((side - height + 1) * (side - width + 1))
        case "product" | "factors":  # every column is summed, whatever the stride
            return float((len(choice.factors.down) if choice.factors else 1) * (height * window.stride[1] + width))
        case "taps":
            return float(np.count_nonzero(weights.taps) if weights.finite and weights.taps.any() else weights.taps.size)
        case _:
            assert_never(choice.algorithm)


def correlator(weights: Weights, window: Window, channels: int) -> Correlator:
    """The correlator of `weights` for rows of `channels` interleaved values."""
    choice = choose(weights, window)
    match choice.algorithm:
        case "small":
            return _Small(weights, window, channels)
        case "taps":
            return _Taps(weights, window, channels)
        case "running":
            return _Running(weights, channels)
        case "fourier":
            return _Fourier(weights, channels)
        case "product" | "factors":
            assert choice.factors is not None  # both need a rank above 0
            if choice.algorithm == "product":
                return _Product(weights, choice.factors, channels)
            return _Factored(weights, choice.factors, window, channels)
        case _:
            assert_never(choice.algorithm)


class _Small(Correlator):
    """All taps of a small kernel at once, in registers. Of windows with a stride across, those in between are computed and left out."""

    def __init__(self, weights: Weights, window: Window, channels: int):
        self.in_place = _WIDE if window.stride == (1, 1) else 0
        self._weights = np.ascontiguousarray(weights.taps, weights.accumulator)
        self._height, self._width = weights.taps.shape
        (self._rows, self._columns), self._channels = window.stride, channels
        self._down, self._across = window.dilation[0], window.dilation[1] * channels
        self._tiles = partial(_Taps, weights, window, channels)

    def fill(self, source: Array, target: Array, parameters: LoopParameters, left: int = 0) -> None:
        length = source.shape[1] - (self._width - 1) * self._across
        if len(source) == 1 and length >= LONG:  # a signal; tiles add in the same order, but for a stride
            self._tiles().fill(source, target, parameters, left)
        elif self._columns == 1:
            self._fill(source, target, parameters, left, length)
        else:
            every = np.empty((len(target), length), target.dtype)
            self._fill(source, every, parameters, 0, length)
            for n in range(self._channels):
                part = target[:, n :: self._channels]
                part[:] = every[:, n :: self._columns * self._channels][:, : part.shape[1]]

    def _fill(self, source: Array, target: Array, parameters: LoopParameters, left: int, length: int) -> None:
        sizes = {"height": self._height, "width": self._width, "apart": int((self._rows, self._down) != (1, 1))}
        loop, steps = compiled.loop(correlate_small, divided=parameters.divided, **sizes), (self._rows, self._down, self._across)
        if len(target) > 1:
            loop(source, self._weights, *steps, parameters.values, target, left)
        else:  # the loop fills two rows at once
            twice = np.empty((2, length), target.dtype)
            more = np.concatenate([source, np.repeat(source[-1:], self._rows, axis=0)])
            loop(more, self._weights, *steps, parameters.values, twice, 0)
            target[:, left : left + length] = twice[:1]


class _Taps(Correlator):
    """All taps of a tile of rows at once: any kernel, stride and dilation."""

    def __init__(self, weights: Weights, window: Window, channels: int):
        from imgconv.filters.taps import TapSums  # with the loops of layers, which most commands do without

        self.in_place = _WIDE if window.stride == (1, 1) else 0
        self._phases = _Phases.of(weights, window, channels)
        down, across = window.dilation
        channel, u, v = np.indices(weights.taps.shape if weights.taps.ndim == 3 else (1, *weights.taps.shape))
        rows, columns, taps = (u * down).ravel(), (v * across * channels + channel).ravel(), weights.taps.ravel()
        if weights.finite and taps.any():  # a zero tap matters only where a value may be NaN or infinite
            rows, columns, taps = rows[taps != 0], columns[taps != 0], taps[taps != 0]
        self._columns = columns
        self._sums = TapSums(rows, taps.astype(weights.accumulator), window.stride[0])

    def fill(self, source: Array, target: Array, parameters: LoopParameters, left: int = 0) -> None:
        source, columns = self._phases.split(source, self._columns)
        self._sums.fill(source, columns, target, parameters, left)


class _Running(Correlator):
    """Sums of equal taps that slide down and across: add the cells that enter, subtract those that leave."""

    def __init__(self, weights: Weights, channels: int):
        height, width = weights.taps.shape
        self._height, self._channels = height, channels
        self._bits = np.array([int(digit) for digit in f"{width:b}"[1:]], np.intp)
        self._weight = np.array([weights.taps.flat[0]], _sliding_dtype(weights))

    def fill(self, source: Array, target: Array, parameters: LoopParameters, left: int = 0) -> None:
        scratch = np.empty((3, source.shape[1]), self._weight.dtype)
        loop = compiled.loop(sliding_sums, divided=parameters.divided)
        loop(source, self._weight, self._height, self._bits, self._channels, scratch[0], scratch[1:], parameters.values, target)


class _Product(Correlator):
    """Down the columns and along the rows of one outer product, each pass in registers."""

    in_place = _WIDE

    def __init__(self, weights: Weights, products: Factors, channels: int):
        self._down, self._across = (np.ascontiguousarray(f[0], weights.accumulator) for f in products)
        self._channels = channels

    def fill(self, source: Array, target: Array, parameters: LoopParameters, left: int = 0) -> None:
        loop = compiled.loop(correlate_product, size=len(self._down), divided=parameters.divided)
        loop(source, self._down, self._across, self._channels, np.empty(source.shape[1], self._down.dtype), parameters.values, target, left)


class _Factored(Correlator):
    """Down the columns, then along the rows, once for each outer product."""

    def __init__(self, weights: Weights, products: Factors, window: Window, channels: int):
        self._stride = window.stride[0]
        self.in_place = _WIDER if window.stride == (1, 1) else 0
        self._phases = _Phases.of(weights, window, channels)
        self._down, self._across = (np.ascontiguousarray(f, weights.accumulator) for f in products)
        self._rows = np.arange(self._down.shape[1]) * window.dilation[0]
        self._columns = np.arange(self._across.shape[1]) * window.dilation[1] * channels

    def fill(self, source: Array, target: Array, parameters: LoopParameters, left: int = 0) -> None:
        source, columns = self._phases.split(source, self._columns)
        kind = self._down.dtype
        length = source.shape[1] - columns.max() if self.in_place else target.shape[1]
        middle, sums = np.empty(columns.max() + length, kind), np.empty(length, kind)
        loop = compiled.loop(correlate_factors, divided=parameters.divided)
        loop(source, self._down, self._rows, self._across, columns, middle, sums, parameters.values, target, self._stride, left)


class _Fourier(Correlator):
    """Products of spectra, tile by tile, in float64; exact sums are rounded back to whole numbers."""

    transforms = True

    def __init__(self, weights: Weights, channels: int):
        self._tiles = FourierTiles(weights.taps, channels, weights.accumulator, rounded=weights.exact)
        self._end = _Small(replace(weights, taps=np.ones((1, 1)), accumulator=np.dtype(np.float64)), Window.of(1), 1)

    def rows(self, fitting: int) -> int:
        return self._tiles.rows

    def fill(self, source: Array, target: Array, parameters: LoopParameters, left: int = 0) -> None:
        for first, begin, sums in self._tiles.sums(source):
            self._end.fill(sums, target[first : first + len(sums)], parameters, left + begin)


class _Phases(NamedTuple):
    """Rows rearranged so that cells which successive outputs read are neighbours, and a stride costs no more than it saves.

    A row of values `step` apart becomes `step // unit` rows, one after the other, of `unit` neighbours each.
    """

    step: int
    unit: int

    @classmethod
    def of(cls, weights: Weights, window: Window, channels: int) -> "_Phases":
        """The phases of a kernel that filters channels separately, or (with taps in three axes) sums over them."""
        return cls(window.stride[1] * channels, channels if weights.taps.ndim == 2 else 1)

    def split(self, source: Array, columns: NDArray[np.intp]) -> tuple[Array, NDArray[np.intp]]:
        """Rearranged `source`, and the positions of `columns` in it."""
        if self.step == self.unit:
            return source, columns
        length = -(-source.shape[1] // self.step) * self.unit
        split = np.zeros((len(source), self.step // self.unit, length), source.dtype)
        for first in range(self.step):
            cells = source[:, first :: self.step]
            split[:, first // self.unit, first % self.unit :: self.unit][:, : cells.shape[1]] = cells
        phase, offset = columns % self.step // self.unit, columns // self.step
        return split.reshape(len(source), -1), phase * length + offset * self.unit


def _sliding_dtype(weights: Weights) -> np.dtype[Any]:
    """The type of sliding sums: whole numbers, so that subtraction undoes addition exactly."""
    return np.dtype(np.int32 if weights.bound < 2**31 else np.int64)
