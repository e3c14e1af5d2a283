"""Unpooling: pooled values put back where they were found."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imgconv.errors import ArgumentTypeError, DoesNotFit, UsageError
from imgconv.functional.arrays import AnyArray, as_batch, as_given
from imgconv.functional.pooling_windows import Sizes, pool_window
from imgconv.window import sizes


def max_unpool2d(
    input: AnyArray,
    indices: AnyArray,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    output_size: Sequence[int] | None = None,
) -> AnyArray:
    """The partial inverse of `max_pool2d`: its values at their `indices`, zeros elsewhere.

    Parameters
    ----------
    input : (N, C, h, w) or (C, h, w), bool, integers or floats
        Values that `max_pool2d` returned.
    indices : the same shape, int64
        Where they go: y*W + x in their plane. Of values for one place the last stays.
    kernel_size, stride, padding : int or pair, no 1-tuple
        As they were given to `max_pool2d`.
    output_size : 2 or 4 numbers, optional
        The output's (H, W), or its (N, C, H, W), of which the last two count; less than a stride away from the default.

    Returns
    -------
    (N, C, H, W) or (C, H, W) of the input's dtype
        By default H = (h - 1)*stride - 2*padding + kernel_size, and W alike.

    Raises
    ------
    ImgconvError
        As ValueError or TypeError: indices of another shape or dtype or outside the output, an output size out of reach.

    Notes
    -----
    Source: torch.nn.functional.max_unpool2d.

    Examples
    --------
    >>> import imgconv
    >>> import numpy as np
    >>> values, indices = imgconv.max_pool2d(np.arange(8.0).reshape(1, 2, 4), 2, return_indices=True)
    >>> imgconv.max_unpool2d(values, indices, 2)
    array([[[0., 0., 0., 0.],
            [0., 5., 0., 7.]]])
    """
    batch, batched = as_batch(input)
    places, _ = as_batch(indices, "indices")
    if places.dtype != np.int64:
        raise ArgumentTypeError(f"indices must be int64, not {places.dtype}")
    if np.shape(indices) != np.shape(input):
        raise DoesNotFit(f"indices of shape {np.shape(indices)} must have the input's shape {np.shape(input)}")
    height, width = _size(batch.shape[2:], kernel_size, stride, padding, output_size)
    check_indices(places, height * width)
    planes, cells = batch.shape[0] * batch.shape[1], batch.shape[2] * batch.shape[3]
    out = np.zeros((planes, height * width), batch.dtype)
    np.put_along_axis(out, places.reshape(planes, cells).astype(np.intp), batch.reshape(planes, cells), axis=1)
    return as_given(out.reshape(*batch.shape[:2], height, width), batched)


def check_indices(indices: NDArray[Any], cells: int) -> None:
    """Refuse indices that lie outside a plane of `cells` cells."""
    outside = indices[(indices < 0) | (indices >= cells)]
    if outside.size:
        raise UsageError(f"indices must be from 0 to {cells - 1}, the cells of a plane, not {outside.flat[0]}")


def _size(
    pooled: Sequence[int], kernel_size: Sizes, stride: Sizes | None, padding: Sizes, output_size: Sequence[int] | None
) -> tuple[int, ...]:
    """Height and width of the output."""
    for name, value in ("kernel_size", kernel_size), ("stride", stride), ("padding", padding):
        if isinstance(value, Sequence) and len(value) == 1:
            raise UsageError(f"{name} {value!r} has 1 number; give an int or two numbers")
    window = pool_window(kernel_size, stride, padding)
    pads = (before for before, _ in window.pads(pooled))
    default = [(n - 1) * s - 2 * p + k for n, s, p, k in zip(pooled, window.stride, pads, window.kernel_size, strict=True)]
    if output_size is None:
        return tuple(default)
    if not isinstance(output_size, Sequence) or len(output_size) not in (2, 4):
        raise UsageError(f"output_size must be 2 numbers, or 4 with the batch and channels, not {output_size!r}")
    wanted = sizes(output_size[-2:], "output_size", 2, least=0)
    for size, usual, step in zip(wanted, default, window.stride, strict=True):
        if not usual - step < size < usual + step:
            raise DoesNotFit(f"output_size {wanted} must be less than a stride {window.stride} from {tuple(default)}")
    return wanted
