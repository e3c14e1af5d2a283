"""Errors of damaged files: whatever a decoder or encoder raises becomes one ImageError of one line."""

import os
import re
import struct
import tokenize
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from PIL import Image

from imgconv.errors import ImageError, ImgconvError, lacks_threads, one_line, reason

_LARGEST_READ = 1 << 26  # most bytes that are allocated before a file turns out to be shorter than its header claims

_UNUSED = 64  # zeros at the end of pixels, which no encoder writes unless they are data of an even area
_MOST_THREADS = 16  # that a library starts for an image
_DAMAGED = "damaged "
_UNSUPPORTED = re.compile(
    r"unsupported|not support(?!ed between)|not (yet )?implemented|unimplemented|cannot handle|can't handle|missing dependencies",
    re.IGNORECASE,
)

# Pillow, NumPy, tifffile and imagecodecs raise all of these for damaged files; imagecodecs' own errors are RuntimeErrors.
DECODER_ERRORS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    BufferError,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    Warning,
    Image.DecompressionBombError,
    struct.error,
    tokenize.TokenError,
    zlib.error,
)


_LIBRARIES = ("_compression", "astropy", "nibabel", "pydicom")  # their own errors derive from Exception alone; the first one is astropy's


class DamageError(ValueError):
    """Damage that one of our own readers detects; `image_errors` turns it into an ImageError that names the format."""


class TruncatedError(DamageError):
    """A file or pipe that ends too early."""

    def __init__(self) -> None:
        super().__init__("unexpected end of data")


@contextmanager
def image_errors(prefix: str) -> Iterator[None]:
    """Turn errors of decoders and encoders into an ImageError: `prefix`, and a reason of one line.

    A valid file that is not supported is not reported as damaged.

    >>> with image_errors("damaged png"):
    ...     raise ValueError("Bad header.")
    Traceback (most recent call last):
    imgconv.errors.ImageError: damaged png: bad header
    """
    try:
        yield
    except ImgconvError:
        raise
    except MemoryError as error:
        raise ImageError(one_line(error)) from error
    except Exception as error:
        if not isinstance(error, DECODER_ERRORS) and type(error).__module__.partition(".")[0] not in _LIBRARIES:
            raise
        from imgconv.ahead import can_start

        if lacks_threads(error) or not can_start(min(os.cpu_count() or 1, _MOST_THREADS)):  # libraries call that damage
            raise ImageError(one_line(RuntimeError("can't start new thread"))) from error
        text = reason(error) if str(error) else f"{type(error).__name__} in its data"
        if prefix.startswith(_DAMAGED) and _UNSUPPORTED.search(text):
            text = f"{prefix.removeprefix(_DAMAGED)} images of this kind are not supported: {text}; convert it to .png or .tiff"
            raise ImageError(text) from error
        raise ImageError(f"{prefix}: {text}") from error


def with_other_end(data: bytes, start: int, end: int) -> bytes | None:
    """Return a file whose compressed pixels between two places are other ones if it is whole; None unless they end in many zeros.

    Zeros take less space than the pixels in whose place they are, so that the last ones are not used.
    """
    if not data.endswith(bytes(_UNUSED), start, end):
        return None
    half = _UNUSED // 2
    return data[: end - half] + b"\xff" * half + data[end:]


def read_exactly(file: BinaryIO, length: int) -> bytes:
    """Read `length` bytes from a file or pipe, and not one more. Raises TruncatedError if it ends before.

    >>> from io import BytesIO
    >>> read_exactly(BytesIO(b"abc"), 2)
    b'ab'
    """
    parts = []
    while length > 0:
        part = file.read(min(length, _LARGEST_READ))
        if not part:
            raise TruncatedError
        parts.append(part)
        length -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)
