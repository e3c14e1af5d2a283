"""Gradient descent on a convolution, as courses teach the backward pass: forward, loss, gradient, step."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from imgconv.fitting.learning import Example
from imgconv.functional import conv2d
from imgconv.functional.conv import conv2d_bias, conv2d_weight

Numbers = NDArray[np.float64]
Tell = Callable[[int, float], None]
SIDE = 160  # pixels of the part of an image that is learnt from
POWER_STEPS = 12
SAFETY = 1.05  # the largest curvature is found from below


def descend(examples: Sequence[Example], kernel_size: tuple[int, int], steps: int, tell: Tell) -> Numbers:
    """Weights (O, C, kh, kw) after `steps` steps of Nesterov's gradient descent on the middle of the first example.

    The loss is the mean squared error, in units of the input's variance; `tell(step, loss)` hears of every step. The step's length is one
    over the largest curvature; momentum begins anew whenever the loss rises (O'Donoghue and Candès 2015).
    """
    x, y, mask = _prepared(examples[0], kernel_size)
    shape = (y.shape[1], x.shape[1], *kernel_size)
    rate = 1 / (SAFETY * _curvature(x, mask, shape))
    weight, bias = np.zeros(shape), np.zeros(shape[0])
    ahead, ahead_bias, momentum, before = weight, bias, 1.0, np.inf
    for step in range(steps):
        error = (conv2d(x, ahead, ahead_bias) - y) * mask
        loss = float(np.square(error).sum() / mask.sum())
        tell(step, loss)
        grad_output = 2 * error / mask.sum()
        stepped = ahead - rate * conv2d_weight(x, shape, grad_output)
        stepped_bias = ahead_bias - rate * conv2d_bias(grad_output)
        momentum = 1.0 if loss > before else momentum
        following = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
        share = (momentum - 1) / following
        ahead, ahead_bias = stepped + share * (stepped - weight), stepped_bias + share * (stepped_bias - bias)
        weight, bias, momentum, before = stepped, stepped_bias, following, loss
    return weight


def _prepared(example: Example, kernel_size: tuple[int, int]) -> tuple[Numbers, Numbers, Numbers]:
    """Batches of one: input and output of mean 0, on the scale of the input, and 1 where an output is usable."""
    rows, columns = (slice((n - min(n, SIDE)) // 2, (n - min(n, SIDE)) // 2 + min(n, SIDE)) for n in example.usable.shape)
    kh, kw = kernel_size
    x = example.input[:, rows.start : rows.stop + kh - 1, columns.start : columns.stop + kw - 1].astype(np.float64)
    y = example.output[:, rows, columns].astype(np.float64)
    mask = example.usable[rows, columns].astype(np.float64)
    y_mean = (y * mask).sum(axis=(1, 2), keepdims=True) / max(mask.sum(), 1)
    scale = x.std() or 1.0
    return (x - x.mean(axis=(1, 2), keepdims=True))[None] / scale, (y - y_mean)[None] / scale, mask


def _curvature(x: Numbers, mask: Numbers, shape: tuple[int, ...]) -> float:
    """The largest eigenvalue of the loss's second derivative, by the power method."""
    direction: Numbers = np.ones((1, *shape[1:]))
    size = float(np.linalg.norm(direction))
    for _ in range(POWER_STEPS):
        direction = np.asarray(conv2d_weight(x, direction.shape, 2 * conv2d(x, direction / size) * mask / max(mask.sum(), 1)), np.float64)
        size = float(np.linalg.norm(direction)) or 1.0
    return size
