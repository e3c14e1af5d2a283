"""The forms in which Python callers give images, kernels and options, and results in the same forms.

What a call returns depends on the form of its image, so the overloads of `imgconv.api` take every other argument from here. A call that may
also return a list of several results has the type `X | Any`: a union with the list would need a check wherever there is one result.
"""

import os
import sys
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypedDict, TypeGuard, Union

import numpy as np

from imgconv.arrays import Array, ArrayLike, as_array
from imgconv.errors import ArgumentTypeError, DoesNotFit
from imgconv.images import DEFAULT_REQUEST, Raster, Request, from_pil, open_frames, to_pil
from imgconv.images.raster import is_pixel_dtype
from imgconv.process.missing import located, missing_cells, transparent
from imgconv.recipe import MissingData
from imgconv.registry import Bank, Kernel
from imgconv.window import Padding, Size

if TYPE_CHECKING:
    from PIL.Image import Image

ImageLike = Union[str, "os.PathLike[str]", "Image", ArrayLike]
KernelLike = str | Kernel | Bank | ArrayLike
Result = Union[Array, "Image"]
OWN = ("imgconv", "contextlib", "numpy")  # the packages of functions between a call and its warning
_EXACT = ((np.float32, 2**24), (np.float64, 2**53))  # floating dtypes, and up to where they hold every whole number
FileImage = Union[str, "os.PathLike[str]", "Image"]  # what gives PIL images
Masked = np.ma.MaskedArray[Any, Any]


class Opened(NamedTuple):
    """An opened image: its first frame, the number of frames, and the original array if the caller gave one."""

    raster: Raster
    frames: int
    array: Array | None = None

    def convert(self, result: Raster, *, masked: bool = False) -> Result:
        """Return a result in the form of the image. For an array it is a masked array if `masked` is set or the image was one."""
        if self.array is None:
            return _to_pil(result)
        return _to_masked(self.array, result) if masked or _is_masked(self.array) else _to_array(self.array, result.pixels)


def open_image(
    image: ImageLike,
    request: Request = DEFAULT_REQUEST,
    *,
    name: str = "image",
    bands: bool = False,
    masked: bool = False,
) -> Opened:
    """Open an image. With `bands` no channel is alpha; with `masked` it can be a masked array.

    `name` is that of the argument. Raises ArgumentTypeError for what is not an image, and ImageError, which does not name the file.
    """
    frames = 1
    array: Array | None = None
    if isinstance(image, str | os.PathLike):
        with open_frames(Path(image), request) as opened:
            if opened.header.warning:
                warn_caller(f"{os.fsdecode(image)}: {opened.header.warning}")
            raster, frames = next(iter(opened)), opened.header.frames
    elif is_pil(image):
        raster = from_pil(image)
    elif masked and _is_masked(image):
        raster, array = _of_masked(image, bands=bands), image
    else:
        array = as_array(image, name)
        if array is None:
            raise ArgumentTypeError(f"{name} is of type {type(image).__name__}; use a path, a PIL image, or an array (H, W) or (H, W, C)")
        raster = _from_array(array, name)
    return Opened(replace(raster, alpha=False) if bands else raster, frames, array)


def warn_caller(message: str) -> None:
    """Warn at the line that calls this package, however many functions of the package lie in between."""
    frame, level = sys._getframe(), 1
    while frame.f_back is not None and str(frame.f_globals.get("__name__")).partition(".")[0] in OWN:
        frame, level = frame.f_back, level + 1
    warnings.warn(message, stacklevel=level)


def is_pil(image: ImageLike) -> TypeGuard["Image"]:
    """Whether an image is one of Pillow, which need not be imported for this."""
    return hasattr(image, "getbands") and not isinstance(image, np.ndarray)


def _is_masked(image: ImageLike) -> TypeGuard["np.ma.MaskedArray[Any, Any]"]:
    return "numpy.ma" in sys.modules and isinstance(image, np.ma.MaskedArray)


def _of_masked(image: "np.ma.MaskedArray[Any, Any]", *, bands: bool) -> Raster:
    raster = _from_array(np.ma.getdata(image))
    return located(replace(raster, alpha=raster.alpha and not bands), MissingData(mask=~np.ma.getmaskarray(image)))


def _from_array(image: Array, name: str = "image") -> Raster:
    if image.dtype.kind not in "buif" or image.dtype.itemsize > 8:
        raise ArgumentTypeError(f"{name} has dtype {image.dtype}; use bool, an integer type, float16, float32 or float64")
    if image.ndim not in (2, 3) or 0 in image.shape:
        raise DoesNotFit(f"{name} has the shape {image.shape}; give (H, W) or (H, W, C), none of them 0")
    pixels = _as_pixels(np.require(image[..., None] if image.ndim == 2 else image, None, ["C", "A"]))
    return Raster(pixels, alpha=pixels.shape[2] in (2, 4))


def _to_pil(result: Raster) -> "Image":
    """Return a result as a PIL image; of two or four channels the last one is alpha."""
    result = replace(result, alpha=result.pixels.shape[2] in (2, 4))
    return to_pil(transparent(result) if result.pixels.dtype == np.uint8 else result)


def _as_pixels(array: Array) -> Array:
    """Return an array with a dtype of rasters, in native byte order; other dtypes become a float that holds every value."""
    if is_pixel_dtype(array.dtype):
        return array.astype(array.dtype.newbyteorder("="), copy=False)
    largest = max(-int(array.min()), int(array.max())) if array.dtype.kind in "iu" else 0
    for dtype, exact in _EXACT:
        if largest <= exact:
            return array.astype(dtype)
    raise DoesNotFit(f"image has values up to {largest}, more than float64 holds exactly; scale it to 2**53 or less")


def _to_array(image: Array, pixels: Array) -> Array:
    """Return the pixels of a result, without a channel axis if `image` has none or had its channels merged into one."""
    return pixels[..., 0] if pixels.shape[2] == 1 and (image.ndim == 2 or image.shape[2] != 1) else pixels


def _to_masked(image: Array, result: Raster) -> "np.ma.MaskedArray[Any, Any]":
    """Return the pixels of a result as a masked array."""
    missing = missing_cells(result)
    mask = np.ma.nomask if missing is None else _to_array(image, missing)
    masked = np.ma.MaskedArray(_to_array(image, result.pixels), mask)
    if isinstance(image, np.ma.MaskedArray) and masked.dtype == image.dtype:
        masked.fill_value = image.fill_value
    return masked


class CellOptions(TypedDict, total=False):
    """Options about missing cells."""

    nodata: float | str | None
    mask: ImageLike | None
    missing: str
    min_valid: float


class FilterOptions(CellOptions, total=False):
    """Options of `filter` and `edge`."""

    stride: Size
    padding: Padding
    padding_mode: str | tuple[str, float]
    dilation: Size
    flip: bool
    range: str | None
    grey: bool
    linear: bool
    alpha: str
    threads: int | None


class PoolOptions(CellOptions, total=False):
    """Options of `pool`."""

    window: KernelLike | None
    stride: Size | None
    padding: Padding | None
    padding_mode: str | tuple[str, float] | None
    dilation: Size
    ceil_mode: bool
    grey: bool
    alpha: str
    threads: int | None


class CannyOptions(TypedDict, total=False):
    """Options of `canny`."""

    sigma: float
    low: float | None
    high: float | None
    quantiles: bool
    alpha: str
    nodata: float | str | None
    mask: "ImageLike | None"
    threads: int | None


class RunOptions(CellOptions, total=False):
    """Options of `run`."""

    keep: str | int | Sequence[str | int]
    range: str | None
    sheet: bool
    alpha: str
