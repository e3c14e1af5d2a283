"""The calls for whole images: filter, edge, pool, canny, run, and the kernels by name."""

import os
from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any, Union, overload

import numpy as np

from imgconv.api_images import ImageLike, KernelLike, Result, open_image
from imgconv.arguments import checked, named, python_remedies, shown
from imgconv.arrays import Array, ArrayLike, as_array, ignore_float_errors
from imgconv.errors import ArgumentTypeError, UsageError
from imgconv.images import Request
from imgconv.process import process
from imgconv.process.missing import mask_of
from imgconv.recipe import DECLARED, Canny, MissingData, Pool, Recipe, filter_recipe, footprint_of, network_recipe
from imgconv.registry import Bank, Kernel, kernel_from_array
from imgconv.window import Padding, Size, sizes

if TYPE_CHECKING:
    from typing import Unpack

    from PIL.Image import Image

    from imgconv.api_images import CannyOptions, FileImage, FilterOptions, Masked, PoolOptions, RunOptions

NO_ALPHA = "none"  # as `alpha`: the last of 2 or 4 channels is a band like the others


@overload
def filter(image: "Masked", kernel: KernelLike, **options: "Unpack[FilterOptions]") -> "Masked | Any": ...
@overload
def filter(image: ArrayLike, kernel: KernelLike, **options: "Unpack[FilterOptions]") -> Array | Any: ...
@overload
def filter(image: "FileImage", kernel: KernelLike, **options: "Unpack[FilterOptions]") -> "Image | Any": ...
@checked
def filter(
    image: ImageLike,
    kernel: KernelLike,
    *,
    stride: Size = 1,
    padding: Padding = "same",
    padding_mode: str | tuple[str, float] = "replicate",
    dilation: Size = 1,
    flip: bool = False,
    range: str | None = None,
    grey: bool = False,
    linear: bool = False,
    alpha: str = "auto",
    nodata: float | str | None = "auto",
    mask: "ImageLike | None" = None,
    missing: str = "keep",
    min_valid: float = 0.0,
    threads: int | None = None,
) -> Result | list[Result]:
    """Correlate an image with a kernel, each colour on its own.

    Parameters
    ----------
    image : a path, a PIL image, or an (H, W) or (H, W, C) array of uint8, uint16, float32 or float64; 2 or 4 channels end in alpha,
        except with `alpha="none"`. Arrays of bools, other integers and float16 are converted to float32, or to float64 if float32
        cannot hold a value. Objects with `__array__` or `__dlpack__`, such as torch tensors on the CPU, are arrays. A file with several
        frames gives the first one, a PIL image its current frame.
    kernel : a reference as on the command line (`"gaussian:sigma=2"`, `"0 -1 0; -1 4 -1; 0 -1 0"`, `"@w.npy"`), a Kernel or Bank, or a
        2-D array.
    stride, dilation : pixels, a number or (height, width).
    padding : pixels added on each side, or "same", "valid" or "full".
    padding_mode : "zeros", ("constant", value), "replicate", "reflect", "symmetric" or "circular".
    flip : rotate the kernel by 180 degrees, for the mathematical convolution.
    range : how signed results become pixels: "clip", "abs", "offset", "minmax" or "raw"; None is the kernel's own range.
    grey : return one map of the luma instead of one per colour.
    linear : compute in linear light.
    alpha : "auto" (zero-sum kernels leave alpha unchanged, others filter it together with premultiplied colours), "keep", "drop" or
        "filter"; "none" if the last of 2 or 4 channels is a band like the others.
    nodata : which cells are missing: "auto" (those of the value that the file declares), a value, "nan", or "none". Missing cells are
        not used: a kernel whose sum is not zero averages the valid cells, and one whose sum is zero gives a missing cell.
    mask : an image or array (H, W) in which 0 means missing.
    missing : "keep" (missing cells stay missing), "fill" (they get an estimate) or "propagate" (a window with a missing cell is missing).
    min_valid : the share of a kernel's absolute taps, 0 to 1, that must be over valid cells; else the result is missing.
    threads : number of threads; None is one per core. The result does not depend on it.

    Returns
    -------
    A PIL image for a path or a PIL image; for an array an array (h_out, w_out[, C]) of its dtype, float32 for range "raw". A list of
    them for a bank whose maps are not combined. A masked array for a masked array, and for an array with a mask. Missing cells hold
    `nodata`, else NaN in floats. h_out = floor((H + padding - dilation*(kh-1) - 1) / stride) + 1.

    Raises
    ------
    ValueError : an argument that is invalid, or that does not fit this image.
    TypeError : an array of another dtype.
    OSError : a file that cannot be read, or a result that no PIL image holds, such as floats in colour; an array holds every result.

    Examples
    --------
    >>> import imgconv, numpy as np
    >>> step = np.array([[50, 50, 200, 200]], np.uint8)
    >>> imgconv.filter(step, "-1 0 1")
    array([[  0, 150, 150,   0]], dtype=uint8)
    """
    window: dict[str, Any] = {"stride": stride, "padding": padding, "padding_mode": padding_mode, "dilation": dilation, "flip": flip}
    output: dict[str, Any] = {"range": range, "grey": grey, "linear": linear, "alpha": alpha_rule(alpha)}
    cells: dict[str, Any] = {"missing": missing, "min_valid": min_valid}
    with python_remedies():
        recipe = filter_recipe([as_kernel(kernel)], **window, **output, **cells, missing_data=missing_data_of(nodata, mask))
        return _apply(recipe, image, threads, bands=alpha == NO_ALPHA)


