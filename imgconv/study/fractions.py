"""Learnt weights as the simple fractions that explain a picture as well."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from imgconv.study.equations import Equations

Numbers = NDArray[np.float64]
LARGEST_DIVISOR = 1024
SLACK = 5e-4  # of the error of the free weights that a simpler kernel may add, besides what chance makes of as many free weights
FLOOR = 2e-6  # of the range of levels: what counts as no error at all


class Simple(NamedTuple):
    """Whole `taps` (F, O) over one `divisor`, and the `weights` (F+1, O) that they are, with their offset."""

    taps: Numbers
    divisor: int
    weights: Numbers


def simple_fractions(equations: Equations, weights: Numbers, levels: float) -> Simple | None:
    """The smallest divisor over which whole taps explain the pictures as well as `weights` (F+1, O); None where there is none.

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
