"""Pictures in Python: `imgconv.filter`, `edge`, `canny`, `pool` and `run` on paths, PIL images and arrays; kernels by their names."""

from imgconv.calls.lookup import kernel, kernels
from imgconv.calls.networks import run
from imgconv.calls.pixels import canny, edge, filter, pool

__all__ = ["canny", "edge", "filter", "kernel", "kernels", "pool", "run"]
