"""An image through a recipe by bands of output rows, with the pixels of the whole image, where each step sees few rows at a time."""

from collections.abc import Sequence
from dataclasses import replace
from functools import reduce
from typing import Any

from imgconv.errors import DoesNotFit
from imgconv.filters.filter2d import ImageFilter
from imgconv.filters.parts import Part, filter_rows, pool_rows
from imgconv.images import Raster, resampled
from imgconv.process.banded_maps import BandedMaps, Rows, rows_of, united
from imgconv.process.image import image_filter, of_finished, pooled, postprocessed, prepare, sampling_of, sampling_of_pool
from imgconv.process.maps import Map
from imgconv.recipe import Canny, Filter, MapPlan, Pool, Recipe
from imgconv.windows.borders import Border


def banded_maps(recipe: Recipe, image: Raster, size: tuple[int, int], *, floats: bool, threads: int | None) -> list[BandedMaps]:
    """The maps of an image of `size` that is not in memory, those of one size together; `image` are some rows of it, with its metadata.

    Raises DoesNotFit for a step that sees the whole image.
    """
    maps = _plain_maps(recipe, image, size, floats=floats, threads=threads)
    if image.metadata.nodata is None and recipe.missing_data.is_default:
        return maps
    from imgconv.process.banded_missing import with_missing

    return with_missing(recipe, maps, image, size, floats=floats)


def _plain_maps(recipe: Recipe, image: Raster, size: tuple[int, int], *, floats: bool, threads: int | None) -> list[BandedMaps]:
    step = recipe.step
    if isinstance(step, Filter):
        return [_FilteredMap(recipe, step, plan, image, size, floats, threads) for plan in step.maps]
    if isinstance(step, Pool):
        return [_PooledMap(recipe, step, image, size, floats, threads)]
    if isinstance(step, Canny):
        raise DoesNotFit("canny follows edges through the whole image")
    from imgconv.process.banded_network import banded_network

    return banded_network(step, image, size, floats=floats)


class _FilteredMap(BandedMaps):
    """One map of a filter."""

    def __init__(
        self, recipe: Recipe, step: Filter, plan: MapPlan, image: Raster, size: tuple[int, int], floats: bool, threads: int | None
    ):
        self._recipe, self._step, self._plan, self._size, self._floats, self._threads = recipe, step, plan, size, floats, threads
        self.height = step.window(plan).output_size(size)[0]
        self._metadata = resampled(image.metadata, of_finished(sampling_of(step, plan, size), recipe), size)
        one = self._filter(self._prepared(image), 0, (0, 1))
        self.alignment = one.alignment
        self.measured = one.output.range.arithmetic.stretched
        self._extremes: tuple[float, float] | None = None

    def rows(self, band: Rows) -> Rows:
        step = self._step
        border = Border.of(step.padding_mode)
        begin, end = filter_rows(self._plan.kernels, step.window(self._plan), border, self._size, band, flip=step.flip)
        return (min(begin, band[0]), max(end, band[1])) if self._recipe.postprocess.overlay else (begin, end)

    def measure(self, held: Raster, begin: int, band: Rows) -> None:
        extremes = self._filter(self._prepared(held), begin, band).measured(self._threads)
        self._extremes = united(self._extremes, extremes)

    @property
    def measurements(self) -> tuple[float, float] | None:
        return self._extremes

    def use_measurements(self, parts: Sequence[Any]) -> None:
        self._extremes = reduce(united, parts)

    def maps(self, held: Raster, begin: int, band: Rows) -> list[Map]:
        prepared = self._prepared(held)
        pixels = self._filter(prepared, begin, band).run(self._threads, self._extremes or (0.0, 0.0))
        original = rows_of(held, begin, band) if self._recipe.postprocess.overlay else held
        result = postprocessed(replace(prepared, pixels=pixels), original, self._recipe)
        return [Map(self._plan.name, replace(result, metadata=self._metadata))]

    def _prepared(self, held: Raster) -> Raster:
        return prepare(held, self._step.grey, self._step.keeps_alpha(self._plan), self._threads)

    def _filter(self, prepared: Raster, begin: int, band: Rows) -> ImageFilter:
        return image_filter(prepared, self._step, self._plan, self._floats, Part(self._size[0], begin, *band))


class _PooledMap(BandedMaps):
    """The map of a pool."""

    alignment = 1
    measured = False

    def __init__(self, recipe: Recipe, step: Pool, image: Raster, size: tuple[int, int], floats: bool, threads: int | None):
        self._recipe, self._step, self._size, self._floats, self._threads = recipe, step, size, floats, threads
        self.height = step.window.output_size(size)[0]
        self._metadata = resampled(image.metadata, of_finished(sampling_of_pool(step, size), recipe), size)

    def rows(self, band: Rows) -> Rows:
        step = self._step
        if step.padding_mode is None:
            return pool_rows(step.window, self._size, band)[1]
        return filter_rows([], step.window, Border.of(step.padding_mode), self._size, band, flip=False)

    def measure(self, held: Raster, begin: int, band: Rows) -> None:
        raise AssertionError("a pool has no range")

    def maps(self, held: Raster, begin: int, band: Rows) -> list[Map]:
        if self._step.padding_mode is None:
            window, rows_needed = pool_rows(self._step.window, self._size, band)
            result = pooled(rows_of(held, begin, rows_needed), self._step, self._floats, self._threads, window)
        else:
            part = Part(self._size[0], begin, *band)
            result = pooled(held, self._step, self._floats, self._threads, part=part)
        return [Map("pool", replace(result, metadata=self._metadata))]
