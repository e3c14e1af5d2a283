"""Resolve kernel references: a name, a name with parameters, a matrix, or a weight file."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from imgconv.errors import UsageError
from imgconv.registry.kernel import MAX_TAPS, Bank, Kernel, kernel_from_array
from imgconv.registry.names import NAME, NUMBER, split_parameters

if TYPE_CHECKING:
    from imgconv.registry.lookup import Registry

MINUS = "\N{MINUS SIGN}"  # in matrices pasted from books
FILE = re.compile(r"(?P<path>.*?\.(?:npz|npy|safetensors))(?::(?P<member>.+))?", re.IGNORECASE | re.DOTALL)


def resolve(reference: str, registry: Registry | None = None) -> Kernel | Bank:
    """Return the kernel or bank of a reference.

    Parameters
    ----------
    reference : NAME, NAME:KEY=VALUE,KEY=VALUE, a matrix as "0 1 0; 1 -4 1; 0 1 0" with an optional "/ 16", @FILE.npy, @FILE.npz,
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
        name, parameters = split_parameters(text)
        if registry is None:
            from imgconv.registry.lookup import Registry

            registry = Registry.load()
        return registry.get(name, parameters)
    rows, divisor = parse_matrix(text)
    return kernel_from_array(rows, "matrix", divisor)


def looks_like_matrix(text: str) -> bool:
    """Whether a reference is a matrix: it is not a name, and begins with a number or has several rows or entries.

    >>> looks_like_matrix("-1 0 1"), looks_like_matrix("sobel_x"), looks_like_matrix("gaussian:sigma=2, size=9")
    (True, False, False)
    """
    if NAME.fullmatch(text.partition(":")[0].strip()):
        return False
    return bool(re.match(r"[+\-.\d]", text.replace(MINUS, "-"))) or any(mark in text for mark in ";, ")


def parse_matrix(text: str) -> tuple[list[list[float]], float]:
    """Parse the rows and the divisor of a matrix: `;` separates rows, spaces or commas separate entries, a final `/ n` divides them.

    Raises UsageError for an empty, ragged, oversized or non-numeric one.

    >>> parse_matrix("1, 2, 1; 2 4 2; 1 2 1 / 16")
    ([[1.0, 2.0, 1.0], [2.0, 4.0, 2.0], [1.0, 2.0, 1.0]], 16.0)
    """
    shown = repr(text if len(text) <= 40 else text[:37] + "...")
    body, slash, below = text.replace(MINUS, "-").partition("/")
    divisor = _entry(below.strip(), shown) if slash else 1.0
    if divisor == 0:
        raise UsageError(f"matrix {shown} is divided by 0; give another divisor after /")
    rows = [[_entry(word, shown) for word in re.split(r"\s*,\s*|\s+", line.strip())] for line in body.split(";")]
    for number, row in enumerate(rows, 1):
        if len(row) != len(rows[0]):
            raise UsageError(f"matrix {shown} is ragged: row 1 has {len(rows[0])} entries, row {number} has {len(row)}; make them equal")
    if len(rows) * len(rows[0]) > MAX_TAPS:
        raise UsageError(f"matrix {shown} has {len(rows)}x{len(rows[0])} entries; at most {MAX_TAPS} are allowed")
    return rows, divisor


def _entry(word: str, shown: str) -> float:
    if not NUMBER.fullmatch(word):
        problem = f"{word!r} is not a finite number" if word else "an entry is empty"
        raise UsageError(f"matrix {shown}: {problem}; write numbers as in '0 1 0; 1 -4 1; 0 1 0' or '1 2 1 / 4'")
    value = float(word)
    if value in (float("inf"), float("-inf")):
        raise UsageError(f"matrix {shown}: {word!r} is too large for a finite number; give a smaller one")
    return value


def _from_file(text: str) -> Kernel | Bank:
    from imgconv.registry.weights import read_weights

    parts = FILE.fullmatch(text)
    return read_weights(parts["path"], parts["member"] or "") if parts else read_weights(text)
