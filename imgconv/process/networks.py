"""Pictures through the steps of a network, and its results as finished maps."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imgconv.errors import DoesNotFit
from imgconv.functional.light import luma
from imgconv.pictures import Picture
from imgconv.process.finished import Map
from imgconv.process.operations import apply
from imgconv.process.showing import shown, tiled
from imgconv.recipe import Network, Shape
from imgconv.recipe.network import Kept
from imgconv.recipe.sheet import Sheet

__all__ = ["Network", "results_of", "run_network"]

Array = NDArray[Any]


def run_network(picture: Picture, network: Network, *, floats: bool) -> list[Map]:
    """The results of `network` on `picture`; with `floats` as float32, unrounded, range `raw` unless one was asked for.

    A vector of L numbers comes as L maps of one float32 cell.
    """
    made: list[Map] = []
    for kept, batch in zip(network.kept, results_of([picture], network), strict=True):
        made += _numbers(kept, batch[0]) if kept.maps == 0 else _maps(kept, batch[0], picture, network, floats)
    if network.sheet:
        tiles = [each.picture.pixels for each in made]
        sheet = Sheet.of([Shape(*tile.shape) for tile in tiles])
        return [Map(network.name, replace(picture, pixels=tiled(tiles, sheet), alpha=False, luma=None))]
    return made if network.only is None else [made[network.only]]


def results_of(pictures: Sequence[Picture], network: Network) -> list[Array]:
    """For each step that is kept its result (N, C, H, W) or (N, L) float32, for N pictures of one size.

    Steps see stored values; alpha is dropped. Raises DoesNotFit, which names the step, where a step does not fit.
    """
    batch = np.stack([_stored(picture, grey=network.grey) for picture in pictures])
    last = network.kept[-1].position
    wanted = {kept.position: batch for kept in network.kept}
    with np.errstate(all="ignore"):  # infinity and NaN are results, as in torch
        for position, step in enumerate(network.steps[: last + 1]):
            try:
                batch = apply(step.operation, batch)
            except DoesNotFit as error:
                raise DoesNotFit(f"step {position + 1} ({step.text}): {error}") from None
            if position in wanted:
                wanted[position] = batch
    return [wanted[kept.position] for kept in network.kept]


def _stored(picture: Picture, *, grey: bool) -> Array:
    """(C, H, W) float32 of a picture's stored values without alpha; a network that begins with grey gets the luma of whole levels."""
    colours = picture.pixels[..., :-1] if picture.alpha else picture.pixels
    if grey and picture.luma is not None:
        colours = picture.luma
    elif grey and colours.shape[2] == 3:
        colours = luma(np.ascontiguousarray(colours), alpha=False)
    return np.ascontiguousarray(colours.transpose(2, 0, 1), dtype=np.float32)


def _numbers(kept: Kept, vector: Array) -> list[Map]:
    return [Map(f"{kept.name}-{n}", Picture(value.reshape(1, 1, 1)), kept.name) for n, value in enumerate(vector, 1)]


def _maps(kept: Kept, maps: Array, picture: Picture, network: Network, floats: bool) -> list[Map]:
    range_ = network.range or ("raw" if floats else kept.range)
    made = []
    for name, planes in zip(kept.names, np.split(maps, kept.maps), strict=True):
        pixels = shown(planes.transpose(1, 2, 0), range_, picture.pixels.dtype, rounded=not floats)
        made.append(Map(name, replace(picture, pixels=np.ascontiguousarray(pixels), alpha=False, luma=None)))
    return made
