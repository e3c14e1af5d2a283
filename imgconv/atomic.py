"""Write files atomically: a reader sees the old contents or the complete new contents.

New contents go to a hidden temporary file in the folder of the destination, which is flushed to disk and renamed. The writing
process holds a lock on the temporary file. A temporary file without a lock was left behind by a killed process; the next
writer in that folder removes it, also on another machine that shares the disk.
"""

import contextlib
import errno
import os
import stat
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from imgconv.errors import ImageError

if sys.platform != "win32":
    import fcntl

PART_SUFFIX = ".imgconv-part"  # of temporary files, which are hidden and never used as inputs
_NO_FSYNC = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP)  # file systems without fsync raise one of these

_lock = threading.Lock()  # replaced in a forked child
_temporary_files: set[Path] = set()
_swept_folders: set[Path] = set()
_abandoned = threading.Event()


@contextlib.contextmanager
def atomic_write(path: Path, before_sync: Callable[[], None] | None = None) -> Iterator[BinaryIO]:
    """Open a binary stream whose contents replace `path` when the block ends without an error; otherwise `path` does not change.

    `before_sync()` is called before the contents are flushed to disk. The new file has the mode of the old one, and its owner
    where that is allowed; without an old file its mode follows the umask. The target of a symbolic link is replaced, not the
    link. A device or named pipe is written to directly. Raises OSError as the file system does.
    """
    target = Path(os.path.realpath(path))
    old = target.stat() if target.exists() else None
    if old is not None and not stat.S_ISREG(old.st_mode):
        with target.open("wb") as stream:
            yield stream
        return
    with replace_file(target, old=old, before_sync=before_sync, name=path) as stream:
        yield stream


@contextlib.contextmanager
def replace_file(
    path: Path,
    *,
    mode: int = 0o666,
    old: os.stat_result | None = None,
    before_sync: Callable[[], None] | None = None,
    name: Path | None = None,
) -> Iterator[BinaryIO]:
    """Open a binary stream whose contents become the file at exactly `path`, whatever is there; links are not followed.

    The file has `mode` less the umask, or the owner and mode of `old`. Errors of the folder name `name` instead of `path`.
    """
    try:
        descriptor, part = _create_part(path.parent, mode)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(name or path)) from None
    try:
        with os.fdopen(descriptor, "w+b") as stream:
            if old is not None:
                _copy_owner_and_mode(stream.fileno(), old)
            yield stream
            stream.flush()
            if before_sync is not None:
                before_sync()
            _sync(stream.fileno())
            part.replace(path)  # while it is open and locked, so that no other process removes it
    except BaseException:
        _remove(part)
        raise
    finally:
        with _lock:
            _temporary_files.discard(part)


@contextlib.contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Let one process at a time run the block for `folder`, to read a file, change it and write it.

    Where folders cannot be locked (Windows, some network file systems), the block runs without a lock.
    """
    if sys.platform == "win32":
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def abandon() -> None:
    """Remove all temporary files of this process and refuse new ones, because the process is about to end."""
    with _lock:
        _abandoned.set()
        for path in _temporary_files:
            _remove(path)


def sweep(folders: Iterable[Path]) -> None:
    """Remove temporary files that killed processes left in `folders`."""
    for folder in folders:
        with contextlib.suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith(".") and entry.name.endswith(PART_SUFFIX) and entry.is_file(follow_symlinks=False):
                    _remove_unlocked(folder / entry.name)


def _create_part(folder: Path, mode: int) -> tuple[int, Path]:
    """Create a locked temporary file; return its descriptor and path. The first call for a folder sweeps it."""
    with _lock:
        is_first = folder not in _swept_folders
        _swept_folders.add(folder)
    if is_first:
        sweep([folder])
    while True:
        path = folder / f".{os.urandom(8).hex()}{PART_SUFFIX}"
        with _lock:
            if _abandoned.is_set():
                raise ImageError("interrupted")
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), mode)
            _temporary_files.add(path)
        if _try_lock(descriptor) is not False and os.fstat(descriptor).st_nlink:
            return descriptor, path
        os.close(descriptor)  # another process swept the file before it was locked
        _remove(path)
        with _lock:
            _temporary_files.discard(path)


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()


def _remove_unlocked(path: Path) -> None:
    """Remove a file unless a process holds its lock, or the file system has no locks."""
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0))
        try:
            if _try_lock(descriptor):
                path.unlink()
        finally:
            os.close(descriptor)


def _try_lock(descriptor: int) -> bool | None:
    """Lock an open file for this process: False if another process holds the lock, None where files cannot be locked."""
    if sys.platform == "win32":
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def _copy_owner_and_mode(descriptor: int, old: os.stat_result) -> None:
    """Give a new file the owner and mode of the file that it replaces, as far as that is possible."""
    if sys.platform == "win32":
        return
    with contextlib.suppress(OSError):  # only root may change owners
        if (os.geteuid(), os.getegid()) != (old.st_uid, old.st_gid):
            os.fchown(descriptor, old.st_uid, old.st_gid)
    with contextlib.suppress(OSError):  # a file system without modes
        os.fchmod(descriptor, stat.S_IMODE(old.st_mode))


def _sync(descriptor: int) -> None:
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_FSYNC:
            raise


def _reset_after_fork() -> None:
    """Start without temporary files in a forked child: those of the parent are not the child's to remove."""
    global _lock
    _lock = threading.Lock()
    _temporary_files.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reset_after_fork)
