"""Which algorithm a layer will take, told without running it. Decides nothing: it asks what `conv2d` itself asks."""

from collections.abc import Sequence

from imgconv.engine.choose.layers import algorithm
from imgconv.functional.cells import Layout
from imgconv.functional.correlations import layer_size
from imgconv.window import Window


def layer_algorithm(shape: Sequence[int], weight_shape: Sequence[int], window: Window, groups: int) -> str:
    """How `conv2d` correlates a stack of maps (C, H, W) with weights (O, C/groups, kh, kw).

    >>> layer_algorithm((64, 56, 56), (64, 64, 3, 3), Window.of(3, padding=1), 1)
    'four'
    """
    return algorithm(layer_size(Layout((1, *shape), window), groups, weight_shape[0]))
