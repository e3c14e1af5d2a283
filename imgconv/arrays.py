"""Array types, and the argument checks of the torch-like calls.

Every call checks its arrays with the functions of this module, so that dtypes, ranks and error texts are the same everywhere.
"""

import sys
from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from imgconv.errors import ArgumentTypeError, DoesNotFit, UsageError
from imgconv.window import Padding, Size, Window, sizes

Array = NDArray[Any]
AnyArray = NDArray[np.generic]
FloatArray = NDArray[np.floating[Any]]
Shape = Sequence[int]
Scalar = TypeVar("Scalar", bound=np.generic)

ignore_float_errors = np.errstate(over="ignore", invalid="ignore", under="ignore")  # infinities and NaN propagate, as in torch
_AXES = {1: "C,L", 2: "C,H,W"}


def as_real_array(value: object, name: str, dims: int | None = None) -> AnyArray:
    """Return `value`, checked to be a numpy array of bools, integers or floats, in native byte order.

    `dims` is the required number of axes. An unaligned array is copied, since compiled loops cannot read it. Raises ArgumentTypeError
    for other values, such as lists, complex arrays and masked arrays, and DoesNotFit for another number of axes.

    >>> as_real_array(np.zeros(3), "bias", dims=1)
    array([0., 0., 0.])
    """
    if not isinstance(value, np.ndarray):
        raise ArgumentTypeError(f"{name} must be a numpy array, not {type(value).__name__}; convert it with numpy.asarray")
    if is_masked(value):
        raise ArgumentTypeError(f"{name} is a masked array; fill the masked elements with {name}.filled(value)")
    if value.dtype.kind not in "buif" or value.dtype.itemsize > 8:
        raise ArgumentTypeError(f"{name} has dtype {value.dtype}; use bool, an integer type, float16, float32 or float64")
    if dims is not None and value.ndim != dims:
        raise DoesNotFit(f"{name} must have {dims} dimensions, got shape {value.shape}")
    array = np.asarray(value, value.dtype.newbyteorder("="))
    return array if array.flags.aligned else array.copy()


def is_masked(array: AnyArray) -> bool:
    """Return whether `array` is a numpy.ma.MaskedArray, without importing numpy.ma."""
    return type(array) is not np.ndarray and "numpy.ma" in sys.modules and isinstance(array, np.ma.MaskedArray)


def sum_dtype(*arrays: AnyArray | None) -> np.dtype[np.float32] | np.dtype[np.float64]:
    """Return the dtype of sums over `arrays`: float64 if any of them is float64, else float32.

    >>> sum_dtype(np.zeros(3, np.uint8), None, np.zeros(3, np.float32))
    dtype('float32')
    """
    double = any(a is not None and a.dtype == np.float64 for a in arrays)
    return np.dtype(np.float64) if double else np.dtype(np.float32)


def as_batch(value: object, name: str = "input", dims: int = 2) -> tuple[AnyArray, bool]:
    """Return `value` as a batch (N, C, H, W), without a copy, and whether it has a batch axis of its own.

    `dims` is the number of spatial axes: 2 for (N, C, H, W) or (C, H, W), 1 for (N, C, L) or (C, L), which get a height of 1.
    `from_batch` removes the added axes from a result. Raises ArgumentTypeError and DoesNotFit, as `as_real_array`.

    >>> batch, batched = as_batch(np.zeros((3, 5)), dims=1)
    >>> batch.shape, batched
    ((1, 3, 1, 5), False)
    """
    array = as_real_array(value, name)
    batched = array.ndim == dims + 2
    if not batched and array.ndim != dims + 1:
        axes = _AXES[dims]
        raise DoesNotFit(f"{name} must have the shape (N,{axes}) or ({axes}), got {array.shape}")
    if dims == 1:
        array = array[..., None, :]
    return (array if batched else array[None]), batched


def require_batch(value: object, name: str, dims: int = 2) -> AnyArray:
    """Return `value` as a batch (N, C, H, W); unlike `as_batch`, a missing batch axis is an error."""
    return as_batch(as_real_array(value, name, dims + 2), name, dims)[0]


def from_batch(result: NDArray[Scalar], batched: bool, dims: int = 2) -> NDArray[Scalar]:
    """Return a result (N, C, H, W) without the axes that `as_batch` added to the input.

    >>> from_batch(np.zeros((1, 3, 1, 5)), False, dims=1).shape
    (3, 5)
    """
    if dims == 1:
        result = result[:, :, 0]
    return result if batched else result[0]


