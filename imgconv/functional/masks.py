"""A kernel made ready for one picture: which row elements it reads, with which weights, in which accumulator."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from imgconv.errors import DoesNotFit
from imgconv.window import Window


class Mask(Protocol):
    """What a kernel has to say: `taps` (kh, kw) or, summing over channels, (C, kh, kw), and what comes after the sum.

    `offset` is in 8-bit levels, scaled to the picture's depth; `bias` is added as it is.
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
class TapTable:
    """Taps of a mask as parallel arrays for `correlate_taps`; `columns` are row elements, `weights` have the accumulator's type."""

    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    weights: NDArray[Any]
    channels_out: int
    step: int


def tap_table(mask: Mask, window: Window, channels: int, dtype: np.dtype[np.generic], *, flip: bool = False) -> TapTable:
    """The taps of `mask` laid on rows of `channels` interleaved values of `dtype`.

    A 2-D mask keeps the channels apart; a 3-D one needs as many channels as the picture has and sums over them.
    """
    taps = mask.taps[..., ::-1, ::-1] if flip else mask.taps
    summing = taps.ndim == 3
    if summing and taps.shape[0] != channels:
        raise DoesNotFit(
            f"weights for {taps.shape[0]} channels do not fit a picture of {channels}; use --grey or --color, or other weights"
        )
    down, across = window.dilation
    c, u, v = np.indices(taps.shape if summing else (1, *taps.shape))
    rows, columns, weights = (u * down).ravel(), (v * across * channels + c).ravel(), taps.ravel()
    if dtype.kind == "u":  # a zero tap matters only where a value may be NaN or infinite
        used = weights != 0
        rows, columns, weights = rows[used], columns[used], weights[used]
    stride = window.stride[1]
    return TapTable(
        np.ascontiguousarray(rows),
        np.ascontiguousarray(columns),
        weights.astype(accumulator(taps, dtype)),
        1 if summing else channels,
        stride * channels,
    )


def accumulator(taps: NDArray[np.float64], dtype: np.dtype[np.generic]) -> type[np.generic]:
    """The type that sums of `taps` over values of `dtype` are kept in: exact for whole taps over whole values.

    Whole taps over whole values are bounded by sum|k| times the largest value; the smallest of int32 and float64 that holds the
    bound is used. Anything else is summed in float32, or float64 for float64 pictures.
    """
    if dtype == np.float64:
        return np.float64
    if dtype.kind == "u" and bool(np.all(taps == np.rint(taps))):
        bound = float(np.abs(taps).sum()) * np.iinfo(dtype).max  # type: ignore[type-var]
        return np.int32 if bound < 2**31 else np.float64
    return np.float32


def pads_of(mask: Mask, window: Window, size: Sequence[int], *, flip: bool = False) -> tuple[tuple[int, int], tuple[int, int]]:
    """Cells ((top, bottom), (left, right)) around a picture of `size`; `same` puts the mask's anchor on the pixel."""
    (top, bottom), (left, right) = window.pads(size)
    if window.padding == "same" and mask.anchor is not None:
        kernel = mask.taps.shape[-2:]
        anchor = [k - 1 - a for k, a in zip(kernel, mask.anchor, strict=True)] if flip else mask.anchor
        down, across = ((a - (k - 1) // 2) * d for a, k, d in zip(anchor, kernel, window.dilation, strict=True))
        top, bottom, left, right = (max(p, 0) for p in (top + down, bottom - down, left + across, right - across))
    return (top, bottom), (left, right)
