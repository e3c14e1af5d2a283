"""`imgconv edge`."""

import typer

from imgconv.cli.grouping import grouped
from imgconv.cli.options import FilterOptions, HowOptions, Inputs, TellOptions, WhereOptions

EXAMPLES = "imgconv edge photo.jpg   |   imgconv edge photos/ -k sobel --threshold 80 -o edges/"


def add_to(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(epilog=EXAMPLES)(edge)


@grouped
def edge(inputs: Inputs, what: FilterOptions, where: WhereOptions, how: HowOptions, tell: TellOptions) -> None:
    """Find edges: absolute response of a kernel (laplacian8) to the grey of an image. photo.jpg gives photo.edge.png."""
    from imgconv.cli import recipes, running

    running.execute(inputs, recipes.of_filter("edge", what, ["laplacian8"]), where, how, tell)
