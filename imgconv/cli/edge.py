"""The command `imgconv edge`."""

from imgconv.cli.options import FilterOptions, HowOptions, Inputs, MessageOptions, WhereOptions

EXAMPLES = """
imgconv edge photo.jpg
imgconv edge photos/ -k sobel --threshold 80 -o edges/
"""


def command(inputs: Inputs, what: FilterOptions, where: WhereOptions, messages: MessageOptions, how: HowOptions) -> None:
    """Find edges in images.

    Filters the luma with the kernel laplacian8, or with those of -k, and writes absolute values. The result for photo.jpg is
    photo.edge.png.
    """
    from imgconv.cli.execution import execute
    from imgconv.cli.recipes import filter_recipe_of

    execute(inputs, filter_recipe_of("edge", what, ["laplacian8"]), where, how, messages)
