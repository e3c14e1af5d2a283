"""The weights of a kernel for images of one dtype: taps, divisor and the type of their sums; and the padding around an image."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from imgconv.errors import DoesNotFit
from imgconv.window import Window

Taps = NDArray[np.float64]
FLOAT32_EXACT, FLOAT64_EXACT = 2**24, 2**53  # float32 and float64 represent every whole number up to here
FLOAT32_LIMIT = 1e30
SNAP = 1e-12  # quotients of taps this close to a whole number count as whole


class FilterKernel(Protocol):
    """A kernel: `taps` (kh, kw) or, summing over channels, (C, kh, kw), and what follows the sum.

    `offset` is in 8-bit levels, scaled to the image's depth; `bias` is added as it is.
    """

    @property
    def taps(self) -> Taps: ...
    @property
    def divisor(self) -> float: ...
    @property
    def offset(self) -> float: ...
    @property
    def bias(self) -> float: ...
    @property
    def anchor(self) -> tuple[int, int] | None: ...


@dataclass(frozen=True, eq=False)
class Weights:
    """Taps and the accumulator of their sums, for values of one dtype.

    `exact`: whole taps over whole values, with no sum above `bound`, so that no sum is rounded. `finite`: values are whole numbers,
    never NaN or infinite. Sums are then divided by `divisor`.
    """

    taps: Taps
    divisor: float
    accumulator: np.dtype[Any]
    exact: bool
    finite: bool
    bound: float

    @classmethod
    def of(cls, kernel: FilterKernel, dtype: np.dtype[Any], channels: int, *, flip: bool = False) -> "Weights":
        """The weights of `kernel` over images of `channels` and `dtype`; raises DoesNotFit for taps of other channels."""
        taps = np.asarray(kernel.taps[..., ::-1, ::-1] if flip else kernel.taps, np.float64)
        if taps.ndim == 3 and taps.shape[0] != channels:
            raise DoesNotFit(
                f"weights for {taps.shape[0]} channels do not fit an image of {channels}; use --grey or --color, or other weights"
            )
        finite = dtype.kind == "u"
        largest = float(np.iinfo(dtype).max) if finite else 1.0
        divisor = float(kernel.divisor)
        if finite:
            taps, divisor = _as_whole(taps, divisor, (FLOAT32_EXACT if dtype.itemsize < 4 else FLOAT64_EXACT) / largest)
        bound = float(np.abs(taps).sum()) * largest
        exact = finite and np.array_equal(taps, np.rint(taps))
        return cls(taps, divisor, _accumulator(bound, divisor, dtype, exact=exact), exact, finite, bound)

    def over_mask(self) -> "Weights":
        """The same taps for values of 0 and 1. Sums that are rounded have the same type, so that they are rounded in the same way."""
        bound = float(np.abs(self.taps).sum())
        return replace(self, bound=bound, accumulator=_accumulator(bound, 1, np.dtype(np.uint8), exact=True)) if self.exact else self


def _accumulator(bound: float, divisor: float, dtype: np.dtype[Any], *, exact: bool) -> np.dtype[Any]:
    """The type of sums: for exact ones the fastest that represents all whole numbers up to `bound`.

    Other sums are float32, or float64 for values of more than 24 bits and for sums or divisors near the limits of float32.
    """
    if exact:
        for name, limit in (("int16", 2**15), ("float32", FLOAT32_EXACT), ("int32", 2**31)):
            if bound < limit:
                return np.dtype(name)
    in_range = all(size == 0 or 1 / FLOAT32_LIMIT < size < FLOAT32_LIMIT for size in (bound, abs(divisor)))
    single = in_range and not exact and dtype not in (np.float64, np.uint32)
    return np.dtype(np.float32 if single else np.float64)


def _as_whole(taps: Taps, divisor: float, limit: float) -> tuple[Taps, float]:
    """Whole taps and a larger divisor for multiples of the smallest tap (1/9, or 1/16 and 2/16), else both unchanged."""
    sizes = np.abs(taps)
    if np.array_equal(taps, np.rint(taps)) or not sizes.any():
        return taps, divisor
    unit = float(sizes[sizes > 0].min())
    if float(sizes.sum()) >= limit * unit:
        return taps, divisor
    whole = np.rint(taps / unit)
    if np.abs(whole - taps / unit).max() > SNAP:
        return taps, divisor
    scaled = divisor / unit
    near = float(np.rint(scaled))
    return whole, near if near and abs(scaled - near) <= SNAP * abs(near) else scaled


def pads_of(kernel: FilterKernel, window: Window, size: Sequence[int], *, flip: bool = False) -> tuple[tuple[int, int], tuple[int, int]]:
    """Cells ((top, bottom), (left, right)) around an image of `size`; `same` puts the kernel's anchor on the pixel."""
    (top, bottom), (left, right) = window.pads(size)
    if window.padding == "same" and kernel.anchor is not None:
        anchor, shape = anchor_of(kernel, flip=flip), kernel.taps.shape[-2:]
        down, across = (a * d - (k - 1) * d // 2 for a, k, d in zip(anchor, shape, window.dilation, strict=True))
        top, bottom, left, right = (max(p, 0) for p in (top + down, bottom - down, left + across, right - across))
    return (top, bottom), (left, right)


def anchor_of(kernel: FilterKernel, *, flip: bool = False) -> tuple[int, int]:
    """Row and column of the tap on the output pixel: the kernel's anchor, flipped with it, or ((kh-1)//2, (kw-1)//2)."""
    height, width = kernel.taps.shape[-2:]
    if kernel.anchor is None:
        return (height - 1) // 2, (width - 1) // 2
    row, column = kernel.anchor
    return (height - 1 - row, width - 1 - column) if flip else (row, column)
