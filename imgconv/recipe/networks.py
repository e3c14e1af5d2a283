"""Recipes of one Network, from steps as typed or from a file."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from imgconv.errors import UsageError
from imgconv.recipe.files import read_recipe
from imgconv.recipe.network import Network, positions
from imgconv.recipe.parsing import step_of_text
from imgconv.recipe.recipe import Recipe
from imgconv.recipe.weights import Surroundings


def network_recipe(
    steps: Sequence[str] = (),
    *,
    file: str | Path | None = None,
    keep: Iterable[str] = (),
    range: str | None = None,
    sheet: bool = False,
    kernels_file: Path | None = None,
) -> Recipe:
    """A recipe of one Network: of steps as typed on a command line, or of a recipe file (`FILE` or `FILE:NAME`).

    Raises UsageError for a step, a file or an option that is wrong, MissingExtra for weights that need another library.

    >>> from imgconv.recipe import Shape
    >>> network_recipe(["conv laplacian8 padding=1", "max_pool 2"]).trace(Shape(48, 64, 3))
    [('run', Shape(height=24, width=32, channels=3, alpha=False))]
    """
    if bool(steps) == (file is not None):
        given = "both steps and a recipe file are given" if steps else "no steps are given"
        raise UsageError(f"{given}; use -s STEP, as often as there are steps, or --recipe FILE")
    if file is None:
        around = Surroundings(kernels_file=kernels_file)
        known, name, own_range = tuple(step_of_text(step, n, around) for n, step in enumerate(steps, 1)), "run", None
    else:
        written = read_recipe(file, kernels_file)
        known, name, own_range = written.steps, written.name, written.range
    network = Network(known, name, positions(known, keep), range or own_range, sheet)
    return Recipe(name, network)
