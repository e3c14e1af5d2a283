"""Process decoded images by recipes, without file access."""

from imgconv.process.image import Map, process, shape_of, single_maps
from imgconv.recipe import Recipe, Shape

__all__ = ["Map", "Recipe", "Shape", "process", "shape_of", "single_maps"]  # a run needs nothing of recipes but these
