"""The base class of maps that are computed band by band."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from imgconv.images import Raster
from imgconv.process.maps import Map
from imgconv.recipe import Recipe

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
