"""What a figure shows of a recipe on a picture: the input, and every map or the maps of every step."""

from collections.abc import Iterator
from dataclasses import replace
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imgconv.pictures import Picture
from imgconv.process import process, shape_of
from imgconv.process.networks import results_of
from imgconv.recipe import Canny, Filter, Look, MapPlan, Network, Pool, Recipe
from imgconv.study.cells import seen
from imgconv.study.panels import LONGEST, Exhibit, Group, Panel, Scale, Taps, map_panel, picture_panel, size_text, strongest

Array = NDArray[Any]
COLOURS = ("red", "green", "blue")
FEW = 4  # panels that are shown large
MANY = 40  # panels from which a page is written twice as dense, so that it can be zoomed into


def exhibit(picture: Picture, recipe: Recipe, name: str, *, colour: bool = False) -> Exhibit:
    """What to show of `recipe` on `picture`, which came from `name`.

    Maps with a sign are shown unrounded, and those of a filter of the luma, or with `colour` of each colour. A map that is made to be
    looked at (`--range`, a blur) is shown as it would be written. Of a network of several steps each step is a group.

    Raises DoesNotFit for a picture that is too small.
    """
    opaque = seen(picture, grey=False, alpha=False) if picture.alpha else picture
    recipe.trace(shape_of(opaque))
    given = picture_panel(opaque, "input")
    step = recipe.step
    if isinstance(step, Network):
        return _of_network(opaque, step, given, name)
    if isinstance(step, Filter):
        panels = panels_of_filter(opaque, recipe, step, colour=colour)
        title = " and ".join(plan.name for plan in step.maps) if len(step.maps) < FEW else f"{len(step.maps)} kernels"
    else:
        panels, title = [_written(opaque, recipe, _pool_name(step), ())], _pool_name(step)
    note = recipe.describe() if len(panels) < FEW else f"{len(panels)} maps"
    return Exhibit(f"{title} on {name}", note, (Group("", "", (given, *panels)),))


def _pool_name(step: Pool | Canny) -> str:
    if isinstance(step, Canny):
        return "canny"
    height, width = step.window().kernel_size
    return f"{step.mode} pool {height}x{width}"


def panels_of_filter(picture: Picture, recipe: Recipe, step: Filter, *, colour: bool = False) -> list[Panel]:
    """A panel for each map that the `step` of `recipe` makes of a picture without alpha, or three for one with a sign in `colour`."""
    longest = LONGEST if len(step.maps) < FEW else tile_cells(len(step.maps))
    return [panel for plan in step.maps for panel in _of_map(picture, recipe, step, plan, colour=colour, longest=longest)]


def _of_map(picture: Picture, recipe: Recipe, step: Filter, plan: MapPlan, *, colour: bool, longest: int) -> Iterator[Panel]:
    taps = tuple(Taps.of(kernel, flip=step.flip) for kernel in plan.kernels) if not plan.sums_channels else ()
    one = replace(recipe, step=replace(step, maps=(plan,)))
    as_written = recipe.look != Look() or step.range not in (None, "raw") or (step.range is None and plan.range == "clip")
    if as_written:
        yield _written(picture, one, plan.name, taps)
        return
    grey = not colour and not plan.sums_channels
    values = process(picture, replace(one, step=replace(step, maps=(plan,), grey=grey or step.grey)), floats=True)[0].picture.pixels
    for channel in range(values.shape[2]):
        named = f"{plan.name}, {COLOURS[channel]}" if values.shape[2] == 3 else plan.name
        yield map_panel(values[..., channel], named, taps if channel == 0 else (), longest)


def _written(picture: Picture, recipe: Recipe, title: str, taps: tuple[Taps, ...]) -> Panel:
    """A map as the command would write it."""
    return picture_panel(process(picture, recipe)[0].picture, title, taps=taps)


def _of_network(picture: Picture, network: Network, given: Panel, name: str) -> Exhibit:
    """The input, then a group for each step, whose maps share one scale; of a single step one group with all."""
    every = replace(network, keep=tuple(range(len(network.steps))), sheet=False, only=None)
    groups = []
    for number, (step, result) in enumerate(zip(network.steps, results_of([picture], every), strict=True), 1):
        groups.append(Group(_step_name(number, step.text), _told(result[0]), tuple(_tiles(result[0], alone=len(network.steps) == 1))))
    if len(groups) == 1 and result.ndim == 4:
        return Exhibit(f"{network.steps[0].text} on {name}", groups[0].note, (replace(groups[0], panels=(given, *groups[0].panels)),), True)
    return Exhibit(
        f"{network.name} on {name}",
        f"{len(groups)} step{'s' if len(groups) > 1 else ''}",
        (Group("input", given.note, (given,)), *groups),
        True,
    )


def _step_name(number: int, text: str) -> str:
    """The number and op of a step, and what it was given, apart.

    >>> _step_name(2, "max_pool kernel_size=2")
    '2 max_pool  kernel_size=2'
    """
    op, _, given = text.partition(" ")
    return f"{number} {op}  {given}"


def _tiles(maps: Array, *, alone: bool) -> Iterator[Panel]:
    """A panel for each of the maps (C, H, W), or one for all numbers of a vector (L,)."""
    if maps.ndim == 1:
        yield Panel("", "", maps, (1, len(maps)), Scale.of(maps))
        return
    longest = LONGEST if alone and len(maps) < FEW else tile_cells(len(maps))
    tiles = [strongest(values, longest) for values in maps]
    scale = Scale.of(np.stack(tiles))
    for number, tile in enumerate(tiles, 1):
        yield Panel(str(number), "", tile, (maps.shape[1], maps.shape[2]), scale)


def tile_cells(count: int) -> int:
    """Cells along the longer side of each of `count` tiles of a page, or of 20 where they are fewer; a page of many is written denser.

    >>> tile_cells(25), tile_cells(64)
    (296, 370)
    """
    return int((3700 if count >= MANY else 1850) / sqrt(max(count, 20) * 1.56))


def _told(result: Array) -> str:
    if result.ndim == 1:
        return f"{len(result)} numbers, largest at {int(np.argmax(result))}"
    maps = f"{len(result)} maps, " if len(result) > 1 else ""
    return f"{maps}{size_text(result.shape[1:])}"
