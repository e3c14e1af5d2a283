"""Adding a kernel to a kernels file: TOML is edited in place, so that comments and order stay, and the file is replaced whole."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from imgconv.errors import UsageError, reason
from imgconv.registry.entries import parse_entries, read_entries
from imgconv.registry.files import exists, user_file
from imgconv.registry.generators import GENERATORS
from imgconv.registry.kernel import Bank, Kernel
from imgconv.registry.lookup import Registry, builtin_entries
from imgconv.registry.names import NAME, split_parameters, unknown_name
from imgconv.registry.references import looks_like_matrix, resolve

MAX_LISTED = 128 * 128  # more numbers than this are not readable as text; they stay in their .npy file


def add_entry(
    name: str,
    kernel: str | Kernel | Bank,
    *,
    file: Path | None = None,
    registry: Registry | None = None,
    description: str = "",
    source: str = "",
    tags: tuple[str, ...] = (),
    default_range: str = "",
    replace: bool = False,
) -> Path:
    """Write a kernel or bank under `name` into a kernels file (the user's own unless given); the file's path.

    A reference to a computed kernel keeps its generator and parameters; anything else is written as numbers, a bank as one entry for
    each of its kernels and one for itself. Nothing is written unless the whole file would be valid.

    Raises UsageError for a bad name, one the file has already (unless `replace`), a kernel over channels, and a broken file.

    Examples
    --------
    >>> import tempfile
    >>> file = add_entry("cross", "0 1 0; 1 1 1; 0 1 0 / 5", file=Path(tempfile.mkdtemp()) / "kernels.toml")
    >>> Registry.load(file).get("cross").total
    1.0
    """
    if not NAME.fullmatch(name):
        raise UsageError(f"kernel name {name!r} is not allowed; use up to 64 ASCII letters, digits, _ and -, a letter first")
    path = user_file() if file is None else file
    tables = _tables(name, kernel, registry)
    about = {"description": description, "source": source, "tags": list(tags), "range": default_range}
    tables[-1][2].update({key: value for key, value in about.items() if value})
    _write(path, _edited(path, tables, replace))
    return path


def _tables(name: str, kernel: str | Kernel | Bank, registry: Registry | None) -> list[tuple[str, str, dict[str, Any]]]:
    """(section, name, keys) of every entry that `kernel` needs, its own last."""
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
    """The keys of a computed kernel's entry with the parameters of `reference`; empty for every other kind of reference."""
    if reference.startswith("@") or looks_like_matrix(reference.strip()):
        return {}
    name, parameters = split_parameters(reference.strip())
    entry = next((entry for entry in registry.entries() if entry.name == name), None)
    if entry is None:
        raise unknown_name(name, registry.names())
    if entry.kind == "bank" or entry.table.get("generator") is None:
        return {}
    registry.get(name, parameters)
    kept = {key: value for key, value in entry.table.items() if key not in ("parameters", "tags")}
    given = {**entry.table.get("parameters", {}), **parameters}
    whole = GENERATORS[kept["generator"]].parameters
    return {**kept, "parameters": {key: int(value) if whole[key].whole else float(value) for key, value in given.items()}}


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


def _credits(described: Kernel | Bank) -> dict[str, Any]:
    about = {"description": described.description, "source": described.source}
    return {key: value for key, value in about.items() if value}


def _plain(number: float) -> int | float:
    """Whole numbers without a decimal point, as a person would type them."""
    return int(number) if number == int(number) and abs(number) < 1e15 else float(number)


def _edited(path: Path, tables: list[tuple[str, str, dict[str, Any]]], replace: bool) -> str:
    import tomlkit

    taken = read_entries(path, "user") if exists(path) else {}
    document = tomlkit.parse(path.read_text("utf-8-sig")) if exists(path) else tomlkit.document()
    for section, name, table in tables:
        if name in taken and not replace:
            raise UsageError(f"{path} has a {taken[name].kind} {name!r} already; choose another name, or replace it with --force")
        if name in taken and section != f"{taken[name].kind}s":
            document[f"{taken[name].kind}s"].remove(name)
        if section not in document:
            document[section] = tomlkit.table(is_super_table=True)
        document[section][name] = _toml(table)
    text = tomlkit.dumps(document)
    Registry([builtin_entries(), parse_entries(text, path, "user")])
    return text


def _toml(keys: dict[str, Any]) -> Any:
    """An entry as a person would lay it out: a row of numbers on a line, parameters within theirs."""
    import tomlkit

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


def _write(path: Path, text: str) -> None:
    """Replace the file whole; a symbolic link keeps pointing at it."""
    import tempfile

    path = path.resolve()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    except OSError as error:
        raise UsageError(f"{path}: cannot write this kernels file ({reason(error)}); check its folder") from None
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        Path(temporary).chmod(path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~_umask())
        Path(temporary).replace(path)
    finally:
        Path(temporary).unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
