"""The arithmetic of one output pixel, step by step in float64, together with the value that the filter writes."""

from dataclasses import replace

import numpy as np

from imgconv.errors import DoesNotFit, UsageError
from imgconv.images import Raster
from imgconv.inspection.canny_arithmetic import explain_canny
from imgconv.inspection.cells import filter_input
from imgconv.inspection.explanation import Explanation
from imgconv.inspection.filter_arithmetic import FilterArithmetic
from imgconv.inspection.matrices import Matrices, filter_matrices
from imgconv.inspection.network_arithmetic import explain_network
from imgconv.inspection.pixel import MapValue
from imgconv.inspection.pool_arithmetic import explain_pool
from imgconv.process import process, shape_of
from imgconv.process.missing import located
from imgconv.recipe import Canny, Filter, Network, Pool, Recipe


@np.errstate(all="ignore")  # infinity and NaN are valid results
def explain(
    image: Raster, recipe: Recipe, at: tuple[int, int] | None = None, *, source: str = "", frames: int = 1, matrix: bool = False
) -> Explanation:
    """Explain the output pixel `at` (column, row from zero); the default is the middle one.

    `source` is the name of the image, which is the first of `frames`. `matrix` adds the kernels of a filter as matrices. Of a network the
    last step is explained; its values are those before any range, and a vector is a map of one row. Raises DoesNotFit for a pixel outside
    of the output and for an image that is too small, UsageError for a network that ends in a step without arithmetic.

    >>> import numpy as np
    >>> from imgconv.recipe import filter_recipe
    >>> step = Raster(np.array([[[50], [50], [200]]], np.uint8))
    >>> [(stage.text, stage.value) for stage in explain(step, filter_recipe(["-1 0 1"]), (1, 0)).maps[0].channels[0].members[0].stages]
    [('-1*50 + 1*200', 150.0)]
    """
    image = located(image, recipe.missing_data)
    pixel, maps = _explained(image, recipe, at)
    matrices = tuple(_matrices(image, recipe, pixel)) if matrix else ()
    return Explanation(source, frames, image, recipe, pixel, tuple(maps), matrices, is_middle=at is None)


def _explained(image: Raster, recipe: Recipe, at: tuple[int, int] | None) -> tuple[tuple[int, int], list[MapValue]]:
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
    return (column, row), maps


def _explain_network(image: Raster, network: Network, at: tuple[int, int] | None) -> tuple[tuple[int, int], list[MapValue]]:
    height, width = (size or 1 for size in (1, *network.shapes(shape_of(image))[-1])[-2:])
    column, row = at or (width // 2, height // 2)
    _check_inside((column, row), network.name, height, width)
    return (column, row), explain_network(image, network, (row, column))


def _matrices(image: Raster, recipe: Recipe, at: tuple[int, int]) -> list[Matrices]:
    step, (column, row) = recipe.step, at
    if not isinstance(step, Filter):
        raise UsageError("--matrix shows one filter; give -k, without --size or -s")
    return filter_matrices(filter_input(image, grey=step.grey, alpha=False), step, (row, column))


def _check_inside(at: tuple[int, int], name: str, height: int, width: int) -> None:
    column, row = at
    if not (0 <= column < width and 0 <= row < height):
        raise DoesNotFit(
            f"pixel {column},{row} lies outside the output {name}, which is {width} wide and {height} high; choose another --at"
        )
