"""The strips and tiles of a TIFF that hold a fax (CCITT Group 3 and 4), which libtiff decodes; damage in them is an error.

imagecodecs 2026.3 decodes valid ones wrongly, such as `testfax4.tiff` of libtiff's tests, and reports no damage.
"""

import struct
from contextlib import suppress
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imgconv.images import plugins
from imgconv.images.damage import DamageError, TruncatedError

COMPRESSIONS = (2, 3, 4)

_FILL_ORDER, _GROUP_3, _GROUP_4, _OFFSET = 266, 292, 293, 273  # tags
_OPTIONS = {3: _GROUP_3, 4: _GROUP_4}  # compression -> the tag of its options
_LONG = 4  # the type of a tag
# Codes of black pixels that can follow a fax: they change no pixel of a complete one.
_TAILS = [bytes.fromhex(pattern) * 64 for pattern in ("ff", "26b4d69ad3", "355535aa6d", "0137a9c45b6e")]
_MOST_UNUSED = 32  # bytes after the last row; end marks take up to 10


def decoded(page: Any, index: int, data: bytes, salvage: bool) -> tuple[NDArray[Any], tuple[int, ...]]:
    """Return a segment as (1, rows, columns, 1) bool, and its position in the page, as tifffile does.

    Raises DamageError for one that is damaged or lacks bytes, unless it is salvaged.
    """
    _, position, (_, rows, columns, _) = page.decode(None, index)
    if page.is_tiled:
        rows, columns = page.tilelength, page.tilewidth
    pixels = _decode(page, data, rows, columns, salvage)
    if not salvage:
        _check_ends(page, data, pixels)
    return pixels[None, ..., None], position


def _check_ends(page: Any, data: bytes, pixels: NDArray[Any]) -> None:
    """Raise DamageError unless the pixels depend on the last bytes of the data, and on none that follow."""

    def is_enough(part: bytes) -> bool:
        return all(np.array_equal(_decode(page, part + tail, *pixels.shape), pixels) for tail in _TAILS)

    if not is_enough(data):
        raise TruncatedError
    with suppress(OSError):
        if is_enough(data.rstrip(b"\0")[:-_MOST_UNUSED]):
            raise DamageError("data follow the last row")


def _decode(page: Any, data: bytes, rows: int, columns: int, salvage: bool = False) -> NDArray[Any]:
    """Return the pixels of a segment, in which 0 is a white one. Raises OSError for the damage that libtiff reports."""
    image = plugins.open_image(BytesIO(_file(page, data, rows, columns)), "tiff")
    plugins.load(image, salvage)
    if plugins.report.text and not salvage:
        raise OSError(plugins.report.text)
    return np.asarray(image)


def _file(page: Any, data: bytes, rows: int, columns: int) -> bytes:
    """Return a TIFF of one strip, with the tags that libtiff needs."""
    compression = int(page.compression)
    tags = {256: columns, 257: rows, 258: 1, 259: compression, 262: 1, _FILL_ORDER: int(page.fillorder)}
    tags |= {_OFFSET: 0, 277: 1, 278: rows, 279: len(data)}
    if compression in _OPTIONS:
        tags[_OPTIONS[compression]] = int(page.tags.valueof(_OPTIONS[compression], 0))
    tags[_OFFSET] = 8 + 2 + 12 * len(tags) + 4
    entries = b"".join(struct.pack("<HHII", tag, _LONG, 1, value) for tag, value in sorted(tags.items()))
    return struct.pack("<4sIH", b"II*\0", 8, len(tags)) + entries + bytes(4) + data
