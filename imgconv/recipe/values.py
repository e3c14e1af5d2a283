"""Values of a step's options, from the words of a command line or from TOML: one reader for each kind of value.

Every reader takes a string or TOML's own value, and raises UsageError, which says what would do.
"""

import math
import re
from collections.abc import Callable
from typing import Any, TypeGuard

from imgconv.errors import UsageError
from imgconv.modes import PaddingMode

Sized = int | tuple[int, int]

_SIZE = re.compile(r"\s*(\d{1,9})\s*(?:[xX,]\s*(\d{1,9})\s*)?", re.ASCII)


def size(value: object) -> Sized:
    """A whole number, or a pair of them: height before width.

    >>> size(2), size([3, 5]), size("3x5")
    (2, (3, 5), (3, 5))
    """
    if isinstance(value, str):
        match = _SIZE.fullmatch(value)
        if match:
            height = int(match[1])
            return height if match[2] is None else (height, int(match[2]))
    if _is_whole(value):
        return value
    if isinstance(value, list) and len(value) == 2 and all(map(_is_whole, value)):
        return value[0], value[1]
    raise _unread(value, "a whole number or HxW, such as 2 or 3x5")


def size_or_none(value: object) -> Sized | None:
    """A size, or none."""
    return None if value in ("none", "None") else size(value)


def output_size(value: object) -> tuple[int | None, int | None]:
    """(height, width) of an adaptive pool's output; `none` keeps that of the input, and one number stands for both.

    >>> output_size("7"), output_size("none x 1"), output_size([2, "none"])
    ((7, 7), (None, 1), (2, None))
    """
    parts = re.split(r"[xX,]", value) if isinstance(value, str) else value if isinstance(value, list) else [value]
    if len(parts) in (1, 2):
        height, width = (None if str(part).strip().lower() == "none" else whole(part) for part in (parts[0], parts[-1]))
        return height, width
    raise _unread(value, "a number or HxW, either of which may be none")


def padding(value: object) -> str | Sized:
    """A size, or the name of a padding as it stands."""
    return value if isinstance(value, str) and not re.match(r"\s*[-+]?\d", value) else size(value)


def padding_mode(value: object) -> str | tuple[str, float]:
    """A padding mode's name, or ("constant", V) of `constant:V` or ["constant", V].

    >>> padding_mode("constant:0.5"), padding_mode("reflect")
    (('constant', 0.5), 'reflect')
    """
    if isinstance(value, list) and len(value) == 2 and value[0] == "constant":
        return "constant", number(value[1])
    if not isinstance(value, str):
        raise _unread(value, f"one of {', '.join(mode.typed for mode in PaddingMode)}")
    name, colon, level = value.partition(":")
    return (name, number(level)) if colon else value


def whole(value: object) -> int:
    """A whole number."""
    if isinstance(value, str) and re.fullmatch(r"\s*[-+]?\d{1,9}\s*", value, re.ASCII):
        return int(value)
    if _is_whole(value):
        return value
    raise _unread(value, "a whole number")


def number(value: object) -> float:
    """A finite number; a string may be a fraction.

    >>> number("1/4"), number(3)
    (0.25, 3.0)
    """
    if isinstance(value, str):
        over, slash, under = value.partition("/")
        try:
            found = float(over) / float(under) if slash else float(over)
        except (ValueError, ZeroDivisionError):
            found = math.nan
    else:
        found = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
    if not math.isfinite(found):
        raise _unread(value, "a finite number, such as 0.5 or 1/255")
    return found


def numbers(value: object) -> tuple[float, ...]:
    """One finite number or several: a TOML array, or words parted by commas.

    >>> numbers("0.5,1/4"), numbers([1, 2])
    ((0.5, 0.25), (1.0, 2.0))
    """
    many = value.split(",") if isinstance(value, str) else value if isinstance(value, list) else [value]
    if not many:
        raise _unread(value, "at least one number")
    return tuple(number(each) for each in many)


def flag(value: object) -> bool:
    """True or false."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    raise _unread(value, "true or false")


def word(value: object) -> str:
    """A string as it stands."""
    if isinstance(value, str):
        return value
    raise _unread(value, "a word")


def references(value: object) -> list[str]:
    """One kernel reference, or several."""
    many = [value] if isinstance(value, str) else value
    if isinstance(many, list) and many and all(isinstance(each, str) for each in many):
        return many
    raise _unread(value, "a kernel such as 'laplacian8', or several as an array of strings")


def weights(value: object) -> str | list[Any]:
    """A file of weights, or the numbers themselves in nested arrays."""
    if isinstance(value, str) or (isinstance(value, list) and value):
        return value
    raise _unread(value, "FILE.npy, FILE.npz:ARRAY, FILE.safetensors:TENSOR, or the numbers themselves")


def _is_whole(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _unread(value: object, wanted: str) -> UsageError:
    shown = repr(value)
    return UsageError(f"{shown if len(shown) <= 40 else shown[:37] + '...'} cannot be read; give {wanted}")


READERS: dict[str, Callable[[object], Any]] = {
    "bias": weights,
    "ceil_mode": flag,
    "count_include_pad": flag,
    "dilation": size,
    "dim": whole,
    "divisor_override": whole,
    "factor": number,
    "flip": flag,
    "groups": whole,
    "kernel": references,
    "kernel_size": size,
    "mean": numbers,
    "mode": word,
    "negative_slope": number,
    "output_padding": size,
    "output_size": output_size,
    "padding": padding,
    "padding_mode": padding_mode,
    "start_dim": whole,
    "std": numbers,
    "stride": size_or_none,
    "weights": weights,
}
