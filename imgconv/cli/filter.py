"""`imgconv filter`."""

import typer

from imgconv.cli.grouping import grouped
from imgconv.cli.options import FilterOptions, HowOptions, Inputs, TellOptions, WhereOptions

EXAMPLES = "imgconv filter photo.jpg -k gaussian:sigma=3   |   imgconv filter photo.jpg -k '0 -1 0; -1 5 -1; 0 -1 0' -o sharp.png"


def add_to(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(epilog=EXAMPLES)(filter)


@grouped
def filter(inputs: Inputs, what: FilterOptions, where: WhereOptions, how: HowOptions, tell: TellOptions) -> None:
    """Correlate images with kernels, each colour on its own. photo.jpg gives photo.KERNEL.png."""
    from imgconv.cli import recipes, running

    running.execute(inputs, recipes.of_filter("filter", what), where, how, tell)
