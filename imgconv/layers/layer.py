"""The base class of layers, Sequential, and the layers without parameters: pools, ReLU, Flatten."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from imgconv import gradients
from imgconv.arrays import AnyArray, FloatArray, as_real_array
from imgconv.errors import UsageError
from imgconv.functional.activation import flatten, relu
from imgconv.functional.avg_pooling import avg_pool2d
from imgconv.functional.pooling import max_pool2d
from imgconv.window import Size


class Layer:
    """Base class: a forward pass, its backward pass, and any number of parameters."""

    _saved: Any = None  # what `forward` saves for `backward`

    def forward(self, x: AnyArray) -> Any:
        """Return the output for `x`; calling the layer does the same."""
        raise NotImplementedError

    def backward(self, grad_output: AnyArray) -> AnyArray:
        """Return the gradient of the last `forward`'s input from that of its output. Raises UsageError without a forward pass."""
        raise NotImplementedError

    def parameters(self) -> Iterator[tuple[FloatArray, FloatArray | None]]:
        """Yield each parameter with its gradient, None before a backward pass: `for p, g in net.parameters(): p -= rate * g`."""
        yield from ()

    def __call__(self, x: AnyArray) -> Any:
        return self.forward(x)

    def _from_forward(self) -> Any:
        if self._saved is None:
            raise UsageError(f"{type(self).__name__}.backward needs a forward pass; call forward first")
        return self._saved


class Sequential(Layer):
    """torch.nn.Sequential: applies `layers` in order, and their backward passes in reverse order.

    >>> import numpy as np
    >>> from imgconv.layers import Conv2d, Flatten, Linear, ReLU
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


class MaxPool2d(Layer):
    """torch.nn.MaxPool2d: applies `max_pool2d`; as in torch, return_indices comes before ceil_mode.

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
        self._arguments, self._return_indices = (kernel_size, stride, padding, dilation, ceil_mode), return_indices

    def forward(self, x: AnyArray) -> Any:
        x = as_real_array(x, "input")
        pooled, indices = max_pool2d(x, *self._arguments, return_indices=True)
        self._saved = x.shape, indices
        return (pooled, indices) if self._return_indices else pooled

    def backward(self, grad_output: AnyArray) -> AnyArray:
        shape, indices = self._from_forward()
        return gradients.max_pool2d_input(grad_output, indices, shape)


class AvgPool2d(Layer):
    """torch.nn.AvgPool2d: applies `avg_pool2d`.

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
        self._arguments = kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override

    def forward(self, x: AnyArray) -> AnyArray:
        x = as_real_array(x, "input")
        self._saved = x.shape
        return avg_pool2d(x, *self._arguments)

    def backward(self, grad_output: AnyArray) -> AnyArray:
        return gradients.avg_pool2d_input(grad_output, self._from_forward(), *self._arguments)


class ReLU(Layer):
    """torch.nn.ReLU: applies `relu`; the gradient passes where the output is above 0. With `inplace` too, the input is not modified.

    >>> ReLU().forward(np.array([-1.0, 2.0]))
    array([0., 2.])
    """

    def __init__(self, inplace: bool = False):
        self.inplace = inplace

    def forward(self, x: AnyArray) -> AnyArray:
        self._saved = relu(x)
        return self._saved.copy()

    def backward(self, grad_output: AnyArray) -> AnyArray:
        grad = as_real_array(grad_output, "grad_output")
        return np.where(self._from_forward() > 0, grad, np.zeros_like(grad, order="C"))


class Flatten(Layer):
    """torch.nn.Flatten: applies `flatten`, by default to all axes but the batch.

    >>> Flatten().forward(np.zeros((2, 3, 4))).shape
    (2, 12)
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1):
        self._arguments = start_dim, end_dim

    def forward(self, x: AnyArray) -> AnyArray:
        x = as_real_array(x, "input")
        self._saved = x.shape
        return flatten(x, *self._arguments)

    def backward(self, grad_output: AnyArray) -> AnyArray:
        return np.array(as_real_array(grad_output, "grad_output"), order="C").reshape(self._from_forward())
