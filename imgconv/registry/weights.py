"""Weights from .npy, .npz and .safetensors files: as arrays, as kernels, and as the weight and bias of a layer.

Files are data: no pickle is opened, and sizes are read from the header before memory is allocated.
"""

from __future__ import annotations

import importlib
import re
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from imgconv.errors import ArgumentTypeError, MissingExtra, UsageError, reason
from imgconv.registry.files import expanded, note_read
from imgconv.registry.kernel import Bank, Kernel, check_taps, kernel_of_taps
from imgconv.registry.names import FILE, slug

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray


SUFFIXES = (".npy", ".npz", ".safetensors")
MAX_WEIGHTS = 1 << 27  # a gigabyte as float64; the largest layers of known networks hold a tenth of it
MAX_MEMBERS = 20_000  # of an archive
_MAX_BYTES = 8 * MAX_WEIGHTS
_MAX_DIRECTORY = 512 * MAX_MEMBERS  # bytes that describe the members
_END_RECORDS = 66_000  # bytes at the end of an archive: the longest comment and two records
_LONGEST_HEADER = 1 << 16  # bytes of the header of a .npy file

# What the libraries of zip archives and numpy arrays raise for damaged ones.
_DAMAGE = (
    ArithmeticError,
    EOFError,
    LookupError,
    MemoryError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)


def read_weights(file: str | Path, member: str = "") -> Kernel | Bank:
    """The kernel or bank in a file of weights; `member` names one array of an .npz or .safetensors file.

    2-D is a kernel, (N, kh, kw) a bank of N, (O, I, kh, kw) a bank of O kernels that each sum over I channels; every array of an .npz
    file without a member goes into one bank, unless they are `weight` and `bias`. A member NAME also finds NAME.weight, and NAME.bias
    goes with both.

    Raises
    ------
    UsageError : a file that is missing, damaged, of another format, or holds anything but finite real weights.
    MissingExtra : a .safetensors file without the safetensors library.
    """
    path = expanded(file)
    name = slug(f"@{file}" + (f":{member}" if member else ""))
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise UsageError(f"{path}: unknown kind of weights file; use one of {', '.join(SUFFIXES)}")
    check_there(path)
    if member and suffix == ".npy":
        raise UsageError(f"{path} holds one array; leave out :{member}")
    if not member and suffix == ".safetensors":
        raise UsageError(f"{path}: name one of its tensors, as in @{path.name}:{_listed(_tensor_names(path))}")
    if not member:
        return _from_arrays(_npz(path) if suffix == ".npz" else {"": _npy(path)}, name, path)
    names, read = (_npz_names(path), _npz_array) if suffix == ".npz" else (_tensor_names(path), _tensor)
    weight, bias = _named(path, names, member, read)
    return bank_of_weights(weight, name, bias, where=f"{path}: {member}")


def check_there(path: Path) -> None:
    """Raise UsageError for a file that is not there; remember one that is as an input."""
    try:
        path.stat()
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from None
    note_read(path)


def bank_of_weights(weights: NDArray[Any], name: str, bias: NDArray[Any] | None = None, where: str = "") -> Kernel | Bank:
    """An array of 2 to 4 axes as a kernel or bank, see `read_weights`; `bias` (O,) goes with the O kernels.

    >>> import numpy as np
    >>> [kernel.taps.shape for kernel in bank_of_weights(np.ones((2, 3, 5, 5)), "conv1").kernels]
    [(3, 5, 5), (3, 5, 5)]
    """
    where = where or name
    if weights.dtype.kind not in "biuf":
        raise ArgumentTypeError(f"{where} holds {weights.dtype}; give real numbers")
    if not 2 <= weights.ndim <= 4:
        raise UsageError(f"{where} has {weights.ndim} axes; give (kh, kw), (N, kh, kw) or (O, I, kh, kw)")
    check_taps(weights.shape, where)
    if weights.ndim == 2:
        return kernel_of_taps(weights, name, bias=_biases(bias, 1, where)[0])
    biases = _biases(bias, len(weights), where)
    kernels = [kernel_of_taps(taps, f"{name}_{n}", bias=biases[n - 1]) for n, taps in enumerate(weights, 1)]
    return Bank(name, tuple(kernels), range=_common_range(kernels))


def _biases(bias: NDArray[Any] | None, count: int, where: str) -> list[float]:
    if bias is None:
        return [0.0] * count
    if bias.shape != (count,) or bias.dtype.kind not in "biuf":
        raise UsageError(f"{where} needs {count} real biases; its bias is {bias.dtype} of shape {bias.shape}")
    return [float(value) for value in bias]


