"""Names of inputs that another program lists: `find ... -print0`."""

import sys
from pathlib import Path

from imgconv.batch.sources import STDIN
from imgconv.errors import PictureError, UsageError


def read_names(where: str) -> list[str]:
    """The names in a file, or on standard input for `-`, each ended by a zero byte (the last one's may be missing).

    Names are bytes to the file system and stay so, whatever their encoding. Raises UsageError for a list that is not of that form,
    PictureError for one that cannot be read.
    """
    try:
        data = sys.stdin.buffer.read() if where == STDIN else Path(where).read_bytes()
    except OSError as error:
        raise PictureError(f"--files0-from {where}: {(error.strerror or str(error)).lower()}") from None
    if b"\0" not in data and b"\n" in data:
        raise UsageError(f"--files0-from {where} has lines, not names ended by zero bytes; make it with find -print0")
    names = data.split(b"\0")
    if names[-1] == b"":
        names.pop()
    if b"" in names:
        raise UsageError(f"--files0-from {where} has an empty name, number {names.index(b'') + 1}")
    return [_decoded(name) for name in names]


def _decoded(name: bytes) -> str:
    return name.decode(sys.getfilesystemencoding(), sys.getfilesystemencodeerrors())
