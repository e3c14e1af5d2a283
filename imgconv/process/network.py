"""Maps of a network as pixels: ranges, and contact sheets.

Images through the steps of a network, and its results as finished maps.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imgconv.errors import DoesNotFit
from imgconv.filters.color import luma, white
from imgconv.images import Raster
from imgconv.process.image import Map
from imgconv.process.operations import apply
from imgconv.recipe import Network, Shape
from imgconv.recipe.network import Kept
from imgconv.recipe.shape import Sheet

Array = NDArray[Any]
MIDDLE = {"uint8": 128, "uint16": 32768, "float32": 0.5, "float64": 0.5}  # what the range `offset` adds


def shown(values: Array, range_: str, dtype: np.dtype[np.generic], *, rounded: bool = True) -> Array:
    """Values (H, W, C) float32 brought into the levels of an image of `dtype` by a range; with `rounded` as its pixels.

    `minmax` stretches from the smallest to the largest finite value, so that a map of one value is black. NaN becomes 0.

    >>> shown(np.array([[[-2.0], [0.0], [2.0]]], np.float32), "minmax", np.dtype("uint8")).ravel()
    array([  0, 128, 255], dtype=uint8)
    """
    ranged = _ranged(values, range_, dtype)
    if not rounded or range_ == "raw" or dtype.kind != "u":
        return np.ascontiguousarray(ranged, dtype=np.float32 if not rounded or range_ == "raw" else dtype)
    top = white(dtype)
    return np.rint(np.clip(np.nan_to_num(ranged, posinf=top, neginf=0), 0, top)).astype(dtype)


def _ranged(values: Array, range_: str, dtype: np.dtype[np.generic]) -> Array:
    top = white(dtype)
    if range_ == "abs":
        return np.abs(values)
    if range_ == "offset":
        return values + np.float32(MIDDLE[dtype.name])
    if range_ == "minmax":
        finite = values[np.isfinite(values)].astype(np.float64)
        low, high = (finite.min(), finite.max()) if finite.size else (0.0, 0.0)
        return (values - low) * (top / ((high - low) or 1.0))
    return np.clip(values, 0, top) if range_ == "clip" and dtype.kind == "u" else values


def tiled(images: Sequence[Array], sheet: Sheet) -> Array:
    """All of `images` (H, W, C), of one dtype, on one sheet (H, W, colours); what is empty is black."""
    height, width = sheet.shape.height, sheet.shape.width
    out = np.zeros((height, width, sheet.colours), images[0].dtype)
    for (top, left), tile in zip(sheet.corners(), _tiles(images), strict=True):
        out[top : top + tile.shape[0], left : left + tile.shape[1]] = tile
    return out


def _tiles(images: Sequence[Array]) -> Iterator[Array]:
    for image in images:
        if image.shape[2] == 3:
            yield image
        else:
            yield from (image[..., channel : channel + 1] for channel in range(image.shape[2]))


__all__ = ["Network", "results_of", "run_network"]


def run_network(image: Raster, network: Network, *, floats: bool) -> list[Map]:
    """The results of `network` on `image`; with `floats` as float32, unrounded, range `raw` unless one was asked for.

    A vector of L numbers comes as L maps of one float32 cell.
    """
    made: list[Map] = []
    for kept, batch in zip(network.kept, results_of([image], network), strict=True):
        made += _numbers(kept, batch[0]) if kept.maps == 0 else _maps(kept, batch[0], image, network, floats)
    if network.sheet:
        tiles = [each.image.pixels for each in made]
        sheet = Sheet.of([Shape(*tile.shape) for tile in tiles])
        return [Map(network.name, replace(image, pixels=tiled(tiles, sheet), alpha=False, luma=None))]
    return made if network.only is None else [made[network.only]]


def results_of(images: Sequence[Raster], network: Network) -> list[Array]:
    """For each step that is kept its result (N, C, H, W) or (N, L) float32, for N images of one size.

    Steps see stored values; alpha is dropped. Raises DoesNotFit, which names the step, where a step does not fit.
    """
    batch = np.stack([_stored(image, grey=network.grey) for image in images])
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


def _stored(image: Raster, *, grey: bool) -> Array:
    """(C, H, W) float32 of an image's stored values without alpha; a network that begins with grey gets the luma of whole levels."""
    colours = image.pixels[..., :-1] if image.alpha else image.pixels
    if grey and image.luma is not None:
        colours = image.luma
    elif grey and colours.shape[2] == 3:
        colours = luma(np.ascontiguousarray(colours), alpha=False)
    return np.ascontiguousarray(colours.transpose(2, 0, 1), dtype=np.float32)


def _numbers(kept: Kept, vector: Array) -> list[Map]:
    return [Map(f"{kept.name}-{n}", Raster(value.reshape(1, 1, 1)), kept.name) for n, value in enumerate(vector, 1)]


def _maps(kept: Kept, maps: Array, image: Raster, network: Network, floats: bool) -> list[Map]:
    range_ = network.range or ("raw" if floats else kept.range)
    made = []
    for name, planes in zip(kept.names, np.split(maps, kept.maps), strict=True):
        pixels = shown(planes.transpose(1, 2, 0), range_, image.pixels.dtype, rounded=not floats)
        made.append(Map(name, replace(image, pixels=np.ascontiguousarray(pixels), alpha=False, luma=None)))
    return made
