"""The entries of a kernels file: which keys an entry may have, and which values.

Reads and checks TOML without building arrays or importing numpy. Errors name the file, the entry and the remedy.
"""

import re
import reprlib
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

from imgconv.errors import UsageError
from imgconv.modes import CombineMode, Range
from imgconv.registry.files import parse_toml, read_text
from imgconv.registry.generators import BANK_GENERATORS, GENERATORS, check_parameters, is_number
from imgconv.registry.matrices import MAX_TAPS
from imgconv.registry.names import NAME, split_parameters

Kind = Literal["kernel", "bank"]

KERNEL_FORMS = ("rows", "column", "generator")
BANK_FORMS = ("kernels", "kernel", "generator")
_SECTION = re.compile(r"^\[(kernel|bank)s\.([\w-]+)\]\s*$", re.MULTILINE)


class Entry(NamedTuple):
    """One checked entry of a kernels file; `shadows` is the origin of the entry that it hides, if any."""

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
        """Its default range; empty where the range depends on the sum of the taps."""
        return str(self.table.get("range", ""))

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the parameters that a reference may set."""
        generator = self.table.get("generator")
        return tuple(GENERATORS[generator]) if self.kind == "kernel" and generator else ()


def read_entries(file: Path, origin: str) -> Mapping[str, Entry]:
    """Read and check every entry of a kernels file, in the order of the file.

    Raises UsageError for a file that cannot be read, is not TOML, or has an entry that breaks the rules of `kernels.toml`.
    A file that has not changed since is not parsed again, which would take half of the time of a call on a small array.
    """
    return _parsed(read_text(file, "kernels file"), file, origin)


@lru_cache(maxsize=4)
def _parsed(text: str, file: Path, origin: str) -> Mapping[str, Entry]:
    return parse_entries(text, file, origin)


def parse_entries(text: str, file: Path, origin: str) -> dict[str, Entry]:
    """Check every entry of the text of a kernels file, see `read_entries`; errors name `file`.

    >>> list(parse_entries("[kernels.step]\\nrows = [[-1, 1]]", Path("mine.toml"), "user"))
    ['step']
    """
    entries: dict[str, Entry] = {}
    for section, tables in parse_toml(text, file).items():
        if section not in ("kernels", "banks"):
            raise UsageError(f"{file}: {section}: unknown section; entries are [kernels.NAME] or [banks.NAME]")
        if not isinstance(tables, dict):
            raise UsageError(f"{file}: {section}: must be a table; write [{section}.NAME]")
        kind: Kind = "kernel" if section == "kernels" else "bank"
        for name, table in tables.items():
            where = f"{file}: {section}.{name}"
            if name in entries:
                raise UsageError(f"{where}: a {entries[name].kind} of the same file has this name; choose another")
            _check_entry(where, kind, name, table)
            entries[name] = Entry(name, kind, table, file, origin)
    return entries


class SectionedEntries(Mapping[str, Entry]):
    """The entries of a kernels file in which every entry is a section that begins with a line [kernels.NAME] or [banks.NAME].

    A section is parsed and checked when its entry is used. For the whole built-in file that takes about 10 ms (2026-11).
    """

    def __init__(self, file: Path, origin: str):
        """Raises UsageError for a file that cannot be read."""
        self._file, self._origin = file, origin
        text = read_text(file, "kernels file")
        headings = list(_SECTION.finditer(text))
        ends = [heading.start() for heading in headings[1:]] + [len(text)]
        self._sections = {heading[2]: text[heading.start() : end] for heading, end in zip(headings, ends, strict=True)}
        self._parsed: dict[str, Entry] = {}

    def __getitem__(self, name: str) -> Entry:
        if name not in self._parsed:
            self._parsed.update(parse_entries(self._sections[name], self._file, self._origin))
        return self._parsed[name]

    def __contains__(self, name: object) -> bool:
        return name in self._sections

    def __iter__(self) -> Iterator[str]:
        return iter(self._sections)

    def __len__(self) -> int:
        return len(self._sections)


def kernel_shape(table: Mapping[str, Any]) -> tuple[int, int]:
    """Height and width of a kernel entry that lists its numbers."""
    return (len(table["rows"]), len(table["rows"][0])) if "rows" in table else (len(table["column"]), len(table["row"]))


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
        named = " and ".join(forms) or "none"
        choice = "rows, column and row, or generator" if kind == "kernel" else "kernels, kernel and rotations, or generator"
        raise UsageError(f"{where}: {named} given; give exactly one of {choice}")
    (_check_kernel if kind == "kernel" else _check_bank)(where, table)


def _check_kernel(where: str, table: dict[str, Any]) -> None:
    if ("column" in table) != ("row" in table):
        raise UsageError(f"{where}: column and row go together; give both")
    if "parameters" in table and "generator" not in table:
        raise UsageError(f"{where}: parameters need a generator; add one, or remove them")
    if "generator" in table:
        check_parameters(where, table["generator"], table.get("parameters", {}))
    if "anchor" in table and "generator" not in table:
        height, width = kernel_shape(table)
        row, column = table["anchor"]
        if row >= height or column >= width:
            raise UsageError(f"{where}: anchor {table['anchor']} lies outside its {height}x{width} taps; count from [0, 0]")


def _check_bank(where: str, table: dict[str, Any]) -> None:
    if ("kernel" in table) != ("rotations" in table):
        raise UsageError(f"{where}: kernel and rotations go together; give both, or list the members as kernels")
    if (table.get("combine") == "projection") != ("subspace" in table):
        raise UsageError(f'{where}: subspace goes with combine = "projection"; give both or neither')
    if "subspace" in table and not table["subspace"] < len(table.get("kernels", [])):
        raise UsageError(f"{where}: subspace {table['subspace']} must be less than the number of kernels")


def _rows(value: object) -> str:
    if not isinstance(value, list) or not value or not all(isinstance(row, list) and row for row in value):
        return "must be rows of numbers; write [[0, 1, 0], [1, -4, 1], [0, 1, 0]]"
    for index, row in enumerate(value, 1):
        if len(row) != len(value[0]):
            return f"are ragged: row 1 has {len(value[0])} numbers, row {index} has {len(row)}; make them equal"
        if not all(is_number(number) for number in row):
            return f"must be finite numbers; correct those in row {index}"
    return "" if len(value) * len(value[0]) <= MAX_TAPS else f"hold more than {MAX_TAPS} numbers; use a smaller kernel"


def _rule(allows: Callable[[Any], bool], text: str) -> Callable[[object], str]:
    """A check that returns nothing for an allowed value, else `text`, which may contain the {value}; one may be a whole file of numbers."""
    return lambda value: "" if allows(value) else text.format(value=reprlib.repr(value))


def _one_of(allowed: tuple[str, ...]) -> Callable[[object], str]:
    return _rule(lambda value: isinstance(value, str) and value in allowed, f"must be one of {', '.join(allowed)}, not {{value}}")


def _count(least: int, most: int) -> Callable[[object], str]:
    return _rule(lambda value: type(value) is int and least <= value <= most, f"must be from {least} to {most}, not {{value}}")


def _is_numbers(value: object) -> bool:
    return isinstance(value, list) and 0 < len(value) <= 1024 and all(is_number(number) for number in value)


def _is_anchor(value: object) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(type(part) is int and part >= 0 for part in value)


def _is_name(value: object) -> bool:
    return isinstance(value, str) and NAME.fullmatch(value) is not None


def _member(value: object) -> str:
    if not isinstance(value, str):
        return _NAMED(value)
    try:
        name, _ = split_parameters(value)
    except UsageError as error:
        return f"has an invalid kernel: {error}"
    return "" if NAME.fullmatch(name) else _NAMED(value)


def _members(value: object) -> str:
    if not isinstance(value, list) or not 0 < len(value) <= 256:
        return "must be a list of 1 to 256 kernel names"
    return next((problem for problem in map(_member, value) if problem), "")


_NAMED = _rule(_is_name, "must be the name of a kernel, not {value}")
_NUMBERS = _rule(_is_numbers, "must be a list of 1 to 1024 finite numbers; write [1, 2, 1]")
_TEXT = _rule(lambda value: isinstance(value, str), "must be a string, not {value}")
_DETAILS: Mapping[str, Callable[[object], str]] = {
    "description": _TEXT,
    "range": _one_of(Range.names()),
    "source": _TEXT,
    "tags": _rule(lambda value: isinstance(value, list) and all(isinstance(word, str) for word in value), "must be a list of strings"),
}
KERNEL_KEYS: Mapping[str, Callable[[object], str]] = {
    "rows": _rows,
    "column": _NUMBERS,
    "row": _NUMBERS,
    "generator": _one_of(tuple(GENERATORS)),
    "parameters": _rule(lambda value: isinstance(value, dict), "must be a table; write {{ sigma = 2.0 }}"),
    "divisor": _rule(lambda value: is_number(value) and value != 0, "must be a finite number other than 0, not {value}"),
    "offset": _rule(is_number, "must be a finite number, not {value}"),
    "anchor": _rule(_is_anchor, "must be [row, column] of a tap, counted from 0, not {value}"),
    **_DETAILS,
}
BANK_KEYS: Mapping[str, Callable[[object], str]] = {
    "kernels": _members,
    "kernel": _NAMED,
    "rotations": _count(2, 8),
    "generator": _one_of(BANK_GENERATORS),
    "combine": _one_of(CombineMode.names()),
    "subspace": _count(1, 255),
    **_DETAILS,
}
