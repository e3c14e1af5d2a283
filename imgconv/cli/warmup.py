"""The command `imgconv warmup`: small images through every kind of filter and pool, so that every loop is compiled and cached."""

import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from imgconv.cli.options import Quiet

if TYPE_CHECKING:
    from imgconv.recipe import Recipe

EXAMPLES = """
imgconv warmup
imgconv warmup -q
"""
STEPS = (
    *(f"conv {kernel} {how}" for kernel in ("laplacian8", "kirsch") for how in ("", "padding=1", "stride=2", "stride=3")),
    "conv_transpose laplacian8 stride=2",
    *(f"{mode}_pool {size}" for mode in ("max", "min", "avg", "median") for size in ("2", "3 stride=1", "15 stride=1")),
    "open cross",
    "adaptive_avg_pool 5",
    "adaptive_max_pool 5",
)
SIDE = 64  # pixels: enough for every kernel and window below
NETWORK_SIDE = 260  # enough for the networks of small windows, which small images do not use


def command(quiet: Quiet = False) -> None:
    """Compile every loop of edge, filter, pool, run and canny now.

    Without this command each loop is compiled when it is first used. Compiled loops are cached; the command shows where.
    """
    from imgconv.cli.console import write_message
    from imgconv.display.words import counted
    from imgconv.engine import cache, compiled, fallback

    if quiet:
        fallback.announce = lambda text: None
    count = compiled.warmup(
        [*_jobs(_recipes(), SIDE), *_jobs(_medians(), NETWORK_SIDE)], None if quiet or not sys.stderr.isatty() else _show_progress
    )
    if not quiet:
        write_message(f"{counted(count, 'loop')} compiled, {cache.count()} cached in {cache.location() or 'memory only'}")


def _show_progress(done: int, total: int) -> None:
    sys.stderr.write(f"\rcompiling: {100 * done // total} %" if done < total else "\r\x1b[K")
    sys.stderr.flush()


def _jobs(recipes: "list[Recipe]", side: int) -> Iterator[Callable[[], object]]:
    """Yield a call for each recipe and each kind of image: 8-bit, 16-bit and float; grey of an even and an odd width, colour, alpha."""
    import numpy as np

    from imgconv.images import Raster
    from imgconv.process import process

    for dtype, max_value in (("uint8", 255), ("uint16", 65535), ("float32", 1)):
        for channels, width in ((1, side), (1, side + 1), (3, side), (4, side)):
            ramp = np.linspace(0, max_value, side * width * channels).astype(dtype)
            image = Raster(ramp.reshape(side, width, channels), alpha=channels == 4)
            for recipe in recipes:
                yield partial(process, image, recipe, threads=1)


def _recipes() -> "list[Recipe]":
    """Recipes that together use every loop of filters, pools and steps of networks."""
    from imgconv.modes import PoolMode
    from imgconv.recipe import Canny, MissingData, Pool, Recipe, filter_recipe, footprint_of, network_recipe

    kernels = ("laplacian8", "gaussian5", "box:size=3", "box:size=15", "sobel", "gaussian:sigma=2", "emboss", "unsharp5", "kv")
    filters = [filter_recipe([kernel], stride=stride) for kernel in kernels for stride in (1, 2)]
    filters += [filter_recipe([kernel], missing_data=MissingData(0.0)) for kernel in ("box:size=3", "gaussian:sigma=2")]
    ranges = [filter_recipe(["sobel_x"], range=name) for name in ("clip", "abs", "minmax")]
    modes = [mode.typed.replace("P", "50") for mode in PoolMode]
    pools = [Recipe("pool", Pool(size, mode, stride)) for size in (2, 3, 15) for mode in modes for stride in (None, 1)]
    pools += [Recipe("pool", Pool(mode=mode, footprint=footprint_of("disk"))) for mode in modes]
    edges = [filter_recipe(["laplacian8"], command="edge"), Recipe("canny", Canny()), Recipe("canny", Canny(0, 80, 90, percent=True))]
    return [*edges, *filters, *ranges, *pools, *(network_recipe([step]) for step in STEPS)]


def _medians() -> "list[Recipe]":
    """The most common median; a network of 5x5 takes four times as long to compile, and waits for its first use."""
    from imgconv.recipe import Pool, Recipe

    return [Recipe("pool", Pool(3, "median", 1, "same"))]
