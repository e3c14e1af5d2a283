"""Where a TIFF says that its strips or tiles lie. Libraries take a missing one for black; knows nothing of what is in them."""

from collections.abc import Callable
from typing import Any

from imgconv.pictures.damage import DamageError

_WIDTH, _HEIGHT, _COMPRESSION, _SAMPLES, _ROWS, _PLANAR, _TILE_WIDTH, _TILE_HEIGHT = 256, 257, 259, 277, 278, 284, 322, 323
_PLACES = {"strips": (273, 279), "tiles": (324, 325)}
_FIRST_PLACE = 8  # the header is before it
_OLD_JPEG = 6  # its places mean something else


def check(value_of: Callable[[int, Any], Any], file_size: int) -> None:
    """Raise DamageError unless a page has all the strips or tiles that its size needs, each of them inside the file.

    `value_of` gives the value of a tag, or the default after it.
    """
    if value_of(_COMPRESSION, 1) == _OLD_JPEG:
        return
    kind = "tiles" if value_of(_TILE_WIDTH, None) else "strips"
    offsets, lengths = (_numbers(value_of(tag, ())) for tag in _PLACES[kind])
    needed = _needed(kind, value_of)
    if len(offsets) < needed:
        raise DamageError(f"it has {len(offsets)} {kind} where its size needs {needed}")
    if not all(_FIRST_PLACE <= offset < file_size for offset in offsets[:needed]):
        raise DamageError(f"one of its {kind} lies outside of the file")
    if 0 in lengths[:needed]:
        raise DamageError(f"one of its {kind} is empty")


def _needed(kind: str, value_of: Callable[[int, Any], Any]) -> int:
    width, height = int(value_of(_WIDTH, 1)), int(value_of(_HEIGHT, 1))
    planes = int(value_of(_SAMPLES, 1)) if value_of(_PLANAR, 1) == 2 else 1
    if kind == "strips":
        rows = min(int(value_of(_ROWS, height)) or height, height)
        return planes * -(-height // rows)
    return planes * -(-width // int(value_of(_TILE_WIDTH, 1))) * -(-height // max(int(value_of(_TILE_HEIGHT, 1)), 1))


def _numbers(value: Any) -> tuple[int, ...]:
    return (value,) if isinstance(value, int) else tuple(value)
