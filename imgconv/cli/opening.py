"""One picture for a command that looks at one: the first frame of a file or of standard input."""

import sys
from pathlib import Path

from imgconv.batch.sources import STDIN
from imgconv.errors import PictureError
from imgconv.pictures import Picture, open_pictures


def first_picture(given: str, *, luma: bool, max_pixels: int | None, salvage: bool = False) -> Picture:
    """The first frame of `given`, a path or `-`. Raises PictureError, which names it."""
    if given == STDIN and sys.stdin is None:
        raise PictureError("standard input is closed; give a file, or a pipe")
    source: Path | bytes = sys.stdin.buffer.read() if given == STDIN else Path(given)
    name = "standard input" if given == STDIN else given
    try:
        with open_pictures(source, luma=luma, max_pixels=max_pixels, salvage=salvage) as opened:
            return next(iter(opened))
    except PictureError as error:
        raise PictureError(f"{name}: {error}") from None
    except OSError as error:
        raise PictureError(f"{name}: {(error.strerror or str(error)).lower()}") from None
