"""Gradients, in the words of torch.nn.grad: what a small change of an input does, given what a change of the output would do.

One name for each operator and argument: `conv2d_input`, `conv2d_weight`, `conv2d_bias`, ... This module only gathers them.
"""

from imgconv.functional.avg_pooling import avg_pool1d_input, avg_pool2d_input
from imgconv.functional.conv import conv1d_bias, conv1d_input, conv1d_weight, conv2d_bias, conv2d_input, conv2d_weight
from imgconv.functional.conv_transpose import (
    conv_transpose1d_bias,
    conv_transpose1d_input,
    conv_transpose1d_weight,
    conv_transpose2d_bias,
    conv_transpose2d_input,
    conv_transpose2d_weight,
)
from imgconv.functional.matrix import fold_input, linear_bias, linear_input, linear_weight, unfold_input
from imgconv.functional.pooling import max_pool1d_input, max_pool2d_input

__all__ = [
    "avg_pool1d_input",
    "avg_pool2d_input",
    "conv1d_bias",
    "conv1d_input",
    "conv1d_weight",
    "conv2d_bias",
    "conv2d_input",
    "conv2d_weight",
    "conv_transpose1d_bias",
    "conv_transpose1d_input",
    "conv_transpose1d_weight",
    "conv_transpose2d_bias",
    "conv_transpose2d_input",
    "conv_transpose2d_weight",
    "fold_input",
    "linear_bias",
    "linear_input",
    "linear_weight",
    "max_pool1d_input",
    "max_pool2d_input",
    "unfold_input",
]