def is_plain(input: object, weight: object) -> bool:
    """Return whether `input` is a plain image (H, W) for a plain kernel (kh, kw)."""
    return isinstance(input, np.ndarray) and isinstance(weight, np.ndarray) and input.ndim == weight.ndim == 2


def as_bias(value: object, channels: int) -> AnyArray | None:
    """Return `value`, checked to be None or one number for each of `channels` output channels."""
    if value is None:
        return None
    bias = as_real_array(value, "bias")
    if bias.shape != (channels,):
        raise DoesNotFit(f"bias must have the shape ({channels},), one number per output channel, got {bias.shape}")
    return bias


def as_weight(value: object, dims: int = 2) -> AnyArray:
    """Return `value`, checked to be a weight (O, C, kh, kw), or (O, C, k) for `dims` = 1, with both kernel axes."""
    weight = as_real_array(value, "weight")
    if weight.ndim != dims + 2:
        axes = "(out_channels, in_channels/groups, kh, kw)" if dims == 2 else "(out_channels, in_channels/groups, k)"
        raise DoesNotFit(f"weight must have {dims + 2} dimensions {axes}, got shape {weight.shape}")
    if 0 in weight.shape[2:]:
        raise UsageError(f"weight {weight.shape} has an empty kernel; every kernel size must be at least 1")
    return weight[:, :, None] if dims == 1 else weight


def as_shape(value: Shape, name: str, dims: int = 2) -> tuple[int, ...]:
    """Return `value`, checked to be the whole shape of an input or of a weight, with both spatial axes."""
    if isinstance(value, str) or not isinstance(value, Sequence) or len(value) != dims + 2:
        raise ArgumentTypeError(f"{name} must be a shape of {dims + 2} whole numbers, not {value!r}")
    shape = sizes(value, name, dims + 2, least=0)
    return (*shape[:2], 1, *shape[2:]) if dims == 1 else shape


def as_groups(value: object, weight_size: Shape) -> int:
    """Return `value`, checked to be a number of groups that divides the first axis of a weight."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise ArgumentTypeError(f"groups must be a whole number, not {value!r}")
    if value < 1:
        raise UsageError(f"groups must be at least 1, not {value}")
    if weight_size[0] < value or weight_size[0] % value:
        raise UsageError(f"groups {value} does not divide the {weight_size[0]} channels of the first axis of weight {tuple(weight_size)}")
    return int(value)


def as_window(kernel_size: Size, stride: Size, padding: Padding, dilation: Size, dims: int = 2, *, ceil_mode: bool = False) -> Window:
    """Return a checked window over two axes; a window over one axis (`dims` = 1) gets a height of 1.

    >>> as_window((3,), 2, 1, 1, dims=1)
    Window(kernel_size=(1, 3), stride=(1, 2), padding=(0, 1), dilation=(1, 1), ceil_mode=False)
    """
    window = Window.of(kernel_size, stride, padding, dilation, dims=dims, ceil_mode=ceil_mode)
    if dims == 2:
        return window
    padded = window.padding if isinstance(window.padding, str) else (0, *window.padding)
    return Window((1, *window.kernel_size), (1, *window.stride), padded, (1, *window.dilation), window.ceil_mode)


def check_numeric(padding: Padding, operation: str) -> None:
    """Check that the `padding` of an operation without named paddings is not a name such as "same"."""
    if isinstance(padding, str):
        raise ArgumentTypeError(f"padding of {operation} must be a whole number or a sequence of them, not {padding!r}")


def check_channels(shape: Shape, channels: int, weight_size: Shape, name: str = "input") -> None:
    """Check that a batch (N, C, H, W) has as many `channels` as a weight, and that no other axis than N and C is empty."""
    if shape[1] != channels:
        message = f"{name} has {shape[1]} channels, weight {tuple(weight_size)} takes {channels}"
        raise DoesNotFit(f"{message}; the channels of the weight times groups must be those of the input")
    if 0 in shape[2:] and 0 not in shape[:2]:
        raise DoesNotFit(f"{name} has the shape {tuple(shape)}; only the batch and the channels may be empty")


def check_grad_output(grad_output: AnyArray, shape: tuple[int, ...], dims: int = 2) -> None:
    """Check that a gradient (N, O, h_out, w_out) has the `shape` of the output that it belongs to."""
    if grad_output.shape != shape:
        expected, actual = ((*s[:2], *s[4 - dims :]) for s in (shape, grad_output.shape))
        raise DoesNotFit(f"grad_output must have the shape {expected} of the output, got {actual}")
