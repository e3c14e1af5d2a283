"""The arithmetic of one output pixel, step by step in float64, together with the value that the filter writes."""

from dataclasses import replace

import numpy as np

from imgconv.errors import DoesNotFit
from imgconv.images import Raster
from imgconv.inspection.canny_arithmetic import explain_canny
from imgconv.inspection.explanation import Explanation
from imgconv.inspection.filter_arithmetic import FilterArithmetic
from imgconv.inspection.network_arithmetic import explain_network
from imgconv.inspection.pool_arithmetic import explain_pool
from imgconv.process import process, shape_of
from imgconv.recipe import Canny, Network, Pool, Recipe


@np.errstate(all="ignore")  # infinity and NaN are valid results
def explain(image: Raster, recipe: Recipe, at: tuple[int, int] | None = None) -> Explanation:
    """Explain the output pixel `at` (column, row from zero); the default is the middle one.

    For a network, the last step is explained, which must be a convolution or a pool; its values are those before any range. Raises
    DoesNotFit for a pixel outside of the output and for an image that is too small, UsageError for a network that ends in another step.

    >>> import numpy as np
    >>> from imgconv.recipe import filter_recipe
    >>> step = Raster(np.array([[[50], [50], [200]]], np.uint8))
    >>> [(stage.text, stage.value) for stage in explain(step, filter_recipe(["-1 0 1"]), (1, 0)).maps[0].channels[0].members[0].stages]
    [('-1*50 + 1*200', 150.0)]
    """
    if isinstance(recipe.step, Network):
        return _explain_network(image, recipe.step, at)
    traced = recipe.trace(shape_of(image))
    _, first = traced[0]
    column, row = at or (first.width // 2, first.height // 2)
    for name, shape in traced:
        _check_inside((column, row), name, shape.height, shape.width)
    outputs = process(image, replace(recipe, postprocess=replace(recipe.postprocess, overlay=False)))
    if isinstance(recipe.step, Pool):
        maps = [explain_pool(image, recipe.step, outputs[0], (row, column))]
    elif isinstance(recipe.step, Canny):
        maps = [explain_canny(image, recipe.step, recipe.postprocess, outputs[0], (row, column))]
    else:
        maps = [
            FilterArithmetic(image, recipe.step, plan, recipe.postprocess, (row, column)).explained(output)
            for plan, output in zip(recipe.step.maps, outputs, strict=True)
        ]
    if recipe.postprocess.overlay:
        overlays = process(image, recipe)
        maps = [replace(each, overlaid=over.image.pixels[row, column].tolist()) for each, over in zip(maps, overlays, strict=True)]
    return Explanation((column, row), tuple(maps))


def _explain_network(image: Raster, network: Network, at: tuple[int, int] | None) -> Explanation:
    height, width = (size or 1 for size in (*network.shapes(shape_of(image))[-1], 1, 1)[1:3])
    column, row = at or (width // 2, height // 2)
    _check_inside((column, row), network.name, height, width)
    return Explanation((column, row), tuple(explain_network(image, network, (row, column))))


def _check_inside(at: tuple[int, int], name: str, height: int, width: int) -> None:
    column, row = at
    if not (0 <= column < width and 0 <= row < height):
        raise DoesNotFit(f"--at {column},{row} lies outside the output {name}, which is {width} wide and {height} high")
