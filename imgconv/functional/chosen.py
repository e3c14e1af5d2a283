"""Which algorithm a call will take, told without making the call. Decides nothing: it asks what the calls themselves ask."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from imgconv.engine.choose import algorithm
from imgconv.functional.cells import Layout
from imgconv.functional.correlations import layer_size
from imgconv.functional.correlators import choose
from imgconv.functional.masks import Mask, Weights
from imgconv.window import Window


def picture_algorithm(mask: Mask, window: Window, dtype: np.dtype[Any], channels: int) -> str:
    """How `filter_picture` lays a mask on pictures of `dtype` with `channels` interleaved values.

    >>> from imgconv.registry import Kernel
    >>> picture_algorithm(Kernel("box", np.ones((21, 21))), Window.of(21, padding="same"), np.dtype("uint8"), 3)
    'running'
    """
    return choose(Weights.of(mask, dtype, channels), window).algorithm


def layer_algorithm(shape: Sequence[int], weight_shape: Sequence[int], window: Window, groups: int) -> str:
    """How `conv2d` correlates a map stack (C, H, W) with weights (O, C/groups, kh, kw).

    >>> layer_algorithm((64, 56, 56), (64, 64, 3, 3), Window.of(3, padding=1), 1)
    'four'
    """
    return algorithm(layer_size(Layout((1, *shape), window), groups, weight_shape[0]))
