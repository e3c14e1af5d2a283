"""What is to be done with a picture, decided and traced before any pixel is decoded.

A Recipe is plain data: kernels that are already looked up, weights, windows, names of modes. It knows shapes, and how recipes are
written; it knows nothing of pixels and of the files that hold them.
"""

from imgconv.recipe.filtering import Filter
from imgconv.recipe.maps import MapPlan, plan_maps
from imgconv.recipe.network import Network
from imgconv.recipe.pooling import Pool
from imgconv.recipe.recipe import Look, Recipe, filter_recipe, network_recipe
from imgconv.recipe.shape import Shape, Size

__all__ = ["Filter", "Look", "MapPlan", "Network", "Pool", "Recipe", "Shape", "Size", "filter_recipe", "network_recipe", "plan_maps"]
