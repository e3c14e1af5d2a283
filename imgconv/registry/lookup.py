"""The registry: kernels and banks by name from several kernels files, built on demand, and kernel references as they are typed.

Later files shadow earlier ones. The members of a bank are looked up in the bank's own file and those before it, so that
shadowing a kernel never changes a bank of an earlier file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from imgconv.errors import UsageError
from imgconv.modes import PoolMode
from imgconv.registry.entries import Entry, SectionedEntries, kernel_shape, read_entries
from imgconv.registry.files import builtin_file, later_files
from imgconv.registry.generators import check_parameters, generate, generate_bank
from imgconv.registry.kernel import Bank, Kernel, kernel_from_array, kernel_of_taps, rotated
from imgconv.registry.matrices import as_typed, looks_like_matrix, parse_matrix
from imgconv.registry.names import FILE, slug, split_parameters, unknown_name, with_parameters

if TYPE_CHECKING:
    from imgconv.arrays import Array

Layer = Mapping[str, Entry]  # the entries of one file


class Registry:
    """Named kernels and banks of one or more kernels files.

    >>> registry = Registry.load()
    >>> registry.get("gaussian", {"sigma": 2}).taps.shape
    (17, 17)
    >>> registry.get("sobel").combine
    'hypot'
    """

    def __init__(self, layers: Sequence[Layer]) -> None:
        """A registry of the entries of several files, the built-in one first."""
        self._layers = layers

    @classmethod
    def load(cls, kernels_file: str | Path | None = None) -> Registry:
        """Load the built-in kernels, the user's file, IMGCONV_KERNELS and `kernels_file`; later ones shadow earlier ones.

        Every entry of the user's files is checked here, a built-in entry when it is used.
        Raises UsageError for a file that cannot be read or has an invalid entry.
        """
        registry = cls([builtin_entries(), *(read_entries(file, origin) for file, origin in later_files(kernels_file))])
        registry.check_banks(first=1)
        return registry

    def check_banks(self, first: int = 0) -> None:
        """Check that the members of all banks exist, in the layers from number `first` on; raise UsageError otherwise."""
        for depth, layer in enumerate(self._layers[first:], first + 1):
            for entry in layer.values():
                for member in _members(entry):
                    self._check_member(entry, member, depth)

    def names(self) -> list[str]:
        """Return every name, in the order of the files; builds nothing."""
        return list(dict.fromkeys(name for layer in self._layers for name in layer))

    def entries(self) -> list[Entry]:
        """Return the entry of every name; its `shadows` is set if it hides an entry of an earlier file."""
        entries = []
        for name in self.names():
            own = [layer[name] for layer in self._layers if name in layer]
            entries.append(own[-1]._replace(shadows=own[-2].origin) if len(own) > 1 else own[-1])
        return entries

    def get(self, name: str, parameters: Mapping[str, float] | None = None) -> Kernel | Bank:
        """Build the kernel or bank of that name; `parameters` go to its generator, or to every member of a bank.

        Raises UsageError for an unknown name (with similar names), an unknown parameter or an invalid value.
        """
        entry, depth = self._find(name, len(self._layers))
        if entry.kind == "bank":
            return self._bank(entry, parameters or {}, depth)
        if depth == 1 and self._layers[0] is builtin_entries():
            return _builtin_kernel(name, **(parameters or {}))
        return build_kernel(entry, parameters or {})

    def _find(self, name: str, depth: int) -> tuple[Entry, int]:
        """Return the entry of that name in the first `depth` layers, and the number of layers up to its own."""
        for number in range(depth, 0, -1):
            if name in self._layers[number - 1]:
                return self._layers[number - 1][name], number
        tagged = [entry.name for entry in self.entries() if name in entry.tags]
        if tagged:
            some = ", ".join(tagged[:4])
            raise UsageError(
                f"{name} is a tag and not a kernel; use one of its kernels, such as {some}; imgconv kernels list --tag {name} shows all"
            )
        if name == "canny":
            raise UsageError("canny is not a kernel; use the command imgconv canny")
        if name in PoolMode.names():
            raise UsageError(f"{name} is not a kernel but a pooling mode; use the command imgconv pool --mode {name}")
        raise unknown_name(name, self.names())

    def _check_member(self, bank: Entry, member: str, depth: int) -> None:
        where = f"{bank.file}: banks.{bank.name}"
        name, parameters = split_parameters(member)
        try:
            entry, _ = self._find(name, depth)
        except UsageError as error:
            raise UsageError(f"{where}: {error}") from None
        if entry.kind == "bank":
            raise UsageError(f"{where}: member {name!r} is a bank; list its kernels instead")
        _check_parameters(where, entry, parameters)

    def _bank(self, entry: Entry, parameters: Mapping[str, float], depth: int) -> Bank:
        table = entry.table
        if "generator" in table:
            for key in parameters:
                raise UsageError(f"bank {entry.name} has no parameter {key!r}; it takes none")
            kernels = _generated(entry)
        else:
            kernels = tuple(self._member(entry, member, parameters, depth) for member in _members(entry))
        return Bank(
            slug(with_parameters(entry.name, parameters)),
            kernels,
            table.get("combine", "none"),
            table.get("range", "abs"),
            entry.description,
            entry.source,
            entry.tags,
            table.get("subspace", 0),
        )

    def _member(self, bank: Entry, member: str, parameters: Mapping[str, float], depth: int) -> Kernel:
        name, fixed = split_parameters(member)
        for key in fixed:
            if key in parameters:
                raise UsageError(f"bank {bank.name} fixes {key} of {name} itself; leave {key} out")
        entry, _ = self._find(name, depth)
        return build_kernel(entry, {**fixed, **parameters})


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
        return (registry or Registry.load()).get(name, parameters)
    rows, divisor = parse_matrix(text)
    return kernel_from_array(rows, "matrix", divisor)


def _from_file(text: str) -> Kernel | Bank:
    from imgconv.registry.weights import read_weights

    parts = FILE.fullmatch(text)
    return read_weights(parts["path"], parts["member"] or "") if parts else read_weights(text)


@cache
def builtin_entries() -> Layer:
    """The entries of the kernels.toml that comes with imgconv, read once per process."""
    return SectionedEntries(builtin_file(), "built-in")


@lru_cache(maxsize=16)  # the taps of a large generated one take megabytes
def _builtin_kernel(name: str, /, **parameters: float) -> Kernel:
    return build_kernel(builtin_entries()[name], parameters)


def build_kernel(entry: Entry, parameters: Mapping[str, float]) -> Kernel:
    """Build the kernel of an entry; `parameters` replace the entry's own."""
    _check_parameters(f"kernel {entry.name}", entry, parameters)
    table = entry.table
    taps, divisor = _taps(entry, parameters)
    kernel = kernel_of_taps(taps, slug(with_parameters(entry.name, parameters)), divisor * table.get("divisor", 1.0))
    return replace(
        kernel,
        offset=float(table.get("offset", 0.0)),
        anchor=tuple(table["anchor"]) if "anchor" in table else None,
        range=table.get("range", kernel.range),
        description=entry.description,
        source=entry.source,
        tags=entry.tags,
    )


