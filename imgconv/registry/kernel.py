"""Kernel and Bank: weights together with everything an image filter must know about them.

Owns how weights are stored and checked. Knows no names, no files and no images, and does not import numpy until a kernel is built,
so that listing names stays quick.

Kernels of several sizes made one size, so that their maps can be combined. Knows no names and no files.

Turning a square kernel by steps of 45 degrees: every square ring of taps around the centre moves on by an eighth of its length.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from imgconv.errors import ArgumentTypeError, UsageError
from imgconv.modes import CombineMode, Range

if TYPE_CHECKING:
    from numpy.typing import NDArray


MAX_TAPS = 1024 * 1024
ROUNDING = 1e-12  # sums and products of taps below this share of the largest are rounding errors of the formula that made them


@dataclass(frozen=True, eq=False)
class Kernel:
    """Weights of one correlation: one output value is sum(taps * values under them) / divisor + offset.

    Parameters
    ----------
    name : the registry's name, or a slug of the reference as typed.
    taps : (kh, kw) float64, or (C, kh, kw) when the kernel also sums over C channels; kept undivided, so whole numbers stay whole.
    divisor : the sum is divided by it, last.
    offset : added after the division, in levels of an 8-bit image.
    anchor : (row, column) of the tap that is laid on the pixel; None is ((kh-1)//2, (kw-1)//2).
    range : how signed results become pixels unless asked otherwise: clip, abs, offset, minmax or raw.
    bias : added per output map, as a layer's bias (files of weights only).

    Raises
    ------
    UsageError : taps that are empty, not finite or more than 1048576 per plane, a divisor of 0, an anchor outside, an unknown range.

    Examples
    --------
    >>> blur = Kernel("blur", [[1, 2, 1]], divisor=4)
    >>> blur.weights().tolist(), blur.total, blur.separable
    ([[0.25, 0.5, 0.25]], 1.0, True)
    """

    name: str
    taps: NDArray[Any]
    divisor: float = 1.0
    offset: float = 0.0
    anchor: tuple[int, int] | None = None
    range: str = "clip"
    description: str = ""
    source: str = ""
    tags: tuple[str, ...] = ()
    bias: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "taps", _checked(self.taps, self.name))
        for word, number in (("divisor", self.divisor), ("offset", self.offset), ("bias", self.bias)):
            if not math.isfinite(number):
                raise UsageError(f"kernel {self.name}: {word} must be finite, not {number}")
        if self.divisor == 0:
            raise UsageError(f"kernel {self.name}: divisor must not be 0; leave it out for 1")
        if not self._summable():
            raise UsageError(f"kernel {self.name} has taps too large to be summed; scale them down")
        if self.range not in Range.names():
            raise UsageError(f"kernel {self.name}: range {self.range!r} is unknown; use one of {', '.join(Range.names())}")
        if self.anchor is not None and not all(0 <= a < k for a, k in zip(self.anchor, self.taps.shape[-2:], strict=True)):
            raise UsageError(f"kernel {self.name}: anchor {self.anchor} lies outside its {_by(self.taps.shape[-2:])} taps")

    def _summable(self) -> bool:
        import numpy as np

        with np.errstate(over="ignore"):
            return bool(np.isfinite(np.abs(self.taps).sum() / abs(self.divisor)))

    @property
    def kernel_size(self) -> tuple[int, int]:
        """Height and width in taps."""
        height, width = self.taps.shape[-2:]
        return height, width

    def weights(self) -> NDArray[Any]:
        """The taps divided by the divisor, float64, in the shape of `taps`.

        >>> Kernel("box", [[1, 1], [1, 1]], divisor=4).weights().tolist()
        [[0.25, 0.25], [0.25, 0.25]]
        """
        weights: NDArray[Any] = self.taps / self.divisor
        return weights

    @cached_property
    def total(self) -> float:
        """Sum of the weights: the answer to a constant 1. Exactly 0.0 where only rounding keeps a kernel from summing to zero."""
        flat = self.taps.ravel().tolist()
        total = math.fsum(flat)
        if abs(total) <= ROUNDING * math.fsum(map(abs, flat)):
            return 0.0
        return total / self.divisor

    @cached_property
    def gain(self) -> float:
        """Sum of the positive weights: the largest answer to values from 0 to 1."""
        return math.fsum(w for w in self.weights().ravel().tolist() if w > 0)

    @cached_property
    def separable(self) -> bool:
        """Whether the taps are one column times one row (numerical rank 1); a kernel over channels never is.

        >>> Kernel("sobel_x", [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]).separable
        True
        """
        import numpy as np

        if self.taps.ndim != 2:
            return False
        row, column = np.unravel_index(np.argmax(np.abs(self.taps)), self.taps.shape)
        peak = self.taps[row, column]
        if peak == 0:
            return True
        product = np.outer(self.taps[:, column], self.taps[row] / peak)
        return bool(np.all(np.abs(product - self.taps) <= ROUNDING * abs(peak)))

    @cached_property
    def rank(self) -> int:
        """Numerical rank of the taps: how many column-times-row kernels add up to this one; 0 for a kernel over channels."""
        import numpy as np

        return int(np.linalg.matrix_rank(self.taps)) if self.taps.ndim == 2 else 0


@dataclass(frozen=True, eq=False)
class Bank:
    """Several kernels applied to one image, and how their maps r become one.

    `combine` is "none" (each map is an output), "hypot" sqrt(sum r**2), "max" of |r|, "sum" of |r|, or "projection"
    sqrt(sum of r**2 over the first `subspace` kernels / sum of r**2 over all), which lies between 0 and 1.

    Examples
    --------
    >>> Bank("pair", (Kernel("x", [[-1, 1]]), Kernel("y", [[-1], [1]])), "hypot").combine
    'hypot'
    """

    name: str
    kernels: tuple[Kernel, ...]
    combine: str = "none"
    range: str = "abs"
    description: str = ""
    source: str = ""
    tags: tuple[str, ...] = ()
    subspace: int = 0

    def __post_init__(self) -> None:
        if not self.kernels:
            raise UsageError(f"bank {self.name} has no kernels; give at least one")
        if self.combine not in CombineMode.names():
            raise UsageError(f"bank {self.name}: combine {self.combine!r} is unknown; use one of {', '.join(CombineMode.names())}")
        if self.range not in Range.names():
            raise UsageError(f"bank {self.name}: range {self.range!r} is unknown; use one of {', '.join(Range.names())}")
        if (self.combine == "projection") != (1 <= self.subspace <= len(self.kernels)):
            raise UsageError(f"bank {self.name}: subspace {self.subspace} must be from 1 to {len(self.kernels)}, and goes with projection")


def kernel_from_array(array: object, name: str = "matrix", divisor: float = 1.0) -> Kernel:
    """The kernel whose taps are a 2-D array: range clip, or abs where it sums to zero.

    Raises ArgumentTypeError for anything but real numbers, UsageError for another number of axes and for what `Kernel` refuses.

    Examples
    --------
    >>> kernel_from_array([[-1, 0, 1]]).range, kernel_from_array([[0, 1, 0]]).range
    ('abs', 'clip')
    """
    taps = _checked(array, name)
    if taps.ndim != 2:
        raise UsageError(f"kernel {name} has {taps.ndim} axes; give a 2-D array (height, width)")
    return kernel_of_taps(taps, name, divisor)


def kernel_of_taps(taps: NDArray[Any], name: str, divisor: float = 1.0, bias: float = 0.0) -> Kernel:
    """A kernel without a registry entry: range clip, or abs where it sums to zero; `taps` (kh, kw) or (C, kh, kw)."""
    kernel = Kernel(name, taps, divisor, bias=bias)
    return Kernel(name, taps, divisor, bias=bias, range="abs") if kernel.total == 0 else kernel


def _checked(array: object, name: str) -> NDArray[Any]:
    import numpy as np

    try:
        given = np.asarray(array)
    except ValueError:
        raise UsageError(f"kernel {name} is ragged; give every row the same number of entries") from None
    if given.dtype.kind not in "biuf":
        raise ArgumentTypeError(f"kernel {name} holds {given.dtype}; give real numbers")
    if given.ndim not in (2, 3):
        raise UsageError(f"kernel {name} has {given.ndim} axes; give (height, width), or (channels, height, width)")
    check_taps(given.shape, name)
    taps = np.array(given, dtype=np.float64, order="C")
    if not np.isfinite(taps).all():
        raise UsageError(f"kernel {name} holds NaN or infinity; every tap must be finite")
    taps.flags.writeable = False
    return taps


def check_taps(shape: tuple[int, ...], name: str) -> None:
    """Refuse a kernel of `shape` (..., kh, kw) that is empty or too large to be meant, before anything is allocated."""
    if 0 in shape:
        raise UsageError(f"kernel {name} is empty ({_by(shape)}); give at least one tap")
    if shape[-2] * shape[-1] > MAX_TAPS:
        raise UsageError(f"kernel {name} has {_by(shape[-2:])} taps; at most {MAX_TAPS} are allowed, use a smaller one")


def _by(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))


def of_one_size(kernels: Sequence[Kernel]) -> tuple[Kernel, ...]:
    """The kernels with zeros around their taps, so that all are as large as the largest, and their anchors lie on each other.

    Kernels of one size are left as they are.

    >>> x, y = of_one_size([Kernel("x", [[-1, 0, 1]]), Kernel("y", [[-1], [0], [1]])])
    >>> x.taps.tolist()
    [[0.0, 0.0, 0.0], [-1.0, 0.0, 1.0], [0.0, 0.0, 0.0]]
    """
    if len({kernel.kernel_size for kernel in kernels}) == 1:
        return tuple(kernels)
    before = [max(_reach(kernel)[axis][0] for kernel in kernels) for axis in (0, 1)]
    after = [max(_reach(kernel)[axis][1] for kernel in kernels) for axis in (0, 1)]
    return tuple(_grown(kernel, before, after) for kernel in kernels)


def _reach(kernel: Kernel) -> tuple[tuple[int, int], tuple[int, int]]:
    """Taps before and after the anchor, down and across."""
    height, width = kernel.kernel_size
    row, column = kernel.anchor if kernel.anchor is not None else ((height - 1) // 2, (width - 1) // 2)
    return (row, height - 1 - row), (column, width - 1 - column)


def _grown(kernel: Kernel, before: Sequence[int], after: Sequence[int]) -> Kernel:
    import numpy as np

    sides = [(b - reach[0], a - reach[1]) for b, a, reach in zip(before, after, _reach(kernel), strict=True)]
    taps = np.pad(kernel.taps, [(0, 0)] * (kernel.taps.ndim - 2) + sides)
    return replace(kernel, taps=taps, anchor=(before[0], before[1]))


def ring_cells(radius: int) -> list[tuple[int, int]]:
    """(row, column) offsets from the centre of the 8*radius cells at that distance, clockwise from the top left corner.

    >>> ring_cells(1)
    [(-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1)]
    """
    top = [(-radius, x) for x in range(-radius, radius)]
    right = [(y, radius) for y in range(-radius, radius)]
    return top + right + [(-y, -x) for y, x in top + right]


def rotated(taps: NDArray[Any], eighths: int) -> NDArray[Any]:
    """Rotate `taps`, an odd square, clockwise by `eighths` times 45 degrees.

    Multiples of two are exact quarter turns of the image; odd ones are the compass masks' ring rotation (Kirsch, 1971).

    >>> import numpy as np
    >>> rotated(np.array([[1, 1, 1], [0, 0, 0], [-1, -1, -1]]), 1).tolist()
    [[0, 1, 1], [-1, 0, 1], [-1, -1, 0]]
    """
    result = taps.copy()
    centre = taps.shape[0] // 2
    for radius in range(1, centre + 1):
        cells = ring_cells(radius)
        for position, (y, x) in enumerate(cells):
            to_y, to_x = cells[(position + eighths * radius) % len(cells)]
            result[centre + to_y, centre + to_x] = taps[centre + y, centre + x]
    return result
