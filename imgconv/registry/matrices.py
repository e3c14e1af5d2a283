"""Matrices as people type them and paste them: from books, Python, MATLAB, C, LaTeX, ImageMagick and spreadsheets."""

from __future__ import annotations

import re
from math import lcm
from typing import TYPE_CHECKING

from imgconv.errors import UsageError, abbreviated
from imgconv.registry.names import NAME, NUMBER

if TYPE_CHECKING:  # takes 3 ms, and few matrices have fractions
    from fractions import Fraction

MAX_TAPS = 1024 * 1024
LARGEST_DIVISOR = 1 << 20  # of fractions with a common one; sums of whole numbers below 2**53 are exact
HINT = "write numbers as in '0 1 0; 1 -4 1; 0 1 0' or '1 2 1 / 4'"

_LOOKALIKES: dict[int, int | str] = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}  # full-width forms of ASCII
_LOOKALIKES |= dict(zip(map(ord, "\N{MINUS SIGN}\N{SMALL HYPHEN-MINUS}\N{EN DASH}"), "---", strict=True))
_LOOKALIKES |= dict(zip(map(ord, "\N{FRACTION SLASH}\N{DIVISION SLASH}\N{DIVISION SIGN}\N{IDEOGRAPHIC COMMA}"), "///,", strict=True))
_LOOKALIKES |= dict(zip(map(ord, "\N{IDEOGRAPHIC SPACE}\N{BOM}\N{MULTIPLICATION SIGN}\N{MIDDLE DOT}"), "  **", strict=True))
_BRACKETS = str.maketrans("({)}", "[[]]")
# Patterns are strings, which are compiled on first use: a command with a name for a kernel needs none of them.
_REWRITTEN = (  # in LaTeX, and the mark with which a line of MATLAB continues on the next one
    (r"\\d?frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}", r"\1/\2"),
    (r"\\begin\s*\{\w+\*?\}(?:\{[clr|]+\})?", "["),
    (r"\\end\s*\{\w+\*?\}", "]"),
    (r"\\(?:cdot|times)\b", "*"),
    (r"\\\\", ";"),
    (r"&|\$|\\(?:left|right)\b|\.\.\.[ \t\r]*\n", " "),
)
_CALL = r"(?:(?:np|numpy|torch)\.)?(?:array|asarray|matrix|Matrix|tensor)\s*\("
_BEGIN = rf"(?:\w+\s*=\s*)?(?:{_CALL}|[\[({{]|\\(?:begin|d?frac|left)\b)|[-+.|$\d]"
_ARRAY = rf"(?s){_CALL}(.*?)(?:,\s*(?:\w+\s*=\s*)?[A-Za-z'][\w.']*\s*)*\)"
_FACTOR = r"\(?\s*(?P<factor>[-+]?[\d.]+)\s*(?:/\s*(?P<below>[\d.]+)\s*)?\)?"
_FACTOR_BEFORE = rf"(?s){_FACTOR}\s*(?:\*|(?=[\[(]))(?P<matrix>.*)"
_FACTOR_AFTER = rf"(?s)(?P<matrix>.*?)\*\s*{_FACTOR}"
_SIZED = r"(?s)(\d{1,4})(?:x(\d{1,4}))?\s*:(.*)"
_COMMA_ROW = r"[^,;]+(?:,[^,;]+){2,},?"
_OUTER = r"(?s)\[\s*(\[\s*\[.*\]\s*\])\s*,?\s*\]"  # brackets around a whole matrix
_NESTED = r"(?s)\[\s*(\[.*\])\s*,?\s*\]"
_ROWS = r"(?:\[[^][]*\]\s*[,;]?\s*)+"


def as_typed(text: str) -> str:
    """Return a reference with ASCII characters in place of those that look like them.

    >>> as_typed("\N{FULLWIDTH DIGIT ONE}\N{FULLWIDTH COMMA} \N{MINUS SIGN}2")
    '1, -2'
    """
    return text if text.isascii() else text.translate(_LOOKALIKES)


def looks_like_matrix(text: str) -> bool:
    """Whether a reference is a matrix: it is not a name, and begins with a number or bracket, or has several rows.

    >>> looks_like_matrix("-1 0 1"), looks_like_matrix("sobel_x"), looks_like_matrix("gaussian:sigma=2, size=9")
    (True, False, False)
    """
    text = as_typed(text).strip()
    if NAME.fullmatch(text.partition(":")[0].strip()):
        return False
    return bool(re.match(_BEGIN, text)) or any(mark in text for mark in ";\n")


