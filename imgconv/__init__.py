"""Filter images with convolution and pooling. Results match PyTorch.

Images: `filter`, `edge`, `pool`, `canny`, `run`. What they compute: `plan`, `explain`, `figure`, `learn`. Kernels: `kernel`, `kernels`.
Arrays: everything in `imgconv.functional`, and the modules `functional`, `gradients` and `layers`. Every name is imported on
first use (PEP 562), so that `import imgconv` is fast. Type checkers read the imports below instead.
"""

from importlib import import_module

from imgconv.engine import forks as _forks  # a child that is forked during the first call works
from imgconv.functional import MODULE_OF as _FUNCTIONAL

TYPE_CHECKING = False  # type checkers read it as typing's; importing typing takes a third of the time until signals are handled
if TYPE_CHECKING:
    from typing import Any

    from imgconv import functional as functional
    from imgconv import gradients as gradients
    from imgconv import layers as layers
    from imgconv.api import canny as canny
    from imgconv.api import edge as edge
    from imgconv.api import filter as filter
    from imgconv.api import kernel as kernel
    from imgconv.api import kernels as kernels
    from imgconv.api import pool as pool
    from imgconv.api import run as run
    from imgconv.api_inspection import explain as explain
    from imgconv.api_inspection import figure as figure
    from imgconv.api_inspection import learn as learn
    from imgconv.api_inspection import plan as plan
    from imgconv.errors import ArgumentTypeError as ArgumentTypeError
    from imgconv.errors import DoesNotFit as DoesNotFit
    from imgconv.errors import ImageError as ImageError
    from imgconv.errors import ImgconvError as ImgconvError
    from imgconv.errors import MissingExtra as MissingExtra
    from imgconv.errors import PictureError as PictureError
    from imgconv.errors import UsageError as UsageError
    from imgconv.fitting.task import LearntKernels as LearntKernels
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
    from imgconv.inspection.explanation import Explanation as Explanation
    from imgconv.inspection.plans import ImagePlan as ImagePlan
    from imgconv.plotting.figures import Figure as Figure
    from imgconv.registry import Bank as Bank
    from imgconv.registry import Kernel as Kernel

__version__ = "0.1.0"

_NAMES = {
    "imgconv.api": "canny edge filter kernel kernels pool run",
    "imgconv.api_inspection": "explain figure learn plan",
    "imgconv.errors": "ArgumentTypeError DoesNotFit ImgconvError ImageError MissingExtra PictureError UsageError",
    "imgconv.fitting.task": "LearntKernels",
    "imgconv.inspection.explanation": "Explanation",
    "imgconv.inspection.plans": "ImagePlan",
    "imgconv.plotting.figures": "Figure",
    "imgconv.registry": "Bank Kernel",
}
_MODULE_OF = {name: module for module, names in _NAMES.items() for name in names.split()} | _FUNCTIONAL
_MODULES = ("functional", "gradients", "layers")
__all__ = sorted(["__version__", *_MODULE_OF, *_MODULES])


def __getattr__(name: str) -> "Any":
    if name in _MODULE_OF:
        _forks.follow_logging()  # while there is, as a rule, one thread
        value = getattr(import_module(_MODULE_OF[name]), name)
        globals()[name] = value
        return value
    if name in _MODULES:
        return import_module(f"imgconv.{name}")
    raise AttributeError(f"module 'imgconv' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
