"""The arithmetic behind one output pixel, reckoned step by step in float64 beside what the filters themselves write there."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from imgconv.errors import DoesNotFit
from imgconv.images import Raster
from imgconv.inspection.canny_arithmetic import explain_canny
from imgconv.inspection.explanation import MapValue
from imgconv.inspection.filter_arithmetic import FilterArithmetic
from imgconv.inspection.network_arithmetic import explain_network
from imgconv.inspection.pool_arithmetic import explain_pool
from imgconv.process import process, shape_of
from imgconv.recipe import Canny, Network, Pool, Recipe


@dataclass(frozen=True, eq=False)
class Explanation:
    """One output pixel, `at` (x, y), of every map of a recipe."""

    at: tuple[int, int]
    maps: tuple[MapValue, ...]

    def as_json(self) -> dict[str, Any]:
        """Everything, as JSON has it."""
        return {"at": self.at, "maps": [each.as_json() for each in self.maps]}


@np.errstate(all="ignore")  # infinity and NaN are results
def explain(image: Raster, recipe: Recipe, at: tuple[int, int] | None = None) -> Explanation:
    """The arithmetic behind the output pixel `at` (column, row from zero; the middle one unless given).

    Of a network it is that of the last step, a convolution or a pool, and its values before any range. Raises DoesNotFit for a pixel
    outside the output and an image that is too small, UsageError for a network that ends in another step.

    >>> import numpy as np
    >>> from imgconv.recipe import filter_recipe
    >>> step = Raster(np.array([[[50], [50], [200]]], np.uint8))
    >>> [(stage.told, stage.value) for stage in explain(step, filter_recipe(["-1 0 1"]), (1, 0)).maps[0].channels[0].members[0].stages]
    [('-1*50 + 1*200', 150.0)]
    """
    if isinstance(recipe.step, Network):
        return _of_network(image, recipe.step, at)
    traced = recipe.trace(shape_of(image))
    _, first = traced[0]
    column, row = at or (first.width // 2, first.height // 2)
    for name, shape in traced:
        _check_inside((column, row), name, shape.height, shape.width)
    made = process(image, replace(recipe, postprocess=replace(recipe.postprocess, overlay=False)))
    if isinstance(recipe.step, Pool):
        maps = [explain_pool(image, recipe.step, made[0], (row, column))]
    elif isinstance(recipe.step, Canny):
        maps = [explain_canny(image, recipe.step, recipe.postprocess, made[0], (row, column))]
    else:
        maps = [
            FilterArithmetic(image, recipe.step, plan, recipe.postprocess, (row, column)).explained(each)
            for plan, each in zip(recipe.step.maps, made, strict=True)
        ]
    if recipe.postprocess.overlay:
        over = process(image, recipe)
        maps = [replace(each, drawn=drawn.image.pixels[row, column].tolist()) for each, drawn in zip(maps, over, strict=True)]
    return Explanation((column, row), tuple(maps))


def _of_network(image: Raster, network: Network, at: tuple[int, int] | None) -> Explanation:
    height, width = (size or 1 for size in (*network.shapes(shape_of(image))[-1], 1, 1)[1:3])
    column, row = at or (width // 2, height // 2)
    _check_inside((column, row), network.name, height, width)
    return Explanation((column, row), tuple(explain_network(image, network, (row, column))))


def _check_inside(at: tuple[int, int], name: str, height: int, width: int) -> None:
    column, row = at
    if not (0 <= column < width and 0 <= row < height):
        raise DoesNotFit(f"--at {column},{row} lies outside the output {name}, which is {width} wide and {height} high")
