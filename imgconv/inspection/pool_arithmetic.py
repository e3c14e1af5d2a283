"""The cells under one place of a pool, and which of them decided."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from imgconv.images import Raster
from imgconv.inspection.cells import Patch, filter_input, pool_patch
from imgconv.inspection.explanation import LISTED, ChannelValue, MapValue, Stage, channel_names, number
from imgconv.process import Map
from imgconv.recipe import Pool

FLOAT32 = 1e-6  # of the largest value: what averages in float32 may be off


def explain_pool(image: Raster, step: Pool, made: Map, at: tuple[int, int]) -> MapValue:
    """How the output pixel `at` (row, column) of a pool comes about."""
    given = filter_input(image, grey=step.grey, alpha=step.keeps_alpha())
    patch = pool_patch(given.pixels, step.window, step.window.pads(given.size), at)
    names = channel_names(given.channels, alpha=given.alpha)
    pixel = made.image.pixels[at]
    channels = [_channel(name, patch, c, step.mode, float(pixel[c])) for c, name in enumerate(names)]
    return MapValue(made.name, patch, tuple(channels))


def _channel(name: str, patch: Patch, channel: int, mode: str, written: float) -> ChannelValue:
    cells = patch.values[..., channel]
    inside = cells[~patch.padded]
    if mode == "avg":
        off = 0.0 if cells.dtype.kind == "u" else FLOAT32 * float(np.abs(inside).max())
        return ChannelValue(name, (), _averaged(inside, cells.dtype), written, cells, ~patch.padded, tolerance=off)
    return selected(name, cells, patch.padded, mode, written)


def selected(name: str, cells: NDArray[Any], padded: NDArray[np.bool_], mode: str, written: float) -> ChannelValue:
    """The cell (of those that are not `padded`) that a max, min or median pool takes."""
    inside = cells[~padded]
    value = chosen(inside, mode)
    same = (cells == value) | (np.isnan(value) & np.isnan(cells))
    winners = np.zeros(cells.shape, bool)
    winners.flat[int(np.argmax(same & ~padded))] = True
    what = {"max": "largest", "min": "smallest"}.get(mode, "lower median")
    return ChannelValue(name, (), (Stage(mode, f"the {what} of {listed_cells(inside)}", value),), written, cells, winners)


def chosen(inside: NDArray[Any], mode: str) -> float:
    """The largest, smallest or lower median of some values; NaN where one of them is."""
    if inside.dtype.kind == "f" and np.isnan(inside).any():
        return float("nan")
    if mode == "median":
        return float(np.sort(inside)[(len(inside) - 1) // 2])
    return float(inside.max() if mode == "max" else inside.min())


def _averaged(inside: NDArray[Any], dtype: np.dtype[Any]) -> tuple[Stage, ...]:
    total = float(inside.astype(np.float64).sum())
    stages = (Stage("sum", listed_cells(inside, " + "), total), Stage("average", f"{number(total)} / {len(inside)}", total / len(inside)))
    rounded = Stage("rounded", "half to even", float(np.rint(total / len(inside))))
    return (*stages, rounded) if dtype.kind == "u" else stages


def listed_cells(inside: NDArray[Any], between: str = ", ") -> str:
    """Values one by one, or how many they are."""
    return between.join(map(number, inside.tolist())) if inside.size <= LISTED else f"{inside.size} cells"
