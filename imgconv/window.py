"""The geometry of a sliding window: integers in, integers out.

Convolution, pooling, unfold and their gradients all describe where their window goes with one `Window`. This module knows
nothing of pixels, dtypes or files.
"""

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import ceil, prod
from typing import Literal

from imgconv.errors import ArgumentTypeError, DoesNotFit, UsageError

PaddingName = Literal["valid", "same", "full"]
PADDING_NAMES: tuple[PaddingName, ...] = ("valid", "same", "full")
PADDING_MODES = ("zeros", "constant", "replicate", "reflect", "symmetric", "circular")


def sizes(value: int | Sequence[int], name: str, dims: int, least: int) -> tuple[int, ...]:
    """`value` as a tuple of `dims` whole numbers, each at least `least`, as torch reads an int, a 1-tuple or a full tuple.

    Raises ArgumentTypeError for anything but whole numbers, UsageError for too few, too many or too small ones.

    >>> sizes(3, "stride", 2, least=1)
    (3, 3)
    """
    if type(value) is int and value >= least:  # as most are
        return (value,) * dims
    many = isinstance(value, Sequence) and not isinstance(value, str)
    numbers = tuple(_whole(v, name) for v in (value if many else [value]))  # type: ignore[union-attr]
    if len(numbers) == 1:
        numbers *= dims
    if len(numbers) != dims:
        raise UsageError(f"{name} {value!r} has {len(numbers)} numbers; give one" + (f", or {dims}" if dims > 1 else ""))
    if min(numbers) < least:
        raise UsageError(f"{name} must be at least {least}, not {value!r}")
    return numbers


def _whole(value: object, name: str) -> int:
    if isinstance(value, bool):
        raise ArgumentTypeError(f"{name} must be a whole number, not {value!r}")
    try:
        return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise ArgumentTypeError(f"{name} must be a whole number or a sequence of them, not {value!r}") from None


@dataclass(frozen=True)
class Window:
    """Where a kernel of `kernel_size` is laid on an input; all tuples have one number per axis, height before width.

    `padding` is a name or a number of cells added on both sides of each axis. Build one with `Window.of`, which checks.
    """

    kernel_size: tuple[int, ...]
    stride: tuple[int, ...]
    padding: PaddingName | tuple[int, ...]
    dilation: tuple[int, ...]
    ceil_mode: bool = False

    @classmethod
    def of(
        cls,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int] = 1,
        padding: str | int | Sequence[int] = 0,
        dilation: int | Sequence[int] = 1,
        *,
        dims: int = 2,
        ceil_mode: bool = False,
    ) -> "Window":
        """A checked window over `dims` axes, from ints or sequences as torch takes them.

        >>> Window.of(3, stride=2, padding=1).output_size((8, 9))
        (4, 5)
        """
        return cls(
            sizes(kernel_size, "kernel_size", dims, least=1),
            sizes(stride, "stride", dims, least=1),
            _padding_name(padding) if isinstance(padding, str) else sizes(padding, "padding", dims, least=0),
            sizes(dilation, "dilation", dims, least=1),
            bool(ceil_mode),
        )

    @cached_property
    def span(self) -> tuple[int, ...]:
        """Cells from the first to the last tap along each axis: dilation*(k-1)+1."""
        return tuple(d * (k - 1) + 1 for k, d in zip(self.kernel_size, self.dilation, strict=True))

    def pads(self, size: Sequence[int]) -> tuple[tuple[int, int], ...]:
        """Cells (before, after) that the padding adds along each axis of an input of `size`.

        `same` adds (ceil(size/stride)-1)*stride + span - size in all, never less than nothing, the odd cell after (TensorFlow's rule,
        torch's at stride 1); `full` adds span-1 on each side.
        """
        if isinstance(self.padding, tuple):
            return tuple((p, p) for p in self.padding)
        if self.padding == "valid":
            return tuple((0, 0) for _ in self.span)
        if self.padding == "full":
            return tuple((s - 1, s - 1) for s in self.span)
        totals = (max((ceil(n / t) - 1) * t + s - n, 0) for n, t, s in zip(size, self.stride, self.span, strict=True))
        return tuple((total // 2, total - total // 2) for total in totals)

    def output_size(self, size: Sequence[int]) -> tuple[int, ...]:
        """Cells of the output: floor((size + before + after - span) / stride) + 1 per axis, ceil instead with `ceil_mode`.

        With `ceil_mode` a last window that would start beyond the input and its leading padding is dropped, as torch does.
        Raises DoesNotFit when no window fits.
        """
        out = []
        for n, (before, after), span, stride in zip(size, self.pads(size), self.span, self.stride, strict=True):
            room = n + before + after - span
            count = (-(-room // stride) if self.ceil_mode else room // stride) + 1
            if self.ceil_mode and (count - 1) * stride >= n + before:
                count -= 1
            out.append(count if room >= 0 or self.ceil_mode else 0)
        if min(out) < 1:
            raise DoesNotFit(f"{self._named()} does not fit the padded input {_by(self._padded(size))}; use a smaller one, or more padding")
        return tuple(out)

    def multiply_adds(self, size: Sequence[int]) -> int:
        """Multiply-adds for one input and one output channel: output cells times taps."""
        return prod(self.output_size(size)) * prod(self.kernel_size)

    def _padded(self, size: Sequence[int]) -> list[int]:
        return [n + before + after for n, (before, after) in zip(size, self.pads(size), strict=True)]

    def _named(self) -> str:
        name = f"kernel {_by(self.kernel_size)}"
        return name if self.span == self.kernel_size else f"{name} with dilation {_by(self.dilation)} (spanning {_by(self.span)})"


def _padding_name(name: str) -> PaddingName:
    for known in PADDING_NAMES:
        if name == known:
            return known
    raise UsageError(f"padding {name!r} is unknown; use a number, or one of {', '.join(PADDING_NAMES)}")


def _by(numbers: Sequence[int]) -> str:
    return "x".join(map(str, numbers))
