"""The geometry of a sliding window: kernel size, shape, stride, padding and dilation, and the output size that follows from them.

Convolution, pooling, unfold and their gradients all describe their window with one `Window`. All values are integers.
"""

import operator
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import groupby
from math import ceil, prod
from numbers import Real
from typing import Any, Literal, assert_never, get_args

from imgconv.errors import ArgumentTypeError, DoesNotFit, UsageError
from imgconv.platforms import cached_property

Size = int | Sequence[int]  # one number for all axes, or one for each
PaddingName = Literal["valid", "same", "full"]
Padding = Size | str
LARGEST = 2**40  # of any size; no array has more cells along an axis, and products of two sizes stay below 2**63 with room
PADDING_NAMES: tuple[PaddingName, ...] = get_args(PaddingName)


@dataclass(frozen=True)
class Footprint:
    """The cells of a window of any shape: `runs` of neighbouring cells in a row, (row, first column, cells), within `kernel_size`.

    `name` is how messages and descriptions call it.
    """

    kernel_size: tuple[int, int]
    runs: tuple[tuple[int, int, int], ...]
    name: str = field(default="", compare=False)

    @classmethod
    def of(cls, mask: Sequence[Sequence[object]], name: str = "") -> "Footprint":
        """The footprint of the cells of a matrix that are not 0. Raises UsageError where there is none.

        >>> Footprint.of([[0, 1, 0], [1, 1, 1], [0, 1, 0]]).runs
        ((0, 1, 1), (1, 0, 3), (2, 1, 1))
        """
        runs = []
        for row, cells in enumerate(mask):
            column = 0
            for is_inside, group in groupby(cells, bool):
                count = len(list(group))
                if is_inside:
                    runs.append((row, column, count))
                column += count
        if not runs:
            raise UsageError(f"window {name or 'of zeros'} has no cell that is not 0; give at least one")
        return cls((len(mask), len(mask[0])), tuple(runs), name)

    @cached_property
    def cells(self) -> int:
        """The number of cells."""
        return sum(count for _, _, count in self.runs)

    @property
    def turned(self) -> "Footprint":
        """The footprint rotated by 180 degrees.

        >>> Footprint.of([[1, 1], [0, 1]]).turned.runs
        ((0, 0, 1), (1, 0, 2))
        """
        height, width = self.kernel_size
        runs = tuple((height - 1 - row, width - column - count, count) for row, column, count in reversed(self.runs))
        return replace(self, runs=runs)

    def __str__(self) -> str:
        return self.name or f"{self.kernel_size[0]}x{self.kernel_size[1]} cells"


