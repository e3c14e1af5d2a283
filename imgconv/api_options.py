"""The keyword arguments of the calls for whole images, for the types of their results.

What a call returns depends on the form of its image, so the overloads of `imgconv.api` take every other argument from here. A call that may
also return a list of several results has the type `X | Any`: a union with the list would need a check wherever there is one result.
"""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypedDict, Union

import numpy as np

from imgconv.api_images import ImageLike, KernelLike
from imgconv.window import Padding, Size

if TYPE_CHECKING:
    from PIL.Image import Image

FileImage = Union[str, "os.PathLike[str]", "Image"]  # what gives PIL images
Masked = np.ma.MaskedArray[Any, Any]


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
