"""The registry: names from every kernels file, later files shadowing earlier ones, and kernels built from them on demand.

A bank's members are looked up in the bank's own file and those before it, so that shadowing a kernel never changes a bank of an
earlier file. Knows nothing of matrices and weight files typed on a command line.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from imgconv.errors import UsageError
from imgconv.registry.entries import Entry, kernel_shape, read_entries
from imgconv.registry.files import builtin_file, later_files
from imgconv.registry.generators import check_parameters, generate, generate_bank
from imgconv.registry.kernel import Bank, Kernel, kernel_of_taps, turned
from imgconv.registry.names import slug, split_parameters, unknown_name, with_parameters

Layer = Mapping[str, Entry]


class Registry:
    """Named kernels and banks of one or more kernels files.

    >>> registry = Registry.load()
    >>> registry.get("gaussian", {"sigma": 2}).taps.shape
    (17, 17)
    >>> registry.get("sobel").combine
    'hypot'
    """

    def __init__(self, layers: list[Layer]) -> None:
        """A registry over layers of entries, earliest first; every bank's members are checked here."""
        self._layers = layers
        for depth, layer in enumerate(layers, 1):
            for entry in layer.values():
                for member in _members(entry):
                    self._check_member(entry, member, depth)

    @classmethod
    def load(cls, kernels_file: str | Path | None = None) -> Registry:
        """Built-in kernels, then the user's file, then IMGCONV_KERNELS, then `kernels_file`; later ones shadow earlier ones.

        Raises UsageError for a file that cannot be read or has a broken entry.
        """
        later = [read_entries(file, origin) for file, origin in later_files(kernels_file)]
        return cls([builtin_entries(), *later])

    def names(self) -> list[str]:
        """Every name, in the order of the files; builds nothing."""
        return list(dict.fromkeys(name for layer in self._layers for name in layer))

    def entries(self) -> list[Entry]:
        """The entry behind every name, with what it shadows."""
        found = []
        for name in self.names():
            holders = [layer[name] for layer in self._layers if name in layer]
            found.append(replace(holders[-1], shadows=holders[-2].origin if len(holders) > 1 else ""))
        return found

    def get(self, name: str, parameters: Mapping[str, float] | None = None) -> Kernel | Bank:
        """The kernel or bank of that name; `parameters` go to its generator, or to every member of a bank.

        Raises UsageError for an unknown name (with the nearest ones), an unknown parameter or a wrong value.
        """
        entry, depth = self._find(name, len(self._layers))
        return build_kernel(entry, parameters or {}) if entry.kind == "kernel" else self._bank(entry, parameters or {}, depth)

    def _find(self, name: str, depth: int) -> tuple[Entry, int]:
        """The entry of that name in the first `depth` layers, and how many layers it sees itself."""
        for seen in range(depth, 0, -1):
            if name in self._layers[seen - 1]:
                return self._layers[seen - 1][name], seen
        raise unknown_name(name, self.names())

    def _check_member(self, bank: Entry, member: str, depth: int) -> None:
        where = f"{bank.file}: banks.{bank.name}"
        name, parameters = split_parameters(member)
        try:
            found, _ = self._find(name, depth)
        except UsageError as error:
            raise UsageError(f"{where}: {error}") from None
        if found.kind == "bank":
            raise UsageError(f"{where}: member {name!r} is a bank; list its kernels instead")
        _check_given(where, found, parameters)

    def _bank(self, entry: Entry, parameters: Mapping[str, float], depth: int) -> Bank:
        table = entry.table
        if "generator" in table:
            _refuse_parameters(entry, parameters)
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


def build_kernel(entry: Entry, parameters: Mapping[str, float]) -> Kernel:
    """The kernel of an entry with `parameters` laid over its own."""
    _check_given(f"kernel {entry.name}", entry, parameters)
    table = entry.table
    taps, divisor = _taps(entry, parameters)
    name = slug(with_parameters(entry.name, parameters))
    anchor = tuple(table["anchor"]) if "anchor" in table else None
    kernel = kernel_of_taps(taps, name, divisor * table.get("divisor", 1.0))
    return replace(
        kernel,
        offset=float(table.get("offset", 0.0)),
        anchor=anchor,
        range=table.get("range", kernel.range),
        description=entry.description,
        source=entry.source,
        tags=entry.tags,
    )


def _taps(entry: Entry, parameters: Mapping[str, float]) -> tuple[Any, float]:
    table = entry.table
    if "generator" in table:
        given = {**table.get("parameters", {}), **parameters}
        return generate(table["generator"], check_parameters(f"kernel {entry.name}", table["generator"], given))
    import numpy as np

    rows = table["rows"] if "rows" in table else np.outer(table["column"], table["row"])
    taps = np.array(rows, dtype=np.float64)
    eighths = round(parameters.get("angle", 0) / 45) % 8
    return (turned(taps, eighths) if eighths else taps), 1.0


def _check_given(where: str, entry: Entry, parameters: Mapping[str, float]) -> None:
    """Parameters of a reference to a kernel: those of its generator, or the angle of a square odd mask, in steps of 45 degrees."""
    if "generator" in entry.table:
        check_parameters(where, entry.table["generator"], parameters)
        return
    turns = turns_in_rings(entry)
    for key, value in parameters.items():
        if key != "angle" or not turns:
            takes = "only angle, in steps of 45" if turns else "none"
            raise UsageError(f"{where}: no parameter {key!r}; {entry.name} takes {takes}")
        if not (abs(value) <= 36000 and value % 45 == 0):
            raise UsageError(f"{where}: angle of {entry.name} must be a multiple of 45 degrees, not {value:g}")


def turns_in_rings(entry: Entry) -> bool:
    """Whether a kernel of listed numbers is an odd square, which turns by 45 degrees about its centre."""
    table = entry.table
    if "anchor" in table:
        return False
    height, width = kernel_shape(table)
    return height == width and height % 2 == 1


def _refuse_parameters(entry: Entry, parameters: Mapping[str, float]) -> None:
    for key in parameters:
        raise UsageError(f"bank {entry.name} has no parameter {key!r}; it takes none")


def _members(entry: Entry) -> list[str]:
    table = entry.table
    if entry.kind == "kernel" or "generator" in table:
        return []
    if "kernels" in table:
        return list(table["kernels"])
    return [table["kernel"] if turn == 0 else f"{table['kernel']}:angle={45 * turn}" for turn in range(table["rotations"])]


def _generated(entry: Entry) -> tuple[Kernel, ...]:
    kernels = generate_bank(entry.table["generator"])
    return tuple(
        replace(kernel_of_taps(taps, f"{entry.name}_{name}"), source=entry.source, tags=entry.tags) for name, taps in kernels.items()
    )


@cache
def builtin_entries() -> Layer:
    """Entries of the kernels.toml that came with imgconv, read once."""
    return read_entries(builtin_file(), "built-in")