@overload
def edge(image: "Masked", kernel: KernelLike = ..., **options: "Unpack[FilterOptions]") -> "Masked | Any": ...
@overload
def edge(image: ArrayLike, kernel: KernelLike = ..., **options: "Unpack[FilterOptions]") -> Array | Any: ...
@overload
def edge(image: "FileImage", kernel: KernelLike = ..., **options: "Unpack[FilterOptions]") -> "Image | Any": ...
@checked
def edge(
    image: ImageLike,
    kernel: KernelLike = "laplacian8",
    *,
    stride: Size = 1,
    padding: Padding = "same",
    padding_mode: str | tuple[str, float] = "replicate",
    dilation: Size = 1,
    flip: bool = False,
    range: str | None = None,
    grey: bool = True,
    linear: bool = False,
    alpha: str = "auto",
    nodata: float | str | None = "auto",
    mask: "ImageLike | None" = None,
    missing: str = "keep",
    min_valid: float = 0.0,
    threads: int | None = None,
) -> Result | list[Result]:
    """Find edges: the absolute response of a kernel to the luma of an image. The parameters are those of `filter`.

    Examples
    --------
    >>> import imgconv, numpy as np
    >>> spot = np.zeros((3, 3), np.uint8)
    >>> spot[1, 1] = 10
    >>> imgconv.edge(spot)
    array([[10, 10, 10],
           [10, 80, 10],
           [10, 10, 10]], dtype=uint8)
    """
    window: dict[str, Any] = {"stride": stride, "padding": padding, "padding_mode": padding_mode, "dilation": dilation, "flip": flip}
    output: dict[str, Any] = {"range": range, "grey": grey, "linear": linear, "alpha": alpha_rule(alpha)}
    cells: dict[str, Any] = {"missing": missing, "min_valid": min_valid}
    with python_remedies():
        data = missing_data_of(nodata, mask)
        recipe = filter_recipe([as_kernel(kernel)], command="edge", **window, **output, **cells, missing_data=data)
        return _apply(recipe, image, threads, bands=alpha == NO_ALPHA)


