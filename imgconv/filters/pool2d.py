"""Pooling of images: interleaved pixels in, pixels of the same dtype out, exact for whole numbers.

Padded cells do not exist here: they never win and do not count. This module knows nothing of files, colour or alpha.
"""

from typing import Literal, get_args

import numpy as np

from imgconv.arrays import AnyArray, as_real_array
from imgconv.errors import DoesNotFit, UsageError
from imgconv.window import Window
from imgconv.windows.median import medians
from imgconv.windows.reduce import Planes, Spans, averages, extremes

Mode = Literal["max", "avg", "min", "median"]
MODES: tuple[Mode, ...] = get_args(Mode)


def pool_image(pixels: AnyArray, window: Window, mode: str, *, threads: int | None = None) -> AnyArray:
    """One value for each place of `window` on an image: the largest, average, smallest or median of the pixels under it.

    Parameters
    ----------
    pixels : (H, W, C) uint8, uint16, float32 or float64
        Interleaved channels, each pooled on its own.
    window : Window
        Two axes, with any stride, dilation and padding; padded cells never win and do not count in an average.
    mode : "max", "avg", "min" or "median"
        The average of whole numbers is exact and rounded once, half to even. The median is the lower one.
    threads : int, optional
        Threads to work on; the cores this process may use by default. The result does not depend on it.

    Returns
    -------
    (h_out, w_out, C) of the same dtype
        With (h_out, w_out) = `window.output_size((H, W))`. NaN under a window makes its value NaN.

    Raises
    ------
    UsageError
        An unknown mode or dtype.
    DoesNotFit
        No window fits, or one would see nothing but padding.

    Notes
    -----
    A window of k x k pixels costs k + log2(k) steps a pixel, a median about k*k*log2(k)**2 when small and 2*k when large.

    Examples
    --------
    >>> photo = np.arange(16, dtype=np.uint8).reshape(4, 4, 1)
    >>> pool_image(photo, Window.of(2, stride=2), "avg")[..., 0]
    array([[ 2,  4],
           [10, 12]], dtype=uint8)
    """
    planes, spans = _checked(pixels, window, mode)
    if mode == "avg":
        pooled = averages(planes, window, None, pixels.dtype, threads)
    elif mode == "median":
        pooled = medians(planes, window, threads)
    else:
        pooled = extremes(planes, window, largest=mode == "max", threads=threads)
    return pooled.reshape(len(spans[0].count), len(spans[1].count), pixels.shape[2])


def _checked(pixels: AnyArray, window: Window, mode: str) -> tuple[Planes, tuple[Spans, Spans]]:
    if mode not in MODES:
        raise UsageError(f"pool mode {mode!r} is unknown; use one of {', '.join(MODES)}")
    as_real_array(pixels, "pixels", dims=3)
    if pixels.dtype not in (np.uint8, np.uint16, np.float32, np.float64):
        raise UsageError(f"pixels of dtype {pixels.dtype} cannot be pooled; use uint8, uint16, float32 or float64")
    if 0 in pixels.shape:
        raise DoesNotFit(f"an image of shape {pixels.shape} has nothing to pool")
    size = pixels.shape[:2]
    spans = (Spans.of_window(window, size, 0), Spans.of_window(window, size, 1))
    if not all(s.fewest for s in spans):
        raise DoesNotFit(f"a window of {window.kernel_size} would see only padding of the image {size}; use less padding or dilation")
    return Planes.of_image(pixels), spans