def _common_range(kernels: list[Kernel]) -> str:
    return "abs" if all(kernel.range == "abs" for kernel in kernels) else "clip"


def _from_arrays(arrays: Mapping[str, NDArray[Any]], name: str, path: Path) -> Kernel | Bank:
    if len(arrays) == 1:
        (only, array), *_ = arrays.items()
        return bank_of_weights(array, name, where=f"{path}: {only}" if only else str(path))
    if arrays.keys() == {"weight", "bias"}:
        return bank_of_weights(arrays["weight"], name, arrays["bias"], where=str(path))
    kernels: list[Kernel] = []
    for member, array in arrays.items():
        loaded = bank_of_weights(array, slug(f"@{member}"), where=f"{path}: {member}")
        kernels += [loaded] if isinstance(loaded, Kernel) else loaded.kernels
    if not kernels:
        raise UsageError(f"{path} holds no arrays; save at least one with numpy.savez")
    return Bank(name, tuple(kernels), range=_common_range(kernels))


def _npy(path: Path) -> NDArray[Any]:
    try:
        with path.open("rb") as stream:
            return _read_array(stream, str(path))
    except OSError as error:
        raise _unreadable(path, error) from None


def _npz(path: Path) -> dict[str, NDArray[Any]]:
    """All arrays of an archive, in the order in which they were saved."""
    arrays: dict[str, NDArray[Any]] = {}
    total = 0
    with _opened_npz(path) as archive:
        for name in _members(archive):
            arrays[name] = _member(archive, path, name)
            total += arrays[name].nbytes
            if total > _MAX_BYTES:
                raise UsageError(f"{path} holds more than {_MAX_BYTES} bytes of arrays; name one of them, as in @{path.name}:{name}")
    return arrays


def _npz_names(path: Path) -> list[str]:
    with _opened_npz(path) as archive:
        return _members(archive)


def _npz_array(path: Path, name: str) -> NDArray[Any]:
    with _opened_npz(path) as archive:
        return _member(archive, path, name)


