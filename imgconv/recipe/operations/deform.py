"""Deformable convolution, whose offsets are numbers or come from a convolution of the same input."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import prod
from typing import TYPE_CHECKING, Any, Self

from imgconv.errors import DoesNotFit, UsageError
from imgconv.modes import MissingRule
from imgconv.recipe.operations.conv import DILATION, GROUPS, PADDING, STRIDE, WEIGHTS, Convolution, of_each_channel
from imgconv.recipe.operations.operation import Cell, Cost, Dims, OperationType, Option, Sums
from imgconv.recipe.values import weights
from imgconv.recipe.weights import check_bias, conv_weights, layer_weights
from imgconv.window import Window, shape_text

if TYPE_CHECKING:
    from imgconv.arrays import Array
    from imgconv.recipe.weights import Context, Written


@dataclass(frozen=True, eq=False)
class TapNumbers:
    """Numbers for every tap of every output cell.

    They are `numbers` (n,) for all cells, (n, h_out, w_out), or (n, C, kh, kw), the weight of a convolution of the input with `bias`.
    """

    numbers: Array
    bias: Array | None

    @classmethod
    def of(cls, written: Written, context: Context, name: str, count: int, kernel_size: tuple[int, ...]) -> Self:
        """The numbers of an option, a multiple of `count` for each cell."""
        numbers, bias = layer_weights(written, context)
        shape = numbers.shape
        if numbers.ndim not in (1, 3, 4) or len(numbers) % count or (numbers.ndim == 4 and shape[2:] != kernel_size):
            size = shape_text(kernel_size)
            expected = f"{count} numbers, {count}x(output height)x(output width), or a weight {count}x(channels)x{size}"
            raise UsageError(f"{name} {shape_text(shape)} does not match a kernel {size}; give {expected}")
        if numbers.ndim == 4:
            check_bias(bias, len(numbers))
        return cls(numbers, bias)

    def check(self, name: str, channels: int | None, size: tuple[int | None, ...]) -> None:
        """Raise DoesNotFit for an input of other `channels`, or an output of another `size`."""
        shape = self.numbers.shape
        if len(shape) == 4 and channels not in (None, shape[1]):
            raise DoesNotFit(f"needs {shape[1]} channels; the weight of its {name} is {shape_text(shape)}")
        if len(shape) == 3 and None not in size and shape[1:] != size:
            raise DoesNotFit(f"needs {name}s for its output, {size[0]}x{size[1]}; they are {shape[1]}x{shape[2]}")

    def of_cells(self, input: Array, window: Window) -> Array:
        """The numbers (N, n, h_out, w_out) for a batch."""
        import numpy as np

        from imgconv.functional.conv import conv2d

        if self.numbers.ndim == 4:
            return conv2d(input, self.numbers, self.bias, window.stride, window.padding, window.dilation)
        numbers = self.numbers if self.numbers.ndim == 3 else self.numbers[:, None, None]
        return np.broadcast_to(numbers, (len(input), len(numbers), *window.output_size(input.shape[2:])))


@dataclass(frozen=True, eq=False)
class DeformableConvolution(Convolution):
    """A convolution whose taps are moved by `offset`, cells (down, across) for each tap, and scaled by a `mask` from 0 to 1."""

    offset: TapNumbers = field(kw_only=True)
    mask: TapNumbers | None = None

    @classmethod
    def build(cls, context: Context, **options: Any) -> Self:
        kernel = conv_weights(context, options)
        size = kernel.weight.shape[2:]
        if options["offset"] is None:
            raise UsageError(f"offset is missing; give a file with {2 * prod(size)} numbers, or with the weight that computes them")
        offset = TapNumbers.of(options["offset"], context, "offset", 2 * prod(size), size)
        mask = None if options["mask"] is None else TapNumbers.of(options["mask"], context, "mask", prod(size), size)
        window = Window.of(size, options["stride"], options["padding"], options["dilation"])
        if isinstance(window.padding, str):
            raise UsageError(f"padding {window.padding!r} is not possible for a deformable convolution; give a number")
        groups = 1 if kernel.each_channel else options["groups"]
        return cls(kernel.weight, kernel.bias, window, "zeros", groups, kernel.each_channel, False, kernel.range, offset=offset, mask=mask)

    @property
    def parameters(self) -> tuple[Array, ...]:
        """The weight and the bias, and those that compute offsets and masks."""
        more = [each for each in (self.offset, self.mask) if each is not None]
        return (*super().parameters, *(array for each in more for array in (each.numbers, each.bias) if array is not None))

    def trace(self, dims: Dims) -> Dims:
        """As that of a convolution."""
        output = super().trace(dims)
        for name, numbers in (("offset", self.offset), ("mask", self.mask)):
            if numbers is not None:
                numbers.check(name, dims[0], output[1:])
        return output

    def apply(self, input: Array) -> Array:
        import numpy as np

        from imgconv.functional.deform_conv import deform_conv2d

        window, (offset, mask) = self.window, self._numbers(input)
        padding = [before for before, _ in window.pads((1, 1))]
        if self.each_channel:
            offset = np.repeat(offset, input.shape[1], axis=0)
            mask = None if mask is None else np.repeat(mask, input.shape[1], axis=0)

        def deformed(maps: Array) -> Array:
            return deform_conv2d(maps, offset, self.weight, self.bias, window.stride, padding, window.dilation, mask)

        return of_each_channel(input, deformed) if self.each_channel else deformed(input)

    def _numbers(self, input: Array) -> tuple[Array, Array | None]:
        """The offsets and the masks of a batch; masks that are computed go through sigmoid."""
        from imgconv.functional.activation import sigmoid

        offset = self.offset.of_cells(input, self.window)
        if self.mask is None:
            return offset, None
        mask = self.mask.of_cells(input, self.window)
        return offset, sigmoid(mask) if self.mask.numbers.ndim == 4 else mask

    def apply_missing(self, input: Array, rule: MissingRule) -> Array:
        """As without missing cells: NaN propagates."""
        return self.apply(input)

    def reach(self) -> None:
        """All rows: an offset may lead to any of them."""

    def cost(self, input: tuple[int, ...], output: tuple[int, ...]) -> Cost:
        """The multiply-adds of the sums, of values between four cells, and of the convolutions that compute offsets and masks."""
        cells, taps = prod(output[1:]), prod(self.window.kernel_size)
        computed = sum(each.numbers.size for each in (self.offset, self.mask) if each is not None and each.numbers.ndim == 4)
        sums = output[0] * self.weight.shape[1] * taps + 8 * input[0] * taps + computed
        return replace(super().cost(input, output), multiply_adds=cells * sums, algorithm="sampled", sees_all=True)

    def arithmetic(self, input: tuple[int, ...], at: Cell) -> Sums:
        """A weighted sum of values between cells."""
        return replace(super().arithmetic(input, at), sampled=lambda maps: self._sampled(maps, at))

    def _sampled(self, maps: Array, at: Cell) -> Array:
        """The values (kh, kw, C) under the moved taps of an output cell, for maps (C, H, W)."""
        import numpy as np

        channels, *size = maps.shape
        offsets, masks = self._numbers(maps[None])
        moved = offsets[0, :, at[0], at[1]].reshape(-1, *self.window.kernel_size, 2).astype(np.float64)
        taps = np.stack(np.meshgrid(*self.window.cells(at, self.window.pads(size)), indexing="ij"), axis=-1) + moved
        places = np.repeat(taps, channels // len(moved), axis=0)  # (C, kh, kw, 2)
        first = np.floor(places)
        share, values = places - first, np.zeros(places.shape[:3])
        for corner in np.ndindex(2, 2):
            row, column = np.moveaxis(first + corner, -1, 0).astype(np.intp)
            inside = (row >= 0) & (row < size[0]) & (column >= 0) & (column < size[1])
            near = np.where(corner, share, 1 - share).prod(axis=-1)
            cells = maps[np.arange(channels)[:, None, None], row.clip(0, size[0] - 1), column.clip(0, size[1] - 1)]
            values += np.where(inside, near * cells, 0)
        if masks is not None:
            factors = masks[0, :, at[0], at[1]].reshape(-1, *self.window.kernel_size)
            values *= np.repeat(factors, channels // len(factors), axis=0)
        return values.transpose(1, 2, 0)


_OPTIONS = (*WEIGHTS, Option("offset", weights, None), Option("mask", weights, None), STRIDE, PADDING, DILATION, GROUPS)
TYPES = (OperationType("deform_conv", "convolves maps with taps that move", DeformableConvolution.build, _OPTIONS),)
