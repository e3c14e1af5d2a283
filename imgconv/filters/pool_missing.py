"""Pools of images with missing cells: each window is reduced to one value of its valid cells."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, assert_never

import numpy as np
from numpy.typing import NDArray

from imgconv.arrays import Array
from imgconv.filters.missing import SHARE_ROUNDING, Valid
from imgconv.filters.pool2d import pool_image
from imgconv.modes import MissingMode, MissingRule, PoolMode
from imgconv.window import Window
from imgconv.windows.borders import Border, PaddedRows

CHUNK = 1 << 22  # cells that are gathered at a time
SAME = 9  # decimals in which averages of whole numbers are equal, so that ties are rounded as ties


def pool_missing(
    valid: Valid,
    rule: MissingRule,
    pixels: Array,
    window: Window,
    mode: str,
    *,
    border: Border | None = None,
    threads: int | None = None,
) -> tuple[Array, Valid]:
    """The image that `pool_image` makes of the valid cells, and its valid cells (h_out, w_out, C).

    `valid` (H, W, C) is 1 for valid and 0 for missing cells, which hold 0 in `pixels`. A window without a valid cell is missing, and one
    whose share of valid cells is below the rule's. Padded cells take no part without a border; with one they are
    missing where they repeat a missing cell. The values of missing results are arbitrary.
    """
    if border is not None:
        (h_out, w_out), inner = window.output_size(pixels.shape[:2]), replace(window, padding=(0, 0), around=None)
        padded, cells = (_padded(each, window, own) for each, own in ((pixels, border), (valid, Border(border.mode, 1.0))))
        values, known = pool_missing(cells, rule, padded, inner, mode, threads=threads)
        return values[:h_out, :w_out], known[:h_out, :w_out]
    pooled: Callable[..., Array] = partial(pool_image, window=window, threads=threads)
    share = pooled(valid.astype(np.float32), mode="avg")
    least = 1 - SHARE_ROUNDING if rule.mode is MissingMode.propagate else max(rule.min_valid - SHARE_ROUNDING, 0)
    valid_out = ((share > 0) & (share >= least)).view(np.uint8)
    pool_mode, percent = PoolMode.of(mode)
    match pool_mode:
        case PoolMode.max | PoolMode.min:
            return pooled(_without(pixels, valid, pool_mode), mode=mode), valid_out
        case PoolMode.range:
            largest, smallest = (pooled(_without(pixels, valid, each), mode=each) for each in (PoolMode.max, PoolMode.min))
            with np.errstate(invalid="ignore"):  # infinity minus infinity is NaN
                return np.subtract(largest, smallest, out=np.zeros_like(largest), where=valid_out != 0), valid_out
        case PoolMode.avg:
            wide = pooled(pixels.astype(np.float64), mode="avg")
            np.divide(wide, pooled(valid.astype(np.float64), mode="avg"), out=wide, where=valid_out != 0)
            return _rounded(wide, pixels.dtype), valid_out
        case PoolMode.median | PoolMode.rank:
            reduce = partial(_ranked, [0, *(pool_mode.place(percent, n) for n in range(1, window.cell_count + 1))])
        case PoolMode.std:
            reduce = partial(_deviation, rounded=pixels.dtype.kind == "u")
        case _:
            assert_never(pool_mode)
    return _gathered(pixels, valid, window, pooled(pixels, mode=mode), (share < 1) & (valid_out != 0), reduce), valid_out


def pool_maps(maps: Array, rule: MissingRule, window: Window, mode: str, padding_mode: str | tuple[str, float] | None = None) -> Array:
    """Maps (N, C, H, W) of floats, pooled by `pool_missing`; missing cells are NaN before and after."""
    pooled, border = [], None if padding_mode is None else Border.of(padding_mode)
    for each in maps:
        pixels = np.ascontiguousarray(each.transpose(1, 2, 0))
        missing = np.isnan(pixels)
        known = np.where(missing, pixels.dtype.type(0), pixels)
        values, valid = pool_missing((~missing).view(np.uint8), rule, known, window, mode, border=border)
        pooled.append(np.where(valid, values, pixels.dtype.type(np.nan)).transpose(2, 0, 1))
    return np.ascontiguousarray(pooled)


def _padded(cells: Array, window: Window, border: Border) -> Array:
    height, _, channels = cells.shape
    rows = PaddedRows(np.ascontiguousarray(cells).reshape(height, -1), window.pads(cells.shape[:2]), border, channels)
    return rows.band(0, rows.shape[0]).reshape(rows.shape[0], -1, channels)


def _without(pixels: Array, valid: Valid, mode: PoolMode) -> Array:
    """`pixels` with a value in missing cells that no largest or smallest value is affected by."""
    whole = pixels.dtype.kind == "u"
    low, high = (0, np.iinfo(pixels.dtype.name).max) if whole else (-np.inf, np.inf)
    return np.where(valid, pixels, pixels.dtype.type(low if mode is PoolMode.max else high))


def _rounded(values: Array, dtype: np.dtype[Any]) -> Array:
    return np.rint(np.round(values, SAME)).astype(dtype) if dtype.kind == "u" else values.astype(dtype)


def _ranked(places: Sequence[int], cells: Array, counts: NDArray[np.intp]) -> Array:
    """The cell at places[n] of the first n = `counts` of each row of sorted `cells`."""
    return np.take_along_axis(cells, np.array(places)[counts][:, None], axis=1)[:, 0]


@np.errstate(invalid="ignore")  # infinity minus infinity is NaN
def _deviation(cells: Array, counts: NDArray[np.intp], *, rounded: bool) -> Array:
    """The standard deviation of the first `counts` of each row of `cells`."""
    known = np.arange(cells.shape[1]) < counts[:, None]
    values = np.where(known, cells, 0).astype(np.float64)
    squares = np.where(known, values - values.sum(axis=1, keepdims=True) / counts[:, None], 0) ** 2
    deviation = np.sqrt(squares.sum(axis=1) / counts)
    return np.rint(deviation) if rounded else deviation


def _gathered(
    pixels: Array, valid: Valid, window: Window, out: Array, wanted: NDArray[np.bool_], reduce: Callable[[Array, NDArray[np.intp]], Array]
) -> Array:
    """`out` with the results of `reduce` at the `wanted` windows, on the sorted valid cells of each."""
    size = pixels.shape[:2]
    taps = np.array([(row, first + cell) for row, first, count in window.runs for cell in range(count)]).T
    pads = window.pads(size)
    every = np.argwhere(wanted)
    for first in range(0, len(every), max(CHUNK // taps.shape[1], 1)):
        i, j, c = every[first : first + max(CHUNK // taps.shape[1], 1)].T
        rows, columns = (
            at[:, None] * window.stride[axis] + taps[axis] * window.dilation[axis] - pads[axis][0] for axis, at in enumerate((i, j))
        )
        inside = (rows >= 0) & (rows < size[0]) & (columns >= 0) & (columns < size[1])
        rows, columns = np.clip(rows, 0, size[0] - 1), np.clip(columns, 0, size[1] - 1)
        known = inside & (valid[rows, columns, c[:, None]] != 0)
        cells = np.where(known, pixels[rows, columns, c[:, None]], np.inf)
        cells.sort(axis=1)
        out[i, j, c] = np.where(np.isnan(cells[:, -1]), cells[:, -1], reduce(cells, known.sum(axis=1)))  # NaN is last
    return out
