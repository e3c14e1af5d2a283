"""What each op of a recipe takes and builds: one function for each, with torch's names, order and defaults.

The first parameter is where references are read; the others are the step's options, in the order in which they may stand unnamed.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from imgconv.errors import UsageError
from imgconv.recipe.layers import Convolution, Linear, Transposed
from imgconv.recipe.operations import ACTIVATIONS, Activation, Combine, Flatten, Grey, Normalize, Operation, Scale, Softmax, shape_text
from imgconv.recipe.reductions import AdaptiveReduction, Reduction
from imgconv.recipe.values import Sized
from imgconv.recipe.weights import Context, KernelWeights, file_weights, given_bias, kernel_weights, layer_weights
from imgconv.window import Window, sizes

Weights = str | list[Any] | None
Padding = str | Sized
PaddingMode = str | tuple[str, float]
Builder = Callable[..., Operation]


def _conv(
    context: Context,
    kernel: list[str] | None = None,
    weights: Weights = None,
    bias: Weights = None,
    stride: Sized = 1,
    padding: Padding = 0,
    dilation: Sized = 1,
    groups: int = 1,
    padding_mode: PaddingMode = "zeros",
    flip: bool = False,
) -> Operation:
    found = _kernels(context, kernel, weights, bias)
    if found.each_channel and groups != 1:
        raise UsageError("groups go with weights (O, I, kh, kw); a plain kernel goes over each channel on its own already")
    return _convolution(found, groups, stride, padding, dilation, padding_mode, flip)


def _depthwise(
    context: Context,
    kernel: list[str] | None = None,
    weights: Weights = None,
    bias: Weights = None,
    stride: Sized = 1,
    padding: Padding = 0,
    dilation: Sized = 1,
    padding_mode: PaddingMode = "zeros",
    flip: bool = False,
) -> Operation:
    found = _kernels(context, kernel, weights, bias)
    return _convolution(found, 1 if found.each_channel else None, stride, padding, dilation, padding_mode, flip)


def _convolution(
    found: KernelWeights, groups: int | None, stride: Sized, padding: Padding, dilation: Sized, padding_mode: PaddingMode, flip: bool
) -> Convolution:
    window = Window.of(found.weight.shape[2:], stride, padding, dilation)
    return Convolution(found.weight, found.bias, window, padding_mode, groups, found.each_channel, flip, found.range)


def _pointwise(context: Context, kernel: list[str] | None = None, weights: Weights = None, bias: Weights = None) -> Operation:
    found = _kernels(context, kernel, weights, bias)
    matrix = found.weight[0, 0, :, :, None, None] if found.each_channel and len(found.weight) == 1 else found.weight
    if matrix.shape[2:] != (1, 1):
        raise UsageError(f"weights {shape_text(found.weight.shape)} are not pointwise; give a matrix (O, I), or (O, I, 1, 1)")
    return Convolution(matrix, found.bias, Window.of(1))


def _conv_transpose(
    context: Context,
    kernel: list[str] | None = None,
    weights: Weights = None,
    bias: Weights = None,
    stride: Sized = 1,
    padding: Padding = 0,
    output_padding: Sized = 0,
    groups: int = 1,
    dilation: Sized = 1,
) -> Operation:
    found = _kernels(context, kernel, weights, bias)
    if found.each_channel and groups != 1:
        raise UsageError("groups go with weights (I, O/groups, kh, kw); a plain kernel goes over each channel on its own already")
    weight = found.weight.swapaxes(0, 1) if found.each_channel else found.weight
    window = Window.of(weight.shape[2:], stride, padding, dilation)
    more = sizes(output_padding, "output_padding", 2, least=0)
    return Transposed(weight, found.bias, window, more, groups, found.each_channel)


def _linear(context: Context, weights: Weights = None, bias: Weights = None) -> Operation:
    if weights is None:
        raise UsageError("weights are missing; give FILE.npy, FILE.npz:ARRAY or FILE.safetensors:TENSOR")
    weight, own_bias = layer_weights(weights, context, bias)
    if weight.ndim != 2:
        raise UsageError(f"weights {shape_text(weight.shape)} are not linear; give a matrix (O, I)")
    return Linear(weight, own_bias)


def _kernels(context: Context, kernel: list[str] | None, weights: Weights, bias: Weights) -> KernelWeights:
    if (kernel is None) == (weights is None):
        given = "both a kernel and weights are given" if kernel else "no kernel is given"
        raise UsageError(f"{given}; give a kernel such as laplacian8, or weights from a file")
    if weights is not None:
        return file_weights(weights, context, bias)
    found = kernel_weights(kernel or [], context)
    return found if bias is None else replace(found, bias=given_bias(bias, context))


def _grey(context: Context) -> Operation:
    return Grey()


def _scale(context: Context, factor: float) -> Operation:
    return Scale(factor)


def _normalize(context: Context, mean: tuple[float, ...], std: tuple[float, ...]) -> Operation:
    if 0 in std:
        raise UsageError("std must not be 0; leave it 1 for no change")
    if len({len(mean), len(std)} - {1}) > 1:
        raise UsageError(f"{len(mean)} means and {len(std)} stds do not match; give one of each for each channel")
    return Normalize(mean, std)


def _activation(name: str) -> Builder:
    return lambda context: Activation(name)


def _leaky_relu(context: Context, negative_slope: float = 0.01) -> Operation:
    return Activation("leaky_relu", negative_slope)


def _combine(context: Context, mode: str = "hypot") -> Operation:
    return Combine(mode)


def _flatten(context: Context, start_dim: int = 1) -> Operation:
    if start_dim != 1:
        raise UsageError(f"start_dim {start_dim} is not possible; 0 is the batch, and all axes from 1 on become one")
    return Flatten()


def _softmax(context: Context, dim: int = 1) -> Operation:
    return Softmax(dim)


def _extreme_pool(mode: str) -> Builder:
    def build(
        context: Context,
        kernel_size: Sized,
        stride: Sized | None = None,
        padding: Padding = 0,
        dilation: Sized = 1,
        ceil_mode: bool = False,
    ) -> Operation:
        return Reduction(mode, _pool_window(kernel_size, stride, padding, dilation, ceil_mode))

    return build


def _avg_pool(
    context: Context,
    kernel_size: Sized,
    stride: Sized | None = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Operation:
    return Reduction("avg", _pool_window(kernel_size, stride, padding, 1, ceil_mode), count_include_pad, divisor_override)


def _median_pool(context: Context, kernel_size: Sized, stride: Sized | None = None, padding: Padding = 0) -> Operation:
    return Reduction("median", _pool_window(kernel_size, stride, padding, 1, False))


def _pool_window(kernel_size: Sized, stride: Sized | None, padding: Padding, dilation: Sized, ceil_mode: bool) -> Window:
    return Window.of(kernel_size, kernel_size if stride is None else stride, padding, dilation, ceil_mode=ceil_mode)


def _adaptive(mode: str) -> Builder:
    def build(context: Context, output_size: tuple[int | None, int | None]) -> Operation:
        if any(size is not None and size < 1 for size in output_size):
            raise UsageError(f"output_size must be at least 1, not {min(size for size in output_size if size is not None)}")
        return AdaptiveReduction(mode, output_size)

    return build


OPS: dict[str, Builder] = {
    "grey": _grey,
    "scale": _scale,
    "normalize": _normalize,
    "conv": _conv,
    "conv_transpose": _conv_transpose,
    "depthwise": _depthwise,
    "pointwise": _pointwise,
    **{name: _activation(name) for name in ACTIVATIONS},
    "leaky_relu": _leaky_relu,
    "max_pool": _extreme_pool("max"),
    "min_pool": _extreme_pool("min"),
    "avg_pool": _avg_pool,
    "median_pool": _median_pool,
    "adaptive_avg_pool": _adaptive("avg"),
    "adaptive_max_pool": _adaptive("max"),
    "combine": _combine,
    "flatten": _flatten,
    "linear": _linear,
    "softmax": _softmax,
}
