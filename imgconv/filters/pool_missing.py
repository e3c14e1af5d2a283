"""Pools of images with missing cells: each window is reduced to one value of its valid cells."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import assert_never

import numpy as np

from imgconv.arrays import Array
from imgconv.filters.normalisation import SHARE_ROUNDING
from imgconv.filters.parts import Part
from imgconv.filters.pool2d import pool_image
from imgconv.filters.valid_cells import Valid, for_channels, narrowed, repeated, without_missing
from imgconv.loops.pooling import LARGEST, SMALLEST
from imgconv.modes import MissingMode, MissingRule, PoolMode
from imgconv.window import Window
from imgconv.windows.borders import Border, PaddedRows
from imgconv.windows.planes import Planes, Strip, join_strips, strips
from imgconv.windows.ranks import ranked
from imgconv.windows.reduce import identity_of, valid_averages
from imgconv.windows.shapes import deviations, shaped_averages


def pool_missing(
    valid: Valid,
    rule: MissingRule,
    pixels: Array,
    window: Window,
    mode: str,
    *,
    border: Border | None = None,
    part: Part | None = None,
    threads: int | None = None,
) -> tuple[Array, Valid]:
    """The image that `pool_image` makes of the valid cells, and its valid cells (h_out, w_out, C).

    `valid` (H, W, C) is 1 for valid and 0 for missing cells; the values of missing cells and results are arbitrary. A window without a
    valid cell is missing, and one whose share of valid cells is below the rule's. Without a border padded cells are ignored; with one they
    are missing where they repeat a missing cell, and `part` says as in `pool_image` which rows are made.
    """
    valid = narrowed(valid)
    if border is not None:
        height, width, channels = pixels.shape
        h_out, w_out = window.output_size((height if part is None else part.height, width))
        part, inner = part or Part(height, 0, 0, h_out), replace(window, padding=(0, 0), around=None)
        padded, cells = (_padded(each, window, own, part) for each, own in ((pixels, border), (valid, Border(border.mode, 1.0))))
        values, known = pool_missing(for_channels(cells, channels), rule, padded, inner, mode, threads=threads)
        rows = part.last - part.first  # with ceil_mode, padding leaves room for more windows than the image
        return np.ascontiguousarray(values[:rows, :w_out]), known[:rows, :w_out]
    parts = strips(window, pixels.shape[:2], pixels[0, :1].nbytes)
    if not parts:
        values, known = _pooled(valid, rule, pixels, window, mode, threads)
    else:

        def of_strip(part: Strip) -> tuple[Array, ...]:
            known, cells = (np.ascontiguousarray(each[:, part.begin : part.end]) for each in (valid, pixels))
            return _pooled(known, rule, cells, part.window, mode, threads)

        values, known = join_strips(parts, of_strip)
    return values, for_channels(known.view(np.uint8), pixels.shape[2])


def _pooled(valid: Valid, rule: MissingRule, pixels: Array, window: Window, mode: str, threads: int | None) -> tuple[Array, Valid]:
    pooled: Callable[..., Array] = partial(pool_image, window=window, threads=threads)
    channels = pixels.shape[2]
    pool_mode, percent = PoolMode.of(mode)
    any_valid = None

    def without(value: float) -> Array:  # a value that affects no result
        return without_missing(pixels, for_channels(valid, channels), value, threads=threads)

    def without_largest() -> Array:
        return without(identity_of(LARGEST, pixels.dtype))

    def without_smallest() -> Array:
        return without(identity_of(SMALLEST, pixels.dtype))

    def cells_and_valid(cells: Array) -> tuple[Planes, Planes]:
        return Planes.of_image(cells), Planes.of_image(repeated(valid, channels, threads))

    match pool_mode:
        case PoolMode.max:
            rows = pooled(without_largest(), mode=mode)
        case PoolMode.min:
            rows = pooled(without_smallest(), mode=mode)
        case PoolMode.range:
            largest, smallest = pooled(without_largest(), mode="max"), pooled(without_smallest(), mode="min")
            with np.errstate(invalid="ignore"):  # infinity minus infinity is NaN
                rows = np.subtract(largest, smallest, out=largest)
        case PoolMode.avg if window.footprint:
            cells, exists = cells_and_valid(without(0))
            rows = shaped_averages(cells, window, threads, exists)
        case PoolMode.avg:
            rows, any_valid = valid_averages(*cells_and_valid(without(0)), window, threads)
        case PoolMode.median | PoolMode.rank:
            cells, exists = cells_and_valid(without_smallest())
            rows = ranked(cells, window, partial(pool_mode.place, percent), threads, exists)
        case PoolMode.std:
            cells, exists = cells_and_valid(without(0))
            rows = deviations(cells, window, threads, exists)
        case _:
            assert_never(pool_mode)
    size_out = window.output_size(pixels.shape[:2])
    return rows.reshape(*size_out, channels), _valid_out(pooled, valid, rule, any_valid).reshape(*size_out, -1)


def pool_maps(maps: Array, rule: MissingRule, window: Window, mode: str, padding_mode: str | tuple[str, float] | None = None) -> Array:
    """Maps (N, C, H, W) of floats, pooled by `pool_missing`; missing cells are NaN before and after."""
    pooled, border = [], None if padding_mode is None else Border.of(padding_mode)
    for each in maps:
        pixels = np.ascontiguousarray(each.transpose(1, 2, 0))
        missing = np.isnan(pixels)
        values, valid = pool_missing((~missing).view(np.uint8), rule, pixels, window, mode, border=border)
        pooled.append(np.where(valid, values, pixels.dtype.type(np.nan)).transpose(2, 0, 1))
    return np.ascontiguousarray(pooled)


def _padded(cells: Array, window: Window, border: Border, part: Part) -> Array:
    """The padded rows under the windows of the output rows of a part."""
    rows, width, channels = cells.shape
    pads, stride = window.pads((part.height, width)), window.stride[0]
    padded = PaddedRows(np.ascontiguousarray(cells).reshape(rows, -1), pads, border, channels, **part.keywords)
    band = padded.band(part.first * stride, min((part.last - 1) * stride + window.span[0], padded.shape[0]))
    return band.reshape(len(band), -1, channels)


def _valid_out(pooled: Callable[..., Array], valid: Valid, rule: MissingRule, any_valid: Array | None) -> Array:
    """The windows with enough valid cells; `any_valid` are those with one, where that is known."""
    if rule.mode is MissingMode.propagate:
        return pooled(valid, mode="min")
    if rule.min_valid > 0:  # a share of a few cells is rounded once, as the limit is
        return (pooled(valid.astype(np.float64), mode="avg") >= max(rule.min_valid - SHARE_ROUNDING, SHARE_ROUNDING)).view(np.uint8)
    return pooled(valid, mode="max") if any_valid is None else any_valid
