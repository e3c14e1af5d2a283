"""Convolution and pooling on images, exactly as PyTorch means them.

Every public name is imported on first use (PEP 562), so that `import imgconv` costs nothing: images through `filter`, `edge`,
`canny`, `pool`, `run`; kernels through `kernel`, `kernels`; all of `imgconv.functional`; and the modules `gradients`, `layers`,
`functional`.
"""

from importlib import import_module

from imgconv.functional import HOME_OF as _FUNCTIONAL

TYPE_CHECKING = False  # as typing's own, which would be a third of the start before a command catches signals
if TYPE_CHECKING:
    from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "imgconv.api": "canny edge filter kernel kernels pool run",
    "imgconv.errors": "ArgumentTypeError DoesNotFit ImgconvError ImageError MissingExtra PictureError UsageError",
    "imgconv.registry": "Bank Kernel",
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()} | _FUNCTIONAL
_MODULES = ("functional", "gradients", "layers")
__all__ = sorted(["__version__", *_HOME_OF, *_MODULES])


def __getattr__(name: str) -> "Any":
    if name in _HOME_OF:
        value = getattr(import_module(_HOME_OF[name]), name)
        globals()[name] = value
        return value
    if name in _MODULES:
        return import_module(f"imgconv.{name}")
    raise AttributeError(f"module 'imgconv' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
