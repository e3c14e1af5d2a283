"""Images for commands that read a few: headers and first frames of files and standard input."""

import sys
from collections.abc import Iterator, Sequence

from imgconv.batch.paths import path_or_bytes
from imgconv.batch.protection import identified, inputs_of
from imgconv.batch.sources import STDIN, list_sources
from imgconv.batch.urls import AnyPath, parse_path
from imgconv.errors import ImageError, reason
from imgconv.images import Header, Raster, Request, open_frames, read_header, read_whole
from imgconv.images.zarr.store import Readable
from imgconv.inputs import Inputs


def first_image(name: str, request: Request) -> Raster:
    """Read the first frame of a path, a URL or `-`. Raises ImageError, which names it, and UsageError if standard output goes to it."""
    return first_frame(name, request)[0]


def first_frame(name: str, request: Request) -> tuple[Raster, int]:
    """Read the first frame of a path, a URL or `-`, and the number of frames. Raises ImageError, which names it."""
    path = None if name == STDIN else parse_path(name)
    Inputs([] if path is None else [identified(path)], reads_stdin=path is None).refuse_stdout()
    try:
        file = _contents(path, request.max_pixels)
        with open_frames(file, request) as opened:
            return next(iter(opened)), opened.header.frames
    except OSError as error:
        text = str(error) if isinstance(error, ImageError) else reason(error)
        raise ImageError(f"{'standard input' if name == STDIN else name}: {text}") from None


def headers(inputs: Sequence[str], request: Request) -> Iterator[tuple[str, Header | ImageError]]:
    """Yield the name and the header, or the error, of every image in `inputs`; nothing is decoded.

    Raises UsageError if standard output goes to one of them.
    """
    sources = list_sources(inputs)
    inputs_of(sources).refuse_stdout()
    for source in sources:
        try:
            yield str(source), read_header(_contents(source.path, request.max_pixels), request)
        except ImageError as error:
            yield str(source), error


def _contents(path: AnyPath | None, max_pixels: int | None) -> Readable:
    if path is not None:
        return path_or_bytes(path, max_pixels)
    if sys.stdin is None:
        raise ImageError("it is closed; give a file, or a pipe")
    return read_whole(sys.stdin.buffer, max_pixels=max_pixels)
