"""The command `imgconv run`."""

from pathlib import PurePath
from typing import TYPE_CHECKING, Annotated

from imgconv.cli.completion import complete_recipe, complete_step
from imgconv.cli.help import Command
from imgconv.cli.options import (
    WHAT,
    HowOptions,
    Inputs,
    KernelsFile,
    Mask,
    MessageOptions,
    MinValid,
    Missing,
    Nodata,
    Options,
    WhereOptions,
    mode_option,
    option,
)
from imgconv.errors import UsageError
from imgconv.modes import MissingMode, Range

if TYPE_CHECKING:
    from imgconv.recipe import Recipe

EXAMPLES = """
imgconv run photo.jpg -s 'conv laplacian8 padding=1' -s relu -s 'max_pool 2'
imgconv run photos/ --recipe net.toml --sheet
"""


class RunOptions(Options):
    """What `run` computes."""

    step: Annotated[
        list[str] | None,
        option(
            WHAT,
            "-s",
            "--step",
            metavar="STEP",
            help="A step: an operation, its main argument, then name=value, as in 'conv laplacian8 padding=1'. Repeat for more steps.",
            autocompletion=complete_step,
        ),
    ] = None
    recipe: Annotated[
        str | None,
        option(
            WHAT,
            "--recipe",
            metavar="FILE[:NAME]",
            help="Read the steps from a recipe file. NAME selects one of its recipes.",
            autocompletion=complete_recipe,
        ),
    ] = None
    keep: Annotated[
        list[str] | None,
        option(WHAT, "--keep", metavar="STEP", help="Write the maps of this step: its number or its operation. Repeat for more steps."),
    ] = None
    range: Annotated[
        Range | None, mode_option("--range", Range, "How to convert values to pixels", "The default depends on the steps.")
    ] = None
    sheet: Annotated[bool, option(WHAT, "--sheet", help="Write all maps of an image as one contact sheet.")] = False
    batch: Annotated[
        bool, option(WHAT, "--batch", help="Write the results of all images, which have one size, as one array (N,C,H,W) or (N,L).")
    ] = False
    nodata: Nodata = "auto"
    mask: Mask = None
    missing: Missing = MissingMode.keep
    min_valid: MinValid = 0.0
    kernels_file: KernelsFile = None


class CommandType(Command):
    """`run`, whose help lists the operations of its steps."""

    def more_sections(self) -> dict[str, list[tuple[str, str]]]:
        """The operations, each with its options."""
        from imgconv.recipe.operations import OPERATIONS

        records = []
        for name, operation in OPERATIONS.items():
            options = ", ".join(each.name for each in operation.options)
            records.append((name, f"{operation.help}{f' ({options})' if options else ''}"))
        return {"Operations of steps": records}


def command(inputs: Inputs, what: RunOptions, where: WhereOptions, messages: MessageOptions, how: HowOptions) -> None:
    """Run images through the steps of a recipe.

    The result for photo.jpg is photo.run.png, or photo.NAME.png for a recipe called NAME.
    """
    from imgconv.cli.execution import execute, execute_batch
    from imgconv.cli.recipes import settings
    from imgconv.recipe import network_recipe

    options = settings(what)
    batch, file, keep = options.pop("batch"), options.pop("recipe"), options.pop("keep") or ()
    recipe = network_recipe(options.pop("step") or (), file=file, keep=keep, **options)
    (execute_batch if batch else execute)(inputs, recipe, _with_format(where, recipe, inputs), how, messages)


def _with_format(where: WhereOptions, recipe: "Recipe", inputs: list[str]) -> WhereOptions:
    """Choose .npy for vectors, which no image format holds; refuse several maps on standard output without a format."""
    if where.format is not None:
        return where
    if recipe.step.gives_vectors and not PurePath(where.output or "").suffix:
        return WhereOptions(**vars(where) | {"format": "npy"})
    if recipe.step.keeps_several and (where.output == "-" or (where.output is None and inputs == ["-"])):
        raise UsageError("maps of several steps need a format on standard output; add --format png, tiff or npz")
    return where
