"""Layers with a weight and an optional bias: Conv2d, ConvTranspose2d, Linear."""

from collections.abc import Callable, Iterator
from math import prod
from typing import Any

import numpy as np

from imgconv import gradients
from imgconv.arguments import checked
from imgconv.arrays import AnyArray, FloatArray, as_groups, as_real_array, as_window
from imgconv.errors import ArgumentTypeError, DoesNotFit, UsageError
from imgconv.functional.conv import conv2d
from imgconv.functional.conv_transpose import conv_transpose2d
from imgconv.functional.matrix import linear
from imgconv.functional.padding import pad
from imgconv.layers.layer import ImageLayer, Layer
from imgconv.window import LARGEST, Size, Window, sizes
from imgconv.windows.borders import Border

Generator = np.random.Generator | int | None


class _Weighted(Layer):
    """Base class: a weight and an optional bias, initialised as in torch, uniform within 1 / sqrt(fan_in) of zero.

    fan_in is the size of weight[0]. Source: reset_parameters in torch.nn, kaiming_uniform_ with a = sqrt(5).
    """

    grad_weight: FloatArray | None = None
    grad_bias: FloatArray | None = None
    _forward: Callable[..., FloatArray]
    _gradients: tuple[Callable[..., FloatArray], ...]  # with respect to the input, the weight and the bias
    _arguments: tuple[Any, ...] = ()
    _takes_images = True  # (C, H, W) is a batch of one, which the gradients require

    def __init__(self, shape: tuple[int, ...], outputs: int, bias: bool, generator: Generator):
        try:
            random = np.random.default_rng(generator)
        except (TypeError, ValueError) as error:
            raise ArgumentTypeError(f"generator must be a numpy Generator or a seed of at least 0: {error}") from None
        if max(shape) > LARGEST:
            raise UsageError(f"a weight of shape {shape} has an axis of more than 2**40 numbers")
        bound = 1 / np.sqrt(prod(shape[1:]))
        self.weight: FloatArray = random.uniform(-bound, bound, shape).astype(np.float32)
        self.bias: FloatArray | None = random.uniform(-bound, bound, outputs).astype(np.float32) if bias else None

    def multiply_adds(self, input_size: tuple[int, ...], output_size: tuple[int, ...]) -> int:
        return prod(output_size) * prod(self.weight.shape[1:])

    def parameters(self) -> Iterator[tuple[FloatArray, FloatArray | None]]:
        yield self.weight, self.grad_weight
        if self.bias is not None:
            yield self.bias, self.grad_bias

    def forward(self, x: AnyArray) -> AnyArray:
        self._saved = x = as_real_array(x, "input")
        return self._forward(x, self.weight, self.bias, *self._arguments)

    def backward(self, grad_output: AnyArray) -> AnyArray:
        input_gradient, weight_gradient, bias_gradient = self._gradients
        x, grad = self._from_forward(), as_real_array(grad_output, "grad_output")
        batch, grad = (x[None], grad[None]) if self._takes_images and x.ndim == 3 else (x, grad)
        self.grad_weight = weight_gradient(batch, self.weight.shape, grad, *self._arguments)
        self.grad_bias = None if self.bias is None else bias_gradient(grad)
        return input_gradient(batch.shape, self.weight, grad, *self._arguments).reshape(x.shape)


