"""From the options of edge, filter and pool to a Recipe."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from imgconv.cli.options import FilterOptions, PoolOptions
from imgconv.errors import UsageError

if TYPE_CHECKING:
    from imgconv.recipe import MissingData, Recipe


def filter_recipe_of(command: str, what: FilterOptions, default: Sequence[str] = ()) -> "Recipe":
    """The recipe of `edge` or `filter`; `default` are the kernels used when no kernel is given."""
    from imgconv.recipe import Postprocess, filter_recipe
    from imgconv.registry import Registry

    postprocess = Postprocess(what.invert, what.threshold, what.overlay)
    registry = Registry.load(what.kernels_file)
    return filter_recipe(what.kernel or default, command=command, registry=registry, postprocess=postprocess, **filter_settings(what))


def filter_settings(what: FilterOptions) -> dict[str, Any]:
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
    from imgconv.process.mask_file import MaskFile
    from imgconv.process.missing import mask_of
    from imgconv.registry.files import note_read

    note_read(Path(what.mask))
    return MissingData(data.nodata, MaskFile.of(Path(what.mask)) or mask_of(first_image(what.mask, max_pixels=None)))