@overload
def pool(image: "Masked", size: Size | None = ..., mode: str = ..., **options: "Unpack[PoolOptions]") -> "Masked": ...
@overload
def pool(image: ArrayLike, size: Size | None = ..., mode: str = ..., **options: "Unpack[PoolOptions]") -> Array: ...
@overload
def pool(image: "FileImage", size: Size | None = ..., mode: str = ..., **options: "Unpack[PoolOptions]") -> "Image": ...
@checked
def pool(
    image: ImageLike,
    size: Size | None = None,
    mode: str = "max",
    *,
    window: KernelLike | None = None,
    stride: Size | None = None,
    padding: Padding | None = None,
    padding_mode: str | tuple[str, float] | None = None,
    dilation: Size = 1,
    ceil_mode: bool = False,
    grey: bool = False,
    alpha: str = "auto",
    nodata: float | str | None = "auto",
    mask: "ImageLike | None" = None,
    missing: str = "keep",
    min_valid: float = 0.0,
    threads: int | None = None,
) -> Result:
    """Reduce every window of an image to one value.

    Parameters
    ----------
    image, threads : as in `filter`.
    size : of rectangular windows; by default they do not overlap (stride None is the size) and lie inside of the image (padding "valid").
    mode : "max", "avg", "min", "median" (the lower one), "rank:P" (above P percent of the window, as `scipy.ndimage.percentile_filter`),
        "range" (largest minus smallest) or "std", see `imgconv.modes.PoolMode`.
    window : instead of a size, windows of any shape: the cells where a kernel, as `filter` takes it, is not zero. The stride is then 1 and
        the padding "same" by default.
    padding_mode : the values of padded cells, as in `filter`; by default padded cells are ignored.
    nodata, mask, missing, min_valid : about missing cells, as in `filter`; `min_valid` is a share of the cells of the window in the image.

    Returns
    -------
    As in `filter`.

    Raises
    ------
    ValueError : both or neither of `size` and `window`, an unknown mode, or a window that does not fit or covers only padding.

    Examples
    --------
    >>> import imgconv, numpy as np
    >>> imgconv.pool(np.arange(16, dtype=np.uint8).reshape(4, 4), 2)
    array([[ 5,  7],
           [13, 15]], dtype=uint8)
    >>> imgconv.pool(np.eye(3, dtype=np.uint8), window="cross", mode="max")
    array([[1, 1, 0],
           [1, 1, 1],
           [0, 1, 1]], dtype=uint8)
    """
    with python_remedies():
        if (size is None) == (window is None):
            raise UsageError("give either a size or a window")
        footprint = None if window is None else footprint_of(as_kernel(window, "window"))
        cells: dict[str, Any] = {"stride": stride, "padding": padding, "padding_mode": padding_mode, "dilation": dilation}
        cells |= {"ceil_mode": ceil_mode, "footprint": footprint, "missing": missing, "min_valid": min_valid}
        step = Pool(2 if size is None else size, mode, grey=grey, alpha=alpha_rule(alpha), **cells)
        return _apply(Recipe("pool", step, missing_data=missing_data_of(nodata, mask)), image, threads, bands=alpha == NO_ALPHA)


@overload
def canny(image: ArrayLike, **options: "Unpack[CannyOptions]") -> Array: ...
@overload
def canny(image: "FileImage", **options: "Unpack[CannyOptions]") -> "Image": ...
@checked
def canny(
    image: ImageLike,
    *,
    sigma: float = 1.4,
    low: float | None = None,
    high: float | None = None,
    quantiles: bool = False,
    alpha: str = "auto",
    nodata: float | str | None = "auto",
    mask: "ImageLike | None" = None,
    threads: int | None = None,
) -> Result:
    """Trace the edges of an image's luma, one pixel wide: white on an edge, black elsewhere.

    Parameters
    ----------
    image, alpha, threads : as in `filter`; alpha "auto" drops it.
    sigma : of the Gaussian that smooths the image first, in pixels; 0 for none.
    low, high : thresholds of the length of the Sobel gradient, undivided, in levels of the image: an edge begins at `high` and continues
        down to `low`. By default 1/10 and 1/5 of the maximum value.
    quantiles : `low` and `high`, both required, are fractions (0 to 1) of the pixels with a shorter gradient.
    nodata, mask : as in `filter`. Missing cells have no weight and stay missing; there is no edge next to one.

    Returns
    -------
    As in `filter`, of the size of the image.

    Raises
    ------
    ValueError : a threshold or sigma out of range, `low` above `high`, or an image without a luma.
    TypeError, OSError : as in `filter`.

    Notes
    -----
    Source: Canny, A Computational Approach to Edge Detection, 1986; agrees with `skimage.feature.canny`.

    Examples
    --------
    >>> import imgconv, numpy as np
    >>> step = np.repeat(np.array([[9, 9, 9, 200, 200, 200]], np.uint8), 4, axis=0)
    >>> imgconv.canny(step, sigma=0)[1]
    array([  0,   0, 255, 255,   0,   0], dtype=uint8)
    """
    scale = 100.0 if quantiles else 1.0
    with python_remedies():
        low, high = (None if value is None else scale * value for value in (low, high))
        return _apply(
            Recipe("canny", Canny(sigma, low, high, quantiles, alpha_rule(alpha)), missing_data=missing_data_of(nodata, mask)),
            image,
            threads,
            bands=alpha == NO_ALPHA,
        )


