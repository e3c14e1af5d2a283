"""The cost of a correlation before it runs, from the functions with which the calls themselves choose an algorithm."""

from collections.abc import Sequence
from math import log2
from typing import Any, assert_never

import numpy as np

from imgconv.engine.dispatch import algorithm
from imgconv.filters.algorithms import choose
from imgconv.filters.fft import tile_side
from imgconv.filters.weights import FilterKernel, Weights
from imgconv.window import Window
from imgconv.windows.layout import Layout, layer_size


def layer_algorithm(shape: Sequence[int], weight_shape: Sequence[int], window: Window, groups: int) -> str:
    """The algorithm with which `conv2d` correlates maps (C, H, W) with weights (O, C/groups, kh, kw).

    >>> layer_algorithm((64, 56, 56), (64, 64, 3, 3), Window.of(3, padding=1), 1)
    'tiles'
    """
    return algorithm(layer_size(Layout((1, *shape), window), groups, weight_shape[0]))


def multiply_adds_of(kernel: FilterKernel, window: Window, dtype: np.dtype[Any], channels: int, *, flip: bool = False) -> float:
    """Multiply-adds of the chosen algorithm for each output value of `kernel` on images of `dtype` and `channels`.

    Additions count as well. A transform of N values counts 1.75 N log2(N), half of a complex one of radix 4, and there are two.

    >>> from types import SimpleNamespace as Kernel
    >>> soft = Kernel(taps=np.outer([1, 3, 5, 7, 5, 3, 1], [1, 2, 4, 6, 4, 2, 1]), divisor=1, anchor=None)
    >>> multiply_adds_of(soft, Window.of(7), np.dtype(np.uint8), channels=3)
    14.0
    """
    weights = Weights.of(kernel, dtype, channels, flip=flip)
    height, width = weights.taps.shape[-2:]
    choice = choose(weights, window)
    match choice.algorithm:
        case "small":  # of every column, whatever the stride
            return float(height * width * window.stride[1])
        case "running":  # one cell enters and one leaves, sums double, and the weight multiplies
            return 3.0 + sum(1 + int(digit) for digit in f"{width:b}"[1:])
        case "fourier":
            side = tile_side(max(height, width))
            return side**2 * (7 * log2(side) + 2) / ((side - height + 1) * (side - width + 1))
        case "product" | "factors":  # every column is summed, whatever the stride
            return float((len(choice.factors.down) if choice.factors else 1) * (height * window.stride[1] + width))
        case "taps":
            return float(np.count_nonzero(weights.taps) if weights.finite and weights.taps.any() else weights.taps.size)
        case _:
            assert_never(choice.algorithm)