@contextmanager
def _opened_npz(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with path.open("rb") as file:
            _check_directory(file, path)
            archive = zipfile.ZipFile(file)
            if len(archive.namelist()) > MAX_MEMBERS:
                raise _too_many(path)
            yield archive
    except UsageError:
        raise
    except OSError as error:
        raise _unreadable(path, error) from None
    except _DAMAGE as error:
        raise _damaged(str(path), error) from None


def _check_directory(file: IO[bytes], path: Path) -> None:
    """Raise UsageError for an archive whose directory, which zipfile reads whole, is too long; the end record has its length."""
    file.seek(max(0, file.seek(0, 2) - _END_RECORDS))
    end = file.read()
    for record, size in ((b"PK\5\6", slice(12, 16)), (b"PK\6\6", slice(40, 48))):
        field = end[end.rfind(record) :][size] if record in end else b""
        if int.from_bytes(field, "little") > _MAX_DIRECTORY and field != b"\xff\xff\xff\xff":  # the other record has the length
            raise _too_many(path)


def _too_many(path: Path) -> UsageError:
    return UsageError(f"{path} has more than {MAX_MEMBERS} members; save fewer arrays in one archive")


def _members(archive: zipfile.ZipFile) -> list[str]:
    return [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]


def _member(archive: zipfile.ZipFile, path: Path, name: str) -> NDArray[Any]:
    where = f"{path}: {name}"
    try:
        with archive.open(f"{name}.npy") as stream:
            if archive.getinfo(f"{name}.npy").compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise ValueError("it is compressed by a method that numpy does not use")
            return _read_array(stream, where)
    except (UsageError, OSError):
        raise
    except _DAMAGE as error:
        raise _damaged(where, error) from None


def _read_array(stream: IO[bytes], where: str) -> NDArray[Any]:
    """One array of the numpy format; its header is read first, since a wrong one would allocate gigabytes."""
    import numpy as np

    try:
        version = np.lib.format.read_magic(stream)
        length = int.from_bytes(stream.read(2 if version == (1, 0) else 4), "little")
        if length > _LONGEST_HEADER:
            raise ValueError(f"its header claims {length} bytes")
        stream.seek(len(np.lib.format.magic(*version)))
        read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read_header(stream)
        if dtype.hasobject:
            raise UsageError(f"{where} holds Python objects, which are never loaded; save an array of numbers")
        if min(shape, default=0) < 0:  # NumPy before 2.3 reads such an array
            raise ValueError(f"its header claims a size of {min(shape)}")
        if max(prod(shape) * dtype.itemsize // 8, prod(shape)) > MAX_WEIGHTS:
            raise UsageError(f"{where} claims {'x'.join(map(str, shape))} numbers; at most {MAX_WEIGHTS} are read, save a smaller one")
        stream.seek(0)
        return np.lib.format.read_array(stream, allow_pickle=False)
    except UsageError:
        raise
    except _DAMAGE as error:
        raise _damaged(where, error) from None


def _tensor_names(path: Path) -> list[str]:
    with _open_tensors(path) as tensors:
        return list(tensors.keys())


def _tensor(path: Path, name: str) -> NDArray[Any]:
    with _open_tensors(path) as tensors:
        shape = tensors.get_slice(name).get_shape()
        if prod(shape) > MAX_WEIGHTS:
            raise UsageError(f"{path}: {name} holds {prod(shape)} numbers; at most {MAX_WEIGHTS} are read")
        try:
            tensor: NDArray[Any] = tensors.get_tensor(name)
        except (TypeError, AttributeError, KeyError):
            kind = tensors.get_slice(name).get_dtype()
            raise UsageError(f"{path}: {name} is of type {kind}, which numpy lacks; save it as float32") from None
        return tensor


def _open_tensors(path: Path) -> Any:
    try:
        library = importlib.import_module("safetensors")
    except ImportError:
        raise MissingExtra(f"{path}: .safetensors files need the safetensors library; pip install 'imgconv[safetensors]'") from None
    try:
        return library.safe_open(path, framework="numpy")
    except OSError as error:
        raise _unreadable(path, error) from None
    except library.SafetensorError as error:
        raise _damaged(str(path), error) from None


def _unreadable(path: Path, error: Exception) -> UsageError:
    return UsageError(f"{path}: cannot read these weights ({reason(error)}); correct the path or the file")


def _damaged(where: str, error: Exception) -> UsageError:
    return UsageError(f"{where}: damaged, or not a file of weights ({reason(error)}); save it again")


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:8]) or "none"
    return shown if len(names) <= 8 else f"{shown} and {len(names) - 8} more"


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
    reference : of a form that `is_weights_file` accepts. NAME also finds NAME.weight, and NAME.bias goes with NAME or NAME.weight. An .npz
        without a name needs to hold one array, or `weight` and perhaps `bias`.
    folder : where relative paths begin, the current one unless given.

    Raises
    ------
    UsageError : a file that is missing, damaged, or holds anything but finite real numbers.
    MissingExtra : a .safetensors file without the safetensors library.
    """
    parts = FILE.fullmatch(reference.removeprefix("@"))
    if parts is None:
        raise UsageError(f"{reference!r} is not a weights file; use FILE.npy, FILE.npz:ARRAY or FILE.safetensors:TENSOR")
    path = (folder or Path()) / expanded(parts["path"])
    check_there(path)
    member = parts["member"] or ""
    if path.suffix.lower() == ".npy":
        if member:
            raise UsageError(f"{path} holds one array; leave out :{member}")
        return _checked(_npy(path), str(path)), None
    if path.suffix.lower() == ".npz":
        return _named(path, _npz_names(path), member, _npz_array)
    return _named(path, _tensor_names(path), member, _tensor)


def _named(
    path: Path, names: list[str], member: str, read: Callable[[Path, str], NDArray[Any]]
) -> tuple[NDArray[Any], NDArray[Any] | None]:
    array_names = (member, f"{member}.weight") if member else ("weight", *(names if len(names) == 1 else ()))
    array_name = next((name for name in array_names if name in names), None)
    if array_name is None:
        problem = f"has no array {member!r}; it has" if member else "holds several arrays; add :NAME, one of"
        raise UsageError(f"{path} {problem} {_listed(names)}")
    biased = re.sub(r"(^|\.)weight$", r"\1bias", array_name) if array_name.endswith("weight") else f"{array_name}.bias"
    bias = _checked(read(path, biased), f"{path}: {biased}") if biased in names and biased != array_name else None
    return _checked(read(path, array_name), f"{path}: {array_name}"), bias


def _checked(array: NDArray[Any], where: str) -> NDArray[Any]:
    import numpy as np

    if array.dtype.kind not in "biuf":
        raise ArgumentTypeError(f"{where} holds {array.dtype}; give real numbers")
    if array.size == 0 or not np.isfinite(array).all():
        raise UsageError(f"{where} is empty or holds NaN or infinity; every weight must be a finite number")
    return array
