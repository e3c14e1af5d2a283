"""Process an image by bands of output rows, with the same pixels as for the whole image, if each step depends on few rows."""

from collections.abc import Sequence
from dataclasses import replace
from functools import reduce
from math import lcm
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imgconv.errors import DoesNotFit
from imgconv.filters.filter2d import ImageFilter
from imgconv.filters.weights import FilterKernel, pads_of
from imgconv.images import Metadata, Raster, resampled
from imgconv.modes import PaddingMode
from imgconv.process.image import (
    filter_of_part,
    filtered_part,
    of_finished,
    pooled,
    postprocessed,
    prepare,
    sampling_of,
    sampling_of_pool,
    with_missing,
)
from imgconv.process.maps import BandedMaps, Extremes, Map, Rows, Whole, rows_of, united
from imgconv.recipe import Canny, Filter, MapPlan, Pool
from imgconv.window import Window
from imgconv.windows.borders import CONSTANT, Border, Part


def banded_maps(whole: Whole) -> list[BandedMaps]:
    """The maps of an image, those of one size together. Raises DoesNotFit for a step that depends on the whole image."""
    maps = _plain_maps(whole)
    if not whole.may_have_missing:
        return maps
    from imgconv.process.missing import with_valid_cells

    return with_valid_cells(whole, maps)


def _plain_maps(whole: Whole) -> list[BandedMaps]:
    step = whole.recipe.step
    if isinstance(step, Filter):
        return [_FilteredMap(whole, step, plan) for plan in step.maps]
    if isinstance(step, Pool):
        return [_PooledMap(whole, step)]
    if isinstance(step, Canny):
        raise DoesNotFit("canny follows edges through the whole image")
    from imgconv.process.network import banded_network

    return banded_network(step, whole)


class _FilteredMap(BandedMaps):
    """One map of a filter."""

    def __init__(self, whole: Whole, step: Filter, plan: MapPlan):
        self._whole, self._step, self._plan, size = whole, step, plan, whole.size
        self.height = step.window(plan).output_size(size)[0]
        self._metadata = resampled(whole.image.metadata, of_finished(sampling_of(step, plan, size), whole.recipe), size)
        forms = [whole.image]
        if whole.may_have_missing:
            from imgconv.process.missing import all_valid

            forms.append(all_valid(whole.image))
        filters = [self._filter(self._prepared(form), 0, (0, 0)) for form in forms]
        self.alignment = lcm(*(each.alignment for each in filters))
        self.measured = filters[0].output.range.arithmetic.stretched
        self._extremes: dict[bool, Extremes | None] = {}  # by whether rows have valid cells: sums are not the same to the last bit

    def rows(self, band: Rows) -> Rows:
        step = self._step
        border = Border.of(step.padding_mode)
        begin, end = filter_rows(self._plan.kernels, step.window(self._plan), border, self._whole.size, band, flip=step.flip)
        return (min(begin, band[0]), max(end, band[1])) if self._whole.recipe.postprocess.overlay else (begin, end)

    def measure(self, input_rows: Raster, begin: int, band: Rows) -> None:
        extremes = self._filter(self._prepared(input_rows), begin, band).measured(self._whole.threads)
        has_valid = input_rows.valid is not None
        self._extremes[has_valid] = united(self._extremes.get(has_valid), extremes)

    @property
    def measurements(self) -> dict[bool, Extremes | None]:
        return self._extremes

    def use_measurements(self, parts: Sequence[Any]) -> None:
        self._extremes = {has_valid: reduce(united, (part.get(has_valid) for part in parts)) for has_valid in (False, True)}

    def maps(self, input_rows: Raster, begin: int, band: Rows) -> list[Map]:
        prepared = self._prepared(input_rows)
        extremes = self._extremes.get(input_rows.valid is not None)
        result = filtered_part(prepared, self._filter(prepared, begin, band), self._whole.threads, extremes)
        original = rows_of(input_rows, begin, band) if self._whole.recipe.postprocess.overlay else input_rows
        finished = postprocessed(result, original, self._whole.recipe)
        return [Map(self._plan.name, _whole_map(finished, self._metadata, input_rows, result.valid, self._whole.threads))]

    def _prepared(self, input_rows: Raster) -> Raster:
        return prepare(input_rows, self._step.grey, self._step.keeps_alpha(self._plan), self._whole.threads)

    def _filter(self, prepared: Raster, begin: int, band: Rows) -> ImageFilter:
        part = Part(self._whole.size[0], begin, *band)
        return filter_of_part(prepared, self._step, self._plan, self._whole.floats, part, self._whole.threads)


