"""Writing files whole or not at all."""

import contextlib
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

PART = ".imgconv-part"  # ends the names of files being written; such files are hidden and never taken as inputs


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A binary stream whose contents take the place of `path` once the block has ended well; otherwise `path` stays as it was.

    The new file is written beside the old one, flushed to disk and renamed. It keeps the old one's mode; a new one follows the
    umask. A link is followed; a device or pipe is written to directly. Raises OSError as the file system does.
    """
    target = Path(os.path.realpath(path))
    old = target.stat() if target.exists() else None
    if old is not None and not stat.S_ISREG(old.st_mode):
        with target.open("wb") as stream:
            yield stream
        return
    part = target.with_name(f".{target.name[:60]}.{secrets.token_hex(6)}{PART}")
    try:
        descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None  # the name that was asked for
    try:
        with os.fdopen(descriptor, "w+b") as stream:
            if old is not None:
                with contextlib.suppress(OSError):  # a file system without modes
                    part.chmod(stat.S_IMODE(old.st_mode))
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink()
        raise
