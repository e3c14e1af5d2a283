"""Layers with a forward and a backward pass, named and built as torch.nn's, on numpy arrays.

A layer keeps what its last `forward` saw; `backward(grad_output)` then returns the gradient of the layer's input and leaves those of
its parameters in `grad_weight` and `grad_bias`, replacing the last ones (torch adds to them until they are set to zero). All
arithmetic is in `imgconv.functional` and `imgconv.gradients`; shapes, costs and errors are theirs.
"""

from imgconv.layers.layer import AvgPool2d, Flatten, Layer, MaxPool2d, ReLU, Sequential
from imgconv.layers.weighted import Conv2d, ConvTranspose2d, Linear

__all__ = ["AvgPool2d", "Conv2d", "ConvTranspose2d", "Flatten", "Layer", "Linear", "MaxPool2d", "ReLU", "Sequential"]
