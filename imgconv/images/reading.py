"""Open image files, bytes and streams: the content decides the format, limits are checked first, frames are decoded one at a time.

A pipe carries one image of any format, or many PNM, PAM, PNG or npy images, each of which is available before the next one arrives.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from importlib import import_module
from io import BufferedReader, BytesIO, FileIO
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO, cast

from imgconv.errors import ImageError
from imgconv.images.damage import DamageError, image_errors, read_exactly
from imgconv.images.decoder import DEFAULT_MAX_PIXELS, DEFAULT_REQUEST, Decoder, Request
from imgconv.images.formats import FORMATS, INPUTS, SIGNATURE_LENGTH, foreign, sniff
from imgconv.images.raster import Header, Raster
from imgconv.images.rows import RowReader
from imgconv.images.zarr.store import Readable, Store, is_zarr

if TYPE_CHECKING:
    from imgconv.images.region import Region

_BY_ROWS = ("npy", "png", "pnm", "tiff", "zarr")
_PIECE = 1 << 20  # bytes that are read from a pipe at a time
_FREE = 1 << 26  # bytes that are read of any image; more are read only if its size needs them
_BYTES_PER_PIXEL = 32  # at most, in any format: four channels of float64
_WHOLE_FILES = ("npz", "avif", "heif", "webp")  # formats whose header is read from whole files only; they need less than 2 bytes a pixel
_MOST_EXPANSION = 1 << 16  # pixels for each byte of a file: deflate gives 1000, and tiles that are missing a few thousand
_MOST_SPACE = 1 << 16  # bytes of white space between two images of a stream


def read_whole(stream: BinaryIO, *, max_pixels: int | None = DEFAULT_MAX_PIXELS) -> bytes:
    """Read one image from a pipe or a server, to its end.

    Raises ImageError after the first bytes if they are not those of an image, and if more bytes follow than an image of its size, or of
    `max_pixels`, can need. Returns an empty result for an empty stream.
    """
    data = BytesIO()
    while data.tell() < SIGNATURE_LENGTH and (piece := stream.read(SIGNATURE_LENGTH - data.tell())):
        data.write(piece)
    if not data.tell():
        return b""
    name, most = _format_of(data.getvalue()), _FREE
    while True:
        piece = stream.read(_PIECE)
        data.write(piece)
        if not piece:
            return data.getvalue()
        if data.tell() > most == _FREE:
            most += _most_bytes(name, data.getvalue(), max_pixels)
        if data.tell() > most:
            raise ImageError(f"more than {most} bytes follow, which no {name} image of its size needs; send one image")


def _most_bytes(name: str, beginning: bytes, max_pixels: int | None) -> int:
    """Return the most bytes that an image needs of which the first ones are known."""
    most = max_pixels or 1 << 40
    try:
        header = read_header(beginning, Request(max_pixels=max_pixels))
    except ImageError:
        if name in _WHOLE_FILES:
            return 2 * most
        if name == "tiff" and int.from_bytes(beginning[4:8], "little" if beginning[:1] == b"I" else "big") > len(beginning):
            return _BYTES_PER_PIXEL * most  # the directory follows the pixels
        raise
    return _BYTES_PER_PIXEL * header.size[0] * header.size[1] * header.frames


class Frames:
    """An opened file: its `header`, and its frames, over which one can iterate once. Use it in a `with` statement."""

    def __init__(self, file: BinaryIO | None, decoder: Decoder):
        self._file = file
        self._decoder = decoder
        self.header = decoder.header

    def __iter__(self) -> Iterator[Raster]:
        return self._decoder.frames()

    def rows(self) -> Sequence[RowReader] | None:
        """Return the rows of each frame, if they can be read without decoding all of it; else None.

        Use either the rows or the frames. A file that would expand more than any image does has none. Raises ImageError.
        """
        header = self.header
        if self._decoder.rows is None:
            return None
        if self._file is None:  # chunks of an array may be missing, so that the size of its files does not count
            return self._decoder.rows()
        position, size = self._file.tell(), self._file.seek(0, 2)
        self._file.seek(position)
        is_bomb = header.size[0] * header.size[1] > _MOST_EXPANSION * size
        return None if is_bomb else self._decoder.rows()

    def cropped(self, region: "Region", max_pixels: int | None) -> "Frames":
        """Return the frames of a region. Raises ImageError for one outside of the image, and for an image that is too large to decode."""
        from imgconv.images.region import decoder_of

        if self._decoder.rows is None:
            check_size(self.header, max_pixels)
        return Frames(self._file, decoder_of(self._decoder, region))

    def __enter__(self) -> "Frames":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()


def open_frames(source: Readable, request: Request = DEFAULT_REQUEST) -> Frames:
    """Open an image file, the bytes of one, or a Zarr; only the header is read, and frames are decoded when the iteration reaches them.

    Raises ImageError with the reason, without the name of the file, and MissingExtra for HEIC without pillow-heif.

    >>> with open_frames(b"P5 2 1 255 ab") as images:
    ...     [image.pixels.ravel().tolist() for image in images]
    [[97, 98]]
    """
    store = Store(source) if isinstance(source, Path) and is_zarr(source) else source
    if isinstance(store, Store):
        return _open_store(store, request)
    with image_errors("cannot be read"):
        file = _opened(store, request.max_pixels)
    with ExitStack() as stack:
        stack.callback(file.close)
        frames = Frames(file, _decoder(file, request))
        stack.pop_all()
    return frames


def read_header(source: Readable, request: Request = DEFAULT_REQUEST) -> Header:
    """Return size, channels, depth and number of frames of an image file, or of the bytes of one. Decodes nothing.

    >>> read_header(b"P5 2 1 255 ab").size
    (1, 2)
    """
    with open_frames(source, request) as frames:
        return frames.header


def check_size(header: Header, max_pixels: int | None) -> None:
    """Raise ImageError for an image that has more than `max_pixels`, as `open_frames` does without `by_rows`."""
    request = Request(max_pixels=max_pixels)
    request.check_size(*header.size)
    request.check_frames(header)


def read_stream(stream: BinaryIO, request: Request = DEFAULT_REQUEST) -> Iterator[Frames]:
    """Yield the images of a binary stream in order, without reading past the end of one before the caller requests the next.

    PNM, PAM, PFM, PNG and npy images can follow each other; any other format takes the whole stream. Memory is bounded by one frame, or
    one PNG file. Use the frames of an image before the next image; unused ones are skipped. Raises ImageError as `open_frames` does, from
    the second image on with its number.

    >>> [[frame.size for frame in images] for images in read_stream(BytesIO(b"P5 2 1 255 abP5 1 1 255 c"))]
    [[(1, 2)], [(1, 1)]]
    """
    for number in count(1):
        with _named(number):
            head = _next_bytes(stream)
            if not head:
                if number == 1:
                    raise ImageError("contains no data")
                return
            opened = _open(_LookAhead(head, stream), head, request, first=number == 1)
        frames = _numbered(iter(opened), number)
        yield Frames(BytesIO(), Decoder(opened.header, partial(iter, frames)))
        for _ in frames:
            pass


def _opened(source: Path | bytes, max_pixels: int | None) -> BinaryIO:
    if isinstance(source, bytes):
        return BytesIO(source)
    file = BufferedReader(FileIO(source))
    if file.seekable():
        return file
    with file:  # a named pipe, such as a shell's <(command)
        return BytesIO(read_whole(cast(BinaryIO, file), max_pixels=max_pixels))


def _open_store(store: Store, request: Request) -> Frames:
    from imgconv.images.zarr import reader as zarr_reader

    decoder = zarr_reader.decoder(store, request)
    request.check_frames(decoder.header)
    return Frames(None, decoder)


def _decoder(file: BinaryIO, request: Request) -> Decoder:
    with image_errors("cannot be read"):
        head = file.read(SIGNATURE_LENGTH)
        file.seek(0)
    if not head:
        raise ImageError("contains no data")
    name = _format_of(head)
    if request.level and name != "tiff":
        raise ImageError(f"{name} images have no reduced copies; leave out --level")
    decoder = _decoder_for(name, file, request if name in _BY_ROWS else request._replace(by_rows=False))
    request._replace(by_rows=request.by_rows and decoder.rows is not None).check_frames(decoder.header)
    return decoder


def _format_of(head: bytes) -> str:
    name = sniff(head)
    if name is None:
        raise ImageError(foreign(head) or f"not an image of a known format ({', '.join(INPUTS)})")
    return name


def _decoder_for(name: str, file: BinaryIO, request: Request) -> Decoder:
    reader = FORMATS[name].reader
    if reader is None or reader == "zarr.reader":
        raise ImageError(f"{name} files cannot be read as images")
    if reader == "pillow":
        from imgconv.images import pillow

        return pillow.decoder(file, name, request)
    if reader == "npz":
        from imgconv.images import npy

        return npy.archive_decoder(file, request)
    decoder: Decoder = import_module(f"imgconv.images.{reader}").decoder(file, request)  # each module takes time to import
    return decoder


class _LookAhead:
    """A stream whose first bytes have been read already."""

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
    """Read the first two bytes of the next image, after white space; fewer at the end of the stream."""
    for _ in range(_MOST_SPACE):
        byte = stream.read(1)
        if not byte.isspace():
            return byte + stream.read(1) if byte else b""
    raise ImageError(f"more than {_MOST_SPACE} bytes of white space precede the image")


def _open(stream: _LookAhead, head: bytes, request: Request, first: bool) -> Frames:
    file = cast(BinaryIO, stream)
    if head[:1] == b"P" and head[1:] in (b"1", b"2", b"3", b"4", b"5", b"6", b"7", b"f", b"F"):
        from imgconv.images import pnm

        layout = pnm.read_layout(file, request)
        return Frames(BytesIO(), Decoder(pnm.header_of(layout), lambda: pnm.one_frame(file, layout, request.salvage)))
    if head == b"\x93N":
        return Frames(BytesIO(), _decoder_for("npy", file, request))
    if head == b"\x89P":
        data = _one_png(file, request)
    elif first:
        data = read_whole(file, max_pixels=request.max_pixels)
        if head == b"\xff\xd8":
            from imgconv.images import jpeg

            with image_errors("damaged jpeg"):
                jpeg.check_one_image(data)
    else:
        raise DamageError("expected a PNM, PNG or npy image after the previous one")
    return open_frames(data, request)


def _one_png(file: BinaryIO, request: Request) -> bytes:
    """Read the bytes of one PNG, to the end of its last chunk. Raises ImageError if they are more than its size explains."""
    from imgconv.images.png import chunks as png_chunks

    data = BytesIO()
    most, name = 0, b""
    try:
        data.write(read_exactly(file, 8))
        while name != b"IEND":
            head = read_exactly(file, 8)
            length, name = int.from_bytes(head[:4], "big") + 4, head[4:]
            if not name.isalpha():
                raise ImageError("damaged png: a chunk has no name")
            if name == b"IDAT" and not most:
                header = png_chunks.read_head(BytesIO(data.getvalue() + head))
                request.check_size(*header.size)
                most = _FREE + _BYTES_PER_PIXEL * header.size[0] * header.size[1] * header.frames
            if data.tell() + length > (most or _FREE):
                raise ImageError(f"more than {most or _FREE} bytes follow, which no png image of its size needs; send one image")
            data.write(head)
            data.write(read_exactly(file, length))
    except DamageError:
        if not request.salvage:
            raise
    return data.getvalue()


@contextmanager
def _named(number: int) -> Iterator[None]:
    """Turn errors into an ImageError, from the second image on with the number of the image."""
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
