"""The photograph of a page: scaled down by an average pool, and embedded without loss."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil, inf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imgconv.arrays import Array
from imgconv.errors import UsageError
from imgconv.filters.color import level_scale, max_value_of
from imgconv.images import Raster, transfer_of
from imgconv.inspection.pixel import channel_names, filter_input
from imgconv.process import process
from imgconv.recipe import Pool, Recipe
from imgconv.window import sizes

LONG, SHORT = 640, 480  # pixels along the sides of a photograph on a page
MOST_SAMPLES = 4096  # of a transfer function
VARIES = (1, 3, 6, 12, 24, 48, 96)  # levels: bounds between the groups of differences


@dataclass(frozen=True, eq=False)
class PagePhoto:
    """The photograph (H, W, C) of a page: the part `crop` (x, y, width, height) of a file, `factor` times smaller.

    `data` has its levels, and after them `masks` planes of bits that are 1 in valid cells: one for each channel, one for all, or none.
    Missing cells hold 0. `is_reduced` means that it is smaller than the sides of a photograph may be, so that its page is small enough.
    """

    image: Raster
    crop: tuple[int, int, int, int] | None
    factor: int
    data: bytes
    groups: list[list[int]]
    masks: int = 0
    is_reduced: bool = False

    @property
    def is_whole(self) -> bool:
        """Whether it has all pixels of the file."""
        return self.crop is None and self.factor == 1

    def facts(self) -> dict[str, Any]:
        """What the script needs to restore the levels and to compute with them."""
        pixels = self.image.pixels
        height, width, channels = pixels.shape
        return {
            "height": height,
            "width": width,
            "names": channel_names(channels, alpha=self.image.alpha),
            "alpha": self.image.alpha,
            "premultiplied": self.image.premultiplied,
            "dtype": pixels.dtype.name,
            "varies": VARIES if self.groups else None,
            "groups": self.groups,
            "masks": self.masks,
            "largest": max_value_of(pixels.dtype),
            "level": level_scale(pixels.dtype),
        }


def transfer_facts(image: Raster) -> dict[str, Any] | None:
    """The name and the numbers of the transfer function of an image; None for sRGB.

    It has so many samples that interpolation does not change the light of a level.
    """
    transfer = transfer_of(image.metadata)
    if transfer is None:
        return None
    samples = np.asarray(transfer.samples)
    if len(samples) > MOST_SAMPLES:
        samples = np.interp(np.linspace(0, 1, MOST_SAMPLES), np.linspace(0, 1, len(samples)), samples)
    return {"name": transfer.name, "parameters": transfer.parameters, "samples": samples.tolist() or None}


def page_photo(
    image: Raster,
    *,
    grey: bool,
    crop: tuple[int, int, int, int] | None,
    alpha: bool = False,
    most_bytes: float = inf,
    most_cells: float = inf,
) -> PagePhoto:
    """The photograph of a page, with or without `alpha`, as large as `most_bytes`, deflated, and `most_cells` allow.

    Raises UsageError for a part that lies outside the image.
    """
    is_stored = image.premultiplied and alpha and not grey
    whole = _unmarked(image if is_stored else filter_input(image, grey=grey, alpha=alpha))
    part = whole if crop is None else _cropped(whole, crop)
    factor = least = _least_factor(part.size, most_cells)
    while True:
        small = _averaged(part, factor)
        data, groups = _encoded(small)
        masks = _masks(small)
        data += masks.tobytes()
        excess = len(deflated(data)) / most_bytes
        if excess <= 1 or factor >= max(part.size):
            return PagePhoto(small, crop, factor, data, groups, len(masks), is_reduced=factor > least)
        factor = max(factor + 1, int(factor * excess**0.5))


def deflated(data: bytes) -> bytes:
    """The bytes deflated with the better of two strategies: repeated bytes of drawings, or frequent ones of photographs."""
    packers = (zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS, 9, way) for way in (zlib.Z_DEFAULT_STRATEGY, zlib.Z_HUFFMAN_ONLY))
    return min((packer.compress(data) + packer.flush() for packer in packers), key=len)


def part_of(crop: Sequence[int]) -> tuple[int, int, int, int]:
    """Return the part (x, y, width, height) of an image, from four whole numbers; raise UsageError for anything else."""
    x, y, width, height = sizes(crop, "crop", 4, least=0)
    return x, y, width, height


def _cropped(image: Raster, crop: tuple[int, int, int, int]) -> Raster:
    (x, y, width, height), (rows, columns) = crop, image.size
    if not (width > 0 and height > 0 and x + width <= columns and y + height <= rows):
        raise UsageError(f"--crop {x},{y},{width},{height} lies outside the image, which is {columns} wide and {rows} high")
    part = slice(y, y + height), slice(x, x + width)
    valid = None if image.valid is None else np.ascontiguousarray(image.valid[part])
    return replace(image, pixels=np.ascontiguousarray(image.pixels[part]), luma=None, valid=valid)


def _least_factor(size: tuple[int, int], most_cells: float) -> int:
    longest, shortest = max(size), min(size)
    factor = max(ceil(longest / LONG), ceil(shortest / SHORT), 1)
    return max(factor, ceil((longest * shortest / max(most_cells, 1)) ** 0.5))


def _averaged(image: Raster, factor: int) -> Raster:
    if factor == 1:
        return image
    height, width = (min(factor, cells) for cells in image.size)
    return _unmarked(process(image, Recipe("pool", Pool((height, width), "avg")))[0].image)


def _unmarked(image: Raster) -> Raster:
    """`image` with 0 in missing cells and without the value that marks them, which an average of valid cells may have."""
    image = replace(image, metadata=image.metadata._replace(nodata=None))
    if image.valid is None or image.valid.all():
        return replace(image, valid=None)
    return replace(image, pixels=np.where(image.valid, image.pixels, image.pixels.dtype.type(0)))


def _masks(image: Raster) -> NDArray[np.uint8]:
    """The bits of the valid cells, one row for each channel or, where all channels have the same, one for all."""
    if image.valid is None:
        return np.zeros((0, 0), np.uint8)
    first = image.valid[..., :1]
    planes = first if (image.valid == first).all() else image.valid
    return np.packbits(planes.reshape(-1, planes.shape[2]).T, axis=1)


def _encoded(image: Raster) -> tuple[bytes, list[list[int]]]:
    """The bytes of all planes, and of whole levels the size of each group of differences.

    Whole levels are stored as differences from their prediction, ordered by how much the neighbours of their cell vary, since similar
    ones deflate better together; red and blue as differences from green. The bytes of a value lie a whole plane apart, the lowest first.
    """
    planes = [np.ascontiguousarray(image.pixels[..., c]) for c in range(image.channels)]
    groups = []
    if image.pixels.dtype.kind == "u":
        if image.channels - image.alpha == 3:
            planes[:3] = [planes[0] - planes[1], planes[1], planes[2] - planes[1]]
        planes, groups = map(list, zip(*map(_differences, planes), strict=True))
    little = [plane.ravel().astype(plane.dtype.newbyteorder("<")) for plane in planes]
    return b"".join(np.ascontiguousarray(each.view(np.uint8).reshape(each.size, -1).T).tobytes() for each in little), groups


def _differences(plane: Array) -> tuple[Array, list[int]]:
    """What each level exceeds the median of its left and upper neighbours and of their sum less the corner by, group after group."""
    levels = plane.astype(np.int64)
    left, above, corner = np.zeros_like(levels), np.zeros_like(levels), np.zeros_like(levels)
    left[:, 1:], above[1:], corner[1:, 1:] = levels[:, :-1], levels[:-1], levels[:-1, :-1]
    left[1:, 0] = corner[1:, 0] = above[1:, 0]
    above[0], corner[0] = left[0], left[0]
    low, high = np.minimum(left, above), np.maximum(left, above)
    predicted = np.where(corner >= high, low, np.where(corner <= low, high, left + above - corner))
    varies = np.digitize(np.abs(left - corner) + np.abs(above - corner), VARIES).ravel()
    differences = (levels - predicted).astype(plane.dtype).ravel()
    return differences[np.argsort(varies, kind="stable")], np.bincount(varies, minlength=len(VARIES) + 1).tolist()
