"""`imgconv plan`."""

from typing import Annotated

import typer

from imgconv.cli.grouping import grouped
from imgconv.cli.options import HOW, TELL
from imgconv.cli.selection import NetworkSelection

EXAMPLES = "imgconv plan photo.jpg -k sobel --stride 2   |   imgconv plan --shape 3x224x224 -s 'conv laplacian8 padding=1' -s 'max_pool 2'"


def add_to(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(epilog=EXAMPLES)(plan)


@grouped
def plan(
    what: NetworkSelection,
    inputs: Annotated[
        list[str] | None, typer.Argument(metavar="[INPUT]...", help="Images, folders, or - for standard input.", show_default=False)
    ] = None,
    shape: Annotated[str | None, typer.Option("--shape", metavar="CxHxW", help="An image of this size instead of a file.")] = None,
    max_pixels: Annotated[str, typer.Option("--max-pixels", metavar="N|none", help="Refuse larger images.", rich_help_panel=HOW)] = (
        "178956970"
    ),
    json: Annotated[bool, typer.Option("--json", help="A line of JSON for each image.", rich_help_panel=TELL)] = False,
) -> None:
    """Show sizes, work, memory and algorithm of every step, before any pixel is decoded. Without -k, --size, --canny or -s: of `edge`."""
    from imgconv.cli import plan_view, planning, words
    from imgconv.cli.lines import escaped

    recipe = what.recipe_of_selection()
    described = recipe.describe()
    failed = False
    for source, found in planning.plans(inputs or [], shape, recipe, words.limit(max_pixels, "--max-pixels")):
        failed |= isinstance(found, str)
        if isinstance(found, str):
            typer.echo(escaped(f"imgconv: {source}: {found}"), err=True)
        else:
            (plan_view.print_plan_line if json else plan_view.print_plan)(source, described, found)
    if failed:
        raise typer.Exit(1)
