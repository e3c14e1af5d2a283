"""One image, a batch of them or bands of rows through the steps of a network; results as finished maps or as arrays."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

import numpy as np

from imgconv.arrays import Array
from imgconv.errors import DoesNotFit
from imgconv.filters.color import luma
from imgconv.filters.output_range import finite_extremes, map_to_pixels
from imgconv.images import Raster, resampled
from imgconv.modes import Range
from imgconv.process.alpha import straight_grey, straight_pixels
from imgconv.process.maps import BandedMaps, Extremes, Map, Rows, Whole, of_result, rows_of, united, with_metadata
from imgconv.recipe import Network, Shape
from imgconv.recipe.network import Result
from imgconv.recipe.operations.operation import Reach
from imgconv.recipe.shape import Sheet


def run_network(image: Raster, network: Network, *, floats: bool) -> list[Map]:
    """The results of `network` on `image`; with `floats` as float32, unrounded, with range `raw` by default.

    A vector of L numbers is L maps of one float32 cell.
    """
    maps: list[Map] = []
    for result, batch in zip(network.results, results_of([image], network), strict=True):
        maps += _numbers(result, batch[0]) if result.maps == 0 else _maps(result, batch[0], image, network, floats)
    if network.sheet:
        tiles = [each.image.pixels for each in maps]
        sheet = Sheet.of([Shape(*tile.shape) for tile in tiles])
        return [Map(network.name, Raster(tiled(tiles, sheet), duration=image.duration))]
    return maps if network.only is None else [maps[network.only]]


def results_of(images: Sequence[Raster], network: Network) -> list[Array]:
    """The results of `network` on N images of one size, each (N, C, H, W) or (N, L) float32.

    Steps get stored values; alpha is dropped. Raises DoesNotFit, which names the step, where a step does not fit.
    """
    batch = np.stack([stored(image, grey=network.grey) for image in images])
    has_missing = any(image.valid is not None for image in images)
    positions = [result.position for result in network.results]
    outputs: dict[int, Array] = {}
    with np.errstate(all="ignore"):  # infinity and NaN are results, as in torch
        for position, step in enumerate(network.steps[: positions[-1] + 1]):
            try:
                batch = step.operation.apply_missing(batch, network.rule) if has_missing else step.operation.apply(batch)
            except DoesNotFit as error:
                raise DoesNotFit(f"step {position + 1} ({step.text}): {error}") from None
            if position in positions:
                outputs[position] = batch
    return [outputs[position] for position in positions]


def stored(image: Raster, *, grey: bool) -> Array:
    """(C, H, W) float32 of an image's stored values without alpha, NaN in missing cells.

    A network that begins with grey gets the luma of whole levels.
    """
    colours = image.colours
    if grey and image.luma is not None:
        colours = image.luma
    elif grey and colours.shape[2] == 3:
        colours = straight_grey(image) if image.alpha else luma(colours, alpha=False)
    elif image.premultiplied:
        colours = straight_pixels(image, np.dtype(np.float32))[..., :-1]
    values = colours.astype(np.float32)
    if image.valid is not None:
        from imgconv.filters.valid_cells import all_of  # most images have no missing cells

        valid = image.valid[..., :1] if image.alpha else image.valid  # that of a pixel with alpha is one for all channels
        np.copyto(values, np.nan, where=(valid if valid.shape[2] == values.shape[2] else all_of(valid)) == 0)
    return np.ascontiguousarray(values.transpose(2, 0, 1))


def _numbers(result: Result, vector: Array) -> list[Map]:
    """The numbers of a vector, named from 0, so that number 7 of a classifier is class 7."""
    return [Map(f"{result.name}-{n}", Raster(value.reshape(1, 1, 1)), result.name) for n, value in enumerate(vector)]


def _maps(result: Result, maps: Array, image: Raster, network: Network, floats: bool) -> list[Map]:
    range_ = Range(network.range or ("raw" if floats else result.range))
    rasters = []
    for planes in np.split(maps, result.maps):
        pixels = map_to_pixels(planes.transpose(1, 2, 0), range_, image.pixels.dtype, unrounded=floats)
        raster = replace(image, pixels=np.ascontiguousarray(pixels), alpha=False, luma=None, valid=None, premultiplied=False)
        raster = with_metadata(raster, image, of_result(network, result, image, raster.size))
        if image.valid is not None:
            from imgconv.process.missing import marked

            raster = marked(replace(raster, pixels=raster.pixels.copy()), (~np.isnan(planes.transpose(1, 2, 0))).view(np.uint8))
        rasters.append(raster)
    return [Map(name, raster) for name, raster in zip(result.names, rasters, strict=True)]


def tiled(images: Sequence[Array], sheet: Sheet) -> Array:
    """All of `images` (H, W, C), of one dtype, on one sheet (H, W, colours); gaps are black."""
    height, width = sheet.shape.height, sheet.shape.width
    out = np.zeros((height, width, sheet.colours), images[0].dtype)
    for (row, column), tile in zip(sheet.corners(), _tiles(images), strict=True):
        out[row : row + tile.shape[0], column : column + tile.shape[1]] = tile
    return out


def _tiles(images: Sequence[Array]) -> Iterator[Array]:
    for image in images:
        if image.shape[2] == 3:
            yield image
        else:
            yield from (image[..., channel : channel + 1] for channel in range(image.shape[2]))


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
        from imgconv.windows.correlation import rows_of_part  # only needed for bands

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
