"""Kernels of several sizes made one size, so that their maps can be combined. Knows no names and no files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from imgconv.registry.kernel import Kernel


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
