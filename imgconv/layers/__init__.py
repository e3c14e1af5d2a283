"""Layers with a forward and a backward pass on numpy arrays, with the names and arguments of torch.nn.

`backward(grad_output)` belongs to the last call of `forward`: it returns the gradient of that input and stores those of the parameters
in `grad_weight` and `grad_bias`, where they replace the previous ones (torch adds to them). The arithmetic, shapes, costs and errors
are those of `imgconv.functional` and `imgconv.gradients`.
"""

from imgconv.layers.layer import AvgPool2d, Flatten, Layer, MaxPool2d, ReLU, Sequential
from imgconv.layers.weighted import Conv2d, ConvTranspose2d, Linear

__all__ = ["AvgPool2d", "Conv2d", "ConvTranspose2d", "Flatten", "Layer", "Linear", "MaxPool2d", "ReLU", "Sequential"]
