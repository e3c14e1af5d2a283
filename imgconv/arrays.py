"""Array types, and the argument checks of the torch-like calls.

Every call checks its arrays with the functions of this module, so that dtypes, ranks and error texts are the same everywhere.
"""

import sys
from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from imgconv.errors import ArgumentTypeError, DoesNotFit, UsageError, reason
from imgconv.window import Padding, Size, Window, sizes

Array = NDArray[Any]
AnyArray = Array  # not NDArray[np.generic], whose elements pyright allows no arithmetic with
FloatArray = NDArray[np.floating[Any]]
Shape = Sequence[int]
Scalar = TypeVar("Scalar", bound=np.generic)


class SupportsArray(Protocol):
    """An object that numpy converts to an array, such as a torch tensor on the CPU."""

    def __array__(self) -> Array: ...


class SupportsDLPack(Protocol):
    """An object that lends its memory to other libraries, such as a JAX array on the CPU."""

    def __dlpack__(self) -> object: ...


ArrayLike = Array | SupportsArray | SupportsDLPack

ignore_float_errors = np.errstate(over="ignore", invalid="ignore", under="ignore")  # infinities and NaN propagate, as in torch
_AXES = {1: "C,L", 2: "C,H,W"}


def as_real_array(value: object, name: str, dims: int | None = None) -> AnyArray:
    """Return `value`, checked to be an array of bools, integers or floats, in native byte order.

    `value` is a numpy array or anything that `as_array` converts, `dims` the required number of axes. An unaligned array is copied,
    since compiled loops cannot read it. Raises ArgumentTypeError for other values, such as lists, complex arrays and masked arrays, and
    DoesNotFit for another number of axes.

    >>> as_real_array(np.zeros(3), "bias", dims=1)
    array([0., 0., 0.])
    """
    array = as_array(value, name)
    if array is None:
        raise ArgumentTypeError(f"{name} must be a numpy array, not {type(value).__name__}; convert it with numpy.asarray")
    if array.dtype.kind not in "buif" or array.dtype.itemsize > 8:
        raise ArgumentTypeError(f"{name} has dtype {array.dtype}; use bool, an integer type, float16, float32 or float64")
    if dims is not None and array.ndim != dims:
        raise DoesNotFit(f"{name} must have {dims} dimensions, got shape {array.shape}")
    array = np.asarray(array, array.dtype.newbyteorder("="))
    return array if array.flags.aligned else array.copy()


def as_array(value: object, name: str) -> AnyArray | None:
    """Return a numpy array, or an object with `__array__` or `__dlpack__` as one; None for anything else.

    Raises ArgumentTypeError for a masked array and for an object that cannot be converted, such as a tensor on a GPU.

    >>> as_array(np.ma.zeros(3), "input")
    Traceback (most recent call last):
    imgconv.errors.ArgumentTypeError: input is a masked array; fill the masked elements with its method filled(value)
    """
    if type(value) is np.ndarray:
        return value
    array: object = value
    try:
        if not isinstance(value, np.ndarray) and hasattr(value, "__array__"):
            array = value.__array__()
        elif not isinstance(value, np.ndarray) and hasattr(value, "__dlpack__"):
            array = np.from_dlpack(value)
    except (TypeError, ValueError, RuntimeError, BufferError) as error:
        raise ArgumentTypeError(f"{name}, a {type(value).__name__}, cannot be converted to a numpy array: {reason(error)}") from None
    if "numpy.ma" in sys.modules and (isinstance(value, np.ma.MaskedArray) or isinstance(array, np.ma.MaskedArray)):
        raise ArgumentTypeError(f"{name} is a masked array; fill the masked elements with its method filled(value)")
    return array if isinstance(array, np.ndarray) else None


