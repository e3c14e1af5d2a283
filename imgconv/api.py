"""What callers hand in as an image, and the way back from a map to what they gave: paths, PIL images, arrays.

Kernels by their names, as `kernels list` and `kernels show` have them.

`imgconv.run`: an image through the steps of a recipe.

`imgconv.filter`, `edge`, `pool` and `canny`: one step on one image.
"""

import os
from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, Union

import numpy as np
from numpy.typing import NDArray

from imgconv.errors import ArgumentTypeError, DoesNotFit, UsageError
from imgconv.images import Raster, from_pil, open_frames, to_pil
from imgconv.images.raster import DTYPES, is_pixel_dtype
from imgconv.process import Map, process
from imgconv.recipe import Canny, Pool, Recipe, Size, filter_recipe, network_recipe
from imgconv.registry import Bank, Kernel, kernel_from_array

if TYPE_CHECKING:
    from PIL.Image import Image


ImageLike = Union[str, "os.PathLike[str]", "Image", NDArray[Any]]


def opened(image: ImageLike, recipe: Recipe) -> tuple[Raster, Callable[[Map], Any]]:
    """The image behind `image`, and the way back from a map to what the caller gave."""
    if isinstance(image, np.ndarray):
        return _of_array(image), lambda made: _to_array(made, image)
    if isinstance(image, str | os.PathLike):
        with open_frames(Path(image), luma=recipe.luma) as opened:
            return next(iter(opened)), lambda made: to_pil(made.image)
    if hasattr(image, "getbands"):
        return from_pil(image), lambda made: to_pil(made.image)
    raise ArgumentTypeError(f"image is a {type(image).__name__}; give a path, a PIL image, or a numpy array (H, W) or (H, W, C)")


def _of_array(image: NDArray[Any]) -> Raster:
    if not is_pixel_dtype(image.dtype):
        raise ArgumentTypeError(f"image has dtype {image.dtype}; give one of {', '.join(DTYPES)}")
    if image.ndim not in (2, 3) or 0 in image.shape:
        raise DoesNotFit(f"image has the shape {image.shape}; give (H, W) or (H, W, C), none of them 0")
    pixels = np.ascontiguousarray(image[..., None] if image.ndim == 2 else image).astype(image.dtype.newbyteorder("="), copy=False)
    return Raster(pixels, alpha=pixels.shape[2] in (2, 4))


def _to_array(made: Map, given: NDArray[Any]) -> NDArray[Any]:
    pixels = made.image.pixels
    return pixels[..., 0] if pixels.shape[2] == 1 and (given.ndim == 2 or given.shape[2] != 1) else pixels


def kernels() -> list[str]:
    """Names of all kernels and banks: built-in, and those of the user's files.

    >>> import imgconv
    >>> "laplacian8" in imgconv.kernels()
    True
    """
    from imgconv.registry import Registry

    return Registry.load().names()


def kernel(reference: str) -> Kernel | Bank:
    """The kernel or bank that a reference means, as typed on the command line.

    >>> import imgconv
    >>> imgconv.kernel("laplacian4").taps.tolist()
    [[0.0, -1.0, 0.0], [-1.0, 4.0, -1.0], [0.0, -1.0, 0.0]]
    """
    from imgconv.registry import resolve

    return resolve(reference)


