"""Layers without parameters: pools, ReLU, Flatten."""

from typing import Any

import numpy as np

from imgconv import gradients
from imgconv.functional.activations import flatten, relu
from imgconv.functional.arrays import AnyArray, Size
from imgconv.functional.averages import avg_pool2d
from imgconv.functional.pooling import max_pool2d
from imgconv.layers.layer import Layer


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
