"""Morphology of maps: erosion, dilation and what follows from the two, by windows of any shape."""

from collections.abc import Callable
from dataclasses import replace
from typing import assert_never

import numpy as np

from imgconv.arrays import AnyArray
from imgconv.errors import DoesNotFit
from imgconv.modes import Morphology
from imgconv.window import Window
from imgconv.windows.borders import Border, PaddedRows
from imgconv.windows.planes import Planes
from imgconv.windows.reduce import extremes
from imgconv.windows.shapes import cell_counts, shaped_extremes


def morphology(input: AnyArray, operation: Morphology, window: Window, padding_mode: str | tuple[str, float] | None = None) -> AnyArray:
    """Apply an operation of mathematical morphology to every map.

    Parameters
    ----------
    input : (N, C, H, W) float32
    operation : a Morphology
    window : of stride 1 and padding "same"; a dilation uses it turned by 180 degrees, so that open and close give the same when repeated.
    padding_mode : the values of padded cells, a name or ("constant", value); by default they are ignored.

    Returns
    -------
    (N, C, H, W) float32, always new

    Raises
    ------
    DoesNotFit
        A window holds nothing but padding, or the border cannot fill as much.

    Source: P. Soille, Morphological Image Analysis, 2nd ed., 2003, chapters 3 and 4. Matches `scipy.ndimage.grey_erosion`, `grey_dilation`,
    `grey_opening`, `grey_closing`, `white_tophat`, `black_tophat` and `morphological_gradient` with a footprint.

    Examples
    --------
    >>> line = np.array([[[[0, 9, 0, 9, 9, 9, 0]]]], np.float32)
    >>> morphology(line, Morphology.open, Window.of((1, 3), padding="same"))[0, 0]
    array([[0., 0., 0., 9., 9., 9., 0.]], dtype=float32)
    """
    return compose(input, operation, lambda maps, largest: _extreme(maps, window, padding_mode, largest=largest))


def compose(input: AnyArray, operation: Morphology, extreme: Callable[[AnyArray, bool], AnyArray]) -> AnyArray:
    """The operation as a sequence of `extreme(maps, largest)`, which dilates maps if `largest` is set and else erodes them."""
    match operation:
        case Morphology.erode:
            return extreme(input, False)
        case Morphology.dilate:
            return extreme(input, True)
        case Morphology.open:
            return extreme(extreme(input, False), True)
        case Morphology.close:
            return extreme(extreme(input, True), False)
        case Morphology.tophat:
            return _difference(input, compose(input, Morphology.open, extreme))
        case Morphology.blackhat:
            return _difference(compose(input, Morphology.close, extreme), input)
        case Morphology.gradient:
            return _difference(extreme(input, True), extreme(input, False))
        case _:
            assert_never(operation)


def _extreme(input: AnyArray, window: Window, padding_mode: str | tuple[str, float] | None, *, largest: bool) -> AnyArray:
    size = (input.shape[2], input.shape[3])
    window = window.turned if largest else window
    planes = Planes.of_batch(input)
    if padding_mode is not None:
        rows = planes.rows.reshape(planes.count, *size)
        padded = np.stack([_padded(plane, window, Border.of(padding_mode)) for plane in rows])
        planes, window = Planes.of_batch(padded[None]), replace(window, padding=(0, 0), around=None)
    elif not cell_counts(window, size).fewest:
        raise DoesNotFit(f"a window of {window.footprint or window.kernel_size} holds only padding of maps {size}; give a padding_mode")
    reduce = shaped_extremes if window.footprint else extremes
    return reduce(planes, window, largest=largest).reshape(input.shape)


def _padded(plane: AnyArray, window: Window, border: Border) -> AnyArray:
    rows = PaddedRows(plane, window.pads(plane.shape), border)
    return rows.band(0, rows.shape[0])


@np.errstate(invalid="ignore")  # infinity minus infinity is NaN
def _difference(first: AnyArray, second: AnyArray) -> AnyArray:
    return np.subtract(first, second)
