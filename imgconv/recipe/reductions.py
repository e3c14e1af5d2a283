"""Pools as steps of a network, with torch's words and defaults."""

from dataclasses import dataclass

from imgconv.errors import DoesNotFit, UsageError
from imgconv.recipe.operations import Dims, Operation, maps_of
from imgconv.window import Window


@dataclass(frozen=True)
class Reduction(Operation):
    """The max, min, avg or median of every window of every map."""

    mode: str
    window: Window
    count_include_pad: bool = True
    divisor_override: int | None = None

    def __post_init__(self) -> None:
        padding = self.window.padding
        if isinstance(padding, str):
            raise UsageError(f"padding {padding!r} is none of a pool's; give a number")
        if any(2 * p > k for p, k in zip(padding, self.window.kernel_size, strict=True)):
            raise UsageError(f"padding {padding[0]}x{padding[1]} is over half of the kernel_size; use at most half")
        if self.divisor_override == 0:
            raise UsageError("divisor_override must not be 0; leave it out for the number of cells")

    def trace(self, dims: Dims) -> Dims:
        """(C, h_out, w_out) of (C, H, W)."""
        channels, height, width = maps_of(dims)
        return channels, *swept(self.window, height, width)


@dataclass(frozen=True)
class AdaptiveReduction(Operation):
    """The max or avg of windows that make an output of `output_size`; None keeps the size of an axis."""

    mode: str
    output_size: tuple[int | None, int | None]

    def trace(self, dims: Dims) -> Dims:
        """(C, *output_size) of (C, H, W)."""
        channels, *size = maps_of(dims)
        return channels, *(given if out is None else out for given, out in zip(size, self.output_size, strict=True))


def swept(window: Window, height: int | None, width: int | None) -> tuple[int | None, int | None]:
    """Cells of the output of a window over (height, width), unknown where that is."""
    if height is None or width is None:
        return None, None
    if 0 in (height, width):
        raise DoesNotFit("needs maps with at least one cell; an adaptive pool before it left none")
    h_out, w_out = window.output_size((height, width))
    return h_out, w_out
