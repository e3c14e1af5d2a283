"""The cells under a window at one place: their values, where they lie, and which of them are padding."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imgconv.images import Raster
from imgconv.process import Recipe, process
from imgconv.recipe import Filter
from imgconv.recipe.maps import MapPlan
from imgconv.registry import Kernel
from imgconv.window import Window
from imgconv.windows.borders import Border, PaddedRows

Array = NDArray[Any]
SELF = MapPlan("itself", (Kernel("itself", np.ones((1, 1))),))


@dataclass(frozen=True, eq=False)
class Patch:
    """`values` (kh, kw, C); `rows` and `columns` of the input that they lie on, beyond its edges too; `padded` (kh, kw) marks those."""

    values: Array
    rows: tuple[int, ...]
    columns: tuple[int, ...]
    padded: NDArray[np.bool_]


def seen(image: Raster, *, grey: bool, alpha: bool) -> Raster:
    """What kernels and pools get of an image: grey if asked for, without `alpha` over black. Made by the identity kernel.

    >>> seen(Raster(np.array([[[255, 0, 0]]], np.uint8)), grey=True, alpha=False).pixels
    array([[[76]]], dtype=uint8)
    """
    itself = Filter((SELF,), grey=grey, alpha="keep" if alpha else "drop")
    return process(image, Recipe("itself", itself))[0].image


def patch_under(pixels: Array, window: Window, pads: Sequence[tuple[int, int]], border: Border, at: tuple[int, int]) -> Patch:
    """The cells of `pixels` (H, W, C) that give the output cell `at` (row, column), padding included."""
    height, width, channels = pixels.shape
    rows, columns = (_along(window, before, axis, at) for axis, (before, _) in enumerate(pads))
    top, left = rows[0] + pads[0][0], columns[0] + pads[1][0]
    band = PaddedRows(pixels.reshape(height, -1), pads, border, channels).band(top, top + window.span[0])
    cells = band.reshape(window.span[0], -1, channels)[:: window.dilation[0], left : left + window.span[1] : window.dilation[1]]
    return Patch(cells, rows, columns, _outside(rows, height)[:, None] | _outside(columns, width))


def pool_patch(pixels: Array, window: Window, pads: Sequence[tuple[int, int]], at: tuple[int, int]) -> Patch:
    """The same for a pool, whose padding holds no values: those cells, and what hangs beyond them, are 0 here, and marked."""
    height, width = pixels.shape[:2]
    rows, columns = (_along(window, before, axis, at) for axis, (before, _) in enumerate(pads))
    padded = _outside(rows, height)[:, None] | _outside(columns, width)
    values = pixels[np.ix_(np.clip(rows, 0, height - 1), np.clip(columns, 0, width - 1))].copy()
    values[padded] = 0
    return Patch(values, rows, columns, padded)


def _along(window: Window, before: int, axis: int, at: tuple[int, int]) -> tuple[int, ...]:
    first = at[axis] * window.stride[axis] - before
    return tuple(first + tap * window.dilation[axis] for tap in range(window.kernel_size[axis]))


def _outside(cells: Sequence[int], size: int) -> NDArray[np.bool_]:
    return np.array([not 0 <= cell < size for cell in cells])
