"""Pools of images with missing cells: each window is reduced to one value of its valid cells."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import assert_never

import numpy as np

from imgconv.arrays import Array
from imgconv.filters.missing import SHARE_ROUNDING, Valid
from imgconv.filters.pool2d import pool_image
from imgconv.modes import MissingMode, MissingRule, PoolMode
from imgconv.window import Window
from imgconv.windows.blocks import Taps
from imgconv.windows.borders import Border, PaddedRows
from imgconv.windows.ranks import Place, rank_algorithm, ranked
from imgconv.windows.reduce import Planes, extremes
from imgconv.windows.shapes import deviations, shaped_averages

SPARSE = 6  # times as many windows in all cost as much by counting as those with a missing cell one by one (measured 2026-11-29)
CHUNK = 1 << 16  # windows that are sorted at a time


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
    valid_out = _valid_out(pooled, valid, rule)
    planes, exists = Planes.of_image(pixels), Planes.of_image(valid)
    pool_mode, percent = PoolMode.of(mode)
    match pool_mode:
        case PoolMode.max | PoolMode.min:
            return pooled(_without(pixels, valid, pool_mode), mode=mode), valid_out
        case PoolMode.range:
            largest, smallest = (pooled(_without(pixels, valid, each), mode=each) for each in (PoolMode.max, PoolMode.min))
            with np.errstate(invalid="ignore"):  # infinity minus infinity is NaN
                return np.subtract(largest, smallest, out=np.zeros_like(largest), where=valid_out != 0), valid_out
        case PoolMode.avg:
            rows = shaped_averages(planes, window, threads, exists)
        case PoolMode.median | PoolMode.rank:
            without = Planes.of_image(_without(pixels, valid, PoolMode.min))
            rows = _ranked(without, exists, window, partial(pool_mode.place, percent), threads)
        case PoolMode.std:
            rows = deviations(planes, window, threads, exists)
        case _:
            assert_never(pool_mode)
    return rows.reshape(valid_out.shape), valid_out


def _ranked(planes: Planes, valid: Planes, window: Window, place: Place, threads: int | None) -> Array:
    """The ranked valid cells of one plane, whose missing cells have the largest value.

    Where few windows have a missing cell, those are sorted one by one and the others ranked as without missing cells, by a network.
    """
    if window.footprint or rank_algorithm(window, planes.size, planes.rows.dtype) != "sorting network":
        return ranked(planes, window, place, threads, valid)
    has_missing, has_valid = (extremes(valid, window, largest=each, threads=threads) == int(each) for each in (False, True))
    touched = np.flatnonzero(has_missing & has_valid)
    if len(touched) * SPARSE > has_missing.size:
        return ranked(planes, window, place, threads, valid)
    out: Array = ranked(planes, window, place, threads)
    taps, places = Taps(window, planes.channels), np.array([0, *map(place, range(1, window.cell_count + 1))])
    largest = np.inf if out.dtype.kind == "f" else np.iinfo(out.dtype.char).max
    cells, known = (_padded_rows(each, window, value) for each, value in ((planes, largest), (valid, 0)))
    offsets = taps.rows * cells.shape[1] + taps.columns
    for first in range(0, len(touched), CHUNK):
        at = touched[first : first + CHUNK]
        (i, element), (down, across) = np.divmod(at, out.shape[1]), window.stride
        begin = i * down * cells.shape[1] + element // planes.channels * across * planes.channels + element % planes.channels
        places_of = begin[:, None] + offsets
        values, counts = np.sort(cells.ravel()[places_of], axis=1), known.ravel()[places_of].sum(axis=1, dtype=np.intp)
        picked, last = values[np.arange(len(at)), places[counts]], values[:, -1]
        out.ravel()[at] = np.where(last == last, picked, last)  # NaN is last
    return out


def _padded_rows(planes: Planes, window: Window, value: float) -> Array:
    """The rows of one plane with cells of a value around them, so that every window lies inside."""
    pads = []
    for size, outputs, stride, span, (before, _) in zip(
        planes.size, window.output_size(planes.size), window.stride, window.span, window.pads(planes.size), strict=True
    ):
        pads.append((before, max((outputs - 1) * stride + span - before - size, 0)))
    (above, below), (left, right) = pads
    sides = left * planes.channels, right * planes.channels
    return np.pad(planes.rows, ((above, below), sides), constant_values=value)


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


def _valid_out(pooled: Callable[..., Array], valid: Valid, rule: MissingRule) -> Valid:
    """The windows with enough valid cells."""
    if rule.mode is MissingMode.propagate:
        return pooled(valid, mode="min")
    any_valid = pooled(valid, mode="max")
    if rule.min_valid > 0:
        any_valid &= pooled(valid.astype(np.float32), mode="avg") >= rule.min_valid - SHARE_ROUNDING
    return any_valid


def _without(pixels: Array, valid: Valid, mode: PoolMode) -> Array:
    """`pixels` with a value in missing cells that no largest or smallest value is affected by."""
    whole, is_largest = pixels.dtype.kind == "u", mode is PoolMode.max
    if whole and is_largest:
        return pixels  # missing cells hold 0
    pixels = pixels.copy()
    np.copyto(pixels, np.iinfo(pixels.dtype.name).max if whole else -np.inf if is_largest else np.inf, where=valid == 0)
    return pixels
