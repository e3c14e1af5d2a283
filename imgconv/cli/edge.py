"""`imgconv edge`."""

from imgconv.cli.grouping import grouped
from imgconv.cli.options import FilterOptions, HowOptions, Inputs, TellOptions, WhereOptions


@grouped
def edge(inputs: Inputs, what: FilterOptions, where: WhereOptions, how: HowOptions, tell: TellOptions) -> None:
    """Find edges: absolute response of a kernel (laplacian8) to the grey of a picture. photo.jpg gives photo.edge.png."""
    from imgconv.cli import recipes, running

    running.execute(inputs, recipes.of_filter("edge", what, ["laplacian8"]), where, how, tell)
