"""Correlation through Fourier transforms, tile by tile: the cost of a kernel hardly depends on its size."""

from collections.abc import Iterator
from math import prod
from typing import Any

import numpy as np

from imgconv.arrays import Array
from imgconv.engine.compiled import loop
from imgconv.filters.output_range import ROUND_FLOAT64, UNCHANGED, LoopParameters
from imgconv.filters.weights import Taps
from imgconv.loops.fourier import GROUP, correlate_pair

LARGEST = 2.0**31  # of float values; the rounding of larger ones, which mostly mark missing cells, would reach all of a tile
TILE_SIDES = ((150, 256), (512, 1024), (2048, 4096))  # (largest number of taps, side of a tile): powers of four (measured 2026-11)
SPARE = 8  # elements after a row, so that rows of powers of two do not share sets of the first-level cache


class FourierTiles:
    """The spectrum of a kernel, and its products with the tiles of padded rows, in float64.

    Two tiles that follow each other along a row are transformed together. The error of a sum is below eps * 4*log2(side**2) *
    |values| * |taps| (lengths as vectors, over both tiles; Higham 2002, 24.1), so below 4e-14 * side * bound where no sum exceeds bound.
    For bounds up to 2**31 and sides up to 4096 that is less than 1/2, and with `rounded` whole sums are exact. NaN, infinite and very
    large values change only the sums of windows that contain them: a tile that has any is summed tap by tap in `accumulator`, and left out
    of the transform.
    """

    def __init__(self, taps: Taps, channels: int, accumulator: np.dtype[Any], *, rounded: bool):
        self._channels, self._magic = channels, np.array([ROUND_FLOAT64 if rounded else 0.0])
        self._taps = taps.astype(accumulator).ravel()
        self._kernel = taps.shape
        self._side = tile_side(max(taps.shape))
        self._factors, self._spectrum = pass_factors(self._side), _spectrum(taps, self._side)

    @property
    def rows(self) -> int:
        """Output rows of one row of tiles."""
        return self._side - self._kernel[0] + 1

    def sums(self, source: Array) -> Iterator[tuple[int, int, Array]]:
        """For every pair of tiles its first row and element in the target, and sums (R, S*C) float64 over `source` (rows, W*C).

        They may lie in the memory of those before, since new memory for every tile would take a large part of the time.
        """
        side, (kh, kw), channels = self._side, self._kernel, self._channels
        planes = source.reshape(len(source), -1, channels).transpose(0, 2, 1)
        scratch = np.empty((side, 2 * side + SPARE)), np.empty((GROUP, 2 * side)), np.empty(2 * side)
        wide = side - kw + 1
        memory = np.empty(2 * channels * self.rows * wide)
        for i in range(0, len(source) - kh + 1, self.rows):
            rows = np.ascontiguousarray(planes[i : i + side])
            for j in range(0, rows.shape[2] - kw + 1, 2 * wide):
                shape = len(rows) - kh + 1, channels, min(2 * wide, rows.shape[2] - kw + 1 - j)
                out = memory[: prod(shape)].reshape(shape)
                places = [(c, n) for c in range(channels) for n in range(0, out.shape[2], wide)]
                for n in range(0, len(places), 2):
                    self._fill(out, rows, j, places[n : n + 2], scratch)
                yield i, j * channels, np.ascontiguousarray(out.transpose(0, 2, 1)).reshape(len(out), -1)

    def _fill(self, out: Array, rows: Array, begin: int, tiles: list[tuple[int, int]], scratch: tuple[Array, Array, Array]) -> None:
        """Fill the parts of `out` (R, C, S) that belong to one or two tiles, each a channel and a first column."""
        places = np.zeros((2, 4), np.intp)
        for place, (channel, column) in zip(places, tiles, strict=False):
            cells = rows[:, channel, begin + column : begin + column + self._side]
            sums = min(cells.shape[1] - self._kernel[1] + 1, out.shape[2] - column)
            if cells.dtype.kind == "f" and not (cells.min() >= -LARGEST and cells.max() <= LARGEST):
                self._fill_by_taps(out[:, channel, column : column + sums], cells.astype(np.float64))
            else:
                start = channel * rows.shape[2] + begin + column, channel * out.shape[2] + column
                place[:] = start[0], cells.shape[1], start[1], sums
        if places.any():
            source, target = rows.reshape(len(rows), -1), out.reshape(len(out), -1)
            correlate = loop(correlate_pair, side=self._side)
            correlate(source, places, self._spectrum, self._factors, *scratch, self._magic, target)

    def _fill_by_taps(self, out: Array, values: Array) -> None:
        from imgconv.filters.taps import TapSums

        rows, columns = (index.ravel() for index in np.indices(self._kernel))
        target = np.empty(out.shape)
        TapSums(rows, self._taps).fill(values, columns, target, LoopParameters(np.array(UNCHANGED, float), 0))
        out[...] = target


def tile_side(taps: int) -> int:
    """The side of a tile for the longer side of a kernel, so that a sixth of the tile or more gives output.

    >>> tile_side(31), tile_side(201), tile_side(2048)
    (256, 1024, 4096)
    """
    return next(side for largest, side in TILE_SIDES if taps <= largest)


def pass_factors(side: int) -> Array:
    """The factors of the passes over `side` numbers: 1 and roots of unity for each of four quarters, real parts, then imaginary parts.

    Angles within a quarter turn are exact to half a unit of their last place; the others follow without rounding.

    >>> pass_factors(16).shape
    (2, 32)
    """
    quarter = np.exp(-2j * np.pi / side * np.arange(side // 4))
    roots = np.concatenate([quarter, -1j * quarter, -quarter])
    lines = []
    for n in range(side.bit_length() // 2):
        powers = np.arange(side // 4) // 4**n * 4**n
        lines.append(roots[np.concatenate([powers, 2 * powers, 3 * powers, 0 * powers])])
    return np.concatenate([np.real(lines), np.imag(lines)], axis=1)


def _spectrum(taps: Taps, side: int) -> Array:
    """The factors of frequencies for `correlate_pair`, whose digits are reversed and whose rows and columns are exchanged.

    Those of half of the columns are the conjugates of the others in reverse.
    """
    order = np.arange(side).reshape((4,) * (side.bit_length() // 2)).T.ravel()
    columns = np.fft.fft(np.fft.rfft(taps / side**2, side, axis=1).T, side, axis=1)
    spectrum = np.empty((side, 2 * side))
    for line, column in zip(spectrum, order.tolist(), strict=True):
        frequencies = columns[column][order].conj() if column <= side // 2 else columns[side - column][-order]
        line[:side], line[side:] = frequencies.real, frequencies.imag
    return spectrum
