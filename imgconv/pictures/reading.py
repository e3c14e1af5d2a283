"""From a file, or bytes, to pictures: content decides the format, limits are checked first, frames are decoded one at a time."""

from collections.abc import Iterator
from contextlib import ExitStack
from importlib import import_module
from io import BufferedReader, BytesIO, FileIO
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from imgconv.errors import PictureError
from imgconv.pictures import decoding
from imgconv.pictures.damage import picture_errors
from imgconv.pictures.formats import INPUTS, SIGNATURE_LENGTH, sniff
from imgconv.pictures.picture import DEFAULT_MAX_PIXELS, Decoder, Header, Luma, Picture, Request


class Pictures:
    """An opened file: its `header`, and, iterated once, its frames. Use it in a `with` statement."""

    def __init__(self, file: BinaryIO, decoder: Decoder):
        self._file = file
        self._decoder = decoder
        self.header = decoder.header

    def __iter__(self) -> Iterator[Picture]:
        return self._decoder.frames()

    def __enter__(self) -> "Pictures":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def open_pictures(
    source: Path | bytes, *, luma: Luma = "no", max_pixels: int | None = DEFAULT_MAX_PIXELS, salvage: bool = False
) -> Pictures:
    """Open a picture file, or the bytes of one; only its header is read, frames are decoded as they are asked for.

    `luma` is about a JPEG's own Y, which other formats lack: `only` gives it as one grey channel (the header still counts three),
    `beside` gives it in `Picture.luma` with the colours. A picture of more than `max_pixels` is refused, None lifts the limit.
    `salvage` keeps what can be had of a damaged file.
    Raises PictureError with the reason, without the file's name, and MissingExtra for HEIC without pillow-heif.

    >>> with open_pictures(b"P5 2 1 255 ab") as pictures:
    ...     [picture.pixels.ravel().tolist() for picture in pictures]
    [[97, 98]]
    """
    request = Request(luma, max_pixels, salvage)
    with picture_errors("cannot be read"):
        file = _opened(source)
    with ExitStack() as stack:
        stack.callback(file.close)
        pictures = Pictures(file, _decoder(file, request))
        stack.pop_all()
    return pictures


def read_header(source: Path | bytes, *, max_pixels: int | None = DEFAULT_MAX_PIXELS) -> Header:
    """Size, channels, depth and frames of a picture file, or of the bytes of one. Decodes nothing.

    >>> read_header(b"P5 2 1 255 ab").size
    (1, 2)
    """
    with open_pictures(source, max_pixels=max_pixels) as pictures:
        return pictures.header


def _opened(source: Path | bytes) -> BinaryIO:
    if isinstance(source, bytes):
        return BytesIO(source)
    file = BufferedReader(FileIO(source))
    if file.seekable():
        return file
    with file:  # a pipe by name, such as a shell's <(command)
        return BytesIO(file.read())


def _decoder(file: BinaryIO, request: Request) -> Decoder:
    with picture_errors("cannot be read"):
        head = file.read(SIGNATURE_LENGTH)
        file.seek(0)
    if not head:
        raise PictureError("it is empty")
    name = sniff(head)
    if name is None:
        raise PictureError(f"not a picture of a known format ({', '.join(INPUTS)})")
    if name in ("npy", "pnm"):  # readers of our own, imported where one is needed
        own: Decoder = import_module(f"imgconv.pictures.{name}").decode(file, request)
        return own
    return decoding.decode(file, name, request)
