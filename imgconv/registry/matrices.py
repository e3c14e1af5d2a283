"""Matrices as people type them and paste them: from books, Python, MATLAB, C and spreadsheets."""

from __future__ import annotations

import re
from math import lcm
from typing import TYPE_CHECKING

from imgconv.errors import UsageError
from imgconv.registry.names import NAME, NUMBER

if TYPE_CHECKING:  # takes 3 ms, and few matrices have fractions
    from fractions import Fraction

MAX_TAPS = 1024 * 1024
LARGEST_DIVISOR = 1 << 20  # of fractions with a common one; sums of whole numbers below 2**53 are exact
HINT = "write numbers as in '0 1 0; 1 -4 1; 0 1 0' or '1 2 1 / 4'"

_LOOKALIKES: dict[int, int | str] = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}  # full-width forms of ASCII
_LOOKALIKES |= dict(zip(map(ord, "\N{MINUS SIGN}\N{SMALL HYPHEN-MINUS}\N{EN DASH}"), "---", strict=True))
_LOOKALIKES |= dict(zip(map(ord, "\N{FRACTION SLASH}\N{DIVISION SLASH}\N{IDEOGRAPHIC COMMA}\N{IDEOGRAPHIC SPACE}"), "//, ", strict=True))
_BRACKETS = str.maketrans("({)}", "[[]]")
_ARRAY = re.compile(r"(?:(?:np|numpy)\.)?(?:array|matrix)\s*\((.*?)(?:,\s*dtype\s*=\s*[\w.']+\s*)?\)", re.DOTALL)
_NESTED = re.compile(r"\[\s*(\[.*\])\s*,?\s*\]", re.DOTALL)
_ROWS = re.compile(r"(?:\[[^][]*\]\s*[,;]?\s*)+")


def as_typed(text: str) -> str:
    """Return a reference with ASCII characters in place of those that look like them.

    >>> as_typed("\N{FULLWIDTH DIGIT ONE}\N{FULLWIDTH COMMA} \N{MINUS SIGN}2")
    '1, -2'
    """
    return text if text.isascii() else text.translate(_LOOKALIKES)


def looks_like_matrix(text: str) -> bool:
    """Whether a reference is a matrix: it is not a name, and begins with a number or bracket, or has several rows or entries.

    >>> looks_like_matrix("-1 0 1"), looks_like_matrix("sobel_x"), looks_like_matrix("gaussian:sigma=2, size=9")
    (True, False, False)
    """
    text = as_typed(text)
    if NAME.fullmatch(text.partition(":")[0].strip()):
        return False
    return bool(re.match(r"[+\-.\d\[({]", text)) or any(mark in text for mark in ";, \n")


def parse_matrix(text: str) -> tuple[list[list[float]], float]:
    """Parse the rows and the divisor of a matrix.

    `;`, line ends or brackets separate rows, spaces or commas separate entries, and a final `/ n` divides them all. Entries may be
    fractions, whose common denominator becomes the divisor. Raises UsageError for a matrix that is empty, ragged, oversized or not
    numeric, and for decimal commas.

    >>> parse_matrix("1, 2, 1; 2 4 2; 1 2 1 / 16")
    ([[1.0, 2.0, 1.0], [2.0, 4.0, 2.0], [1.0, 2.0, 1.0]], 16.0)
    >>> parse_matrix("[[1/9, 1/9], [0, 2/9]]")
    ([[1.0, 1.0], [0.0, 2.0]], 9.0)
    """
    shown = repr(text if len(text) <= 40 else text[:37] + "...")
    body, below = _split_divisor(as_typed(text).strip())
    divisor = 1.0 if below is None else float(_entry(below.strip(), shown))
    if divisor == 0:
        raise UsageError(f"matrix {shown} is divided by 0; give another divisor after /")
    lines, bracketed = _lines(body, shown)
    _refuse_decimal_commas(lines, bracketed, shown)
    rows = [[_entry(word, shown) for word in re.split(r"\s*,\s*|\s+", line)] for line in lines]
    for number, row in enumerate(rows, 1):
        if len(row) != len(rows[0]):
            raise UsageError(f"matrix {shown} is ragged: row 1 has {len(rows[0])} entries, row {number} has {len(row)}; make them equal")
    if len(rows) * len(rows[0]) > MAX_TAPS:
        raise UsageError(f"matrix {shown} has {len(rows)}x{len(rows[0])} entries; at most {MAX_TAPS} are allowed")
    return _with_common_divisor(rows, divisor)


