"""From the options of a command to its Recipe."""

from collections.abc import Sequence

from imgconv.cli import words
from imgconv.cli.options import FilterOptions, PoolOptions
from imgconv.recipe import Pool, Postprocess, Recipe, filter_recipe
from imgconv.registry import Registry


def of_filter(command: str, what: FilterOptions, default: Sequence[str] = ()) -> Recipe:
    """The recipe of `edge` or `filter`; `default` are the kernels where none is given."""
    return filter_recipe(
        what.kernel or default,
        command=command,
        registry=Registry.load(what.kernels_file),
        postprocess=Postprocess(what.invert, what.threshold, what.overlay),
        stride=words.size(what.stride or "1", "--stride"),
        padding=words.padding(what.padding),
        padding_mode=words.padding_mode(what.padding_mode),
        dilation=words.size(what.dilation, "--dilation"),
        flip=what.flip,
        range=what.range.value if what.range else None,
        grey=what.grey,
        linear=what.linear,
        alpha=what.alpha.value,
    )


def of_pool(what: PoolOptions) -> Recipe:
    """The recipe of `pool`."""
    step = Pool(
        words.size(what.size, "--size"),
        what.mode.value,
        None if what.stride is None else words.size(what.stride, "--stride"),
        words.padding(what.padding),
        words.size(what.dilation, "--dilation"),
        what.ceil_mode,
        bool(what.grey),
        what.alpha.value,
    )
    return Recipe("pool", step)
