"""Parts of an image that is too large for memory: some output rows, and the input rows under their windows."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from imgconv.filters.weights import FilterKernel, pads_of
from imgconv.modes import PaddingMode
from imgconv.window import Window
from imgconv.windows.borders import CONSTANT, Border


class Part(NamedTuple):
    """Output rows `first` to `last` of an image of `height` rows, of which those from `begin` on are in memory.

    Rows below 0, or beyond the height, are those that a circular border repeats.
    """

    height: int
    begin: int
    first: int
    last: int

    @property
    def keywords(self) -> dict[str, int]:
        """The keyword arguments of `PaddedRows`."""
        return {"begin": self.begin, "height": self.height}


def filter_rows(
    kernels: Sequence[FilterKernel], window: Window, border: Border, size: tuple[int, int], outputs: tuple[int, int], *, flip: bool
) -> tuple[int, int]:
    """The input rows (begin, end) that `outputs` (first, last) of a filter need: those under windows, and those that the border repeats.

    >>> filter_rows([], Window.of(3, padding=1), Border.of("reflect"), (9, 9), (0, 4), flip=False)
    (0, 5)
    """
    begins, ends = [], []
    for top in [pads_of(kernel, window, size, flip=flip)[0][0] for kernel in kernels] or [window.pads(size)[0][0]]:
        begin, end = _cells(window, outputs, top)
        if border.mode is PaddingMode.circular:
            rows = np.array([begin, end - 1])
        else:
            sources = border.sources(np.arange(begin, end), size[0])
            nearest = np.clip([begin, end - 1], 0, size[0] - 1)  # alpha is taken from there where an anchor lies in the padding
            rows = np.concatenate([sources[sources != CONSTANT], nearest])
        begins.append(int(rows.min()))
        ends.append(int(rows.max()) + 1)
    return min(begins), max(ends)


def pool_rows(window: Window, size: tuple[int, int], outputs: tuple[int, int]) -> tuple[Window, tuple[int, int]]:
    """The input rows (begin, end) under `outputs` (first, last) of a pool, and the window that gives just these outputs from them."""
    (top, _), (left, _) = window.pads(size)
    columns = window.output_size(size)[1]
    begin, end = _cells(window, outputs, top)
    low, high = max(begin, 0), min(end, size[0])
    right = max((columns - 1) * window.stride[1] + window.span[1] - left - size[1], 0)
    return replace(window, around=((low - begin, end - high), (left, right)), ceil_mode=False), (low, high)


def _cells(window: Window, outputs: tuple[int, int], top: int) -> tuple[int, int]:
    first, last = outputs
    return first * window.stride[0] - top, (last - 1) * window.stride[0] + window.span[0] - top
