"""Writing files whole or not at all."""

import contextlib
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from imgconv.batch import parts


@contextlib.contextmanager
def replacing(path: Path, before_sync: Callable[[], None] = lambda: None) -> Iterator[BinaryIO]:
    """A binary stream whose contents take the place of `path` once the block has ended well; otherwise `path` stays as it was.

    The new file is written beside the old one, flushed to disk (once `before_sync()` was called) and renamed.
    It keeps the old one's mode, and its owner where that is allowed; a new one follows the umask. A link is followed; a device or pipe
    is written to directly. Raises OSError as the file system does.
    """
    target = Path(os.path.realpath(path))
    old = target.stat() if target.exists() else None
    if old is not None and not stat.S_ISREG(old.st_mode):
        with target.open("wb") as stream:
            yield stream
        return
    try:
        descriptor, part = parts.open_part(target.parent)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None  # the name that was asked for
    done = False
    try:
        with os.fdopen(descriptor, "w+b") as stream:
            if old is not None:
                _dress(stream.fileno(), old)
            yield stream
            stream.flush()
            before_sync()
            os.fsync(stream.fileno())
            part.replace(target)  # still open, and locked: nobody takes it for a leftover
            done = True
    finally:
        parts.forget(part, remove=not done)


def _dress(descriptor: int, old: os.stat_result) -> None:
    """Give a new file the owner and mode of the one it replaces, as far as that is possible."""
    with contextlib.suppress(OSError):  # only root gives files away
        if (os.geteuid(), os.getegid()) != (old.st_uid, old.st_gid):
            os.fchown(descriptor, old.st_uid, old.st_gid)
    with contextlib.suppress(OSError):  # a file system without modes
        os.fchmod(descriptor, stat.S_IMODE(old.st_mode))
