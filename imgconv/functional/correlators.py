"""One kernel laid on padded rows of a picture, by the algorithm that suits it. Knows nothing of borders, ranges or alpha."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from imgconv.engine import store
from imgconv.engine.choose.pictures import Algorithm, KernelSize, algorithm_for
from imgconv.functional.finishing import Finishing
from imgconv.functional.laying import Correlator, Phases, running_dtype
from imgconv.functional.masks import Mask, Weights
from imgconv.loops.correlation import correlate_small, correlate_taps
from imgconv.window import Window

if TYPE_CHECKING:
    from imgconv.functional.factors import Factors

Array = NDArray[Any]
LEAST_FACTORED = 30  # taps below which nobody looks for factors


@dataclass(frozen=True, eq=False)
class Choice:
    """The algorithm for one kernel, and the factors that were found on the way."""

    algorithm: Algorithm
    factors: "Factors | None"


def choose(weights: Weights, window: Window) -> Choice:
    """How to lay `weights` on a picture: see `algorithm_for`."""
    taps, apart = weights.taps, weights.taps.ndim == 2
    found = None
    if apart and taps.size >= LEAST_FACTORED and min(taps.shape) > 1:
        from imgconv.functional.factors import factors  # these and the passes are not what a 3x3 kernel should wait for

        found = factors(taps, exact=weights.exact, single=not weights.finite)
    size = KernelSize(
        height=taps.shape[-2],
        width=taps.shape[-1],
        taps=int(np.count_nonzero(taps)) if weights.finite else taps.size,
        rank=len(found.down) if found else 0,
        equal=bool((taps == taps.flat[0]).all()),
        exact=weights.exact,
        small_sums=not weights.exact or weights.bound < 2**31,
        finite=weights.finite,
        apart=apart,
        stride=(window.stride[0], window.stride[1]),
        dilation=(window.dilation[0], window.dilation[1]),
    )
    return Choice(algorithm_for(size), found)


def algorithm_of(mask: Mask, window: Window, dtype: np.dtype[Any], channels: int, *, flip: bool = False) -> str:
    """How `mask` is laid on pictures of `dtype` and `channels`, in words: the algorithm, and what sums are kept in.

    >>> from types import SimpleNamespace as Kernel
    >>> smooth = Kernel(taps=np.ones((3, 3)), divisor=9, anchor=None)
    >>> algorithm_of(smooth, Window.of(3), np.dtype(np.uint8), channels=3)
    'small, int16'
    """
    weights = Weights.of(mask, dtype, channels, flip=flip)
    choice = choose(weights, window)
    kept = {"fourier": "float64", "running": str(running_dtype(weights))}.get(choice.algorithm, str(weights.accumulator))
    rank = f" of {len(choice.factors.down)}" if choice.algorithm == "factors" and choice.factors else ""
    return f"{choice.algorithm}{rank}, {kept}"


def correlator(weights: Weights, window: Window, channels: int) -> Correlator:
    """What lays `weights` on rows of `channels` interleaved values."""
    choice = choose(weights, window)
    if choice.algorithm == "small":
        return Small(weights, channels)
    if choice.algorithm == "taps":
        return Tapped(weights, window, channels)
    from imgconv.functional import passes

    if choice.algorithm == "running":
        return passes.Running(weights, channels)
    if choice.algorithm == "fourier" or choice.factors is None:
        return passes.Fourier(weights, channels)
    if choice.algorithm == "product":
        return passes.Product(weights, choice.factors, channels)
    return passes.Factored(weights, choice.factors, window, channels)


class Small(Correlator):
    """All taps of a 3x3 or 5x5 kernel at once, in registers."""

    in_place = True

    def __init__(self, weights: Weights, channels: int):
        self._weights = np.ascontiguousarray(weights.taps, weights.accumulator)
        self._height, self._width = weights.taps.shape
        self._channels = channels

    def fill(self, source: Array, target: Array, finishing: Finishing, left: int = 0) -> None:
        loop = store.loop(correlate_small, height=self._height, width=self._width, channels=self._channels, divided=finishing.divided)
        if len(target) > 1:
            loop(source, self._weights, finishing.parameters, target, left)
        else:  # the loop makes two rows at once
            twice = np.concatenate([target, target])
            loop(np.concatenate([source, source[-1:]]), self._weights, finishing.parameters, twice, left)
            target[:] = twice[:1]


class Tapped(Correlator):
    """Tap by tap: any kernel, stride and dilation."""

    def __init__(self, weights: Weights, window: Window, channels: int):
        self._stride = window.stride[0]
        self._phases = Phases.of(weights, window, channels)
        down, across = window.dilation
        channel, u, v = np.indices(weights.taps.shape if weights.taps.ndim == 3 else (1, *weights.taps.shape))
        rows, columns, taps = (u * down).ravel(), (v * across * channels + channel).ravel(), weights.taps.ravel()
        if weights.finite and taps.any():  # a zero tap matters only where a value may be NaN or infinite
            rows, columns, taps = rows[taps != 0], columns[taps != 0], taps[taps != 0]
        self._rows, self._columns = np.ascontiguousarray(rows), columns
        self._weights = taps.astype(weights.accumulator)

    def fill(self, source: Array, target: Array, finishing: Finishing, left: int = 0) -> None:
        source, columns = self._phases.apart(source, self._columns)
        sums = np.empty(target.shape[1], self._weights.dtype)
        loop = store.loop(correlate_taps, divided=finishing.divided)
        loop(source, self._rows, columns, self._weights, sums, finishing.parameters, target, self._stride)
