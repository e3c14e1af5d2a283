"""Recipe files: TOML with a table [recipes.NAME] for each recipe. What is wrong is said with file, entry and remedy."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imgconv.errors import ArgumentTypeError, ImgconvError, UsageError
from imgconv.modes import Range
from imgconv.recipe.parsing import Step, step_of_table
from imgconv.recipe.weights import Context
from imgconv.registry import slug
from imgconv.registry.files import expanded, parse_toml, read_text
from imgconv.registry.names import NAME

KEYS = ("description", "source", "range", "steps")


@dataclass(frozen=True, eq=False)
class Written:
    """A recipe as a file has it: its name, its steps, and its default range, if it says one."""

    name: str
    steps: tuple[Step, ...]
    range: str | None = None


def read_recipe(reference: str | Path, kernels_file: Path | None = None) -> Written:
    """The recipe of a file, FILE or FILE:NAME; the name may be left out where there is one recipe. Weights lie beside the file.

    Raises UsageError for a file that cannot be read, is no TOML, or has a recipe that is wrong, and MissingExtra as weights do.
    """
    path, name = _parted(str(reference))
    recipes = _tables(path)
    if not name and len(recipes) > 1:
        raise UsageError(f"{path} has {len(recipes)} recipes; choose one as {path.name}:NAME, of {', '.join(recipes)}")
    name = name or next(iter(recipes))
    if name not in recipes:
        raise UsageError(f"{path} has no recipe {name!r}; it has {', '.join(recipes)}")
    where = f"{path}: recipes.{name}"
    try:
        return _written(name, recipes[name], Context(path.parent, kernels_file))
    except (UsageError, ArgumentTypeError) as error:
        raise UsageError(f"{where}: {error}") from None
    except ImgconvError as error:
        raise type(error)(f"{where}: {error}") from None


def _parted(reference: str) -> tuple[Path, str]:
    """Path and name of FILE or FILE:NAME; a path that is there as it stands has no name behind it."""
    match = re.fullmatch(r"(.+\.toml):(.*)", reference, re.IGNORECASE | re.DOTALL)
    path = expanded(reference)
    if match is None or path.is_file():
        return path, ""
    return expanded(match[1]), match[2]


def _tables(path: Path) -> dict[str, Any]:
    tables = parse_toml(read_text(path, "recipe file"), path)
    for section in tables:
        if section != "recipes":
            raise UsageError(f"{path}: {section}: unknown section; recipes are [recipes.NAME]")
    recipes = tables.get("recipes")
    if not isinstance(recipes, dict) or not recipes:
        raise UsageError(f"{path}: it has no recipe; write [recipes.NAME] and steps = [...] below it")
    return recipes


def _written(name: str, table: object, context: Context) -> Written:
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
    return Written(slug(name), tuple(step_of_table(step, n, context) for n, step in enumerate(steps, 1)), table.get("range"))
