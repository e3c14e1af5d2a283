"""Kernels laid on rows in several passes: down and across, sliding, or through spectra. For small kernels see `correlators`."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from imgconv.engine import store
from imgconv.functional.factors import Factors
from imgconv.functional.finishing import Finishing
from imgconv.functional.fourier import Tiles
from imgconv.functional.laying import Correlator, Phases, running_dtype
from imgconv.functional.masks import Weights
from imgconv.loops.boxes import sliding_sums
from imgconv.loops.correlation import correlate_taps
from imgconv.loops.separable import correlate_factors, correlate_product
from imgconv.window import Window

Array = NDArray[Any]


class Running(Correlator):
    """Sums of equal taps that slide down and across, adding what enters and taking away what leaves."""

    def __init__(self, weights: Weights, channels: int):
        height, width = weights.taps.shape
        self._height, self._channels = height, channels
        self._bits = np.array([int(digit) for digit in f"{width:b}"[1:]], np.intp)
        self._weight = np.array([weights.taps.flat[0]], running_dtype(weights))

    def fill(self, source: Array, target: Array, finishing: Finishing, left: int = 0) -> None:
        scratch = np.empty((3, source.shape[1]), self._weight.dtype)
        loop = store.loop(sliding_sums, divided=finishing.divided)
        loop(source, self._weight, self._height, self._bits, self._channels, scratch[0], scratch[1:], finishing.parameters, target)


class Product(Correlator):
    """Down the columns and along the rows of one outer product, each pass in registers."""

    def __init__(self, weights: Weights, found: Factors, channels: int):
        self._down, self._across = (np.ascontiguousarray(f[0], weights.accumulator) for f in found)
        self._channels = channels

    def fill(self, source: Array, target: Array, finishing: Finishing, left: int = 0) -> None:
        loop = store.loop(correlate_product, size=len(self._down), channels=self._channels, divided=finishing.divided)
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
        loop = store.loop(correlate_factors, divided=finishing.divided)
        loop(source, self._down, self._rows, self._across, columns, middle, sums, finishing.parameters, target, self._stride)


class Fourier(Correlator):
    """Products of spectra, tile by tile, in float64; exact sums are rounded back to whole numbers."""

    def __init__(self, weights: Weights, channels: int):
        self._tiles = Tiles(weights.taps, channels, rounded=weights.exact)

    def rows(self, fitting: int) -> int:
        return self._tiles.rows

    def fill(self, source: Array, target: Array, finishing: Finishing, left: int = 0) -> None:
        whole, one, first = self._tiles.sums(source), np.ones(1), np.zeros(1, np.intp)
        loop = store.loop(correlate_taps, divided=finishing.divided)
        loop(whole, first, first, one, np.empty(target.shape[1]), finishing.parameters, target, 1)
