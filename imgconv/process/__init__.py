"""Process decoded images by recipes, without file access."""

from imgconv.process.image import process, shape_of, single_maps, with_straight_colours
from imgconv.process.maps import Map

__all__ = ["Map", "process", "shape_of", "single_maps", "with_straight_colours"]
