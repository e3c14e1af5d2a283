"""What each step of a network does to numbers: one function for each kind of operation, on float32 batches (N, C, H, W) or (N, L)."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imgconv.filters.color import luma
from imgconv.filters.output_range import Combination, combine
from imgconv.functional.activation import flatten, leaky_relu, relu, sigmoid, softmax, tanh
from imgconv.functional.adaptive_pooling import adaptive_avg_pool2d, adaptive_max_pool2d
from imgconv.functional.avg_pooling import avg_pool2d
from imgconv.functional.conv import conv2d
from imgconv.functional.conv_transpose import conv_transpose2d
from imgconv.functional.matrix import linear
from imgconv.functional.pooling import max_pool2d, median_pool2d, min_pool2d
from imgconv.recipe import layers, operations, reductions

Array = NDArray[Any]

ACTIVATIONS: dict[str, Callable[[Array], Array]] = {"relu": relu, "sigmoid": sigmoid, "tanh": tanh, "abs": np.abs}


def apply(operation: operations.Operation, input: Array) -> Array:
    """The result (N, ...) float32 of `operation` on a batch that its trace accepts."""
    return _WORK[type(operation)](operation, input)


def _grey(_: operations.Grey, input: Array) -> Array:
    if input.shape[1] == 1:
        return input
    return np.stack([luma(np.ascontiguousarray(maps.transpose(1, 2, 0)), alpha=False)[..., 0] for maps in input])[:, None]


def _scale(step: operations.Scale, input: Array) -> Array:
    return input * np.float32(step.factor)


def _normalize(step: operations.Normalize, input: Array) -> Array:
    mean, std = (np.array(each, np.float32)[:, None, None] for each in (step.mean, step.std))
    return np.asarray((input - mean) / std)


def _activation(step: operations.Activation, input: Array) -> Array:
    return leaky_relu(input, step.negative_slope) if step.name == "leaky_relu" else ACTIVATIONS[step.name](input)


def _combine(step: operations.Combine, input: Array) -> Array:
    return combine(list(input.swapaxes(0, 1)), Combination(step.mode), 1.0).astype(np.float32)[:, None]


def _convolution(step: layers.Convolution, input: Array) -> Array:
    groups = input.shape[1] if step.groups is None else step.groups
    window = step.window

    def convolved(batch: Array) -> Array:
        return conv2d(
            batch,
            step.weight,
            step.bias,
            window.stride,
            window.padding,
            window.dilation,
            groups,
            padding_mode=step.padding_mode,
            flip=step.flip,
        )

    return _each_channel(input, convolved) if step.each_channel else convolved(input)


def _transposed(step: layers.Transposed, input: Array) -> Array:
    window, padding = step.window, step.window.pads((1, 1))

    def laid_out(batch: Array) -> Array:
        sides = [before for before, _ in padding]
        return conv_transpose2d(batch, step.weight, step.bias, window.stride, sides, step.output_padding, step.groups, window.dilation)

    return _each_channel(input, laid_out) if step.each_channel else laid_out(input)


def _each_channel(input: Array, work: Callable[[Array], Array]) -> Array:
    """`work` on every channel as an image of its own; the M maps of C channels come as (N, M*C, h, w), kernels outermost."""
    count, channels = input.shape[:2]
    made = work(input.reshape(-1, 1, *input.shape[2:]))
    return made.reshape(count, channels, *made.shape[1:]).swapaxes(1, 2).reshape(count, -1, *made.shape[2:])


def _linear(step: layers.Linear, input: Array) -> Array:
    return linear(input, step.weight, step.bias)


def _flatten(_: operations.Flatten, input: Array) -> Array:
    return flatten(input, 1)


def _softmax(step: operations.Softmax, input: Array) -> Array:
    return softmax(input, step.dim)


def _reduction(step: reductions.Reduction, input: Array) -> Array:
    window = step.window
    size, stride = window.kernel_size, window.stride
    padding = tuple(before for before, _ in window.pads((1, 1)))
    if step.mode == "avg":
        return avg_pool2d(input, size, stride, padding, window.ceil_mode, step.count_include_pad, step.divisor_override)
    if step.mode == "median":
        return median_pool2d(input, size, stride, padding)
    if step.mode == "min":
        return np.asarray(min_pool2d(input, size, stride, padding, window.dilation, window.ceil_mode))
    return np.asarray(max_pool2d(input, size, stride, padding, window.dilation, window.ceil_mode))


def _adaptive(step: reductions.AdaptiveReduction, input: Array) -> Array:
    return np.asarray((adaptive_avg_pool2d if step.mode == "avg" else adaptive_max_pool2d)(input, step.output_size))


_WORK: dict[type[operations.Operation], Callable[[Any, Array], Array]] = {
    operations.Grey: _grey,
    operations.Scale: _scale,
    operations.Normalize: _normalize,
    operations.Activation: _activation,
    operations.Combine: _combine,
    operations.Flatten: _flatten,
    operations.Softmax: _softmax,
    layers.Convolution: _convolution,
    layers.Transposed: _transposed,
    layers.Linear: _linear,
    reductions.Reduction: _reduction,
    reductions.AdaptiveReduction: _adaptive,
}
