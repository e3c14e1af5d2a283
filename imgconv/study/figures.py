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
from imgconv.study.canny_stages import Stages
from imgconv.study.cells import seen
from imgconv.study.panels import LONGEST, Exhibit, Group, Panel, Scale, Taps, map_panel, number, picture_panel, size_text, strongest

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
    elif isinstance(step, Canny):
        panels, title = _of_canny(opaque, recipe, step), "canny"
    else:
        panels, title = [_written(opaque, recipe, _pool_name(step), ())], _pool_name(step)
    note = recipe.describe() if len(panels) < FEW else f"{len(panels)} maps"
    return Exhibit(f"{title} on {name}", note, (Group("", "", (given, *panels)),))


def _of_canny(picture: Picture, recipe: Recipe, step: Canny) -> list[Panel]:
    """Its stages: how long the gradients are, the ridges of them, weak ones grey, and the edges as they are written."""
    stages = Stages(seen(picture, grey=True, alpha=False).pixels, step)
    ridges = Picture((127 * stages.ridges + 128 * stages.strong).astype(np.uint8)[..., None])
    return [
        map_panel(stages.lengths(), "length of the gradient"),
        picture_panel(ridges, "ridges", f"weak from {number(stages.bounds[0])}, strong from {number(stages.bounds[1])}"),
        _written(picture, recipe, "canny", ()),
    ]


def _pool_name(step: Pool) -> str:
    height, width = step.window.kernel_size
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
    """The input, then a group for each step, or each that is kept, whose maps share one scale; of a single step one group with all."""
    wanted = sorted(network.keep) or range(len(network.steps))
    every = replace(network, keep=tuple(wanted), sheet=False, only=None)
    groups = []
    for place, result in zip(wanted, results_of([picture], every), strict=True):
        text = network.steps[place].text
        groups.append(Group(_step_name(place + 1, text), _told(result[0]), tuple(_tiles(result[0], alone=len(wanted) == 1))))
    if len(groups) == 1 and result.ndim == 4:
        return Exhibit(f"{text} on {name}", groups[0].note, (replace(groups[0], panels=(given, *groups[0].panels)),), True)
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
    for place, tile in enumerate(tiles, 1):
        yield Panel(str(place), "", tile, (maps.shape[1], maps.shape[2]), scale)


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
