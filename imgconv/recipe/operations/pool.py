"""Pooling operations, with torch's options and defaults."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, Any, Self

from imgconv.errors import UsageError
from imgconv.modes import MissingMode
from imgconv.recipe.operations.operation import Cell, Cost, Dims, Operation, OperationType, Option, Pooled, Reach, maps_of, window_output
from imgconv.recipe.values import flag, output_size, padding, size, size_or_none, whole
from imgconv.window import Window

if TYPE_CHECKING:
    from imgconv.arrays import Array
    from imgconv.modes import MissingRule
    from imgconv.recipe.weights import Context


SHARE_ROUNDING = 1e-11  # of the least valid share of a window


@dataclass(frozen=True)
class Pooling(Operation):
    """The max, min, avg or median of every window of every map."""

    mode: str
    window: Window
    count_include_pad: bool = True
    divisor_override: int | None = None

    @classmethod
    def build(cls, context: Context, **options: Any) -> Self:
        """The operation; options that its mode lacks have torch's defaults, and without a stride it is the kernel size."""
        kernel_size, stride, padding = options["kernel_size"], options["stride"], options["padding"]
        dilation, ceil_mode = options.get("dilation", 1), options.get("ceil_mode", False)
        window = Window.of(kernel_size, kernel_size if stride is None else stride, padding, dilation, ceil_mode=ceil_mode)
        return cls(options["mode"], window, options.get("count_include_pad", True), options.get("divisor_override"))

    def __post_init__(self) -> None:
        padding = self.window.padding
        if isinstance(padding, str):
            raise UsageError(f"padding {padding!r} is not possible for a pool; give a number")
        if any(2 * p > k for p, k in zip(padding, self.window.kernel_size, strict=True)):
            raise UsageError(f"padding {padding[0]}x{padding[1]} is over half of the kernel_size; use at most half")
        if self.divisor_override == 0:
            raise UsageError("divisor_override must not be 0; leave it out for the number of cells")

    def trace(self, dims: Dims) -> Dims:
        """(C, h_out, w_out) of (C, H, W)."""
        channels, height, width = maps_of(dims)
        return channels, *window_output(self.window, height, width)

    def apply(self, input: Array) -> Array:
        import numpy as np

        from imgconv.functional.avg_pooling import avg_pool2d
        from imgconv.functional.pooling import max_pool2d, median_pool2d, min_pool2d

        window = self.window
        size, stride, ceil_mode = window.kernel_size, window.stride, window.ceil_mode
        padding = tuple(before for before, _ in window.pads((1, 1)))
        if self.mode == "avg":
            return avg_pool2d(input, size, stride, padding, ceil_mode, self.count_include_pad, self.divisor_override)
        if self.mode == "median":
            return median_pool2d(input, size, stride, padding)
        pool = min_pool2d if self.mode == "min" else max_pool2d
        return np.asarray(pool(input, size, stride, padding, window.dilation, ceil_mode))

    def apply_missing(self, input: Array, rule: MissingRule) -> Array:
        """The pooled valid cells; cells of the padding of an average count as valid ones."""
        if self.mode == "avg":
            return _averaged(self.apply, replace(self, divisor_override=None).apply, input, rule)
        from imgconv.filters.pool2d import pool_maps

        return pool_maps(input, rule, self.window, self.mode)

    def reach(self) -> Reach:
        return Reach(self.window)

    def cost(self, input: tuple[int, ...], output: tuple[int, ...]) -> Cost:
        size = input[1:]
        formulas, name = self.window.size_formulas(size), self.window.padding_text(size)
        return Cost(sizes=formulas, padding=name, span=self.window.span, stride=self.window.stride)

    def arithmetic(self, input: tuple[int, ...], at: Cell) -> Pooled:
        _, *size = input
        rows, columns = self.window.cells(at, self.window.pads(size))
        return Pooled(rows, columns, self.mode, self._divisor(rows, columns, size))

    def _divisor(self, rows: Sequence[int], columns: Sequence[int], size: Sequence[int]) -> int:
        """The number that an average is divided by: padding counts with `count_include_pad`, cells beyond the padding never."""
        if self.divisor_override is not None:
            return self.divisor_override
        pads = self.window.pads(size) if self.count_include_pad else ((0, 0), (0, 0))
        (top, bottom), (left, right) = ((-before, cells + after) for cells, (before, after) in zip(size, pads, strict=True))
        return sum(top <= row < bottom for row in rows) * sum(left <= column < right for column in columns)


