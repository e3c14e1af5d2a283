"""Operations without windows and weights: on each value, or across the channels of each pixel."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any, Self

from imgconv.errors import DoesNotFit, UsageError
from imgconv.modes import CombineMode
from imgconv.recipe.operations.operation import (
    Cell,
    Cost,
    Dims,
    Elementwise,
    Formula,
    Operation,
    OperationType,
    Option,
    Sums,
    Term,
    WeightedSum,
    maps_of,
)
from imgconv.recipe.values import number, numbers, word

if TYPE_CHECKING:
    from imgconv.arrays import Array
    from imgconv.recipe.weights import Context

COMBINATIONS = ("hypot", "max", "sum")


@dataclass(frozen=True)
class Grey(Operation):
    """The luma of three channels; one channel stays as it is."""

    def trace(self, dims: Dims) -> Dims:
        """(1, H, W) of (1, H, W) or (3, H, W)."""
        channels, height, width = maps_of(dims)
        if channels not in (None, 1, 3):
            raise DoesNotFit("only 1 or 3 channels have a luma; use conv with weights of 1x1 that combine the channels")
        return 1, height, width

    def apply(self, input: Array) -> Array:
        import numpy as np

        from imgconv.filters.color import luma

        if input.shape[1] == 1:
            return input
        return np.stack([luma(np.ascontiguousarray(maps.transpose(1, 2, 0)), alpha=False)[..., 0] for maps in input])[:, None]

    def cost(self, input: tuple[int, ...], output: tuple[int, ...]) -> Cost:
        return Cost(multiply_adds=prod(input) if input[0] > 1 else 0)

    def arithmetic(self, input: tuple[int, ...], at: Cell) -> Sums:
        import numpy as np

        from imgconv.filters.color import LUMA

        weights = np.array(LUMA if input[0] == 3 else [65536])[:, None, None] / 65536
        return Sums((at[0],), (at[1],), (WeightedSum(0, range(input[0]), weights, 0.0),))


@dataclass(frozen=True)
class Scale(Elementwise):
    """input * factor."""

    keeps_levels = False
    factor: float

    def apply(self, input: Array) -> Array:
        return input * self.factor

    def cost(self, input: tuple[int, ...], output: tuple[int, ...]) -> Cost:
        return Cost(multiply_adds=prod(input))

    def term(self, value: float, channel: int) -> Term:
        return Term("", "{} * {}", (value, self.factor), value * self.factor)


@dataclass(frozen=True)
class Normalize(Elementwise):
    """(input - mean) / std, with one number for all channels or one for each."""

    keeps_levels = False
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @classmethod
    def build(cls, context: Context, **options: Any) -> Self:
        """The operation, if the numbers are usable."""
        mean, std = options["mean"], options["std"]
        if 0 in std:
            raise UsageError("std must not be 0; leave it 1 for no change")
        if len({len(mean), len(std)} - {1}) > 1:
            raise UsageError(f"{len(mean)} means and {len(std)} stds do not match; give one of each for each channel")
        return cls(mean, std)

    def trace(self, dims: Dims) -> Dims:
        """The same shape; several numbers need as many channels."""
        channels, height, width = maps_of(dims)
        needed = max(len(self.mean), len(self.std))
        if needed > 1 and channels not in (None, needed):
            raise DoesNotFit(f"needs {needed} channels; give one number, or one for each channel")
        return (needed if needed > 1 else channels), height, width

    def apply(self, input: Array) -> Array:
        import numpy as np

        mean, std = (np.array(each, np.float32)[:, None, None] for each in (self.mean, self.std))
        output: Array = input - mean
        output /= std
        return output

    def cost(self, input: tuple[int, ...], output: tuple[int, ...]) -> Cost:
        return Cost(multiply_adds=prod(input))

    def term(self, value: float, channel: int) -> Term:
        mean, std = (numbers[channel if len(numbers) > 1 else 0] for numbers in (self.mean, self.std))
        return Term("", "({} - {}) / {}", (value, mean, std), (value - mean) / std)


@dataclass(frozen=True)
class ReLU(Elementwise):
    """max(input, 0)."""

    def apply(self, input: Array) -> Array:
        from imgconv.functional.activation import relu

        return relu(input)

    def term(self, value: float, channel: int) -> Term:
        return Term("", "max({}, 0)", (value,), max(value, 0.0))


@dataclass(frozen=True)
class LeakyReLU(Elementwise):
    """`input` where it is positive, else negative_slope * input."""

    temporaries = 1.25
    negative_slope: float = 0.01

    def apply(self, input: Array) -> Array:
        from imgconv.functional.activation import leaky_relu

        return leaky_relu(input, self.negative_slope)

    def term(self, value: float, channel: int) -> Term:
        if value > 0:
            return Term("", "{}, which is positive", (value,), value)
        return Term("", "{} * {}", (self.negative_slope, value), self.negative_slope * value)


@dataclass(frozen=True)
class Sigmoid(Elementwise):
    """1 / (1 + exp(-input))."""

    keeps_levels = False
    temporaries = 2.0

    def apply(self, input: Array) -> Array:
        from imgconv.functional.activation import sigmoid

        return sigmoid(input)

    def term(self, value: float, channel: int) -> Term:
        import numpy as np

        return Term("", "1 / (1 + exp(-({})))", (value,), float(1 / (1 + np.exp(-value))))


@dataclass(frozen=True)
class Tanh(Elementwise):
    """The hyperbolic tangent."""

    keeps_levels = False

    def apply(self, input: Array) -> Array:
        from imgconv.functional.activation import tanh

        return tanh(input)

    def term(self, value: float, channel: int) -> Term:
        from math import tanh

        return Term("", "tanh({})", (value,), tanh(value))


@dataclass(frozen=True)
class Abs(Elementwise):
    """|input|."""

    def apply(self, input: Array) -> Array:
        return abs(input)

    def term(self, value: float, channel: int) -> Term:
        return Term("", "|{}|", (value,), abs(value))


@dataclass(frozen=True)
class Combine(Operation):
    """One map of all maps: the root of the sum of squares, or the largest or the sum of absolute values."""

    mode: str = "hypot"

    def __post_init__(self) -> None:
        if self.mode not in COMBINATIONS:
            raise UsageError(f"combination {self.mode!r} is unknown; use one of {', '.join(COMBINATIONS)}")

    def trace(self, dims: Dims) -> Dims:
        """(1, H, W) of (C, H, W)."""
        _, height, width = maps_of(dims)
        return 1, height, width

    def apply(self, input: Array) -> Array:
        import numpy as np

        from imgconv.filters.output_range import Combination, combine

        return combine(list(input.swapaxes(0, 1)), Combination(CombineMode(self.mode)), 1.0).astype(np.float32)[:, None]

    def cost(self, input: tuple[int, ...], output: tuple[int, ...]) -> Cost:
        return Cost(multiply_adds=prod(input))

    def arithmetic(self, input: tuple[int, ...], at: Cell) -> Formula:
        return Formula((at[0],), (at[1],), lambda cells, channel: self._terms([float(value) for value in cells[0, 0]]))

    def _terms(self, values: list[float]) -> list[Term]:
        if self.mode == "hypot":
            squares = sum(value * value for value in values)
            text = " + ".join(["({})^2"] * len(values))
            return [Term("squares", text, tuple(values), squares), Term("", "sqrt({})", (squares,), squares**0.5)]
        sizes = [abs(value) for value in values]
        if self.mode == "sum":
            return [Term("", " + ".join(["|{}|"] * len(values)), tuple(values), sum(sizes))]
        return [Term("", f"max({', '.join(['|{}|'] * len(values))})", tuple(values), max(sizes))]


TYPES = (
    OperationType("grey", "converts colours to luma", Grey.build),
    OperationType("scale", "multiplies every value by a factor", Scale.build, (Option("factor", number),)),
    OperationType("normalize", "computes (value - mean) / std", Normalize.build, (Option("mean", numbers), Option("std", numbers))),
    OperationType("relu", "computes max(value, 0)", ReLU.build),
    OperationType("leaky_relu", "scales negative values", LeakyReLU.build, (Option("negative_slope", number, 0.01),)),
    OperationType("sigmoid", "computes 1 / (1 + exp(-value))", Sigmoid.build),
    OperationType("tanh", "computes the hyperbolic tangent", Tanh.build),
    OperationType("abs", "computes absolute values", Abs.build),
    OperationType("combine", "combines all maps into one", Combine.build, (Option("mode", word, "hypot"),)),
)
