"""Files being written: hidden files beside their destinations, each locked by the process that writes it.

The lock tells a file that is being written from one that a killed process left behind, also between machines that share a disk.

Writing files whole or not at all.
"""

import contextlib
import fcntl
import os
import stat
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from imgconv.errors import ImageError

PART = ".imgconv-part"  # ends the names of files being written; such files are hidden and never taken as inputs

_lock = threading.Lock()
_being_written: set[Path] = set()
_cleared_folders: set[Path] = set()
_abandoned = threading.Event()


def open_part(folder: Path) -> tuple[int, Path]:
    """Create a new file in `folder` to write a result to: its descriptor and path. It must come to `forget` in the end.

    The first in a folder also removes what killed processes left there.
    """
    with _lock:
        is_first = folder not in _cleared_folders
        _cleared_folders.add(folder)
    if is_first:
        _remove_leftovers(folder)
    while True:
        path = folder / f".{os.urandom(8).hex()}{PART}"
        with _lock:
            if _abandoned.is_set():
                raise ImageError("interrupted")
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
            _being_written.add(path)
        if _held(descriptor) is not False and os.fstat(descriptor).st_nlink:
            return descriptor, path
        os.close(descriptor)  # taken for a leftover between its creation and its lock
        forget(path)


def forget(path: Path, *, remove: bool = True) -> None:
    """Remove a file that was being written, unless it has been renamed."""
    if remove:
        with contextlib.suppress(OSError):
            path.unlink()
    with _lock:
        _being_written.discard(path)


def abandon() -> None:
    """Remove all files being written, and let no other begin: the process is about to end, whatever its threads are at."""
    with _lock:
        _abandoned.set()
        for path in _being_written:
            with contextlib.suppress(OSError):
                path.unlink()


def clear(folders: Iterable[Path]) -> None:
    """Remove what processes that were killed have left in `folders`."""
    for folder in folders:
        _remove_leftovers(folder)


def _remove_leftovers(folder: Path) -> None:
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(".") and entry.name.endswith(PART) and entry.is_file(follow_symlinks=False):
                _remove_leftover(folder / entry.name)


def _remove_leftover(path: Path) -> None:
    """Remove a file unless somebody holds its lock; where it cannot be known, leave it."""
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
        try:
            if _held(descriptor):
                path.unlink()
        finally:
            os.close(descriptor)


def _held(descriptor: int) -> bool | None:
    """Lock an open file for this process: False if another one has it, None where files cannot be locked."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


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
        descriptor, part = open_part(target.parent)
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
        forget(part, remove=not done)


def _dress(descriptor: int, old: os.stat_result) -> None:
    """Give a new file the owner and mode of the one it replaces, as far as that is possible."""
    with contextlib.suppress(OSError):  # only root gives files away
        if (os.geteuid(), os.getegid()) != (old.st_uid, old.st_gid):
            os.fchown(descriptor, old.st_uid, old.st_gid)
    with contextlib.suppress(OSError):  # a file system without modes
        os.fchmod(descriptor, stat.S_IMODE(old.st_mode))
