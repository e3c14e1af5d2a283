"""Layers with a forward and a backward pass, named and built as torch.nn's, on numpy arrays.

A layer keeps what its last `forward` saw; `backward(grad_output)` then returns the gradient of the layer's input and leaves those of
its parameters in `grad_weight` and `grad_bias`, replacing the last ones (torch adds to them until they are set to zero). All
arithmetic is in `imgconv.functional` and `imgconv.gradients`; shapes, costs and errors are theirs.
"""

from collections.abc import Callable, Iterator
from math import prod
from typing import Any

import numpy as np

from imgconv import gradients
from imgconv.errors import UsageError
from imgconv.functional.activations import flatten, relu
from imgconv.functional.arrays import AnyArray, FloatArray, Size, as_groups, as_window
from imgconv.functional.averages import avg_pool2d
from imgconv.functional.borders import Border
from imgconv.functional.convolution import conv2d
from imgconv.functional.matrix import linear
from imgconv.functional.padding import pad
from imgconv.functional.pooling import max_pool2d
from imgconv.functional.transposed import conv_transpose2d

Generator = np.random.Generator | int | None


class Layer:
    """What all layers share."""

    _seen: Any = None

    def forward(self, x: AnyArray) -> Any:
        """The layer's output for `x`; calling the layer does the same."""
        raise NotImplementedError

    def backward(self, grad_output: AnyArray) -> AnyArray:
        """The gradient of what the last `forward` was given, from that of its output. Raises UsageError without a forward pass."""
        raise NotImplementedError

    def parameters(self) -> Iterator[tuple[FloatArray, FloatArray | None]]:
        """Each parameter with its gradient, None before a backward pass: `for p, g in net.parameters(): p -= rate * g`."""
        yield from ()

    def __call__(self, x: AnyArray) -> Any:
        return self.forward(x)

    def _last(self) -> Any:
        if self._seen is None:
            raise UsageError(f"{type(self).__name__}.backward needs a forward pass first; call forward")
        return self._seen


class _Weighted(Layer):
    """A layer with a weight and perhaps a bias, drawn as torch does: uniform within 1 / sqrt(fan in), the numbers in weight[0].

    Source: reset_parameters in torch.nn, kaiming_uniform_ with a = sqrt(5).
    """

    grad_weight: FloatArray | None = None
    grad_bias: FloatArray | None = None
    _call: Callable[..., FloatArray]
    _gradients: tuple[Callable[..., FloatArray], ...]  # in the input, the weight and the bias
    _arguments: tuple[Any, ...] = ()
    _pictures = True  # (C, H, W) is a batch of one; the gradients take batches alone

    def __init__(self, shape: tuple[int, ...], outputs: int, bias: bool, generator: Generator):
        numbers = np.random.default_rng(generator)
        bound = 1 / np.sqrt(prod(shape[1:]))
        self.weight: FloatArray = numbers.uniform(-bound, bound, shape).astype(np.float32)
        self.bias: FloatArray | None = numbers.uniform(-bound, bound, outputs).astype(np.float32) if bias else None

    def parameters(self) -> Iterator[tuple[FloatArray, FloatArray | None]]:
        yield self.weight, self.grad_weight
        if self.bias is not None:
            yield self.bias, self.grad_bias

    def forward(self, x: AnyArray) -> AnyArray:
        self._seen = x
        return self._call(x, self.weight, self.bias, *self._arguments)

    def backward(self, grad_output: AnyArray) -> AnyArray:
        in_input, in_weight, in_bias = self._gradients
        x = self._last()
        batch, grad = (x[None], grad_output[None]) if self._pictures and x.ndim == 3 else (x, grad_output)
        self.grad_weight = in_weight(batch, self.weight.shape, grad, *self._arguments)
        self.grad_bias = None if self.bias is None else in_bias(grad)
        return in_input(batch.shape, self.weight, grad, *self._arguments).reshape(x.shape)


class Conv2d(_Weighted):
    """torch.nn.Conv2d: `conv2d` with a weight (out_channels, in_channels/groups, kh, kw) and, with `bias`, a bias (out_channels,).

    `generator`, a numpy Generator or a seed, draws them. Everything else is `conv2d`'s, all of its padding modes too.

    >>> layer = Conv2d(1, 2, 3, padding=1, generator=0)
    >>> layer.forward(np.zeros((1, 1, 5, 6), np.float32)).shape
    (1, 2, 5, 6)
    >>> layer.backward(np.zeros((1, 2, 5, 6), np.float32)).shape, layer.grad_weight.shape
    ((1, 1, 5, 6), (2, 1, 3, 3))
    """

    _call = staticmethod(conv2d)
    _gradients = (gradients.conv2d_input, gradients.conv2d_weight, gradients.conv2d_bias)

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
        self._mode, self._shape = padding_mode, ()
        self._arguments = (self._window.stride, self._window.padding if padding_mode == "zeros" else 0, self._window.dilation, groups)

    def forward(self, x: AnyArray) -> AnyArray:
        self._shape = x.shape
        return super().forward(x if self._mode == "zeros" else self._padded(x))

    def backward(self, grad_output: AnyArray) -> AnyArray:
        grad = super().backward(grad_output)
        if self._mode == "zeros":
            return grad
        size = self._shape[-2:]
        came_from = self._padded(np.arange(prod(size)).reshape(1, 1, *size)).reshape(grad.shape[-2:])
        return gradients.max_pool2d_input(grad, np.broadcast_to(came_from, grad.shape), self._shape)

    def _padded(self, x: AnyArray) -> AnyArray:
        (top, bottom), (left, right) = self._window.pads(x.shape[-2:])
        return pad(x, (left, right, top, bottom), self._mode)


