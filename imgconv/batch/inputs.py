"""Images for commands that look at a few: headers, the first frame of a file or of standard input, and an animation written."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from imgconv.atomic import atomic_write
from imgconv.batch.destinations import identities, refuse_input
from imgconv.batch.paths import Place, place_of, readable
from imgconv.batch.sources import STDIN, list_sources
from imgconv.errors import ImageError, reason
from imgconv.images import IMAGE_EXTENSIONS, Header, Luma, Raster, encode, open_frames, read_header

__all__ = ["Header", "Raster", "first_frame", "first_image", "headers", "write_animation"]


def first_image(given: str, *, luma: Luma = "no", max_pixels: int | None, salvage: bool = False) -> Raster:
    """The first frame of `given`, a path, an address or `-`. Raises ImageError, which names it."""
    return first_frame(given, luma=luma, max_pixels=max_pixels, salvage=salvage)[0]


def first_frame(given: str, *, luma: Luma = "no", max_pixels: int | None, salvage: bool = False) -> tuple[Raster, int]:
    """The first frame of `given`, a path, an address or `-`, and how many frames it has. Raises ImageError, which names it."""
    name = "standard input" if given == STDIN else given
    try:
        with open_frames(_source(None if given == STDIN else place_of(given)), luma=luma, max_pixels=max_pixels, salvage=salvage) as opened:
            return next(iter(opened)), opened.header.frames
    except ImageError as error:
        raise ImageError(f"{name}: {error}") from None
    except OSError as error:
        raise ImageError(f"{name}: {reason(error)}") from None


def headers(inputs: Sequence[str], max_pixels: int | None) -> Iterator[tuple[str, Header | ImageError]]:
    """The name and the header of each image that `inputs` stand for, or what is wrong with it; nothing is decoded."""
    for source in list_sources(inputs, IMAGE_EXTENSIONS):
        try:
            yield str(source), read_header(_source(source.path), max_pixels=max_pixels)
        except ImageError as error:
            yield str(source), error


def write_animation(frames: Sequence[Raster], path: Path, source: str) -> None:
    """Write frames to `path`, whole or not at all, in the format of its name. Refuses to replace `source`; ImageError names `path`."""
    refuse_input(path, identities(list_sources([source], frozenset())))
    try:
        with atomic_write(path) as stream:
            encode(frames, path.suffix, stream=stream, animated=True)
    except OSError as error:
        raise ImageError(f"{path}: {reason(error)}") from None


def _source(path: Place | None) -> Path | bytes:
    if path is not None:
        return readable(path)
    if sys.stdin is None:
        raise ImageError("it is closed; give a file, or a pipe")
    return sys.stdin.buffer.read()
