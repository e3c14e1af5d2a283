"""`imgconv figure`."""

from pathlib import Path
from typing import Annotated

import typer

from imgconv.cli.grouping import grouped
from imgconv.cli.options import HOW, WHAT
from imgconv.cli.selection import NetworkSelection

EXAMPLES = "imgconv figure photo.jpg -k sobel_x -o sobel.png   |   imgconv figure photo.jpg --recipe layers.toml -o layers.pdf"

FigureFile = Annotated[
    Path, typer.Option("-o", "--output", metavar="FILE.png|.pdf|.svg", help="Where the figure goes.", show_default=False)
]
MaxPixels = Annotated[str, typer.Option("--max-pixels", metavar="N|none", help="Refuse larger images.", rich_help_panel=HOW)]


def add_to(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(epilog=EXAMPLES)(figure)


@grouped
def figure(
    source: Annotated[str, typer.Argument(metavar="INPUT", help="An image, or - for standard input.", show_default=False)],
    output: FigureFile,
    what: NetworkSelection,
    keep: Annotated[
        list[str] | None,
        typer.Option(
            "--keep", metavar="STEP", help="A network: only the maps of this step (a number or an op). Repeat.", rich_help_panel=WHAT
        ),
    ] = None,
    max_pixels: MaxPixels = "178956970",
    salvage: Annotated[bool, typer.Option("--salvage", help="Take what can be had of damaged images.", rich_help_panel=HOW)] = False,
) -> None:
    """Draw the input and its maps side by side, with axes, scales and the kernels' numbers; many maps as a contact sheet, the steps of a
    network below each other. Without -k, --size, --canny or -s: of `edge`."""
    from imgconv.cli.figuring import write_figure

    write_figure(source, what.recipe_of_selection(keep or ()), output, max_pixels, salvage=salvage, colour=what.grey is False)
