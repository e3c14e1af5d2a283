"""The functions of torch.nn.functional on numpy arrays, under their names.

Every name is imported on first use. Each module holds one family of operations with its 1-D forms and gradients.
"""

from importlib import import_module

TYPE_CHECKING = False  # see imgconv/__init__.py
if TYPE_CHECKING:
    from typing import Any

MODULES = {
    "activation": "flatten leaky_relu relu sigmoid softmax tanh",
    "adaptive_pooling": "adaptive_avg_pool2d adaptive_max_pool2d",
    "avg_pooling": "avg_pool1d avg_pool2d",
    "conv": "conv1d conv2d",
    "conv_transpose": "conv_transpose1d conv_transpose2d",
    "deform_conv": "deform_conv2d",
    "matrix": "kernel_matrix linear",
    "padding": "pad",
    "patches": "col2im fold im2col unfold",
    "pooling": "max_pool1d max_pool2d max_unpool2d median_pool2d min_pool2d",
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
