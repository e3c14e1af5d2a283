"""Steps of a network that have weights: convolutions, transposed convolutions, linear layers. Data and shapes only."""

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from imgconv.errors import ArgumentTypeError, DoesNotFit, UsageError
from imgconv.modes import PaddingMode
from imgconv.recipe.operations import Dims, Operation, maps_of, shape_text
from imgconv.recipe.reductions import swept
from imgconv.window import Window

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Convolution(Operation):
    """Cross-correlation with `weight` (O, I, kh, kw) and `bias` (O,) or None; `groups` None means as many as there are channels.

    With `each_channel` the weight is (M, 1, kh, kw): each of M kernels goes over each channel on its own, and the M*C maps come with
    the kernels outermost. `range` shows the maps of an image best.
    """

    weight: Array
    bias: Array | None
    window: Window
    padding_mode: str | tuple[str, float] = "zeros"
    groups: int | None = 1
    each_channel: bool = False
    flip: bool = False
    range: str = "minmax"

    def __post_init__(self) -> None:
        PaddingMode.of(self.padding_mode)
        check_bias(self.bias, len(self.weight))
        if self.groups is None and self.weight.shape[1] != 1:
            raise UsageError(f"weight {shape_text(self.weight.shape)} is not depthwise; its second size must be 1")
        if self.groups is not None and len(self.weight) % check_groups(self.groups):
            raise UsageError(f"groups {self.groups} does not divide the {len(self.weight)} output channels of the weight")

    def trace(self, dims: Dims) -> Dims:
        """(O, h_out, w_out), or (M*C, h_out, w_out) for each channel on its own."""
        channels, height, width = maps_of(dims)
        outputs, swept_size = self._channels(channels), swept(self.window, height, width)
        if height is not None and width is not None:
            self._check_border((height, width))
        return outputs, *swept_size

    def _check_border(self, size: tuple[int, int]) -> None:
        """Raise DoesNotFit for padding that reaches further than its mode has cells to repeat."""
        mode, _ = PaddingMode.of(self.padding_mode)
        for cells, pads in zip(size, self.window.pads(size), strict=True):
            most = mode.most(cells)
            if most is not None and max(pads) > most:
                raise DoesNotFit(f"needs padding of at most {most} for padding_mode {mode}, not {max(pads)}")

    def _channels(self, channels: int | None) -> int | None:
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

    def range_after(self, before: str) -> str:
        """The kernels' own range on levels; on signed values absolute ones."""
        return self.range if before == "clip" else "abs" if before in ("abs", "offset") and self.range != "minmax" else "minmax"


@dataclass(frozen=True, eq=False)
class Transposed(Operation):
    """Transposed convolution with `weight` (I, O/groups, kh, kw) and `bias` (O,) or None.

    With `each_channel` the weight is (1, M, kh, kw): each of M kernels is laid out for each channel on its own, kernels outermost.
    """

    weight: Array
    bias: Array | None
    window: Window
    output_padding: tuple[int, ...] = (0, 0)
    groups: int = 1
    each_channel: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.window.padding, str):
            raise UsageError(f"padding {self.window.padding!r} is none of a transposed convolution's; give a number")
        if len(self.weight) % check_groups(self.groups):
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
        height, width = (self._cells(cells, axis) for axis, cells in enumerate(size))
        return outputs, height, width

    def _cells(self, cells: int | None, axis: int) -> int | None:
        """The smallest size whose convolution gives `cells`, and the output padding."""
        if cells is None:
            return None
        before, after = self.window.pads((cells, cells))[axis]
        out = (cells - 1) * self.window.stride[axis] + self.window.span[axis] + self.output_padding[axis] - before - after
        if cells < 1 or out < 1:
            raise DoesNotFit("needs larger maps, or less padding; nothing would be left")
        return out

    def range_after(self, before: str) -> str:
        """Levels are lost."""
        return "minmax"


@dataclass(frozen=True, eq=False)
class Linear(Operation):
    """input @ weight.T + bias along the last axis; `weight` (O, I), `bias` (O,) or None."""

    weight: Array
    bias: Array | None

    def __post_init__(self) -> None:
        check_bias(self.bias, len(self.weight))

    def trace(self, dims: Dims) -> Dims:
        """(..., O) of (..., I)."""
        outputs, needed = self.weight.shape
        if dims[-1] not in (None, needed):
            hint = "put flatten before it" if len(dims) > 1 else "images of another size would fit"
            raise DoesNotFit(f"needs {needed} numbers along the last axis; {hint}")
        return *dims[:-1], outputs

    def range_after(self, before: str) -> str:
        """Levels are lost."""
        return "minmax"


def check_bias(bias: Array | None, outputs: int) -> None:
    """Refuse a bias that is not one number for each output."""
    if bias is not None and bias.shape != (outputs,):
        raise UsageError(f"bias {shape_text(bias.shape) or 'of one number'} does not match {outputs} outputs; give one number for each")


def check_groups(groups: int) -> int:
    """`groups`, if there is at least one."""
    if isinstance(groups, bool) or not isinstance(groups, int):
        raise ArgumentTypeError(f"groups must be a whole number, not {groups!r}")
    if groups < 1:
        raise UsageError(f"groups must be at least 1, not {groups}")
    return groups
