"""From the options of a command to a Recipe."""

from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from imgconv.cli.options import FilterOptions
from imgconv.errors import ImageError

if TYPE_CHECKING:
    from imgconv.recipe import Mask, MissingData, Recipe
    from imgconv.recipe.selection import Selection


def filter_recipe_of(command: str, what: FilterOptions, default: Sequence[str] = ()) -> "Recipe":
    """The recipe of `edge` or `filter`; `default` are the kernels used when no kernel is given."""
    from imgconv.recipe import Postprocess, filter_recipe
    from imgconv.registry import Registry

    options = settings(what)
    postprocess = Postprocess(*(options.pop(name) for name in ("invert", "threshold", "overlay")))
    registry = Registry.load(options.pop("kernels_file"))
    return filter_recipe(options.pop("kernel") or default, command=command, registry=registry, postprocess=postprocess, **options)


def selection_of(what: Any) -> "Selection":
    """The operation that the options of any command select."""
    from imgconv.recipe.selection import Selection

    options = settings(what)
    return Selection(**options | {name: tuple(options[name] or ()) for name in ("kernel", "step") if name in options})


def settings(what: Any) -> dict[str, Any]:
    """The options of a command as the values that they stand for; which cells are missing is one of them, `missing_data`."""
    from imgconv.recipe import values

    values_of = ((name, getattr(what, name)) for name in what.hints())
    options = {name: value.value if isinstance(value, Enum) else value for name, value in values_of}
    for name, reader in (
        ("size", values.image_size),
        ("stride", values.image_size),
        ("padding", values.image_padding),
        ("padding_mode", values.padding_mode),
        ("dilation", values.image_size),
    ):
        if options.get(name) is not None:
            options[name] = values.read(f"--{name.replace('_', '-')}", reader, options[name])
    if "low" in options:
        from imgconv.cli.option_values import thresholds

        options["low"], options["high"], options["quantiles"] = thresholds(what.low, what.high)
    del options["nodata"], options["mask"]
    return options | {"missing_data": missing_data_of(what)}


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
    from imgconv.process.missing import MaskFile
    from imgconv.registry.files import note_read

    note_read(Path(what.mask))
    return MissingData(data.nodata, MaskFile.of(Path(what.mask)) or _whole_mask(what.mask))


def _whole_mask(name: str) -> "Mask":
    """Read a mask that is small, or cannot be read by rows. Raises ImageError for one that is too large."""
    from imgconv.batch.sources import first_image
    from imgconv.images import Request
    from imgconv.process.missing import mask_of

    try:
        return mask_of(first_image(name, Request()))
    except ImageError as error:
        raise ImageError(
            str(error).replace("raise it with --max-pixels", "save the mask as .png or .tiff, which are read by rows")
        ) from None
