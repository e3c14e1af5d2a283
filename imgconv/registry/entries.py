"""A kernels file as entries: which keys an entry may have, and what each may be.

Reads and checks TOML; builds no arrays and never imports numpy. What is wrong is said with file, entry and remedy.
"""

import reprlib
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from imgconv.errors import UsageError, reason
from imgconv.registry.generators import BANK_GENERATORS, GENERATORS, check_parameters, is_number
from imgconv.registry.kernel import COMBINES, MAX_TAPS, RANGES
from imgconv.registry.names import NAME, split_parameters

Kind = Literal["kernel", "bank"]

KERNEL_FORMS = ("rows", "column", "generator")
BANK_FORMS = ("kernels", "kernel", "generator")


@dataclass(frozen=True)
class Entry:
    """One name of a kernels file, checked but not built; `shadows` names the origin of the entry that it hides, if any."""

    name: str
    kind: Kind
    table: Mapping[str, Any]
    file: Path
    origin: str
    shadows: str = ""

    @property
    def description(self) -> str:
        """What the kernel does, in one sentence."""
        return str(self.table.get("description", ""))

    @property
    def source(self) -> str:
        """The book, paper or tool that defines it."""
        return str(self.table.get("source", ""))

    @property
    def tags(self) -> tuple[str, ...]:
        """Words to filter a list by."""
        return tuple(self.table.get("tags", ()))

    @property
    def range(self) -> str:
        """Its default range; empty where it depends on the sum of the taps."""
        return str(self.table.get("range", ""))

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the parameters that a reference may set."""
        generator = self.table.get("generator")
        return tuple(GENERATORS[generator].parameters) if self.kind == "kernel" and generator else ()


def read_entries(file: Path, origin: str) -> dict[str, Entry]:
    """Every entry of a kernels file, in its order.

    Raises UsageError for a file that cannot be read, is no TOML, or has an entry that breaks the rules of `kernels.toml`.
    """
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{file}: byte {error.start} is not UTF-8; save the kernels file as UTF-8 text") from None
    except (OSError, ValueError) as error:
        raise UsageError(f"{file}: cannot read this kernels file ({reason(error)}); correct the path or its permissions") from None
    return parse_entries(text, file, origin)


def parse_entries(text: str, file: Path, origin: str) -> dict[str, Entry]:
    """Every entry of the text of a kernels file, see `read_entries`; `file` is where it is from.

    >>> list(parse_entries("[kernels.step]\\nrows = [[-1, 1]]", Path("mine.toml"), "user"))
    ['step']
    """
    try:
        tables = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        problem = reason(error) if isinstance(error, ValueError) else "nested too deeply"
        raise UsageError(f"{file}: not valid TOML: {problem}; correct it") from None
    entries: dict[str, Entry] = {}
    for section, named in tables.items():
        kind = _kind(file, section, named)
        for name, table in named.items():
            where = f"{file}: {section}.{name}"
            if name in entries:
                raise UsageError(f"{where}: the name is taken by a {entries[name].kind} of the same file; choose another")
            _check_entry(where, kind, name, table)
            entries[name] = Entry(name, kind, table, file, origin)
    return entries


def _kind(file: Path, section: str, named: object) -> Kind:
    if section not in ("kernels", "banks"):
        raise UsageError(f"{file}: {section}: unknown section; entries are [kernels.NAME] or [banks.NAME]")
    if not isinstance(named, dict):
        raise UsageError(f"{file}: {section}: must be a table; write [{section}.NAME]")
    return "kernel" if section == "kernels" else "bank"


def _check_entry(where: str, kind: Kind, name: str, table: object) -> None:
    if not NAME.fullmatch(name):
        raise UsageError(f"{where}: bad name; use up to 64 ASCII letters, digits, _ and -, a letter first")
    if not isinstance(table, dict):
        raise UsageError(f"{where}: must be a table; write [{kind}s.{name}]")
    rules = KERNEL_KEYS if kind == "kernel" else BANK_KEYS
    for key, value in table.items():
        if key not in rules:
            raise UsageError(f"{where}: unknown key {key!r}; allowed are {', '.join(rules)}")
        problem = rules[key](value)
        if problem:
            raise UsageError(f"{where}: {key} {problem}")
    forms = [form for form in (KERNEL_FORMS if kind == "kernel" else BANK_FORMS) if form in table]
    if len(forms) != 1:
        given = " and ".join(forms) or "none"
        choice = "rows, column and row, or generator" if kind == "kernel" else "kernels, kernel and rotations, or generator"
        raise UsageError(f"{where}: {given} given; give exactly one of {choice}")
    (_check_kernel if kind == "kernel" else _check_bank)(where, table)


def _check_kernel(where: str, table: dict[str, Any]) -> None:
    if ("column" in table) != ("row" in table):
        raise UsageError(f"{where}: column and row go together; give both")
    if "parameters" in table and "generator" not in table:
        raise UsageError(f"{where}: parameters go with a generator; add one, or take them out")
    if "generator" in table:
        check_parameters(where, table["generator"], table.get("parameters", {}))
    if "anchor" in table and "generator" not in table:
        height, width = kernel_shape(table)
        row, column = table["anchor"]
        if row >= height or column >= width:
            raise UsageError(f"{where}: anchor {table['anchor']} lies outside its {height}x{width} taps; count from [0, 0]")


def kernel_shape(table: Mapping[str, Any]) -> tuple[int, int]:
    """Height and width of a kernel entry that lists its numbers."""
    return (len(table["rows"]), len(table["rows"][0])) if "rows" in table else (len(table["column"]), len(table["row"]))


def _check_bank(where: str, table: dict[str, Any]) -> None:
    if ("kernel" in table) != ("rotations" in table):
        raise UsageError(f"{where}: kernel and rotations go together; give both, or list the members as kernels")
    if (table.get("combine") == "projection") != ("subspace" in table):
        raise UsageError(f'{where}: subspace goes with combine = "projection"; give both or neither')
    if "subspace" in table and not table["subspace"] < len(table.get("kernels", [])):
        raise UsageError(f"{where}: subspace {table['subspace']} must be less than the number of kernels")


_short = reprlib.repr  # a wrong value may be a whole file of numbers


def _rows(value: object) -> str:
    if not isinstance(value, list) or not value or not all(isinstance(row, list) and row for row in value):
        return "must be rows of numbers; write [[0, 1, 0], [1, -4, 1], [0, 1, 0]]"
    for index, row in enumerate(value, 1):
        if len(row) != len(value[0]):
            return f"are ragged: row 1 has {len(value[0])} numbers, row {index} has {len(row)}; make them equal"
        if not all(is_number(number) for number in row):
            return f"hold something else than finite numbers in row {index}; correct it"
    return "" if len(value) * len(value[0]) <= MAX_TAPS else f"hold more than {MAX_TAPS} numbers; use a smaller kernel"


def _numbers(value: object) -> str:
    if isinstance(value, list) and 0 < len(value) <= 1024 and all(is_number(number) for number in value):
        return ""
    return "must be a list of 1 to 1024 finite numbers; write [1, 2, 1]"


def _number(value: object) -> str:
    return "" if is_number(value) else f"must be a finite number, not {_short(value)}"


def _divisor(value: object) -> str:
    return "" if is_number(value) and value != 0 else f"must be a finite number other than 0, not {_short(value)}"


def _anchor(value: object) -> str:
    whole = isinstance(value, list) and len(value) == 2 and all(type(part) is int and part >= 0 for part in value)
    return "" if whole else f"must be [row, column] of a tap, counted from 0, not {_short(value)}"


def _one_of(allowed: tuple[str, ...]) -> Callable[[object], str]:
    return lambda value: "" if value in allowed else f"must be one of {', '.join(allowed)}, not {_short(value)}"


def _text(value: object) -> str:
    return "" if isinstance(value, str) else f"must be a text, not {_short(value)}"


def _texts(value: object) -> str:
    return "" if isinstance(value, list) and all(isinstance(word, str) for word in value) else "must be a list of texts"


def _table(value: object) -> str:
    return "" if isinstance(value, dict) else "must be a table; write { sigma = 2.0 }"


def _member(value: object) -> str:
    if not isinstance(value, str):
        return f"must be the name of a kernel, not {_short(value)}"
    try:
        name, _ = split_parameters(value)
    except UsageError as error:
        return f"names a wrong kernel: {error}"
    return "" if NAME.fullmatch(name) else f"must be the name of a kernel, not {_short(value)}"


def _name(value: object) -> str:
    return "" if isinstance(value, str) and NAME.fullmatch(value) else f"must be the name of a kernel, not {_short(value)}"


def _members(value: object) -> str:
    if not isinstance(value, list) or not 0 < len(value) <= 256:
        return "must be a list of 1 to 256 kernel names"
    return next((problem for problem in map(_member, value) if problem), "")


def _count(least: int, most: int) -> Callable[[object], str]:
    return lambda value: "" if type(value) is int and least <= value <= most else f"must be from {least} to {most}, not {_short(value)}"


_ABOUT = {"description": _text, "range": _one_of(RANGES), "source": _text, "tags": _texts}
KERNEL_KEYS: Mapping[str, Callable[[object], str]] = {
    "rows": _rows,
    "column": _numbers,
    "row": _numbers,
    "generator": _one_of(tuple(GENERATORS)),
    "parameters": _table,
    "divisor": _divisor,
    "offset": _number,
    "anchor": _anchor,
    **_ABOUT,
}
BANK_KEYS: Mapping[str, Callable[[object], str]] = {
    "kernels": _members,
    "kernel": _name,
    "rotations": _count(2, 8),
    "generator": _one_of(tuple(BANK_GENERATORS)),
    "combine": _one_of(COMBINES),
    "subspace": _count(1, 255),
    **_ABOUT,
}
