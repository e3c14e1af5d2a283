"""`imgconv filter`."""

from imgconv.cli.grouping import grouped
from imgconv.cli.options import FilterOptions, HowOptions, Inputs, TellOptions, WhereOptions


@grouped
def filter(inputs: Inputs, what: FilterOptions, where: WhereOptions, how: HowOptions, tell: TellOptions) -> None:
    """Correlate pictures with kernels, each colour on its own. photo.jpg gives photo.KERNEL.png."""
    from imgconv.cli import recipes, running

    running.execute(inputs, recipes.of_filter("filter", what), where, how, tell)
