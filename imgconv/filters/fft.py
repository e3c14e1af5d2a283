"""Correlation through Fourier transforms, tile by tile: the cost of a kernel hardly depends on its size."""

import numpy as np

from imgconv.arrays import Array
from imgconv.filters.weights import Taps

TILE_SIDES = ((48, 256), (200, 512))  # (largest number of taps, side of a tile); 256 and 512 fit the cache (measured 2026-11)


class FourierTiles:
    """The spectrum of a kernel, and its products with the tiles of padded rows, in float64.

    The error of a sum is below eps * 2*log2(side**2) * |values| * |taps| (lengths as vectors; Higham 2002, 24.1), so below
    1e-14 * side * bound where no sum exceeds bound. For bounds up to 2**31 and sides up to 8192 that is less than 1/2, and with
    `rounded` whole sums are exact.
    """

    def __init__(self, taps: Taps, channels: int, *, rounded: bool):
        self._channels, self._rounded = channels, rounded
        self._kernel = taps.shape
        self._tile = tuple(tile_size(k) for k in taps.shape)
        self._spectrum = np.conj(np.fft.rfft2(taps, self._tile))

    @property
    def rows(self) -> int:
        """Output rows of one row of tiles."""
        return self._tile[0] - self._kernel[0] + 1

    def sums(self, source: Array) -> Array:
        """Sums (rows - kh + 1, (W - kw + 1)*C) float64 of the kernel over `source` (rows, W*C)."""
        planes = source.reshape(len(source), -1, self._channels)
        (kh, kw), (high, wide) = self._kernel, self._tile
        out = np.empty((len(planes) - kh + 1, planes.shape[1] - kw + 1, self._channels))
        for i in range(0, out.shape[0], high - kh + 1):
            for j in range(0, out.shape[1], wide - kw + 1):
                for c in range(self._channels):
                    self._fill(out[i : i + high - kh + 1, j : j + wide - kw + 1, c], planes[i : i + high, j : j + wide, c])
        return out.reshape(len(out), -1)

    def _fill(self, out: Array, tile: Array) -> None:
        spectrum = np.fft.rfft2(tile.astype(np.float64), self._tile)  # that of float32 values would be single
        sums = np.fft.irfft2(spectrum * self._spectrum, self._tile)[: out.shape[0], : out.shape[1]]
        if self._rounded:
            np.rint(sums, out=out)
        else:
            out[...] = sums


def tile_size(taps: int) -> int:
    """The side of a tile for a number of taps along it: a power of two, most of which gives output.

    >>> tile_size(31), tile_size(101), tile_size(300)
    (256, 512, 2048)
    """
    return next((side for largest, side in TILE_SIDES if taps <= largest), 1 << (4 * taps - 1).bit_length())
