"""Correlation by products of spectra, tile by tile: what a kernel costs then hardly depends on its size."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

LEAST_TILE = 256


class Tiles:
    """A kernel's spectrum, and the tiles of padded rows that it is multiplied with.

    All in float64: the error of a sum is below 1e-13 of (sum of absolute taps) * (largest value) for tiles of any size here, so that
    rounding gives back the whole sums that `rounded` asks for as long as they are below 2**31 times a few hundred.
    """

    def __init__(self, taps: NDArray[np.float64], channels: int, *, rounded: bool):
        self._channels, self._rounded = channels, rounded
        self._kernel = taps.shape
        self._tile = tuple(tile_size(k) for k in taps.shape)
        self._spectrum = np.conj(np.fft.rfft2(taps, self._tile))

    def sums(self, source: NDArray[Any]) -> NDArray[np.float64]:
        """Sums (rows - kh + 1, (W - kw + 1)*C) under the kernel over `source` (rows, W*C)."""
        planes = source.reshape(len(source), -1, self._channels)
        (kh, kw), (high, wide) = self._kernel, self._tile
        out = np.empty((len(planes) - kh + 1, planes.shape[1] - kw + 1, self._channels))
        for i in range(0, out.shape[0], high - kh + 1):
            for j in range(0, out.shape[1], wide - kw + 1):
                for c in range(self._channels):
                    self._fill(out[i : i + high - kh + 1, j : j + wide - kw + 1, c], planes[i : i + high, j : j + wide, c])
        return out.reshape(len(out), -1)

    def _fill(self, out: NDArray[np.float64], tile: NDArray[Any]) -> None:
        sums = np.fft.irfft2(np.fft.rfft2(tile, self._tile) * self._spectrum, self._tile)[: out.shape[0], : out.shape[1]]
        if self._rounded:
            np.rint(sums, out=out)
        else:
            out[...] = sums


def tile_size(kernel: int) -> int:
    """The side of a tile: a power of two, so that most of what is transformed is used."""
    return max(LEAST_TILE, 1 << (4 * kernel - 1).bit_length())
