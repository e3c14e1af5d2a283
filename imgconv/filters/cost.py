"""Which algorithm will be taken and what it costs, told without running it. Decides nothing: it asks what the calls themselves ask."""

from collections.abc import Sequence
from math import log2, prod
from typing import Any

import numpy as np

from imgconv.engine.dispatch import algorithm
from imgconv.filters.algorithms import choose
from imgconv.filters.fft import tile_size
from imgconv.filters.weights import Mask, Weights
from imgconv.window import Window
from imgconv.windows.correlation import layer_size
from imgconv.windows.layout import Layout


def layer_algorithm(shape: Sequence[int], weight_shape: Sequence[int], window: Window, groups: int) -> str:
    """How `conv2d` correlates a stack of maps (C, H, W) with weights (O, C/groups, kh, kw).

    >>> layer_algorithm((64, 56, 56), (64, 64, 3, 3), Window.of(3, padding=1), 1)
    'tiles'
    """
    return algorithm(layer_size(Layout((1, *shape), window), groups, weight_shape[0]))


def multiply_adds_of(mask: Mask, window: Window, dtype: np.dtype[Any], channels: int, *, flip: bool = False) -> float:
    """Multiply-adds for each value that `mask` gives on images of `dtype` and `channels`, as its algorithm does them.

    Additions alone count too. A transform of N values counts 1.25 N log2(N), as a real one of split radix does.

    >>> from types import SimpleNamespace as Kernel
    >>> soft = Kernel(taps=np.outer([1, 3, 5, 7, 5, 3, 1], [1, 2, 4, 6, 4, 2, 1]), divisor=1, anchor=None)
    >>> multiply_adds_of(soft, Window.of(7), np.dtype(np.uint8), channels=3)
    14.0
    """
    weights = Weights.of(mask, dtype, channels, flip=flip)
    height, width = weights.taps.shape[-2:]
    choice = choose(weights, window)
    if choice.algorithm == "small":
        return float(height * width)
    if choice.algorithm == "running":
        return 3.0 + sum(1 + int(digit) for digit in f"{width:b}"[1:])  # a cell enters and one leaves, sums double, the weight
    if choice.algorithm == "fourier":
        tile = tile_size(height), tile_size(width)
        return prod(tile) * (2.5 * log2(prod(tile)) + 2) / ((tile[0] - height + 1) * (tile[1] - width + 1))
    if choice.factors is not None and choice.algorithm != "taps":
        return float(len(choice.factors.down) * (height * window.stride[1] + width))  # every column is summed, whatever the stride
    return float(np.count_nonzero(weights.taps) if weights.finite and weights.taps.any() else weights.taps.size)
