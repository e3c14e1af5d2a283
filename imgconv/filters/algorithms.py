"""What every way to lay a kernel on padded rows shares: its interface, rows taken apart by stride, and exact sliding sums.

One kernel laid on padded rows of an image, by the algorithm that suits it. Knows nothing of borders, ranges or alpha.

Kernels laid on rows in several passes: down and across, sliding, or through spectra. For small kernels see `correlators`.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from imgconv.engine import compiled
from imgconv.engine.dispatch import Algorithm, KernelSize, algorithm_for
from imgconv.filters.fft import Tiles
from imgconv.filters.output_range import Finishing
from imgconv.filters.separable import Factors
from imgconv.filters.weights import Mask, Weights
from imgconv.loops.filters import correlate_factors, correlate_product, correlate_small, correlate_taps, sliding_sums
from imgconv.window import Window

if TYPE_CHECKING:
    from imgconv.filters.separable import Factors


Array = NDArray[Any]


class Correlator(Protocol):
    """Lays a kernel on padded rows. `in_place`: so quickly that a padded copy of rows would cost more than their sides apart."""

    in_place: bool = False

    def fill(self, source: Array, target: Array, finishing: Finishing, left: int = 0) -> None:
        """Fill `target` (R, w_out*C_out) from padded rows ((R-1)*stride + span, W*C): sums of weighted values, finished.

        With `in_place`, rows may be narrower, and then fill only as many elements from `left` on as they give.
        """

    def rows(self, fitting: int) -> int:
        """How many rows to fill at a time where `fitting` rows fit the cache."""
        return fitting


@dataclass(frozen=True)
class Phases:
    """Rows with the cells that one output after the other reads laid side by side, so that strides cost no more than they save.

    A row of values `step` apart becomes `step // unit` rows, one after the other, of `unit` neighbours each.
    """

    step: int
    unit: int

    @classmethod
    def of(cls, weights: Weights, window: Window, channels: int) -> "Phases":
        """The phases of a kernel that keeps channels apart, or (with taps in three axes) sums over them."""
        return cls(window.stride[1] * channels, channels if weights.taps.ndim == 2 else 1)

    def apart(self, source: Array, columns: NDArray[np.intp]) -> tuple[Array, NDArray[np.intp]]:
        """Rearranged `source`, and where `columns` are in it."""
        if self.step == self.unit:
            return source, columns
        length = -(-source.shape[1] // self.step) * self.unit
        made = np.zeros((len(source), self.step // self.unit, length), source.dtype)
        for place in range(self.step):
            cells = source[:, place :: self.step]
            made[:, place // self.unit, place % self.unit :: self.unit][:, : cells.shape[1]] = cells
        phase, offset = columns % self.step // self.unit, columns // self.step
        return made.reshape(len(source), -1), phase * length + offset * self.unit


def running_dtype(weights: Weights) -> np.dtype[Any]:
    """What sliding sums are kept in: whole numbers, so that what was added can be taken away."""
    return np.dtype(np.int32 if weights.bound < 2**31 else np.int64)


LEAST_FACTORED = 30  # taps below which nobody looks for factors


@dataclass(frozen=True, eq=False)
class Choice:
    """The algorithm for one kernel, and the factors that were found on the way."""

    algorithm: Algorithm
    factors: "Factors | None"


def choose(weights: Weights, window: Window) -> Choice:
    """How to lay `weights` on an image: see `algorithm_for`."""
    taps, apart = weights.taps, weights.taps.ndim == 2
    found = None
    if apart and taps.size >= LEAST_FACTORED and min(taps.shape) > 1:
        from imgconv.filters.separable import factors  # these and the passes are not what a 3x3 kernel should wait for

        found = factors(taps, exact=weights.exact, single=not weights.finite)
    size = KernelSize(
        height=taps.shape[-2],
        width=taps.shape[-1],
        taps=int(np.count_nonzero(taps)) if weights.finite else taps.size,
        rank=len(found.down) if found else 0,
        equal=bool((taps == taps.flat[0]).all()),
        exact=weights.exact,
        small_sums=not weights.exact or weights.bound < 2**31,
        finite=weights.finite,
        apart=apart,
        stride=(window.stride[0], window.stride[1]),
        dilation=(window.dilation[0], window.dilation[1]),
    )
    return Choice(algorithm_for(size), found)


def algorithm_of(mask: Mask, window: Window, dtype: np.dtype[Any], channels: int, *, flip: bool = False) -> str:
    """How `mask` is laid on images of `dtype` and `channels`, in words: the algorithm, and what sums are kept in.

    >>> from types import SimpleNamespace as Kernel
    >>> smooth = Kernel(taps=np.ones((3, 3)), divisor=9, anchor=None)
    >>> algorithm_of(smooth, Window.of(3), np.dtype(np.uint8), channels=3)
    'small, int16'
    """
    weights = Weights.of(mask, dtype, channels, flip=flip)
    choice = choose(weights, window)
    kept = {"fourier": "float64", "running": str(running_dtype(weights))}.get(choice.algorithm, str(weights.accumulator))
    rank = f" of {len(choice.factors.down)}" if choice.algorithm == "factors" and choice.factors else ""
    return f"{choice.algorithm}{rank}, {kept}"


def correlator(weights: Weights, window: Window, channels: int) -> Correlator:
    """What lays `weights` on rows of `channels` interleaved values."""
    choice = choose(weights, window)
    if choice.algorithm == "small":
        return Small(weights, channels)
    if choice.algorithm == "taps":
        return Tapped(weights, window, channels)
    pass

    if choice.algorithm == "running":
        return Running(weights, channels)
    if choice.algorithm == "fourier" or choice.factors is None:
        return Fourier(weights, channels)
    if choice.algorithm == "product":
        return Product(weights, choice.factors, channels)
    return Factored(weights, choice.factors, window, channels)


class Small(Correlator):
    """All taps of a 3x3 or 5x5 kernel at once, in registers."""

    in_place = True

    def __init__(self, weights: Weights, channels: int):
        self._weights = np.ascontiguousarray(weights.taps, weights.accumulator)
        self._height, self._width = weights.taps.shape
        self._channels = channels

    def fill(self, source: Array, target: Array, finishing: Finishing, left: int = 0) -> None:
        loop = compiled.loop(correlate_small, height=self._height, width=self._width, channels=self._channels, divided=finishing.divided)
        if len(target) > 1:
            loop(source, self._weights, finishing.parameters, target, left)
        else:  # the loop makes two rows at once
            twice = np.concatenate([target, target])
            loop(np.concatenate([source, source[-1:]]), self._weights, finishing.parameters, twice, left)
            target[:] = twice[:1]


class Tapped(Correlator):
    """Tap by tap: any kernel, stride and dilation."""

    def __init__(self, weights: Weights, window: Window, channels: int):
        self._stride = window.stride[0]
        self._phases = Phases.of(weights, window, channels)
        down, across = window.dilation
        channel, u, v = np.indices(weights.taps.shape if weights.taps.ndim == 3 else (1, *weights.taps.shape))
        rows, columns, taps = (u * down).ravel(), (v * across * channels + channel).ravel(), weights.taps.ravel()
        if weights.finite and taps.any():  # a zero tap matters only where a value may be NaN or infinite
            rows, columns, taps = rows[taps != 0], columns[taps != 0], taps[taps != 0]
        self._rows, self._columns = np.ascontiguousarray(rows), columns
        self._weights = taps.astype(weights.accumulator)

    def fill(self, source: Array, target: Array, finishing: Finishing, left: int = 0) -> None:
        source, columns = self._phases.apart(source, self._columns)
        sums = np.empty(target.shape[1], self._weights.dtype)
        loop = compiled.loop(correlate_taps, divided=finishing.divided)
        loop(source, self._rows, columns, self._weights, sums, finishing.parameters, target, self._stride)


class Running(Correlator):
    """Sums of equal taps that slide down and across, adding what enters and taking away what leaves."""

    def __init__(self, weights: Weights, channels: int):
        height, width = weights.taps.shape
        self._height, self._channels = height, channels
        self._bits = np.array([int(digit) for digit in f"{width:b}"[1:]], np.intp)
        self._weight = np.array([weights.taps.flat[0]], running_dtype(weights))

    def fill(self, source: Array, target: Array, finishing: Finishing, left: int = 0) -> None:
        scratch = np.empty((3, source.shape[1]), self._weight.dtype)
        loop = compiled.loop(sliding_sums, divided=finishing.divided)
        loop(source, self._weight, self._height, self._bits, self._channels, scratch[0], scratch[1:], finishing.parameters, target)


class Product(Correlator):
    """Down the columns and along the rows of one outer product, each pass in registers."""

    def __init__(self, weights: Weights, found: Factors, channels: int):
        self._down, self._across = (np.ascontiguousarray(f[0], weights.accumulator) for f in found)
        self._channels = channels

    def fill(self, source: Array, target: Array, finishing: Finishing, left: int = 0) -> None:
        loop = compiled.loop(correlate_product, size=len(self._down), channels=self._channels, divided=finishing.divided)
        loop(source, self._down, self._across, np.empty(source.shape[1], self._down.dtype), finishing.parameters, target)


class Factored(Correlator):
    """Down the columns, then along the rows, once for each outer product."""

    def __init__(self, weights: Weights, found: Factors, window: Window, channels: int):
        self._stride = window.stride[0]
        self._phases = Phases.of(weights, window, channels)
        self._down, self._across = (np.ascontiguousarray(f, weights.accumulator) for f in found)
        self._rows = np.arange(self._down.shape[1]) * window.dilation[0]
        self._columns = np.arange(self._across.shape[1]) * window.dilation[1] * channels

    def fill(self, source: Array, target: Array, finishing: Finishing, left: int = 0) -> None:
        source, columns = self._phases.apart(source, self._columns)
        kind = self._down.dtype
        middle, sums = np.empty(columns.max() + target.shape[1], kind), np.empty(target.shape[1], kind)
        loop = compiled.loop(correlate_factors, divided=finishing.divided)
        loop(source, self._down, self._rows, self._across, columns, middle, sums, finishing.parameters, target, self._stride)


class Fourier(Correlator):
    """Products of spectra, tile by tile, in float64; exact sums are rounded back to whole numbers."""

    def __init__(self, weights: Weights, channels: int):
        self._tiles = Tiles(weights.taps, channels, rounded=weights.exact)

    def rows(self, fitting: int) -> int:
        return self._tiles.rows

    def fill(self, source: Array, target: Array, finishing: Finishing, left: int = 0) -> None:
        whole, one, first = self._tiles.sums(source), np.ones(1), np.zeros(1, np.intp)
        loop = compiled.loop(correlate_taps, divided=finishing.divided)
        loop(whole, first, first, one, np.empty(target.shape[1]), finishing.parameters, target, 1)
