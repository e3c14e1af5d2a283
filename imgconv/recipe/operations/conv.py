"""Convolutions: conv, depthwise, pointwise and transposed ones, with torch's options and defaults."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from math import prod
from typing import TYPE_CHECKING, Any, Self

from imgconv.errors import DoesNotFit, UsageError
from imgconv.modes import PaddingMode
from imgconv.recipe.operations.operation import (
    Cell,
    Cost,
    Dims,
    OperationType,
    Option,
    Reach,
    Sums,
    WeightedOperation,
    WeightedSum,
    maps_of,
    window_output,
)
from imgconv.recipe.values import flag, padding, padding_mode, references, size, weights, whole
from imgconv.recipe.weights import KernelWeights, check_bias, conv_weights
from imgconv.window import Window, shape_text, sizes

if TYPE_CHECKING:
    from imgconv.arrays import Array
    from imgconv.modes import MissingRule
    from imgconv.recipe.weights import Context


@dataclass(frozen=True, eq=False)
class Convolution(WeightedOperation):
    """Cross-correlation with `weight` (O, I, kh, kw) and `bias` (O,) or None; `groups` None means as many as there are channels.

    With `each_channel` the weight is (M, 1, kh, kw): each of M kernels is applied to each channel separately, and the M*C maps come with
    the kernels outermost. `range` shows the maps of an image best.
    """

    window: Window
    padding_mode: str | tuple[str, float] = "zeros"
    groups: int | None = 1
    each_channel: bool = False
    flip: bool = False
    range: str = "minmax"

    @classmethod
    def build(cls, context: Context, **options: Any) -> Self:
        kernel = conv_weights(context, options)
        if kernel.each_channel and options["groups"] != 1:
            raise UsageError("groups need weights (O, I, kh, kw); a 2-D kernel is already applied to each channel separately")
        return cls._of(kernel, options["groups"], options)

    @classmethod
    def _of(cls, kernel: KernelWeights, groups: int | None, options: dict[str, Any]) -> Self:
        window = Window.of(kernel.weight.shape[2:], options["stride"], options["padding"], options["dilation"])
        mode, flip = options["padding_mode"], options["flip"]
        return cls(kernel.weight, kernel.bias, window, mode, groups, kernel.each_channel, flip, kernel.range)

    def __post_init__(self) -> None:
        PaddingMode.of(self.padding_mode)
        check_bias(self.bias, len(self.weight))
        if self.groups is None and self.weight.shape[1] != 1:
            raise UsageError(f"weight {shape_text(self.weight.shape)} is not depthwise; its second size must be 1")
        if self.groups is not None and len(self.weight) % sizes(self.groups, "groups", 1, least=1)[0]:
            raise UsageError(f"groups {self.groups} does not divide the {len(self.weight)} output channels of the weight")

    def trace(self, dims: Dims) -> Dims:
        """(O, h_out, w_out), or (M*C, h_out, w_out) for each channel on its own."""
        channels, height, width = maps_of(dims)
        outputs, output_size = self._outputs(channels), window_output(self.window, height, width)
        if height is not None and width is not None:
            check_border(self.window, self.padding_mode, (height, width))
        return outputs, *output_size

    def _outputs(self, channels: int | None) -> int | None:
        outputs = len(self.weight)
        if self.each_channel:
            return None if channels is None else outputs * channels
        if self.groups is None:
            if channels is not None and outputs % channels:
                raise DoesNotFit(f"needs channels that divide its {outputs} kernels; give as many kernels as channels")
            return outputs
        needed = self.groups * self.weight.shape[1]
        if channels not in (None, needed):
            hint = "put grey before it" if needed == 1 else f"its weight is {shape_text(self.weight.shape)}"
            raise DoesNotFit(f"needs {needed} channel{'s' * (needed != 1)}; {hint}")
        return outputs

    def apply(self, input: Array) -> Array:
        from imgconv.functional.conv import conv2d

        window, groups = self.window, input.shape[1] if self.groups is None else self.groups

        def correlated(maps: Array) -> Array:
            geometry = window.stride, window.padding, window.dilation
            return conv2d(maps, self.weight, self.bias, *geometry, groups, padding_mode=self.padding_mode, flip=self.flip)

        return of_each_channel(input, correlated) if self.each_channel else correlated(input)

    def apply_missing(self, input: Array, rule: MissingRule) -> Array:
        """The correlated maps by normalised convolution, see `imgconv.filters.missing`."""
        import numpy as np

        from imgconv.filters.missing import correlate_missing

        sums = self._sums(input.shape[1])

        def of_image(maps: Array) -> list[Array]:
            parts = ((maps[each.inputs.start : each.inputs.stop], each) for each in sums)
            return [
                correlate_missing(part, each.weights, self.window, self.padding_mode, rule) + np.float32(each.bias) for part, each in parts
            ]

        return np.array([of_image(maps) for maps in input])

    def reach(self) -> Reach | None:
        """The rows of its window; a circular border repeats those of the other end."""
        return None if PaddingMode.of(self.padding_mode)[0] is PaddingMode.circular else Reach(self.window)

    def range_after(self, before: str) -> str:
        """The kernels' own range on levels; on signed values absolute ones."""
        return self.range if before == "clip" else "abs" if before in ("abs", "offset") and self.range != "minmax" else "minmax"

    def cost(self, input: tuple[int, ...], output: tuple[int, ...]) -> Cost:
        """The multiply-adds of the direct form, and the algorithm that `conv2d` chooses."""
        from imgconv.functional.conv import layer_algorithm

        size, channels = input[1:], 1 if self.each_channel else input[0]
        groups = channels if self.groups is None else self.groups
        algorithm = layer_algorithm((channels, *size), self.weight.shape, self.window, 1 if self.each_channel else groups)
        return Cost(
            output[0] * self.weight.shape[1] * self.window.multiply_adds(size),
            "unfolded" if algorithm == "product" else algorithm,
            self.window.size_formulas(size),
            self.window.padding_text(size),
            self.window.span,
            self.window.stride,
        )

    def arithmetic(self, input: tuple[int, ...], at: Cell) -> Sums:
        channels, *size = input
        rows, columns = self.window.cells(at, self.window.pads(size))
        return Sums(rows, columns, self._sums(channels), self.padding_mode)

    def _sums(self, channels: int) -> tuple[WeightedSum, ...]:
        return tuple(self._sum(output, channels) for output in range(self._outputs(channels) or 0))

    def _sum(self, output: int, channels: int) -> WeightedSum:
        kernel, first, count = output, 0, 1
        if self.each_channel:
            kernel, first = divmod(output, channels)
        else:
            groups = channels if self.groups is None else self.groups
            count = channels // groups
            first = output * groups // len(self.weight) * count
        weights = self.weight[kernel][..., ::-1, ::-1] if self.flip else self.weight[kernel]
        return WeightedSum(kernel, range(first, first + count), weights, 0.0 if self.bias is None else float(self.bias[kernel]))


