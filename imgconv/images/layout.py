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
            raise UsageError(f"--tile {tile[0]}x{tile[1]} is not possible; use {allowed} of {_LARGEST_TILE} pixels at most")
        for known in COMPRESSIONS:
            if compression in (known, None):
                return cls(tile, None if compression is None else known, pyramid, zarr_format)
        raise UsageError(f"--compression {compression!r} is unknown; use one of {', '.join(COMPRESSIONS)}")


def half(pixels: NDArray[Any]) -> NDArray[Any]:
    """Return the averages over 2x2 pixels (H, W, C); an odd last row or column is left out.

    >>> half(np.arange(12, dtype=np.uint8).reshape(3, 4, 1)).tolist()
    [[[2], [4]]]
    """
    is_whole = pixels.dtype.kind == "u"
    even = pixels[: len(pixels) // 2 * 2, : pixels.shape[1] // 2 * 2]
    sums = np.add(even[::2], even[1::2], dtype=np.float32 if is_whole else pixels.dtype)
    mean = (sums[:, ::2] + sums[:, 1::2]) / sums.dtype.type(4)
    return (np.rint(mean) if is_whole else mean).astype(pixels.dtype)
