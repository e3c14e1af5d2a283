"""Resolve kernel references: a name, a name with parameters, a matrix, or a weight file."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from imgconv.registry.kernel import Bank, Kernel, kernel_from_array
from imgconv.registry.matrices import as_typed, looks_like_matrix, parse_matrix
from imgconv.registry.names import split_parameters, unknown_name

if TYPE_CHECKING:
    from imgconv.registry.lookup import Registry

FILE = re.compile(r"(?P<path>.*?\.(?:npz|npy|safetensors))(?::(?P<member>.+))?", re.IGNORECASE | re.DOTALL)


def resolve(reference: str, registry: Registry | None = None) -> Kernel | Bank:
    """Return the kernel or bank of a reference.

    Parameters
    ----------
    reference : NAME, NAME:KEY=VALUE,KEY=VALUE, a matrix as "0 1 0; 1 -4 1; 0 1 0" with an optional "/ 16" or as
        Python and MATLAB print it, @FILE.npy, @FILE.npz,
        or @FILE.npz:ARRAY and @FILE.safetensors:TENSOR for one array of several.
    registry : where names are looked up; `Registry.load()` by default.

    Raises
    ------
    UsageError : any other text, an unknown name, or an invalid number or file.
    MissingExtra : a .safetensors file without the safetensors library.

    Examples
    --------
    >>> resolve("1 2 1; 2 4 2; 1 2 1 / 16").total
    1.0
    >>> len(resolve("kirsch").kernels)
    8
    """
    text = reference.strip()
    if text.startswith("@"):
        return _from_file(text[1:])
    if not looks_like_matrix(text):
        if FILE.fullmatch(text):
            raise unknown_name(text, ())
        text = as_typed(text)
        name, parameters = split_parameters(text)
        if registry is None:
            from imgconv.registry.lookup import Registry

            registry = Registry.load()
        return registry.get(name, parameters)
    rows, divisor = parse_matrix(text)
    return kernel_from_array(rows, "matrix", divisor)


def _from_file(text: str) -> Kernel | Bank:
    from imgconv.registry.weights import read_weights

    parts = FILE.fullmatch(text)
    return read_weights(parts["path"], parts["member"] or "") if parts else read_weights(text)