def run(
    image: ImageLike,
    recipe: Union[str, "os.PathLike[str]", Sequence[str]],
    *,
    keep: str | int | Sequence[str | int] = (),
    range: str | None = None,
    sheet: bool = False,
) -> Any:
    """Take an image through the steps of a recipe, as float32 from the stored values on, without rounding in between.

    Parameters
    ----------
    image : as in `filter`; alpha is dropped.
    recipe : a recipe file, FILE or FILE:NAME, or a list of steps as typed on the command line, such as `["conv sobel", "combine"]`.
    keep : the steps whose results are wanted, each a number from 1 or an op; the last one unless given.
    range : how values become pixels, as in `filter`; None is what suits the steps, "raw" gives float32.
    sheet : put all maps into one image.

    Returns
    -------
    A map as in `filter`: a PIL image, or an array of the dtype of the array given; colours stay together where no step mixes them.
    A vector is always an array (L,) float32. A list where there are several.

    Raises
    ------
    ValueError : a recipe that is wrong, or a step that does not fit, by number.
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
    kept = [str(step) for step in ([keep] if isinstance(keep, str | int) else keep)]
    asked: dict[str, Any] = {"file": os.fspath(recipe)} if isinstance(recipe, str | os.PathLike) else {"steps": recipe}
    known = network_recipe(**asked, keep=kept, range=range, sheet=sheet)
    raster, back = opened(image, known)
    results = _with_vectors(process(raster, known), back)
    return results[0] if len(results) == 1 else results


def _with_vectors(maps: Sequence[Map], back: Callable[[Map], Any]) -> list[Any]:
    """Maps as `back` makes them, and the numbers of a vector as one array."""
    results: list[Any] = []
    for vector, group in groupby(maps, key=lambda made: made.vector):
        members = list(group)
        results += [np.array([made.image.pixels.item() for made in members], np.float32)] if vector else [back(made) for made in members]
    return results


KernelLike = str | Kernel | Bank | NDArray[Any]


def filter(
    image: ImageLike,
    kernel: KernelLike,
    *,
    stride: Size = 1,
    padding: str | Size = "same",
    padding_mode: str | tuple[str, float] = "replicate",
    dilation: Size = 1,
    flip: bool = False,
    range: str | None = None,
    grey: bool = False,
    linear: bool = False,
    alpha: str = "auto",
    threads: int | None = None,
) -> Any:
    """Correlate an image with a kernel, each colour on its own.

    Parameters
    ----------
    image : a path, a PIL image, or an (H, W) or (H, W, C) array of uint8, uint16, float32 or float64; 2 or 4 channels end in alpha.
        Of a file with several frames the first; of a PIL image the frame that it shows.
    kernel : a reference as typed on the command line (`"gaussian:sigma=2"`, `"0 -1 0; -1 4 -1; 0 -1 0"`, `"@w.npy"`), a Kernel or
        Bank, or a 2-D array.
    stride, dilation : pixels, a number or (height, width).
    padding : pixels added on each side, or "same", "valid" or "full".
    padding_mode : "zeros", ("constant", value), "replicate", "reflect", "symmetric" or "circular".
    flip : turn the kernel by 180 degrees, for the mathematical convolution.
    range : how signed results become pixels: "clip", "abs", "offset", "minmax" or "raw"; None is the kernel's own.
    grey : make one map of the luma instead of one for each colour.
    linear : compute in linear light.
    alpha : "auto" (zero-sum kernels leave alpha, others filter it with the colours it weighs), "keep", "drop" or "filter".
    threads : how many threads share the rows; None is one for each core. The result does not depend on it.

    Returns
    -------
    A PIL image for a path or a PIL image; for an array an array (h_out, w_out[, C]) of its dtype, float32 for range "raw". A list of
    them for a bank whose maps are not combined. h_out = floor((H + padding - dilation*(kh-1) - 1) / stride) + 1.

    Raises
    ------
    ValueError : an argument that is never right, or that this image is too small for.
    TypeError : an array of another dtype.
    OSError : a file that cannot be read, or a result that no PIL image holds, such as floats in colour; an array holds every result.

    Examples
    --------
    >>> import imgconv, numpy as np
    >>> step = np.array([[50, 50, 200, 200]], np.uint8)
    >>> imgconv.filter(step, "-1 0 1")
    array([[  0, 150, 150,   0]], dtype=uint8)
    """
    laid: dict[str, Any] = {"stride": stride, "padding": padding, "padding_mode": padding_mode, "dilation": dilation, "flip": flip}
    shown: dict[str, Any] = {"range": range, "grey": grey, "linear": linear, "alpha": alpha}
    return _called(image, filter_recipe([_known(kernel)], **laid, **shown), threads)


def edge(image: ImageLike, kernel: KernelLike = "laplacian8", *, grey: bool = True, range: str | None = None, **options: Any) -> Any:
    """Find edges: the absolute response of a kernel to the grey of an image; the parameters are those of `filter`.

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
    threads = options.pop("threads", None)
    _refuse_unknown(options)
    recipe = filter_recipe([_known(kernel)], command="edge", grey=grey, range=range, **options)
    return _called(image, recipe, threads)


