"""The functions of torch.nn.functional on numpy arrays, under their names.

Every name is imported on first use. Each module holds one family of operations with its 1-D forms and gradients.
"""

from importlib import import_module

TYPE_CHECKING = False  # see imgconv/__init__.py
if TYPE_CHECKING:
    from typing import Any

    from imgconv.functional.activation import flatten as flatten
    from imgconv.functional.activation import leaky_relu as leaky_relu
    from imgconv.functional.activation import relu as relu
    from imgconv.functional.activation import sigmoid as sigmoid
    from imgconv.functional.activation import softmax as softmax
    from imgconv.functional.activation import tanh as tanh
    from imgconv.functional.avg_pooling import avg_pool1d as avg_pool1d
    from imgconv.functional.avg_pooling import avg_pool2d as avg_pool2d
    from imgconv.functional.conv import conv1d as conv1d
    from imgconv.functional.conv import conv2d as conv2d
    from imgconv.functional.conv_transpose import conv_transpose1d as conv_transpose1d
    from imgconv.functional.conv_transpose import conv_transpose2d as conv_transpose2d
    from imgconv.functional.deform_conv import deform_conv2d as deform_conv2d
    from imgconv.functional.matrix import kernel_matrix as kernel_matrix
    from imgconv.functional.matrix import linear as linear
    from imgconv.functional.padding import pad as pad
    from imgconv.functional.patches import col2im as col2im
    from imgconv.functional.patches import fold as fold
    from imgconv.functional.patches import im2col as im2col
    from imgconv.functional.patches import unfold as unfold
    from imgconv.functional.pooling import adaptive_avg_pool2d as adaptive_avg_pool2d
    from imgconv.functional.pooling import adaptive_max_pool2d as adaptive_max_pool2d
    from imgconv.functional.pooling import max_pool1d as max_pool1d
    from imgconv.functional.pooling import max_pool2d as max_pool2d
    from imgconv.functional.pooling import max_unpool2d as max_unpool2d
    from imgconv.functional.pooling import median_pool2d as median_pool2d
    from imgconv.functional.pooling import min_pool2d as min_pool2d

MODULES = {
    "activation": "flatten leaky_relu relu sigmoid softmax tanh",
    "avg_pooling": "avg_pool1d avg_pool2d",
    "conv": "conv1d conv2d",
    "conv_transpose": "conv_transpose1d conv_transpose2d",
    "deform_conv": "deform_conv2d",
    "matrix": "kernel_matrix linear",
    "padding": "pad",
    "patches": "col2im fold im2col unfold",
    "pooling": "adaptive_avg_pool2d adaptive_max_pool2d max_pool1d max_pool2d max_unpool2d median_pool2d min_pool2d",
}
MODULE_OF = {name: f"imgconv.functional.{module}" for module, names in MODULES.items() for name in names.split()}
__all__ = sorted(MODULE_OF)


def __getattr__(name: str) -> "Any":
    if name not in MODULE_OF:
        raise AttributeError(f"module 'imgconv.functional' has no attribute {name!r}")
    value = getattr(import_module(MODULE_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
