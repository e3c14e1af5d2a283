"""How the pixels of TIFF files and Zarr arrays are stored: tiles, compression and reduced copies."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from imgconv.errors import UsageError

Compression = Literal["deflate", "zstd", "none"]
COMPRESSIONS: tuple[Compression, ...] = ("deflate", "zstd", "none")

_LARGEST_TILE = 1 << 12  # pixels a side


@dataclass(frozen=True)
class Layout:
    """The size (H, W) of tiles or chunks, the compression, and whether there are reduced copies; None for what the format chooses.

    A `pyramid` has reduced copies, each of half the size of the one before, down to a single tile. `zarr_format` is the version of Zarr.
    """

    tile: tuple[int, int] | None = None
    compression: Compression | None = None
    pyramid: bool = False
    zarr_format: Literal[2, 3] = 3

    @classmethod
    def of(
        cls,
        tile: tuple[int, int] | None,
        compression: str | None,
        *,
        format: str = "tiff",
        pyramid: bool = False,
        zarr_format: Literal[2, 3] = 3,
    ) -> "Layout":
        """Return a checked layout of a TIFF file or a Zarr array. Raises UsageError."""
        is_odd = format == "tiff" and tile is not None and any(side % 16 for side in tile)
        if tile is not None and (is_odd or max(tile) > _LARGEST_TILE):
            allowed = "multiples of 16, such as 256," if format == "tiff" else "sizes"
            raise UsageError(f"--tile {tile[0]}x{tile[1]} is not possible; use {allowed} of at most {_LARGEST_TILE} pixels")
        for known in COMPRESSIONS:
            if compression in (known, None):
                return cls(tile, None if compression is None else known, pyramid, zarr_format)
        raise UsageError(f"--compression {compression!r} is unknown; use one of {', '.join(COMPRESSIONS)}")


def half(pixels: NDArray[Any], nodata: float | None = None, *, alpha: bool = False) -> NDArray[Any]:
    """Return the averages over 2x2 pixels (H, W, C); an odd last row or column is left out.

    Cells of the value `nodata`, and NaN in floats, are left out; if no other cell is left, the average has this value, or is NaN.
    With `alpha` the last channel is alpha, by which colours are weighted.

    >>> half(np.arange(12, dtype=np.uint8).reshape(3, 4, 1)).tolist()
    [[[2], [4]]]
    >>> half(np.array([[1.0, -9], [4, 7]])[..., None], -9.0).tolist()
    [[[4.0]]]
    """
    is_whole = pixels.dtype.kind == "u"
    even = pixels[: len(pixels) // 2 * 2, : pixels.shape[1] // 2 * 2]
    weights = _weights(even, nodata, alpha=alpha)
    if weights is None:
        mean = _quads(even, np.dtype(np.float32) if is_whole else pixels.dtype) / pixels.dtype.type(4)
    else:
        is_level = nodata is not None and not (is_whole and not 0 <= nodata <= np.iinfo(pixels.dtype.char).max)
        empty = nodata if is_level else 0 if is_whole else np.nan
        total = _quads(weights, np.dtype(np.float64))
        sums = _quads(np.where(weights > 0, even, 0) * weights, np.dtype(np.float64))
        mean = np.divide(sums, total, out=np.full(total.shape, empty, np.float64), where=total > 0)
    return (np.rint(mean) if is_whole else mean).astype(pixels.dtype)


def _quads(values: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return the sums over 2x2 pixels of an even number of rows and columns."""
    sums = np.add(values[::2], values[1::2], dtype=dtype)
    return np.asarray(sums[:, ::2] + sums[:, 1::2])


def _weights(pixels: NDArray[Any], nodata: float | None, *, alpha: bool) -> NDArray[Any] | None:
    """Return the weight of every cell in an average; None if all weights are equal."""
    known = ~np.isnan(pixels) if pixels.dtype.kind == "f" else np.ones(pixels.shape, np.bool_)
    if nodata is not None and nodata == nodata:
        known &= pixels != (nodata if pixels.dtype.kind == "u" else pixels.dtype.type(nodata))
    if alpha:
        opacity = pixels[..., -1:]
        known[..., -1] = True
        if not (opacity == opacity[:1, :1]).all():
            return np.asarray(known * np.where(np.arange(pixels.shape[2]) < pixels.shape[2] - 1, opacity.astype(np.float64), 1.0))
    return None if known.all() else known.astype(np.float64)
