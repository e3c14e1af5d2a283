"""Kernels and banks: kernels files, computed kernels, weight files, and kernel references as typed on a command line.

Importing the package does not import numpy, which is imported when a kernel is built. The functions that edit kernels files
are imported on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from imgconv.registry.entries import Entry
from imgconv.registry.files import builtin_file, user_file
from imgconv.registry.kernel import Bank, Kernel, kernel_from_array, of_one_size
from imgconv.registry.lookup import Registry, resolve
from imgconv.registry.names import slug

if TYPE_CHECKING:
    from imgconv.registry.editing import add_entry, remove_entry

__all__ = [
    "Bank",
    "Entry",
    "Kernel",
    "Registry",
    "add_entry",
    "builtin_file",
    "kernel_from_array",
    "of_one_size",
    "remove_entry",
    "resolve",
    "slug",
    "user_file",
]


def __getattr__(name: str) -> Any:
    if name in ("add_entry", "remove_entry"):
        return getattr(import_module("imgconv.registry.editing"), name)
    raise AttributeError(f"module 'imgconv.registry' has no attribute {name!r}")
