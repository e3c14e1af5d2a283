"""Pooling of images, also of those with missing cells: interleaved pixels in, pixels of the same dtype out, exact for whole numbers."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import assert_never

import numpy as np

from imgconv.arrays import AnyArray, Array, as_real_array
from imgconv.engine.parallel import run_bands
from imgconv.errors import DoesNotFit, UsageError
from imgconv.filters.valid_cells import SHARE_ROUNDING, Valid, for_channels, narrowed, repeated, without_missing
from imgconv.loops.pooling import LARGEST, SMALLEST
from imgconv.modes import MissingMode, MissingRule, PoolMode
from imgconv.window import Window
from imgconv.windows.borders import Border, PaddedRows, Part
from imgconv.windows.planes import Planes, Strip, join_strips, strips
from imgconv.windows.ranks import rank_algorithm, ranked
from imgconv.windows.reduce import average_algorithm, averages, extremes, identity_of, valid_averages
from imgconv.windows.shapes import cell_counts, deviations, has_exact_deviations, shaped_averages, shaped_extremes
from imgconv.windows.spans import fewest_cells

BAND_VALUES = 1 << 20  # of a padded image at a time


def pool_image(
    pixels: AnyArray, window: Window, mode: str, *, border: Border | None = None, part: Part | None = None, threads: int | None = None
) -> AnyArray:
    """Reduce every window of an image to one value.

    Parameters
    ----------
    pixels : (H, W, C) uint8, uint16, float32 or float64
        Interleaved channels, each pooled on its own.
    window : Window
        Two axes, with any shape, stride, dilation and padding.
    mode : as `imgconv.modes.PoolMode.of` takes it
        The average and the standard deviation of whole numbers are rounded once, half to even; the average is exact. The median is the
        lower one.
    border : Border, optional
        The values of padded cells; by default they are ignored.
    part : Part, optional
        With a border: the output rows that are made, and the input rows that `pixels` are.
    threads : int, optional
        Number of threads; by default that of the cores this process may use. The result does not depend on it.

    Returns
    -------
    (h_out, w_out, C) of the same dtype
        With (h_out, w_out) = `window.output_size((H, W))`. NaN under a window makes its value NaN.

    Raises
    ------
    UsageError
        An unknown mode or dtype.
    DoesNotFit
        No window fits, or one would hold nothing but padding, or the border has a value that no pixel can have.

    Notes
    -----
    A window of k x k pixels costs k + log2(k) operations for each output pixel, one of another shape two operations for each run of
    neighbours and one for each length of runs. A rank costs about k*k*log2(k)**2 in small windows, the same for all sizes in larger
    rectangles of bytes, and a comparison for each cell and bit in others. A standard deviation costs as much as two averages for whole
    numbers, and 3*k*k for others.

    Examples
    --------
    >>> photo = np.arange(16, dtype=np.uint8).reshape(4, 4, 1)
    >>> pool_image(photo, Window.of(2, stride=2), "avg")[..., 0]
    array([[ 2,  4],
           [10, 12]], dtype=uint8)
    """
    pool_mode, percent = PoolMode.of(mode)
    _check(pixels)
    if border is not None:
        return _pool_padded(pixels, window, mode, border, part, threads)
    _check_windows(window, pixels.shape[:2])
    planes = Planes.of_image(pixels)
    match pool_mode:
        case PoolMode.max | PoolMode.min:
            pooled = _extremes(planes, window, threads, largest=pool_mode is PoolMode.max)
        case PoolMode.range:
            largest, smallest = (_extremes(planes, window, threads, largest=each) for each in (True, False))
            with np.errstate(invalid="ignore"):
                pooled = np.subtract(largest, smallest, out=largest)
        case PoolMode.avg if window.footprint:
            pooled = shaped_averages(planes, window, threads)
        case PoolMode.avg:
            pooled = averages(planes, window, None, pixels.dtype, threads)
        case PoolMode.median | PoolMode.rank:
            pooled = ranked(planes, window, partial(pool_mode.place, percent), threads)
        case PoolMode.std:
            pooled = deviations(planes, window, threads)
        case _:
            assert_never(pool_mode)
    return pooled.reshape(*window.output_size(planes.size), pixels.shape[2])


def pool_algorithm(mode: str, window: Window, size: tuple[int, int], dtype: np.dtype[np.generic], *, padded: bool = False) -> str:
    """The algorithm with which `pool_image` pools images of `size` and `dtype`; `padded` if padded cells have values.

    Raises DoesNotFit where `pool_image` does.

    >>> pool_algorithm("avg", Window.of(2, stride=2), (480, 640), np.dtype(np.uint8))
    '2x2 blocks'
    """
    if padded:
        window, size = _padded(window, size)
    _check_windows(window, size)
    pool_mode, _ = PoolMode.of(mode)
    match pool_mode:
        case PoolMode.max | PoolMode.min | PoolMode.range:
            return "runs" if window.footprint else "separable"
        case PoolMode.avg:
            return "runs" if window.footprint else average_algorithm(window, size)
        case PoolMode.median | PoolMode.rank:
            return rank_algorithm(window, size, dtype)
        case PoolMode.std:
            return "runs" if has_exact_deviations(window, dtype) else "cell by cell"
        case _:
            assert_never(pool_mode)


def _extremes(planes: Planes, window: Window, threads: int | None, *, largest: bool) -> AnyArray:
    return (shaped_extremes if window.footprint else extremes)(planes, window, largest=largest, threads=threads)


def _check(pixels: AnyArray) -> None:
    as_real_array(pixels, "pixels", dims=3)
    if pixels.dtype not in (np.uint8, np.uint16, np.float32, np.float64):
        raise UsageError(f"pixels of dtype {pixels.dtype} cannot be pooled; use uint8, uint16, float32 or float64")
    if 0 in pixels.shape:
        raise DoesNotFit(f"an image of shape {pixels.shape} has nothing to pool")


def _check_windows(window: Window, size: tuple[int, int]) -> None:
    """Raise DoesNotFit where a window would see no cell."""
    if not (all(fewest_cells(window, size, axis) for axis in (0, 1)) and (window.footprint is None or cell_counts(window, size).fewest)):
        shape = window.footprint or window.kernel_size
        raise DoesNotFit(f"a window of {shape} holds only padding of the image {size}; use less padding or dilation, or --padding-mode")


def _padded(window: Window, size: tuple[int, int]) -> tuple[Window, tuple[int, int]]:
    """The window and the size once padded cells are cells of the image."""
    height, width = (cells + before + after for cells, (before, after) in zip(size, window.pads(size), strict=True))
    return replace(window, padding=(0, 0), around=None), (height, width)


def _pool_padded(pixels: AnyArray, window: Window, mode: str, border: Border, part: Part | None, threads: int | None) -> AnyArray:
    """Pool an image whose padded cells have values, in bands of rows that are padded one at a time."""
    border.check_level(pixels.dtype)
    height, width, channels = pixels.shape
    size = (height if part is None else part.height, width)
    (h_out, w_out), (inner, _) = window.output_size(size), _padded(window, size)
    part = part or Part(height, 0, 0, h_out)
    padded = PaddedRows(np.ascontiguousarray(pixels).reshape(height, -1), window.pads(size), border, channels, **part.keywords)
    stride, span, start = window.stride[0], window.span[0], part.first
    out = np.empty((part.last - start, w_out, channels), pixels.dtype)

    def work(first: int, last: int) -> None:
        band = padded.band((start + first) * stride, min((start + last - 1) * stride + span, padded.shape[0]))
        pooled = pool_image(band.reshape(len(band), -1, channels), inner, mode, threads=1)
        out[first:last] = pooled[: last - first, :w_out]  # with ceil_mode, padding leaves room for more windows than the image

    run_bands(work, len(out), max(BAND_VALUES // padded.shape[1] // stride, 4 * span // stride, 1), threads)
    return out


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
        padded, cells = (_padded_part(each, window, own, part) for each, own in ((pixels, border), (valid, Border(border.mode, 1.0))))
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


def _padded_part(cells: Array, window: Window, border: Border, part: Part) -> Array:
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
