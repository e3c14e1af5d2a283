"""Process images with missing cells by bands: the input rows of a band are processed as an image, and results near a cut are left out."""

from collections.abc import Sequence
from dataclasses import replace
from functools import reduce
from typing import Any

from imgconv.errors import DoesNotFit
from imgconv.filters.weights import pads_of
from imgconv.images import Raster
from imgconv.modes import PaddingMode
from imgconv.process.banded_maps import BandedMaps, Rows, Whole, rows_of, united
from imgconv.process.image import extremes_of, process
from imgconv.process.maps import Map
from imgconv.process.mask_file import MaskFile
from imgconv.process.missing import all_valid, as_level, declared_of, located
from imgconv.recipe import DECLARED, Filter, Network, Pool
from imgconv.window import cut


def with_missing(whole: Whole, plain: list[BandedMaps]) -> list[BandedMaps]:
    """The maps of an image that may have missing cells; `plain` compute them where it has none.

    Raises DoesNotFit for what depends on all missing cells together.
    """
    recipe, dtype = whole.recipe, whole.image.pixels.dtype
    step, data = recipe.step, recipe.missing_data
    if isinstance(step, Filter) and PaddingMode.of(step.padding_mode)[0] is PaddingMode.circular:
        raise DoesNotFit("a circular border and missing cells need both ends of the image")
    declared = data.value(whole.image.metadata.nodata)
    is_marked = whole.floats or dtype.kind == "f" or (declared is not None and as_level(declared, dtype) is not None)
    if data.mask is not None and data.mask.shape[:2] != whole.size:
        raise DoesNotFit("its mask has another size")
    if isinstance(data.mask, MaskFile):
        whole = replace(whole, recipe=replace(recipe, missing_data=replace(data, mask=data.mask.opened())))
    if isinstance(step, Network):
        return [_CutResult(whole, each, declared, is_marked) for each in plain]
    singles = [replace(whole, recipe=replace(whole.recipe, step=each)) for each in step.singles()]
    return [_CutMap(single, each, declared, is_marked) for single, each in zip(singles, plain, strict=True)]


class _Cut(BandedMaps):
    """Maps that a part of the image gives. All rows are read once before the first band, to find out whether a cell is missing."""

    measured = True

    def __init__(self, whole: Whole, plain: BandedMaps, declared: float | None, is_marked: bool):
        self._recipe, self._size, self._floats = whole.recipe, whole.size, whole.floats
        self._plain, self._declared, self._is_marked = plain, declared, is_marked
        self.height, self.alignment = plain.height, plain.alignment
        self.missing, self._next_row, self._stop = 0, 0, whole.size[0]

    def measure(self, input_rows: Raster, begin: int, band: Rows) -> None:
        rows = self.rows(band)
        if self._plain.measured:
            self._plain.measure(all_valid(self._located(input_rows, begin, rows)), rows[0], band)
        first, last = max(rows[0], self._next_row), min(rows[1], self._stop)
        if first < last:
            missing = self._located(input_rows, begin, (first, last)).missing
            self.missing += missing
            self._next_row = last
            if missing and not (self._is_marked or self.has_missing_results):
                self.has_missing_results = any(each.missing for each in self._results(input_rows, begin, band))

    def measure_part(self, rows: Rows) -> None:
        first, last = rows
        self._next_row = self.rows((first, first + 1))[0] if first else 0
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
        return self._results(input_rows, begin, band)

    def _results(self, input_rows: Raster, begin: int, band: Rows) -> list[Map]:
        """The output rows of a band."""
        raise NotImplementedError

    def _declaring(self, result: Map) -> Map:
        """A result of the plain map, with the value of missing cells."""
        image = replace(result.image, metadata=result.image.metadata._replace(nodata=self._declared))
        if self.missing:
            image = replace(image, metadata=image.metadata._replace(nodata=declared_of(image)))
        return result._replace(image=image)

    def _located(self, input_rows: Raster, begin: int, rows: Rows) -> Raster:
        data = self._recipe.missing_data
        mask = None if data.mask is None else data.mask[rows[0] : rows[1]]
        return located(rows_of(input_rows, begin, rows), replace(data, mask=mask))


class _CutMap(_Cut):
    """The map of a filter or a pool: the part is an image of its own."""

    def __init__(self, whole: Whole, plain: BandedMaps, declared: float | None, is_marked: bool):
        super().__init__(whole, plain, declared, is_marked)
        step, size = whole.recipe.step, whole.size
        assert isinstance(step, Filter | Pool)
        window = step.window(step.maps[0]) if isinstance(step, Filter) else step.window
        self._stride, pads = window.stride[0], [window.pads(size)[0]]
        if isinstance(step, Filter):
            pads += [pads_of(kernel, window, size, flip=step.flip)[0] for kernel in step.maps[0].kernels]
        self._least = max(map(max, pads)) + 1
        self._extremes: tuple[float, float] | None = None

    def rows(self, band: Rows) -> Rows:
        begin, end = self._plain.rows(band)
        return cut(begin, end, self._size[0], self._stride, self._least)

    def measure(self, input_rows: Raster, begin: int, band: Rows) -> None:
        super().measure(input_rows, begin, band)
        step, rows = self._recipe.step, self.rows(band)
        if self._plain.measured and isinstance(step, Filter):
            image = all_valid(self._located(input_rows, begin, rows))
            self._extremes = united(self._extremes, extremes_of(image, step, step.maps[0], self._floats, self._part(rows, band)))

    @property
    def measurements(self) -> tuple[int, bool, Any]:
        missing, has_missing_results, plain = super().measurements
        return missing, has_missing_results, (plain, self._extremes)

    def use_measurements(self, parts: Sequence[Any]) -> None:
        super().use_measurements([(missing, has, plain) for missing, has, (plain, _) in parts])
        self._extremes = reduce(united, (extremes for _, _, (_, extremes) in parts))

    def _part(self, rows: Rows, band: Rows) -> slice:
        """Which of the results of some input rows are those of a band."""
        first = rows[0] // self._stride
        return slice(band[0] - first, band[1] - first)

    def _results(self, input_rows: Raster, begin: int, band: Rows) -> list[Map]:
        rows = self.rows(band)
        (whole,) = self._plain.maps(input_rows, begin, (band[0], band[0] + 1))  # the metadata of the whole map
        image, recipe = all_valid(self._located(input_rows, begin, rows)), replace(self._recipe, missing_data=DECLARED)
        (result,) = process(image, recipe, floats=self._floats, extremes=self._extremes)
        part = self._part(rows, band)
        valid = None if result.image.valid is None else result.image.valid[part]
        metadata = self._declaring(whole).image.metadata
        return [result._replace(image=replace(result.image, pixels=result.image.pixels[part], valid=valid, metadata=metadata))]


class _CutResult(_Cut):
    """A result of a network, whose steps pass the missing cells on."""

    def rows(self, band: Rows) -> Rows:
        begin, end = self._plain.rows(band)
        return (begin if band[0] else min(begin, 0)), (end if band[1] < self.height else max(end, self._size[0]))  # every row is counted

    def _results(self, input_rows: Raster, begin: int, band: Rows) -> list[Map]:
        rows = self.rows(band)
        return [self._declaring(each) for each in self._plain.maps(all_valid(self._located(input_rows, begin, rows)), rows[0], band)]
