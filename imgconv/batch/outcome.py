"""The outcome of one input: its outputs, their statistics, its error, and how long it took."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from imgconv.arrays import Array
from imgconv.errors import interrupt_in, one_line, wants_traceback
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
        running = RunningStatistics(output.name, len(output.image.pixels))
        running.add(output, values=True)
        return running.result()


class _Sums(NamedTuple):
    """Of each of some rows: the number of values, their sum, and the sum of their squared differences from the row's mean."""

    counts: Array
    sums: Array
    squares: Array

    @classmethod
    def of(cls, colours: Array, valid: Array | None) -> "_Sums":
        """Compute the sums of `colours` (R, W, C) where `valid` is not 0. Those of a row depend on no other row."""
        values = np.array(colours, np.float64, order="C").reshape(len(colours), -1)
        known = None if valid is None else valid.reshape(values.shape) != 0
        counts = np.full(len(values), values.shape[1]) if known is None else known.sum(axis=1)
        if known is not None:
            values[~known] = 0
        sums = values.sum(axis=1)
        values -= (sums / counts)[:, None]
        if known is not None:
            values[~known] = 0
        return cls(counts, sums, np.square(values, out=values).sum(axis=1))


class RunningStatistics:
    """The statistics of a map whose bands arrive one after the other; they do not depend on how its rows are divided into bands."""

    def __init__(self, name: str, height: int):
        self._name, self._height = name, height
        self._rows, self._shape = 0, (0, 0)
        self._parts: list[_Sums] = []
        self._extremes: tuple[float, float] | None = None
        self.missing = 0

    def add(self, band: Map, *, values: bool) -> int:
        """Add some rows of the map, their values too if wanted; return the number of missing cells. Nothing follows the last row."""
        rows, width, channels = band.image.pixels.shape
        if self._rows >= self._height:
            return 0
        self._rows += rows
        self._shape = (channels, width)
        self.missing += band.missing
        if values:
            colours = band.image.colours
            valid = np.asarray(band.image.valid)[..., : colours.shape[2]] if band.missing else None
            step = max(1, BLOCK // (width * channels))
            with np.errstate(all="ignore"):  # infinity and NaN are valid results; a row without valid cells is divided by 0
                for row in range(0, rows, step):  # no copy of the whole map in float64
                    part = slice(row, row + step)
                    self._parts.append(_Sums.of(colours[part], None if valid is None else valid[part]))
            known = colours if valid is None else colours[valid != 0]
            if known.size:
                self._widen((float(known.min()), float(known.max())))
        return band.missing

    def merge(self, below: "RunningStatistics") -> None:
        """Add the statistics of the rows that follow."""
        self._parts += below._parts
        self._height += below._height
        self.missing += below.missing
        self._shape = below._shape
        if below._extremes:
            self._widen(below._extremes)

    def _widen(self, extremes: tuple[float, float]) -> None:
        """Include a lowest and a highest value; both are NaN if there is a NaN."""
        low, high = self._extremes or extremes
        self._extremes = float(np.minimum(low, extremes[0])), float(np.maximum(high, extremes[1]))

    def result(self) -> Statistics:
        """Return the statistics of the whole map."""
        channels, width = self._shape
        counts, sums, squares = (np.concatenate(each) for each in zip(*self._parts, strict=True)) if self._parts else [np.zeros(1)] * 3
        with np.errstate(all="ignore"):
            mean = sums.sum() / counts.sum()
            differences = np.where(counts, counts * (sums / counts - mean) ** 2, 0) + squares
            std = np.sqrt(differences.sum() / counts.sum())
        low, high = self._extremes or (np.nan, np.nan)
        return Statistics(self._name, (channels, self._height, width), low, high, float(mean), float(std), self.missing)


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
    """Record the error and the duration of the block in `outcome`. An interrupt, or a pipe without a reader, ends the run instead."""
    started = time.perf_counter()
    try:
        yield
    except Exception as error:  # also a defect of imgconv: the other images are processed
        pipe = next((each for each in (error, error.__cause__) if isinstance(each, BrokenPipeError)), None)
        if (end := pipe or interrupt_in(error)) is not None:
            raise end from None
        if wants_traceback(error):
            raise
        outcome.error = one_line(error)
    outcome.seconds = time.perf_counter() - started
