"""A picture file made small enough for a page: its first frame as WebP, without the metadata of the file."""

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np

from imgconv.errors import PictureError
from imgconv.pictures import Picture, encode, open_pictures
from imgconv.process import process
from imgconv.recipe import Pool, Recipe
from imgconv.study.panels import shrunk
from imgconv.study.preview import levels

QUALITY = 65  # of 100: noise of the packing is not seen at this size, and the page is half as large as at 85 (2026-11)


@dataclass(frozen=True)
class Thumbnail:
    """A small picture: its WebP file, its height and width, those of the picture that it stands for, and whether it is transparent."""

    webp: bytes
    size: tuple[int, int]
    original: tuple[int, int]
    alpha: bool


def thumbnail(source: Path | bytes, *, longest: int, max_pixels: int | None = None, salvage: bool = False) -> Thumbnail:
    """The first frame of a file, or of the bytes of one, averaged to at most `longest` pixels along a side.

    Floats beyond 0 to 1 are shown from their smallest to their largest value, transparency is kept.
    Raises PictureError, which does not name the file, for what is no regular file or no picture.
    """
    if isinstance(source, Path) and not source.is_file():  # nobody may ever write to a pipe that results went into
        raise PictureError("there is no such file")
    with open_pictures(source, max_pixels=max_pixels, salvage=salvage) as opened:
        picture = next(iter(opened))
    small = _small(picture, longest)
    file = BytesIO()
    encode([small], "webp", stream=file, quality=QUALITY)
    return Thumbnail(file.getvalue(), small.size, picture.size, small.alpha)


def _small(picture: Picture, longest: int) -> Picture:
    """8 bits, grey or colour, with alpha where the picture has it; of arrays of other maps the first."""
    colours = picture.channels - picture.alpha
    if colours not in (1, 3):
        picture = Picture(np.ascontiguousarray(picture.pixels[..., :1]))
    step = max(picture.size) // longest
    if step > 1:  # most of the way by whole pixels, which takes a tenth of the time
        size = min(step, picture.size[0]), min(step, picture.size[1])
        pool = Pool(size, "avg", ceil_mode=True, alpha="keep")
        picture = process(picture, Recipe("pool", pool), threads=1)[0].picture
    return Picture(levels(shrunk(picture.pixels, longest), picture), picture.alpha)
