"""Padding of arrays with pad; negative padding crops."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from imgconv.arrays import AnyArray, Array, as_real_array
from imgconv.errors import ArgumentTypeError, DoesNotFit, UsageError
from imgconv.modes import PaddingMode
from imgconv.window import sizes
from imgconv.windows.borders import Border

PAD_MODES = tuple(mode.value for mode in PaddingMode if mode is not PaddingMode.zeros)  # here, torch calls zeros "constant"
Pads = list[tuple[int, int]]  # cells before and after each axis, the first axis first


def pad(input: AnyArray, padding: Sequence[int], mode: str = "constant", value: float | None = None) -> AnyArray:
    """Add cells around an array, or remove them where a number is negative.

    Parameters
    ----------
    input : any shape and real dtype; for modes other than "constant", padded in all axes but the first one or two
    padding : (before, after) of the last axis, then of the axis before it, and so on
    mode : "constant", "reflect", "replicate", "circular" or "symmetric"
    value : the value of cells added by "constant", 0 by default; only for that mode

    Returns
    -------
    The padded array, of the input's dtype: size + before + after along each padded axis. The cost is one copy per padded axis.

    Raises
    ------
    ArgumentTypeError (a TypeError)
        for anything but a real numpy array and whole numbers.
    UsageError, DoesNotFit (both ValueErrors)
        for an unknown mode, an odd count of numbers, more padding than the mode can fill, and more cropping than there are cells.

    Notes
    -----
    Matches torch.nn.functional.pad; wider in "symmetric", numpy's mode of that name, and in bools for "reflect".

    Examples
    --------
    >>> import numpy as np, imgconv
    >>> imgconv.pad(np.array([[1, 2, 3]]), (2, 1), mode="reflect")
    array([[3, 2, 1, 2, 3, 2]])
    """
    array = as_real_array(input, "input")
    pads = _pads(padding, array.ndim)
    if mode not in PAD_MODES:
        raise UsageError(f"mode {mode!r} is unknown; use one of {', '.join(PAD_MODES)}")
    shape = tuple(size + before + after for size, (before, after) in zip(array.shape, pads, strict=True))
    cropped = (_cropped(size, pair) for size, pair in zip(array.shape, pads, strict=True))
    # cropping comes first in constant and circular mode; in the others, padding may repeat cropped cells
    if min(cropped if mode in ("constant", "circular") else shape, default=0) < 0:
        raise DoesNotFit(f"padding {tuple(padding)!r} removes more cells than the shape {array.shape} has")
    if mode == "constant":
        return _pad_constant(array, pads, shape, _fill_value(value, array.dtype))
    if value:
        raise UsageError(f"value {value!r} is only for mode 'constant', not for {mode!r}")
    _check_repeated(array.shape, len(padding) // 2, shape, mode)
    for axis, pair in enumerate(pads):
        array = np.take(array, _index(array.shape[axis], *pair, mode), axis)
    return np.ascontiguousarray(array)


def _pads(padding: Sequence[int], axes: int) -> Pads:
    if isinstance(padding, str) or not isinstance(padding, Sequence):
        raise ArgumentTypeError(f"padding must be a sequence of whole numbers, not {padding!r}")
    if len(padding) % 2 or len(padding) > 2 * axes:
        raise UsageError(f"padding {tuple(padding)!r} has {len(padding)} numbers; give two for each padded axis, at most {axes} axes")
    numbers = sizes(padding, "padding", len(padding), least=-(2**62)) if padding else ()
    pairs = [(numbers[i], numbers[i + 1]) for i in range(0, len(numbers), 2)]
    return [(0, 0)] * (axes - len(pairs)) + pairs[::-1]


def _cropped(size: int, pair: tuple[int, int]) -> int:
    """Return the cells of an axis that remain after negative padding."""
    return size + min(pair[0], 0) + min(pair[1], 0)


def _fill_value(value: float | None, dtype: np.dtype[Any]) -> Any:
    """Return `value` in `dtype`, rounded towards zero as in torch."""
    number = 0.0 if value is None else value
    if not isinstance(number, bool | int | float | np.number | np.bool_):
        raise ArgumentTypeError(f"value must be a number, not {value!r}")
    bounds = np.iinfo(dtype) if dtype.kind in "iu" else None
    if bounds is not None and not bounds.min <= number <= bounds.max:
        raise UsageError(f"value {value!r} is out of range for {dtype}; use {bounds.min} to {bounds.max}")
    return np.asarray(number).astype(dtype)[()]


def _pad_constant(array: AnyArray, pads: Pads, shape: tuple[int, ...], value: Any) -> AnyArray:
    output = np.full(shape, value, array.dtype)
    target, source = [], []
    for size, (before, after) in zip(array.shape, pads, strict=True):
        target.append(slice(max(before, 0), max(before, 0) + max(_cropped(size, (before, after)), 0)))
        source.append(slice(max(-before, 0), max(size + min(after, 0), max(-before, 0))))
    output[tuple(target)] = array[tuple(source)]
    return output


def _check_repeated(shape: tuple[int, ...], padded_axes: int, padded_shape: tuple[int, ...], mode: str) -> None:
    """Check the ranks and sizes for which torch repeats cells."""
    free = len(shape) - padded_axes
    if padded_axes not in (1, 2, 3) or free not in (1, 2):
        allowed = "two numbers for 2 or 3 dimensions, four for 3 or 4, six for 4 or 5"
        raise DoesNotFit(f"mode {mode!r} does not pad {padded_axes} axes of the shape {shape}; it takes {allowed}")
    if mode != "circular" and (0 in shape[free - 1 :] or not any(padded_shape[free:])):
        raise DoesNotFit(f"mode {mode!r} needs cells to repeat; the shape {shape}, padded to {padded_shape}, has an empty axis")


def _index(size: int, before: int, after: int, mode: str) -> Array:
    """Return the input cell of each padded cell; circular mode wraps the cells that cropping leaves."""
    if mode == "circular":
        return Border.of(mode).source_cells(_cropped(size, (before, after)), max(before, 0), max(after, 0)) + max(-before, 0)
    return Border.of(mode).source_cells(size, before, after)
