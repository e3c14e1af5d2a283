"""From a file, or bytes, to images: content decides the format, limits are checked first, frames are decoded one at a time.

Images from a pipe: one of any format, or many PNM, PAM, PNG or npy ones after each other, each given before the next has arrived.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from importlib import import_module
from io import BufferedReader, BytesIO, FileIO
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, cast

from imgconv.errors import ImageError
from imgconv.images import npy, pillow, pnm
from imgconv.images.damage import DamageError, image_errors, read_exactly
from imgconv.images.formats import INPUTS, SIGNATURE_LENGTH, sniff
from imgconv.images.raster import DEFAULT_MAX_PIXELS, Decoder, Header, Luma, Raster, Request


class Frames:
    """An opened file: its `header`, and, iterated once, its frames. Use it in a `with` statement."""

    def __init__(self, file: BinaryIO, decoder: Decoder):
        self._file = file
        self._decoder = decoder
        self.header = decoder.header

    def __iter__(self) -> Iterator[Raster]:
        return self._decoder.frames()

    def __enter__(self) -> "Frames":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def open_frames(source: Path | bytes, *, luma: Luma = "no", max_pixels: int | None = DEFAULT_MAX_PIXELS, salvage: bool = False) -> Frames:
    """Open an image file, or the bytes of one; only its header is read, frames are decoded as they are asked for.

    `luma` is about a JPEG's own Y, which other formats lack: `only` gives it as one grey channel (the header still counts three),
    `beside` gives it in `Raster.luma` with the colours. An image of more than `max_pixels` is refused, None lifts the limit.
    `salvage` keeps what can be had of a damaged file.
    Raises ImageError with the reason, without the file's name, and MissingExtra for HEIC without pillow-heif.

    >>> with open_frames(b"P5 2 1 255 ab") as images:
    ...     [image.pixels.ravel().tolist() for image in images]
    [[97, 98]]
    """
    request = Request(luma, max_pixels, salvage)
    with image_errors("cannot be read"):
        file = _opened(source)
    with ExitStack() as stack:
        stack.callback(file.close)
        rasters = Frames(file, _decoder(file, request))
        stack.pop_all()
    return rasters


def read_header(source: Path | bytes, *, max_pixels: int | None = DEFAULT_MAX_PIXELS) -> Header:
    """Size, channels, depth and frames of an image file, or of the bytes of one. Decodes nothing.

    >>> read_header(b"P5 2 1 255 ab").size
    (1, 2)
    """
    with open_frames(source, max_pixels=max_pixels) as rasters:
        return rasters.header


def _opened(source: Path | bytes) -> BinaryIO:
    if isinstance(source, bytes):
        return BytesIO(source)
    file = BufferedReader(FileIO(source))
    if file.seekable():
        return file
    with file:  # a pipe by name, such as a shell's <(command)
        return BytesIO(file.read())


def _decoder(file: BinaryIO, request: Request) -> Decoder:
    with image_errors("cannot be read"):
        head = file.read(SIGNATURE_LENGTH)
        file.seek(0)
    if not head:
        raise ImageError("it is empty")
    name = sniff(head)
    if name is None:
        raise ImageError(f"not an image of a known format ({', '.join(INPUTS)})")
    if name in ("npy", "pnm"):  # readers of our own, imported where one is needed
        own: Decoder = import_module(f"imgconv.images.{name}").decode(file, request)
        return own
    return pillow.decode(file, name, request)


_JPEG_AFTER_JPEG = b"\xff\xd9\xff\xd8\xff"
_PREVIEWS = b"MPF\0"  # in a JPEG that says itself that others, of the same image, come after it


def read_stream(
    stream: BinaryIO, *, luma: Luma = "no", max_pixels: int | None = DEFAULT_MAX_PIXELS, salvage: bool = False
) -> Iterator[Frames]:
    """Open the images that a binary stream carries, in order, never reading past the end of one before it was given and used.

    PNM, PAM, PFM, PNG and npy may follow each other; any other format takes the whole stream. Memory is bounded by one frame, or PNG file.
    Iterate over the frames of each image before asking for the next; frames not asked for are passed over.
    Raises ImageError as `open_frames` does, from the second image on with its number.

    >>> [[frame.size for frame in images] for images in read_stream(BytesIO(b"P5 2 1 255 abP5 1 1 255 c"))]
    [[(1, 2)], [(1, 1)]]
    """
    request = Request(luma, max_pixels, salvage)
    for number in count(1):
        with _named(number):
            head = _next_bytes(stream)
            if not head:
                if number == 1:
                    raise ImageError("it is empty")
                return
            rasters = _open(_Ahead(head, stream), head, request, first=number == 1)
        frames = _numbered(iter(rasters), number)
        yield Frames(BytesIO(), Decoder(rasters.header, partial(iter, frames)))
        for _ in frames:
            pass


class _Ahead:
    """A stream of which a few bytes were read ahead."""

    def __init__(self, head: bytes, stream: BinaryIO):
        self._head = head
        self._stream = stream

    def read(self, length: int = -1) -> bytes:
        if not self._head:
            return self._stream.read(length)
        if length < 0:
            head, self._head = self._head, b""
            return head + self._stream.read()
        head, self._head = self._head[:length], self._head[length:]
        return head


def _next_bytes(stream: BinaryIO) -> bytes:
    """The first two bytes of the next image, white space before it skipped; fewer at the end of the stream."""
    byte = stream.read(1)
    while byte.isspace():
        byte = stream.read(1)
    return byte + stream.read(1) if byte else b""


def _open(ahead: _Ahead, head: bytes, request: Request, first: bool) -> Frames:
    file = cast(BinaryIO, ahead)
    if head[:1] == b"P" and head[1:] in (b"1", b"2", b"3", b"4", b"5", b"6", b"7", b"f", b"F"):
        layout = pnm.read_layout(file, request)
        return Frames(BytesIO(), Decoder(pnm.header_of(layout), lambda: pnm.one_frame(file, layout, request.salvage)))
    if head == b"\x93N":
        return Frames(BytesIO(), npy.decode(file, request))
    if head == b"\x89P":
        data = _one_png(file, request.salvage)
    elif first:
        data = ahead.read()
        if head == b"\xff\xd8" and _JPEG_AFTER_JPEG in data and _PREVIEWS not in data:
            raise ImageError("jpeg images cannot follow each other; send them as png or ppm, as ffmpeg does with -c:v ppm")
    else:
        raise DamageError("no PNM, PNG or npy image begins where the one before ends")
    return open_frames(data, luma=request.luma, max_pixels=request.max_pixels, salvage=request.salvage)


def _one_png(file: BinaryIO, salvage: bool) -> bytes:
    """The bytes of one PNG, to the end of its last chunk."""
    parts = [read_exactly(file, 8)]
    try:
        while parts[-1][4:8] != b"IEND":
            head = read_exactly(file, 8)
            parts.append(head + read_exactly(file, int.from_bytes(head[:4], "big") + 4))
    except DamageError:
        if not salvage:
            raise
    return b"".join(parts)


@contextmanager
def _named(number: int) -> Iterator[None]:
    """Errors as ImageError, from the second image on with the image's number."""
    try:
        with image_errors("cannot be read"):
            yield
    except ImageError as error:
        if number == 1:
            raise
        raise ImageError(f"image {number} of the stream: {error}") from error


def _numbered(frames: Iterator[Raster], number: int) -> Iterator[Raster]:
    while True:
        with _named(number):
            frame = next(frames, None)
        if frame is None:
            return
        yield frame
