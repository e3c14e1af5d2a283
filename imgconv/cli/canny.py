"""The command `imgconv canny`."""

from typing import Annotated

from imgconv.cli.options import (
    WHAT,
    Alpha,
    HowOptions,
    Inputs,
    Invert,
    Mask,
    MessageOptions,
    Nodata,
    Options,
    Overlay,
    WhereOptions,
    option,
)
from imgconv.modes import AlphaRule

EXAMPLES = """
imgconv canny photo.jpg --sigma 2 --invert
imgconv canny photos/ --low 80% --high 95% --overlay -o edges/
"""


class CannyOptions(Options):
    """What `canny` computes."""

    sigma: Annotated[
        float, option(WHAT, "--sigma", metavar="PIXELS", help="Width of the Gaussian that smooths the image first; 0 for no smoothing.")
    ] = 1.4
    low: Annotated[
        str | None,
        option(
            WHAT,
            "--low",
            metavar="LEVEL|N%",
            help="Weakest gradient that continues an edge: a length of the Sobel gradient in levels of the image, or the percentage of "
            "pixels with a shorter one. Defaults to a tenth of white.",
        ),
    ] = None
    high: Annotated[
        str | None, option(WHAT, "--high", metavar="LEVEL|N%", help="Weakest gradient that starts an edge. Defaults to a fifth of white.")
    ] = None
    invert: Invert = False
    overlay: Overlay = False
    alpha: Alpha = AlphaRule.auto
    nodata: Nodata = "auto"
    mask: Mask = None


def command(inputs: Inputs, what: CannyOptions, where: WhereOptions, messages: MessageOptions, how: HowOptions) -> None:
    """Trace edges as lines one pixel wide.

    Smooths the luma, thins the gradient to its ridges, and follows edges from strong gradients to the weaker ones that touch them.
    The result for photo.jpg is photo.canny.png. There is no edge next to a missing cell.
    """
    from imgconv.cli.execution import execute
    from imgconv.cli.recipes import selection_of

    execute(inputs, selection_of(what).canny_recipe(), where, how, messages)
