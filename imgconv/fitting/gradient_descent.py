"""Gradient descent on the weights of a convolution: forward pass, loss, gradient, step."""

from collections.abc import Callable, Sequence

import numpy as np

from imgconv.fitting.learning import Example, Weights
from imgconv.functional import conv2d
from imgconv.functional.conv import conv2d_bias, conv2d_weight

LONGEST_SIDE = 160  # pixels of the crop that is used
POWER_STEPS = 12
SAFETY = 1.05  # the power method approaches the largest curvature from below


def descend(examples: Sequence[Example], kernel_size: tuple[int, int], steps: int, on_step: Callable[[int, float], None]) -> Weights:
    """Return weights (O, C, kh, kw) after `steps` steps of Nesterov's gradient descent on the middle of the first example.

    The loss is the mean squared error, in units of the input's variance. Every step calls `on_step(step, loss)`. The step size is one over
    the largest curvature; the momentum restarts when the loss rises (O'Donoghue and Candès 2015).
    """
    x, y, mask = _batch(examples[0], kernel_size)
    shape = (y.shape[1], x.shape[1], *kernel_size)
    rate = 1 / (SAFETY * _curvature(x, mask, shape))
    weight, bias = np.zeros(shape), np.zeros(shape[0])
    ahead, ahead_bias, momentum, loss_before = weight, bias, 1.0, np.inf
    for step in range(steps):
        error = (conv2d(x, ahead, ahead_bias) - y) * mask
        loss = float(np.square(error).sum() / mask.sum())
        on_step(step, loss)
        grad_output = 2 * error / mask.sum()
        new_weight = ahead - rate * conv2d_weight(x, shape, grad_output)
        new_bias = ahead_bias - rate * conv2d_bias(grad_output)
        momentum = 1.0 if loss > loss_before else momentum
        new_momentum = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
        share = (momentum - 1) / new_momentum
        ahead, ahead_bias = new_weight + share * (new_weight - weight), new_bias + share * (new_bias - bias)
        weight, bias, momentum, loss_before = new_weight, new_bias, new_momentum, loss
    return weight


def _batch(example: Example, kernel_size: tuple[int, int]) -> tuple[Weights, Weights, Weights]:
    """Input and output as batches of one, with mean 0 and in units of the input's standard deviation, and the mask of usable outputs."""
    rows, columns = (slice((n - min(n, LONGEST_SIDE)) // 2, (n + min(n, LONGEST_SIDE)) // 2) for n in example.usable.shape)
    kh, kw = kernel_size
    x = example.input[:, rows.start : rows.stop + kh - 1, columns.start : columns.stop + kw - 1].astype(np.float64)
    y = example.output[:, rows, columns].astype(np.float64)
    mask = example.usable[rows, columns].astype(np.float64)
    y_mean = (y * mask).sum(axis=(1, 2), keepdims=True) / max(mask.sum(), 1)
    scale = x.std() or 1.0
    return (x - x.mean(axis=(1, 2), keepdims=True))[None] / scale, (y - y_mean)[None] / scale, mask


def _curvature(x: Weights, mask: Weights, shape: tuple[int, ...]) -> float:
    """The largest eigenvalue of the loss's second derivative, by the power method."""
    direction: Weights = np.ones((1, *shape[1:]))
    size = float(np.linalg.norm(direction))
    for _ in range(POWER_STEPS):
        direction = np.asarray(conv2d_weight(x, direction.shape, 2 * conv2d(x, direction / size) * mask / max(mask.sum(), 1)), np.float64)
        size = float(np.linalg.norm(direction)) or 1.0
    return size
