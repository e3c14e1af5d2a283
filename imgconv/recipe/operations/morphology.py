"""Operations of mathematical morphology, each with a window of any shape: erode, dilate, open, close and their differences."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Self

from imgconv.modes import MissingRule, Morphology, PaddingMode
from imgconv.recipe.operations.operation import (
    Cell,
    Cost,
    Dims,
    Formula,
    Operation,
    OperationType,
    Option,
    Pooled,
    Reach,
    Term,
    maps_of,
    window_output,
)
from imgconv.recipe.references import footprint_of
from imgconv.recipe.values import padding_mode, word
from imgconv.window import Window

if TYPE_CHECKING:
    from imgconv.arrays import Array
    from imgconv.recipe.weights import Context


@dataclass(frozen=True)
class Morphing(Operation):
    """An operation of mathematical morphology by `window`; without a padding mode, padded cells are ignored."""

    operation: Morphology
    window: Window
    padding_mode: str | tuple[str, float] | None = None

    @classmethod
    def build(cls, context: Context, **options: Any) -> Self:
        """The operation, its window being the cells where the kernel `window` is not zero."""
        if options["padding_mode"] is not None:
            PaddingMode.of(options["padding_mode"])
        window = Window.of(footprint_of(options["window"], context.registry), padding="same")
        return cls(options["operation"], window, options["padding_mode"])

    def trace(self, dims: Dims) -> Dims:
        """The same shape."""
        channels, height, width = maps_of(dims)
        return channels, *window_output(self.window, height, width)

    @property
    def temporaries(self) -> float:
        """The maps between the parts of the operation."""
        return self.operation.temporaries

    def apply(self, input: Array) -> Array:
        from imgconv.functional.morphology import morphology

        return morphology(input, self.operation, self.window, self.padding_mode)

    def cost(self, input: tuple[int, ...], output: tuple[int, ...]) -> Cost:
        """No multiplications; the receptive field is that of two windows where one follows the other."""
        size = input[1:]
        twice = self.operation in (Morphology.open, Morphology.close, Morphology.tophat, Morphology.blackhat)
        span = tuple(2 * cells - 1 if twice else cells for cells in self.window.span)
        algorithm = "runs" if self.window.footprint else "separable"
        return Cost(0, algorithm, self.window.size_formulas(size), self.window.padding_text(size), span)

    def reach(self) -> Reach | None:
        """The rows of two windows; a circular border repeats those of the other end."""
        return None if self._is_circular else Reach(Window.of([2 * cells - 1 for cells in self.window.kernel_size], padding="same"))

    def apply_missing(self, input: Array, rule: MissingRule) -> Array:
        """The same, each window over its valid cells."""
        from imgconv.filters.pool2d import pool_maps
        from imgconv.functional.morphology import compose

        def extreme(maps: Array, largest: bool) -> Array:
            return pool_maps(maps, rule, self._window(largest=largest), "max" if largest else "min", self.padding_mode)

        return compose(input, self.operation, extreme)

    def arithmetic(self, input: tuple[int, ...], at: Cell) -> Pooled | Formula:
        """The largest or smallest of the cells under the window, or the arithmetic of two windows."""
        if self.operation.pool is None:
            rows, columns = (self._around(cell, size, axis) for axis, (cell, size) in enumerate(zip(at, input[1:], strict=True)))
            place = (at[0] - rows.start, at[1] - columns.start)
            return Formula(tuple(rows), tuple(columns), lambda cells, channel: self._terms(cells[..., channel], place))
        window = self._window(largest=self.operation is Morphology.dilate)
        window_rows, window_columns = window.cells(at, window.pads(input[1:]))
        return Pooled(window_rows, window_columns, self.operation.pool, window=window, padding_mode=self.padding_mode)

    def _window(self, *, largest: bool) -> Window:
        return self.window.turned if largest else self.window

    def _around(self, cell: int, size: int, axis: int) -> range:
        """The cells of the input under two windows, one after the other; with a circular border, all of them."""
        reach = size if self._is_circular else 2 * (self.window.span[axis] - 1)
        return range(max(cell - reach, 0), min(cell + reach + 1, size))

    @property
    def _is_circular(self) -> bool:
        return self.padding_mode is not None and PaddingMode.of(self.padding_mode)[0] is PaddingMode.circular

    def _terms(self, cells: Array, at: Cell) -> list[Term]:
        """What each window gives at a cell, from the cells (H, W) around it, and the difference that follows."""
        import numpy as np

        from imgconv.functional.morphology import compose, morphology

        terms: list[Term] = []

        def extreme(maps: Array, largest: bool) -> Array:
            result = morphology(maps, Morphology.dilate if largest else Morphology.erode, self.window, self.padding_mode)
            values = self._values_under(maps[0, 0], at, largest=largest)
            text = f"the {'largest' if largest else 'smallest'} of {', '.join(['{}'] * len(values))}"
            terms.append(Term("dilate" if largest else "erode", text, values, float(result[0, 0][at])))
            return result

        value = float(compose(np.ascontiguousarray(cells, np.float32)[None, None], self.operation, extreme)[0, 0][at])
        own, (first, last) = float(cells[at]), (terms[0].value, terms[-1].value)
        pairs = {Morphology.tophat: (own, last), Morphology.blackhat: (last, own), Morphology.gradient: (first, last)}
        return [*terms, Term("", "{} - {}", pairs[self.operation], value)] if self.operation in pairs else terms

    def _values_under(self, cells: Array, at: Cell, *, largest: bool) -> tuple[float, ...]:
        """The values under the window at a cell that are not padding, and the value of a constant border if it is one of them."""
        window = self._window(largest=largest)
        rows, columns = window.cells(at, window.pads(cells.shape))
        places = [(rows[row], columns[first + cell]) for row, first, count in window.runs for cell in range(count)]
        inside = [(y, x) for y, x in places if 0 <= y < cells.shape[0] and 0 <= x < cells.shape[1]]
        mode, value = (None, 0.0) if self.padding_mode is None else PaddingMode.of(self.padding_mode)
        beyond = (value,) if mode is not None and mode.fills and len(inside) < len(places) else ()
        return (*(float(cells[place]) for place in inside), *beyond)


_OPTIONS = (Option("window", word), Option("padding_mode", padding_mode, None))

TYPES = tuple(OperationType(mode.value, mode.help, partial(Morphing.build, operation=mode), _OPTIONS) for mode in Morphology)
