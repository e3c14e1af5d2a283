"""PNM (PBM, PGM, PPM), PAM and PFM: read and write them exactly, from files and pipes.

Pillow narrows 16-bit PPM to 8 bits and does not read PAM.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from math import prod
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from imgconv.errors import ImageError
from imgconv.images.damage import DamageError, TruncatedError, image_errors, read_exactly
from imgconv.images.decoder import Decoder, Request
from imgconv.images.raster import DEFAULT_ENCODING, Encoding, Header, Metadata, Raster
from imgconv.images.rows import BandedImage, RowReader

_LONGEST_HEADER = 1 << 16  # bytes, comments included
_LONGEST_SAMPLE = 32  # bytes of a decimal number with the space around it
_CHANNELS = {b"P1": 1, b"P2": 1, b"P3": 3, b"P4": 1, b"P5": 1, b"P6": 3, b"Pf": 1, b"PF": 3}
_PLAIN = (b"P1", b"P2", b"P3")  # decimal numbers
_DECIMAL = b"-0123456789 \t\n\v\f\r"
_TUPLE_TYPES = {1: b"GRAYSCALE", 2: b"GRAYSCALE_ALPHA", 3: b"RGB", 4: b"RGB_ALPHA"}
_BILEVEL_TYPES = {1: b"BLACKANDWHITE", 2: b"BLACKANDWHITE_ALPHA"}


@dataclass(frozen=True)
class Layout:
    """The header of one PNM image. `scale` is that of a PFM, whose sign gives the byte order; 0 for integers.

    `has_comment` means that the file has a comment, which no result has.
    """

    magic: bytes
    height: int
    width: int
    channels: int
    maxval: int = 1
    alpha: bool = False
    scale: float = 0.0
    has_comment: bool = False

    @property
    def dtype(self) -> str:
        """The dtype of the pixels."""
        return "float32" if self.scale else "uint8" if self.maxval < 256 else "uint16"

    @property
    def metadata(self) -> Metadata:
        """What the image has besides pixels."""
        return Metadata(dropped=("comment",)) if self.has_comment else Metadata()

    @property
    def length(self) -> int:
        """Bytes of binary data."""
        if self.magic == b"P4":
            return self.height * -(-self.width // 8)
        return self.height * self.width * self.channels * (4 if self.scale else 1 if self.maxval < 256 else 2)


def decoder(file: BinaryIO, request: Request) -> Decoder:
    """Return the decoder of a seekable PNM file; further images after the first are its frames."""
    layouts: list[tuple[int, Layout]] = []
    with image_errors("damaged pnm"):
        while not layouts or _has_another(file):
            layout = read_layout(file, request)
            layouts.append((file.tell(), layout))
            if layout.magic in _PLAIN:
                break
            file.seek(layout.length, 1)
    rows = None if layout.magic in _PLAIN else lambda: [_Rows(file, *each, request.salvage) for each in layouts]
    return Decoder(header_of(layouts[0][1], len(layouts)), lambda: _frames(file, layouts, request.salvage), rows)


class _Rows(RowReader):
    """The rows of binary data from `start` on. A PFM has the last row first."""

    def __init__(self, file: BinaryIO, start: int, layout: Layout, salvage: bool):
        self.header, self.metadata = header_of(layout), layout.metadata
        self._file, self._start, self._layout, self._salvage = file, start, layout, salvage

    def read(self, first: int, last: int) -> NDArray[Any]:
        layout = self._layout
        above = layout.height - last if layout.scale else first
        with image_errors("damaged pnm"):
            self._file.seek(self._start + replace(layout, height=above).length)
            return read_image(self._file, replace(layout, height=last - first), self._salvage).pixels


def header_of(layout: Layout, frames: int = 1) -> Header:
    """Return the header of an image with this layout."""
    text = 9.5 * layout.channels if layout.magic in _PLAIN else 0.0
    return Header("pnm", (layout.height, layout.width), layout.channels, layout.dtype, layout.alpha, frames, conversion=text)


def read_layout(file: BinaryIO, request: Request) -> Layout:
    """Read one PNM header, and not a byte more, from a file or pipe.

    Raises DamageError for an invalid header, ImageError for an image that is too large or too deep.
    """
    magic = read_exactly(file, 2)
    if magic == b"P7":
        layout = _pam_layout(file)
    elif magic in _CHANNELS:
        numbers = 2 if magic in (b"P1", b"P4") else 3
        values, comments = zip(*[_token(file) for _ in range(numbers)], strict=True)
        width, height = int(values[0]), int(values[1])
        layout = Layout(magic, height, width, _CHANNELS[magic], has_comment=any(comments))
        if magic in (b"Pf", b"PF"):
            layout = replace(layout, scale=float(values[2]))
        elif numbers == 3:
            layout = replace(layout, maxval=int(values[2]))
    else:
        raise DamageError("the signature of a PNM image is missing")
    request.check_size(layout.height, layout.width)
    if layout.maxval > 65535:
        raise ImageError(f"pnm images with a maxval of {layout.maxval} are not supported; use at most 65535")
    if layout.maxval < 1 or (layout.scale == 0) == (magic in (b"Pf", b"PF")):
        raise DamageError("the maxval must be at least 1, and the scale of a PFM must not be 0")
    return layout


def read_image(file: BinaryIO, layout: Layout, salvage: bool = False) -> Raster:
    """Read the pixels that follow a header; `salvage` replaces missing ones by 0.

    Values are scaled to 0 to 255, or to 0 to 65535 for a maxval above 255.
    """
    if layout.magic in _PLAIN:
        text = _plain_text(file, layout)
        layout = replace(layout, has_comment=layout.has_comment or b"#" in text)
        return Raster(_scaled(_plain_samples(text, layout), layout), metadata=layout.metadata)
    data = file.read(layout.length).ljust(layout.length, b"\0") if salvage else read_exactly(file, layout.length)
    shape = layout.height, layout.width, layout.channels
    if layout.scale:
        rows = np.frombuffer(data, "<f4" if layout.scale < 0 else ">f4").reshape(shape)
        return Raster(np.ascontiguousarray(rows[::-1], np.float32), metadata=layout.metadata)
    if layout.magic == b"P4":
        bits = np.unpackbits(np.frombuffer(data, np.uint8).reshape(layout.height, -1), axis=1, count=layout.width)
        return Raster((1 - bits)[..., None] * np.uint8(255), metadata=layout.metadata)
    samples = np.frombuffer(data, np.uint8 if layout.maxval < 256 else ">u2").reshape(shape)
    return Raster(_scaled(samples, layout), layout.alpha, layout.metadata)


def one_frame(file: BinaryIO, layout: Layout, salvage: bool) -> Iterator[Raster]:
    """Yield the image that follows a header, read when the iterator reaches it."""
    yield read_image(file, layout, salvage)


def encode(frames: Iterable[Raster], stream: BinaryIO, encoding: Encoding = DEFAULT_ENCODING) -> None:
    """Write images one after the other: PGM, PPM, or PAM where there is alpha; 8 or 16 bits; PFM for floats without alpha.

    >>> import io
    >>> file = io.BytesIO()
    >>> encode([Raster(np.full((1, 2, 1), 65, np.uint8))], file)
    >>> file.getvalue()
    b'P5\\n2 1\\n255\\nAA'
    """
    for frame in frames:
        encode_rows(BandedImage.of(frame), stream)


def encode_rows(image: BandedImage, stream: BinaryIO, encoding: Encoding = DEFAULT_ENCODING) -> None:
    """Write one image, its rows as they arrive; in a PFM, which has the last row first, each band goes to its place."""
    height, width, channels = image.shape
    if image.dtype == np.float32:
        stream.write(b"P%s\n%d %d\n-1.0\n" % (b"f" if channels == 1 else b"F", width, height))
        _write_upwards(image, stream)
        return
    maxval = np.iinfo(image.dtype).max
    if image.alpha:
        tail = (width, height, channels, maxval, _TUPLE_TYPES[channels])
        stream.write(b"P7\nWIDTH %d\nHEIGHT %d\nDEPTH %d\nMAXVAL %d\nTUPLTYPE %s\nENDHDR\n" % tail)
    else:
        stream.write(b"P%d\n%d %d\n%d\n" % (5 if channels == 1 else 6, width, height, maxval))
    for band in image.bands:
        stream.write(np.ascontiguousarray(band, ">u2" if maxval > 255 else None).data)


def _write_upwards(image: BandedImage, stream: BinaryIO) -> None:
    rows = 0
    start = stream.tell() if image.shape[0] * image.row_bytes and stream.seekable() else 0
    for band in image.bands:
        rows += len(band)
        if len(band) < image.shape[0]:
            stream.seek(start + (image.shape[0] - rows) * image.row_bytes)
        stream.write(np.ascontiguousarray(band[::-1], "<f4").data)
    if stream.seekable():
        stream.seek(0, 2)


def _has_another(file: BinaryIO) -> bool:
    """Return whether another image begins at the position of the file."""
    head = file.read(3)
    file.seek(-len(head), 1)
    return head[:2] in (*_CHANNELS, b"P7") and head[2:].isspace()


def _frames(file: BinaryIO, layouts: list[tuple[int, Layout]], salvage: bool) -> Iterator[Raster]:
    for number, (start, layout) in enumerate(layouts, 1):
        with image_errors("damaged pnm" + (f", image {number}" if len(layouts) > 1 else "")):
            file.seek(start)
            raster = read_image(file, layout, salvage)
        yield raster


def _token(file: BinaryIO) -> tuple[bytes, bool]:
    """Read the next word of a header and the one white space after it; return also whether there was a comment.

    A comment with its line end is white space, as in Netpbm.
    """
    word, has_comment = b"", False
    for _ in range(_LONGEST_HEADER):
        byte = read_exactly(file, 1)
        if byte == b"#":
            _skip_comment(file)
            byte, has_comment = b"\n", True
        if not byte.isspace():
            word += byte
        elif word:
            return word, has_comment
    raise DamageError("the header does not end")


def _skip_comment(file: BinaryIO) -> None:
    for _ in range(_LONGEST_HEADER):
        if read_exactly(file, 1) in (b"\n", b"\r"):
            return
    raise DamageError("a comment in the header does not end")


def _pam_layout(file: BinaryIO) -> Layout:
    fields: dict[bytes, bytes] = {}
    line = b""
    for _ in range(_LONGEST_HEADER):
        byte = read_exactly(file, 1)
        line += byte
        if byte != b"\n":
            continue
        name, _, value = line.strip().partition(b" ")
        if name == b"ENDHDR":
            break
        fields[name] = value.strip()
        line = b""
    missing = [name.decode() for name in (b"WIDTH", b"HEIGHT", b"DEPTH", b"MAXVAL") if name not in fields]
    if missing:
        raise DamageError(f"the PAM header lacks {', '.join(missing)}")
    height, width, depth, maxval = (int(fields[name]) for name in (b"HEIGHT", b"WIDTH", b"DEPTH", b"MAXVAL"))
    if not 1 <= depth <= 4:
        raise ImageError(f"expected a PAM depth of 1 to 4, got {depth}; save the image as .npy")
    kind = fields.get(b"TUPLTYPE") or _TUPLE_TYPES[depth]
    if kind not in (_TUPLE_TYPES[depth], _BILEVEL_TYPES.get(depth)):
        text = kind.decode("ascii", "backslashreplace")
        raise ImageError(f"a PAM of the tuple type {text} and depth {depth} is not supported; save the image as .tiff or .npy")
    return Layout(b"P7", height, width, depth, maxval, depth in (2, 4), has_comment=any(name.startswith(b"#") for name in fields))


def _plain_text(file: BinaryIO, layout: Layout) -> bytes:
    """Read the rest of a file or pipe; it may have _LONGEST_SAMPLE bytes for each sample, and comments."""
    most = _LONGEST_HEADER + _LONGEST_SAMPLE * prod((layout.height, layout.width, layout.channels))
    text = file.read(most + 1)
    if len(text) > most:
        raise DamageError(f"more than {most} bytes follow the header")
    return text


def _plain_samples(text: bytes, layout: Layout) -> NDArray[Any]:
    """Return samples written as decimal numbers; a PBM needs no space between its digits."""
    shape = layout.height, layout.width, layout.channels
    if b"#" in text:
        text = b" ".join(line.partition(b"#")[0] for line in text.splitlines())
    if layout.magic == b"P1":
        values = np.frombuffer(b"".join(text.split()), np.uint8).astype(np.int32) - ord("0")
    else:
        try:
            if text.translate(None, _DECIMAL):  # older versions of NumPy end before other characters, with a warning
                raise ValueError
            values = np.fromstring(text.decode("ascii"), np.int32, sep=" ")
        except ValueError as error:
            raise DamageError("expected decimal numbers only; a PNM in decimal numbers holds one image") from error
    if len(values) < prod(shape):
        raise TruncatedError
    values = values[: prod(shape)].reshape(shape)
    if values.min() < 0:
        raise DamageError("negative values")
    return 1 - values if layout.magic == b"P1" else values


def _scaled(samples: NDArray[Any], layout: Layout) -> NDArray[Any]:
    full = np.iinfo(layout.dtype).max
    if layout.maxval == full:
        return np.ascontiguousarray(samples, layout.dtype)
    if samples.max() > layout.maxval:
        raise DamageError(f"values above the maxval of {layout.maxval}")
    return np.rint(samples * (full / layout.maxval)).astype(layout.dtype)