@dataclass(frozen=True)
class Window:
    """A sliding window; each tuple has one number per axis, height before width.

    `padding` is a name or a number of cells added on both sides of each axis; `around` states the cells (before, after) of each axis
    instead, for a part of an input. `footprint` are the cells, None for the whole rectangle of `kernel_size`. Build a window with
    `Window.of`, which checks its arguments.
    """

    kernel_size: tuple[int, ...]
    stride: tuple[int, ...]
    padding: PaddingName | tuple[int, ...]
    dilation: tuple[int, ...]
    ceil_mode: bool = False
    footprint: Footprint | None = None
    around: tuple[tuple[int, int], ...] | None = None

    @classmethod
    def of(
        cls,
        kernel_size: Size | Footprint,
        stride: Size = 1,
        padding: Padding = 0,
        dilation: Size = 1,
        *,
        dims: int = 2,
        ceil_mode: bool = False,
    ) -> "Window":
        """Return a checked window over `dims` axes, from ints or sequences as torch takes them; a Footprint gives its size and shape.

        >>> Window.of(3, stride=2, padding=1).output_size((8, 9))
        (4, 5)
        """
        footprint = kernel_size if isinstance(kernel_size, Footprint) else None
        return cls(
            sizes(kernel_size.kernel_size if isinstance(kernel_size, Footprint) else kernel_size, "kernel_size", dims, least=1),
            sizes(stride, "stride", dims, least=1),
            _padding_name(padding) if isinstance(padding, str) else sizes(padding, "padding", dims, least=0),
            sizes(dilation, "dilation", dims, least=1),
            bool(ceil_mode),
            None if footprint and footprint.cells == prod(footprint.kernel_size) else footprint,
        )

    @property
    def cell_count(self) -> int:
        """The number of cells of one window."""
        return self.footprint.cells if self.footprint else prod(self.kernel_size)

    @property
    def runs(self) -> tuple[tuple[int, int, int], ...]:
        """The cells as runs of neighbours in a row, (row, first column, cells); two axes only.

        >>> Window.of((2, 3)).runs
        ((0, 0, 3), (1, 0, 3))
        """
        height, width = self.kernel_size
        return self.footprint.runs if self.footprint else tuple((row, 0, width) for row in range(height))

    @property
    def turned(self) -> "Window":
        """The window turned by 180 degrees, and its padding with it; for stride 1 and padding "same".

        >>> Window.of(2, padding="same").turned.pads((8, 8))
        ((1, 0), (1, 0))
        """
        around = tuple((after, before) for before, after in self.pads(self.kernel_size))
        return replace(self, footprint=self.footprint and self.footprint.turned, around=around)

    @cached_property
    def span(self) -> tuple[int, ...]:
        """Cells from the first to the last tap along each axis: dilation*(k-1)+1."""
        return tuple(d * (k - 1) + 1 for k, d in zip(self.kernel_size, self.dilation, strict=True))

    def pads(self, size: Sequence[int]) -> tuple[tuple[int, int], ...]:
        """Return the cells (before, after) that the padding adds along each axis of an input of `size`.

        `same` adds (ceil(size/stride)-1)*stride + span - size cells in total, at least 0, the odd cell after (TensorFlow's rule, and
        torch's at stride 1). `full` adds span-1 cells on each side.
        """
        if self.around is not None:
            return self.around
        if isinstance(self.padding, tuple):
            return tuple((p, p) for p in self.padding)
        match self.padding:
            case "valid":
                return tuple((0, 0) for _ in self.span)
            case "full":
                return tuple((s - 1, s - 1) for s in self.span)
            case "same":
                totals = (max((ceil(n / t) - 1) * t + s - n, 0) for n, t, s in zip(size, self.stride, self.span, strict=True))
                return tuple((total // 2, total - total // 2) for total in totals)
            case _:
                assert_never(self.padding)

    def output_size(self, size: Sequence[int]) -> tuple[int, ...]:
        """Return the output size: floor((size + before + after - span) / stride) + 1 per axis, ceil instead of floor with `ceil_mode`.

        With `ceil_mode`, a last window that would start beyond the input and its leading padding is dropped, as in torch.
        Raises DoesNotFit when no window fits.
        """
        output = []
        for n, (before, after), span, stride in zip(size, self.pads(size), self.span, self.stride, strict=True):
            room = n + before + after - span
            count = (-(-room // stride) if self.ceil_mode else room // stride) + 1
            if self.ceil_mode and (count - 1) * stride >= n + before:
                count -= 1
            output.append(count if room >= 0 or self.ceil_mode else 0)
        if min(output) < 1:
            padded = shape_text([n + before + after for n, (before, after) in zip(size, self.pads(size), strict=True)])
            raise DoesNotFit(f"{self._kernel_text()} does not fit the padded input {padded}; use a smaller kernel or more padding")
        return tuple(output)

    def cells(self, at: Sequence[int], pads: Sequence[tuple[int, int]]) -> tuple[tuple[int, ...], ...]:
        """Return the input cells under the window of the output cell `at`, along each axis; some may be among the padded ones, `pads`.

        >>> Window.of(3, stride=2).cells((0, 2), ((1, 1), (1, 1)))
        ((-1, 0, 1), (3, 4, 5))
        """
        first = (cell * stride - before for cell, stride, (before, _) in zip(at, self.stride, pads, strict=True))
        taps = zip(first, self.kernel_size, self.dilation, strict=True)
        return tuple(tuple(start + tap * dilation for tap in range(count)) for start, count, dilation in taps)

    def clamped(self, size: Sequence[int]) -> "Window":
        """Return a window that gives the same output for an input of `size`, and whose strides do not exceed the padded input."""
        pads = self.pads(size)
        stride = tuple(min(t, n + sum(pad) + 1) for t, n, pad in zip(self.stride, size, pads, strict=True))
        return self if stride == self.stride else replace(self, stride=stride)

    def multiply_adds(self, size: Sequence[int]) -> int:
        """Return the multiply-adds for one input channel and one output channel: output cells times taps."""
        return prod(self.output_size(size)) * prod(self.kernel_size)

    def size_formulas(self, size: Sequence[int]) -> tuple[str, ...]:
        """Return the formula of `output_size` along each axis with its numbers.

        >>> Window.of(3, stride=2).size_formulas((9, 12))
        ('floor((9 + 0 + 0 - 3) / 2) + 1 = 4', 'floor((12 + 0 + 0 - 3) / 2) + 1 = 5')
        """
        formulas = []
        for axis, (out, cells, (before, after)) in enumerate(zip(self.output_size(size), size, self.pads(size), strict=True)):
            stride = self.stride[axis]
            room = cells + before + after - self.span[axis]
            dropped = " - 1" if self.ceil_mode and -(-room // stride) + 1 > out else ""  # a last window that began beyond the input
            word = "ceil" if self.ceil_mode else "floor"
            formulas.append(f"{word}(({cells} + {before} + {after} - {self.span_text(axis)}) / {stride}) + 1{dropped} = {out}")
        return tuple(formulas)

    def span_text(self, axis: int) -> str:
        """Return the formula of `span` along one axis: the kernel size, with its dilation if there is one."""
        dilation, kernel = self.dilation[axis], self.kernel_size[axis]
        return str(kernel) if dilation == 1 else f"({dilation}*({kernel} - 1) + 1)"

    def padding_text(self, size: Sequence[int]) -> str:
        """Return the name of the padding of an input of `size`: valid (narrow), same (equal-width), full (wide), or its cells.

        `same` means that the padding makes up for the kernel: at stride 1 the output has the size of the input.

        >>> Window.of(3, padding=1).padding_text((8, 9))
        'same (equal-width)'
        """
        reach = [span - 1 for span in self.span]
        pads = self.pads(size)
        cells = [before + after for before, after in pads]
        if not any(cells):
            return "valid (narrow)"
        if cells == reach:
            return "same (equal-width)"
        if cells == [2 * each for each in reach]:
            return "full (wide)"
        if self.padding == "same":
            return "same (size / stride)"
        (top, bottom), (left, right) = pads
        return f"{top}+{bottom} rows, {left}+{right} columns"

    def _kernel_text(self) -> str:
        text = f"kernel {shape_text(self.kernel_size)}"
        if self.span == self.kernel_size:
            return text
        return f"{text} with dilation {shape_text(self.dilation)} (spanning {shape_text(self.span)})"


def cut(begin: int, end: int, size: int, stride: int, least: int) -> tuple[int, int]:
    """Return cells from `begin` or before to `end` or after, in which windows lie as they do in all `size` cells of an axis.

    They begin at a multiple of the stride and end at one from the end; there are at least `least`, which a border repeats.

    >>> cut(7, 12, 100, 3, 1)
    (6, 13)
    """
    begin = max(begin, 0) // stride * stride
    end = size - max(size - max(end, begin + least), 0) // stride * stride
    return min(begin, max(end - least, 0) // stride * stride), end


def sizes(value: Size, name: str, dims: int, least: int) -> tuple[int, ...]:
    """Return `value` as a tuple of `dims` whole numbers, each at least `least`, from an int, a 1-tuple or a full tuple, as in torch.

    Raises ArgumentTypeError for anything but whole numbers, UsageError for too few, too many or too small ones.

    >>> sizes(3, "stride", 2, least=1)
    (3, 3)
    """
    if type(value) is int and least <= value <= LARGEST:  # the most common case, without the checks below
        return (value,) * dims
    values: Sequence[Any] = value if isinstance(value, Sequence) and not isinstance(value, str | bytes) else [value]
    numbers = tuple(_whole(number, name) for number in values)
    if len(numbers) == 1:
        numbers *= dims
    if len(numbers) != dims:
        raise UsageError(f"{name} {value!r} has {len(numbers)} numbers; give one" + (f", or {dims}" if dims > 1 else ""))
    if min(numbers) < least:
        raise UsageError(f"{name} must be at least {least}, not {value!r}")
    if max(numbers) > LARGEST:
        raise UsageError(f"{name} must be at most 2**40, not {value!r}")
    return numbers


def as_number(value: object, name: str) -> float:
    """Return `value` as a float. Raises ArgumentTypeError for what is not a real number, such as text or a bool.

    >>> as_number(2, "sigma")
    2.0
    """
    if isinstance(value, Real) and not isinstance(value, bool):
        with suppress(OverflowError):
            return float(value)
    raise ArgumentTypeError(f"{name} must be a number, not {value!r}")


def _whole(value: Any, name: str) -> int:
    if not isinstance(value, bool):
        with suppress(TypeError):
            return operator.index(value)
    raise ArgumentTypeError(f"{name} must be a whole number or a sequence of them, not {value!r}")


def _padding_name(name: str) -> PaddingName:
    for known in PADDING_NAMES:
        if name == known:
            return known
    raise UsageError(f"padding {name!r} is unknown; use a number, or one of {', '.join(PADDING_NAMES)}")


def shape_text(dims: Sequence[int | None]) -> str:
    """A shape as messages show it: `3x480x640`, `?` for an unknown size.

    >>> shape_text((3, None, None))
    '3x?x?'
    """
    return "x".join("?" if size is None else str(size) for size in dims)
