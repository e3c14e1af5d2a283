"""What callers hand in as a picture, and the way back from a map to what they gave: paths, PIL images, arrays."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Union

import numpy as np
from numpy.typing import NDArray

from imgconv.errors import ArgumentTypeError, DoesNotFit
from imgconv.pictures import Picture, from_pil, open_pictures, to_pil
from imgconv.pictures.picture import DTYPES, is_of_pixels
from imgconv.process import Map
from imgconv.recipe import Recipe

if TYPE_CHECKING:
    from PIL.Image import Image

Picturelike = Union[str, "os.PathLike[str]", "Image", NDArray[Any]]


def opened(image: Picturelike, recipe: Recipe) -> tuple[Picture, Callable[[Map], Any]]:
    """The picture behind `image`, and the way back from a map to what the caller gave."""
    if isinstance(image, np.ndarray):
        return _of_array(image), lambda made: _to_array(made, image)
    if isinstance(image, str | os.PathLike):
        with open_pictures(Path(image), luma=recipe.luma) as opened:
            return next(iter(opened)), lambda made: to_pil(made.picture)
    if hasattr(image, "getbands"):
        return from_pil(image), lambda made: to_pil(made.picture)
    raise ArgumentTypeError(f"image is a {type(image).__name__}; give a path, a PIL image, or a numpy array (H, W) or (H, W, C)")


def _of_array(image: NDArray[Any]) -> Picture:
    if not is_of_pixels(image.dtype):
        raise ArgumentTypeError(f"image has dtype {image.dtype}; give one of {', '.join(DTYPES)}")
    if image.ndim not in (2, 3) or 0 in image.shape:
        raise DoesNotFit(f"image has the shape {image.shape}; give (H, W) or (H, W, C), none of them 0")
    pixels = np.ascontiguousarray(image[..., None] if image.ndim == 2 else image).astype(image.dtype.newbyteorder("="), copy=False)
    return Picture(pixels, alpha=pixels.shape[2] in (2, 4))


def _to_array(made: Map, given: NDArray[Any]) -> NDArray[Any]:
    pixels = made.picture.pixels
    return pixels[..., 0] if pixels.shape[2] == 1 and (given.ndim == 2 or given.shape[2] != 1) else pixels