@dataclass(frozen=True)
class AdaptivePooling(Operation):
    """The max or avg of windows that make an output of `output_size`; None keeps the size of an axis."""

    mode: str
    output_size: tuple[int | None, int | None]

    @classmethod
    def build(cls, context: Context, **options: Any) -> Self:
        """The operation, if the output has at least one cell."""
        known = [size for size in options["output_size"] if size is not None]
        if min(known, default=1) < 1:
            raise UsageError(f"output_size must be at least 1, not {min(known)}")
        return cls(**options)

    def trace(self, dims: Dims) -> Dims:
        """(C, *output_size) of (C, H, W)."""
        channels, *size = maps_of(dims)
        return channels, *(cells if out is None else out for cells, out in zip(size, self.output_size, strict=True))

    def apply(self, input: Array) -> Array:
        import numpy as np

        from imgconv.functional.pooling import adaptive_avg_pool2d, adaptive_max_pool2d

        return np.asarray((adaptive_avg_pool2d if self.mode == "avg" else adaptive_max_pool2d)(input, self.output_size))

    def apply_missing(self, input: Array, rule: MissingRule) -> Array:
        """The pooled valid cells."""
        import numpy as np

        average = replace(self, mode="avg").apply
        if self.mode == "avg":
            return _averaged(average, average, input, rule)
        missing = np.isnan(input)
        enough = is_enough(average(missing.astype(np.float64)), rule)
        return np.where(enough, self.apply(np.where(missing, np.float32(-np.inf), input)), np.float32(np.nan))

    def reach(self) -> None:
        """All rows: their number decides how they are divided."""

    def cost(self, input: tuple[int, ...], output: tuple[int, ...]) -> Cost:
        """No multiplications; the widest window counts for the receptive field."""
        axes = list(zip(input[1:], output[1:], strict=True))
        spans = tuple(max(-(-(j + 1) * n // out) - j * n // out for j in range(out)) for n, out in axes)
        formulas = tuple(f"{out} windows over {n} cells" for n, out in axes)
        return Cost(sizes=formulas, padding="adaptive", span=spans, stride=tuple(Fraction(n, out) for n, out in axes))

    def arithmetic(self, input: tuple[int, ...], at: Cell) -> Pooled:
        """The mode of the window that adapts to the size of the input."""
        _, *size = input
        axes = zip(size, self.output_size, at, strict=True)
        rows, columns = (tuple(range(i * n // (out or n), -(-(i + 1) * n // (out or n)))) for n, out, i in axes)
        return Pooled(rows, columns, self.mode, len(rows) * len(columns))


def _averaged(sums: Callable[[Array], Array], average: Callable[[Array], Array], input: Array, rule: MissingRule) -> Array:
    """Averages over the valid cells: `sums` of them, divided by what `average` leaves of the missing ones."""
    import numpy as np

    missing = np.isnan(input)
    missing_share = average(missing.astype(np.float64))
    values = sums(np.where(missing, np.float32(0), input))
    return np.where(is_enough(missing_share, rule), values / (1 - missing_share).astype(values.dtype), np.float32(np.nan))


def is_enough(missing_share: Array, rule: MissingRule) -> Array:
    """Whether a window with this share of missing cells has a result."""
    if rule.mode is MissingMode.propagate:
        return missing_share == 0
    return (missing_share < 1 - SHARE_ROUNDING) & (1 - missing_share >= rule.min_valid - SHARE_ROUNDING)


KERNEL_SIZE, STRIDE, PADDING = Option("kernel_size", size), Option("stride", size_or_none, None), Option("padding", padding, 0)
DILATION, CEIL_MODE = Option("dilation", size, 1), Option("ceil_mode", flag, False)
_EXTREME = (KERNEL_SIZE, STRIDE, PADDING, DILATION, CEIL_MODE)
_AVERAGE = (*(KERNEL_SIZE, STRIDE, PADDING, CEIL_MODE), *(Option("count_include_pad", flag, True), Option("divisor_override", whole, None)))
_ADAPTIVE = (Option("output_size", output_size),)

TYPES = (
    OperationType("max_pool", "keeps the largest value of every window", partial(Pooling.build, mode="max"), _EXTREME),
    OperationType("min_pool", "keeps the smallest value of every window", partial(Pooling.build, mode="min"), _EXTREME),
    OperationType("avg_pool", "averages every window", partial(Pooling.build, mode="avg"), _AVERAGE),
    OperationType("median_pool", "keeps the median of every window", partial(Pooling.build, mode="median"), (KERNEL_SIZE, STRIDE, PADDING)),
    OperationType("adaptive_avg_pool", "averages, to a given output size", partial(AdaptivePooling.build, mode="avg"), _ADAPTIVE),
    OperationType(
        "adaptive_max_pool", "keeps the largest values, to a given output size", partial(AdaptivePooling.build, mode="max"), _ADAPTIVE
    ),
)
