"""Process decoded images by recipes, without file access."""

from imgconv.process.image import Map, process, shape_of, single_maps

__all__ = ["Map", "process", "shape_of", "single_maps"]
