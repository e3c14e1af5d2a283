"""A kernel made ready for one kind of image: its taps as numbers to reckon with, and the cells around the image."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from imgconv.errors import DoesNotFit
from imgconv.window import Window

FLOAT32_EXACT = 2**24  # up to here float32 holds every whole number
FLOAT32_FAR = 1e30
SNAP = 1e-12  # quotients of taps this close to a whole number are taken for one


class Mask(Protocol):
    """What a kernel has to say: `taps` (kh, kw) or, summing over channels, (C, kh, kw), and what comes after the sum.

    `offset` is in 8-bit levels, scaled to the image's depth; `bias` is added as it is.
    """

    @property
    def taps(self) -> NDArray[np.float64]: ...
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
    """Taps and what their sums are kept in, for values of one dtype.

    `exact`: whole taps over whole values, no sum above `bound`, so that no sum is ever rounded. `finite`: values are whole numbers,
    never NaN or infinite. Sums are then divided by `divisor`.
    """

    taps: NDArray[np.float64]
    divisor: float
    accumulator: np.dtype[Any]
    exact: bool
    finite: bool
    bound: float

    @classmethod
    def of(cls, mask: Mask, dtype: np.dtype[Any], channels: int, *, flip: bool = False) -> "Weights":
        """The weights of `mask` over images of `channels` and `dtype`; raises DoesNotFit for taps of other channels."""
        taps = np.asarray(mask.taps[..., ::-1, ::-1] if flip else mask.taps, np.float64)
        if taps.ndim == 3 and taps.shape[0] != channels:
            raise DoesNotFit(
                f"weights for {taps.shape[0]} channels do not fit an image of {channels}; use --grey or --color, or other weights"
            )
        finite = dtype.kind == "u"
        largest = float(np.iinfo(dtype).max) if finite else 1.0
        divisor = float(mask.divisor)
        if finite:
            taps, divisor = _whole(taps, divisor, FLOAT32_EXACT / largest)
        bound = float(np.abs(taps).sum()) * largest
        exact = finite and np.array_equal(taps, np.rint(taps))
        return cls(taps, divisor, accumulator(bound, divisor, dtype, exact=exact), exact, finite, bound)


def accumulator(bound: float, divisor: float, dtype: np.dtype[Any], *, exact: bool) -> np.dtype[Any]:
    """What sums are kept in: for exact ones the quickest type that holds all whole numbers up to `bound`.

    Anything else is summed in float32, or in float64 for float64 values and for sums or divisors near the ends of float32.
    """
    if exact:
        for name, most in (("int16", 2**15), ("float32", FLOAT32_EXACT), ("int32", 2**31)):
            if bound < most:
                return np.dtype(name)
    held = all(size == 0 or 1 / FLOAT32_FAR < size < FLOAT32_FAR for size in (bound, abs(divisor)))
    single = held and not exact and dtype != np.float64
    return np.dtype(np.float32 if single else np.float64)


def _whole(taps: NDArray[np.float64], divisor: float, most: float) -> tuple[NDArray[np.float64], float]:
    """Whole taps and a larger divisor for taps that are multiples of the smallest one (1/9, or 1/16 and 2/16), else both as given."""
    sizes = np.abs(taps)
    if np.array_equal(taps, np.rint(taps)) or not sizes.any():
        return taps, divisor
    unit = float(sizes[sizes > 0].min())
    if float(sizes.sum()) >= most * unit:
        return taps, divisor
    whole = np.rint(taps / unit)
    if np.abs(whole - taps / unit).max() > SNAP:
        return taps, divisor
    scaled = divisor / unit
    near = float(np.rint(scaled))
    return whole, near if near and abs(scaled - near) <= SNAP * abs(near) else scaled


def pads_of(mask: Mask, window: Window, size: Sequence[int], *, flip: bool = False) -> tuple[tuple[int, int], tuple[int, int]]:
    """Cells ((top, bottom), (left, right)) around an image of `size`; `same` puts the mask's anchor on the pixel."""
    (top, bottom), (left, right) = window.pads(size)
    if window.padding == "same" and mask.anchor is not None:
        anchor, kernel = anchor_of(mask, flip=flip), mask.taps.shape[-2:]
        down, across = ((a - (k - 1) // 2) * d for a, k, d in zip(anchor, kernel, window.dilation, strict=True))
        top, bottom, left, right = (max(p, 0) for p in (top + down, bottom - down, left + across, right - across))
    return (top, bottom), (left, right)


def anchor_of(mask: Mask, *, flip: bool = False) -> tuple[int, int]:
    """Row and column of the tap that is laid on the pixel: the mask's own, which turns with it, or ((kh-1)//2, (kw-1)//2)."""
    height, width = mask.taps.shape[-2:]
    if mask.anchor is None:
        return (height - 1) // 2, (width - 1) // 2
    row, column = mask.anchor
    return (height - 1 - row, width - 1 - column) if flip else (row, column)