class ConvTranspose2d(_Weighted):
    """torch.nn.ConvTranspose2d: `conv_transpose2d` with a weight (in_channels, out_channels/groups, kh, kw) and a bias (out_channels,).

    `generator`, a numpy Generator or a seed, draws them. Padding is with zeros alone, as in torch.

    >>> ConvTranspose2d(2, 3, 2, stride=2, generator=0).forward(np.zeros((1, 2, 5, 6), np.float32)).shape
    (1, 3, 10, 12)
    """

    _call = staticmethod(conv_transpose2d)
    _gradients = (gradients.conv_transpose2d_input, gradients.conv_transpose2d_weight, gradients.conv_transpose2d_bias)

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
        kernel = as_window(_sequence(kernel_size), stride, padding, dilation).kernel_size
        as_groups(groups, (in_channels,))
        super().__init__((in_channels, out_channels // as_groups(groups, (out_channels,)), *kernel), out_channels, bias, generator)
        self._arguments = stride, padding, output_padding, groups, dilation


class Linear(_Weighted):
    """torch.nn.Linear: `linear` with a weight (out_features, in_features) and a bias (out_features,), drawn by `generator`.

    >>> Linear(4, 2, generator=0).forward(np.zeros((3, 4), np.float32)).shape
    (3, 2)
    """

    _call = staticmethod(linear)
    _gradients = (gradients.linear_input, gradients.linear_weight, gradients.linear_bias)
    _pictures = False

    def __init__(self, in_features: int, out_features: int, bias: bool = True, *, generator: Generator = None):
        super().__init__((out_features, in_features), out_features, bias, generator)


class MaxPool2d(Layer):
    """torch.nn.MaxPool2d: `max_pool2d`, with return_indices before ceil_mode as there.

    >>> MaxPool2d(2).forward(np.array([[[1, 2], [4, 3]]]))
    array([[[4]]])
    """

    def __init__(
        self,
        kernel_size: Size,
        stride: Size | None = None,
        padding: Size = 0,
        dilation: Size = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ):
        self._how, self._both = (kernel_size, stride, padding, dilation, ceil_mode), return_indices

    def forward(self, x: AnyArray) -> Any:
        pooled, indices = max_pool2d(x, *self._how, return_indices=True)
        self._seen = x.shape, indices
        return (pooled, indices) if self._both else pooled

    def backward(self, grad_output: AnyArray) -> AnyArray:
        shape, indices = self._last()
        return gradients.max_pool2d_input(grad_output, indices, shape)


class AvgPool2d(Layer):
    """torch.nn.AvgPool2d: `avg_pool2d`.

    >>> AvgPool2d(2).forward(np.array([[[1.0, 2.0], [4.0, 3.0]]]))
    array([[[2.5]]])
    """

    def __init__(
        self,
        kernel_size: Size,
        stride: Size | None = None,
        padding: Size = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ):
        self._how = kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override

    def forward(self, x: AnyArray) -> AnyArray:
        self._seen = x.shape
        return avg_pool2d(x, *self._how)

    def backward(self, grad_output: AnyArray) -> AnyArray:
        return gradients.avg_pool2d_input(grad_output, self._last(), *self._how)


class ReLU(Layer):
    """torch.nn.ReLU: `relu`, whose gradient passes where the output is above 0. What it is given stays as it is, `inplace` or not.

    >>> ReLU().forward(np.array([-1.0, 2.0]))
    array([0., 2.])
    """

    def __init__(self, inplace: bool = False):
        self.inplace = inplace

    def forward(self, x: AnyArray) -> AnyArray:
        self._seen = relu(x)
        return self._seen.copy()

    def backward(self, grad_output: AnyArray) -> AnyArray:
        return np.where(self._last() > 0, grad_output, np.zeros_like(grad_output, order="C"))


class Flatten(Layer):
    """torch.nn.Flatten: `flatten`, of all axes but the batch by default.

    >>> Flatten().forward(np.zeros((2, 3, 4))).shape
    (2, 12)
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1):
        self._how = start_dim, end_dim

    def forward(self, x: AnyArray) -> AnyArray:
        self._seen = x.shape
        return flatten(x, *self._how)

    def backward(self, grad_output: AnyArray) -> AnyArray:
        return np.array(grad_output, order="C").reshape(self._last())


class Sequential(Layer):
    """torch.nn.Sequential: the `layers` one after the other, and their gradients in the other order.

    >>> net = Sequential(Conv2d(1, 2, 3, generator=0), ReLU(), Flatten(), Linear(8, 5, generator=1))
    >>> net.forward(np.zeros((3, 1, 4, 4), np.float32)).shape, len(list(net.parameters()))
    ((3, 5), 4)
    """

    def __init__(self, *layers: Layer):
        self.layers = list(layers)

    def forward(self, x: AnyArray) -> AnyArray:
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def backward(self, grad_output: AnyArray) -> AnyArray:
        for layer in reversed(self.layers):
            grad_output = layer.backward(grad_output)
        return grad_output

    def parameters(self) -> Iterator[tuple[FloatArray, FloatArray | None]]:
        for layer in self.layers:
            yield from layer.parameters()


def _sequence(size: Size) -> Any:
    return (size,) if isinstance(size, int) else size
