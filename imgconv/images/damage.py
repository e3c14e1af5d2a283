"""Whatever goes wrong while a file is read, said as one ImageError. Knows no format."""

import struct
import tokenize
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from PIL import Image

from imgconv.errors import ImageError, ImgconvError, reason

_MOST_AT_ONCE = 1 << 26  # bytes: what a lying header can make us allocate before the end of the file is seen

# Pillow, NumPy, tifffile and imagecodecs raise all of these for damaged files; imagecodecs' own errors are RuntimeErrors.
DECODER_ERRORS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    BufferError,
    EOFError,
    LookupError,
    MemoryError,
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


class DamageError(ValueError):
    """What our own readers say of a damaged file; `image_errors` makes it a ImageError that names the format."""


@contextmanager
def image_errors(doing: str) -> Iterator[None]:
    """Turn errors of decoders and encoders into a ImageError: `doing`, and a one-line reason."""
    try:
        yield
    except ImgconvError:
        raise
    except DECODER_ERRORS as error:
        raise ImageError(f"{doing}: {_reason(error)}") from error


def read_exactly(file: BinaryIO, length: int) -> bytes:
    """The next `length` bytes of a file or pipe, never one more. Raises DamageError where it ends before."""
    parts = []
    while length > 0:
        part = file.read(min(length, _MOST_AT_ONCE))
        if not part:
            raise DamageError("it is cut short")
        parts.append(part)
        length -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _reason(error: Exception) -> str:
    if isinstance(error, MemoryError):
        return "not enough memory"
    return reason(error) if str(error) else f"{type(error).__name__} in its data"