class Depthwise(Convolution):
    """A convolution with as many groups as channels."""

    @classmethod
    def build(cls, context: Context, **options: Any) -> Self:
        kernel = conv_weights(context, options)
        return cls._of(kernel, 1 if kernel.each_channel else None, options)


class Pointwise(Convolution):
    """A convolution of each pixel across channels."""

    @classmethod
    def build(cls, context: Context, **options: Any) -> Self:
        """The operation of `pointwise`; a plain kernel is a matrix (O, I)."""
        kernel = conv_weights(context, options)
        matrix = kernel.weight[0, 0, :, :, None, None] if kernel.each_channel and len(kernel.weight) == 1 else kernel.weight
        if matrix.shape[2:] != (1, 1):
            raise UsageError(f"weights {shape_text(kernel.weight.shape)} are not pointwise; give a matrix (O, I), or (O, I, 1, 1)")
        return cls(matrix, kernel.bias, Window.of(1))


@dataclass(frozen=True, eq=False)
class TransposedConvolution(WeightedOperation):
    """Transposed convolution with `weight` (I, O/groups, kh, kw) and `bias` (O,) or None.

    With `each_channel` the weight is (1, M, kh, kw): each of M kernels is applied to each channel on its own, kernels outermost.
    """

    keeps_levels = False
    window: Window
    output_padding: tuple[int, ...] = (0, 0)
    groups: int = 1
    each_channel: bool = False

    @classmethod
    def build(cls, context: Context, **options: Any) -> Self:
        kernel = conv_weights(context, options)
        if kernel.each_channel and options["groups"] != 1:
            raise UsageError("groups need weights (I, O/groups, kh, kw); a 2-D kernel is already applied to each channel separately")
        weight = kernel.weight.swapaxes(0, 1) if kernel.each_channel else kernel.weight
        window = Window.of(weight.shape[2:], options["stride"], options["padding"], options["dilation"])
        output_padding = sizes(options["output_padding"], "output_padding", 2, least=0)
        return cls(weight, kernel.bias, window, output_padding, options["groups"], kernel.each_channel)

    def __post_init__(self) -> None:
        if isinstance(self.window.padding, str):
            raise UsageError(f"padding {self.window.padding!r} is not possible for a transposed convolution; give a number")
        if len(self.weight) % sizes(self.groups, "groups", 1, least=1)[0]:
            raise UsageError(f"groups {self.groups} does not divide the {len(self.weight)} input channels of the weight")
        check_bias(self.bias, self._outputs)
        for more, stride, dilation in zip(self.output_padding, self.window.stride, self.window.dilation, strict=True):
            if more and more >= max(stride, dilation):
                raise UsageError(f"output_padding {more} must be smaller than the stride {stride} or the dilation {dilation}")

    @property
    def _outputs(self) -> int:
        return self.groups * int(self.weight.shape[1])

    def trace(self, dims: Dims) -> Dims:
        """(O, h_out, w_out), h_out = (H-1)*stride - 2*padding + dilation*(kh-1) + output_padding + 1."""
        channels, *size = maps_of(dims)
        if not self.each_channel and channels not in (None, len(self.weight)):
            raise DoesNotFit(f"needs {len(self.weight)} channels; its weight is {shape_text(self.weight.shape)}")
        outputs = self._outputs if not self.each_channel else None if channels is None else self._outputs * channels
        height, width = (None if cells is None else self._cells(cells, axis) for axis, cells in enumerate(size))
        return outputs, height, width

    def _cells(self, cells: int, axis: int) -> int:
        """The smallest size whose convolution gives `cells`, and the output padding."""
        before, after = self.window.pads((1, 1))[axis]
        out = (cells - 1) * self.window.stride[axis] + self.window.span[axis] + self.output_padding[axis] - before - after
        if cells < 1 or out < 1:
            raise DoesNotFit("needs larger maps or less padding; its output would be empty")
        return out

    @property
    def temporaries(self) -> float:
        """The input with zeros between its cells, where that is computed."""
        from imgconv.functional.conv_transpose import temporary_outputs

        return temporary_outputs(self.weight.shape, self.window.stride, self.groups)

    def apply(self, input: Array) -> Array:
        """The output maps, to which every input cell adds a weighted kernel."""
        from imgconv.functional.conv_transpose import conv_transpose2d

        window, padding = self.window, [before for before, _ in self.window.pads((1, 1))]

        def transposed(maps: Array) -> Array:
            return conv_transpose2d(maps, self.weight, self.bias, window.stride, padding, self.output_padding, self.groups, window.dilation)

        return of_each_channel(input, transposed) if self.each_channel else transposed(input)

    def reach(self) -> Reach:
        """The rows that add to an output row."""
        return Reach(self.window, transposed=True)

    def cost(self, input: tuple[int, ...], output: tuple[int, ...]) -> Cost:
        """Every input cell adds a whole kernel, so that multiply-adds are counted in input cells."""
        window, outputs = self.window, output[0] // input[0] if self.each_channel else self.weight.shape[1]
        return Cost(
            prod(input) * outputs * prod(window.kernel_size),
            "adjoint",
            tuple(self._size_formula(cells, axis) for axis, cells in enumerate(input[1:])),
            "transposed",
            tuple(-(-span // stride) for span, stride in zip(window.span, window.stride, strict=True)),
            tuple(Fraction(1, stride) for stride in window.stride),
        )

    def arithmetic(self, input: tuple[int, ...], at: Cell) -> Sums:
        """Each input cell adds the kernel around its place, so that an output cell is a sum over the input cells that reach it."""
        channels, *size = input
        (rows, down), (columns, across) = (self._reaching(size[axis], at[axis], axis) for axis in (0, 1))
        sums = []
        for output in range(self._outputs * (channels if self.each_channel else 1)):
            kernel, first, count = (output // channels, output % channels, 1) if self.each_channel else (output, 0, channels // self.groups)
            group, map_ = divmod(kernel, self.weight.shape[1])
            inputs = range(first + group * count, first + (group + 1) * count)
            planes = self.weight[:, map_] if self.each_channel else self.weight[inputs.start : inputs.stop, map_]
            bias = 0.0 if self.bias is None else float(self.bias[kernel])
            sums.append(WeightedSum(kernel, inputs, planes[:, down][:, :, across], bias))
        return Sums(rows, columns, tuple(sums))

    def _reaching(self, cells: int, at: int, axis: int) -> tuple[tuple[int, ...], list[int]]:
        """The input cells along an axis that add to the output cell `at`, and the taps that they add with."""
        (before, _), stride, dilation = self.window.pads((1, 1))[axis], self.window.stride[axis], self.window.dilation[axis]
        taps = {cell: divmod(at + before - cell * stride, dilation) for cell in range(cells)}
        reaching = {cell: tap for cell, (tap, rest) in taps.items() if rest == 0 and 0 <= tap < self.window.kernel_size[axis]}
        return tuple(reaching), list(reaching.values())

    def _size_formula(self, cells: int, axis: int) -> str:
        """(size - 1)*stride - before - after + span + output_padding, with its numbers."""
        before, after = self.window.pads((1, 1))[axis]
        span, stride = self.window.span_text(axis), self.window.stride[axis]
        out = self._cells(cells, axis)
        return f"({cells} - 1)*{stride} - {before} - {after} + {span} + {self.output_padding[axis]} = {out}"


def check_border(window: Window, padding_mode: str | tuple[str, float], size: tuple[int, int]) -> None:
    """Raise DoesNotFit for padding that reaches further than its mode has cells to repeat."""
    mode, _ = PaddingMode.of(padding_mode)
    for cells, pads in zip(size, window.pads(size), strict=True):
        most = mode.most(cells)
        if most is not None and max(pads) > most:
            raise DoesNotFit(f"needs padding of at most {most} for padding_mode {mode}, not {max(pads)}")


def of_each_channel(input: Array, convolve: Callable[[Array], Array]) -> Array:
    """`convolve` on every channel as an image of its own; the M maps of C channels come as (N, M*C, h, w), kernels outermost."""
    count, channels = input.shape[:2]
    maps = convolve(input.reshape(-1, 1, *input.shape[2:]))
    return maps.reshape(count, channels, *maps.shape[1:]).swapaxes(1, 2).reshape(count, -1, *maps.shape[2:])


WEIGHTS = (Option("kernel", references, None), Option("weights", weights, None), Option("bias", weights, None))
STRIDE, PADDING, DILATION = Option("stride", size, 1), Option("padding", padding, 0), Option("dilation", size, 1)
GROUPS, OUTPUT_PADDING = Option("groups", whole, 1), Option("output_padding", size, 0)
PADDING_MODE, FLIP = Option("padding_mode", padding_mode, "zeros"), Option("flip", flag, False)
_SLIDING = (*WEIGHTS, STRIDE, PADDING)

TYPES = (
    OperationType("conv", "convolves maps", Convolution.build, (*_SLIDING, DILATION, GROUPS, PADDING_MODE, FLIP)),
    OperationType("conv_transpose", "enlarges maps", TransposedConvolution.build, (*_SLIDING, OUTPUT_PADDING, GROUPS, DILATION)),
    OperationType("depthwise", "convolves each channel on its own", Depthwise.build, (*_SLIDING, DILATION, PADDING_MODE, FLIP)),
    OperationType("pointwise", "mixes the channels of each pixel", Pointwise.build, WEIGHTS),
)
