"""Activations, softmax and flatten, as in torch.

`relu` and `flatten` return the input's dtype, the others float64 for float64 input, else float32. Arguments that are not real arrays
raise ArgumentTypeError (a TypeError).
"""

import numpy as np

from imgconv.arrays import AnyArray, FloatArray, as_real_array, ignore_float_errors, sum_dtype
from imgconv.errors import ArgumentTypeError, UsageError
from imgconv.window import as_number


def relu(input: AnyArray) -> AnyArray:
    """Return max(input, 0), of any shape; NaN propagates. Matches torch.nn.functional.relu, which also refuses bools (ArgumentTypeError).

    >>> import numpy as np, imgconv
    >>> imgconv.relu(np.array([-1.5, 2.0]))
    array([0., 2.])
    """
    array = as_real_array(input, "input")
    if array.dtype == bool:
        raise ArgumentTypeError("input of relu must be integers or floats, not bools; convert it with astype")
    return np.asarray(np.maximum(array, 0, order="C"))


@ignore_float_errors
def leaky_relu(input: AnyArray, negative_slope: float = 0.01) -> AnyArray:
    """Return `input` where it is positive, negative_slope * input elsewhere. Matches torch.nn.functional.leaky_relu.

    >>> import numpy as np, imgconv
    >>> imgconv.leaky_relu(np.array([-1.0, 2.0]), 0.5)
    array([-0.5,  2. ])
    """
    array = _as_floats(input)
    slope = array.dtype.type(as_number(negative_slope, "negative_slope"))
    return np.where(array > 0, array, array * slope)  # a slope of 0 times infinity is NaN, as in torch


@ignore_float_errors
def sigmoid(input: AnyArray) -> AnyArray:
    """Return 1 / (1 + exp(-input)), without overflow. Matches torch.sigmoid.

    >>> import numpy as np, imgconv
    >>> imgconv.sigmoid(np.array([0.0, -1e4]))
    array([0.5, 0. ])
    """
    array = _as_floats(input)
    small = np.exp(-np.abs(array))  # at most 1
    return np.asarray(np.where(array < 0, small, 1) / (1 + small))


@ignore_float_errors
def tanh(input: AnyArray) -> AnyArray:
    """Return the hyperbolic tangent. Matches torch.tanh.

    >>> import numpy as np, imgconv
    >>> imgconv.tanh(np.array([0.0]))
    array([0.])
    """
    return np.asarray(np.tanh(_as_floats(input)))


@ignore_float_errors
def softmax(input: AnyArray, dim: int | None = None) -> AnyArray:
    """Return exp(input) over its sum along the axis `dim`; by default, as in torch, axis 0 of 0, 1 or 3 axes, else axis 1.

    Raises UsageError for an axis that the input does not have. Matches torch.nn.functional.softmax.

    >>> import numpy as np, imgconv
    >>> imgconv.softmax(np.array([[1e4, 1e4], [0.0, -np.inf]]), dim=1)
    array([[0.5, 0.5],
           [1. , 0. ]])
    """
    array = _as_floats(input)
    axis = _axis(int(array.ndim not in (0, 1, 3)) if dim is None else dim, array.ndim, "dim")
    rows = array if array.ndim else array[None]
    powers = np.exp(rows - rows.max(axis=axis, keepdims=True, initial=-np.inf))  # a row with inf, or of -inf, gives NaN, as in torch
    return np.asarray((powers / powers.sum(axis=axis, keepdims=True)).reshape(array.shape))


def flatten(input: AnyArray, start_dim: int = 0, end_dim: int = -1) -> AnyArray:
    """Return `input` with the axes from start_dim to end_dim merged into one, as a new array. Matches torch.flatten.

    Raises UsageError for axes that the input does not have, or that are in the wrong order.

    >>> import numpy as np, imgconv
    >>> imgconv.flatten(np.zeros((2, 3, 4, 5)), 1).shape
    (2, 60)
    """
    array = as_real_array(input, "input")
    start, end = _axis(start_dim, array.ndim, "start_dim"), _axis(end_dim, array.ndim, "end_dim")
    if start > end:
        raise UsageError(f"start_dim {start_dim} comes after end_dim {end_dim}; swap them")
    shape = (*array.shape[:start], int(np.prod(array.shape[start : end + 1])), *array.shape[end + 1 :])
    return np.array(array, order="C").reshape(shape)


def _as_floats(value: object) -> FloatArray:
    array = as_real_array(value, "input")
    return array.astype(sum_dtype(array), order="C", copy=False)


def _axis(dim: int, ndim: int, name: str) -> int:
    """Return `dim` counted from the first axis; an array without axes counts as having one."""
    axes = max(ndim, 1)
    if isinstance(dim, bool) or not isinstance(dim, int | np.integer):
        raise ArgumentTypeError(f"{name} must be a whole number, not {dim!r}")
    if not -axes <= dim < axes:
        raise UsageError(f"{name} must be from {-axes} to {axes - 1} for an array of {ndim} axes, not {dim}")
    return int(dim) % axes