@overload
def run(image: "Masked", recipe: Union[str, "os.PathLike[str]", Sequence[str]], **options: "Unpack[RunOptions]") -> "Masked | Any": ...
@overload
def run(image: ArrayLike, recipe: Union[str, "os.PathLike[str]", Sequence[str]], **options: "Unpack[RunOptions]") -> Array | Any: ...
@overload
def run(image: "FileImage", recipe: Union[str, "os.PathLike[str]", Sequence[str]], **options: "Unpack[RunOptions]") -> "Image | Any": ...
@checked
def run(
    image: ImageLike,
    recipe: Union[str, "os.PathLike[str]", Sequence[str]],
    *,
    keep: str | int | Sequence[str | int] = (),
    range: str | None = None,
    sheet: bool = False,
    alpha: str = "drop",
    nodata: float | str | None = "auto",
    mask: "ImageLike | None" = None,
    missing: str = "keep",
    min_valid: float = 0.0,
) -> Result | list[Result]:
    """Apply the steps of a recipe to an image, as float32 from the stored values on, without rounding between steps.

    Parameters
    ----------
    image : as in `filter`.
    recipe : a recipe file, FILE or FILE:NAME, or a list of steps as on the command line, such as `["conv sobel", "combine"]`.
    keep : the steps whose results are returned, each a number from 1 or an op; by default the last step.
    range : how values become pixels, as in `filter`; None is the default of the steps, "raw" gives float32.
    sheet : put all maps into one image.
    alpha : "drop", or "none" if the last of 2 or 4 channels is a band like the others.
    nodata, mask, missing, min_valid : as in `filter`; steps pass the missing cells on.

    Returns
    -------
    A map as in `filter`: a PIL image, or an array of the input array's dtype; colours stay together where no step mixes them.
    A vector is always an array (L,) float32. Several results are a list.

    Raises
    ------
    ValueError : an invalid recipe, or a step that does not fit, by number.
    TypeError, OSError : as in `filter`.
    ImportError : weights in a .safetensors file without the safetensors library.

    Examples
    --------
    >>> import imgconv, numpy as np
    >>> imgconv.run(np.arange(16, dtype=np.uint8).reshape(4, 4), ["conv '-1 1'", "max_pool 2 stride=1"], range="raw")
    array([[1., 1.],
           [1., 1.],
           [1., 1.]], dtype=float32)
    """
    with python_remedies():
        if alpha not in ("drop", NO_ALPHA):
            raise UsageError(f"alpha must be 'drop' or 'none', not {alpha!r}; steps have no transparency")
        options: dict[str, Any] = {"keep": as_keep(keep), "range": range, "sheet": sheet, "missing": missing, "min_valid": min_valid}
        options["missing_data"] = missing_data_of(nodata, mask)
        if isinstance(recipe, str | os.PathLike):
            network = network_recipe(file=os.fspath(recipe), **options)
        else:
            network = network_recipe(as_steps(recipe), **options)
        return _apply(network, image, bands=alpha == NO_ALPHA)


