"""Filter images with convolution and pooling. Results match PyTorch.

Images: `filter`, `edge`, `pool`, `canny`, `run`. Kernels: `kernel`, `kernels`. Arrays: everything in `imgconv.functional`, and the modules
`functional`, `gradients` and `layers`. Every name is imported on first use (PEP 562), so that `import imgconv` is fast.
"""

from importlib import import_module

import imgconv.engine.forks  # noqa: F401  a child that is forked during the first call works
from imgconv.functional import MODULE_OF as _FUNCTIONAL

TYPE_CHECKING = False  # type checkers read it as typing's; importing typing takes a third of the time until signals are handled
if TYPE_CHECKING:
    from typing import Any

__version__ = "0.1.0"

_NAMES = {
    "imgconv.api": "canny edge filter kernel kernels pool run",
    "imgconv.errors": "ArgumentTypeError DoesNotFit ImgconvError ImageError MissingExtra PictureError UsageError",
    "imgconv.registry": "Bank Kernel",
}
_MODULE_OF = {name: module for module, names in _NAMES.items() for name in names.split()} | _FUNCTIONAL
_MODULES = ("functional", "gradients", "layers")
__all__ = sorted(["__version__", *_MODULE_OF, *_MODULES])


def __getattr__(name: str) -> "Any":
    if name in _MODULE_OF:
        value = getattr(import_module(_MODULE_OF[name]), name)
        globals()[name] = value
        return value
    if name in _MODULES:
        return import_module(f"imgconv.{name}")
    raise AttributeError(f"module 'imgconv' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
