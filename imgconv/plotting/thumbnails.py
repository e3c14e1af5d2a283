"""Small versions of images: 8-bit pixels for a terminal, WebP files for a page."""

import os
from base64 import b64encode
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imgconv.errors import ImageError
from imgconv.filters.color import max_value_of
from imgconv.filters.output_range import finite_extremes
from imgconv.functional import adaptive_avg_pool2d
from imgconv.images import ANY_SIZE, Encoding, Raster, Request, encode, open_frames
from imgconv.images.zarr.store import Readable, is_zarr
from imgconv.inspection.pixel import filter_input
from imgconv.process import process
from imgconv.recipe import Pool, Recipe

QUALITY = 65  # of 100: artifacts are invisible at this size, and a page is half as large as with 85 (2026-11)
TINY = 64  # pixels; the pixels of an image with no longer side are shown as squares


@dataclass(frozen=True)
class Thumbnail:
    """A small image as a WebP file: its `size` (height, width), the `original` size, and whether it has alpha."""

    webp: bytes
    size: tuple[int, int]
    original: tuple[int, int]
    alpha: bool

    @property
    def data_url(self) -> str:
        """The file as the address of an image on a page."""
        return f"data:image/webp;base64,{b64encode(self.webp).decode()}"

    @property
    def tiny(self) -> bool:
        """Whether the original is so small that a page enlarges it."""
        return max(self.original) <= TINY


def thumbnail(source: Readable, longest: int, request: Request = ANY_SIZE) -> Thumbnail:
    """Return the first frame of a file, or of its bytes, averaged to at most `longest` pixels along a side.

    Floats outside of 0 to 1 are scaled from their smallest to their largest value; transparency is preserved.
    Raises ImageError, without the name of the file, for anything that is not a regular file or not an image.
    """
    if isinstance(source, Path) and not os.path.isfile(source) and not is_zarr(source):  # opening a pipe could wait forever
        raise ImageError("no such file")
    with open_frames(source, request) as frames:
        image = next(iter(frames))
    small = _shrunk_image(image, longest)
    file = BytesIO()
    encode([small], "webp", file, Encoding(QUALITY))
    return Thumbnail(file.getvalue(), small.size, image.size, small.alpha)


def _shrunk_image(image: Raster, longest: int) -> Raster:
    """8 bits, grey or colour, with alpha if the image has it; an array with other channels is reduced to the first."""
    if image.channels - image.alpha not in (1, 3):
        image = Raster(np.ascontiguousarray(image.pixels[..., :1]))
    step = max(image.size) // longest
    if step > 1:  # an average pool by an integer factor first takes a tenth of the time
        size = min(step, image.size[0]), min(step, image.size[1])
        pool = Pool(size, "avg", ceil_mode=True, alpha="keep")
        image = process(image, Recipe("pool", pool), threads=1)[0].image
    return Raster(levels(shrunk(image.pixels, longest), image), image.alpha)


def preview(image: Raster, columns: int) -> NDArray[np.uint8]:
    """Return an image as pixels (h, w, 3) of at most `columns` columns, averaged, in its proportions; h is even.

    Transparency is shown over black; floats outside of 0 to 1 are scaled from their smallest to their largest value.

    >>> preview(Raster(np.full((40, 60, 1), 7, np.uint8)), 20).shape
    (14, 20, 3)
    """
    colours = (filter_input(image, grey=False, alpha=False) if image.alpha else image).pixels
    colours = colours if colours.shape[2] == 3 else colours[..., :1]
    height, width = colours.shape[:2]
    w = min(columns, width)
    h = max(2, 2 * round(height * w / width / 2))
    small = _averaged(colours, (min(h, height), w))
    padded = np.zeros((h, w, 3), np.uint8)
    padded[: len(small)] = levels(small, image)
    return padded


def shrunk(pixels: NDArray[Any], longest: int) -> NDArray[np.float32]:
    """Return pixels (H, W, C) as float32, averaged if a side has more than `longest` cells."""
    height, width = pixels.shape[:2]
    if max(height, width) <= longest:
        return pixels.astype(np.float32)
    factor = longest / max(height, width)
    return _averaged(pixels.astype(np.float32), (max(1, round(height * factor)), max(1, round(width * factor))))


def _averaged(pixels: NDArray[Any], size: tuple[int, int]) -> NDArray[np.float32]:
    averages = adaptive_avg_pool2d(np.ascontiguousarray(pixels.transpose(2, 0, 1)), size)
    return np.asarray(averages, np.float32).transpose(1, 2, 0)


def levels(small: NDArray[np.floating], image: Raster) -> NDArray[np.uint8]:
    """Return values of an image that was shrunk as 8-bit levels; floats outside of 0 to 1 are scaled to their extremes.

    >>> levels(np.array([0.0, 65535.0]), Raster(np.zeros((1, 2, 1), np.uint16)))
    array([  0, 255], dtype=uint8)
    """
    if image.pixels.dtype.kind == "u":
        low, span = 0.0, max_value_of(image.pixels.dtype)
    else:
        low, high = finite_extremes(small) or (0.0, 1.0)
        low, span = (0.0, 1.0) if low >= 0 and high <= 1 else (low, (high - low) or 1.0)
    return np.rint(np.clip(np.nan_to_num((small - low) / span), 0, 1) * 255).astype(np.uint8)
