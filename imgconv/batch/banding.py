"""Images larger than the memory that a run may use: read, computed and written by bands of rows, in one pass forward.

The next rows are read, and finished ones are encoded and written, while a band is computed.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import ceil, lcm
from typing import Any

import numpy as np

from imgconv.ahead import in_order
from imgconv.arrays import Array
from imgconv.batch.band_writer import BandWriter, band_writers
from imgconv.batch.job import Job, Sink, fitted_image
from imgconv.batch.outcome import Outcome, RunningStatistics
from imgconv.errors import DoesNotFit, ImageError
from imgconv.images import Raster
from imgconv.images.formats import OUTPUTS
from imgconv.images.rows import BandedImage, RowBuffer, RowReader
from imgconv.images.writing import BY_ROWS
from imgconv.process import Map, shape_of
from imgconv.process.bands import banded_maps
from imgconv.process.maps import BandedMaps, Whole
from imgconv.recipe import Shape
from imgconv.system import limit_freed_memory

_SHARE = 2  # of the memory that bands in progress take; the rest is for decoders, encoders and libraries
_BAND = 1 << 23  # bytes of input and output of a band; larger ones are not faster
_COPIES_IN, _COPIES_OUT = 3, 4  # of a band: read ahead, held and prepared; computed, queued, being written, in tiles
_BUFFERS = 2  # of input rows: read ahead and held
_TILE, _CHUNK = 256, 512  # rows of tiles of TIFF files and of chunks of Zarr arrays
Rows = tuple[int, int]


class NotByBands(ImageError):
    """An image, a recipe or a format that needs the whole image in memory. The text states why, and `remedy` how to avoid it."""

    def __init__(self, reason: str, remedy: str = ", or convert it to a tiled .tiff and write .tiff, .png, .pnm, .npy or .zarr"):
        super().__init__(reason)
        self.remedy = remedy


@dataclass(frozen=True)
class _Page:
    """One page of an output. `maps` are the maps whose channels it has: the index of a BandedMaps, and of a map in it.

    With `plane` the page has this channel of its only map.
    """

    maps: tuple[tuple[int, int], ...]
    plane: int | None = None

    def pixels(self, computed: dict[int, list[Map]]) -> Array:
        """Return the rows of this page from the computed rows of all maps."""
        parts = [computed[group][number].image.pixels for group, number in self.maps]
        pixels = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=2)
        return pixels if self.plane is None else pixels[..., self.plane : self.plane + 1]


def write_by_bands(readers: Sequence[RowReader], job: Job, sinks: Sequence[Sink], outcome: Outcome, memory: int) -> None:
    """Compute all maps of an image, or of its frames, with about `memory` bytes, and write them. The pixels are those of `process`.

    Raises NotByBands before anything is written where that is impossible.
    """
    limit_freed_memory()
    if len(readers) > 1 and job.destination.format == "npy":
        raise NotByBands("an array of several frames is written as a whole")
    runs = [Run(reader, job, len(sinks), memory, (number, len(readers))) for number, reader in enumerate(readers)]
    with band_writers(sinks, job, [sum(len(run.pages[number]) for run in runs) for number in range(len(sinks))]) as writers:
        for run in runs:
            run.measure()
            outcome.missing_before += run.missing
            for number in range(max(map(len, run.pages))):
                run.write({writer: pages[number] for writer, pages in zip(writers, run.pages, strict=True) if number < len(pages)}, outcome)
            outcome.maps += [each.result() for each in run.statistics.values()] if job.statistics else []
            run.close()
    outcome.outputs += [sink.name for sink in sinks]


class Run:
    """One image by bands: the objects that compute its maps, the rows of each band, and the rows that are in memory."""

    def __init__(self, reader: RowReader, job: Job, sinks: int, memory: int, frame: tuple[int, int]):
        header = reader.header
        self._job, self._reader, self._memory = job, reader, memory
        columns, reader.columns = reader.columns, (0, 1)
        image = Raster(reader.read(0, 1), header.alpha, reader.metadata, premultiplied=header.premultiplied)
        reader.columns = columns
        try:
            self._groups = banded_maps(Whole(job.recipe, image, header.size, job.floats, job.threads))
        except DoesNotFit as error:
            raise NotByBands(str(error), "") from None
        shape = shape_of(header)
        self._shapes = [each for _, each in job.recipe.trace(shape)]
        self.pages = self._pages(sinks)
        self.statistics: dict[tuple[int, int], RunningStatistics] = {}
        self._count = self._band_count(shape, image)
        self.group = self._tile_rows()
        self._check(image)
        self._image, self._buffer = image, RowBuffer(reader)
        self._frame, self._done, self._passes = frame, 0.0, max(map(len, self.pages)) + any(group.measured for group in self._groups)

    @property
    def missing(self) -> int:
        """Number of missing cells of the image, once they are measured."""
        return self._groups[0].missing

    def close(self) -> None:
        """Release the rows that are in memory."""
        self._buffer = RowBuffer(self._reader)

    def measure(self, part: Rows | None = None) -> list[Any]:
        """Measure every band, or those of some output rows, for maps with the range `minmax` or missing cells; return the results."""
        measured = {number: group for number, group in enumerate(self._groups) if group.measured}
        if part is not None:
            for group in measured.values():
                group.measure_part(part)
        for bands, input_rows, begin in self._each_band(measured, part):
            for number, band in bands.items():
                measured[number].measure(input_rows, begin, band)
        return [group.measurements for group in self._groups]

    def use_measurements(self, parts: Sequence[list[Any]]) -> None:
        """Use what `measure` returned for every part of the image."""
        for group, each in zip(self._groups, zip(*parts, strict=True), strict=True):
            if group.measured:
                group.use_measurements(each)

    @property
    def is_measured(self) -> bool:
        """Whether the image is read twice."""
        return any(group.measured for group in self._groups)

    def unit(self, rows: int) -> int | None:
        """Return the number of output rows whose multiples begin a part: of `rows`, and of every map. None if maps differ in height."""
        if len({group.height for group in self._groups}) > 1:
            return None
        return lcm(rows, *(group.alignment for group in self._groups))

    @property
    def height(self) -> int:
        """Rows of the first map."""
        return self._groups[0].height

    def forms(self, outcome: Outcome) -> list[list[BandedImage]]:
        """Return the pages of each output without their rows."""
        for bands, input_rows, begin in self._each_band(dict(enumerate(self._groups)), (0, 1)):
            computed = self._with_transparency(
                {number: self._groups[number].maps(input_rows, begin, band) for number, band in bands.items()}
            )
        return [[self._banded(page, page.pixels(computed), computed, outcome) for page in pages] for pages in self.pages]

    def compute_part(self, number: int, part: Rows, put: Callable[[int, int, Array], None]) -> None:
        """Compute the output rows `part` of page `number` of each output that has it, and call `put(output, first row, rows)`."""
        pages = [(sink, each[number]) for sink, each in enumerate(self.pages) if number < len(each)]
        needed = {group for _, page in pages for group, _ in page.maps}
        for bands, input_rows, begin in self._each_band({each: self._groups[each] for each in needed}, part):
            computed = {each: self._groups[each].maps(input_rows, begin, band) for each, band in bands.items()}
            self._add_statistics(computed, part[1] - part[0])
            computed = self._with_transparency(computed)
            for sink, page in pages:
                put(sink, min(band[0] for band in bands.values()), _apart(page.pixels(computed), input_rows))

    def write(self, pages: dict[BandWriter, _Page], outcome: Outcome) -> None:
        """Compute one page of each output, band by band."""
        needed = {group for page in pages.values() for group, _ in page.maps}
        is_first = True
        for bands, input_rows, begin in self._each_band({number: self._groups[number] for number in needed}):
            computed = {number: self._groups[number].maps(input_rows, begin, band) for number, band in bands.items()}
            outcome.missing_after += self._add_statistics(computed)
            computed = self._with_transparency(computed)
            for writer, page in pages.items():
                if all(group in computed for group, _ in page.maps):
                    pixels = _apart(page.pixels(computed), input_rows)
                    if is_first or not writer.in_page:
                        writer.begin(self._banded(page, pixels, computed, outcome))
                    writer.put(pixels)
            is_first = False
        for writer in pages:
            writer.end()

    def _each_band(self, groups: dict[int, BandedMaps], part: Rows | None = None) -> Iterator[tuple[dict[int, Rows], Raster, int]]:
        """Yield the output rows of each band of some maps, and the input rows that they need, read while the previous band is computed.

        The bands are those of the whole maps, or of a part of their rows.
        """
        steps = self._bands(groups, part)
        spans = [_united([groups[number].rows(band) for number, band in bands.items()]) for bands in steps]
        read = in_order(lambda span: self._buffer.read(*span), spans, threads=1, ahead=1)
        for bands, span, pixels in zip(steps, spans, read, strict=True):
            yield bands, replace(self._image, pixels=pixels), span[0]
            self._done += 1 / len(steps)
            if self._job.progress is not None:
                self._job.progress((self._frame[0] + min(self._done / self._passes, 1.0)) / self._frame[1])

    def _bands(self, groups: dict[int, BandedMaps], part: Rows | None) -> list[dict[int, Rows]]:
        """Return the output rows of each band, for each of some maps that has rows in it.

        Bands of maps of one height begin at multiples of `self.group`, those of others divide all maps alike.
        """
        if len({group.height for group in groups.values()}) == 1:
            begin, end = part or (0, next(iter(groups.values())).height)
            step = lcm(self.group, *(group.alignment for group in groups.values()))
            rows = max(ceil(next(iter(groups.values())).height / self._count) // step, 1) * step
            return [dict.fromkeys(groups, (top, min(top + rows, end))) for top in range(begin, end, rows)]
        steps = []
        for number in range(self._count):
            bands = {}
            for key, group in groups.items():
                ends = [group.height * each // self._count // group.alignment * group.alignment for each in (number, number + 1)]
                first, last = ends[0], group.height if number + 1 == self._count else ends[1]
                if last > first:
                    bands[key] = first, last
            steps.append(bands)
        return [bands for bands in steps if bands]

    def _with_transparency(self, computed: dict[int, list[Map]]) -> dict[int, list[Map]]:
        """Maps as the outputs show them: with transparency in missing cells that no value marks, where the format has it."""
        allowed = OUTPUTS[self._job.destination.format].channels
        shown = {}
        for group, maps in computed.items():
            shown[group] = maps
            if self._groups[group].has_missing_results:
                from imgconv.process.missing import all_valid, transparent

                shown[group] = [
                    each._replace(image=transparent(all_valid(each.image))) if each.image.channels + 1 in allowed else each for each in maps
                ]
        return shown

    def _banded(self, page: _Page, pixels: Array, computed: dict[int, list[Map]], outcome: Outcome) -> BandedImage:
        group, number = page.maps[0]
        whole = computed[group][number].image
        alpha = whole.alpha and page.plane is None and len(page.maps) == 1
        image = fitted_image(Raster(pixels[:1], alpha, whole.metadata), self._job, outcome)
        shape = (self._groups[group].height, *pixels.shape[1:])
        return BandedImage(shape, pixels.dtype, (), alpha, image.metadata, are_maps=len(page.maps) > 1)

    def _add_statistics(self, computed: dict[int, list[Map]], rows: int | None = None) -> int:
        """Add a band to the statistics of the maps that are not complete, and return the number of its missing cells."""
        missing = 0
        for group, maps in computed.items():
            for number, each in enumerate(maps):
                known = self.statistics.setdefault((group, number), RunningStatistics(each.name, rows or self._groups[group].height))
                missing += known.add(each, values=self._job.statistics)
        return missing

    def _pages(self, sinks: int) -> list[list[_Page]]:
        """Return the pages of each output, as whole images are written."""
        format, numbers = self._job.destination.format, self._numbers()
        if self._job.floats and format in ("npy", "zarr"):
            if sinks == 1 and len({(shape.height, shape.width) for shape in self._shapes}) > 1:
                raise ImageError("maps of several sizes do not fit in one array; write them as .tiff pages")
            return [[_Page((number,))] for number in numbers] if sinks > 1 else [[_Page(tuple(numbers))]]
        if format not in BY_ROWS:
            raise NotByBands(f"{format} is written as a whole")
        if not (self._job.floats and format == "tiff"):
            pages = [[_Page((number,))] for number in numbers]
        else:
            planes = zip(numbers, self._shapes, strict=True)
            pages = [[_Page((number,), plane) for plane in range(shape.channels)] for number, shape in planes]
        return pages if sinks > 1 else [[page for each in pages for page in each]]

    def _numbers(self) -> list[tuple[int, int]]:
        """Return which object computes each map, and which of its maps it is."""
        if len(self._groups) == len(self._shapes):
            return [(number, 0) for number in range(len(self._groups))]
        from imgconv.recipe import Network

        step = self._job.recipe.step
        assert isinstance(step, Network)
        return [(group, number) for group, result in enumerate(step.results) for number in range(result.maps)]

    def _band_count(self, shape: Shape, image: Raster) -> int:
        """Return the number of bands for which the memory is enough."""
        item = 4 if self._job.floats else image.pixels.itemsize
        outputs = sum(each.height * each.width * each.channels for each in self._shapes) * item
        total = _COPIES_IN * image.pixels.nbytes * shape.height + _COPIES_OUT * outputs + 4 * self._job.recipe.values_between(shape)
        tallest = max(group.height for group in self._groups)
        least = (image.pixels.nbytes * shape.height + outputs) // _BAND
        ahead = _BUFFERS * self._reader.step * image.pixels.nbytes  # rows that are decoded together with those of a band
        room = max(self._memory // _SHARE - ahead, self._memory // (4 * _SHARE))
        return min(max(ceil(total / room), least, 1), tallest)

    def _tile_rows(self) -> int:
        """Return the rows of tiles or chunks of the outputs, if a band has as many: the others are copied once more."""
        layout, format = self._job.encoding.layout, self._job.destination.format
        rows = layout.tile[0] if layout and layout.tile else {"tiff": _TILE, "zarr": _CHUNK}.get(format, 1)
        return rows if rows <= max(group.height for group in self._groups) // self._count else 1

    def _check(self, image: Raster) -> None:
        """Raise NotByBands where even a band is too large."""
        width, rows = self._reader.header.size[1], self._reader.step
        if rows * image.pixels.nbytes > max(self._memory, 1 << 24):
            raise NotByBands(f"{rows} rows of {width} pixels are stored together; store it with smaller strips or tiles")
        if self._job.reading.max_pixels is not None and width > self._job.reading.max_pixels:
            raise NotByBands(f"a row has {width} pixels, more than --max-pixels", " and --max-pixels")


def _apart(pixels: Array, input_rows: Raster) -> Array:
    """Return pixels that do not change when the memory of the input rows gets other rows."""
    return pixels.copy() if np.may_share_memory(pixels, input_rows.pixels) else pixels


def _united(rows: Sequence[Rows]) -> Rows:
    return min(first for first, _ in rows), max(last for _, last in rows)
