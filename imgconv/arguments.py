"""Checks of the arguments of public calls: flags, numbers, text, paths and sizes, by the annotations of the parameters."""

import operator
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import numpy as np

from imgconv.errors import ArgumentTypeError
from imgconv.window import Padding, Size, as_number

P = ParamSpec("P")
R = TypeVar("R")
PathLike = str | os.PathLike[str]


def checked(call: Callable[P, R]) -> Callable[P, R]:
    """Refuse arguments that are not of the annotated type, with the name of the parameter. A decorator of public calls.

    Annotations without a check in `CHECKS`, such as those of arrays and kernels, are left to the call. numpy's bools and numbers become
    Python's.

    >>> @checked
    ... def turned(flip: bool) -> bool:
    ...     return not flip
    >>> turned(np.True_)
    False
    >>> turned("yes")
    Traceback (most recent call last):
    imgconv.errors.ArgumentTypeError: flip must be True or False, not 'yes'
    """
    checks = {name: CHECKS[annotation] for name, annotation in call.__annotations__.items() if annotation in CHECKS}
    code = call.__code__  # of a plain function; inspect.signature would take longer than some calls
    names = code.co_varnames[: code.co_argcount]
    positions = [(position, name, checks[name]) for position, name in enumerate(names) if name in checks]

    @wraps(call)
    def check_and_call(*args: Any, **options: Any) -> Any:
        values = list(args)
        for position, name, check in positions:
            if position < len(values):
                values[position] = check(values[position], name)
        for name, value in options.items():
            if name in checks:
                options[name] = checks[name](value, name)
        return call(*values, **options)

    return check_and_call


def as_flag(value: object, name: str) -> bool:
    """Return a bool of Python or numpy as Python's. Raises ArgumentTypeError for anything else, such as 1 and "yes"."""
    if isinstance(value, bool | np.bool_):
        return bool(value)
    raise ArgumentTypeError(f"{name} must be True or False, not {shown(value)}")


def as_whole(value: object, name: str) -> int:
    """Return a whole number as an int. Raises ArgumentTypeError for anything else, such as 2.0 and True."""
    if not isinstance(value, bool):
        with suppress(TypeError):
            return operator.index(value)  # type: ignore[arg-type]
    raise ArgumentTypeError(f"{name} must be a whole number, not {shown(value)}")


def as_text(value: object, name: str) -> str:
    """Return text. Raises ArgumentTypeError for anything else."""
    if isinstance(value, str):
        return value
    raise ArgumentTypeError(f"{name} must be text, not {shown(value)}")


def as_path(value: object, name: str) -> PathLike:
    """Return a path as it is. Raises ArgumentTypeError for anything else, such as bytes."""
    if isinstance(value, str | os.PathLike):
        return value
    raise ArgumentTypeError(f"{name} must be a path, not {shown(value)}")


def as_size(value: object, name: str) -> Size:
    """Return a size as it is, whose numbers `imgconv.window.sizes` checks. Raises ArgumentTypeError for what cannot be one."""
    if type(value) is int or (isinstance(value, Sequence) and not isinstance(value, str | bytes)):
        return value
    with suppress(ArgumentTypeError):
        return as_whole(value, name)
    raise ArgumentTypeError(f"{name} must be a whole number or a sequence of them, not {shown(value)}")


def as_padding(value: object, name: str) -> Padding:
    """Return a padding as it is: a name or a size. Raises ArgumentTypeError for what cannot be one."""
    return value if isinstance(value, str) else as_size(value, name)


def as_shape(value: object, name: str) -> Sequence[int]:
    """Return a shape as it is. Raises ArgumentTypeError for what is not a sequence."""
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return value
    raise ArgumentTypeError(f"{name} must be a sequence of whole numbers, not {shown(value)}")


def _or_none(check: Callable[[object, str], Any]) -> Callable[[object, str], Any]:
    return lambda value, name: None if value is None else check(value, name)


def shown(value: object) -> str:
    """Return a value as an error shows it, in one line."""
    return " ".join(repr(value).split())


_CHECKS: dict[Any, Callable[[object, str], Any]] = {
    bool: as_flag,
    int: as_whole,
    float: as_number,
    str: as_text,
    PathLike: as_path,
    Size: as_size,
    Padding: as_padding,
    Sequence[int]: as_shape,
}
CHECKS = _CHECKS | {annotation | None: _or_none(check) for annotation, check in _CHECKS.items()}
