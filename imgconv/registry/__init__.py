"""Kernels and banks: reading kernels files, computing kernels, and kernel references as typed on a command line.

Knows no images and no loops. Importing it imports no numpy: that waits until a kernel is built. `add_entry` is imported on first
use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from imgconv.registry.entries import Entry
from imgconv.registry.files import builtin_file, user_file
from imgconv.registry.kernel import COMBINES, RANGES, Bank, Kernel, kernel_from_array, of_one_size
from imgconv.registry.lookup import Registry
from imgconv.registry.names import slug
from imgconv.registry.references import resolve

if TYPE_CHECKING:
    from imgconv.registry.editing import add_entry

__all__ = [
    "COMBINES",
    "RANGES",
    "Bank",
    "Entry",
    "Kernel",
    "Registry",
    "add_entry",
    "builtin_file",
    "kernel_from_array",
    "of_one_size",
    "resolve",
    "slug",
    "user_file",
]


def __getattr__(name: str) -> Any:
    if name == "add_entry":
        return import_module("imgconv.registry.editing").add_entry
    raise AttributeError(f"module 'imgconv.registry' has no attribute {name!r}")
