"""Write files atomically: a reader sees the old contents or the complete new contents.

New contents go to a hidden temporary file in the folder of the destination, which only this user can read. It is flushed to disk, gets
the access rules of the file that it replaces, and is renamed. The writing process holds a lock on it. A temporary file without a lock
was left behind by a killed process; the next writer in that folder removes it, also on another machine that shares the disk.

Windows neither renames nor removes an open file, so an open temporary file needs no other lock there. It is closed and then renamed;
for that moment, and for a minute after it was last written to, no other process removes it.

Pipes and devices get their contents in one piece at the end.
"""

import contextlib
import errno
import os
import re
import select
import stat
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from imgconv.access import PRIVATE, Access
from imgconv.errors import ImageError, UsageError, reason
from imgconv.inputs import Inputs
from imgconv.platforms import IS_WINDOWS, InterruptibleLock, reachable

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

PART_SUFFIX = ".imgconv-part"  # of temporary files, which are hidden and never used as inputs
_PART = re.compile(rf"\.[0-9a-f]{{16}}{re.escape(PART_SUFFIX)}")
_NO_FSYNC = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP)  # file systems without fsync raise one of these
_DESCRIPTORS = re.compile(r"/dev/fd|/proc/(\d+)(/task/\d+)?/fd")  # folders of open descriptors, links resolved
_MOST_LINKS = 40  # as in the kernel
WINDOWS_LOCK = ".imgconv-lock"  # a file, since Windows does not lock folders
_CLOSED = 60.0  # seconds for which a temporary file that Windows could remove is left alone
_RETRIES = (0.01, 0.05, 0.2, 0.5)  # seconds between attempts to replace a file that another program has open, such as a virus scanner

_lock = InterruptibleLock()  # replaced in a forked child
_temporary_files: set[Path] = set()
_swept_folders: set[Path] = set()
_abandoned = threading.Event()


@contextlib.contextmanager
def atomic_write(path: Path, inputs: Inputs, before_sync: Callable[[], None] | None = None) -> Iterator[BinaryIO]:
    """Open a binary stream whose contents replace `path` when the block ends without an error; otherwise `path` does not change.

    `before_sync()` is called before the contents are flushed to disk. The new file has the access rules of the old one, and its owner
    where that is allowed; without an old file its mode follows the umask. The target of a symbolic link is replaced, not the link.
    A pipe or device, also by a name such as /dev/stdout, is written to at the end of the block.
    Raises UsageError if `path` is one of `inputs`, OSError as the file system does.
    """
    inputs.refuse(path)
    if is_stream(path):
        contents = BytesIO()
        yield contents
        if before_sync is not None:
            before_sync()
        _send(path, memoryview(contents.getvalue()))
        return
    target = reachable(Path(os.path.realpath(path)))
    try:
        access = Access.of_file(target, target.stat())
    except OSError:
        access = Access.of_new_file(target.parent)
    with replace_file(target, access, inputs, before_sync=before_sync, name=path) as stream:
        yield stream


@contextlib.contextmanager
def replace_file(
    path: Path, access: Access, inputs: Inputs, *, before_sync: Callable[[], None] | None = None, name: Path | None = None
) -> Iterator[BinaryIO]:
    """Open a binary stream whose contents become the file at exactly `path`, whatever is there; links are not followed.

    The file gets the rules of `access` when it is complete. Errors of the file system name `name` instead of `path`.
    """
    with naming(name or path):
        descriptor, part = create_part(path.parent, inputs)
    try:
        with os.fdopen(descriptor, "w+b") as stream:
            yield stream
            with naming(name or path):
                stream.flush()
                if before_sync is not None:
                    before_sync()
                access.apply(stream.fileno())
                sync(stream.fileno())
                if IS_WINDOWS:
                    stream.close()
                    _replace_closed(part, path)
                else:
                    part.replace(path)  # while it is open and locked, so that no other process removes it
    except BaseException:
        _remove(part)
        raise
    finally:
        _forget(part)


def create_part(folder: Path, inputs: Inputs, *, is_folder: bool = False) -> tuple[int, Path]:
    """Create a locked temporary file or folder; return its descriptor and path. The first call for a folder sweeps it."""
    with _lock:
        is_first = folder not in _swept_folders
        _swept_folders.add(folder)
    if is_first:
        sweep([folder], inputs)
    while True:
        path = folder / f".{os.urandom(8).hex()}{PART_SUFFIX}"
        try:
            with _lock:
                if _abandoned.is_set():
                    raise ImageError("interrupted")
                descriptor = _new_folder(path) if is_folder else _new_file(path)
                _temporary_files.add(path)
        except BaseException:  # an interrupt may come while it is made
            _remove(path)
            raise
        if try_lock(descriptor) is not False and os.fstat(descriptor).st_nlink:
            return descriptor, path
        os.close(descriptor)  # another process swept it before it was locked
        remove_part(path)


def remove_part(path: Path) -> None:
    """Remove a temporary file or folder, if it is still there."""
    _remove(path)
    _forget(path)


def is_stream(path: Path) -> bool:
    """Whether a name is that of a pipe, a device or an open descriptor such as /dev/stdout, and not of a file or folder."""
    if _descriptor(path) is not None:
        return True
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def is_stdout(path: Path) -> bool:
    """Whether a name such as /dev/stdout is that of standard output."""
    return _descriptor(path) == 1


