"""`imgconv explain`."""

import re
from pathlib import Path
from typing import Annotated

import typer

from imgconv.cli.grouping import grouped
from imgconv.cli.options import HOW, TELL, WHAT
from imgconv.cli.selection import NetworkSelection
from imgconv.errors import UsageError

EXAMPLES = "imgconv explain photo.jpg -k laplacian8 --at 120,80   |   imgconv explain photo.jpg --size 3 --stride 2 --animate pool.gif"


def add_to(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(epilog=EXAMPLES)(explain)


@grouped
def explain(
    source: Annotated[str, typer.Argument(metavar="INPUT", help="An image, or - for standard input.", show_default=False)],
    what: NetworkSelection,
    at: Annotated[
        str | None,
        typer.Option(
            "--at", metavar="X,Y", help="The output pixel: column,row from zero; the middle one by default.", rich_help_panel=WHAT
        ),
    ] = None,
    matrix: Annotated[
        bool, typer.Option("--matrix", help="The kernel as one large matrix, and im2col, on a few cells around the pixel.")
    ] = False,
    animate: Annotated[
        Path | None, typer.Option("--animate", metavar="FILE.gif", help="Draw the window moving over a few cells around the pixel.")
    ] = None,
    max_pixels: Annotated[str, typer.Option("--max-pixels", metavar="N|none", help="Refuse larger images.", rich_help_panel=HOW)] = (
        "178956970"
    ),
    salvage: Annotated[bool, typer.Option("--salvage", help="Take what can be had of damaged images.", rich_help_panel=HOW)] = False,
    json: Annotated[bool, typer.Option("--json", help="One object of JSON on standard output.", rich_help_panel=TELL)] = False,
) -> None:
    """Show the arithmetic behind one output pixel; of a network's last step. Without -k, --size, --canny or -s: of `edge`."""
    from imgconv.cli import explaining

    request = explaining.Request(source, pair(at) if at is not None else None, matrix, animate, json)
    explaining.execute(request, what.recipe_of_selection(), max_pixels, salvage=salvage)


def pair(text: str) -> tuple[int, int]:
    """`X,Y` as whole numbers.

    >>> pair("120,80")
    (120, 80)
    """
    match = re.fullmatch(r"\s*(\d{1,9})\s*,\s*(\d{1,9})\s*", text, re.ASCII)
    if match is None:
        raise UsageError(f"--at {text!r} is no pixel; use X,Y from zero, for example 120,80")
    return int(match[1]), int(match[2])
