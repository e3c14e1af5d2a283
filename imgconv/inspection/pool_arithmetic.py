"""The cells under one window of a pool, and how they give the output pixel."""

from dataclasses import replace
from typing import assert_never

import numpy as np
from numpy.typing import NDArray

from imgconv.arrays import Array
from imgconv.images import Raster
from imgconv.inspection.filter_arithmetic import missing_text
from imgconv.inspection.pixel import LISTED, ChannelValue, MapValue, Patch, Stage, channel_names, filter_input, number, pool_patch
from imgconv.modes import PoolMode
from imgconv.process import Map, straight_pixels
from imgconv.recipe import Pool
from imgconv.windows.borders import Border

FLOAT32 = 1e-6  # of the largest value: the tolerance of averages in float32


def explain_pool(image: Raster, step: Pool, output: Map, at: tuple[int, int]) -> MapValue:
    """Explain the output pixel `at` (row, column) of a pool."""
    pooled = filter_input(image, grey=step.grey, alpha=step.keeps_alpha())
    border = None if step.padding_mode is None else Border.of(step.padding_mode)
    whole = pooled.pixels.dtype.kind == "u"
    computes = image.premultiplied and pooled.alpha and not step.grey and not PoolMode.of(step.mode)[0].selects
    pixels = straight_pixels(image, np.dtype(np.float64)) if computes else pooled.pixels
    patch = pool_patch(pixels, step.window, step.window.pads(pooled.size), at, border)
    channels = []
    for c, name in enumerate(channel_names(pooled.channels, alpha=pooled.alpha)):
        written = float(output.image.pixels[at][c])
        if pooled.valid is None:
            channels.append(explain_channel(name, patch, c, step.mode, written, rounds=whole))
            continue
        known = pool_patch(pooled.valid, step.window, step.window.pads(pooled.size), at, border and Border(border.mode, 1.0))
        is_missing = output.image.valid is not None and output.image.valid[at][c] == 0
        channels.append(_of_valid(name, patch, (known.values[..., c] != 0) & patch.used, step, written, c, is_missing=is_missing))
    return MapValue(output.name, patch, tuple(channels))


def _of_valid(
    name: str, patch: Patch, known: NDArray[np.bool_], step: Pool, written: float, channel: int, *, is_missing: bool
) -> ChannelValue:
    """Explain a value that a pool gives for the `known` ones among the cells of a patch."""
    counted = Stage("valid", f"{int(known.sum())} of {known.size} cells", float(known.sum()))
    if is_missing:
        stages = (counted, Stage("missing", missing_text(step.rule), written))
        return ChannelValue(name, (), stages, written, patch.values[..., channel], known)
    explained = explain_channel(name, replace(patch, used=known), channel, step.mode, written, rounds=patch.values.dtype.kind == "u")
    return replace(explained, stages=(counted, *explained.stages))


def explain_channel(
    name: str, patch: Patch, channel: int, mode: str, written: float, divisor: int | None = None, *, rounds: bool = False
) -> ChannelValue:
    """Explain the value that a pool by `mode` gives for one channel of the cells that take part.

    `divisor` is what an average divides by, the number of cells by default.
    """
    cells, used = patch.values[..., channel], patch.padded | True if patch.used is None else patch.used
    inside, (pool_mode, percent) = cells[used], PoolMode.of(mode)
    winners = used
    match pool_mode:
        case PoolMode.avg:
            stages = _rounded(_average(inside, divisor or len(inside)), rounds=rounds)
        case PoolMode.std:
            stages = _rounded(_deviation(inside), rounds=rounds)
        case PoolMode.range:
            largest, smallest = (_selected(inside, each, 0) for each in (PoolMode.max, PoolMode.min))
            stages = (Stage("range", f"{number(largest)} - {number(smallest)}", largest - smallest),)
            stages = _rounded(stages, rounds=rounds and not stages[0].value.is_integer())
            winners = _first(cells, largest, used) | _first(cells, smallest, used)
        case PoolMode.max | PoolMode.min | PoolMode.median | PoolMode.rank:
            value = _selected(inside, pool_mode, percent)
            stages = (Stage(mode, _selection_text(inside, pool_mode, percent), value),)
            winners = _first(cells, value, used)
        case _:
            assert_never(pool_mode)
    largest_cell = float(np.abs(inside).max()) if len(inside) else 0.0
    tolerance = 0.0 if pool_mode.selects or rounds else FLOAT32 * largest_cell * len(inside) / abs(divisor or len(inside))
    return ChannelValue(name, (), stages, written, cells, winners, tolerance=tolerance)


def _first(cells: Array, value: float, used: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The first of the cells in use that has the value; NaN is equal to itself."""
    winner = np.zeros(cells.shape, bool)
    winner.flat[int(np.argmax(((cells == value) | (np.isnan(value) & np.isnan(cells))) & used))] = True
    return winner


def _deviation(inside: Array) -> tuple[Stage, ...]:
    values = inside.astype(np.float64)
    mean, deviation = float(values.mean()), float(values.std())
    squares = f"the mean of {_cells_text((values - mean) ** 2)}"
    return (
        Stage("average", f"{number(float(values.sum()))} / {len(inside)}", mean),
        Stage("variance", squares, deviation**2),
        Stage("std", f"the root of {number(deviation**2)}", deviation),
    )


def _rounded(stages: tuple[Stage, ...], *, rounds: bool) -> tuple[Stage, ...]:
    """The stages, and that of rounding to a whole number if it `rounds`."""
    return (*stages, Stage("rounded", "half to even", float(np.rint(stages[-1].value)))) if rounds else stages


def _average(inside: Array, divisor: int) -> tuple[Stage, ...]:
    total = float(inside.astype(np.float64).sum())
    mean = total / divisor
    return Stage("sum", _cells_text(inside, " + "), total), Stage("average", f"{number(total)} / {divisor}", mean)


def _selected(inside: Array, mode: PoolMode, percent: float) -> float:
    """The cell whose value a pool takes; NaN where one of them is."""
    if inside.dtype.kind == "f" and np.isnan(inside).any():
        return float("nan")
    return float(np.sort(inside)[mode.place(percent, len(inside))])


def _selection_text(inside: Array, mode: PoolMode, percent: float) -> str:
    """Which cell is selected: of an extreme among the cells as they lie, of a rank among the sorted ones."""
    if mode in (PoolMode.max, PoolMode.min):
        return f"the {mode.noun} of {_cells_text(inside)}"
    place = mode.place(percent, len(inside)) + 1
    return f"the {mode.noun}, number {place} of {_cells_text(np.sort(inside))} in ascending order"


def _cells_text(inside: Array, separator: str = ", ") -> str:
    """Values one by one, or how many there are."""
    return separator.join(map(number, inside.tolist())) if inside.size <= LISTED else f"{inside.size} cells"
