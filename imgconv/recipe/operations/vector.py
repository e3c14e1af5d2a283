"""Operations on vectors: flatten, linear layers and softmax."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any, Self

from imgconv.errors import DoesNotFit, UsageError
from imgconv.recipe.operations.operation import (
    Cell,
    Cost,
    Dims,
    Formula,
    Operation,
    OperationType,
    Option,
    Reach,
    Sums,
    Term,
    WeightedOperation,
    WeightedSum,
)
from imgconv.recipe.values import weights, whole
from imgconv.recipe.weights import check_bias, layer_weights
from imgconv.window import shape_text

if TYPE_CHECKING:
    from imgconv.arrays import Array
    from imgconv.recipe.weights import Context


@dataclass(frozen=True)
class Flatten(Operation):
    """A vector of all values, channels outermost, as torch.nn.Flatten."""

    keeps_levels = False

    @classmethod
    def build(cls, context: Context, **options: Any) -> Self:
        """The operation; as every step keeps the batch axis, `start_dim` is 1."""
        if options["start_dim"] != 1:
            raise UsageError(f"start_dim {options['start_dim']} is not possible; axis 0 is the batch, so that only 1 is allowed")
        return cls()

    def trace(self, dims: Dims) -> Dims:
        """(C*H*W,) of (C, H, W)."""
        known = [size for size in dims if size is not None]
        return (prod(known) if len(known) == len(dims) else None,)

    def apply(self, input: Array) -> Array:
        """(N, C*H*W) of (N, C, H, W)."""
        from imgconv.functional.activation import flatten

        return flatten(input, 1)

    def reach(self) -> None:
        """All rows."""

    def cost(self, input: tuple[int, ...], output: tuple[int, ...]) -> Cost:
        return Cost(sees_all=True)

    def arithmetic(self, input: tuple[int, ...], at: Cell) -> Formula:
        """The cell that has this place in the vector."""
        _, height, width = (1, 1, *input)[-3:]
        channel, cell = divmod(at[1], height * width)
        row, column = divmod(cell, width)

        def terms(cells: Array, _: int) -> list[Term]:
            value = float(cells[0, 0, channel])
            return [Term("", f"{{}} of channel {channel + 1}, column {column}, row {row}", (value,), value)]

        return Formula((row,), (column,), terms)


@dataclass(frozen=True, eq=False)
class Linear(WeightedOperation):
    """input @ weight.T + bias along the last axis, with `weight` (O, I) and `bias` (O,) or None."""

    keeps_levels = False

    @classmethod
    def build(cls, context: Context, **options: Any) -> Self:
        """The operation, with weights from a file or as numbers."""
        if options["weights"] is None:
            raise UsageError("weights are missing; give FILE.npy, FILE.npz:ARRAY or FILE.safetensors:TENSOR")
        weight, bias = layer_weights(options["weights"], context, options["bias"])
        if weight.ndim != 2:
            raise UsageError(f"weights {shape_text(weight.shape)} are not linear; give a matrix (O, I)")
        return cls(weight, bias)

    def __post_init__(self) -> None:
        check_bias(self.bias, len(self.weight))

    def trace(self, dims: Dims) -> Dims:
        """(..., O) of (..., I)."""
        outputs, needed = self.weight.shape
        if dims[-1] not in (None, needed):
            hint = "put flatten before it" if len(dims) > 1 else "images of another size would fit"
            raise DoesNotFit(f"needs {needed} numbers along the last axis; {hint}")
        return *dims[:-1], outputs

    def apply(self, input: Array) -> Array:
        """(N, ..., O) of (N, ..., I)."""
        from imgconv.functional.matrix import linear

        return linear(input, self.weight, self.bias)

    def reach(self) -> None:
        """All numbers of a vector."""

    def cost(self, input: tuple[int, ...], output: tuple[int, ...]) -> Cost:
        """Every weight once for each row of the input."""
        return Cost(self.weight.size * prod(input[:-1]), "linear", sees_all=True)

    def arithmetic(self, input: tuple[int, ...], at: Cell) -> Sums:
        """The numbers of a row times those of one row of the weight."""
        channels, _, width = (1, 1, *input)[-3:]
        row, output = at
        weights, bias = self.weight[output][None, None], 0.0 if self.bias is None else float(self.bias[output])
        sums = tuple(WeightedSum(output, range(channel, channel + 1), weights, bias) for channel in range(channels))
        return Sums((row,), tuple(range(width)), sums)


@dataclass(frozen=True)
class Softmax(Operation):
    """exp(input) over its sum along axis `dim` of (N, C, H, W) or (N, L)."""

    keeps_levels = False
    temporaries = 1.1  # the exponentials, while they are divided
    dim: int = 1

    def trace(self, dims: Dims) -> Dims:
        """The same shape."""
        last = len(dims)
        if not (1 <= self.dim <= last or -last <= self.dim <= -1):
            raise DoesNotFit(f"needs a dim from 1 to {last} (0 is the batch), not {self.dim}")
        return dims

    def reach(self) -> Reach | None:
        """One row, unless the sum is over rows."""
        return None if self.dim in (2, -2) else super().reach()

    def apply(self, input: Array) -> Array:
        """Values from 0 to 1 that add up to 1 along `dim`."""
        from imgconv.functional.activation import softmax

        return softmax(input, self.dim)

    def arithmetic(self, input: tuple[int, ...], at: Cell) -> Formula:
        """The values along `dim`."""
        _, height, width = (1, 1, *input)[-3:]
        axis = (self.dim - 1 if self.dim > 0 else self.dim + len(input)) + 3 - len(input)  # of channels, rows, columns
        row, column = at
        rows, columns = tuple(range(height)) if axis == 1 else (row,), tuple(range(width)) if axis == 2 else (column,)

        def terms(cells: Array, channel: int) -> list[Term]:
            line = (cells[0, 0], cells[:, 0, channel], cells[0, :, channel])[axis].tolist()
            return _softmax(line, (channel, row, column)[axis])

        return Formula(rows, columns, terms)


def _softmax(values: list[float], position: int) -> list[Term]:
    """The share of one of `values`; the largest is subtracted first, so that exp is finite."""
    from math import exp

    largest, value = max(values), values[position]
    share, total = exp(value - largest), sum(exp(each - largest) for each in values)
    return [
        Term("largest", f"max of {len(values)} values", (), largest),
        Term("exp", "exp({} - {})", (value, largest), share),
        Term("sum", f"exp(value - {{}}) of all {len(values)} values", (largest,), total),
        Term("", "{} / {}", (share, total), share / total),
    ]


TYPES = (
    OperationType("flatten", "converts maps to a vector of all values", Flatten.build, (Option("start_dim", whole, 1),)),
    OperationType(
        "linear", "multiplies a vector by a matrix", Linear.build, (Option("weights", weights, None), Option("bias", weights, None))
    ),
    OperationType("softmax", "computes exp(value) over the sum of all exp(value)", Softmax.build, (Option("dim", whole, 1),)),
)
