"""`imgconv pool`."""

from imgconv.cli.grouping import grouped
from imgconv.cli.options import HowOptions, Inputs, PoolOptions, TellOptions, WhereOptions


@grouped
def pool(inputs: Inputs, what: PoolOptions, where: WhereOptions, how: HowOptions, tell: TellOptions) -> None:
    """Reduce every window of a picture to its maximum, average, minimum or median. photo.jpg gives photo.pool.png."""
    from imgconv.cli import recipes, running

    running.execute(inputs, recipes.of_pool(what), where, how, tell)
