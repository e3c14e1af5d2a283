"""`imgconv run`."""

from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import TYPE_CHECKING, Annotated

import typer

from imgconv.cli.grouping import grouped
from imgconv.cli.options import WHAT, HowOptions, Inputs, KernelsFile, TellOptions, WhereOptions
from imgconv.errors import UsageError
from imgconv.modes import Range

if TYPE_CHECKING:
    from imgconv.recipe import Recipe


@dataclass(frozen=True)
class RunOptions:
    """What `run` computes."""

    recipe: Annotated[
        str | None,
        typer.Option("--recipe", metavar="FILE[:NAME]", help="A recipe file, and which of its recipes.", rich_help_panel=WHAT),
    ] = None
    step: Annotated[
        list[str] | None,
        typer.Option(
            "-s",
            "--step",
            metavar="STEP",
            help="A step: an op, its main argument, then name=value, as in 'conv laplacian8 padding=1'. Repeat for more steps.",
            rich_help_panel=WHAT,
        ),
    ] = None
    keep: Annotated[
        list[str] | None,
        typer.Option("--keep", metavar="STEP", help="Write the maps of this step (a number or an op). Repeat.", rich_help_panel=WHAT),
    ] = None
    range: Annotated[
        Range | None, typer.Option("--range", help="How values become pixels; by default as suits the steps.", rich_help_panel=WHAT)
    ] = None
    sheet: Annotated[bool, typer.Option("--sheet", help="All maps of an image on one sheet.", rich_help_panel=WHAT)] = False
    batch: Annotated[
        bool, typer.Option("--batch", help="All images, of one size, as one array (N,C,H,W), or (N,L).", rich_help_panel=WHAT)
    ] = False
    kernels_file: KernelsFile = None


EXAMPLES = (
    "imgconv run photo.jpg -s 'conv laplacian8 padding=1' -s relu -s 'max_pool 2'   |   imgconv run photos/ --recipe net.toml --sheet"
)


def add_to(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(epilog=EXAMPLES)(run)


@grouped
def run(inputs: Inputs, what: RunOptions, where: WhereOptions, how: HowOptions, tell: TellOptions) -> None:
    """Take images through the steps of a recipe. photo.jpg gives photo.run.png, or photo.NAME.png for a recipe called NAME."""
    from imgconv.cli import running, stacking
    from imgconv.recipe import network_recipe

    recipe = network_recipe(
        what.step or (),
        file=what.recipe,
        keep=what.keep or (),
        range=what.range.value if what.range else None,
        sheet=what.sheet,
        kernels_file=what.kernels_file,
    )
    (stacking if what.batch else running).execute(inputs, recipe, _with_format(where, recipe, inputs), how, tell)


def _with_format(where: WhereOptions, recipe: "Recipe", inputs: list[str]) -> WhereOptions:
    """Vectors, which no image holds, go into .npy where nothing else was asked for; several steps need a format in a pipe."""
    if where.format is not None:
        return where
    if recipe.gives_vectors and not PurePath(where.output or "").suffix:
        return replace(where, format="npy")
    if recipe.keeps_several and (where.output == "-" or (where.output is None and inputs == ["-"])):
        raise UsageError("maps of several steps need a format on standard output; add --format png, tiff or npz")
    return where
