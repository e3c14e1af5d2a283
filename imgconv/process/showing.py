"""Maps of a network as pixels: ranges, and contact sheets."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imgconv.functional.light import white
from imgconv.recipe.sheet import Sheet

Array = NDArray[Any]
MIDDLE = {"uint8": 128, "uint16": 32768, "float32": 0.5, "float64": 0.5}  # what the range `offset` adds


def shown(values: Array, range_: str, dtype: np.dtype[np.generic], *, rounded: bool = True) -> Array:
    """Values (H, W, C) float32 brought into the levels of a picture of `dtype` by a range; with `rounded` as its pixels.

    `minmax` stretches from the smallest to the largest finite value, so that a map of one value is black. NaN becomes 0.

    >>> shown(np.array([[[-2.0], [0.0], [2.0]]], np.float32), "minmax", np.dtype("uint8")).ravel()
    array([  0, 128, 255], dtype=uint8)
    """
    ranged = _ranged(values, range_, dtype)
    if not rounded or range_ == "raw" or dtype.kind != "u":
        return np.ascontiguousarray(ranged, dtype=np.float32 if not rounded or range_ == "raw" else dtype)
    top = white(dtype)
    return np.rint(np.clip(np.nan_to_num(ranged, posinf=top, neginf=0), 0, top)).astype(dtype)


def _ranged(values: Array, range_: str, dtype: np.dtype[np.generic]) -> Array:
    top = white(dtype)
    if range_ == "abs":
        return np.abs(values)
    if range_ == "offset":
        return values + np.float32(MIDDLE[dtype.name])
    if range_ == "minmax":
        finite = values[np.isfinite(values)].astype(np.float64)
        low, high = (finite.min(), finite.max()) if finite.size else (0.0, 0.0)
        return (values - low) * (top / ((high - low) or 1.0))
    return np.clip(values, 0, top) if range_ == "clip" and dtype.kind == "u" else values


def tiled(pictures: Sequence[Array], sheet: Sheet) -> Array:
    """All of `pictures` (H, W, C), of one dtype, on one sheet (H, W, colours); what is empty is black."""
    height, width = sheet.shape.height, sheet.shape.width
    out = np.zeros((height, width, sheet.colours), pictures[0].dtype)
    for (top, left), tile in zip(sheet.corners(), _tiles(pictures), strict=True):
        out[top : top + tile.shape[0], left : left + tile.shape[1]] = tile
    return out


def _tiles(pictures: Sequence[Array]) -> Iterator[Array]:
    for picture in pictures:
        if picture.shape[2] == 3:
            yield picture
        else:
            yield from (picture[..., channel : channel + 1] for channel in range(picture.shape[2]))
