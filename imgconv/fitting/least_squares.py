"""Least squares over the windows of images, gathered strip by strip into small matrices, so that no image is ever unfolded whole.

Learnt weights as the simple fractions that explain an image as well.
"""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from imgconv.functional import unfold

Numbers = NDArray[np.float64]
SMALLEST = 1e-14  # of the largest direction of the windows: what is less is rounding
STRIP_CELLS = 1 << 20  # unfolded cells at a time: 8 megabytes


@dataclass
class Equations:
    """The normal equations of y = weight . window + offset, for outputs that share their windows.

    `gram` (F+1, F+1), `moment` (F+1, O) and `squares` (O,) are sums over `count` windows of F = C*kh*kw cells and a constant 1.
    Values are counted from `middle`, which keeps digits that the subtraction of large sums would lose.
    """

    channels: int
    kernel_size: tuple[int, int]
    outputs: int
    middle: float
    count: int = 0
    gram: Numbers = field(init=False)
    moment: Numbers = field(init=False)
    squares: Numbers = field(init=False)

    def __post_init__(self) -> None:
        features = self.channels * self.kernel_size[0] * self.kernel_size[1] + 1
        self.gram, self.moment = np.zeros((features, features)), np.zeros((features, self.outputs))
        self.squares = np.zeros(self.outputs)

    def add(self, input: NDArray[Any], output: NDArray[Any], usable: NDArray[np.bool_]) -> None:
        """Take in every window of `input` (C, H, W) with its `output` (O, h_out, w_out) where `usable` (h_out, w_out)."""
        rows, columns = usable.shape
        reach = self.kernel_size[0] - 1
        step = max(STRIP_CELLS // (len(self.gram) * columns), 1)
        for first in range(0, rows, step):
            last = min(first + step, rows)
            wanted = usable[first:last].ravel()
            cells = input[:, first : last + reach].astype(np.float64) - self.middle
            windows = unfold(cells, self.kernel_size)[:, wanted]
            windows = np.concatenate([windows, np.ones((1, windows.shape[1]))])
            values = output[:, first:last].reshape(self.outputs, -1)[:, wanted].astype(np.float64) - self.middle
            self.gram += windows @ windows.T
            self.moment += windows @ values.T
            self.squares += np.square(values).sum(axis=1)
            self.count += windows.shape[1]

    def solve(self) -> Numbers:
        """The weights (F+1, O), the last row the offset, that leave the least squares."""
        scale = self._scale()
        scaled = np.linalg.lstsq(self.gram / np.outer(scale, scale), self.moment / scale[:, None], rcond=SMALLEST)[0]
        return np.asarray(scaled / scale[:, None])

    @property
    def determined(self) -> bool:
        """Whether the windows differ enough for every weight to have a say of its own."""
        scale = self._scale()
        sizes = np.linalg.eigvalsh(self.gram / np.outer(scale, scale))
        return bool(sizes[0] > 1e3 * SMALLEST * sizes[-1])

    def _scale(self) -> Numbers:
        return np.asarray(np.sqrt(np.maximum(np.diag(self.gram), np.finfo(float).tiny)))

    def with_best_offset(self, weights: Numbers) -> Numbers:
        """`weights` (F, O) with the offset that suits them best, (F+1, O)."""
        means = (self.moment[-1] - self.gram[-1, :-1] @ weights) / self.count
        return np.concatenate([weights, means[None]])

    def offset(self, weights: Numbers) -> Numbers:
        """What `weights` (F+1, O) add in levels counted from black, (O,)."""
        return np.asarray(weights[-1] + self.middle * (1 - weights[:-1].sum(axis=0)))

    def rms(self, weights: Numbers) -> Numbers:
        """The root of the mean squared error of `weights` (F+1, O), for each output."""
        fitted = np.einsum("fo,fg,go->o", weights, self.gram, weights)
        errors = self.squares - 2 * (weights * self.moment).sum(axis=0) + fitted
        return np.asarray(np.sqrt(np.maximum(errors, 0) / self.count))

    def spread(self) -> Numbers:
        """The standard deviation of each output."""
        means = self.moment[-1] / self.count
        return np.asarray(np.sqrt(np.maximum(self.squares / self.count - means**2, 0)))


LARGEST_DIVISOR = 1024
SLACK = 5e-4  # of the error of the free weights that a simpler kernel may add, besides what chance makes of as many free weights
FLOOR = 2e-6  # of the range of levels: what counts as no error at all


class Simple(NamedTuple):
    """Whole `taps` (F, O) over one `divisor`, and the `weights` (F+1, O) that they are, with their offset."""

    taps: Numbers
    divisor: int
    weights: Numbers


def simple_fractions(equations: Equations, weights: Numbers, levels: float) -> Simple | None:
    """The smallest divisor over which whole taps explain the images as well as `weights` (F+1, O); None where there is none.

    `levels` is the range of the outputs, from black to white. All outputs share the divisor. A whole offset is taken where it does.
    """
    chance = len(weights) / equations.count
    most = (1 + SLACK + chance) * equations.rms(weights) + FLOOR * levels
    for divisor in range(1, LARGEST_DIVISOR + 1):
        taps = np.rint(weights[:-1] * divisor) + 0.0
        simple = equations.with_best_offset(taps / divisor)
        if taps.any() and (equations.rms(simple) <= most).all():
            whole = simple.copy()
            whole[-1] = np.rint(equations.offset(simple)) - equations.offset(simple) + simple[-1]
            return Simple(taps, divisor, whole if (equations.rms(whole) <= most).all() else simple)
    return None
