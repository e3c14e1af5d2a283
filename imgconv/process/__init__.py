"""Images through recipes: from decoded pixels to finished maps. Knows nothing of files."""

from imgconv.process.image import Map, process, shape_of, single_maps
from imgconv.recipe import Recipe, Shape

__all__ = ["Map", "Recipe", "Shape", "process", "shape_of", "single_maps"]  # a run needs nothing of recipes but these
