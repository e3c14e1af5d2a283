"""The cells under one window of a pool, and how they give the output pixel."""

from dataclasses import replace
from typing import Literal, assert_never

import numpy as np
from numpy.typing import NDArray

from imgconv.arrays import Array
from imgconv.images import Raster
from imgconv.inspection.cells import filter_input, pool_patch
from imgconv.inspection.explanation import LISTED, ChannelValue, MapValue, Stage, channel_names, number
from imgconv.inspection.filter_arithmetic import missing_text
from imgconv.modes import PoolMode
from imgconv.process import Map
from imgconv.recipe import Pool

FLOAT32 = 1e-6  # of the largest value: the tolerance of averages in float32
Selection = Literal[PoolMode.max, PoolMode.min, PoolMode.median]


def explain_pool(image: Raster, step: Pool, output: Map, at: tuple[int, int]) -> MapValue:
    """Explain the output pixel `at` (row, column) of a pool."""
    pooled = filter_input(image, grey=step.grey, alpha=step.keeps_alpha())
    patch = pool_patch(pooled.pixels, step.window, step.window.pads(pooled.size), at)
    channels = []
    for c, name in enumerate(channel_names(pooled.channels, alpha=pooled.alpha)):
        cells, written = patch.values[..., c], float(output.image.pixels[at][c])
        if pooled.valid is not None:
            known = (pool_patch(pooled.valid, step.window, step.window.pads(pooled.size), at).values[..., c] != 0) & ~patch.padded
            channels.append(_of_valid(name, cells, known, step, output, at, c))
            continue
        tolerance = 0.0 if cells.dtype.kind == "u" else FLOAT32 * float(np.abs(cells[~patch.padded]).max())
        channels.append(explain_channel(name, cells, patch.padded, PoolMode(step.mode), written, tolerance=tolerance))
    return MapValue(output.name, patch, tuple(channels))


def _of_valid(
    name: str, cells: Array, known: NDArray[np.bool_], step: Pool, output: Map, at: tuple[int, int], channel: int
) -> ChannelValue:
    """Explain a value that a pool gives for the `known` ones among `cells`."""
    written, valid = float(output.image.pixels[at][channel]), output.image.valid
    counted = Stage("valid", f"{int(known.sum())} of {known.size} cells", float(known.sum()))
    if valid is not None and valid[at][channel] == 0:
        stages = (counted, Stage("missing", missing_text(step.rule), written))
        return ChannelValue(name, (), stages, written, cells, known)
    tolerance = 0.0 if cells.dtype.kind == "u" else FLOAT32 * float(np.abs(cells[known]).max())
    explained = explain_channel(name, cells, ~known, PoolMode(step.mode), written, tolerance=tolerance)
    return replace(explained, stages=(counted, *explained.stages))


def explain_channel(
    name: str, cells: Array, padded: NDArray[np.bool_], mode: PoolMode, written: float, *, tolerance: float, divisor: int | None = None
) -> ChannelValue:
    """Explain the value that a pool gives for `cells` (kh, kw), those `padded` left out.

    `tolerance` is the error of an average in float32; `divisor` is what an average divides by, the number of cells by default.
    """
    inside = cells[~padded]
    match mode:
        case PoolMode.avg:
            return ChannelValue(name, (), _average(inside, divisor or len(inside)), written, cells, ~padded, tolerance=tolerance)
        case PoolMode.max | PoolMode.min | PoolMode.median:
            value = _selected(inside, mode)
            winner = np.zeros(cells.shape, bool)
            winner.flat[int(np.argmax(((cells == value) | (np.isnan(value) & np.isnan(cells))) & ~padded))] = True
            stage = Stage(mode, f"the {mode.noun} of {_cells_text(inside)}", value)
            return ChannelValue(name, (), (stage,), written, cells, winner)
        case _:
            assert_never(mode)


def _average(inside: Array, divisor: int) -> tuple[Stage, ...]:
    total = float(inside.astype(np.float64).sum())
    mean = total / divisor
    stages = (Stage("sum", _cells_text(inside, " + "), total), Stage("average", f"{number(total)} / {divisor}", mean))
    return (*stages, Stage("rounded", "half to even", float(np.rint(mean)))) if inside.dtype.kind == "u" else stages


def _selected(inside: Array, mode: Selection) -> float:
    """The cell whose value a pool takes; NaN where one of them is."""
    if inside.dtype.kind == "f" and np.isnan(inside).any():
        return float("nan")
    match mode:
        case PoolMode.max:
            return float(inside.max())
        case PoolMode.min:
            return float(inside.min())
        case PoolMode.median:
            return float(np.sort(inside)[(len(inside) - 1) // 2])
        case _:
            assert_never(mode)


def _cells_text(inside: Array, separator: str = ", ") -> str:
    """Values one by one, or how many there are."""
    return separator.join(map(number, inside.tolist())) if inside.size <= LISTED else f"{inside.size} cells"