def _split_divisor(text: str) -> tuple[str, str | None]:
    """Return the matrix, and what follows the slash that divides all of it, None without one.

    A slash with a space or a bracket next to it divides the matrix, and so does the only slash behind the last entry, as in `1 2 1/4`.
    All other slashes belong to fractions.
    """
    head, slash, tail = text.rpartition("/")
    if not slash:
        return text, None
    if re.search(r"[\s\])}]$", head) or re.match(r"\s|$", tail):
        return head, tail
    return (head, tail) if "/" not in head and re.fullmatch(r"[^\s;,\])}]+", tail) else (text, None)


def _lines(body: str, shown: str) -> tuple[list[str], bool]:
    """Return the text of each row, and whether brackets surround the rows."""
    array = _ARRAY.fullmatch(body.strip())
    text = (array[1] if array else body).strip().translate(_BRACKETS)
    text = re.sub(r"\]\s*;$", "]", text)
    if "[" not in text and "]" not in text:
        return _unbracketed(text), False
    nested = _NESTED.fullmatch(text)
    rows = nested[1] if nested else text
    if not _ROWS.fullmatch(rows):
        raise UsageError(f"matrix {shown}: the brackets do not match; {HINT}")
    inner = [row.strip() for row in re.findall(r"\[([^][]*)\]", rows)]
    lines = inner if nested or len(inner) > 1 else _unbracketed(inner[0])
    return [line.removesuffix(",").rstrip() for line in lines], True


def _unbracketed(text: str) -> list[str]:
    """Return the rows between semicolons and line ends, without the last one where it is empty."""
    pattern = r"\s*;\s*|\s*,?\s*\n\s*"
    rows = re.split(pattern, text.strip().removesuffix(",").strip() if "\n" in text else text.strip())
    return rows[:-1] if len(rows) > 1 and not rows[-1] else rows


def _refuse_decimal_commas(lines: list[str], bracketed: bool, shown: str) -> None:
    """Raise UsageError for rows such as `0,5 0,5`, which half of Europe writes for `0.5 0.5`."""
    only_zeros = not bracketed and all(re.fullmatch(r"[+-]?0,\d+", line) for line in lines)
    for line in lines:
        attached = re.search(r"\d,\d", line)
        spaced = re.search(r"[^\s,]\s+[^\s,]", line) or (re.search(r",\s|\s,", line) and not bracketed)
        if attached and (spaced or only_zeros or re.search(r"(^|[^\d.])\d+,0\d", line)):
            raise UsageError(f"matrix {shown} looks like decimal commas; write 0.5 for 0,5, and spaces or ', ' between entries")


def _entry(word: str, shown: str) -> float | Fraction:
    """Return a number, or a fraction of two numbers."""
    parts = word.split("/")
    for part in parts:
        if not NUMBER.fullmatch(part) or len(parts) > 2:
            problem = f"{word!r} is not a finite number" if word else "an entry is empty"
            raise UsageError(f"matrix {shown}: {problem}; {HINT}")
        if float(part) in (float("inf"), float("-inf")):
            raise UsageError(f"matrix {shown}: {word!r} is too large for a finite number; give a smaller one")
    if len(parts) == 1:
        return float(word)
    if float(parts[1]) == 0:
        raise UsageError(f"matrix {shown}: {word!r} is divided by 0; give another number")
    from fractions import Fraction

    return Fraction(float(parts[0])) / Fraction(float(parts[1]))


def _with_common_divisor(rows: list[list[float | Fraction]], divisor: float) -> tuple[list[list[float]], float]:
    """Return the rows and the divisor as floats, with whole numbers where fractions such as 1/9 have a common denominator."""
    common = lcm(*(entry.denominator for row in rows for entry in row if not isinstance(entry, float)))
    if common & (common - 1) == 0 or common > LARGEST_DIVISOR:  # binary fractions are exact as they are
        common = 1
    return [[float(entry * common) for entry in row] for row in rows], divisor * common
