"""`imgconv pool`."""

import typer

from imgconv.cli.grouping import grouped
from imgconv.cli.options import HowOptions, Inputs, PoolOptions, TellOptions, WhereOptions

EXAMPLES = "imgconv pool photo.jpg --size 4 --mode avg   |   imgconv pool scan.png --size 3 --stride 1 --padding same --mode median"


def add_to(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(epilog=EXAMPLES)(pool)


@grouped
def pool(inputs: Inputs, what: PoolOptions, where: WhereOptions, how: HowOptions, tell: TellOptions) -> None:
    """Reduce every window of an image to its maximum, average, minimum or median. photo.jpg gives photo.pool.png."""
    from imgconv.cli import recipes, running

    running.execute(inputs, recipes.of_pool(what), where, how, tell)
