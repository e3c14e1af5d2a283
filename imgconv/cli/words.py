"""From words of the command line to values: sizes, paddings, padding modes, limits. One line of error for each."""

import math
import re

from imgconv.errors import UsageError


def size(text: str, option: str) -> int | tuple[int, int]:
    """`N` or `HxW` as a whole number or a pair.

    >>> size("3x5", "--size"), size("2", "--stride")
    ((3, 5), 2)
    """
    match = re.fullmatch(r"\s*(-?\d{1,9})\s*(?:[xX]\s*(-?\d{1,9})\s*)?", text, re.ASCII)
    if match is None:
        raise UsageError(f"{option} {text!r} is no size; use a number or HxW, for example 2 or 3x5")
    height = int(match[1])
    return height if match[2] is None else (height, int(match[2]))


def padding(text: str) -> str | int | tuple[int, int]:
    """A size, or the name of a padding as it stands (what it means is the window's business)."""
    return size(text, "--padding") if re.match(r"\s*-?\d", text) else text


def padding_mode(text: str) -> str | tuple[str, float]:
    """A padding mode's name, or ("constant", V) of `constant:V`.

    >>> padding_mode("constant:128")
    ('constant', 128.0)
    """
    name, colon, value = text.partition(":")
    if not colon:
        return text
    try:
        level = float(value)
    except ValueError:
        level = math.nan
    if name != "constant" or not math.isfinite(level):
        raise UsageError(f"--padding-mode {text!r} is unknown; only constant takes a value, for example constant:128")
    return "constant", level


def limit(text: str, option: str) -> int | None:
    """A whole number of at least 1, or None for `none`."""
    if text.lower() == "none":
        return None
    if re.fullmatch(r"\d{1,18}", text, re.ASCII) is None or int(text) < 1:
        raise UsageError(f"{option} {text!r} is no limit; use a whole number, or none")
    return int(text)
