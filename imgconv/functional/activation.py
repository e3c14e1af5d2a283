"""What networks do between convolutions: activations, softmax, flatten. One-liners, with torch's names and conventions.

`relu` keeps the input's dtype; the others give float32, float64 for float64.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from imgconv.arrays import AnyArray, as_real_array, sum_dtype
from imgconv.errors import ArgumentTypeError, UsageError


def relu(input: AnyArray) -> AnyArray:
    """max(input, 0), of the input's shape and dtype; NaN stays. As torch.nn.functional.relu, bools are refused (ArgumentTypeError).

    >>> import imgconv
    >>> import numpy as np
    >>> imgconv.relu(np.array([-1.5, 2.0]))
    array([0., 2.])
    """
    array = as_real_array(input, "input")
    if array.dtype == bool:
        raise ArgumentTypeError("relu takes integers or floats, not bools; convert them with astype")
    return np.asarray(np.maximum(array, 0, order="C"))


def leaky_relu(input: AnyArray, negative_slope: float = 0.01) -> AnyArray:
    """`input` where it is positive, negative_slope * input elsewhere. Source: torch.nn.functional.leaky_relu.

    >>> import imgconv
    >>> import numpy as np
    >>> imgconv.leaky_relu(np.array([-1.0, 2.0]), 0.5)
    array([-0.5,  2. ])
    """
    array = _floats(input)
    with np.errstate(invalid="ignore"):  # a slope of 0 times infinity is NaN, as in torch
        return np.where(array > 0, array, array * array.dtype.type(negative_slope))


def sigmoid(input: AnyArray) -> AnyArray:
    """1 / (1 + exp(-input)), without overflow. Source: torch.sigmoid.

    >>> import imgconv
    >>> import numpy as np
    >>> imgconv.sigmoid(np.array([0.0, -1e4]))
    array([0.5, 0. ])
    """
    array = _floats(input)
    small = np.exp(-np.abs(array))  # never overflows
    return np.asarray(np.where(array < 0, small, 1) / (1 + small))


def tanh(input: AnyArray) -> AnyArray:
    """The hyperbolic tangent. Source: torch.tanh.

    >>> import imgconv
    >>> import numpy as np
    >>> imgconv.tanh(np.array([0.0]))
    array([0.])
    """
    return np.asarray(np.tanh(_floats(input)))


def softmax(input: AnyArray, dim: int | None = None) -> AnyArray:
    """exp(input) over its sum along the axis `dim`, which is left out as torch did: 0 for 0, 1 and 3 axes, else 1.

    Raises UsageError for an axis that the input does not have. Source: torch.nn.functional.softmax.

    >>> import imgconv
    >>> import numpy as np
    >>> imgconv.softmax(np.array([[1e4, 1e4], [0.0, -np.inf]]), dim=1)
    array([[0.5, 0.5],
           [1. , 0. ]])
    """
    array = _floats(input)
    axis = _axis(int(array.ndim not in (0, 1, 3)) if dim is None else dim, array.ndim, "dim")
    lines = array if array.ndim else array[None]
    with np.errstate(invalid="ignore"):  # a line of infinities gives NaN, as in torch
        powers = np.exp(lines - lines.max(axis=axis, keepdims=True, initial=-np.inf))
        return np.asarray((powers / powers.sum(axis=axis, keepdims=True)).reshape(array.shape))


def flatten(input: AnyArray, start_dim: int = 0, end_dim: int = -1) -> AnyArray:
    """`input` with the axes from start_dim to end_dim made one, as a new array of its dtype. Source: torch.flatten.

    Raises UsageError for axes that the input does not have, or in the wrong order.

    >>> import imgconv
    >>> import numpy as np
    >>> imgconv.flatten(np.zeros((2, 3, 4, 5)), 1).shape
    (2, 60)
    """
    array = as_real_array(input, "input")
    start, end = _axis(start_dim, array.ndim, "start_dim"), _axis(end_dim, array.ndim, "end_dim")
    if start > end:
        raise UsageError(f"start_dim {start_dim} comes after end_dim {end_dim}; give them in order")
    shape = (*array.shape[:start], int(np.prod(array.shape[start : end + 1])), *array.shape[end + 1 :])
    return np.array(array, order="C").reshape(shape)


def _floats(value: object) -> NDArray[np.floating[Any]]:
    array = as_real_array(value, "input")
    return array.astype(sum_dtype(array), order="C", copy=False)


def _axis(dim: int, ndim: int, name: str) -> int:
    """`dim` counted from the front; arrays without axes are treated as having one."""
    axes = max(ndim, 1)
    if isinstance(dim, bool) or not isinstance(dim, int | np.integer):
        raise ArgumentTypeError(f"{name} must be a whole number, not {dim!r}")
    if not -axes <= dim < axes:
        raise UsageError(f"{name} must be from {-axes} to {axes - 1} for {ndim} axes, not {dim}")
    return int(dim) % axes
