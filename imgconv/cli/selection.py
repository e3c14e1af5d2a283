"""From options to a Recipe: what a command computes, and which operation the commands that inspect images are about."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol

from imgconv.cli.completion import complete_recipe, complete_step
from imgconv.cli.options import WHAT, FilterOptions, Padding, PaddingModeName, PoolOptions, Shape, option
from imgconv.errors import UsageError
from imgconv.modes import PoolMode

if TYPE_CHECKING:
    from imgconv.recipe import MissingData, Recipe


def filter_recipe_of(command: str, what: FilterOptions, default: Sequence[str] = ()) -> "Recipe":
    """The recipe of `edge` or `filter`; `default` are the kernels used when no kernel is given."""
    from imgconv.recipe import Postprocess, filter_recipe
    from imgconv.registry import Registry

    postprocess = Postprocess(what.invert, what.threshold, what.overlay)
    registry = Registry.load(what.kernels_file)
    return filter_recipe(what.kernel or default, command=command, registry=registry, postprocess=postprocess, **_filter_settings(what))


def _filter_settings(what: FilterOptions) -> dict[str, Any]:
    """The fields of a filter that are options too; None for those that were not given and have several defaults."""
    from imgconv.recipe.values import image_padding, image_size, padding_mode, read

    return {
        "stride": None if what.stride is None else read("--stride", image_size, what.stride),
        "padding": read("--padding", image_padding, what.padding) if what.padding else None,
        "padding_mode": read("--padding-mode", padding_mode, what.padding_mode) if what.padding_mode else None,
        "dilation": read("--dilation", image_size, what.dilation),
        "flip": what.flip,
        "range": what.range.value if what.range else None,
        "grey": what.grey,
        "linear": what.linear,
        "alpha": what.alpha.value,
        "missing": what.missing.value,
        "min_valid": what.min_valid,
        "missing_data": missing_data_of(what),
    }


def pool_recipe_of(what: PoolOptions) -> "Recipe":
    """The recipe of `pool`."""
    from imgconv.recipe import Pool, Recipe, window_shape
    from imgconv.recipe.values import image_padding, image_size, padding_mode, read

    if what.size and what.window:
        raise UsageError("--size and --window exclude each other; leave one of them out")
    step = Pool(
        read("--size", image_size, what.size or "2"),
        what.mode,
        None if what.stride is None else read("--stride", image_size, what.stride),
        None if what.padding is None else read("--padding", image_padding, what.padding),
        read("--dilation", image_size, what.dilation),
        what.ceil_mode,
        bool(what.grey),
        what.alpha.value,
        what.missing.value,
        what.min_valid,
        window_shape(what.window, what.kernels_file),
        None if what.padding_mode is None else read("--padding-mode", padding_mode, what.padding_mode),
    )
    return Recipe("pool", step, missing_data=missing_data_of(what))


class MissingOptions(Protocol):
    """The options that say which cells are missing."""

    @property
    def nodata(self) -> str: ...
    @property
    def mask(self) -> str | None: ...


def missing_data_of(what: MissingOptions) -> "MissingData":
    """Which cells are missing. Reads the file of --mask."""
    from imgconv.recipe import DECLARED, MissingData

    if (what.nodata, what.mask) == ("auto", None):
        return DECLARED
    data = MissingData.of(what.nodata)
    if what.mask is None:
        return data
    from imgconv.batch.inputs import first_image
    from imgconv.process.missing import mask_of
    from imgconv.registry.files import note_read

    note_read(Path(what.mask))
    return MissingData(data.nodata, mask_of(first_image(what.mask, max_pixels=None)))


@dataclass(frozen=True)
class Selection(FilterOptions):
    """A filter (`-k`), a pool, canny, or the steps of a network; without any of their options, the filter of `edge`."""

    padding: Padding = ""
    padding_mode: PaddingModeName = ""
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
        str | None,
        option(WHAT, "--recipe", metavar="FILE[:NAME]", help="Network: a recipe file.", autocompletion=complete_recipe),
    ] = None

    def to_recipe(self, keep: Sequence[str] = ()) -> "Recipe":
        """The recipe of the selected operation; `keep` names steps of a network. Raises UsageError for options that exclude each other."""
        from imgconv.cli.canny import thresholds_of
        from imgconv.recipe import selection
        from imgconv.recipe.values import image_size, read

        low, high, percent = thresholds_of(self.low, self.high)
        return selection.Selection(
            kernel=tuple(self.kernel or ()),
            threshold=self.threshold,
            invert=self.invert,
            overlay=self.overlay,
            kernels_file=self.kernels_file,
            size=None if self.size is None else read("--size", image_size, self.size),
            window=self.window,
            mode=self.mode,
            ceil_mode=self.ceil_mode,
            canny=self.canny,
            sigma=self.sigma,
            low=low,
            high=high,
            quantiles=percent,
            step=tuple(self.step or ()),
            recipe=self.recipe,
            **_filter_settings(self),
        ).to_recipe(keep)
