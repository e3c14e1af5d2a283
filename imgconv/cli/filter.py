"""The command `imgconv filter`."""

from imgconv.cli.options import FilterOptions, HowOptions, Inputs, MessageOptions, WhereOptions

EXAMPLES = """
imgconv filter photo.jpg -k gaussian:sigma=3
imgconv filter photo.jpg -k '0 -1 0; -1 5 -1; 0 -1 0' -o sharp.png
"""


def command(inputs: Inputs, what: FilterOptions, where: WhereOptions, messages: MessageOptions, how: HowOptions) -> None:
    """Filter images with kernels.

    Computes the cross-correlation, as PyTorch does, of each colour channel. The result for photo.jpg is photo.KERNEL.png.
    """
    from imgconv.cli.execution import execute
    from imgconv.cli.recipes import filter_recipe_of

    execute(inputs, filter_recipe_of("filter", what), where, how, messages)