def sum_dtype(*arrays: AnyArray | None) -> np.dtype[np.float32] | np.dtype[np.float64]:
    """Return the dtype of sums over `arrays`: float64 if any of them is float64, else float32.

    >>> sum_dtype(np.zeros(3, np.uint8), None, np.zeros(3, np.float32))
    dtype('float32')
    """
    double = any(a is not None and a.dtype == np.float64 for a in arrays)
    return np.dtype(np.float64) if double else np.dtype(np.float32)


def as_batch(value: object, name: str = "input", dims: int = 2, *, plain: bool = False) -> tuple[AnyArray, int]:
    """Return `value` as a batch (N, C, H, W), without a copy, and its number of axes.

    `dims` is the number of spatial axes: 2 for (N, C, H, W) or (C, H, W), 1 for (N, C, L) or (C, L), which get a height of 1. `plain`
    also allows (H, W). `from_batch` removes the added axes from a result. Raises ArgumentTypeError and DoesNotFit, as `as_real_array`.

    >>> batch, axes = as_batch(np.zeros((3, 5)), dims=1)
    >>> batch.shape, axes
    ((1, 3, 1, 5), 2)
    """
    array = as_real_array(value, name)
    axes = array.ndim
    if not dims + 1 - (plain and dims == 2) <= axes <= dims + 2:
        inner = _AXES[dims]
        shapes = f"(N,{inner}), ({inner}) or (H,W)" if plain and dims == 2 else f"(N,{inner}) or ({inner})"
        raise DoesNotFit(f"{name} must have the shape {shapes}, got {array.shape}")
    if dims == 1:
        array = array[..., None, :]
    return array.reshape((1,) * (4 - array.ndim) + array.shape), axes


def require_batch(value: object, name: str, dims: int = 2) -> AnyArray:
    """Return `value` as a batch (N, C, H, W); unlike `as_batch`, a missing batch axis is an error."""
    return as_batch(as_real_array(value, name, dims + 2), name, dims)[0]


def from_batch(result: NDArray[Scalar], axes: int, dims: int = 2) -> NDArray[Scalar]:
    """Return a result (N, C, H, W) without the axes that `as_batch` added to an input of `axes` axes.

    >>> from_batch(np.zeros((1, 3, 1, 5)), 2, dims=1).shape
    (3, 5)
    """
    if dims == 1:
        result = result[:, :, 0]
    return result.reshape(result.shape[result.ndim - axes :])


def as_plain(input: object, weight: object) -> tuple[AnyArray, AnyArray] | None:
    """Return a plain image (H, W) and a plain kernel (kh, kw) with axes of 1 for batch and channels; None for other arguments."""
    image, kernel = as_array(input, "input"), as_array(weight, "weight")
    if image is None or image.ndim != 2 or (kernel is not None and kernel.ndim != 2):
        return None
    return image[None], as_real_array(weight, "weight")[None, None]


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
        raise UsageError(f"groups {value} does not divide the {weight_size[0]} channels of the first axis of weight")
    return int(value)


def as_window(kernel_size: Size, stride: Size, padding: Padding, dilation: Size, dims: int = 2, *, ceil_mode: bool = False) -> Window:
    """Return a checked window over two axes; a window over one axis (`dims` = 1) gets a height of 1.

    >>> window = as_window((3,), 2, 1, 1, dims=1)
    >>> window.kernel_size, window.stride, window.padding
    ((1, 3), (1, 2), (0, 1))
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
        own_shape = (*shape[:2], *shape[6 - len(weight_size) :])  # a height that `as_batch` added is left out
        raise DoesNotFit(f"{name} has the shape {own_shape}; only the batch and the channels may be empty")


def check_grad_output(grad_output: AnyArray, shape: tuple[int, ...], dims: int = 2) -> None:
    """Check that a gradient (N, O, h_out, w_out) has the `shape` of the output that it belongs to."""
    if grad_output.shape != shape:
        expected, actual = ((*s[:2], *s[4 - dims :]) for s in (shape, grad_output.shape))
        raise DoesNotFit(f"grad_output must have the shape {expected} of the output, got {actual}")