class _PooledMap(BandedMaps):
    """The map of a pool."""

    alignment = 1
    measured = False

    def __init__(self, whole: Whole, step: Pool):
        self._whole, self._step, size = whole, step, whole.size
        self.height = step.window.output_size(size)[0]
        self._metadata = resampled(whole.image.metadata, of_finished(sampling_of_pool(step, size), whole.recipe), size)

    def rows(self, band: Rows) -> Rows:
        step = self._step
        if step.padding_mode is None:
            return pool_rows(step.window, self._whole.size, band)[1]
        return filter_rows([], step.window, Border.of(step.padding_mode), self._whole.size, band, flip=False)

    def measure(self, input_rows: Raster, begin: int, band: Rows) -> None:
        raise AssertionError("a pool has no range")

    def maps(self, input_rows: Raster, begin: int, band: Rows) -> list[Map]:
        if self._step.padding_mode is None:
            window, rows_needed = pool_rows(self._step.window, self._whole.size, band)
            result = pooled(rows_of(input_rows, begin, rows_needed), self._step, self._whole.floats, self._whole.threads, window)
        else:
            part = Part(self._whole.size[0], begin, *band)
            result = pooled(input_rows, self._step, self._whole.floats, self._whole.threads, part=part)
        return [Map("pool", _whole_map(result, self._metadata, input_rows, result.valid, self._whole.threads))]


def _whole_map(finished: Raster, metadata: Metadata, input_rows: Raster, valid: NDArray[np.uint8] | None, threads: int | None) -> Raster:
    """Finished rows with the metadata of the whole map; what their missing cells are, the input rows declare."""
    return with_missing(replace(finished, metadata=metadata._replace(nodata=input_rows.metadata.nodata)), valid, threads)


def filter_rows(
    kernels: Sequence[FilterKernel], window: Window, border: Border, size: tuple[int, int], outputs: tuple[int, int], *, flip: bool
) -> tuple[int, int]:
    """The input rows (begin, end) that `outputs` (first, last) of a filter need: those under windows, and those that the border repeats.

    >>> filter_rows([], Window.of(3, padding=1), Border.of("reflect"), (9, 9), (0, 4), flip=False)
    (0, 5)
    """
    begins, ends = [], []
    for top in [pads_of(kernel, window, size, flip=flip)[0][0] for kernel in kernels] or [window.pads(size)[0][0]]:
        begin, end = _cells_under(window, outputs, top)
        if border.mode is PaddingMode.circular:
            rows = np.array([begin, end - 1])
        else:
            sources = border.sources(np.arange(begin, end), size[0])
            nearest = np.clip([begin, end - 1], 0, size[0] - 1)  # alpha is taken from there where an anchor lies in the padding
            rows = np.concatenate([sources[sources != CONSTANT], nearest])
        begins.append(int(rows.min()))
        ends.append(int(rows.max()) + 1)
    return min(begins), max(ends)


def pool_rows(window: Window, size: tuple[int, int], outputs: tuple[int, int]) -> tuple[Window, tuple[int, int]]:
    """The input rows (begin, end) under `outputs` (first, last) of a pool, and the window that gives just these outputs from them."""
    (top, _), (left, _) = window.pads(size)
    columns = window.output_size(size)[1]
    begin, end = _cells_under(window, outputs, top)
    low, high = max(begin, 0), min(end, size[0])
    right = max((columns - 1) * window.stride[1] + window.span[1] - left - size[1], 0)
    return replace(window, around=((low - begin, end - high), (left, right)), ceil_mode=False), (low, high)


def _cells_under(window: Window, outputs: tuple[int, int], top: int) -> tuple[int, int]:
    first, last = outputs
    return first * window.stride[0] - top, (last - 1) * window.stride[0] + window.span[0] - top
