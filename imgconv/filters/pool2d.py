"""Pooling of images: interleaved pixels in, pixels of the same dtype out, exact for whole numbers."""

from typing import assert_never

import numpy as np

from imgconv.arrays import AnyArray, as_real_array
from imgconv.errors import DoesNotFit, UsageError
from imgconv.modes import PoolMode
from imgconv.window import Window
from imgconv.windows.median import median_algorithm, medians
from imgconv.windows.reduce import Planes, Spans, average_algorithm, averages, extremes


def pool_image(pixels: AnyArray, window: Window, mode: str, *, threads: int | None = None) -> AnyArray:
    """Reduce every window of an image to one value.

    Parameters
    ----------
    pixels : (H, W, C) uint8, uint16, float32 or float64
        Interleaved channels, each pooled on its own.
    window : Window
        Two axes, with any stride, dilation and padding; padded cells take no part.
    mode : a name of `imgconv.modes.PoolMode`
        The average of whole numbers is exact and rounded once, half to even. The median is the lower one.
    threads : int, optional
        Number of threads; by default that of the cores this process may use. The result does not depend on it.

    Returns
    -------
    (h_out, w_out, C) of the same dtype
        With (h_out, w_out) = `window.output_size((H, W))`. NaN under a window makes its value NaN.

    Raises
    ------
    UsageError
        An unknown mode or dtype.
    DoesNotFit
        No window fits, or one would hold nothing but padding.

    Notes
    -----
    A window of k x k pixels costs k + log2(k) operations for each output pixel; a median costs about k*k*log2(k)**2 in small windows
    and 2*k in large ones.

    Examples
    --------
    >>> photo = np.arange(16, dtype=np.uint8).reshape(4, 4, 1)
    >>> pool_image(photo, Window.of(2, stride=2), "avg")[..., 0]
    array([[ 2,  4],
           [10, 12]], dtype=uint8)
    """
    pool_mode = PoolMode(mode)
    planes, (rows, columns) = _checked(pixels, window)
    match pool_mode:
        case PoolMode.max | PoolMode.min:
            pooled = extremes(planes, window, largest=pool_mode is PoolMode.max, threads=threads)
        case PoolMode.avg:
            pooled = averages(planes, window, None, pixels.dtype, threads)
        case PoolMode.median:
            pooled = medians(planes, window, threads)
        case _:
            assert_never(pool_mode)
    return pooled.reshape(len(rows.count), len(columns.count), pixels.shape[2])


def pool_algorithm(mode: str, window: Window, size: tuple[int, int], dtype: np.dtype[np.generic]) -> str:
    """The algorithm with which `pool_image` pools images of `size` and `dtype`.

    >>> pool_algorithm("avg", Window.of(2, stride=2), (480, 640), np.dtype(np.uint8))
    '2x2 blocks'
    """
    pool_mode = PoolMode(mode)
    match pool_mode:
        case PoolMode.max | PoolMode.min:
            return "separable"
        case PoolMode.avg:
            return average_algorithm(window, size)
        case PoolMode.median:
            return median_algorithm(window, dtype)
        case _:
            assert_never(pool_mode)


def _checked(pixels: AnyArray, window: Window) -> tuple[Planes, tuple[Spans, Spans]]:
    """`pixels` as planes, and the cells of every window along both axes."""
    as_real_array(pixels, "pixels", dims=3)
    if pixels.dtype not in (np.uint8, np.uint16, np.float32, np.float64):
        raise UsageError(f"pixels of dtype {pixels.dtype} cannot be pooled; use uint8, uint16, float32 or float64")
    if 0 in pixels.shape:
        raise DoesNotFit(f"an image of shape {pixels.shape} has nothing to pool")
    size = pixels.shape[:2]
    spans = (Spans.of_window(window, size, 0), Spans.of_window(window, size, 1))
    if not all(s.fewest for s in spans):
        raise DoesNotFit(f"a window of {window.kernel_size} holds only padding of the image {size}; use less padding or dilation")
    return Planes.of_image(pixels), spans
