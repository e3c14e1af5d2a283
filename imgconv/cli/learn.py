"""`imgconv learn`."""

from typing import Annotated

import typer

from imgconv.cli.grouping import grouped
from imgconv.cli.learn_options import LearnOptions

EXAMPLES = "imgconv learn photo.png sharper.png --size 3   |   imgconv learn before.png after.png --size 5 --name mine --descend"


def add_to(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(epilog=EXAMPLES)(learn)


@grouped
def learn(
    images: Annotated[list[str], typer.Argument(metavar="BEFORE AFTER...", help="Pairs of images.", show_default=False)],
    what: LearnOptions,
) -> None:
    """Find the kernel that turns one image into another."""
    from imgconv.cli import learning

    learning.execute(images, what)
