"""The options that select an operation in the commands which inspect images, and the Recipe that follows from them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from imgconv.cli.completion import complete_recipe, complete_step
from imgconv.cli.options import WHAT, FilterOptions, Padding, PaddingModeName, Shape, option
from imgconv.modes import PoolMode

if TYPE_CHECKING:
    from imgconv.recipe import Recipe


class Selection(FilterOptions):
    """A filter (`-k`), a pool, canny, or the steps of a network; without any of their options, the filter of `edge`."""

    padding: Padding = None
    padding_mode: PaddingModeName = None
    size: Annotated[str | None, option(WHAT, "--size", metavar="N|HxW", help="Pool: window size in pixels.")] = None
    window: Shape = None
    mode: Annotated[
        str | None,
        option(WHAT, "--mode", metavar="MODE", help="Pool: how to reduce each window to one value.", autocompletion=PoolMode.completed),
    ] = None
    ceil_mode: Annotated[
        bool, option(WHAT, "--ceil-mode", help="Pool: include a last window that extends beyond the edge of the image.")
    ] = False
    canny: Annotated[bool, option(WHAT, "--canny", help="Canny edges, as `imgconv canny` traces them.")] = False
    sigma: Annotated[
        float | None, option(WHAT, "--sigma", metavar="PIXELS", help="Canny: width of the Gaussian that smooths the image.")
    ] = None
    low: Annotated[str | None, option(WHAT, "--low", metavar="LEVEL|N%", help="Canny: weakest gradient that continues an edge.")] = None
    high: Annotated[str | None, option(WHAT, "--high", metavar="LEVEL|N%", help="Canny: weakest gradient that starts an edge.")] = None
    step: Annotated[
        list[str] | None,
        option(
            WHAT,
            "-s",
            "--step",
            metavar="STEP",
            help="Network: a step, as in `imgconv run`. Repeat for more steps.",
            autocompletion=complete_step,
        ),
    ] = None
    recipe: Annotated[
        str | None, option(WHAT, "--recipe", metavar="FILE[:NAME]", help="Network: a recipe file.", autocompletion=complete_recipe)
    ] = None

    def to_recipe(self, keep: Sequence[str] = ()) -> "Recipe":
        """The recipe of the selected operation; `keep` names steps of a network. Raises UsageError for options that exclude each other."""
        from imgconv.cli.recipes import selection_of

        return selection_of(self).to_recipe(keep)
