"""`imgconv report`."""

from pathlib import Path
from typing import Annotated

import typer

from imgconv.cli.options import HOW, TELL, WHERE

EXAMPLES = "imgconv report edges/   |   imgconv report edges/ --before photos/ -o edges.html"


def add_to(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(epilog=EXAMPLES)(report)


def report(
    folder: Annotated[Path, typer.Argument(metavar="OUT_DIR", help="A folder that a run wrote to.", show_default=False)],
    before: Annotated[
        Path | None, typer.Option("--before", metavar="DIR", help="The folder of the inputs; found by their names.", show_default=False)
    ] = None,
    output: Annotated[
        str | None, typer.Option("-o", "--output", metavar="FILE.html", help="The page; OUT_DIR/report.html.", rich_help_panel=WHERE)
    ] = None,
    recursive: Annotated[
        bool, typer.Option("-r", "--recursive/--no-recursive", help="Enter the folders of the folder.", rich_help_panel=WHERE)
    ] = True,
    max_pixels: Annotated[str, typer.Option("--max-pixels", metavar="N|none", help="Refuse larger images.", rich_help_panel=HOW)] = (
        "178956970"
    ),
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Nothing but errors.", rich_help_panel=TELL)] = False,
) -> None:
    """Make one page that shows what a run left in a folder, each image before and after, for any browser and without a network."""
    from imgconv.cli import words
    from imgconv.cli.reporting import FolderRequest, write_folder_page

    request = FolderRequest(folder, before, output, recursive, words.limit(max_pixels, "--max-pixels"))
    if write_folder_page(request, quiet=quiet):
        raise typer.Exit(1)
