"""`imgconv canny`."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from imgconv.cli.grouping import grouped
from imgconv.cli.options import WHAT, Alpha, HowOptions, Inputs, TellOptions, WhereOptions
from imgconv.errors import UsageError
from imgconv.modes import AlphaRule

if TYPE_CHECKING:
    from imgconv.recipe import Recipe

EXAMPLES = "imgconv canny photo.jpg --sigma 2 --invert   |   imgconv canny photos/ --low 80% --high 95% --overlay -o edges/"


def add_to(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(epilog=EXAMPLES)(canny)


@dataclass(frozen=True)
class CannyOptions:
    """What `canny` computes."""

    sigma: Annotated[
        float, typer.Option("--sigma", metavar="PIXELS", help="Of the Gaussian that smooths first; 0 for none.", rich_help_panel=WHAT)
    ] = 1.4
    low: Annotated[
        str | None,
        typer.Option(
            "--low",
            metavar="LEVEL|N%",
            help="Weakest gradient (Sobel's, undivided) of an edge that goes on from a strong one: in levels of the image, or the share "
            "of pixels with less. A tenth of white by default.",
            rich_help_panel=WHAT,
        ),
    ] = None
    high: Annotated[
        str | None,
        typer.Option("--high", metavar="LEVEL|N%", help="Gradient that begins an edge. A fifth of white by default.", rich_help_panel=WHAT),
    ] = None
    invert: Annotated[bool, typer.Option("--invert", help="Dark on white.", rich_help_panel=WHAT)] = False
    overlay: Annotated[bool, typer.Option("--overlay", help="Draw the edges over the photograph, in red.", rich_help_panel=WHAT)] = False
    alpha: Alpha = AlphaRule.auto

    def recipe(self) -> "Recipe":
        """The recipe that the options mean."""
        from imgconv.recipe import Canny, Postprocess, Recipe

        percent = {text.endswith("%") for text in (self.low, self.high) if text is not None}
        if len(percent) == 2:
            raise UsageError(f"--low {self.low} and --high {self.high} are of two kinds; give both in levels, or both in percent")
        step = Canny(self.sigma, _bound(self.low, "--low"), _bound(self.high, "--high"), percent == {True}, self.alpha.value)
        return Recipe("canny", step, Postprocess(self.invert, None, self.overlay))


def _bound(text: str | None, option: str) -> float | None:
    if text is None:
        return None
    try:
        bound = float(text.removesuffix("%"))
    except ValueError:
        bound = math.nan
    if not math.isfinite(bound):
        raise UsageError(f"{option} {text!r} is no threshold; use a level such as 25, or a share of the pixels such as 80%")
    return bound


@grouped
def canny(inputs: Inputs, what: CannyOptions, where: WhereOptions, how: HowOptions, tell: TellOptions) -> None:
    """Trace edges, one pixel wide: smooth, thin the gradient to its ridges, keep the strong and what goes on from them."""
    from imgconv.cli import running

    running.execute(inputs, what.recipe(), where, how, tell)
