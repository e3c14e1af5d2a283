"""The gradients of all operations, under torch.nn.grad's names: `conv2d_input`, `conv2d_weight`, `conv2d_bias` and so on.

`OPERATION_ARGUMENT(...)` returns the gradient of the loss with respect to that argument, from `grad_output`, the gradient with respect
to the output. Each gradient is defined next to its operation in `imgconv.functional`.
"""

from imgconv.functional.avg_pooling import avg_pool1d_input, avg_pool2d_input
from imgconv.functional.conv import conv1d_bias, conv1d_input, conv1d_weight, conv2d_bias, conv2d_input, conv2d_weight
from imgconv.functional.conv import conv1d_bias as conv_transpose1d_bias
from imgconv.functional.conv import conv2d_bias as conv_transpose2d_bias
from imgconv.functional.conv_transpose import (
    conv_transpose1d_input,
    conv_transpose1d_weight,
    conv_transpose2d_input,
    conv_transpose2d_weight,
)
from imgconv.functional.matrix import linear_bias, linear_input, linear_weight
from imgconv.functional.patches import fold_input, unfold_input
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
