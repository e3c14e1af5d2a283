"""`imgconv.filter`, `edge`, `pool` and `canny`: one step on one picture."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from imgconv.calls.images import Picturelike, opened
from imgconv.errors import ArgumentTypeError, UsageError
from imgconv.process import process
from imgconv.recipe import Canny, Pool, Recipe, Size, filter_recipe
from imgconv.registry import Bank, Kernel, kernel_from_array

KernelLike = str | Kernel | Bank | NDArray[Any]


def filter(
    image: Picturelike,
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
    """Correlate a picture with a kernel, each colour on its own.

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
    ValueError : an argument that is never right, or that this picture is too small for.
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


def edge(image: Picturelike, kernel: KernelLike = "laplacian8", *, grey: bool = True, range: str | None = None, **options: Any) -> Any:
    """Find edges: the absolute response of a kernel to the grey of a picture; the parameters are those of `filter`.

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
    image: Picturelike,
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
    """Reduce every window of a picture to its "max", "avg", "min" or "median"; cells of the padding never take part.

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
    image: Picturelike,
    *,
    sigma: float = 1.4,
    low: float | None = None,
    high: float | None = None,
    quantiles: bool = False,
    alpha: str = "auto",
    threads: int | None = None,
) -> Any:
    """Trace the edges of a picture's luma, one pixel wide: white where there is one, else black.

    Parameters
    ----------
    image, alpha, threads : as in `filter`; alpha "auto" drops it.
    sigma : of the Gaussian that smooths first, in pixels; 0 for none.
    low, high : lengths of Sobel's gradient, undivided, in levels of the picture: what goes on from an edge, and what begins one. By
        default 1/10 and 1/5 of white.
    quantiles : `low` and `high`, both given, are parts (0 to 1) of all pixels whose gradient is shorter.

    Returns
    -------
    As in `filter`, of the size of the picture.

    Raises
    ------
    ValueError : a threshold or sigma out of range, `low` above `high`, or a picture without a luma.
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


def _called(image: Picturelike, recipe: Recipe, threads: int | None) -> Any:
    if threads is not None and threads < 1:
        raise UsageError(f"threads must be at least 1, not {threads}; leave it out for one on each core")
    picture, back = opened(image, recipe)
    results = [back(made) for made in process(picture, recipe, threads=threads)]
    return results[0] if len(results) == 1 else results
