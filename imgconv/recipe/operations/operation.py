"""What every operation of a network declares, and the record under which recipes name it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, ClassVar, Self

from imgconv.errors import DoesNotFit
from imgconv.window import Window, cut

if TYPE_CHECKING:
    from imgconv.arrays import Array
    from imgconv.modes import MissingRule
    from imgconv.recipe.weights import Context

Dims = tuple[int | None, ...]  # (C, H, W) of maps, (L,) of a vector, without the batch axis; None is an unknown size
Cell = tuple[int, int]  # row, column
REQUIRED: Any = object()  # the default of an option without one


@dataclass(frozen=True)
class Option:
    """One option of an operation: its name, the reader of its value (see `recipe.values`) and its default."""

    name: str
    read: Callable[[object], Any]
    default: Any = REQUIRED

    @property
    def required(self) -> bool:
        """Whether it has no default."""
        return self.default is REQUIRED


@dataclass(frozen=True)
class OperationType:
    """An operation as recipes name it.

    `build` makes it from a Context and from the value of every option, by name. `options` are in the order in which they may stand
    without their names. `help` completes "this step ...".
    """

    name: str
    help: str
    build: Callable[..., Operation]
    options: tuple[Option, ...] = ()


@dataclass(frozen=True)
class Cost:
    """What an operation costs on one shape, and how it moves the receptive field.

    `sizes` are the formulas of height and width with their numbers, `padding` is its name; both are empty without a window. `span` and
    `stride` are those of the window in input cells; with `sees_all` every output value depends on the whole input.
    """

    multiply_adds: int = 0
    algorithm: str = ""
    sizes: tuple[str, ...] = ()
    padding: str = ""
    span: tuple[int, ...] = (1, 1)
    stride: tuple[int | Fraction, ...] = (1, 1)
    sees_all: bool = False


@dataclass(frozen=True)
class Reach:
    """The input rows that an output row depends on: those of a `window`, or with `transposed` those that add to it.

    Some rows are processed as if they were a whole input, so results near a cut are wrong and are left out.
    """

    window: Window
    transposed: bool = False

    def inputs_of(self, outputs: tuple[int, int], height: int) -> tuple[int, int]:
        """The rows (begin, end) of an input of `height` to which the operation is applied for output rows (first, last).

        They begin at a multiple of the stride and end at one from the end, so that windows lie as they do in the whole input.
        """
        first, last = outputs
        stride, span, pads = self.window.stride[0], self.window.span[0], self.window.pads((height, height))[0]
        if self.transposed:
            begin = min(-((span - 1 - first - pads[0]) // stride), first // stride)
            end = (last - 1 + pads[0]) // stride + 2 + pads[0] // stride
            return max(begin, 0), min(end, height)
        return cut(first * stride - pads[0], (last - 1) * stride + span - pads[0], height, stride, max(pads) + 1)

    def output_of(self, row: int) -> int:
        """The output row that is the first one where the input is cut before `row`."""
        return row * self.window.stride[0] if self.transposed else row // self.window.stride[0]


@dataclass(frozen=True, eq=False)
class WeightedSum:
    """How one output map is made: the `weights` (n, kh, kw) of kernel number `kernel` on `inputs`, n input channels, plus `bias`."""

    kernel: int
    inputs: range
    weights: Array
    bias: float


@dataclass(frozen=True, eq=False)
class Sums:
    """For `explain`: an output cell of every map is a weighted sum of the input cells at `rows` and `columns`.

    Cells outside of the input have the values of `padding_mode`. `sampled` returns the cells (kh, kw, C) of the input (C, H, W) where the
    sums are over values between cells.
    """

    rows: tuple[int, ...]
    columns: tuple[int, ...]
    sums: tuple[WeightedSum, ...]
    padding_mode: str | tuple[str, float] = "zeros"
    sampled: Callable[[Array], Array] | None = None


@dataclass(frozen=True)
class Pooled:
    """For `explain`: an output cell is the `mode` of the input cells at `rows` and `columns`; an average is divided by `divisor`.

    With a `window` they are only those of its shape. Cells outside of the input have the values of `padding_mode`, or are ignored.
    """

    rows: tuple[int, ...]
    columns: tuple[int, ...]
    mode: str
    divisor: int | None = None
    window: Window | None = None
    padding_mode: str | tuple[str, float] | None = None


@dataclass(frozen=True)
class Term:
    """A line of arithmetic: its name ("" for that of the step), a text with {} for each of `operands`, and the result."""

    name: str
    text: str
    operands: tuple[float, ...]
    value: float


@dataclass(frozen=True, eq=False)
class Formula:
    """For `explain`: `terms` computes an output cell of a channel from the input cells (kh, kw, C) at `rows` and `columns`."""

    rows: tuple[int, ...]
    columns: tuple[int, ...]
    terms: Callable[[Array, int], list[Term]]


@dataclass(frozen=True)
class Operation(ABC):
    """What one step of a network does. Subclasses override what differs from a function of each value."""

    keeps_levels: ClassVar[bool] = True  # whether results can still be shown as the levels of an image

    @classmethod
    def build(cls, context: Context, **options: Any) -> Self:
        """The operation with these options."""
        return cls(**options)

    @property
    def temporaries(self) -> float:
        """Arrays of the size of the output that `apply` needs besides it."""
        return 0.0

    @property
    def parameters(self) -> tuple[Array, ...]:
        """The arrays that a network learns."""
        return ()

    def trace(self, dims: Dims) -> Dims:
        """The output shape for an input of shape `dims`. Raises DoesNotFit, which states what is needed."""
        return dims

    @abstractmethod
    def apply(self, input: Array) -> Array:
        """The result (N, ...) float32 on a float32 batch (N, C, H, W) or (N, L) that `trace` accepts."""

    def reach(self) -> Reach | None:
        """The rows that an output row depends on; None for all of them. By default the one row in its place."""
        return Reach(Window.of(1))

    def apply_missing(self, input: Array, rule: MissingRule) -> Array:
        """The same on a batch whose missing cells are NaN, and NaN where results are missing: by default as NaN propagates."""
        return self.apply(input)

    def range_after(self, before: str) -> str:
        """The range that shows the result best where `before` shows the input best; minmax if the values are not levels."""
        return before if self.keeps_levels else "minmax"

    def cost(self, input: tuple[int, ...], output: tuple[int, ...]) -> Cost:
        """What `plan` shows of this operation from shape `input` to shape `output`."""
        return Cost()

    def arithmetic(self, input: tuple[int, ...], at: Cell) -> Arithmetic | None:
        """How the output cell `at` (row, column) of an input of shape `input` is computed; None if `explain` cannot explain it.

        A vector of L numbers is a map of 1 row and L columns.
        """
        return None


Arithmetic = Sums | Pooled | Formula


class Elementwise(Operation):
    """An operation on each value."""

    @abstractmethod
    def term(self, value: float, channel: int) -> Term:
        """The arithmetic of one value of a channel, in float64."""

    def arithmetic(self, input: tuple[int, ...], at: Cell) -> Formula:
        row, column = at
        return Formula((row,), (column,), lambda cells, channel: [self.term(float(cells[0, 0, channel]), channel)])


@dataclass(frozen=True, eq=False)
class WeightedOperation(Operation):
    """An operation with a `weight` and a `bias` (O,) or None."""

    weight: Array
    bias: Array | None

    @property
    def parameters(self) -> tuple[Array, ...]:
        return (self.weight,) if self.bias is None else (self.weight, self.bias)


def maps_of(dims: Dims) -> tuple[int | None, int | None, int | None]:
    """`dims` as (C, H, W). Raises DoesNotFit for a vector."""
    if len(dims) != 3:
        raise DoesNotFit("needs maps (channels, height, width); put it before flatten")
    channels, height, width = dims
    return channels, height, width


def window_output(window: Window, height: int | None, width: int | None) -> tuple[int | None, int | None]:
    """The output size of a window on (height, width), unknown where that is."""
    if height is None or width is None:
        return None, None
    if 0 in (height, width):
        raise DoesNotFit("needs maps with at least one cell; an adaptive pool before it left none")
    h_out, w_out = window.output_size((height, width))
    return h_out, w_out
