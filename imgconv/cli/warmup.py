"""`imgconv warmup`."""

import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from imgconv.recipe import Recipe

SIZE = 64  # height and width in pixels: enough for every kernel and window in use
STEPS = (
    *(f"conv {kernel} {how}" for kernel in ("laplacian8", "kirsch") for how in ("", "padding=1", "stride=2", "stride=3")),
    "conv_transpose laplacian8 stride=2",
    *(f"{mode}_pool {size}" for mode in ("max", "min", "avg", "median") for size in ("2", "3 stride=1", "15 stride=1")),
    "adaptive_avg_pool 5",
    "adaptive_max_pool 5",
)
EXAMPLES = "imgconv warmup   |   imgconv warmup -q"


def add_to(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(epilog=EXAMPLES)(warmup)


def warmup(quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Nothing but errors.")] = False) -> None:
    """Compile every loop of edge, filter, pool, run and canny now, and say where they are kept; else each is compiled on first need."""
    from imgconv.cli.lines import counted
    from imgconv.engine import cache

    made = cache.warmup(_jobs(_recipes()))
    if quiet:
        return
    for trouble in cache.troubles():
        sys.stderr.write(f"imgconv: {trouble}\n")
    place = cache.location() or "memory alone: there is no place to keep them"
    sys.stderr.write(f"{counted(made, 'loop')} compiled, {cache.count()} kept in {place}\n")


def _jobs(recipes: "list[Recipe]") -> Iterator[Callable[[], object]]:
    """Yield a call for each recipe and each kind of image: 8-bit, 16-bit and float; grey of an even and an odd width, colour, alpha."""
    import numpy as np

    from imgconv.images import Raster
    from imgconv.process import process

    for dtype, max_value in (("uint8", 255), ("uint16", 65535), ("float32", 1)):
        for channels, width in ((1, SIZE), (1, SIZE + 1), (3, SIZE), (4, SIZE)):
            ramp = np.linspace(0, max_value, SIZE * width * channels).astype(dtype)
            image = Raster(ramp.reshape(SIZE, width, channels), alpha=channels == 4)
            for recipe in recipes:
                yield partial(process, image, recipe, threads=1)


def _recipes() -> "list[Recipe]":
    """Recipes that between them take every way through the loops of filters, pools and steps of networks."""
    from imgconv.modes import PoolMode
    from imgconv.recipe import Canny, Pool, Recipe, filter_recipe, network_recipe

    kernels = ("laplacian8", "gaussian5", "box:size=3", "sobel", "gaussian:sigma=2", "emboss", "unsharp5", "kv")
    filters = [filter_recipe([kernel], stride=stride) for kernel in kernels for stride in (1, 2)]
    ranges = [filter_recipe(["sobel_x"], range=name) for name in ("clip", "abs", "minmax")]
    pools = [Recipe("pool", Pool(size, mode, stride)) for size in (2, 3, 15) for mode in PoolMode for stride in (None, 1)]
    edges = [filter_recipe(["laplacian8"], command="edge"), Recipe("canny", Canny()), Recipe("canny", Canny(0, 80, 90, percent=True))]
    return [*edges, *filters, *ranges, *pools, *(network_recipe([step]) for step in STEPS)]
