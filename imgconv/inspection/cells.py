"""The cells of an image under one window: their values, their positions, and which of them are padding."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imgconv.images import Raster
from imgconv.process import process
from imgconv.recipe import DECLARED, Filter, MissingData, Recipe
from imgconv.recipe.references import MapPlan
from imgconv.registry import Kernel
from imgconv.window import Window
from imgconv.windows.borders import CONSTANT, Border, PaddedRows

IDENTITY = MapPlan("identity", (Kernel("identity", np.ones((1, 1))),))


@dataclass(frozen=True, eq=False)
class Patch:
    """The cells under one window.

    `values` (kh, kw, C) lie at `rows` and `columns` of the input, which may be outside of it; `padded` (kh, kw) marks those cells.
    `used` (kh, kw) marks the cells that a pool reduces.
    """

    values: NDArray[Any]
    rows: tuple[int, ...]
    columns: tuple[int, ...]
    padded: NDArray[np.bool_]
    used: NDArray[np.bool_] | None = None


def filter_input(image: Raster, *, grey: bool, alpha: bool, missing_data: MissingData = DECLARED) -> Raster:
    """Return the pixels that kernels and pools work on: grey if requested, and without `alpha` blended over black.

    Its `valid` cells are None where no cell is missing.

    >>> filter_input(Raster(np.array([[[255, 0, 0]]], np.uint8)), grey=True, alpha=False).pixels
    array([[[76]]], dtype=uint8)
    """
    step = Filter((IDENTITY,), grey=grey, alpha="keep" if alpha else "drop")
    return process(image, Recipe("identity", step, missing_data=missing_data))[0].image


def filter_patch(pixels: NDArray[Any], window: Window, pads: Sequence[tuple[int, int]], border: Border, at: tuple[int, int]) -> Patch:
    """Return the cells of `pixels` (H, W, C) under the window of the output cell `at` (row, column), including padding."""
    height, width, channels = pixels.shape
    rows, columns = window.cells(at, pads)
    top, left = rows[0] + pads[0][0], columns[0] + pads[1][0]
    band = PaddedRows(pixels.reshape(height, -1), pads, border, channels).band(top, top + window.span[0])
    cells = band.reshape(window.span[0], -1, channels)[:: window.dilation[0], left : left + window.span[1] : window.dilation[1]]
    return Patch(cells, rows, columns, _outside(rows, height)[:, None] | _outside(columns, width))


def cell_patch(pixels: NDArray[Any], rows: tuple[int, ...], columns: tuple[int, ...], border: Border) -> Patch:
    """Return the cells of `pixels` (H, W, C) at `rows` and `columns`, some of which may be padding."""
    height, width = pixels.shape[:2]
    axes = zip((rows, columns), (height, width), strict=True)
    down, across = (border.sources(np.array(cells, np.intp), size) for cells, size in axes)
    values = pixels[np.ix_(down, across)]  # CONSTANT is the last cell
    values[(down == CONSTANT)[:, None] | (across == CONSTANT)] = border.value
    return Patch(values, rows, columns, _outside(rows, height)[:, None] | _outside(columns, width))


def pool_patch(
    pixels: NDArray[Any], window: Window, pads: Sequence[tuple[int, int]], at: tuple[int, int], border: Border | None = None
) -> Patch:
    """Return the cells under the window of a pool.

    Without a border, padding has no values. Those cells, and with `ceil_mode` the ones beyond the padding, are 0 and not used.
    """
    height, width = pixels.shape[:2]
    rows, columns = window.cells(at, pads)
    vertical, horizontal = pads if border else ((0, 0), (0, 0))
    down, across = _outside(rows, height, vertical), _outside(columns, width, horizontal)
    beyond = down[:, None] | across
    values = cell_patch(pixels, _or_zero(rows, down), _or_zero(columns, across), border or Border.of("zeros")).values
    values[beyond] = 0
    return Patch(values, rows, columns, _outside(rows, height)[:, None] | _outside(columns, width), mask_of(window) & ~beyond)


def mask_of(window: Window) -> NDArray[np.bool_]:
    """Return the cells (kh, kw) of a window, True where they belong to its shape.

    >>> mask_of(Window.of(2)).all()
    np.True_
    """
    mask = np.zeros(window.kernel_size, bool)
    for row, first, count in window.runs:
        mask[row, first : first + count] = True
    return mask


def _outside(positions: Sequence[int], size: int, pad: tuple[int, int] = (0, 0)) -> NDArray[np.bool_]:
    return np.array([not -pad[0] <= position < size + pad[1] for position in positions], bool)


def _or_zero(positions: Sequence[int], outside: NDArray[np.bool_]) -> tuple[int, ...]:
    return tuple(0 if is_outside else position for position, is_outside in zip(positions, outside, strict=True))
