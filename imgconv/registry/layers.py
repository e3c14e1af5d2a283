"""A layer's weight and bias from a file, as arrays of whatever shape the layer has.

`arrays` makes kernels of what it reads; layers that are no kernels (linear, transposed) are read here, by the same readers and rules.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imgconv.errors import ArgumentTypeError, UsageError
from imgconv.registry import arrays
from imgconv.registry.files import expanded
from imgconv.registry.references import FILE

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray


def is_weights_file(reference: str) -> bool:
    """Whether a reference means a file of weights: FILE.npy, FILE.npz[:ARRAY] or FILE.safetensors:TENSOR, perhaps after an `@`.

    >>> is_weights_file("@net.safetensors:conv1"), is_weights_file("w.npy"), is_weights_file("sobel")
    (True, True, False)
    """
    return reference.startswith("@") or FILE.fullmatch(reference) is not None


def read_layer(reference: str, folder: Path | None = None) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """The weight and, where the file has one, the bias that a reference names.

    Parameters
    ----------
    reference : as `is_weights_file` knows it. NAME also finds NAME.weight, and NAME.bias goes with NAME or NAME.weight. An .npz
        without a name needs to hold one array, or `weight` and perhaps `bias`.
    folder : where relative paths begin, the current one unless given.

    Raises
    ------
    UsageError : a file that is missing, damaged, or holds anything but finite real numbers.
    MissingExtra : a .safetensors file without the safetensors library.
    """
    parts = FILE.fullmatch(reference.removeprefix("@"))
    if parts is None:
        raise UsageError(f"{reference!r} is no file of weights; give FILE.npy, FILE.npz:ARRAY or FILE.safetensors:TENSOR")
    path = (folder or Path()) / expanded(parts["path"])
    arrays.check_there(path)
    member = parts["member"] or ""
    if path.suffix.lower() == ".npy":
        if member:
            raise UsageError(f"{path} holds one array; leave out :{member}")
        return _checked(arrays._npy(path), str(path)), None
    if path.suffix.lower() == ".npz":
        return _named(path, arrays._npz_names(path), member, arrays._npz_array)
    return _named(path, arrays._tensor_names(path), member, arrays._tensor)


def _named(
    path: Path, names: list[str], member: str, read: Callable[[Path, str], NDArray[Any]]
) -> tuple[NDArray[Any], NDArray[Any] | None]:
    wanted = (member, f"{member}.weight") if member else ("weight", *(names if len(names) == 1 else ()))
    found = next((name for name in wanted if name in names), None)
    if found is None:
        problem = f"has no array {member!r}; it has" if member else "holds several arrays; add :NAME, one of"
        raise UsageError(f"{path} {problem} {arrays._listed(names)}")
    biased = re.sub(r"(^|\.)weight$", r"\1bias", found) if found.endswith("weight") else f"{found}.bias"
    bias = _checked(read(path, biased), f"{path}: {biased}") if biased in names and biased != found else None
    return _checked(read(path, found), f"{path}: {found}"), bias


def _checked(array: NDArray[Any], where: str) -> NDArray[Any]:
    import numpy as np

    if array.dtype.kind not in "biuf":
        raise ArgumentTypeError(f"{where} holds {array.dtype}; give real numbers")
    if array.size == 0 or not np.isfinite(array).all():
        raise UsageError(f"{where} is empty or holds NaN or infinity; every weight must be a finite number")
    return array
