"""The outcome of one input: its outputs, their statistics, its error, and how long it took."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from imgconv.arrays import Array
from imgconv.errors import one_line, wants_traceback
from imgconv.process import Map
from imgconv.recipe import Shape

BLOCK = 1 << 18  # values that are converted to float64 at once


class Statistics(NamedTuple):
    """Minimum, maximum, mean and standard deviation of the levels of one written map, without alpha and `missing` cells."""

    name: str
    shape: tuple[int, int, int]
    min: float
    max: float
    mean: float
    std: float
    missing: int = 0

    @classmethod
    def of(cls, output: Map) -> "Statistics":
        """Compute the statistics of a map; `shape` is (C, H, W)."""
        height, width, channels = output.image.pixels.shape
        colours = _valid_values(output) if output.missing else output.image.colours
        step = max(1, BLOCK // (width * channels))
        blocks = [colours[row : row + step] for row in range(0, len(colours), step)]  # no copy of the whole map in float64
        with np.errstate(all="ignore"):  # infinity and NaN are valid results
            mean = sum(float(block.sum(dtype=np.float64)) for block in blocks) / colours.size
            squares = (np.square(np.subtract(block, mean, dtype=np.float64)) for block in blocks)
            variance = sum(float(each.sum()) for each in squares) / colours.size
        return cls(output.name, (channels, height, width), float(colours.min()), float(colours.max()), mean, variance**0.5, output.missing)


def _valid_values(output: Map) -> Array:
    """The values of the valid cells of a map (N, 1, 1); one NaN where all cells are missing."""
    colours = output.image.colours
    values = colours[np.asarray(output.image.valid)[..., : colours.shape[2]] != 0]
    return (values if values.size else np.full(1, np.nan))[:, None, None]


class RunningStatistics:
    """The statistics of a map whose bands arrive one after the other (Chan, Golub and LeVeque 1979)."""

    def __init__(self, name: str, height: int):
        self._name, self._height = name, height
        self._rows, self._shape = 0, (0, 0)
        self._count, self._sum, self._squares = 0, 0.0, 0.0  # squares of the differences from the mean
        self._low, self._high = np.nan, np.nan
        self.missing = 0

    def add(self, band: Map, *, values: bool) -> int:
        """Add some rows of the map, their values too if wanted; return the number of missing cells. Nothing follows the last row."""
        rows, width, channels = band.image.pixels.shape
        if self._rows >= self._height:
            return 0
        self._rows += rows
        self._shape = (channels, width)
        self.missing += band.missing
        count = rows * width * (channels - band.image.alpha) - band.missing
        if values and count:
            of_band, colours = Statistics.of(band), _valid_values(band) if band.missing else band.image.colours
            total = float(colours.sum(dtype=np.float64))
            self._combine(count, total, of_band.mean, of_band.std**2 * count, (of_band.min, of_band.max))
        return band.missing

    def merge(self, below: "RunningStatistics") -> None:
        """Add the statistics of the rows that follow."""
        if below._count:
            self._combine(below._count, below._sum, below._sum / below._count, below._squares, (below._low, below._high))
        self._height += below._height
        self.missing += below.missing
        self._shape = below._shape

    def _combine(self, count: int, total: float, mean: float, squares: float, extremes: tuple[float, float]) -> None:
        """Add `count` values, of which the sum, the mean, the squared differences from the mean and the extremes are known."""
        with np.errstate(all="ignore"):
            if self._count:
                self._squares += (mean - self._sum / self._count) ** 2 * self._count * count / (self._count + count)
                extremes = float(np.minimum(self._low, extremes[0])), float(np.maximum(self._high, extremes[1]))
            self._squares += squares
            self._sum += total
        self._low, self._high = extremes
        self._count += count

    def result(self) -> Statistics:
        """Return the statistics of the whole map."""
        channels, width = self._shape
        mean, std = (self._sum / self._count, (self._squares / self._count) ** 0.5) if self._count else (np.nan, np.nan)
        return Statistics(self._name, (channels, self._height, width), self._low, self._high, mean, std, self.missing)


@dataclass
class Outcome:
    """The outcome of one input: outputs, shapes (C, H, W), seconds, and an error, or the reason why it was skipped.

    `dropped` names metadata of the input that its outputs do not have. `header` holds the shape and dtype of the input. `note` is added
    to the input's line of text, `reading` to its details. `missing_before` and `missing_after` count missing cells of the input and of all
    maps. `unchanged` are outputs that existed before and were not replaced. `is_large` means that nothing was done yet, since the rows of
    the image are to be spread over a cluster.
    """

    source: str
    header: tuple[Shape, str] | None = None
    outputs: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    maps: list[Statistics] = field(default_factory=list)
    shapes: list[tuple[int, int, int]] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    seconds: float = 0.0
    error: str | None = None
    skipped: str | None = None
    missing_before: int = 0
    missing_after: int = 0
    note: str | None = None
    reading: str | None = None
    is_large: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return the fields of a `--json` line."""
        return {
            "source": self.source,
            "outputs": self.outputs,
            "shapes": self.shapes,
            "dropped": self.dropped,
            "note": self.note,
            "missing": {"before": self.missing_before, "after": self.missing_after},
            "seconds": round(self.seconds, 6),
            "error": self.error,
            "skipped": self.skipped,
            "maps": [statistics._asdict() for statistics in self.maps],
        }


@contextmanager
def recorded(outcome: Outcome) -> Iterator[None]:
    """Record the error and the duration of the block in `outcome`. A pipe that its reader has closed ends the run instead."""
    started = time.perf_counter()
    try:
        yield
    except Exception as error:  # also a defect of imgconv: the other images are processed
        pipe = next((each for each in (error, error.__cause__) if isinstance(each, BrokenPipeError)), None)
        if pipe is not None:
            raise pipe from None
        if wants_traceback(error):
            raise
        outcome.error = one_line(error)
    outcome.seconds = time.perf_counter() - started
