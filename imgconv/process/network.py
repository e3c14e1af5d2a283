"""One image, or a batch of them, through the steps of a network; results as finished maps or as arrays."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from imgconv.arrays import Array
from imgconv.errors import DoesNotFit
from imgconv.filters.color import luma
from imgconv.filters.output_range import map_to_pixels
from imgconv.images import Raster
from imgconv.modes import Range
from imgconv.process.alpha import straight_grey, straight_pixels
from imgconv.process.maps import Map, of_result, with_metadata
from imgconv.recipe import Network, Shape
from imgconv.recipe.network import Result
from imgconv.recipe.shape import Sheet


def run_network(image: Raster, network: Network, *, floats: bool) -> list[Map]:
    """The results of `network` on `image`; with `floats` as float32, unrounded, with range `raw` by default.

    A vector of L numbers is L maps of one float32 cell.
    """
    maps: list[Map] = []
    for result, batch in zip(network.results, results_of([image], network), strict=True):
        maps += _numbers(result, batch[0]) if result.maps == 0 else _maps(result, batch[0], image, network, floats)
    if network.sheet:
        tiles = [each.image.pixels for each in maps]
        sheet = Sheet.of([Shape(*tile.shape) for tile in tiles])
        return [Map(network.name, Raster(tiled(tiles, sheet), duration=image.duration))]
    return maps if network.only is None else [maps[network.only]]


def results_of(images: Sequence[Raster], network: Network) -> list[Array]:
    """The results of `network` on N images of one size, each (N, C, H, W) or (N, L) float32.

    Steps get stored values; alpha is dropped. Raises DoesNotFit, which names the step, where a step does not fit.
    """
    batch = np.stack([stored(image, grey=network.grey) for image in images])
    has_missing = any(image.valid is not None for image in images)
    positions = [result.position for result in network.results]
    outputs: dict[int, Array] = {}
    with np.errstate(all="ignore"):  # infinity and NaN are results, as in torch
        for position, step in enumerate(network.steps[: positions[-1] + 1]):
            try:
                batch = step.operation.apply_missing(batch, network.rule) if has_missing else step.operation.apply(batch)
            except DoesNotFit as error:
                raise DoesNotFit(f"step {position + 1} ({step.text}): {error}") from None
            if position in positions:
                outputs[position] = batch
    return [outputs[position] for position in positions]


def stored(image: Raster, *, grey: bool) -> Array:
    """(C, H, W) float32 of an image's stored values without alpha, NaN in missing cells.

    A network that begins with grey gets the luma of whole levels.
    """
    colours = image.colours
    if grey and image.luma is not None:
        colours = image.luma
    elif grey and colours.shape[2] == 3:
        colours = straight_grey(image) if image.alpha else luma(colours, alpha=False)
    elif image.premultiplied:
        colours = straight_pixels(image, np.dtype(np.float32))[..., :-1]
    values = colours.astype(np.float32)
    if image.valid is not None:
        from imgconv.filters.valid_cells import all_of  # most images have no missing cells

        valid = image.valid[..., :1] if image.alpha else image.valid  # that of a pixel with alpha is one for all channels
        np.copyto(values, np.nan, where=(valid if valid.shape[2] == values.shape[2] else all_of(valid)) == 0)
    return np.ascontiguousarray(values.transpose(2, 0, 1))


def _numbers(result: Result, vector: Array) -> list[Map]:
    """The numbers of a vector, named from 0, so that number 7 of a classifier is class 7."""
    return [Map(f"{result.name}-{n}", Raster(value.reshape(1, 1, 1)), result.name) for n, value in enumerate(vector)]


def _maps(result: Result, maps: Array, image: Raster, network: Network, floats: bool) -> list[Map]:
    range_ = Range(network.range or ("raw" if floats else result.range))
    rasters = []
    for planes in np.split(maps, result.maps):
        pixels = map_to_pixels(planes.transpose(1, 2, 0), range_, image.pixels.dtype, unrounded=floats)
        raster = replace(image, pixels=np.ascontiguousarray(pixels), alpha=False, luma=None, valid=None, premultiplied=False)
        raster = with_metadata(raster, image, of_result(network, result, image, raster.size))
        if image.valid is not None:
            from imgconv.process.missing import marked

            raster = marked(replace(raster, pixels=raster.pixels.copy()), (~np.isnan(planes.transpose(1, 2, 0))).view(np.uint8))
        rasters.append(raster)
    return [Map(name, raster) for name, raster in zip(result.names, rasters, strict=True)]


def tiled(images: Sequence[Array], sheet: Sheet) -> Array:
    """All of `images` (H, W, C), of one dtype, on one sheet (H, W, colours); gaps are black."""
    height, width = sheet.shape.height, sheet.shape.width
    out = np.zeros((height, width, sheet.colours), images[0].dtype)
    for (row, column), tile in zip(sheet.corners(), _tiles(images), strict=True):
        out[row : row + tile.shape[0], column : column + tile.shape[1]] = tile
    return out


def _tiles(images: Sequence[Array]) -> Iterator[Array]:
    for image in images:
        if image.shape[2] == 3:
            yield image
        else:
            yield from (image[..., channel : channel + 1] for channel in range(image.shape[2]))
