"""Layers one after the other."""

from collections.abc import Iterator

from imgconv.functional.arrays import AnyArray, FloatArray
from imgconv.layers.layer import Layer


class Sequential(Layer):
    """torch.nn.Sequential: the `layers` one after the other, and their gradients in the other order.

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
