"""The command `imgconv pool`."""

from imgconv.cli.options import HowOptions, Inputs, MessageOptions, PoolOptions, WhereOptions

EXAMPLES = """
imgconv pool photo.jpg --size 4 --mode avg
imgconv pool scan.png --size 3 --stride 1 --padding same --mode median
imgconv pool scan.png --window disk:radius=7 --mode min
imgconv pool scan.png --window '0 1 0; 1 1 1; 0 1 0' --mode rank:90
"""


def command(inputs: Inputs, what: PoolOptions, where: WhereOptions, messages: MessageOptions, how: HowOptions) -> None:
    """Reduce each window of an image to one value.

    --mode selects the value, such as the maximum. The result for photo.jpg is photo.pool.png.
    """
    from imgconv.cli.execution import execute
    from imgconv.cli.recipes import selection_of

    execute(inputs, selection_of(what).pool_recipe(), where, how, messages)
