"""Small real images through every kind of filter and pool, so that every loop they need is compiled and kept."""

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from imgconv.images import Raster
from imgconv.process import Recipe, process

SIZE = 64  # pixels a side: enough for every kernel and window in use


def warming_jobs(recipes: list[Recipe]) -> Iterator[Callable[[], object]]:
    """A call for each of `recipes` on each kind of image: grey of an even and an odd width, colour, with alpha; 8 bits, 16, floats."""
    for dtype in (np.uint8, np.uint16, np.float32):
        for channels, width in ((1, SIZE), (1, SIZE + 1), (3, SIZE), (4, SIZE)):
            image = _card(np.dtype(dtype), channels, width)
            for recipe in recipes:
                yield partial(process, image, recipe, threads=1)


def _card(dtype: np.dtype[np.generic], channels: int, width: int) -> Raster:
    top = np.iinfo(dtype).max if dtype.kind == "u" else 1  # type: ignore[type-var]
    ramp = np.linspace(0, top, SIZE * width * channels).astype(dtype)
    return Raster(ramp.reshape(SIZE, width, channels), alpha=channels == 4)
