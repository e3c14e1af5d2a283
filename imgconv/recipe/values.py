"""Read option values from the words of a command line or from TOML: one reader for each kind of value.

A reader takes a string or TOML's own value. It raises UsageError, which states what is expected but not the option's name; `read`
adds that.
"""

import math
import re
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeGuard, TypeVar

from imgconv.errors import UsageError, abbreviated, comma_hint
from imgconv.modes import PaddingMode

Value = TypeVar("Value")
Size = int | tuple[int, int]
LARGEST_SIZE = 65_535  # of a window, a stride or a padding: the longest side of most image formats

_SIZE = re.compile(r"\s*([-+]?\d{1,9})\s*(?:[xX,]\s*([-+]?\d{1,9})\s*)?", re.ASCII)


def read(option: str, reader: Callable[[Any], Value], value: object) -> Value:
    """`value` as read by `reader`. Raises UsageError, which names the `option`.

    >>> read("--stride", size, "2x3")
    (2, 3)
    """
    try:
        return reader(value)
    except UsageError as error:
        raise UsageError(f"{option}: {error}") from None


def size(value: object) -> Size:
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
    raise _unexpected("a size such as 2 or 3x5", value)


def image_size(value: object) -> Size:
    """A size of at most LARGEST_SIZE, as the windows of image filters have."""
    result = size(value)
    if max(result if isinstance(result, tuple) else (result,)) > LARGEST_SIZE:
        raise UsageError(f"{value} exceeds the largest allowed size, {LARGEST_SIZE}")
    return result


def size_or_none(value: object) -> Size | None:
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
    raise _unexpected("a size such as 2, 3x5 or 3xnone", value)


def padding(value: object) -> str | Size:
    """A size, or the name of a padding, which `Window.of` checks."""
    return value if _is_name(value) else size(value)


def image_padding(value: object) -> str | Size:
    """An image size, or the name of a padding."""
    return value if _is_name(value) else image_size(value)


def padding_mode(value: object) -> str | tuple[str, float]:
    """A padding mode's name, or ("constant", V) of `constant:V` or ["constant", V].

    >>> padding_mode("constant:0.5"), padding_mode("reflect")
    (('constant', 0.5), 'reflect')
    """
    if isinstance(value, list) and len(value) == 2 and value[0] == "constant":
        return "constant", number(value[1])
    if not isinstance(value, str):
        raise _unexpected(f"one of {', '.join(mode.typed for mode in PaddingMode)}", value)
    name, colon, level = value.partition(":")
    if colon and name != "constant":
        raise _unexpected("constant:V, the one padding mode that takes a value", value)
    return (name, number(level)) if colon else value


def whole(value: object) -> int:
    """A whole number."""
    if isinstance(value, str) and re.fullmatch(r"\s*[-+]?\d{1,9}\s*", value, re.ASCII):
        return int(value)
    if _is_whole(value):
        return value
    raise _unexpected("a whole number", value)


def number(value: object) -> float:
    """A finite number; a string may be a fraction.

    >>> number("1/4"), number(3)
    (0.25, 3.0)
    """
    result = math.nan
    if isinstance(value, str):
        numerator, slash, denominator = value.partition("/")
        with suppress(ValueError, ZeroDivisionError):
            result = float(numerator) / float(denominator) if slash else float(numerator)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        result = float(value)
    if not math.isfinite(result):
        raise _unexpected("a finite number such as 0.5 or 1/255", value, comma_hint(value))
    return result


def numbers(value: object) -> tuple[float, ...]:
    """One finite number or several: a TOML array, or words separated by commas.

    >>> numbers("0.5,1/4"), numbers([1, 2])
    ((0.5, 0.25), (1.0, 2.0))
    """
    many = value.split(",") if isinstance(value, str) else value if isinstance(value, list) else [value]
    if not many:
        raise _unexpected("at least one number", value)
    return tuple(number(each) for each in many)


def flag(value: object) -> bool:
    """True or false."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    raise _unexpected("true or false", value)


def word(value: object) -> str:
    """A string, unchanged."""
    if isinstance(value, str):
        return value
    raise _unexpected("a word", value)


def references(value: object) -> list[str]:
    """One kernel reference, or several."""
    many = [value] if isinstance(value, str) else value
    if isinstance(many, list) and many and all(isinstance(each, str) for each in many):
        return many
    raise _unexpected("a kernel such as 'laplacian8', or an array of them", value)


def weights(value: object) -> str | list[Any]:
    """A file of weights, or the numbers themselves in nested arrays."""
    if isinstance(value, str) or (isinstance(value, list) and value):
        return value
    raise _unexpected("FILE.npy, FILE.npz:ARRAY, FILE.safetensors:TENSOR, or nested arrays of numbers", value)


def _is_name(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and not re.match(r"\s*[-+]?\d", value)


def _is_whole(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _unexpected(expected: str, value: object, hint: str = "") -> UsageError:
    return UsageError(f"expected {expected}, got {abbreviated(repr(value))}{hint}")
