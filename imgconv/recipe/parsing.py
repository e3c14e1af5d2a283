"""Recipes of networks: their steps are read from the words of a command line, from TOML tables, and from recipe files."""

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imgconv.errors import ArgumentTypeError, ImgconvError, UsageError, abbreviated
from imgconv.modes import Range
from imgconv.platforms import words_of
from imgconv.recipe.network import Network, Step
from imgconv.recipe.operations import OPERATIONS, OperationType
from imgconv.recipe.recipe import DECLARED, MissingData, Recipe
from imgconv.recipe.values import read
from imgconv.recipe.weights import Context
from imgconv.registry import slug
from imgconv.registry.files import expanded, parse_toml, read_text
from imgconv.registry.matrices import looks_like_matrix
from imgconv.registry.names import NAME
from imgconv.registry.weights import is_weights_file

KEYS = ("description", "source", "range", "steps")

_OPTION = re.compile(r"([a-z_]+)=(.*)", re.DOTALL)


@dataclass(frozen=True, eq=False)
class NamedSteps:
    """A recipe of a file: its name, its steps, and its default range, if it has one."""

    name: str
    steps: tuple[Step, ...]
    range: str | None = None


def network_recipe(
    steps: Sequence[str] = (),
    *,
    file: str | Path | None = None,
    keep: Iterable[str] = (),
    range: str | None = None,
    sheet: bool = False,
    kernels_file: Path | None = None,
    missing: str = "keep",
    min_valid: float = 0.0,
    missing_data: MissingData = DECLARED,
) -> Recipe:
    """A recipe of one Network: of steps as typed on a command line, or of a recipe file (`FILE` or `FILE:NAME`).

    Raises UsageError for a step, a file or an option that is wrong, MissingExtra for weights that need another library.

    >>> from imgconv.recipe import Shape
    >>> network_recipe(["conv laplacian8 padding=1", "max_pool 2"]).trace(Shape(48, 64, 3))
    [('run', Shape(height=24, width=32, channels=3, alpha=False))]
    """
    if bool(steps) == (file is not None):
        problem = "both steps and a recipe file are given" if steps else "no steps are given"
        raise UsageError(f"{problem}; give each step with -s STEP, or a file with --recipe FILE")
    if file is None:
        context = Context(kernels_file=kernels_file)
        known, name, own_range = tuple(step_of_text(step, n, context) for n, step in enumerate(steps, 1)), "run", None
    else:
        recipe = read_recipe(file, kernels_file)
        known, name, own_range = recipe.steps, recipe.name, recipe.range
    network = Network(known, name, _positions(known, keep), range or own_range, sheet, missing=missing, min_valid=min_valid)
    return Recipe(name, network, missing_data=missing_data)


def step_of_text(text: str, number: int, context: Context) -> Step:
    """The step of a command line's words: the op, its main argument, then name=value, split as a shell would.

    Raises UsageError, which names the step, for anything that is wrong in it.

    >>> step_of_text("max_pool 3 stride=2", 1, Context()).operation.trace((1, 9, 9))
    (1, 4, 4)
    """
    try:
        op, *words = words_of(text) or [""]
    except ValueError as error:
        raise UsageError(f"step {number} ({text}): {str(error).lower()}; write for example 'conv laplacian8 padding=1'") from None
    named = [(match[1], match[2]) for word in words if (match := _OPTION.fullmatch(word))]
    return _built(op, text, number, [word for word in words if not _OPTION.fullmatch(word)], named, context)


def step_of_table(table: object, number: int, context: Context) -> Step:
    """The step of a table of a recipe file: `op`, and its options by name. A string is read as on a command line."""
    if isinstance(table, str):
        return step_of_text(table, number, context)
    if not isinstance(table, Mapping) or not isinstance(table.get("op"), str):
        raise UsageError(f"step {number}: a step must be a table with an op, such as {{ op = 'relu' }}")
    options = [(key, value) for key, value in table.items() if key != "op"]
    text = " ".join([table["op"], *(f"{key}={_shortened(value)}" for key, value in options)])
    return _built(table["op"], text, number, [], options, context)


def read_recipe(reference: str | Path, kernels_file: Path | None = None) -> NamedSteps:
    """The recipe of a file, FILE or FILE:NAME; the name may be left out if there is one recipe. Paths in it begin at the file.

    Raises UsageError for a file that cannot be read, is not TOML, or has a recipe that is wrong, and MissingExtra as weights do.
    """
    path, name = _path_and_name(str(reference))
    if not path.suffix and not os.path.exists(path):
        raise UsageError(f"{reference!r} is not a recipe file; give each step with -s STEP, or a file with --recipe FILE")
    recipes = _tables(path)
    if not name and len(recipes) > 1:
        raise UsageError(f"{path} has {len(recipes)} recipes; choose one as {path.name}:NAME, of {', '.join(recipes)}")
    name = name or next(iter(recipes))
    if name not in recipes:
        raise UsageError(f"{path} has no recipe {name!r}; it has {', '.join(recipes)}")
    where = f"{path}: recipes.{name}"
    try:
        return _steps_of_recipe(name, recipes[name], Context(path.parent, kernels_file))
    except ImgconvError as error:
        raise _located(where, error) from None


def _positions(steps: Sequence[Step], words: Iterable[str]) -> tuple[int, ...]:
    """The positions of steps by their numbers from 1 or by their ops; an op stands for every step with it.

    Raises UsageError for a word that matches no step.
    """
    positions: list[int] = []
    for word in words:
        matches = [n for n, step in enumerate(steps) if word in (str(n + 1), step.op)]
        if not matches:
            available = ", ".join(f"{n} {step.op}" for n, step in enumerate(steps, 1))
            raise UsageError(f"--keep {word!r} is not a step of this recipe; its steps are {available}")
        positions += matches
    return tuple(dict.fromkeys(positions))


