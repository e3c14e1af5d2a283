"""Padding as a step of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from imgconv.modes import PaddingMode
from imgconv.recipe.operations.conv import check_border
from imgconv.recipe.operations.operation import (
    Cell,
    Cost,
    Dims,
    Operation,
    OperationType,
    Option,
    Reach,
    Sums,
    WeightedSum,
    maps_of,
    window_output,
)
from imgconv.recipe.values import padding_mode, size
from imgconv.window import Window

if TYPE_CHECKING:
    from imgconv.arrays import Array
    from imgconv.recipe.weights import Context


@dataclass(frozen=True)
class Pad(Operation):
    """Cells around every map: a window of one cell with padding."""

    window: Window
    padding_mode: str | tuple[str, float] = "zeros"

    @classmethod
    def build(cls, context: Context, **options: Any) -> Self:
        PaddingMode.of(options["padding_mode"])
        return cls(Window.of(1, padding=options["padding"]), options["padding_mode"])

    def trace(self, dims: Dims) -> Dims:
        """(C, H + 2*padding, W + 2*padding)."""
        channels, height, width = maps_of(dims)
        if height is not None and width is not None:
            check_border(self.window, self.padding_mode, (height, width))
        return channels, *window_output(self.window, height, width)

    @property
    def temporaries(self) -> float:
        """A border of other values is gathered row by row, then column by column."""
        return 0.0 if self.padding_mode == "zeros" else 1.0

    def apply(self, input: Array) -> Array:
        from imgconv.functional.padding import pad

        (top, bottom), (left, right) = self.window.pads((1, 1))
        mode, value = PaddingMode.of(self.padding_mode)
        constant = mode in (PaddingMode.zeros, PaddingMode.constant)
        return pad(input, (left, right, top, bottom), "constant" if constant else mode.value, value if constant else None)

    def reach(self) -> Reach | None:
        """The rows that are repeated lie near the edge, except with a circular border."""
        return None if PaddingMode.of(self.padding_mode)[0] is PaddingMode.circular else Reach(self.window)

    def cost(self, input: tuple[int, ...], output: tuple[int, ...]) -> Cost:
        return Cost(sizes=self.window.size_formulas(input[1:]), padding=self.window.padding_text(input[1:]))

    def arithmetic(self, input: tuple[int, ...], at: Cell) -> Sums:
        """The cell in its place, or the one that the padding repeats."""
        import numpy as np

        rows, columns = self.window.cells(at, self.window.pads(input[1:]))
        sums = (WeightedSum(channel, range(channel, channel + 1), np.ones((1, 1, 1)), 0.0) for channel in range(input[0]))
        return Sums(rows, columns, tuple(sums), self.padding_mode)


_OPTIONS = (Option("padding", size), Option("padding_mode", padding_mode, "zeros"))
TYPES = (OperationType("pad", "adds cells around every map", Pad.build, _OPTIONS),)