def pool(
    image: ImageLike,
    size: Size,
    mode: str = "max",
    *,
    stride: Size | None = None,
    padding: str | Size = "valid",
    dilation: Size = 1,
    ceil_mode: bool = False,
    grey: bool = False,
    alpha: str = "auto",
    threads: int | None = None,
) -> Any:
    """Reduce every window of an image to its "max", "avg", "min" or "median"; cells of the padding never take part.

    `image`, `threads` and what comes back are as in `filter`; `stride` None is the size.

    Examples
    --------
    >>> import imgconv, numpy as np
    >>> imgconv.pool(np.arange(16, dtype=np.uint8).reshape(4, 4), 2)
    array([[ 5,  7],
           [13, 15]], dtype=uint8)
    """
    return _called(image, Recipe("pool", Pool(size, mode, stride, padding, dilation, ceil_mode, grey, alpha)), threads)


def canny(
    image: ImageLike,
    *,
    sigma: float = 1.4,
    low: float | None = None,
    high: float | None = None,
    quantiles: bool = False,
    alpha: str = "auto",
    threads: int | None = None,
) -> Any:
    """Trace the edges of an image's luma, one pixel wide: white where there is one, else black.

    Parameters
    ----------
    image, alpha, threads : as in `filter`; alpha "auto" drops it.
    sigma : of the Gaussian that smooths first, in pixels; 0 for none.
    low, high : lengths of Sobel's gradient, undivided, in levels of the image: what goes on from an edge, and what begins one. By
        default 1/10 and 1/5 of white.
    quantiles : `low` and `high`, both given, are parts (0 to 1) of all pixels whose gradient is shorter.

    Returns
    -------
    As in `filter`, of the size of the image.

    Raises
    ------
    ValueError : a threshold or sigma out of range, `low` above `high`, or an image without a luma.
    TypeError, OSError : as in `filter`.

    Source: Canny, A Computational Approach to Edge Detection, 1986; agrees with `skimage.feature.canny`.

    Examples
    --------
    >>> import imgconv, numpy as np
    >>> step = np.repeat(np.array([[9, 9, 9, 200, 200, 200]], np.uint8), 4, axis=0)
    >>> imgconv.canny(step, sigma=0)[1]
    array([  0,   0, 255, 255,   0,   0], dtype=uint8)
    """
    share = 100.0 if quantiles else 1.0
    low, high = (None if bound is None else share * bound for bound in (low, high))
    return _called(image, Recipe("canny", Canny(sigma, low, high, quantiles, alpha)), threads)


def _known(kernel: KernelLike) -> str | Kernel | Bank:
    if isinstance(kernel, np.ndarray):
        return kernel_from_array(kernel)
    if isinstance(kernel, str | Kernel | Bank):
        return kernel
    raise ArgumentTypeError(f"kernel is a {type(kernel).__name__}; give a reference as typed, a Kernel, or a 2-D numpy array")


def _refuse_unknown(options: dict[str, Any]) -> None:
    """Raise the TypeError of a call for keywords that `filter` does not have."""
    import inspect

    unknown = [name for name in options if name not in inspect.signature(filter).parameters or name in ("image", "kernel")]
    if unknown:
        raise ArgumentTypeError(f"edge() got an unexpected keyword argument {unknown[0]!r}; it takes those of filter()")


def _called(image: ImageLike, recipe: Recipe, threads: int | None) -> Any:
    if threads is not None and threads < 1:
        raise UsageError(f"threads must be at least 1, not {threads}; leave it out for one on each core")
    raster, back = opened(image, recipe)
    results = [back(made) for made in process(raster, recipe, threads=threads)]
    return results[0] if len(results) == 1 else results