class Conv2d(_Weighted, ImageLayer):
    """torch.nn.Conv2d: applies `conv2d` with a weight (out_channels, in_channels/groups, kh, kw) and a bias (out_channels,).

    `generator`, a numpy Generator or a seed, initialises them. The other parameters, with all padding modes, are those of `conv2d`.

    >>> layer = Conv2d(1, 2, 3, padding=1, generator=0)
    >>> layer.forward(np.zeros((1, 1, 5, 6), np.float32)).shape
    (1, 2, 5, 6)
    >>> layer.backward(np.zeros((1, 2, 5, 6), np.float32)).shape, layer.grad_weight.shape
    ((1, 1, 5, 6), (2, 1, 3, 3))
    """

    _forward = staticmethod(conv2d)
    _gradients = (gradients.conv2d_input, gradients.conv2d_weight, gradients.conv2d_bias)

    @checked
    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size | str = 0,
        dilation: Size = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        *,
        generator: Generator = None,
    ):
        self._window = as_window(_sequence(kernel_size), stride, padding, dilation)
        as_groups(groups, (in_channels,))
        shape = (out_channels, in_channels // as_groups(groups, (out_channels,)), *self._window.kernel_size)
        super().__init__(shape, out_channels, bias, generator)
        Border.of(padding_mode)
        self.in_channels, self.out_channels, self.groups, self.padding_mode = in_channels, out_channels, groups, padding_mode
        self._shape = ()
        self._arguments = (self._window.stride, self._window.padding if padding_mode == "zeros" else 0, self._window.dilation, groups)

    def extra_repr(self) -> str:
        return _shown(self, self._window, groups=self.groups, padding_mode=self.padding_mode)

    def forward(self, x: AnyArray) -> AnyArray:
        x = as_real_array(x, "input")
        self._shape = x.shape
        return super().forward(x if self.padding_mode == "zeros" else self._padded(x))

    def backward(self, grad_output: AnyArray) -> AnyArray:
        grad = super().backward(grad_output)
        if self.padding_mode == "zeros":
            return grad
        size = self._shape[-2:]
        source = self._padded(np.arange(prod(size)).reshape(1, 1, *size)).reshape(grad.shape[-2:])  # the input cell of each padded cell
        return gradients.max_pool2d_input(grad, np.broadcast_to(source, grad.shape), self._shape)

    def _padded(self, x: AnyArray) -> AnyArray:
        (top, bottom), (left, right) = self._window.pads(x.shape[-2:])
        return pad(x, (left, right, top, bottom), self.padding_mode)


class ConvTranspose2d(_Weighted, ImageLayer):
    """torch.nn.ConvTranspose2d: applies `conv_transpose2d` with a weight (in_channels, out_channels/groups, kh, kw) and a bias.

    The bias is (out_channels,). `generator`, a numpy Generator or a seed, initialises both. As in torch, the padding mode is "zeros".

    >>> ConvTranspose2d(2, 3, 2, stride=2, generator=0).forward(np.zeros((1, 2, 5, 6), np.float32)).shape
    (1, 3, 10, 12)
    """

    _forward = staticmethod(conv_transpose2d)
    _gradients = (gradients.conv_transpose2d_input, gradients.conv_transpose2d_weight, gradients.conv_transpose2d_bias)

    @checked
    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size = 0,
        output_padding: Size = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Size = 1,
        padding_mode: str = "zeros",
        *,
        generator: Generator = None,
    ):
        if padding_mode != "zeros":
            raise UsageError(f"padding_mode of a transposed convolution must be 'zeros', not {padding_mode!r}")
        self._window = as_window(_sequence(kernel_size), stride, padding, dilation)
        as_groups(groups, (in_channels,))
        shape = (in_channels, out_channels // as_groups(groups, (out_channels,)), *self._window.kernel_size)
        super().__init__(shape, out_channels, bias, generator)
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.output_padding = sizes(output_padding, "output_padding", 2, least=0)
        self._arguments = stride, padding, output_padding, groups, dilation

    def multiply_adds(self, input_size: tuple[int, ...], output_size: tuple[int, ...]) -> int:
        return prod(input_size) * prod(self.weight.shape[1:])

    def extra_repr(self) -> str:
        return _shown(self, self._window, output_padding=self.output_padding, groups=self.groups)


class Linear(_Weighted):
    """torch.nn.Linear: applies `linear` with a weight (out_features, in_features) and a bias (out_features,), initialised by `generator`.

    >>> Linear(4, 2, generator=0).forward(np.zeros((3, 4), np.float32)).shape
    (3, 2)
    """

    _forward = staticmethod(linear)
    _gradients = (gradients.linear_input, gradients.linear_weight, gradients.linear_bias)
    _takes_images = False

    @checked
    def __init__(self, in_features: int, out_features: int, bias: bool = True, *, generator: Generator = None):
        sizes(in_features, "in_features", 1, least=1), sizes(out_features, "out_features", 1, least=0)
        super().__init__((out_features, in_features), out_features, bias, generator)
        self.in_features, self.out_features = in_features, out_features

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"

    def output_size(self, input_size: tuple[int, ...]) -> tuple[int, ...]:
        if input_size[-1:] != (self.in_features,):
            raise DoesNotFit(f"the last axis must have in_features={self.in_features} numbers")
        return (*input_size[:-1], self.out_features)


def _shown(layer: Conv2d | ConvTranspose2d, window: Window, **others: object) -> str:
    """Return the arguments of a convolution as torch shows them: those that are not the default, after the first four."""
    defaults = {"padding": (0, 0), "dilation": (1, 1), "output_padding": (0, 0), "groups": 1, "padding_mode": "zeros"}
    values = {"padding": window.padding, "dilation": window.dilation, **others}
    bias = {} if layer.bias is not None else {"bias": False}
    order = ("padding", "dilation", "output_padding", "groups", "bias", "padding_mode")
    shown = {name: value for name, value in (values | bias).items() if value != defaults.get(name)}
    words = [f"{layer.in_channels}, {layer.out_channels}, kernel_size={window.kernel_size}, stride={window.stride}"]
    return ", ".join(words + [f"{name}={shown[name]}" for name in order if name in shown])


def _sequence(size: Size) -> Any:
    return (size,) if isinstance(size, int) else size
