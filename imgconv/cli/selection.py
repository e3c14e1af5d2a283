"""From options to a Recipe: what a command computes, and which operation the commands that inspect images are about."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from imgconv.cli.options import WHAT, FilterOptions, Padding, PoolOptions, complete_recipe, complete_step, option
from imgconv.errors import UsageError
from imgconv.modes import PoolMode

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    from imgconv.recipe import Recipe

T = TypeVar("T", bound="DataclassInstance")

OF_POOL = ("size", "mode", "ceil_mode")
OF_CANNY = ("canny", "sigma", "low", "high")
OF_NETWORK = ("step", "recipe")
POOL_TAKES = (*OF_POOL, "stride", "padding", "dilation", "grey", "alpha")
CANNY_TAKES = (*OF_CANNY, "invert", "overlay", "alpha")
NETWORK_TAKES = (*OF_NETWORK, "kernels_file", "range")


def filter_recipe_of(command: str, what: FilterOptions, default: Sequence[str] = ()) -> "Recipe":
    """The recipe of `edge` or `filter`; `default` are the kernels used when no kernel is given."""
    from imgconv.recipe import Postprocess, filter_recipe
    from imgconv.recipe.values import image_padding, image_size, padding_mode, read
    from imgconv.registry import Registry

    registry = Registry.load(what.kernels_file)
    settings: dict[str, Any] = {
        "postprocess": Postprocess(what.invert, what.threshold, what.overlay),
        "stride": read("--stride", image_size, what.stride or "1"),
        "padding": read("--padding", image_padding, what.padding),
        "padding_mode": read("--padding-mode", padding_mode, what.padding_mode),
        "dilation": read("--dilation", image_size, what.dilation),
        "flip": what.flip,
        "range": what.range.value if what.range else None,
        "grey": what.grey,
        "linear": what.linear,
        "alpha": what.alpha.value,
    }
    return filter_recipe(what.kernel or default, command=command, registry=registry, **settings)


def pool_recipe_of(what: PoolOptions) -> "Recipe":
    """The recipe of `pool`."""
    from imgconv.recipe import Pool, Recipe
    from imgconv.recipe.values import image_padding, image_size, read

    step = Pool(
        read("--size", image_size, what.size),
        what.mode.value,
        None if what.stride is None else read("--stride", image_size, what.stride),
        read("--padding", image_padding, what.padding),
        read("--dilation", image_size, what.dilation),
        what.ceil_mode,
        bool(what.grey),
        what.alpha.value,
    )
    return Recipe("pool", step)


@dataclass(frozen=True)
class Selection(FilterOptions):
    """A filter (`-k`), a pool, canny, or the steps of a network; without any of their options, the filter of `edge`."""

    padding: Padding = ""
    size: Annotated[str | None, option(WHAT, "--size", metavar="N|HxW", help="Pool: window size in pixels.")] = None
    mode: Annotated[
        PoolMode | None, option(WHAT, "--mode", help="Pool: how to reduce each window to one value.", autocompletion=PoolMode.completed)
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
        str | None,
        option(WHAT, "--recipe", metavar="FILE[:NAME]", help="Network: a recipe file.", autocompletion=complete_recipe),
    ] = None

    def to_recipe(self, keep: Sequence[str] = ()) -> "Recipe":
        """The recipe of the selected operation; `keep` names steps of a network. Raises UsageError for options that exclude each other."""
        if self.step or self.recipe:
            return self._network(keep)
        if keep:
            raise UsageError("--keep selects steps of a network; give -s or --recipe")
        if self._has_any(OF_CANNY):
            self._refuse_all_but(CANNY_TAKES, "canny")
            from imgconv.cli.canny import CannyOptions

            return self._as(CannyOptions).to_recipe()
        if self._has_any(OF_POOL):
            self._refuse_all_but(POOL_TAKES, "a pool")
            return pool_recipe_of(self._as(PoolOptions))
        what = self._as(FilterOptions)
        return filter_recipe_of("filter", what) if self.kernel else filter_recipe_of("edge", what, ["laplacian8"])

    def _has_any(self, names: Collection[str]) -> bool:
        return any(field.name in names and getattr(self, field.name) != field.default for field in fields(self))

    def _refuse_all_but(self, allowed: Collection[str], operation: str) -> None:
        for field in fields(self):
            if field.name not in allowed and getattr(self, field.name) != field.default:
                raise UsageError(f"--{field.name.replace('_', '-')} cannot be used with {operation}; leave one of them out")

    def _network(self, keep: Sequence[str]) -> "Recipe":
        from imgconv.recipe import network_recipe

        self._refuse_all_but(NETWORK_TAKES, "the steps of a network")
        range_ = self.range.value if self.range else None
        return network_recipe(self.step or (), file=self.recipe, keep=keep, range=range_, kernels_file=self.kernels_file)

    def _as(self, options: type[T]) -> T:
        """Those of these options that a command has, with its defaults for those that were not given."""
        values = {field.name: getattr(self, field.name) for field in fields(options)}
        return options(**{name: value for name, value in values.items() if value is not None and (name, value) != ("padding", "")})
