"""Animations: frames drawn on a canvas as GIF89a and the APNG specification define it, and the delays between them."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from typing import Any, assert_never

import numpy as np
from numpy.typing import NDArray

DEFAULT_DURATION = 100.0  # milliseconds
_LARGEST = 65535  # of the two numbers of a fraction


class Disposal(Enum):
    """What happens to a frame before the next one is drawn: it stays, its area becomes transparent, or the previous pixels are restored."""

    KEEP = 0
    CLEAR = 1
    RESTORE = 2


@dataclass(frozen=True)
class Placement:
    """Where and how a frame is drawn: its corner and size, whether `over` the previous pixels or instead of them, and its disposal.

    `opaque` means that no pixel of the frame is transparent.
    """

    left: int
    top: int
    width: int
    height: int
    opaque: bool = True
    over: bool = True
    disposal: Disposal = Disposal.KEEP


class Canvas:
    """The canvas (H, W, colours and alpha) on which the frames of an animation are drawn; it begins transparent."""

    def __init__(self, size: tuple[int, int], channels: int, dtype: str = "uint8"):
        self._pixels = np.zeros((*size, channels), dtype)
        self._before: NDArray[Any] | None = None
        self._previous: Placement | None = None

    def show(self, pixels: NDArray[Any], place: Placement) -> NDArray[Any]:
        """Dispose of the previous frame, draw `pixels` (its size, colours and alpha), and return a copy of the canvas.

        Parts of a frame outside the canvas are cut off.
        """
        self._dispose()
        area = self._area(place)
        if place.disposal is Disposal.RESTORE:
            self._before = area.copy()
        pixels = pixels[: area.shape[0], : area.shape[1]]
        if place.over and not place.opaque:
            _blend(area, pixels)
        else:
            area[:] = pixels
        self._previous = place
        return self._pixels.copy()

    def _dispose(self) -> None:
        place = self._previous
        if place is None:
            return
        match place.disposal:
            case Disposal.KEEP:
                pass
            case Disposal.CLEAR:
                self._area(place)[:] = 0
            case Disposal.RESTORE:
                self._area(place)[:] = self._before
            case _:
                assert_never(place.disposal)

    def _area(self, place: Placement) -> NDArray[Any]:
        return self._pixels[place.top : place.top + place.height, place.left : place.left + place.width]


def always_opaque(places: Iterable[Placement], size: tuple[int, int]) -> bool:
    """Return whether no part of a canvas (H, W) is ever transparent while the frames are shown.

    >>> always_opaque([Placement(0, 0, 6, 4), Placement(1, 1, 2, 2, opaque=False)], (4, 6))
    True
    """
    whole = (0, 0, size[1], size[0])
    open_area: tuple[int, int, int, int] | None = whole  # left, top, right, bottom of what can be transparent
    before, previous = open_area, None
    for place in places:
        if previous is not None and previous.disposal is Disposal.RESTORE:
            open_area = before
        elif previous is not None and previous.disposal is Disposal.CLEAR:
            open_area = _joined(open_area, _box(previous, whole))
        before, previous, box = open_area, place, _box(place, whole)
        if place.opaque and open_area is not None and box == _joined(box, open_area):
            open_area = None
        elif not place.opaque and not place.over:
            open_area = _joined(open_area, box)
        if open_area is not None:
            return False
    return True


class WholeUnits:
    """Durations in whole units, such as the hundredths of a second of a GIF.

    What rounding adds or removes is corrected at the following frames, so that the total time stays. A duration above 0 stays above 0.

    >>> units = WholeUnits(10, largest=65535)
    >>> [units.next(duration) for duration in (1000 / 60, 1000 / 60, 1000 / 60, 3, 0)]
    [2, 1, 2, 1, 0]
    """

    def __init__(self, milliseconds: float, largest: int):
        self._unit, self._largest, self._owed = milliseconds, largest, 0.0

    def next(self, duration: float | None) -> int:
        """Return the units of the next frame, whose duration is in milliseconds (None: a tenth of a second)."""
        exact = (DEFAULT_DURATION if duration is None else duration) / self._unit
        units = min(max(round(exact + self._owed), int(exact > 0)), self._largest)
        self._owed += exact - units if exact <= self._largest else 0
        return units if exact > 0 else 0


def fraction_of_a_second(duration: float | None) -> tuple[int, int]:
    """Return numerator and denominator, both at most 65535, that come next to a duration in milliseconds. Above 0 stays above 0.

    >>> fraction_of_a_second(1001 / 30), fraction_of_a_second(600_000)
    ((1001, 30000), (600, 1))
    """
    seconds = Fraction(DEFAULT_DURATION if duration is None else duration) / 1000
    if seconds <= 0:
        return 0, 1
    if seconds >= _LARGEST:
        return _LARGEST, 1
    nearest = seconds.limit_denominator(min(_LARGEST, int(_LARGEST / seconds)))
    return max(min(nearest.numerator, _LARGEST), 1), nearest.denominator if nearest else _LARGEST


def _blend(area: NDArray[Any], pixels: NDArray[Any]) -> None:
    """Draw pixels over an area by their alpha, neither of them premultiplied; each result is rounded once."""
    alpha, most = pixels[..., -1], np.iinfo(pixels.dtype).max
    opaque = alpha == most
    area[opaque] = pixels[opaque]
    partly = (alpha > 0) & ~opaque
    if not partly.any():
        return
    above, below = pixels[partly].astype(np.float64), area[partly].astype(np.float64)
    cover = above[:, -1:] / most
    rest = below[:, -1:] / most * (1 - cover)
    colours = (above[:, :-1] * cover + below[:, :-1] * rest) / (cover + rest)
    area[partly] = np.rint(np.concatenate([colours, (cover + rest) * most], axis=1))


def _box(place: Placement, whole: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    """Return left, top, right and bottom of the part of a frame on the canvas."""
    return place.left, place.top, min(place.left + place.width, whole[2]), min(place.top + place.height, whole[3])


def _joined(first: tuple[int, int, int, int] | None, second: tuple[int, int, int, int]) -> tuple[int, int, int, int] | None:
    """Return the smallest rectangle around two; an empty one adds nothing."""
    if second[0] >= second[2] or second[1] >= second[3]:
        return first
    if first is None:
        return second
    return min(first[0], second[0]), min(first[1], second[1]), max(first[2], second[2]), max(first[3], second[3])
