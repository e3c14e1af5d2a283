"""pad: rows and columns added to an array, or taken off it, in torch's order of axes."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imgconv.arrays import AnyArray, as_real_array
from imgconv.errors import ArgumentTypeError, DoesNotFit, UsageError
from imgconv.modes import PaddingMode
from imgconv.window import sizes
from imgconv.windows.borders import Border

PAD_MODES = tuple(mode.value for mode in PaddingMode if mode is not PaddingMode.zeros)


def pad(input: AnyArray, padding: Sequence[int], mode: str = "constant", value: float | None = None) -> AnyArray:
    """Add cells around an array, or take them off where a number is negative.

    Parameters
    ----------
    input : any shape and real dtype; for the modes other than constant, padded in all axes but the first one or two
    padding : (before, after) of the last axis, then of the one before it, and so on
    mode : "constant", "reflect", "replicate", "circular" or "symmetric"
    value : what "constant" fills with, 0 by default; only there

    Returns
    -------
    The padded array, of the input's dtype: size + before + after along each padded axis. It takes no arithmetic.

    Raises
    ------
    ArgumentTypeError (a TypeError)
        for anything but a real numpy array and whole numbers.
    UsageError, DoesNotFit (both ValueErrors)
        for an unknown mode, an odd count of numbers, and more padding than the mode can fill or the array can lose.

    Notes
    -----
    Matches torch.nn.functional.pad; "symmetric", numpy's mode of that name, is added, and bools may be reflected.

    Examples
    --------
    >>> import numpy as np, imgconv
    >>> imgconv.pad(np.array([[1, 2, 3]]), (2, 1), mode="reflect")
    array([[3, 2, 1, 2, 3, 2]])
    """
    array = as_real_array(input, "input")
    pairs = _pairs(padding, array.ndim)
    if mode not in PAD_MODES:
        raise UsageError(f"mode {mode!r} is unknown; use one of {', '.join(PAD_MODES)}")
    shape = tuple(size + before + after for size, (before, after) in zip(array.shape, pairs, strict=True))
    kept = (size + min(before, 0) + min(after, 0) for size, (before, after) in zip(array.shape, pairs, strict=True))
    if min(kept if mode in ("constant", "circular") else shape, default=0) < 0:  # the others reach cells that were taken off
        raise DoesNotFit(f"padding {tuple(padding)!r} takes off more than there is of the shape {array.shape}")
    if mode == "constant":
        return _constant(array, pairs, shape, _fill(value, array.dtype))
    if value:
        raise UsageError(f"value {value!r} is for mode 'constant' alone, not for {mode!r}")
    _check_repeated(array.shape, len(padding) // 2, shape, mode)
    for axis, pair in enumerate(pairs):
        array = np.take(array, _index(array.shape[axis], *pair, mode), axis)
    return np.ascontiguousarray(array)


def _pairs(padding: Sequence[int], axes: int) -> list[tuple[int, int]]:
    """(before, after) for each axis, first axis first."""
    if isinstance(padding, str) or not isinstance(padding, Sequence):
        raise ArgumentTypeError(f"padding must be a sequence of whole numbers, not {padding!r}")
    if len(padding) % 2 or len(padding) > 2 * axes:
        raise UsageError(f"padding {tuple(padding)!r} has {len(padding)} numbers; give two for each padded axis, of which there are {axes}")
    numbers = sizes(padding, "padding", len(padding), least=-(2**62)) if padding else ()
    pairs = [(numbers[i], numbers[i + 1]) for i in range(0, len(numbers), 2)]
    return [(0, 0)] * (axes - len(pairs)) + pairs[::-1]


def _fill(value: float | None, dtype: np.dtype[Any]) -> Any:
    """`value` in `dtype`, towards zero as torch rounds it."""
    number = 0.0 if value is None else value
    if isinstance(number, bool | int | float | np.number | np.bool_):
        bounds = np.iinfo(dtype) if dtype.kind in "iu" else None
        if bounds is not None and not bounds.min <= number <= bounds.max:
            raise UsageError(f"value {value!r} does not fit {dtype}; it must be in {bounds.min}..{bounds.max}")
        return np.asarray(number).astype(dtype)[()]
    raise ArgumentTypeError(f"value must be a number, not {value!r}")


def _constant(array: AnyArray, pairs: list[tuple[int, int]], shape: tuple[int, ...], value: Any) -> AnyArray:
    result = np.full(shape, value, array.dtype)
    into, source = [], []
    for size, (before, after) in zip(array.shape, pairs, strict=True):
        into.append(slice(max(before, 0), max(before, 0) + max(size + min(before, 0) + min(after, 0), 0)))
        source.append(slice(max(-before, 0), max(size + min(after, 0), max(-before, 0))))
    result[tuple(into)] = array[tuple(source)]
    return result


def _check_repeated(shape: tuple[int, ...], padded_axes: int, to: tuple[int, ...], mode: str) -> None:
    """The ranks and sizes for which torch repeats cells."""
    free = len(shape) - padded_axes
    if padded_axes not in (1, 2, 3) or free not in (1, 2):
        allowed = "two numbers for 2 or 3 dimensions, four for 3 or 4, six for 4 or 5"
        raise DoesNotFit(f"mode {mode!r} does not pad {padded_axes} axes of the shape {shape}; it takes {allowed}")
    if mode != "circular" and (0 in shape[free - 1 :] or not any(to[free:])):
        raise DoesNotFit(f"mode {mode!r} needs cells to repeat; the shape {shape}, padded to {to}, has an empty axis")


def _index(size: int, before: int, after: int, mode: str) -> NDArray[np.intp]:
    """The cell behind each padded one; a wrapping mode wraps what is left, the others reach what was taken off."""
    if mode == "circular":
        skip, kept = max(-before, 0), size + min(before, 0) + min(after, 0)
        return Border.of(mode).index(kept, max(before, 0), max(after, 0)) + skip
    return Border.of(mode).index(size, before, after)
