"""Process decoded images by recipes, without file access."""

from imgconv.process.bands import BandedMaps, banded_maps
from imgconv.process.image import Map, process, shape_of, single_maps

__all__ = ["BandedMaps", "Map", "banded_maps", "process", "shape_of", "single_maps"]
