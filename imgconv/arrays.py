"""What the torch-like calls take and give back: real arrays, batches of planes, and the dtype of a sum.

Every call reads its arrays through here, so that dtypes, ranks and error texts are the same everywhere. This module knows nothing of
windows or operators.
"""

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from imgconv.errors import ArgumentTypeError, DoesNotFit, UsageError
from imgconv.window import Window, sizes

Scalar = TypeVar("Scalar", bound=np.generic)
AnyArray = NDArray[np.generic]
FloatArray = NDArray[np.floating[Any]]
Size = int | Sequence[int]
silent = np.errstate(over="ignore", invalid="ignore", under="ignore")  # infinities and NaN pass through, as in torch, without a word
_AXES = {1: "C,L", 2: "C,H,W"}


def real_array(value: object, name: str, dims: int | None = None) -> AnyArray:
    """`value` itself, checked: a numpy array of bools, integers or floats, in the machine's byte order, of `dims` axes if given.

    One that is not aligned is copied, since no compiled loop reads it. Raises ArgumentTypeError for anything but such an array (lists
    and complex numbers too, as torch refuses both), DoesNotFit for another number of axes.

    >>> real_array(np.zeros(3), "bias", dims=1)
    array([0., 0., 0.])
    """
    if not isinstance(value, np.ndarray):
        raise ArgumentTypeError(f"{name} must be a numpy array, not {type(value).__name__}; convert it with numpy.asarray")
    if value.dtype.kind not in "buif" or value.dtype.itemsize > 8:
        raise ArgumentTypeError(f"{name} has dtype {value.dtype}; use bool, an integer type, float16, float32 or float64")
    if dims is not None and value.ndim != dims:
        raise DoesNotFit(f"{name} must have {dims} dimensions, not the shape {value.shape}")
    array = np.asarray(value, value.dtype.newbyteorder("="))
    return array if array.flags.aligned else array.copy()


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


def as_given(result: NDArray[Scalar], batched: bool, dims: int = 2) -> NDArray[Scalar]:
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


def as_full_batch(value: object, name: str, dims: int = 2) -> AnyArray:
    """`value` checked to have a batch axis, (N, C, H, W) or (N, C, L) for `dims` = 1, and returned with both spatial axes."""
    return as_batch(real_array(value, name, dims + 2), name, dims)[0]


def as_shape(value: Sequence[int], name: str, dims: int = 2) -> tuple[int, ...]:
    """`value` checked to be a whole shape, of an input or of a weight, and returned with both spatial axes."""
    if isinstance(value, str) or not isinstance(value, Sequence) or len(value) != dims + 2:
        raise ArgumentTypeError(f"{name} must be a shape of {dims + 2} whole numbers, not {value!r}")
    shape = sizes(value, name, dims + 2, least=0)
    return (*shape[:2], 1, *shape[2:]) if dims == 1 else shape


def as_groups(value: object, weight_size: Sequence[int]) -> int:
    """`value` checked to be a whole number of groups that divides the first axis of a weight."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise ArgumentTypeError(f"groups must be a whole number, not {value!r}")
    if value < 1:
        raise UsageError(f"groups must be at least 1, not {value}")
    if weight_size[0] < value or weight_size[0] % value:
        raise UsageError(f"groups {value} does not divide the {weight_size[0]} channels that weight {tuple(weight_size)} has first")
    return int(value)


def check_channels(shape: Sequence[int], channels: int, weight_size: Sequence[int], name: str = "input") -> None:
    """Check that a batch (N, C, H, W) has the `channels` that a weight takes, and cells to work on unless N or C is 0."""
    if shape[1] != channels:
        text = f"{name} has {shape[1]} channels where weight {tuple(weight_size)} takes {channels}"
        raise DoesNotFit(f"{text}; the channels of the weight times groups must be those of the input")
    if 0 in shape[2:] and 0 not in shape[:2]:
        raise DoesNotFit(f"{name} has the shape {tuple(shape)}; only the batch and the channels may be empty")


def check_shape(grad_output: AnyArray, shape: tuple[int, ...], dims: int = 2) -> None:
    """Check that a gradient (N, O, h_out, w_out) has the shape of the output that it belongs to."""
    if grad_output.shape != shape:
        needed, given = ((*s[:2], *s[4 - dims :]) for s in (shape, grad_output.shape))
        raise DoesNotFit(f"grad_output must have the shape {needed} of the output, not {given}")


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