def parse_matrix(text: str) -> tuple[list[list[float]], float]:
    """Parse the rows and the divisor of a matrix.

    `;`, line ends or brackets separate rows, spaces or commas separate entries, and a final `/ n` divides them all. Entries may be
    fractions, whose common denominator becomes the divisor; a factor before or after the matrix may be one too. Raises UsageError for a
    matrix that is empty, ragged, oversized or not numeric, and for decimal commas.

    >>> parse_matrix("1, 2, 1; 2 4 2; 1 2 1 / 16")
    ([[1.0, 2.0, 1.0], [2.0, 4.0, 2.0], [1.0, 2.0, 1.0]], 16.0)
    >>> parse_matrix("[[1/9, 1/9], [0, 2/9]]")
    ([[1.0, 1.0], [0.0, 2.0]], 9.0)
    >>> parse_matrix(r"\\frac{1}{4} \\begin{bmatrix} 1 & 2 \\\\ 2 & 4 \\end{bmatrix}")
    ([[1.0, 2.0], [2.0, 4.0]], 4.0)
    """
    shown = repr(abbreviated(text))
    body, factor, below = _split_factor(_rewritten(text))
    if (scale := _number(factor, shown)) == 0:
        raise UsageError(f"matrix {shown} is multiplied by 0; give another factor")
    body, divided = _split_divisor(body)
    divisor = _number(below, shown) * _number(divided, shown) / scale
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


def _rewritten(text: str) -> str:
    """Return a matrix with the marks of references in place of those of LaTeX and MATLAB, and without the name it is assigned to."""
    text = as_typed(text)
    for pattern, mark in _REWRITTEN:
        text = re.sub(pattern, mark, text)
    return re.sub(r"(?<=[\])}])\s*;$", "", re.sub(r"^\w+\s*=", "", text.strip()).strip())


def _split_factor(text: str) -> tuple[str, str, str]:
    """Return the matrix without a factor before or after it, and the numerator and the denominator of the factor."""
    for pattern in (_FACTOR_BEFORE, _FACTOR_AFTER):
        parts = re.fullmatch(pattern, text)
        if parts and re.search(r"[\[({;\n]", parts["matrix"]):
            return parts["matrix"].strip(), parts["factor"], parts["below"] or "1"
    return text, "1", "1"


def _split_divisor(text: str) -> tuple[str, str]:
    """Return the matrix, and what follows the slash that divides all of it, 1 without one.

    A slash with a space or a bracket next to it divides the matrix, and so does the only slash after the last entry, as in `1 2 1/4`.
    All other slashes belong to fractions.
    """
    head, slash, tail = text.rpartition("/")
    if not slash:
        return text, "1"
    if re.search(r"[\s\])}]$", head) or re.match(r"\s|$", tail):
        return head, tail
    return (head, tail) if "/" not in head and re.fullmatch(r"[^\s;,\])}]+", tail) else (text, "1")


def _lines(body: str, shown: str) -> tuple[list[str], bool]:
    """Return the text of each row, and whether brackets surround the rows."""
    if sized := re.fullmatch(_SIZED, body.strip()):
        return _of_size(int(sized[1]), int(sized[2] or sized[1]), re.split(r"[\s,]+", sized[3].strip().strip(",")), shown), True
    array = re.fullmatch(_ARRAY, body.strip())
    text = (array[1] if array else body).strip().translate(_BRACKETS)
    if "[" not in text and "]" not in text:
        return _unbracketed(text), False
    while outer := re.fullmatch(_OUTER, text):
        text = outer[1]
    nested = re.fullmatch(_NESTED, text)
    rows = nested[1] if nested else text
    if not re.fullmatch(_ROWS, rows):
        raise UsageError(f"matrix {shown}: the brackets do not match, or surround more than one matrix; {HINT}")
    inner = [row.strip() for row in re.findall(r"\[([^][]*)\]", rows)]
    lines = inner if len(inner) > 1 else _unbracketed(inner[0])
    return [line.removesuffix(",").rstrip() for line in lines], True


def _of_size(width: int, height: int, words: list[str], shown: str) -> list[str]:
    """Return the text of each row of a matrix whose size is given first, as in ImageMagick."""
    if len(words) != width * height:
        raise UsageError(f"matrix {shown} has {len(words)} numbers; {width}x{height} has {width * height}")
    return [" ".join(words[row * width : (row + 1) * width]) for row in range(height)]


def _unbracketed(text: str) -> list[str]:
    """Return the rows between semicolons and line ends, without the last one where it is empty.

    Without these, groups of three numbers or more that commas join are rows: `1,2,1 2,4,2 1,2,1`.
    """
    text = text.strip()
    groups = text.split()
    if (
        len({group.strip(",").count(",") for group in groups}) == 1
        and len(groups) > 1
        and all(re.fullmatch(_COMMA_ROW, group) for group in groups)
    ):
        return [group.removesuffix(",") for group in groups]
    rows = re.split(r"\s*;\s*|\s*,?\s*\n\s*", text.removesuffix(",").strip() if "\n" in text else text)
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


def _number(word: str, shown: str) -> float:
    return float(_entry(word.strip(), shown))


def _with_common_divisor(rows: list[list[float | Fraction]], divisor: float) -> tuple[list[list[float]], float]:
    """Return the rows and the divisor as floats, with whole numbers where fractions such as 1/9 have a common denominator."""
    common = lcm(*(entry.denominator for row in rows for entry in row if not isinstance(entry, float)))
    if common & (common - 1) == 0 or common > LARGEST_DIVISOR:  # binary fractions are exact as they are
        common = 1
    return [[float(entry * common) for entry in row] for row in rows], divisor * common
