"""What the torch-like calls take and give back: real arrays, batches of planes, and the dtype of a sum.

Every call reads its arrays through here, so that dtypes, ranks and error texts are the same everywhere. This module knows nothing of
windows or operators.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imgconv.errors import ArgumentTypeError, DoesNotFit, UsageError
from imgconv.window import Window

AnyArray = NDArray[np.generic]
FloatArray = NDArray[np.floating[Any]]
Size = int | Sequence[int]
_AXES = {1: "C,L", 2: "C,H,W"}


def real_array(value: object, name: str, dims: int | None = None) -> AnyArray:
    """`value` itself, checked: a numpy array of bools, integers or floats, in the machine's byte order, of `dims` axes if given.

    Raises ArgumentTypeError for anything but such an array (lists and complex numbers too, as torch refuses both), DoesNotFit for
    another number of axes.

    >>> real_array(np.zeros(3), "bias", dims=1)
    array([0., 0., 0.])
    """
    if not isinstance(value, np.ndarray):
        raise ArgumentTypeError(f"{name} must be a numpy array, not {type(value).__name__}; convert it with numpy.asarray")
    if value.dtype.kind not in "buif" or value.dtype.itemsize > 8:
        raise ArgumentTypeError(f"{name} has dtype {value.dtype}; use bool, an integer type, float16, float32 or float64")
    if dims is not None and value.ndim != dims:
        raise DoesNotFit(f"{name} must have {dims} dimensions, not the shape {value.shape}")
    return np.asarray(value, value.dtype.newbyteorder("="))


def sum_dtype(*arrays: AnyArray | None) -> np.dtype[np.float32] | np.dtype[np.float64]:
    """The dtype in which sums over `arrays` are taken and returned: float64 if any of them is float64, else float32.

    >>> sum_dtype(np.zeros(3, np.uint8), None, np.zeros(3, np.float32))
    dtype('float32')
    """
    double = any(a is not None and a.dtype == np.float64 for a in arrays)
    return np.dtype(np.float64) if double else np.dtype(np.float32)


def as_batch(value: object, name: str = "input", dims: int = 2) -> tuple[AnyArray, bool]:
    """`value` as a batch (N, C, H, W), without a copy, and whether it came with a batch axis.

    `dims` is the number of spatial axes: 2 for (N, C, H, W) or (C, H, W), 1 for (N, C, L) or (C, L), which get a height of 1.
    `as_given` takes a result back to the form of the input. Raises ArgumentTypeError and DoesNotFit as `real_array`.

    >>> batch, batched = as_batch(np.zeros((3, 5)), dims=1)
    >>> batch.shape, batched
    ((1, 3, 1, 5), False)
    """
    array = real_array(value, name)
    batched = array.ndim == dims + 2
    if not batched and array.ndim != dims + 1:
        axes = _AXES[dims]
        raise DoesNotFit(f"{name} must have the shape (N,{axes}) or ({axes}), not {array.shape}")
    if dims == 1:
        array = array[..., None, :]
    return (array if batched else array[None]), batched


def as_given(result: AnyArray, batched: bool, dims: int = 2) -> AnyArray:
    """A result (N, C, H, W) in the form of an input that `as_batch` took: without the axes that were added.

    >>> as_given(np.zeros((1, 3, 1, 5)), False, dims=1).shape
    (3, 5)
    """
    if dims == 1:
        result = result[:, :, 0]
    return result if batched else result[0]


def as_bias(value: object, channels: int) -> AnyArray | None:
    """`value` checked to be None or one number for each of `channels` output channels."""
    if value is None:
        return None
    bias = real_array(value, "bias")
    if bias.shape != (channels,):
        raise DoesNotFit(f"bias must have the shape ({channels},), one number per output channel, not {bias.shape}")
    return bias


def as_weight(value: object, dims: int = 2) -> AnyArray:
    """`value` checked to be a weight (O, C, kh, kw), or (O, C, k) for `dims` = 1, and returned with both kernel axes."""
    weight = real_array(value, "weight")
    if weight.ndim != dims + 2:
        form = "(out_channels, in_channels/groups, kh, kw)" if dims == 2 else "(out_channels, in_channels/groups, k)"
        raise DoesNotFit(f"weight must have {dims + 2} dimensions {form}, not the shape {weight.shape}")
    if 0 in weight.shape[2:]:
        raise UsageError(f"weight {weight.shape} has a kernel without cells; every kernel size must be at least 1")
    return weight[:, :, None] if dims == 1 else weight


def as_groups(value: object, weight: AnyArray) -> int:
    """`value` checked to be a whole number of groups that divides the first axis of `weight`."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise ArgumentTypeError(f"groups must be a whole number, not {value!r}")
    if value < 1:
        raise UsageError(f"groups must be at least 1, not {value}")
    if weight.shape[0] < value or weight.shape[0] % value:
        raise UsageError(f"groups {value} does not divide the {weight.shape[0]} channels that weight {weight.shape} has first")
    return int(value)


def check_channels(batch: AnyArray, channels: int, weight: AnyArray, name: str = "input") -> None:
    """Check that a batch (N, C, H, W) has the `channels` that `weight` takes, and cells to work on unless N or C is 0."""
    if batch.shape[1] != channels:
        raise DoesNotFit(f"{name} has {batch.shape[1]} channels where weight {weight.shape} takes {channels}; their channels must agree")
    if 0 in batch.shape[2:] and 0 not in batch.shape[:2]:
        raise DoesNotFit(f"{name} has the shape {batch.shape}; only the batch and the channels may be empty")


def as_window(kernel_size: Sequence[int], stride: Size, padding: Size | str, dilation: Size, dims: int = 2) -> Window:
    """A checked window over `dims` axes, as one over two: a single axis becomes the second, under a height of 1.

    >>> as_window((3,), 2, 1, 1, dims=1)
    Window(kernel_size=(1, 3), stride=(1, 2), padding=(0, 1), dilation=(1, 1), ceil_mode=False)
    """
    window = Window.of(kernel_size, stride, padding, dilation, dims=dims)
    if dims == 2:
        return window
    padded = window.padding if isinstance(window.padding, str) else (0, *window.padding)
    return Window((1, *window.kernel_size), (1, *window.stride), padded, (1, *window.dilation))
