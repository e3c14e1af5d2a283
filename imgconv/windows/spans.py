"""The input cells under each output cell along one axis, and those under its window where padding counts."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from imgconv.window import Window

REMEMBERED = 1 << 18  # cells of the longest axis whose spans are remembered, since those of longer ones would fill the memory
Cells = NDArray[np.intp]


@dataclass(frozen=True)
class Spans:
    """Output cell j sees the count[j] input cells first[j], first[j] + step, ...; padded cells are left out."""

    first: Cells
    count: Cells
    step: int = 1

    @classmethod
    def of_window(cls, window: Window, size: Sequence[int], axis: int) -> "Spans":
        """The spans of `window` along `axis` of an input of `size`.

        >>> Spans.of_window(Window.of(3, padding=1), (4, 4), axis=0).count
        array([2, 3, 3, 2])
        """
        return (_of_window if size[axis] <= REMEMBERED else _of_window.__wrapped__)(window, tuple(size), axis)

    @classmethod
    def adaptive(cls, size: int, out: int) -> "Spans":
        """`out` spans that divide `size` cells as evenly as torch does: floor(j*size/out) to ceil((j+1)*size/out).

        >>> Spans.adaptive(5, 3).count
        array([2, 3, 2])
        """
        j = np.arange(out, dtype=np.intp)
        first = j * size // max(out, 1)
        return cls(first, -(-(j + 1) * size // max(out, 1)) - first)

    def covering(self, size: int) -> "Spans":
        """The other way round: for each of `size` input cells, the output cells that see it (their step is 1, as must be this one's).

        >>> Spans.adaptive(5, 3).covering(5).count
        array([1, 2, 1, 2, 1])
        """
        cells = np.arange(size)
        begin = np.searchsorted(self.first + self.count, cells, side="right")
        return Spans(begin, np.searchsorted(self.first, cells, side="right") - begin)

    def stacked(self, first: int, last: int, size: int) -> tuple[Cells, Cells, Cells]:
        """Cells of planes of `size` rows stacked on each other: (first, count, first row of the plane) of stacked outputs first..last."""
        plane, j = np.divmod(np.arange(first, last), len(self.first))
        return plane * size + self.first[j], self.count[j], plane * size

    def all_stacked(self, planes: int, size: int) -> tuple[Cells, Cells]:
        """The first two of `stacked`, for all outputs of so many planes.

        >>> Spans.of_window(Window.of(2), (3, 3), axis=0).all_stacked(2, 3)
        (array([0, 1, 3, 4]), array([2, 2, 2, 2]))
        """
        return (np.arange(planes)[:, None] * size + self.first).ravel(), np.tile(self.count, planes)


@lru_cache(64)  # images of a folder are often of one size
def _of_window(window: Window, size: tuple[int, ...], axis: int) -> Spans:
    first, count = _cells_from(starts(window, size, axis), window, size, axis)
    first.flags.writeable = count.flags.writeable = False
    return Spans(first, count, window.dilation[axis])


@lru_cache(64)
def fewest_cells(window: Window, size: tuple[int, ...], axis: int) -> int:
    """Return the least that any output cell sees along `axis`: one of those whose windows reach into the padding.

    >>> fewest_cells(Window.of(3, padding=1), (4, 4), axis=0)
    2
    """
    reach = max(window.pads(size)[axis]) // window.stride[axis] + 1
    ends = (starts(window, size, axis, outputs) for outputs in (slice(reach), slice(-reach, None)))
    return min(int(_cells_from(start, window, size, axis)[1].min()) for start in ends)


def _cells_from(start: Cells, window: Window, size: Sequence[int], axis: int) -> tuple[Cells, Cells]:
    """Return the first cell that each window sees which begins at `start`, and how many it sees."""
    taps, step, cells = window.kernel_size[axis], window.dilation[axis], size[axis]
    skipped = np.maximum(-(start // step), 0)
    end = np.minimum(-((start - cells) // step), taps)
    return start + skipped * step, np.maximum(end - skipped, 0)


def padded_counts(window: Window, size: Sequence[int], axis: int) -> Cells:
    """Cells of each window along `axis` when padding counts; what lies beyond the padding, with ceil_mode, does not.

    >>> padded_counts(Window.of(3, stride=2, padding=1, ceil_mode=True), (4, 4), axis=0)
    array([3, 3, 2])
    """
    taps, count = window.kernel_size[axis], window.output_size(size)[axis]
    padded = size[axis] + sum(window.pads(size)[axis])
    are_whole = (count - 1) * window.stride[axis] + taps <= padded
    if are_whole:  # no array of as many numbers as a long signal has windows
        return np.broadcast_to(np.intp(taps), count)
    start = starts(window, size, axis)
    return np.minimum(start + taps, size[axis] + window.pads(size)[axis][1]) - start


def starts(window: Window, size: Sequence[int], axis: int, outputs: slice = slice(None)) -> Cells:
    """The input cell under the first tap of each window along `axis`, or of some of them; it may lie in the padding."""
    return np.arange(*outputs.indices(window.output_size(size)[axis])) * window.stride[axis] - window.pads(size)[axis][0]
