"""Process an image by bands of output rows, with the same pixels as for the whole image, if each step depends on few rows.

With missing cells, the rows of a band go through the maps with their valid cells. Each step of a network gets the rows that its windows
see, and its results at a cut are left out.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from math import lcm
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from imgconv.arrays import AnyArray, Array
from imgconv.errors import DoesNotFit
from imgconv.filters.filter2d import ImageFilter
from imgconv.filters.output_range import finite_extremes, map_to_pixels
from imgconv.filters.parts import Part, filter_rows, pool_rows
from imgconv.images import Metadata, Raster, resampled
from imgconv.modes import Range
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
from imgconv.process.maps import Map, of_result
from imgconv.process.missing import MaskFile, all_valid, as_level, declared_of, located
from imgconv.process.network import stored
from imgconv.recipe import Canny, Filter, MapPlan, Mask, Network, Pool, Recipe, Shape
from imgconv.recipe.network import Result
from imgconv.recipe.operations.operation import Reach
from imgconv.windows.borders import Border
from imgconv.windows.correlation import rows_of_part

Rows = tuple[int, int]  # first and last, exclusive
Extremes = tuple[float, float]  # the lowest and the highest value of a map


@dataclass(frozen=True, eq=False)
class Whole:
    """An image of `size` that is not in memory, of which `image` are some rows, with its metadata; and how it is processed."""

    recipe: Recipe
    image: Raster
    size: tuple[int, int]
    floats: bool
    threads: int | None

    @property
    def may_have_missing(self) -> bool:
        """Whether a value or a mask states which cells are missing."""
        return self.image.metadata.nodata is not None or not self.recipe.missing_data.is_default


class BandedMaps(Protocol):
    """Maps of one size that are computed band by band.

    `height` are their rows, and the first row of a band is a multiple of `alignment`. With `measured` every band goes through `measure`
    before the first one is computed. `missing` are the missing cells of the image that were measured; `has_missing_results` means that the
    maps have some which no value marks.
    """

    height: int
    alignment: int
    measured: bool
    missing: int = 0
    has_missing_results: bool = False

    def rows(self, band: Rows) -> Rows:
        """The input rows that the output rows of a band need; rows outside of the image are those that a circular border repeats."""

    def measure(self, input_rows: Raster, begin: int, band: Rows) -> None:
        """Measure a band for the range `minmax`; `input_rows` are the input rows from `begin` on."""

    def maps(self, input_rows: Raster, begin: int, band: Rows) -> list[Map]:
        """The output rows of all maps, with the metadata of whole maps."""

    def measure_part(self, rows: Rows) -> None:
        """Prepare to measure the bands of some output rows alone."""
        return

    @property
    def measurements(self) -> Any:
        """The results of `measure`, for `use_measurements`."""
        return None

    def use_measurements(self, parts: Sequence[Any]) -> None:
        """Use the measurements of all parts of the image."""
        return


def rows_of(input_rows: Raster, begin: int, rows: Rows) -> Raster:
    """Some of the rows that are in memory from `begin` on."""
    part = slice(rows[0] - begin, rows[1] - begin)
    return replace(input_rows, pixels=input_rows.pixels[part], valid=None if input_rows.valid is None else input_rows.valid[part])


def united(one: Extremes | None, other: Extremes | None) -> Extremes | None:
    """Return the smallest and largest of two pairs of extremes, either of which may be unknown."""
    if one is None or other is None:
        return one or other
    return min(one[0], other[0]), max(one[1], other[1])


def banded_maps(whole: Whole) -> list[BandedMaps]:
    """The maps of an image, those of one size together. Raises DoesNotFit for a step that depends on the whole image."""
    maps = _plain_maps(whole)
    if not whole.may_have_missing:
        return maps
    return with_valid_cells(whole, maps)


def _plain_maps(whole: Whole) -> list[BandedMaps]:
    step = whole.recipe.step
    if isinstance(step, Filter):
        return [_FilteredMap(whole, step, plan) for plan in step.maps]
    if isinstance(step, Pool):
        return [_PooledMap(whole, step)]
    if isinstance(step, Canny):
        raise DoesNotFit("canny follows edges through the whole image")
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


def with_valid_cells(whole: Whole, plain: list[BandedMaps]) -> list[BandedMaps]:
    """The maps of an image that may have missing cells; `plain` compute them. Raises DoesNotFit for a mask of another size."""
    mask = whole.recipe.missing_data.mask
    if mask is not None and mask.shape[:2] != whole.size:
        raise DoesNotFit("its mask has another size")
    return [_WithValidCells(whole, each) for each in plain]


class _WithValidCells(BandedMaps):
    """Maps of an image that may have missing cells. All rows are read once before the first band, to find out whether it has any."""

    measured = True

    def __init__(self, whole: Whole, plain: BandedMaps):
        data, dtype = whole.recipe.missing_data, whole.image.pixels.dtype
        self._size, self._data, self._plain = whole.size, data, plain
        self._mask = data.mask.opened() if isinstance(data.mask, MaskFile) else data.mask
        self._declared = data.value(whole.image.metadata.nodata)
        self._is_marked = whole.floats or dtype.kind == "f" or (self._declared is not None and as_level(self._declared, dtype) is not None)
        self.height, self.alignment = plain.height, plain.alignment
        self.missing, self._next_row, self._stop = 0, 0, whole.size[0]

    def rows(self, band: Rows) -> Rows:
        begin, end = self._plain.rows(band)
        above = self._plain.rows((band[0] - 1, band[0]))[1] if band[0] else 0  # cells that no window sees are counted too
        return min(begin, above), end if band[1] < self.height else max(end, self._size[0])

    def measure(self, input_rows: Raster, begin: int, band: Rows) -> None:
        rows = self.rows(band)
        image = self._located(input_rows, begin, rows)
        if self._plain.measured:
            if not self.missing:
                self._plain.measure(input_rows, begin, band)
            self._plain.measure(all_valid(image), rows[0], band)
        first, last = max(rows[0], self._next_row), min(rows[1], self._stop)
        if first < last:
            self.missing += rows_of(image, rows[0], (first, last)).missing
            self._next_row = last
        if image.missing and not (self._is_marked or self.has_missing_results):
            self.has_missing_results = any(each.missing for each in self._plain.maps(image, rows[0], band))

    def measure_part(self, rows: Rows) -> None:
        first, last = rows
        self._next_row = max(self.rows((first, first + 1))[0], 0) if first else 0
        self._stop = self.rows((last, last + 1))[0] if last < self.height else self._size[0]

    @property
    def measurements(self) -> tuple[int, bool, Any]:
        return self.missing, self.has_missing_results, self._plain.measurements

    def use_measurements(self, parts: Sequence[Any]) -> None:
        self.missing = sum(missing for missing, _, _ in parts)
        self.has_missing_results = any(has for _, has, _ in parts)
        if self._plain.measured:
            self._plain.use_measurements([plain for _, _, plain in parts])

    def maps(self, input_rows: Raster, begin: int, band: Rows) -> list[Map]:
        if not self.missing:
            return [self._declaring(each) for each in self._plain.maps(input_rows, begin, band)]
        rows = self.rows(band)
        return [self._declaring(each) for each in self._plain.maps(all_valid(self._located(input_rows, begin, rows)), rows[0], band)]

    def _declaring(self, result: Map) -> Map:
        """A result of the plain map, with the value of missing cells."""
        image = replace(result.image, metadata=result.image.metadata._replace(nodata=self._declared))
        if self.missing:
            image = replace(image, metadata=image.metadata._replace(nodata=declared_of(image)))
        return result._replace(image=image)

    def _located(self, input_rows: Raster, begin: int, rows: Rows) -> Raster:
        mask = None if self._mask is None else _mask_rows(self._mask, *rows)
        return located(rows_of(input_rows, begin, rows), replace(self._data, mask=mask))


def _mask_rows(mask: Mask, first: int, last: int) -> AnyArray:
    """Some rows of a mask; rows outside of it are those of its other end, which a circular border repeats."""
    height = mask.shape[0]
    parts = [(height + first, height), (max(first, 0), min(last, height)), (0, last - height)]
    rows = [mask[begin:end] for begin, end in parts if 0 <= begin < end <= height]
    return rows[0] if len(rows) == 1 else np.concatenate(rows)


def banded_network(network: Network, whole: Whole) -> list[BandedMaps]:
    """The results of a network by bands, one object for each. Raises DoesNotFit for a step that sees all rows, and for a sheet."""
    if network.sheet:
        raise DoesNotFit("a sheet shows whole maps; leave out --sheet")
    return [_Result(network, result, whole) for result in network.results]


@dataclass(frozen=True)
class _Need:
    """The input rows that a step gets for the output rows that are needed of it."""

    rows: Rows
    outputs: Rows


class _Result(BandedMaps):
    """The maps of one result of a network."""

    alignment = 1

    def __init__(self, network: Network, result: Result, whole: Whole):
        self._network, self._result, self._floats = network, result, whole.floats
        image, size = whole.image, whole.size
        shapes = network.shapes(Shape(*size, image.channels, image.alpha))[: result.position + 2]
        self._heights = [shape[1] if len(shape) == 3 else 0 for shape in shapes]
        self._least = [rows_of_part(shape[2]) if len(shape) == 3 else 0 for shape in shapes]
        steps = network.steps[: result.position + 1]
        self._reaches = [_reach(number, step.operation.reach(), step.text) for number, step in enumerate(steps, 1)]
        self._operations = [step.operation for step in steps]
        self.height = self._heights[-1]
        every = replace(image, pixels=np.broadcast_to(image.pixels[:1], (*size, image.channels)), luma=None)
        self._metadata = resampled(image.metadata, of_result(network, result, every, (shapes[-1][1], shapes[-1][2])), size)
        self._range = Range(network.range or ("raw" if self._floats else result.range))
        self.measured = self._range.arithmetic.stretched
        self._extremes: list[Extremes | None] = [None] * result.maps

    def rows(self, band: Rows) -> Rows:
        return self._needs(band)[0].rows

    def measure(self, input_rows: Raster, begin: int, band: Rows) -> None:
        maps = np.split(self._computed(input_rows, begin, band), self._result.maps)
        self._extremes = [united(known, finite_extremes(planes)) for known, planes in zip(self._extremes, maps, strict=True)]

    @property
    def measurements(self) -> list[Extremes | None]:
        return self._extremes

    def use_measurements(self, parts: Sequence[Any]) -> None:
        self._extremes = [reduce(united, each) for each in zip(*parts, strict=True)]

    def maps(self, input_rows: Raster, begin: int, band: Rows) -> list[Map]:
        finished = []
        split = np.split(self._computed(input_rows, begin, band), self._result.maps)
        for name, planes, extremes in zip(self._result.names, split, self._extremes, strict=True):
            values = planes.transpose(1, 2, 0)
            pixels = map_to_pixels(values, self._range, input_rows.pixels.dtype, unrounded=self._floats, extremes=extremes or (0.0, 0.0))
            metadata = self._metadata._replace(nodata=input_rows.metadata.nodata)
            image = replace(
                input_rows, pixels=np.ascontiguousarray(pixels), alpha=False, metadata=metadata, valid=None, premultiplied=False
            )
            if input_rows.valid is not None:
                from imgconv.process.missing import marked

                image = marked(replace(image, pixels=image.pixels.copy()), (~np.isnan(values)).view(np.uint8))
            finished.append(Map(name, image))
        return finished

    def _computed(self, input_rows: Raster, begin: int, band: Rows) -> Array:
        """The rows of all maps, (C, rows, w_out) float32."""
        needs = self._needs(band)
        batch = stored(rows_of(input_rows, begin, needs[0].rows), grey=self._network.grey)[None]
        with np.errstate(all="ignore"):
            for operation, reach, need in zip(self._operations, self._reaches, needs, strict=True):
                first = reach.output_of(need.rows[0])
                outputs = operation.apply(batch) if input_rows.valid is None else operation.apply_missing(batch, self._network.rule)
                batch = np.ascontiguousarray(outputs[..., need.outputs[0] - first : need.outputs[1] - first, :])
        return batch[0]

    def _needs(self, band: Rows) -> list[_Need]:
        """What each step gets and gives for a band of the result."""
        needs: list[_Need] = []
        for number in range(len(self._reaches), 0, -1):  # a step's results are number `number` of the shapes
            rows = self._reaches[number - 1].inputs_of(self._widened(number, band), self._heights[number - 1])
            needs.append(_Need(rows, band))
            band = rows
        return needs[::-1]

    def _widened(self, number: int, rows: Rows) -> Rows:
        """At least as many result rows as a step must compute at a time: the last bits of fewer rows may be others."""
        first, least = rows[0], self._least[number]
        last = min(max(rows[1], first + least), self._heights[number])
        return max(min(first, last - least), 0), last


def _reach(number: int, reach: Reach | None, text: str) -> Reach:
    if reach is None:
        raise DoesNotFit(f"step {number} ({text}) depends on all rows of the image")
    return reach
