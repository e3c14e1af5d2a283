"""Arguments of public calls: checks by the annotations of the parameters, and errors that name arguments in place of options."""

import operator
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import numpy as np

from imgconv.errors import ArgumentTypeError, DoesNotFit, ImageError, ImgconvError
from imgconv.window import Padding, Size, as_number

P = ParamSpec("P")
R = TypeVar("R")
PathLike = str | os.PathLike[str]
SHORT = re.compile(r"(?<![\w-])-([kos])\b(?: (?:NAME|STEP|FILE)\b)?")
LONG_NAMES = {"k": "kernel=", "o": "output=", "s": "step="}
OPTION = re.compile(r"--([a-z][a-z0-9-]*)(?: (?=')| (keep|drop|filter|raw|clip|abs|each|all|grey)\b)?")
TAGGED = re.compile(r"; imgconv kernels list --tag \S+ shows all")
PHRASES = {  # of messages about the command line, and what a Python caller reads instead
    "use --grey or --color": "use grey=True or grey=False",
    "--nodata none": 'nodata="none"',
    "--html FILE.html": 'html="FILE.html"',
    "--color": "grey=False",
    "--grey": "grey=True",
    "raise it with --max-pixels": "open it with Pillow, and pass the image",
    "give each step with -s STEP, or a file with --recipe FILE": "give a list of steps, or a recipe file",
    "use -o NAME.npy, --format npy, or --keep a step before flatten": "use keep= with a step before flatten",
    "percentages of gradients need": "quantiles=True needs",
    "use the command imgconv canny": "call imgconv.canny",
    "use the command imgconv pool --mode ": "call imgconv.pool with mode=",
    "give low and high, for example 80% and 90%": "give both, for example low=0.8 and high=0.9",
    "imgconv kernels list shows all": "imgconv.kernels() lists all",
}


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


@contextmanager
def python_remedies() -> Iterator[None]:
    """Raise the errors of the block with remedies for a Python caller."""
    try:
        yield
    except ImgconvError as error:
        text = in_python(str(error))
        if text == str(error):
            raise
        raise type(error)(text).with_traceback(error.__traceback__) from None


@contextmanager
def named(image: object) -> Iterator[None]:
    """Add the name of the file to errors about an image, if `image` is a path."""
    try:
        yield
    except (DoesNotFit, ImageError) as error:
        if not isinstance(image, str | os.PathLike):
            raise
        raise type(error)(f"{os.fsdecode(image)}: {error}") from None


def in_python(text: str) -> str:
    """Return the text of an error with keyword arguments in place of command-line options.

    >>> in_python("pnm cannot hold it; drop it with --alpha drop, or add --padding")
    "pnm cannot hold it; drop it with alpha='drop', or add padding="
    >>> in_python("--keep 'relu' is not a step of this recipe")
    "keep='relu' is not a step of this recipe"
    """
    text = TAGGED.sub("", text)
    for typed, python in PHRASES.items():
        text = text.replace(typed, python)
    text = SHORT.sub(lambda match: LONG_NAMES[match[1]], text)
    return OPTION.sub(lambda match: match[1].replace("-", "_") + "=" + (repr(match[2]) if match[2] else ""), text)
