"""The steps of a network on bands of rows: each step gets the rows that its windows see, and its results at a cut are left out."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

import numpy as np

from imgconv.arrays import Array
from imgconv.errors import DoesNotFit
from imgconv.filters.output_range import finite_extremes, map_to_pixels
from imgconv.images import Raster, resampled
from imgconv.modes import Range
from imgconv.process.banded_maps import BandedMaps, Extremes, Rows, Whole, rows_of, united
from imgconv.process.maps import Map, of_result
from imgconv.process.network import stored
from imgconv.recipe import Network, Shape
from imgconv.recipe.network import Result
from imgconv.recipe.operations.operation import Reach
from imgconv.windows.correlation import rows_of_part


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
