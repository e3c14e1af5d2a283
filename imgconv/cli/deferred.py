"""Modules that libraries import but most commands never use: their code runs when something in them is first used.

Typer, NumPy, Pillow and importlib import them at their top, which takes a tenth of the CPU time of a small image.
"""

import sys
from importlib.machinery import PathFinder
from threading import RLock

TYPE_CHECKING = False  # see imgconv/__init__.py
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.abc import Loader
    from importlib.machinery import ModuleSpec
    from types import ModuleType

MODULES = frozenset(
    {
        "PIL.ExifTags",
        "PIL.TiffTags",
        "numpy._core._add_newdocs",  # docstrings, written into NumPy's functions
        "numpy._core._add_newdocs_scalars",
        "pickle",
        "subprocess",
        "tempfile",
        "zipfile",
    }
)


def defer_modules() -> None:
    """Defer every one of MODULES that is imported from now on."""
    sys.meta_path.insert(0, _Finder())


class _Finder:
    """Finds what is in MODULES where Python finds it; what comes from elsewhere than a path is left to other finders."""

    def find_spec(self, name: str, path: "Sequence[str] | None" = None, target: "ModuleType | None" = None) -> "ModuleSpec | None":
        spec = PathFinder.find_spec(name, path, target) if name in MODULES else None
        if spec is None or spec.loader is None:
            return None
        spec.loader = _Loader(spec.loader)  # type: ignore[assignment]
        return spec


class _Loader:
    """Gives a module a function `__getattr__` (PEP 562), which executes the module. That of importlib.util is not for several threads."""

    def __init__(self, loader: "Loader"):
        self._loader = loader

    def create_module(self, spec: "ModuleSpec") -> "ModuleType | None":
        return self._loader.create_module(spec)

    def exec_module(self, module: "ModuleType") -> None:
        lock, loader, names, is_executing = RLock(), self._loader, vars(module), False

        def execute(name: str) -> object:
            nonlocal is_executing
            with lock:
                if names.get("__getattr__") is execute and not is_executing:  # it is executing if the module reads its own names
                    is_executing = True
                    try:
                        loader.exec_module(module)
                    finally:  # an interrupt leaves it to the next use
                        is_executing = False
                    if names["__getattr__"] is execute:  # the module has no such function itself
                        del names["__getattr__"]
            if name in names or is_executing or "__getattr__" not in names:
                return object.__getattribute__(module, name)
            return names["__getattr__"](name)

        module.__loader__ = loader
        if module.__spec__:
            module.__spec__.loader = loader
        names["__getattr__"] = execute
