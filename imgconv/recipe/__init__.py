"""Recipes: what a command does to an image, decided and traced before any pixel is decoded.

A Recipe is plain data: kernels, weights, windows and names of modes. Networks are imported on first use, since filters do not need
them; the functions that compute are imported when a step of a network runs.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from imgconv.recipe.recipe import DECLARED, Mask, MissingData, Postprocess, Recipe, filter_recipe
from imgconv.recipe.references import MapPlan, footprint_of, plan_maps, window_shape
from imgconv.recipe.shape import Shape, Size
from imgconv.recipe.steps import Canny, Filter, Pool

if TYPE_CHECKING:
    from imgconv.recipe.network import Network
    from imgconv.recipe.parsing import network_recipe

__all__ = [
    "DECLARED",
    "Canny",
    "Filter",
    "MapPlan",
    "Mask",
    "MissingData",
    "Network",
    "Pool",
    "Postprocess",
    "Recipe",
    "Shape",
    "Size",
    "filter_recipe",
    "footprint_of",
    "network_recipe",
    "plan_maps",
    "window_shape",
]
_LAZY = {"Network": "imgconv.recipe.network", "network_recipe": "imgconv.recipe.parsing"}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'imgconv.recipe' has no attribute {name!r}")
    return getattr(import_module(_LAZY[name]), name)
