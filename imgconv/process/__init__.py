"""Process decoded images by recipes, without file access."""

from imgconv.process.alpha import straight_pixels
from imgconv.process.image import process, shape_of, single_maps
from imgconv.process.maps import Map

__all__ = ["Map", "process", "shape_of", "single_maps", "straight_pixels"]
