"""Kernel and Bank: weights with their divisor, offset, anchor and range.

Numpy is imported when a kernel is built, so that listing names is fast.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from imgconv.display.displayable import Displayable
from imgconv.display.parts import facts, numbers, text
from imgconv.errors import ArgumentTypeError, UsageError
from imgconv.modes import CombineMode, Range
from imgconv.platforms import cached_property
from imgconv.registry.matrices import MAX_TAPS
from imgconv.window import shape_text

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

    from imgconv.arrays import Array
    from imgconv.display.parts import Part

LARGEST_SHOWN = 64  # taps along a side; a larger table is not readable
ROUNDING = 1e-12  # relative to the largest tap; smaller sums and products are rounding errors of a formula


@dataclass(frozen=True, eq=False)
class Kernel(Displayable):
    """The weights of a correlation: an output value is the sum of taps * input values / divisor + offset.

    Parameters
    ----------
    name : the name in the registry, or a slug of the reference.
    taps : (kh, kw) float64, or (C, kh, kw) if the kernel also sums over C channels; not divided, so that integers stay exact.
    divisor : the sum is divided by it, last.
    offset : added after the division, in levels of an 8-bit image.
    anchor : (row, column) of the tap at the position of the output pixel; None is ((kh-1)//2, (kw-1)//2).
    range : the default conversion of signed results to pixels: clip, abs, offset, minmax or raw.
    bias : added to each output map, as the bias of a layer (weight files only).

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
    taps: Array
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
            raise UsageError(f"kernel {self.name}: anchor {self.anchor} is outside of its {shape_text(self.taps.shape[-2:])} taps")

    def _summable(self) -> bool:
        import numpy as np

        with np.errstate(over="ignore"):
            return bool(np.isfinite(np.abs(self.taps).sum() / abs(self.divisor)))

    @property
    def kernel_size(self) -> tuple[int, int]:
        """Height and width in taps."""
        height, width = self.taps.shape[-2:]
        return height, width

    def weights(self) -> Array:
        """The taps divided by the divisor, float64, in the shape of `taps`.

        >>> Kernel("box", [[1, 1], [1, 1]], divisor=4).weights().tolist()
        [[0.25, 0.25], [0.25, 0.25]]
        """
        weights: Array = self.taps / self.divisor
        return weights

    @cached_property
    def total(self) -> float:
        """The sum of the weights, which is the output for a constant input of 1; exactly 0.0 if it differs from zero by rounding only."""
        flat = self.taps.ravel().tolist()
        total = math.fsum(flat)
        if abs(total) <= ROUNDING * math.fsum(map(abs, flat)):
            return 0.0
        return total / self.divisor

    @cached_property
    def gain(self) -> float:
        """The sum of the positive weights, which is the largest output for inputs from 0 to 1."""
        return math.fsum(w for w in self.weights().ravel().tolist() if w > 0)

    @cached_property
    def separable(self) -> bool:
        """Whether the taps are the outer product of a column and a row (numerical rank 1); False for a kernel over channels.

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
        """The numerical rank of the taps, which is the number of separable kernels whose sum is this one; 0 for a kernel over channels."""
        import numpy as np

        return int(np.linalg.matrix_rank(self.taps)) if self.taps.ndim == 2 else 0

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> Array:
        """Return `weights()`, so that `imgconv.conv2d` and numpy take a kernel as an array."""
        return _converted(self.weights(), dtype, copy)

    def as_json(self) -> dict[str, Any]:
        """Return the taps and their properties as JSON values."""
        numbers = {"taps": self.taps.tolist(), "divisor": self.divisor, "offset": self.offset, "bias": self.bias, "anchor": self.anchor}
        sums = {"sum": self.total, "gain": self.gain, "separable": self.separable, "rank": self.rank}
        return {**_described("kernel", self), **numbers, **sums}

    def parts(self) -> Iterator[Part]:
        """Yield the table of the taps, coloured by sign, and that of the properties that follow from them."""
        yield from (*_taps(self), facts(_about(self)))


@dataclass(frozen=True, eq=False)
class Bank(Displayable):
    """Several kernels that are applied to one image, and how their maps r are combined.

    `combine` is "none" (each map is an output), "hypot" sqrt(sum r**2), "max" of |r|, "sum" of |r|, or "projection"
    sqrt(sum of r**2 over the first `subspace` kernels / sum of r**2 over all), which is between 0 and 1.

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

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> Array:
        """Return the weights of all kernels, (K, kh, kw) or (K, C, kh, kw), smaller ones padded with zeros around their anchors."""
        import numpy as np

        return _converted(np.stack([kernel.weights() for kernel in of_one_size(self.kernels)]), dtype, copy)

    def as_json(self) -> dict[str, Any]:
        """Return how the maps are combined, and all kernels, as JSON values."""
        kernels = [kernel.as_json() for kernel in self.kernels]
        return {**_described("bank", self), "combine": self.combine, "subspace": self.subspace, "kernels": kernels}

    def parts(self) -> Iterator[Part]:
        """Yield how the maps are combined, and the tables of all kernels."""
        share = f", the first {self.subspace} against all" if self.combine == "projection" else ""
        yield from (text(self.name, style="bold"), facts({"combine": f"{self.combine}{share}", **_about(self)}))
        for kernel in self.kernels:
            yield from (text(), *_taps(kernel))


def _described(kind: str, shown: Kernel | Bank) -> dict[str, Any]:
    about = {"name": shown.name, "kind": kind, "range": shown.range, "description": shown.description}
    return {**about, "source": shown.source, "tags": shown.tags}


def _converted(weights: Array, dtype: DTypeLike | None, copy: bool | None) -> Array:
    """Return new weights as numpy's protocol `__array__` requires them."""
    if copy is False:
        raise ValueError("an array of the weights of a kernel is always a copy; leave out copy=False")
    return weights if dtype is None else weights.astype(dtype)


def kernel_from_array(array: object, name: str = "matrix", divisor: float = 1.0) -> Kernel:
    """Return the kernel with these taps: range clip, or abs if they sum to zero.

    Raises ArgumentTypeError for anything but real numbers, UsageError for an array that is not 2-D and in the cases of `Kernel`.

    Examples
    --------
    >>> kernel_from_array([[-1, 0, 1]]).range, kernel_from_array([[0, 1, 0]]).range
    ('abs', 'clip')
    """
    taps = _checked(array, name)
    if taps.ndim != 2:
        raise UsageError(f"kernel {name} has {taps.ndim} axes; give a 2-D array (height, width)")
    return kernel_of_taps(taps, name, divisor)


def kernel_of_taps(taps: Array, name: str, divisor: float = 1.0, bias: float = 0.0) -> Kernel:
    """Return the kernel with these taps, (kh, kw) or (C, kh, kw): range clip, or abs if they sum to zero."""
    kernel = Kernel(name, taps, divisor, bias=bias)
    return Kernel(name, taps, divisor, bias=bias, range="abs") if kernel.total == 0 else kernel


def _checked(array: object, name: str) -> Array:
    import numpy as np

    from imgconv.arrays import as_array

    try:
        raw = np.asarray(array if (converted := as_array(array, f"kernel {name}")) is None else converted)
    except ValueError:
        raise UsageError(f"kernel {name} is ragged; give every row the same number of entries") from None
    if raw.dtype.kind not in "biuf":
        raise ArgumentTypeError(f"kernel {name} holds {raw.dtype}; give real numbers")
    if raw.ndim not in (2, 3):
        raise UsageError(f"kernel {name} has {raw.ndim} axes; give (height, width), or (channels, height, width)")
    check_taps(raw.shape, name)
    taps = np.array(raw, dtype=np.float64, order="C")
    if not np.isfinite(taps).all():
        raise UsageError(f"kernel {name} holds NaN or infinity; every tap must be finite")
    taps.flags.writeable = False
    return taps


def check_taps(shape: tuple[int, ...], name: str) -> None:
    """Raise UsageError for a kernel of `shape` (..., kh, kw) that is empty or too large, before it is allocated."""
    if 0 in shape:
        raise UsageError(f"kernel {name} is empty ({shape_text(shape)}); give at least one tap")
    if shape[-2] * shape[-1] > MAX_TAPS:
        raise UsageError(f"kernel {name} has {shape_text(shape[-2:])} taps; at most {MAX_TAPS} are allowed, use a smaller one")


def of_one_size(kernels: Sequence[Kernel]) -> tuple[Kernel, ...]:
    """Pad kernels with zeros to one size, with their anchors at the same position, so that their maps can be combined.

    Kernels that already have the same size do not change.

    >>> x, y = of_one_size([Kernel("x", [[-1, 0, 1]]), Kernel("y", [[-1], [0], [1]])])
    >>> x.taps.tolist()
    [[0.0, 0.0, 0.0], [-1.0, 0.0, 1.0], [0.0, 0.0, 0.0]]
    """
    if len({kernel.kernel_size for kernel in kernels}) == 1:
        return tuple(kernels)
    before = [max(_extent(kernel)[axis][0] for kernel in kernels) for axis in (0, 1)]
    after = [max(_extent(kernel)[axis][1] for kernel in kernels) for axis in (0, 1)]
    return tuple(_padded(kernel, before, after) for kernel in kernels)


def _extent(kernel: Kernel) -> tuple[tuple[int, int], tuple[int, int]]:
    """Taps before and after the anchor, down and across."""
    height, width = kernel.kernel_size
    row, column = kernel.anchor if kernel.anchor is not None else ((height - 1) // 2, (width - 1) // 2)
    return (row, height - 1 - row), (column, width - 1 - column)


def _padded(kernel: Kernel, before: Sequence[int], after: Sequence[int]) -> Kernel:
    import numpy as np

    sides = [(b - extent[0], a - extent[1]) for b, a, extent in zip(before, after, _extent(kernel), strict=True)]
    taps = np.pad(kernel.taps, [(0, 0)] * (kernel.taps.ndim - 2) + sides)
    return replace(kernel, taps=taps, anchor=(before[0], before[1]))


def ring_cells(radius: int) -> list[tuple[int, int]]:
    """Return the (row, column) offsets of the 8*radius cells at that distance from the centre, clockwise from the top left corner.

    >>> ring_cells(1)
    [(-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1)]
    """
    top = [(-radius, x) for x in range(-radius, radius)]
    right = [(y, radius) for y in range(-radius, radius)]
    return top + right + [(-y, -x) for y, x in top + right]


def rotated(taps: Array, eighths: int) -> Array:
    """Rotate `taps`, an odd square, clockwise by `eighths` times 45 degrees.

    Each square ring of taps is shifted by an eighth of its length per 45 degrees. Multiples of 90 degrees are exact rotations;
    the others are the ring rotation of compass masks (Kirsch, 1971).

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


def _taps(kernel: Kernel) -> Iterator[Part]:
    yield text(kernel.name, style="bold")
    for plane in [kernel.taps] if kernel.taps.ndim == 2 else kernel.taps:
        if max(plane.shape) <= LARGEST_SHOWN:
            yield numbers(plane, "{:.6g}".format)
        else:
            yield text(f"more than {LARGEST_SHOWN} taps along a side; --json lists them", style="dim")
    yield facts(_properties(kernel))


def _properties(kernel: Kernel) -> dict[str, str]:
    height, width = kernel.kernel_size
    shape = f"{height}x{width}" + (f" over {len(kernel.taps)} channels" if kernel.taps.ndim == 3 else "")
    properties = {"size": shape, "sum": f"{kernel.total:.10g}", "gain": f"{kernel.gain:.10g}", "divisor": f"{kernel.divisor:.10g}"}
    if kernel.offset:
        properties["offset"] = f"{kernel.offset:.10g} of 255"
    if kernel.bias:
        properties["bias"] = f"{kernel.bias:.10g}"
    if kernel.anchor is not None:
        properties["anchor"] = f"row {kernel.anchor[0]}, column {kernel.anchor[1]}"
    if kernel.taps.ndim == 2:
        properties["separable"] = "yes, rank 1" if kernel.separable else f"no, rank {kernel.rank}"
    return properties


def _about(shown: Kernel | Bank) -> dict[str, str]:
    about = {"range": shown.range, "about": shown.description, "source": shown.source, "tags": ", ".join(shown.tags)}
    return {key: value for key, value in about.items() if value}
