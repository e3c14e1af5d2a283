"""Least squares over the windows of images, and the rationalisation of the weights.

The normal equations are summed strip by strip, so a whole image is never unfolded.
"""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from imgconv.functional import unfold

Weights = NDArray[np.float64]
RCOND = 1e-14  # relative to the largest eigenvalue: smaller ones are rounding errors
STRIP_CELLS = 1 << 20  # unfolded cells at a time: 8 megabytes
LARGEST_DIVISOR = 1024
SLACK = 5e-4  # the relative error that a simpler kernel may add, apart from the share that free weights explain by chance
FLOOR = 2e-6  # relative to the range of levels: smaller errors count as none


@dataclass
class NormalEquations:
    """The normal equations of y = weight . window + offset, for outputs that share their windows.

    `gram` (F+1, F+1), `moment` (F+1, O) and `squares` (O,) are sums over `count` windows of F = C*kh*kw cells and a constant 1. `middle`
    is subtracted from all values, which prevents cancellation between large sums.
    """

    channels: int
    kernel_size: tuple[int, int]
    outputs: int
    middle: float
    count: int = 0
    gram: Weights = field(init=False)
    moment: Weights = field(init=False)
    squares: Weights = field(init=False)

    def __post_init__(self) -> None:
        features = self.channels * self.kernel_size[0] * self.kernel_size[1] + 1
        self.gram, self.moment = np.zeros((features, features)), np.zeros((features, self.outputs))
        self.squares = np.zeros(self.outputs)

    def add(self, input: NDArray[Any], output: NDArray[Any], usable: NDArray[np.bool_]) -> None:
        """Add every window of `input` (C, H, W) with its `output` (O, h_out, w_out) where `usable` (h_out, w_out) is true."""
        rows, columns = usable.shape
        reach = self.kernel_size[0] - 1
        step = max(STRIP_CELLS // (len(self.gram) * columns), 1)
        for first in range(0, rows, step):
            last = min(first + step, rows)
            mask = usable[first:last].ravel()
            cells = input[:, first : last + reach].astype(np.float64) - self.middle
            windows = np.asarray(unfold(cells, self.kernel_size), np.float64)[:, mask]
            windows = np.concatenate([windows, np.ones((1, windows.shape[1]))])
            values = output[:, first:last].reshape(self.outputs, -1)[:, mask].astype(np.float64) - self.middle
            self.gram += windows @ windows.T
            self.moment += windows @ values.T
            self.squares += np.square(values).sum(axis=1)
            self.count += windows.shape[1]

    def solve(self) -> Weights:
        """Return the weights (F+1, O) of the least squared error; the last row is the offset."""
        scale = self._scale()
        scaled = np.linalg.lstsq(self.gram / np.outer(scale, scale), self.moment / scale[:, None], rcond=RCOND)[0]
        return np.asarray(scaled / scale[:, None])

    @property
    def determined(self) -> bool:
        """Whether the windows determine every weight."""
        scale = self._scale()
        eigenvalues = np.linalg.eigvalsh(self.gram / np.outer(scale, scale))
        return bool(eigenvalues[0] > 1e3 * RCOND * eigenvalues[-1])

    def _scale(self) -> Weights:
        return np.asarray(np.sqrt(np.maximum(np.diag(self.gram), np.finfo(float).tiny)))

    def with_best_offset(self, weights: Weights) -> Weights:
        """Return `weights` (F, O) with the offset of the least squared error, (F+1, O)."""
        means = (self.moment[-1] - self.gram[-1, :-1] @ weights) / self.count
        return np.concatenate([weights, means[None]])

    def offset(self, weights: Weights) -> Weights:
        """Return the offset of `weights` (F+1, O) in levels above black, (O,)."""
        return np.asarray(weights[-1] + self.middle * (1 - weights[:-1].sum(axis=0)))

    def rms(self, weights: Weights) -> Weights:
        """Return the root mean squared error of `weights` (F+1, O) for each output."""
        fitted = np.einsum("fo,fg,go->o", weights, self.gram, weights)
        errors = self.squares - 2 * (weights * self.moment).sum(axis=0) + fitted
        return np.asarray(np.sqrt(np.maximum(errors, 0) / self.count))

    def spread(self) -> Weights:
        """Return the standard deviation of each output."""
        means = self.moment[-1] / self.count
        return np.asarray(np.sqrt(np.maximum(self.squares / self.count - means**2, 0)))


class SimpleWeights(NamedTuple):
    """Integer `taps` (F, O) over one `divisor`, and the same as `weights` (F+1, O) with their offset."""

    taps: Weights
    divisor: int
    weights: Weights


def rationalise(equations: NormalEquations, weights: Weights, max_value: float) -> SimpleWeights | None:
    """Return the smallest divisor with integer taps that explain the images as well as `weights` (F+1, O), or None.

    All outputs share the divisor. The offset is rounded if that is as good. `max_value` is the largest value of the outputs.
    """
    chance = len(weights) / equations.count
    most = (1 + SLACK + chance) * equations.rms(weights) + FLOOR * max_value
    for divisor in range(1, LARGEST_DIVISOR + 1):
        taps = np.rint(weights[:-1] * divisor) + 0.0
        simple = equations.with_best_offset(taps / divisor)
        if taps.any() and (equations.rms(simple) <= most).all():
            rounded = simple.copy()
            rounded[-1] = np.rint(equations.offset(simple)) - equations.offset(simple) + simple[-1]
            return SimpleWeights(taps, divisor, rounded if (equations.rms(rounded) <= most).all() else simple)
    return None
