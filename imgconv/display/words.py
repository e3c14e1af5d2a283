"""Numbers as words, names as visible text, and values as JSON."""

import os
from typing import Any


def counted(count: int, noun: str) -> str:
    """Return a number and a noun.

    >>> counted(1, "file"), counted(2, "file"), counted(0, "file")
    ('1 file', '2 files', '0 files')
    """
    return f"{count} {noun}{'' if count == 1 else 's'}"


def finite(value: Any) -> Any:
    """Return `value` with None for every NaN and infinity, which JSON does not have.

    >>> finite({"pixel": [1.5, float("nan")]})
    {'pixel': [1.5, None]}
    """
    if isinstance(value, float):
        return value if value - value == 0 else None
    if isinstance(value, dict):
        return {key: finite(each) for key, each in value.items()}
    return [finite(each) for each in value] if isinstance(value, list | tuple) else value


def visible(text: str) -> str:
    r"""Return `text` with escapes in place of invisible characters and bytes that are not UTF-8.

    >>> visible("<b>\udcff\n")
    '<b>\\xff\\n'
    """
    if text.isprintable():
        return text
    decoded = os.fsencode(text).decode("utf-8", "backslashreplace")
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in decoded)


def shortened(number: int) -> str:
    """Return a count in thousands, millions and so on, with three digits.

    >>> shortened(999), shortened(2_160_000), shortened(0)
    ('999', '2.16 M', '0')
    """
    return _scaled(number, 1000, ("", " k", " M", " G", " T", " P"))


def in_bytes(number: int) -> str:
    """Return a number of bytes in binary units.

    >>> in_bytes(720_000)
    '703 KiB'
    """
    return _scaled(number, 1024, (" B", " KiB", " MiB", " GiB", " TiB", " PiB"))


def _scaled(number: float, step: int, units: tuple[str, ...]) -> str:
    exponent = 0
    while number >= 999.5 and exponent < len(units) - 1:
        number /= step
        exponent += 1
    digits = 0 if exponent == 0 or number >= 100 else 1 if number >= 10 else 2
    return f"{number:.{digits}f}{units[exponent]}"
