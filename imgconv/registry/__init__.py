"""Kernels and banks: reading kernels files, computing kernels, and kernel references as typed on a command line.

Knows no pictures and no loops. Importing it imports no numpy: that waits until a kernel is built.
"""

from imgconv.registry.additions import add_entry
from imgconv.registry.entries import Entry
from imgconv.registry.files import builtin_file, user_file
from imgconv.registry.kernel import COMBINES, RANGES, Bank, Kernel, kernel_from_array
from imgconv.registry.lookup import Registry
from imgconv.registry.names import slug
from imgconv.registry.references import resolve

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
    "resolve",
    "slug",
    "user_file",
]
