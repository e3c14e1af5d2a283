"""Correlation through Fourier transforms, tile by tile: the cost of a kernel hardly depends on its size."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from imgconv.arrays import Array
from imgconv.filters.output_range import UNCHANGED, LoopParameters
from imgconv.filters.weights import Taps

LARGEST = 2.0**31  # of float values; the rounding of larger ones, which mostly mark missing cells, would reach all of a tile
TILE_SIDES = ((48, 256), (200, 512))  # (largest number of taps, side of a tile); 256 and 512 fit the cache (measured 2026-11)


class FourierTiles:
    """The spectrum of a kernel, and its products with the tiles of padded rows, in float64.

    The error of a sum is below eps * 2*log2(side**2) * |values| * |taps| (lengths as vectors; Higham 2002, 24.1), so below
    1e-14 * side * bound where no sum exceeds bound. For bounds up to 2**31 and sides up to 8192 that is less than 1/2, and with
    `rounded` whole sums are exact. NaN, infinite and very large values change only the sums of windows that contain
    them: a tile that has any is summed tap by tap in `accumulator`.
    """

    def __init__(self, taps: Taps, channels: int, accumulator: np.dtype[Any], *, rounded: bool):
        self._channels, self._rounded = channels, rounded
        self._taps = taps.astype(accumulator).ravel()
        self._kernel = taps.shape
        self._tile = tuple(tile_size(k) for k in taps.shape)
        self._spectrum = np.conj(np.fft.rfft2(taps, self._tile))

    @property
    def rows(self) -> int:
        """Output rows of one row of tiles."""
        return self._tile[0] - self._kernel[0] + 1

    def sums(self, source: Array) -> Iterator[tuple[int, int, Array]]:
        """For every tile its first row and element in the target, and sums (R, S*C) float64 over `source` (rows, W*C)."""
        planes = source.reshape(len(source), -1, self._channels)
        (kh, kw), (high, wide) = self._kernel, self._tile
        scratch = np.empty(self._tile), np.empty(self._spectrum.shape, complex), np.empty(self._spectrum.shape, complex)
        for i in range(0, len(planes) - kh + 1, high - kh + 1):
            for j in range(0, planes.shape[1] - kw + 1, wide - kw + 1):
                cells = planes[i : i + high, j : j + wide]
                out = np.empty((cells.shape[0] - kh + 1, cells.shape[1] - kw + 1, self._channels))
                for c in range(self._channels):
                    self._fill(out[..., c], cells[..., c], *scratch)
                yield i, j * self._channels, out.reshape(len(out), -1)

    def _fill(self, out: Array, cells: Array, tile: Array, one: Array, other: Array) -> None:
        """Fill `out` with the sums over some cells; the rest is scratch, since new memory for every tile would take half of the time."""
        height, width = cells.shape
        tile[:height, :width] = cells
        tile[:height, width:] = tile[height:] = 0
        if cells.dtype.kind == "f" and not (tile.min() >= -LARGEST and tile.max() <= LARGEST):
            self._fill_by_taps(out, cells.astype(np.float64))
            return
        np.fft.fft(np.fft.rfft(tile, axis=1, out=one), axis=0, out=other)
        np.fft.ifft(np.multiply(other, self._spectrum, out=other), axis=0, out=one)
        sums = np.fft.irfft(one[: len(out)], self._tile[1], axis=1, out=tile[: len(out)])[:, : out.shape[1]]
        if self._rounded:
            np.rint(sums, out=out)
        else:
            out[...] = sums

    def _fill_by_taps(self, out: Array, values: Array) -> None:
        from imgconv.filters.taps import TapSums

        rows, columns = (index.ravel() for index in np.indices(self._kernel))
        target = np.empty(out.shape)
        TapSums(rows, self._taps).fill(values, columns, target, LoopParameters(np.array(UNCHANGED, float), 0))
        out[...] = target


def tile_size(taps: int) -> int:
    """The side of a tile for a number of taps along it: a power of two, most of which gives output.

    >>> tile_size(31), tile_size(101), tile_size(300)
    (256, 512, 2048)
    """
    return next((side for largest, side in TILE_SIDES if taps <= largest), 1 << (4 * taps - 1).bit_length())