@contextlib.contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Let one process at a time run the block for `folder`, to read a file, change it and write it.

    Where nothing can be locked (some network file systems), the block runs without a lock.
    """
    descriptor = os.open(folder / WINDOWS_LOCK, os.O_RDWR | os.O_CREAT) if IS_WINDOWS else os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):
            _wait_for_lock(descriptor)
        yield
    finally:
        os.close(descriptor)


def abandon() -> None:
    """Remove all temporary files of this process and refuse new ones, because the process is about to end."""
    with _lock:
        _abandoned.set()
        for path in _temporary_files:
            _remove(path)


def sweep(folders: Iterable[Path], inputs: Inputs) -> None:
    """Remove temporary files that killed processes left in `folders`, unless they are `inputs`."""
    for folder in folders:
        with contextlib.suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                if _PART.fullmatch(entry.name) and not entry.is_symlink() and (entry.is_file() or entry.is_dir()):
                    path = Path(entry.path)
                    if not inputs.has(path.stat()) and not inputs.below(path):
                        _remove_unlocked(path)


def _new_file(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), PRIVATE)


def _new_folder(path: Path) -> int:
    """Create a folder, and return the descriptor that is locked for it."""
    path.mkdir(PRIVATE | 0o100)
    return os.open(path / WINDOWS_LOCK, os.O_RDWR | os.O_CREAT) if IS_WINDOWS else os.open(path, os.O_RDONLY)


def _forget(path: Path) -> None:
    with _lock:
        _temporary_files.discard(path)


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        if os.path.isdir(path) and not os.path.islink(path):
            _remove_folder(path)
        else:
            path.unlink()


def _remove_folder(path: Path) -> None:
    import shutil  # most runs write no folder

    for pause in (*_RETRIES, 0.0):  # another thread may write into it
        shutil.rmtree(path, ignore_errors=True)
        if not os.path.exists(path):
            return
        time.sleep(pause)


def _remove_unlocked(path: Path) -> None:
    """Remove a file or folder unless a process holds its lock, or the file system has no locks."""
    with contextlib.suppress(OSError):
        if IS_WINDOWS:
            if time.time() - path.stat().st_mtime > _CLOSED:
                if os.path.isdir(path):
                    (path / WINDOWS_LOCK).unlink(missing_ok=True)  # fails if a process has it open
                _remove(path)
            return
        descriptor = os.open(path, (os.O_RDONLY if os.path.isdir(path) else os.O_RDWR) | getattr(os, "O_NOFOLLOW", 0))
        try:
            if try_lock(descriptor):
                _remove(path)
        finally:
            os.close(descriptor)


def try_lock(descriptor: int) -> bool | None:
    """Lock an open file for this process: False if another process holds the lock, None where files cannot be locked."""
    if fcntl is None:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def _wait_for_lock(descriptor: int) -> None:
    """Lock an open file or folder for this process, after other processes. Raises OSError where that is impossible."""
    if fcntl is not None:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    if not IS_WINDOWS:
        return
    import msvcrt

    while True:
        with contextlib.suppress(PermissionError):  # another process holds it
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
            return
        time.sleep(_RETRIES[1])


def _replace_closed(part: Path, path: Path) -> None:
    """Rename a closed file on Windows, which refuses while another program has one of the two files open; try for a moment."""
    for pause in _RETRIES:
        with contextlib.suppress(PermissionError):
            part.replace(path)
            return
        time.sleep(pause)
    part.replace(path)


@contextlib.contextmanager
def naming(path: Path) -> Iterator[None]:
    """Name `path` in errors of the file system, instead of a temporary file."""
    try:
        yield
    except ImageError:
        raise
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None


def _descriptor(path: Path) -> int | None:
    """Return the number of the open descriptor that a name such as /dev/stdout or /dev/fd/3 stands for; None for other names."""
    name = path.absolute()
    for _ in range(_MOST_LINKS):
        match = _DESCRIPTORS.fullmatch(os.path.realpath(name.parent)) if name.name.isdecimal() else None
        if match and match[1] in (None, str(os.getpid())):
            return int(name.name)
        try:
            name = name.parent / name.readlink()
        except (OSError, ValueError):  # not a link
            return None
    return None


def _send(path: Path, contents: memoryview) -> None:
    """Write to a pipe or device. An open descriptor is not reopened: for a file, writing continues at its current position."""
    number = _descriptor(path)
    with naming(path):
        descriptor = os.open(path, os.O_WRONLY | getattr(os, "O_BINARY", 0)) if number is None else os.dup(number)
        try:
            while contents:
                try:
                    contents = contents[os.write(descriptor, contents) :]
                except BlockingIOError:  # a pipe that does not wait for its reader
                    select.select([], [descriptor], [])
        finally:
            os.close(descriptor)


def sync(descriptor: int) -> None:
    """Flush an open file to disk, where the file system can."""
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_FSYNC:
            raise


def _reset_after_fork() -> None:
    """Start without temporary files in a forked child: those of the parent are not the child's to remove."""
    global _lock
    _lock = InterruptibleLock()
    _temporary_files.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reset_after_fork)


def format_of(output: Path, formats: Collection[str], option: str) -> str:
    """Return the format, one of `formats`, of a file name. A pipe without an extension gets the first one.

    Raises UsageError, which names `option`, for any other name.
    """
    format = output.suffix.lower().removeprefix(".")
    if format in formats:
        return format
    first, *others = formats
    if not format and is_stream(output):
        return first
    endings = f".{first}" if not others else f"{', '.join(f'.{each}' for each in (first, *others[:-1]))} or .{others[-1]}"
    raise UsageError(f"{option}: expected a file name that ends in {endings}, got {output}")


@contextlib.contextmanager
def output_file(output: Path, inputs: Inputs) -> Iterator[BinaryIO]:
    """Open a stream whose contents replace `output` at the end of the block, see `atomic_write`.

    Raises UsageError if it is one of `inputs`, or ImageError, which names it.
    """
    try:
        with atomic_write(output, inputs) as stream:
            yield stream
    except OSError as error:
        raise ImageError(f"{output}: {reason(error)}") from None
