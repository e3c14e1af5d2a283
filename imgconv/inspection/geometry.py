"""Sizes of windows, told with their formulas and names, and how far a chain of them sees. Whole numbers only."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

NAMES = {"valid": "valid (narrow)", "same": "same (equal-width)", "full": "full (wide)"}


class Sliding(Protocol):
    """What is asked of a window here."""

    @property
    def kernel_size(self) -> tuple[int, ...]: ...
    @property
    def stride(self) -> tuple[int, ...]: ...
    @property
    def padding(self) -> str | tuple[int, ...]: ...
    @property
    def dilation(self) -> tuple[int, ...]: ...
    @property
    def span(self) -> tuple[int, ...]: ...
    @property
    def ceil_mode(self) -> bool: ...
    def pads(self, size: Sequence[int]) -> tuple[tuple[int, int], ...]: ...
    def output_size(self, size: Sequence[int]) -> tuple[int, ...]: ...


def size_formulas(window: Sliding, size: Sequence[int], pads: Sequence[tuple[int, int]]) -> tuple[str, ...]:
    """The output size along each axis with its numbers filled in: floor((size + before + after - span) / stride) + 1.

    >>> from imgconv.recipe import Pool
    >>> size_formulas(Pool(3, stride=2).window, (9, 12), ((0, 0), (0, 0)))
    ('floor((9 + 0 + 0 - 3) / 2) + 1 = 4', 'floor((12 + 0 + 0 - 3) / 2) + 1 = 5')
    """
    told = []
    for axis, (out, cells, (before, after)) in enumerate(zip(window.output_size(size), size, pads, strict=True)):
        span, stride = window.span[axis], window.stride[axis]
        room = cells + before + after - span
        dropped = " - 1" if window.ceil_mode and -(-room // stride) + 1 > out else ""  # a last window that began beyond the input
        word = "ceil" if window.ceil_mode else "floor"
        told.append(f"{word}(({cells} + {before} + {after} - {_span(window, axis)}) / {stride}) + 1{dropped} = {out}")
    return tuple(told)


def _span(window: Sliding, axis: int) -> str:
    dilation, kernel = window.dilation[axis], window.kernel_size[axis]
    return str(kernel) if dilation == 1 else f"({dilation}*({kernel} - 1) + 1)"


def transposed_formulas(
    window: Sliding, size: Sequence[int], output_padding: Sequence[int], pads: Sequence[tuple[int, int]]
) -> tuple[str, ...]:
    """The output size of a transposed convolution with its numbers: (size - 1)*stride - before - after + span + output_padding."""
    told = []
    for axis, (cells, more, (before, after)) in enumerate(zip(size, output_padding, pads, strict=True)):
        out = (cells - 1) * window.stride[axis] - before - after + window.span[axis] + more
        told.append(f"({cells} - 1)*{window.stride[axis]} - {before} - {after} + {_span(window, axis)} + {more} = {out}")
    return tuple(told)


def padding_name(window: Sliding, pads: Sequence[tuple[int, int]]) -> str:
    """What a padding is called: valid (narrow), same (equal-width), full (wide), or its cells where it has no name.

    `same` means that the padding makes up for the kernel: at stride 1 the output has the size of the input.

    >>> from imgconv.recipe import Pool
    >>> padding_name(Pool(3, stride=1).window, ((1, 1), (1, 1)))
    'same (equal-width)'
    """
    reach = [span - 1 for span in window.span]
    cells = [before + after for before, after in pads]
    if not any(cells):
        return NAMES["valid"]
    if cells == reach:
        return NAMES["same"]
    if cells == [2 * each for each in reach]:
        return NAMES["full"]
    if window.padding == "same":
        return "same (size / stride)"
    (top, bottom), (left, right) = pads
    return f"{top}+{bottom} rows, {left}+{right} columns"


@dataclass(frozen=True)
class Sight:
    """How many input cells one cell sees along one axis, and how far apart the sights of neighbours begin."""

    cells: Fraction = Fraction(1)
    jump: Fraction = Fraction(1)

    def through(self, span: int, stride: Fraction | int) -> "Sight":
        """The sight after a window of `span` and `stride`; a transposed convolution has the stride 1/stride.

        >>> Sight().through(3, 1).through(3, 2).through(3, 1).cells
        Fraction(9, 1)
        """
        return Sight(self.cells + (span - 1) * self.jump, self.jump * stride)
