"""Which input cells each output cell sees, along one axis: all that pooling and its gradients need to know of a window."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from imgconv.window import Window

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
        return _of_window(window, tuple(size), axis)

    @classmethod
    def adaptive(cls, size: int, out: int) -> "Spans":
        """`out` spans that divide `size` cells as evenly as torch does: floor(j*size/out) to ceil((j+1)*size/out).

        >>> Spans.adaptive(5, 3).count
        array([2, 3, 2])
        """
        j = np.arange(out, dtype=np.intp)
        first = j * size // max(out, 1)
        return cls(first, -(-(j + 1) * size // max(out, 1)) - first)

    @cached_property
    def fewest(self) -> int:
        """The least that any output cell sees."""
        return int(self.count.min())

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


@lru_cache(64)  # pictures of a folder are often of one size
def _of_window(window: Window, size: tuple[int, ...], axis: int) -> Spans:
    taps, step, cells = window.kernel_size[axis], window.dilation[axis], size[axis]
    start = _starts(window, size, axis)
    skipped = np.maximum(-(start // step), 0)
    end = np.minimum(-((start - cells) // step), taps)
    first, count = start + skipped * step, np.maximum(end - skipped, 0)
    first.flags.writeable = count.flags.writeable = False
    return Spans(first, count, step)


def padded_counts(window: Window, size: Sequence[int], axis: int) -> Cells:
    """Cells of each window along `axis` when padding counts; what lies beyond the padding, with ceil_mode, does not.

    >>> padded_counts(Window.of(3, stride=2, padding=1, ceil_mode=True), (4, 4), axis=0)
    array([3, 3, 2])
    """
    start = _starts(window, size, axis)
    return np.minimum(start + window.kernel_size[axis], size[axis] + window.pads(size)[axis][1]) - start


def _starts(window: Window, size: Sequence[int], axis: int) -> Cells:
    return np.arange(window.output_size(size)[axis]) * window.stride[axis] - window.pads(size)[axis][0]
