"""From words of the command line to values: sizes, paddings, padding modes, limits. One line of error for each."""

import math
import re

from imgconv.errors import UsageError

LARGEST_SIZE = 65_535  # of a window, a step or a padding: the longest side of most image formats


def size(text: str, option: str) -> int | tuple[int, int]:
    """`N` or `HxW` as a whole number or a pair.

    >>> size("3x5", "--size"), size("2", "--stride")
    ((3, 5), 2)
    """
    match = re.fullmatch(r"\s*(-?\d{1,9})\s*(?:[xX]\s*(-?\d{1,9})\s*)?", text, re.ASCII)
    if match is None:
        raise UsageError(f"{option} {text!r} is no size; use a number or HxW, for example 2 or 3x5")
    numbers = [int(number) for number in match.groups() if number is not None]
    if max(numbers) > LARGEST_SIZE:
        raise UsageError(f"{option} {text} is more than the largest allowed, {LARGEST_SIZE}")
    return numbers[0] if len(numbers) == 1 else (numbers[0], numbers[1])


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


def shard(text: str | None) -> tuple[int, int]:
    """`I/N` as a pair, 1 <= I <= N; without one, all: 1/1.

    >>> shard("2/8")
    (2, 8)
    """
    if text is None:
        return 1, 1
    match = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text, re.ASCII)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise UsageError(f"--shard {text!r} is no share; use I/N with I from 1 to N, for example 1/4")
    return int(match[1]), int(match[2])