def rotates(entry: Entry) -> bool:
    """Whether a kernel of listed numbers takes the parameter `angle`: it is an odd square without an anchor."""
    if "anchor" in entry.table:
        return False
    height, width = kernel_shape(entry.table)
    return height == width and height % 2 == 1


def _taps(entry: Entry, parameters: Mapping[str, float]) -> tuple[Array, float]:
    table = entry.table
    if "generator" in table:
        checked = check_parameters(f"kernel {entry.name}", table["generator"], {**table.get("parameters", {}), **parameters})
        return generate(table["generator"], checked)
    import numpy as np

    rows = table["rows"] if "rows" in table else np.outer(table["column"], table["row"])
    taps = np.array(rows, dtype=np.float64)
    eighths = round(parameters.get("angle", 0) / 45) % 8
    return (rotated(taps, eighths) if eighths else taps), 1.0


def _check_parameters(where: str, entry: Entry, parameters: Mapping[str, float]) -> None:
    """Check the parameters of a reference: those of the generator, or the angle of an odd square in steps of 45 degrees."""
    if "generator" in entry.table:
        check_parameters(where, entry.table["generator"], parameters)
        return
    for key, value in parameters.items():
        if key != "angle" or not rotates(entry):
            takes = "only angle, in steps of 45" if rotates(entry) else "none"
            raise UsageError(f"{where}: no parameter {key!r}; {entry.name} takes {takes}")
        if not (abs(value) <= 36000 and value % 45 == 0):
            raise UsageError(f"{where}: angle of {entry.name} must be a multiple of 45 degrees, not {value:g}")


def _members(entry: Entry) -> list[str]:
    """The references of a bank's members; none for a kernel or a generated bank."""
    table = entry.table
    if entry.kind == "kernel" or "generator" in table:
        return []
    if "kernels" in table:
        return list(table["kernels"])
    return [f"{table['kernel']}:angle={45 * step}" if step else table["kernel"] for step in range(table["rotations"])]


def _generated(entry: Entry) -> tuple[Kernel, ...]:
    kernels = generate_bank(entry.table["generator"])
    return tuple(
        replace(kernel_of_taps(taps, f"{entry.name}_{name}"), source=entry.source, tags=entry.tags) for name, taps in kernels.items()
    )
