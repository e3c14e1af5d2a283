"""From a step as it is written, on a command line or in TOML, to what it does."""

import inspect
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from imgconv.errors import ArgumentTypeError, ImgconvError, UsageError
from imgconv.recipe.builders import OPS
from imgconv.recipe.operations import Operation
from imgconv.recipe.values import READERS
from imgconv.recipe.weights import Context
from imgconv.registry.weights import is_weights_file

_OPTION = re.compile(r"([a-z_]+)=(.*)", re.DOTALL)
_NUMERIC = re.compile(r"[-+.\d\N{MINUS SIGN}]")


@dataclass(frozen=True, eq=False)
class Step:
    """One step of a network: its op, the text that stands for it in messages, and what it does."""

    op: str
    text: str
    operation: Operation


def step_of_text(text: str, number: int, context: Context) -> Step:
    """The step that a command line means: the op, its main argument, then name=value; words as a shell would part them.

    Raises UsageError, which names the step, for anything that is wrong in it.

    >>> step_of_text("max_pool 3 stride=2", 1, Context()).operation.trace((1, 9, 9))
    (1, 4, 4)
    """
    try:
        op, *words = shlex.split(text) or [""]
    except ValueError as error:
        raise UsageError(f"step {number} ({text}): {str(error).lower()}; write for example 'conv laplacian8 padding=1'") from None
    plain = [word for word in words if not _OPTION.fullmatch(word)]
    named = [(match[1], match[2]) for word in words if (match := _OPTION.fullmatch(word))]
    return _built(op, text, number, plain, named, context)


def step_of_table(table: object, number: int, context: Context) -> Step:
    """The step that a table of a recipe file means: `op`, and its options by name. A string is read as on a command line."""
    if isinstance(table, str):
        return step_of_text(table, number, context)
    if not isinstance(table, Mapping) or not isinstance(table.get("op"), str):
        raise UsageError(f"step {number}: a step must be a table with an op, such as {{ op = 'relu' }}")
    options = [(key, value) for key, value in table.items() if key != "op"]
    text = " ".join([table["op"], *(f"{key}={_shown(value)}" for key, value in options)])
    return _built(table["op"], text, number, [], options, context)


def _shown(value: object) -> str:
    text = value if isinstance(value, str) else repr(value).replace(" ", "")
    return text if len(text) <= 40 else text[:37] + "..."


def _built(op: str, text: str, number: int, plain: list[str], named: list[tuple[str, Any]], context: Context) -> Step:
    try:
        name = _known_op(op)
        options = _options(name, plain, named)
        return Step(name, text, OPS[name](context, **options))
    except (UsageError, ArgumentTypeError) as error:
        raise UsageError(f"step {number} ({text}): {error}") from None
    except ImgconvError as error:
        raise type(error)(f"step {number} ({text}): {error}") from None


def _known_op(op: str) -> str:
    name = op if op in OPS else op.removesuffix("2d")
    if name in OPS:
        return name
    import difflib  # for wrong names alone

    near = difflib.get_close_matches(op.lower(), OPS, n=3, cutoff=0.5)
    nearest = f"nearest: {', '.join(near)}; " if near else ""
    raise UsageError(f"op {op!r} is unknown; {nearest}allowed are {', '.join(OPS)}")


def _options(op: str, plain: list[str], named: list[tuple[str, Any]]) -> dict[str, Any]:
    """The options of an op, read; unnamed words are the kernels of a convolution, else options in order."""
    parameters = list(inspect.signature(OPS[op]).parameters.values())[1:]
    allowed = [parameter.name for parameter in parameters]
    found: dict[str, Any] = {}
    for key, value in [*_named(allowed, plain), *named]:
        if key not in allowed:
            raise UsageError(f"option {key!r} is unknown; {op} takes {', '.join(allowed) or 'none'}")
        if key in found:
            raise UsageError(f"{key} is given twice; give it once")
        try:
            found[key] = READERS[key](value)
        except UsageError as error:
            raise UsageError(f"{key} {error}") from None
    for parameter in parameters:
        if parameter.default is parameter.empty and parameter.name not in found:
            raise UsageError(f"{parameter.name} is missing; write {op} {parameter.name}=VALUE")
    return found


def _named(allowed: list[str], plain: list[str]) -> list[tuple[str, Any]]:
    """Words without a name, with the names of the options that they are."""
    if not plain:
        return []
    if "kernel" in allowed:
        words = [" ".join(plain)] if _NUMERIC.match(plain[0]) else plain
        return [("weights", words[0])] if len(words) == 1 and is_weights_file(words[0]) else [("kernel", words)]
    if len(plain) > len(allowed):
        raise UsageError(f"{plain[len(allowed)]!r} is one word too many; options are written name=value")
    return list(zip(allowed, plain, strict=False))
