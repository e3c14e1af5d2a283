"""Process images with missing cells by bands: the rows of a band go through the maps with their valid cells."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from imgconv.arrays import AnyArray
from imgconv.errors import DoesNotFit
from imgconv.images import Raster
from imgconv.process.banded_maps import BandedMaps, Rows, Whole, rows_of
from imgconv.process.maps import Map
from imgconv.process.missing import MaskFile, all_valid, as_level, declared_of, located
from imgconv.recipe import Mask


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
