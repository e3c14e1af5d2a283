"""Operations of mathematical morphology, each with a window of any shape: erode, dilate, open, close and their differences."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Self

from imgconv.modes import MissingRule, Morphology, PaddingMode
from imgconv.recipe.footprints import footprint_of
from imgconv.recipe.operations.operation import Cell, Cost, Dims, Operation, OperationType, Option, Pooled, Reach, maps_of, window_output
from imgconv.recipe.values import padding_mode, word
from imgconv.window import Window

if TYPE_CHECKING:
    from imgconv.arrays import Array
    from imgconv.recipe.weights import Context


@dataclass(frozen=True)
class Morphing(Operation):
    """An operation of mathematical morphology by `window`; without a padding mode, padded cells take no part."""

    temporaries: ClassVar[float] = 2.0

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

    def apply(self, input: Array) -> Array:
        """The maps, each on its own."""
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
        if self.padding_mode is not None and PaddingMode.of(self.padding_mode)[0] is PaddingMode.circular:
            return None
        return Reach(Window.of([2 * cells - 1 for cells in self.window.kernel_size], padding="same"))

    def apply_missing(self, input: Array, rule: MissingRule) -> Array:
        """The same, each window over its valid cells."""
        from imgconv.filters.pool_missing import pool_maps
        from imgconv.functional.morphology import compose

        def extreme(maps: Array, largest: bool) -> Array:
            window = self.window.turned if largest else self.window
            return pool_maps(maps, rule, window, "max" if largest else "min", self.padding_mode)

        return compose(input, self.operation, extreme)

    def arithmetic(self, input: tuple[int, ...], at: Cell) -> Pooled | None:
        """The largest or smallest of the cells under the window; None where there are two windows."""
        if self.operation.pool is None:
            return None
        window = self.window.turned if self.operation is Morphology.dilate else self.window
        rows, columns = window.cells(at, window.pads(input[1:]))
        return Pooled(rows, columns, self.operation.pool, window=window, padding_mode=self.padding_mode)


_OPTIONS = (Option("window", word), Option("padding_mode", padding_mode, None))

TYPES = tuple(OperationType(mode.value, mode.help, partial(Morphing.build, operation=mode), _OPTIONS) for mode in Morphology)
