"""Which cells of an image are missing, and how a result shows its missing cells, for whole images and for bands of rows."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import reduce
from math import isnan
from pathlib import Path
from typing import Any
from weakref import finalize

import numpy as np
from numpy.typing import NDArray

from imgconv.arrays import AnyArray, Array
from imgconv.errors import DoesNotFit, ImageError
from imgconv.filters.color import max_value_of
from imgconv.filters.valid_cells import Valid, all_of, for_channels, narrowed, repeated, without_missing
from imgconv.images import ANY_SIZE, Raster, Request, open_frames
from imgconv.images.rows import RowBuffer
from imgconv.process.maps import BandedMaps, Map, Rows, Whole, rows_of
from imgconv.recipe import Mask, MissingData

BY_ROWS = Request(max_pixels=None, by_rows=True)
LARGE = 1 << 22  # pixels; a smaller mask is read at once


def located(image: Raster, data: MissingData, threads: int | None = None, *, fills: bool = True) -> Raster:
    """`image` with its missing cells in `valid`, and 0 in their pixels if it `fills` them; the same image where no cell is missing.

    A pixel with alpha is missing where one of its channels is. Raises DoesNotFit for a mask of another size.
    """
    declared = data.value(image.metadata.nodata)
    if declared != image.metadata.nodata:
        image = replace(image, metadata=image.metadata._replace(nodata=declared))
    parts = [part for part in (_of_value(image, declared), _of_mask(image, data.mask)) if part is not None]
    if not parts:
        return image
    if image.alpha:
        parts = [all_of(part) for part in parts]
    if image.valid is not None:  # those of a masked array
        parts.append(narrowed(image.valid) != 0)
    valid = reduce(np.logical_and, parts)
    if valid.all():
        return image
    cells: Valid = for_channels(np.ascontiguousarray(valid), image.channels).view(np.uint8)
    if image.valid is not None and np.array_equal(narrowed(cells), narrowed(image.valid)):
        return image
    image = replace(image, valid=cells)
    return filled(image, threads) if fills else image


def filled(image: Raster, threads: int | None = None) -> Raster:
    """`image` with 0 in its missing cells."""
    cells = image.valid
    if cells is None:
        return image
    luma = None if image.luma is None else without_missing(image.luma, all_of(cells), threads=threads)
    return replace(image, pixels=without_missing(image.pixels, cells, threads=threads), luma=luma)


def _of_value(image: Raster, declared: float | None) -> NDArray[np.bool_] | None:
    """The cells that do not have the declared value."""
    colours = image.colours
    value = None if declared is None else as_level(declared, colours.dtype)
    if value is None:
        return None
    return colours == colours if isnan(value) else colours != value  # NaN differs from itself


def _of_mask(image: Raster, mask: Mask | None) -> NDArray[np.bool_] | None:
    """The cells that a mask (H, W) or (H, W, C) allows."""
    if mask is None:
        return None
    height, width, channels = image.pixels.shape
    if mask.shape not in ((height, width), (height, width, 1), (height, width, channels)):
        size = "x".join(str(n) for n in mask.shape)
        raise DoesNotFit(f"a mask of {size} (height x width) does not fit an image of {height}x{width}; give one of the same size")
    cells = mask[:]
    cells = cells if cells.ndim == 3 else cells[..., None]
    return cells if cells.dtype == np.bool_ else cells != 0


def mask_of(image: Raster) -> Array:
    """The mask (H, W) that an image is: 0 where all its colours are 0."""
    return ~all_of(image.colours == 0)[..., 0]


def as_level(value: float, dtype: np.dtype[Any]) -> Any:
    """`value` as a number of `dtype`; None where that has no such level."""
    if dtype.kind != "u":
        with np.errstate(over="ignore"):  # the largest float64, as a float32
            return dtype.type(value)
    return dtype.type(value) if value == value // 1 and 0 <= value <= max_value_of(dtype) else None


def valid_of_form(form: Raster, image: Raster, *, grey: bool) -> Raster:
    """`form`, which was made of the colours of `image`, with its valid cells; luma is missing where one of the colours is."""
    if image.valid is None:
        return form
    if grey and image.channels > 1:
        valid = for_channels(all_of(image.valid), form.channels)
        return replace(form, pixels=without_missing(form.pixels, valid), valid=valid)
    return replace(form, valid=image.valid[..., : form.channels])


def marked(result: Raster, valid: Valid | None, threads: int | None = None) -> Raster:
    """`result`, whose pixels are changed, with the declared value in missing cells; without one NaN in floats, and 0 in levels.

    `transparent` hides those. `valid` is None for an image without missing cells.
    """
    if valid is None:
        return result
    result = replace(result, metadata=result.metadata._replace(nodata=declared_of(result)))
    whole = valid.shape[2] != result.channels  # drawn over the image, in other channels
    valid = for_channels(all_of(valid), result.channels) if whole else valid
    if narrowed(valid).view(np.bool_).all():
        return result
    declared = result.metadata.nodata
    value = None if declared is None else as_level(declared, result.pixels.dtype)
    if value is None:
        value = np.nan if result.pixels.dtype.kind == "f" else 0
    without_missing(result.pixels, valid, value, target=result.pixels, threads=threads)
    if result.alpha:
        np.copyto(result.pixels[..., -1], 0, where=valid[..., -1] == 0)
    return replace(result, valid=valid)


def missing_cells(result: Raster) -> NDArray[np.bool_] | None:
    """The missing cells (H, W, C) of a result; None for that of an image without."""
    if result.valid is None:
        return None
    missing: NDArray[np.bool_] = repeated(narrowed(result.valid) ^ 1, result.channels).view(np.bool_)
    return missing


def declared_of(result: Raster) -> float | None:
    """The value that a result of an image with missing cells declares: that of the image; without one NaN in floats.

    The next command would take a NaN that no file declares for a number, and spread it.
    """
    declared = result.metadata.nodata
    return np.nan if declared is None and result.pixels.dtype.kind == "f" else declared


def all_valid(image: Raster) -> Raster:
    """`image` with valid cells also where none is missing."""
    return image if image.valid is not None else replace(image, valid=np.ones(image.pixels.shape, np.uint8))


def transparent(result: Raster) -> Raster:
    """`result`, for a format with alpha, with transparency in missing cells that no value marks."""
    pixels, declared = result.pixels, result.metadata.nodata
    by_value = pixels.dtype.kind == "f" or (declared is not None and as_level(declared, pixels.dtype) is not None)
    if result.valid is None or result.alpha or by_value:
        return result
    whole = all_of(result.valid)
    alpha = (whole * max_value_of(pixels.dtype)).astype(pixels.dtype)
    return replace(result, pixels=np.concatenate([pixels, alpha], axis=2), alpha=True, valid=np.concatenate([result.valid, whole], axis=2))


class MaskFile:
    """The mask (H, W) in an image file; `mask[first:last]` are some of its rows, which are read from top to bottom.

    An image that is read by rows has a mask of its own, by `opened`, since others may be at other rows.
    """

    def __init__(self, path: Path, shape: tuple[int, int]):
        self.shape = shape
        self._path = path
        self._buffer: RowBuffer | None = None
        self._alpha = False

    @classmethod
    def of(cls, path: Path) -> "MaskFile | None":
        """The mask in a file; None where it is small, or cannot be read by rows."""
        with suppress(ImageError, OSError), open_frames(path, BY_ROWS) as frames:
            height, width = frames.header.size
            if height * width >= LARGE and frames.rows() is not None:
                return cls(path.absolute(), (height, width))  # workers of a cluster have other folders
        return None

    def opened(self) -> "MaskFile":
        """The same mask, from its first row on."""
        return MaskFile(self._path, self.shape)

    def __getitem__(self, rows: slice) -> Array:
        first, last, _ = rows.indices(self.shape[0])
        if last - first == self.shape[0]:
            with self._named(), open_frames(self._path, ANY_SIZE) as frames:
                return mask_of(next(iter(frames)))
        with self._named():
            buffer = self._buffer or self._open()
            return mask_of(Raster(buffer.read(first, last), self._alpha))

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_buffer": None}

    def _open(self) -> RowBuffer:
        frames = open_frames(self._path, BY_ROWS)
        finalize(self, frames.close)
        rows = frames.rows()
        if rows is None or frames.header.size != self.shape:
            raise ImageError("it changed during the run; do not modify it until the run ends")
        self._buffer, self._alpha = RowBuffer(rows[0]), frames.header.alpha
        return self._buffer

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Name the mask in errors, which are those of an image otherwise."""
        try:
            yield
        except ImageError as error:
            raise ImageError(f"mask {self._path}: {error}") from None


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
