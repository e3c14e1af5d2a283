"""What every way to lay a kernel on padded rows shares: its interface, rows taken apart by stride, and exact sliding sums."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from imgconv.functional.finishing import Finishing
from imgconv.functional.masks import Weights
from imgconv.window import Window

Array = NDArray[Any]


class Correlator(Protocol):
    """Lays a kernel on padded rows. `in_place`: so quickly that a padded copy of rows would cost more than their sides apart."""

    in_place: bool = False

    def fill(self, source: Array, target: Array, finishing: Finishing, left: int = 0) -> None:
        """Fill `target` (R, w_out*C_out) from padded rows ((R-1)*stride + span, W*C): sums of weighted values, finished.

        With `in_place`, rows may be narrower, and then fill only as many elements from `left` on as they give.
        """

    def rows(self, fitting: int) -> int:
        """How many rows to fill at a time where `fitting` rows fit the cache."""
        return fitting


@dataclass(frozen=True)
class Phases:
    """Rows with the cells that one output after the other reads laid side by side, so that strides cost no more than they save.

    A row of values `step` apart becomes `step // unit` rows, one after the other, of `unit` neighbours each.
    """

    step: int
    unit: int

    @classmethod
    def of(cls, weights: Weights, window: Window, channels: int) -> "Phases":
        """The phases of a kernel that keeps channels apart, or (with taps in three axes) sums over them."""
        return cls(window.stride[1] * channels, channels if weights.taps.ndim == 2 else 1)

    def apart(self, source: Array, columns: NDArray[np.intp]) -> tuple[Array, NDArray[np.intp]]:
        """Rearranged `source`, and where `columns` are in it."""
        if self.step == self.unit:
            return source, columns
        length = -(-source.shape[1] // self.step) * self.unit
        made = np.zeros((len(source), self.step // self.unit, length), source.dtype)
        for place in range(self.step):
            cells = source[:, place :: self.step]
            made[:, place // self.unit, place % self.unit :: self.unit][:, : cells.shape[1]] = cells
        phase, offset = columns % self.step // self.unit, columns // self.step
        return made.reshape(len(source), -1), phase * length + offset * self.unit


def running_dtype(weights: Weights) -> np.dtype[Any]:
    """What sliding sums are kept in: whole numbers, so that what was added can be taken away."""
    return np.dtype(np.int32 if weights.bound < 2**31 else np.int64)