def _shortened(value: object) -> str:
    return abbreviated(value if isinstance(value, str) else repr(value).replace(" ", ""))


def _built(op: str, text: str, number: int, unnamed: list[str], named: list[tuple[str, Any]], context: Context) -> Step:
    try:
        kind = _known_operation(op)
        return Step(kind.name, text, kind.build(context, **_options(kind, unnamed, named)))
    except ImgconvError as error:
        raise _located(f"step {number} ({text})", error) from None


def _located(where: str, error: ImgconvError) -> ImgconvError:
    """`error` with `where` before its text; one of a type is one of usage here."""
    return (UsageError if isinstance(error, ArgumentTypeError) else type(error))(f"{where}: {error}")


def _known_operation(op: str) -> OperationType:
    name = op if op in OPERATIONS else op.removesuffix("2d")
    if name in OPERATIONS:
        return OPERATIONS[name]
    import difflib  # only needed for wrong names

    near = difflib.get_close_matches(op.lower(), OPERATIONS, n=3, cutoff=0.5)
    nearest = f"nearest: {', '.join(near)}; " if near else ""
    raise UsageError(f"op {op!r} is unknown; {nearest}allowed are {', '.join(OPERATIONS)}")


def _options(kind: OperationType, unnamed: list[str], named: list[tuple[str, Any]]) -> dict[str, Any]:
    """The value of every option; words without a name are the kernels of a convolution, else options in order."""
    known = {option.name: option for option in kind.options}
    values: dict[str, Any] = {}
    for name, value in [*_names(list(known), unnamed), *named]:
        if name not in known:
            raise UsageError(f"option {name!r} is unknown; {kind.name} takes {', '.join(known) or 'none'}")
        if name in values:
            raise UsageError(f"{name} is given twice; give it once")
        values[name] = read(name, known[name].read, value)
    for option in kind.options:
        if option.required and option.name not in values:
            raise UsageError(f"{option.name} is missing; write {kind.name} {option.name}=VALUE")
    return {name: values.get(name, option.default) for name, option in known.items()}


def _names(options: Sequence[str], words: list[str]) -> list[tuple[str, str | list[str]]]:
    """Words without a name, with the names of the options that they stand for."""
    if not words:
        return []
    if "kernel" in options:
        is_matrix = not words[0].startswith("@") and looks_like_matrix(words[0])
        if is_matrix and words != ["1"]:
            _refuse_sizes(words)
        kernels = [" ".join(words)] if is_matrix else words
        return [("weights", kernels[0])] if len(kernels) == 1 and is_weights_file(kernels[0]) else [("kernel", kernels)]
    if len(words) > len(options):
        raise UsageError(f"{words[len(options)]!r} is unexpected; options are written name=value")
    return list(zip(options, words, strict=False))


def _refuse_sizes(words: list[str]) -> None:
    """Raise UsageError for whole numbers as torch.nn.Conv2d takes them, such as 64 outputs of 7x7: a step has weights."""
    are_sizes = len(words) < 4 and all(re.fullmatch(r"[1-9]\d*(?:[xX][1-9]\d*)*", word) for word in words)
    if are_sizes and (len(words) < 3 or words[0] != words[2] or not "".join(words).isdigit()):
        numbers = " ".join(words)
        raise UsageError(
            f"sizes such as {numbers} are not weights; name a file of them, as in conv net.npz:conv1, "
            f"or put a matrix into brackets, as in conv '[{numbers}]'"
        )


def _path_and_name(reference: str) -> tuple[Path, str]:
    """Path and name of FILE or FILE:NAME; a path that exists as it stands has no name after it."""
    match = re.fullmatch(r"(.+\.toml):(.*)", reference, re.IGNORECASE | re.DOTALL)
    path = expanded(reference)
    if match is None or os.path.isfile(path):
        return path, ""
    return expanded(match[1]), match[2]


def _tables(path: Path) -> dict[str, Any]:
    tables = parse_toml(read_text(path, "recipe file"), path)
    for section in tables:
        if section != "recipes":
            raise UsageError(f"{path}: {section}: unknown section; recipes are [recipes.NAME]")
    recipes = tables.get("recipes")
    if not isinstance(recipes, dict) or not recipes:
        raise UsageError(f"{path}: no recipe found; write [recipes.NAME] and steps = [...] below it")
    return recipes


def _steps_of_recipe(name: str, table: object, context: Context) -> NamedSteps:
    if not NAME.fullmatch(name):
        raise UsageError("bad name; use up to 64 ASCII letters, digits, _ and -, a letter first")
    if not isinstance(table, Mapping):
        raise UsageError("must be a table; write [recipes.NAME] and steps = [...] below it")
    for key in table:
        if key not in KEYS:
            raise UsageError(f"unknown key {key!r}; allowed are {', '.join(KEYS)}")
    for key in ("description", "source"):
        if not isinstance(table.get(key, ""), str):
            raise UsageError(f"{key} must be a text in quotes")
    Range.or_none(table.get("range"))
    steps = table.get("steps")
    if not isinstance(steps, list) or not steps:
        raise UsageError("steps must be a list of at least one step, such as steps = [{ op = 'grey' }]")
    return NamedSteps(slug(name), tuple(step_of_table(step, n, context) for n, step in enumerate(steps, 1)), table.get("range"))
