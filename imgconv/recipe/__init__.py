"""What is to be done with an image, decided and traced before any pixel is decoded.

A Recipe is plain data: kernels that are already looked up, weights, windows, names of modes. It knows shapes, and how recipes are
written; it knows nothing of pixels and of the files that hold them. Networks are imported on first use: filters do without them.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from imgconv.recipe.maps import MapPlan, plan_maps
from imgconv.recipe.recipe import Postprocess, Recipe, filter_recipe
from imgconv.recipe.shape import Shape, Size
from imgconv.recipe.steps import Canny, Filter, Pool

if TYPE_CHECKING:
    from imgconv.recipe.network import Network, network_recipe

__all__ = [
    "Canny",
    "Filter",
    "MapPlan",
    "Network",
    "Pool",
    "Postprocess",
    "Recipe",
    "Shape",
    "Size",
    "filter_recipe",
    "network_recipe",
    "plan_maps",
]
_LATER = {"Network": "imgconv.recipe.network", "network_recipe": "imgconv.recipe.network"}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module 'imgconv.recipe' has no attribute {name!r}")
    return getattr(import_module(_LATER[name]), name)
