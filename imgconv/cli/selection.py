"""Which filter, pool or network the commands that only look at images are about: one set of options, told apart by what was given."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Annotated

import typer

from imgconv.cli.options import WHAT, FilterOptions, Padding, PoolOptions
from imgconv.errors import UsageError
from imgconv.modes import PoolMode

if TYPE_CHECKING:
    from imgconv.recipe import Recipe

OF_POOL = ("size", "mode", "ceil_mode")
OF_CANNY = ("canny", "sigma", "low", "high")
OF_NETWORK = ("step", "recipe")
POOL_TAKES = (*OF_POOL, "stride", "padding", "dilation", "grey", "alpha")
CANNY_TAKES = (*OF_CANNY, "invert", "overlay", "alpha")
NETWORK_TAKES = (*OF_NETWORK, "kernels_file", "range")


@dataclass(frozen=True)
class Selection(FilterOptions):
    """A filter (`-k`), a pool (`--size`, `--mode`), `canny` (`--canny`, or its thresholds), or with none what `edge` does by default."""

    padding: Padding = ""
    size: Annotated[str | None, typer.Option("--size", metavar="N|HxW", help="A pool: its window, in pixels.", rich_help_panel=WHAT)] = None
    mode: Annotated[PoolMode | None, typer.Option("--mode", help="A pool: what a window is reduced to.", rich_help_panel=WHAT)] = None
    ceil_mode: Annotated[
        bool, typer.Option("--ceil-mode", help="A pool: keep a last window that hangs over the edge.", rich_help_panel=WHAT)
    ] = False
    canny: Annotated[bool, typer.Option("--canny", help="What canny does, with its --sigma, --low and --high.", rich_help_panel=WHAT)] = (
        False
    )
    sigma: Annotated[
        float | None, typer.Option("--sigma", metavar="PIXELS", help="Canny: of the Gaussian that smooths.", rich_help_panel=WHAT)
    ] = None
    low: Annotated[
        str | None,
        typer.Option("--low", metavar="LEVEL|N%", help="Canny: weakest gradient that goes on from an edge.", rich_help_panel=WHAT),
    ] = None
    high: Annotated[
        str | None, typer.Option("--high", metavar="LEVEL|N%", help="Canny: gradient that begins an edge.", rich_help_panel=WHAT)
    ] = None

    def recipe_of_selection(self, keep: Sequence[str] = ()) -> "Recipe":
        """The recipe that the options mean; `keep` are steps of a network. Raises UsageError for options that do not go together."""
        if keep:
            raise UsageError("--keep is for the steps of a network; give -s or --recipe")
        if self._gives(OF_CANNY):
            self.refuse_all_but(CANNY_TAKES, "canny")
            return self._canny()
        if self._gives(OF_POOL):
            self.refuse_all_but(POOL_TAKES, "a pool")
            return self._pool()
        return self._filter()

    def _gives(self, names: Collection[str]) -> bool:
        return any(field.name in names and getattr(self, field.name) != field.default for field in fields(self))

    def refuse_all_but(self, allowed: Collection[str], what: str) -> None:
        """Raise UsageError where an option that `what` does not take is given."""
        for field in fields(self):
            if field.name not in allowed and getattr(self, field.name) != field.default:
                raise UsageError(f"--{field.name.replace('_', '-')} does not go with {what}; leave one of them out")

    def _canny(self) -> "Recipe":
        from imgconv.cli.canny import CannyOptions

        given = {field.name: getattr(self, field.name) for field in fields(CannyOptions)}
        return CannyOptions(**{name: value for name, value in given.items() if value is not None}).recipe()

    def _pool(self) -> "Recipe":
        from imgconv.cli import recipes

        known = {field.name for field in fields(PoolOptions)}
        given = {field.name: getattr(self, field.name) for field in fields(self) if field.name in known}
        return recipes.of_pool(PoolOptions(**{name: value for name, value in given.items() if value not in (None, "")}))

    def _filter(self) -> "Recipe":
        from imgconv.cli import recipes

        names = {field.name for field in fields(FilterOptions)}
        given = {name: getattr(self, name) for name in names}
        what = FilterOptions(**{**given, "padding": self.padding or "same"})
        return recipes.of_filter("filter", what) if self.kernel else recipes.of_filter("edge", what, ["laplacian8"])


@dataclass(frozen=True)
class NetworkSelection(Selection):
    """The same, or the steps of a network (`-s`, `--recipe`)."""

    step: Annotated[
        list[str] | None,
        typer.Option("-s", "--step", metavar="STEP", help="A network: one of its steps, as run takes it. Repeat.", rich_help_panel=WHAT),
    ] = None
    recipe: Annotated[
        str | None, typer.Option("--recipe", metavar="FILE[:NAME]", help="A network: its recipe file.", rich_help_panel=WHAT)
    ] = None

    def recipe_of_selection(self, keep: Sequence[str] = ()) -> "Recipe":
        """The recipe that the options mean; `keep` are steps of a network. Raises UsageError for options that do not go together."""
        if not (self.step or self.recipe):
            return super().recipe_of_selection(keep)
        from imgconv.recipe import network_recipe

        self.refuse_all_but(NETWORK_TAKES, "the steps of a network")
        range_ = self.range.value if self.range else None
        return network_recipe(self.step or (), file=self.recipe, keep=keep, range=range_, kernels_file=self.kernels_file)
