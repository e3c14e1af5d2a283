"""Add entries to a kernels file and remove them. The TOML is edited, so that comments and order stay; the file is replaced as a whole."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import tomlkit

from imgconv.atomic import atomic_write, exclusive
from imgconv.errors import UsageError, reason
from imgconv.inputs import Inputs
from imgconv.registry.entries import Entry, parse_entries, read_entries
from imgconv.registry.files import read_text, user_file
from imgconv.registry.generators import GENERATORS
from imgconv.registry.kernel import Bank, Kernel
from imgconv.registry.lookup import Registry, builtin_entries, resolve
from imgconv.registry.matrices import looks_like_matrix
from imgconv.registry.names import NAME, split_parameters, unknown_name

MAX_LISTED = 128 * 128  # taps; larger kernels are not readable as text and stay in their .npy file


def add_entry(
    name: str,
    kernel: str | Kernel | Bank,
    *,
    file: Path | None = None,
    registry: Registry | None = None,
    details: Mapping[str, object] | None = None,
    replace: bool = False,
) -> Path:
    """Write a kernel or bank under `name` into a kernels file (the user's own by default); return the path of the file.

    A reference to a computed kernel is written as its generator and parameters, anything else as numbers: a bank as an entry for
    each of its kernels and one for itself; `details` are its description, source, tags and range. Nothing is written unless the whole
    file is valid afterwards.

    Raises UsageError for an invalid name, a name that the file already has (unless `replace`), a kernel over channels, and an
    invalid file.

    Examples
    --------
    >>> import tempfile
    >>> file = add_entry("cross", "0 1 0; 1 1 1; 0 1 0 / 5", file=Path(tempfile.mkdtemp()) / "kernels.toml")
    >>> Registry.load(file).get("cross").total
    1.0
    """
    check_name(name, replace=True)
    path = user_file() if file is None else file
    tables = _tables(name, kernel, registry)
    tables[-1][2].update({key: value for key, value in (details or {}).items() if value})
    with _edited(path) as (document, entries):
        for section, entry_name, table in tables:
            if entry_name in entries:
                if not replace:
                    raise _name_in_use(path, entries[entry_name])
                if section != f"{entries[entry_name].kind}s":
                    document[f"{entries[entry_name].kind}s"].remove(entry_name)
            if section not in document:
                document[section] = tomlkit.table(is_super_table=True)
            document[section][entry_name] = _toml(table)
    return path


def check_name(name: str, *, replace: bool = False) -> None:
    """Check a name for `add_entry`: its letters, and unless `replace` that the user's file has no entry of that name."""
    if not NAME.fullmatch(name):
        raise UsageError(f"kernel name {name!r} is not allowed; use up to 64 ASCII letters, digits, _ and -, a letter first")
    path = user_file()
    entry = None if replace or not os.path.exists(path) else read_entries(path, "user").get(name)
    if entry is not None:
        raise _name_in_use(path, entry)


def _name_in_use(path: Path, entry: Entry) -> UsageError:
    return UsageError(f"{path} already has a {entry.kind} {entry.name!r}; choose another name, or replace it with --force")


def remove_entry(name: str, *, file: Path | None = None) -> Path:
    """Remove a kernel or bank from a kernels file (the user's own by default); return the path of the file.

    Raises UsageError if the file has no entry of that name, or a bank of the file needs it.

    >>> import tempfile
    >>> file = add_entry("cross", "0 1 0; 1 1 1; 0 1 0 / 5", file=Path(tempfile.mkdtemp()) / "kernels.toml")
    >>> "cross" in remove_entry("cross", file=file).read_text()
    False
    """
    path = user_file() if file is None else file
    with _edited(path) as (document, entries):
        if name not in entries:
            raise UsageError(f"{path} has no kernel or bank {name!r}; built-in entries cannot be removed")
        document[f"{entries[name].kind}s"].remove(name)
    return path


@contextmanager
def _edited(path: Path) -> Iterator[tuple[Any, Mapping[str, Entry]]]:
    """Yield the TOML document and the entries of a kernels file, then check the document and write it.

    One process at a time edits the file. Its folder is created if necessary.
    """
    folder = Path(os.path.realpath(path)).parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with exclusive(folder):
            text = read_text(path, "kernels file") if os.path.exists(path) else ""
            entries = parse_entries(text, path, "user")
            document = tomlkit.parse(text)
            yield document, entries
            text = tomlkit.dumps(document)
            Registry([builtin_entries(), parse_entries(text, path, "user")]).check_banks(first=1)
            with atomic_write(path, Inputs()) as stream:
                stream.write(text.encode())
    except OSError as error:
        raise UsageError(f"{path}: cannot write this kernels file ({reason(error)}); check its folder") from None


def _tables(name: str, kernel: str | Kernel | Bank, registry: Registry | None) -> list[tuple[str, str, dict[str, Any]]]:
    """Return (section, name, keys) of every entry that `kernel` needs, its own last."""
    registry = Registry.load() if registry is None else registry
    if isinstance(kernel, str):
        generated = _generated(kernel, registry)
        if generated:
            return [("kernels", name, generated)]
        kernel = resolve(kernel, registry)
    if isinstance(kernel, Kernel):
        return [("kernels", name, _kernel_table(kernel))]
    members = [(f"{name}_{n}", _kernel_table(member)) for n, member in enumerate(kernel.kernels, 1)]
    bank: dict[str, Any] = {"kernels": [member for member, _ in members], "combine": kernel.combine, "range": kernel.range}
    if kernel.subspace:
        bank["subspace"] = kernel.subspace
    bank.update(_credits(kernel))
    return [*(("kernels", member, table) for member, table in members), ("banks", name, bank)]


def _generated(reference: str, registry: Registry) -> dict[str, Any]:
    """Return the keys of a computed kernel's entry with the parameters of `reference`; empty for every other kind of reference."""
    if reference.startswith("@") or looks_like_matrix(reference.strip()):
        return {}
    name, parameters = split_parameters(reference.strip())
    entry = next((entry for entry in registry.entries() if entry.name == name), None)
    if entry is None:
        raise unknown_name(name, registry.names())
    if entry.kind == "bank" or entry.table.get("generator") is None:
        return {}
    registry.get(name, parameters)
    keys = {key: value for key, value in entry.table.items() if key not in ("parameters", "tags")}
    values = {**entry.table.get("parameters", {}), **parameters}
    rules = GENERATORS[keys["generator"]]
    return {**keys, "parameters": {key: int(value) if rules[key].whole else float(value) for key, value in values.items()}}


def _kernel_table(kernel: Kernel) -> dict[str, Any]:
    if kernel.taps.ndim != 2:
        raise UsageError(f"kernel {kernel.name} sums over {len(kernel.taps)} channels; a kernels file holds 2-D kernels, use @FILE instead")
    if kernel.taps.size > MAX_LISTED:
        raise UsageError(f"kernel {kernel.name} has {kernel.taps.size} taps; a kernels file lists at most {MAX_LISTED}, use @FILE instead")
    table: dict[str, Any] = {"rows": [[_plain(tap) for tap in row] for row in kernel.taps.tolist()], "range": kernel.range}
    if kernel.divisor != 1:
        table["divisor"] = _plain(kernel.divisor)
    if kernel.offset:
        table["offset"] = _plain(kernel.offset)
    if kernel.anchor is not None:
        table["anchor"] = list(kernel.anchor)
    return {**table, **_credits(kernel)}


def _credits(weights: Kernel | Bank) -> dict[str, Any]:
    credits = {"description": weights.description, "source": weights.source}
    return {key: value for key, value in credits.items() if value}


def _plain(number: float) -> int | float:
    """Return a whole number as an int, which TOML writes without a decimal point."""
    return int(number) if number == int(number) and abs(number) < 1e15 else float(number)


def _toml(keys: dict[str, Any]) -> Any:
    """Format an entry for reading: each row of taps on a line of its own, all parameters on one line."""
    entry = tomlkit.table()
    for key, value in keys.items():
        if key == "rows":
            entry[key] = tomlkit.item(value).multiline(len(value) > 1)
        elif key == "parameters":
            entry[key] = tomlkit.inline_table()
            entry[key].update(value)
        else:
            entry[key] = value
    return entry