def kernel(reference: str) -> Kernel | Bank:
    """Return the kernel or bank of a reference, as on the command line.

    >>> import imgconv
    >>> imgconv.kernel("laplacian4").taps.tolist()
    [[0.0, -1.0, 0.0], [-1.0, 4.0, -1.0], [0.0, -1.0, 0.0]]
    """
    from imgconv.registry import resolve

    if not isinstance(reference, str):
        raise ArgumentTypeError(f"reference is of type {type(reference).__name__}; use text such as 'sobel_x' or '0 1 0; 1 -4 1; 0 1 0'")
    with python_remedies():
        return resolve(reference)


def kernels() -> list[str]:
    """Return the names of all kernels and banks, built-in and from the user's files.

    >>> import imgconv
    >>> "laplacian8" in imgconv.kernels()
    True
    """
    from imgconv.registry import Registry

    return Registry.load().names()


def alpha_rule(alpha: str) -> str:
    """Return the alpha rule of an argument: images without alpha have the default one."""
    return "auto" if alpha == NO_ALPHA else alpha


def missing_data_of(nodata: float | str | None, mask: "ImageLike | None") -> MissingData:
    """Return the missing cells of the arguments; a mask is 0 where a cell is missing."""
    if mask is None:
        return DECLARED if isinstance(nodata, str) and nodata == "auto" else MissingData.of(nodata)
    if type(mask) is np.ndarray and mask.dtype == np.bool_ and mask.ndim == 2:
        return MissingData.of(nodata, mask)
    with named(mask):
        return MissingData.of(nodata, mask_of(open_image(mask, name="mask").raster))


@ignore_float_errors
def _apply(recipe: Recipe, image: ImageLike, threads: int | None = None, *, bands: bool = False) -> Any:
    """Return the result of a recipe in the form of `image`, or a list of several results. With `bands` no channel is alpha."""
    if threads is not None:
        sizes(threads, "threads", 1, least=1)
    results: list[Any] = []
    with named(image):
        request = Request(recipe.luma, premultiplied=not bands)
        opened = open_image(image, request, bands=bands, masked=True)
        masked = recipe.missing_data.mask is not None  # a masked array shows which cells of an array are missing
        for vector, maps in groupby(process(opened.raster, recipe, threads=threads), key=lambda result: result.vector):
            if vector:
                results.append(np.array([number.image.pixels.item() for number in maps], np.float32))
            else:
                results += [opened.convert(result.image, masked=masked) for result in maps]
    return results[0] if len(results) == 1 else results


def as_kernel(kernel: KernelLike, name: str = "kernel") -> str | Kernel | Bank:
    """Return a reference, kernel or bank as it is, and a 2-D array as a kernel. Raises ArgumentTypeError for anything else.

    `name` is that of the argument, "kernel" or "window".
    """
    if isinstance(kernel, str | Kernel | Bank):
        return kernel
    array = as_array(kernel, name)
    if array is not None:
        return kernel_from_array(array)
    example, rectangle = ("disk:radius=3", "; a rectangle is a size") if name == "window" else ("sobel_x", "")
    forms = f"use a reference such as {example!r}, a Kernel or a 2-D array{rectangle}"
    raise ArgumentTypeError(f"{name} is of type {type(kernel).__name__}; {forms}")


def as_steps(steps: str | Sequence[str]) -> tuple[str, ...]:
    """Return one step, or a sequence of them, as a tuple. Raises ArgumentTypeError for what is not text."""
    several = (steps,) if isinstance(steps, str) or not isinstance(steps, Sequence) else tuple(steps)
    for step in several:
        if not isinstance(step, str):
            raise ArgumentTypeError(f"a step is text such as 'conv laplacian8 padding=1', not {shown(step)}")
    return several


def as_keep(keep: str | int | Sequence[str | int]) -> list[str]:
    """Return the steps to keep as they are typed. Raises ArgumentTypeError for what is neither numbers nor text."""
    steps = [keep] if isinstance(keep, str) or not isinstance(keep, Sequence) else keep
    for step in steps:
        if not isinstance(step, str | int) or isinstance(step, bool):
            raise ArgumentTypeError(f"keep takes a step's number or op, or a list of them, not {shown(step)}")
    return [str(step) for step in steps]
