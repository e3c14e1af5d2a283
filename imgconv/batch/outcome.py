"""What became of one input.

What goes wrong with one input, as a line of its outcome: the others go on.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from imgconv.errors import one_line, wants_traceback
from imgconv.process import Map, Shape

BLOCK = 1 << 18  # values taken to float64 at once


@dataclass(frozen=True)
class Statistics:
    """Extremes, mean and standard deviation of one written map, in the levels that were written; alpha is left out."""

    name: str
    shape: tuple[int, int, int]
    min: float
    max: float
    mean: float
    std: float

    @classmethod
    def of(cls, made: Map) -> "Statistics":
        """Statistics of a map's pixels; `shape` is (C, H, W)."""
        pixels = made.image.pixels
        colours = pixels[..., :-1] if made.image.alpha else pixels
        height, width, channels = pixels.shape
        step = max(1, BLOCK // (width * channels))
        blocks = [colours[top : top + step] for top in range(0, height, step)]  # no copy of the whole map in float64
        with np.errstate(all="ignore"):  # infinity and NaN are results too
            mean = sum(float(block.sum(dtype=np.float64)) for block in blocks) / colours.size
            variance = sum(float(np.square(block - mean, dtype=np.float64).sum()) for block in blocks) / colours.size
        return cls(made.name, (channels, height, width), float(colours.min()), float(colours.max()), mean, variance**0.5)

    def as_json(self) -> dict[str, Any]:
        """The fields of a map in a `--json` line."""
        return dict(vars(self))


@dataclass
class Outcome:
    """One input and all that came of it: outputs, shapes (C, H, W), seconds, an error, or a reason why it was passed over.

    `seen` is what its header says: shape and dtype. `note` is for people: what an image's line should also say. `kept` are outputs
    that were there before, and stay as they are.
    """

    source: str
    seen: tuple[Shape, str] | None = None
    outputs: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    maps: list[Statistics] = field(default_factory=list)
    shapes: list[tuple[int, int, int]] = field(default_factory=list)
    seconds: float = 0.0
    error: str | None = None
    skipped: str | None = None
    note: str | None = None

    def as_json(self) -> dict[str, Any]:
        """The fields of a `--json` line."""
        return {
            "source": self.source,
            "outputs": self.outputs,
            "shapes": self.shapes,
            "seconds": round(self.seconds, 6),
            "error": self.error,
            "skipped": self.skipped,
            "maps": [made.as_json() for made in self.maps],
        }


@contextmanager
def told(outcome: Outcome) -> Iterator[None]:
    """Put what goes wrong, and the time it took, into `outcome`. A reader that closed the pipe is no fault of the image."""
    started = time.perf_counter()
    try:
        yield
    except Exception as error:  # whatever is wrong with one image, a mistake of ours included, the others are done
        pipe = next((each for each in (error, error.__cause__) if isinstance(each, BrokenPipeError)), None)
        if pipe is not None:
            raise pipe from None
        if wants_traceback(error):
            raise
        outcome.error = one_line(error)
    outcome.seconds = time.perf_counter() - started
